"""Which literals can be read as a value of a field's type.

What is no date is taken for the zero date (measured on Vtiger 8.4), what is no number for the
number that it begins with, or 0, so that a condition misses what was meant. Vtiger writes dates
with a time as YYYY-MM-DD HH:MM:SS in UTC (measured); a T between them and a Z behind do no harm,
and an offset would be passed over. A type that is not among those here holds text, of which every
literal can be a value: a picklist's, too, since values outside of its list are stored (measured).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from vtiger_async.vtql import Condition, Word
from vtiger_async.vtql.tree import Scalar

__all__ = ["unreadable"]

_MOMENT = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d{1,6})?)?Z?)?", re.ASCII
)
_DIGITS = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?", re.ASCII)
"""A date, or a date and time, as a number: the one form that needs no quotes."""
_TIME = re.compile(r"\d{1,3}(?::[0-5]\d){0,2}(?:\.\d{1,6})?", re.ASCII)
"""Durations are described as times, too: they are hours, or more than a day has."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def unreadable(condition: Condition, type_name: str) -> str | None:
    """Return what is wrong with a condition's value and what to write, or None if nothing is.

    A pattern of LIKE is compared with text, and one space finds what is empty: neither is a fault.

    Args:
        condition: The condition.
        type_name: The type of its field, as `describe` names it.
    """
    rule = _RULES.get(type_name)
    if rule is None or condition.operator == "LIKE":
        return None
    reads, what, remedy = rule
    for value in condition.values:
        text = str(value).strip()
        if text and not reads(value, text):
            return f"{condition.field} holds {what}, and {str(value)!r} is none: {remedy}"
    return None


def _is_moment(value: Scalar, text: str) -> bool:
    found = _MOMENT.fullmatch(text) or _DIGITS.fullmatch(text)
    if found is None:
        return value == 0  # the zero date, before every other
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    if not any((year, month, day, hour, minute, second)):
        return True  # what is stored of a date that no month has
    try:
        datetime(year, month, day, hour, minute, second)
    except ValueError:
        return False
    return True


def _is_time(_: Scalar, text: str) -> bool:
    return _TIME.fullmatch(text) is not None


def _is_number(value: Scalar, text: str) -> bool:
    # Without quotes these are names of 1 and 0; an id is taken for a column.
    is_truth = isinstance(value, Word) and text.lower() in ("true", "false")
    return is_truth or _NUMBER.fullmatch(text) is not None


_NUMBERS = (
    _is_number,
    "numbers",
    "give an int or a Decimal, or digits with a point and without grouping",
)
_RULES: Final[dict[str, tuple[Callable[[Scalar, str], bool], str, str]]] = {
    "currency": _NUMBERS,
    "date": (_is_moment, "dates", "give a date, or 'YYYY-MM-DD'"),
    "datetime": (
        _is_moment,
        "dates with a time in UTC",
        "give a datetime with a zone, which F converts to UTC, or 'YYYY-MM-DD HH:MM:SS' or a date",
    ),
    "double": _NUMBERS,
    "integer": _NUMBERS,
    "percentage": _NUMBERS,
    "time": (_is_time, "times", "give a time, or 'HH:MM:SS'"),
}
"""For each type: how its values are read, what they are, and what to write."""
