"""What becomes of a value that is written: the form it is stored in, with Vtiger's silent losses.

All of it is answered with success, as measured on Vtiger 8.4: text in a number becomes 0, long text
is cut, a character of four bytes becomes four question marks, "true" in a boolean becomes 0. Only
text in a date is refused. A client can prevent the losses with describe, or see them in the echo.
"""

from __future__ import annotations

import html
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from vtiger_async.sandbox.moments import stored_moment
from vtiger_async.sandbox.schema import Field

__all__ = [
    "MASK",
    "SEPARATOR",
    "as_text",
    "clipped",
    "is_scalar",
    "number_of",
    "plain_text",
    "stored_form",
]

SEPARATOR = " |##| "
"""What stands between the values of a multi-picklist."""

MASK = "********"
"""What a sensitive field reads as."""

_LARGEST = Decimal("99999999999999999.99999999")
_LARGEST_INTEGER = Decimal(2**31 - 1)
_TRUE = (True, 1, "1", "on")
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_EXACT = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_WIDE = re.compile(r"[\U00010000-\U0010ffff]")
_HALF = re.compile(r"[\ud800-\udfff]")


def is_scalar(value: object) -> bool:
    """Return whether a JSON value is neither a list nor a map."""
    return not isinstance(value, (list, dict))


def as_text(value: object) -> str:
    """Return a JSON value as the text that PHP makes of it; a list is its first element.

    A map has no first element for MySQL, and is empty (measured).
    """
    if isinstance(value, str):
        return value
    if value is None or value is False or isinstance(value, dict):
        return ""
    if value is True:
        return "1"
    if isinstance(value, list):
        items = cast("list[object]", value)
        return as_text(items[0]) if items else ""
    return str(value)


def clipped(value: Decimal, most: Decimal = _LARGEST) -> Decimal:
    """Return the number, or the largest that its column holds, as MySQL does."""
    return max(-most, min(most, value))


def number_of(text: str) -> Decimal:
    """Return the number at the start of the text, as MySQL reads it; 0 where there is none."""
    found = _NUMBER.match(text)
    return clipped(Decimal(found[1])) if found else Decimal(0)


def stored_form(field: Field, value: object, *, lenient: bool = False) -> str | None:
    """Return the form in which a value is stored in a field that is not a reference.

    Args:
        field: The field.
        value: The value, out of JSON.
        lenient: Whether a word in a date is taken for none (see stored_moment).

    Raises:
        Fault: INTERNAL_SERVER_ERROR for text in a date.
    """
    if field.type == "multipicklist" and isinstance(value, list):
        items = cast("list[object]", value)
        return plain_text(SEPARATOR.join(as_text(item) for item in items), field.length)
    if field.type == "boolean":
        return "1" if value in _TRUE else "0"
    text = as_text(value)
    if field.kind == "number":
        if "exact" in field.flags and not _EXACT.fullmatch(text):
            text = "0"  # a price that is no number is none (measured)
        if "commas" in field.flags:
            text = text.replace(",", "")
        return _number(text, 2 if field.type == "currency" else field.decimals, field.decimals)
    if field.kind in ("date", "datetime"):
        return stored_moment(text, with_time=field.kind == "datetime", lenient=lenient)
    if value is False:
        return "0"  # as MySQL is given it (measured)
    return plain_text(text, field.length)


def plain_text(text: str, length: int | None) -> str:
    """Return text as it is stored: entities decoded, four-byte characters lost, cut at a length."""
    text = _HALF.sub("?", _WIDE.sub("????", text))
    if "&" in text:
        text = html.unescape(text)
    return text if length is None else text[:length]


def _number(text: str, digits: int, decimals: int) -> str:
    # Currencies are rounded to the user's two decimals first, and stored with eight (measured).
    value = number_of(text) if decimals else clipped(number_of(text), _LARGEST_INTEGER)
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    if abs(value) == _LARGEST:
        rounded = value
    return format(rounded.quantize(Decimal(1).scaleb(-decimals)), "f")
