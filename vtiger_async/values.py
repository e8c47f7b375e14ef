"""Python values as Vtiger stores them: one text form for each scalar.

Source of the forms: behaviour measured on Vtiger 8.4 (booleans "1"/"0", dates as YYYY-MM-DD,
datetimes as YYYY-MM-DD HH:MM:SS in UTC, decimals with a point and without grouping).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from vtiger_async.errors import InvalidArgumentError

__all__ = ["NUMBER_FORM", "SEPARATOR", "is_sendable", "multi_picklist_values", "scalar_text"]

SEPARATOR = " |##| "
"""Between the values of a multi-picklist (measured on Vtiger 8.4)."""

NUMBER_FORM = re.compile(r"[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})", re.ASCII)
"""A number as Vtiger reads it whole: a point, no grouping, no exponent."""

_MAX_EXPONENT = 400
"""Digits before or behind the point; a Decimal may ask for a billion of them."""


def is_sendable(text: str) -> bool:
    """Tell whether UTF-8 can carry a text: a lone surrogate, as JSON may hold one, it cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def scalar_text(value: object, where: str) -> str:
    """Return the text that Vtiger stores for one scalar.

    Args:
        value: A str, bool, int, float, Decimal, date, time, or a datetime with a zone.
        where: What the value is for, for the error message (`"Contacts.birthday"`).

    Raises:
        InvalidArgumentError: The value has no such form: another type, a datetime without a zone,
            a time with one, a number that is not finite, or text with a lone surrogate.
    """
    if isinstance(value, str):
        return _checked_text(value, where)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float | Decimal):
        return _number_text(value, where)
    if isinstance(value, datetime):
        return _datetime_text(value, where)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _time_text(value, where)
    raise InvalidArgumentError(
        f"{where}: a {type(value).__name__} cannot be stored: give text, a number, a bool, a date, "
        "a time, or a datetime with a zone"
    )


def multi_picklist_values(text: str) -> list[str]:
    """Return the values of a multi-picklist out of the one text that holds them."""
    parts = (part.strip() for part in text.split(SEPARATOR.strip()))
    return [part for part in parts if part]


def _checked_text(value: str, where: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(
            f"{where}: the text holds a lone surrogate, which UTF-8 cannot carry: decode the "
            "input with its real encoding first"
        ) from None
    # A plain str, so that a subclass with its own rules (an enum, a RecordId) ends here.
    return str.__str__(value)


def _number_text(value: float | Decimal, where: str) -> str:
    # float's own repr: a subclass may have another (numpy's float64 has).
    number = value if isinstance(value, Decimal) else Decimal(float.__repr__(value))
    if not number.is_finite() or abs(number.adjusted()) > _MAX_EXPONENT:
        raise InvalidArgumentError(f"{where}: {value} is not a number that Vtiger can store")
    # Never an exponent: "1E+2" would be stored as 1.
    return format(number, "f")


def _datetime_text(value: datetime, where: str) -> str:
    if value.utcoffset() is None:
        raise InvalidArgumentError(
            f"{where}: the datetime {value.isoformat()} has no zone: Vtiger stores UTC, so say "
            "which time is meant, as in datetime(2026, 1, 31, 9, 0, tzinfo=UTC)"
        )
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        raise InvalidArgumentError(
            f"{where}: the datetime {value.isoformat()} lies outside of the years 1 to 9999 in UTC"
        ) from None
    # Not strftime: it writes the year 999 with three digits.
    return moment.replace(tzinfo=None).isoformat(" ", "seconds")


def _time_text(value: time, where: str) -> str:
    if value.tzinfo is not None and value.utcoffset() != timedelta(0):
        raise InvalidArgumentError(
            f"{where}: the time {value.isoformat()} has a zone, and without a date it cannot be "
            "turned into UTC: give the time in UTC"
        )
    return value.replace(tzinfo=None).isoformat("seconds")
