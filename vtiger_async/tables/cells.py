"""From a value on the wire to the cell of a column: a function for each kind.

The text of each type is read by `models/typed.py`; here its value gets the form that stores hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from vtiger_async.models.typed import CONVERSIONS, scalar_as_text
from vtiger_async.tables.schema import Cell, Kind

__all__ = ["Reader", "reader_of"]

Reader: TypeAlias = Callable[[Any], Cell]
"""Makes a cell of a value that is neither null nor "". It returns None for another form of empty,
and raises TypeError, ValueError or InvalidIdError for what its kind cannot hold."""

_MOST: Final = 2**63
"""Databases count with 64 bits."""

_REMEMBERED: Final = 1024
"""Values that a column remembers: some 150 kilobytes."""

_boolean = CONVERSIONS["boolean"]
_number = CONVERSIONS["double"]
_whole = CONVERSIONS["integer"]
_day = CONVERSIONS["date"]
_moment = CONVERSIONS["datetime"]
_time_of_day = CONVERSIONS["time"]
_id = CONVERSIONS["reference"]
_values = CONVERSIONS["multipicklist"]


def _as_boolean(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    return _boolean(text) if text else None


def _as_integer(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    if not text:
        return None
    number: int = _whole(text)
    if not -_MOST <= number < _MOST:
        raise ValueError("more than 64 bits")
    return number


def _as_decimal(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    if not text:
        return None
    number = _number(text)
    # "+5", ".5" and "5." are numbers to Vtiger, and not to every database.
    return text if text[0].isdigit() and text[-1] != "." else format(number, "f")


def _as_date(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    return text if text and _day(text) is not None else None


def _as_timestamp(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    return text if text and _moment(text) is not None else None


def _as_time(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    if not text:
        return None
    seconds: str = _time_of_day(text).isoformat("seconds")
    return seconds


def _as_id(value: Any) -> Cell:
    text = scalar_as_text(value).strip()
    return text if text and _id(text) is not None else None


def _as_texts(value: Any) -> Cell:
    return _values(scalar_as_text(value)) or None


def _as_json(value: Any) -> Cell:
    cell: Cell = value
    return cell


def reader_of(kind: Kind) -> Reader:
    """Return what makes the cells of a column of a kind; it remembers some of what it has read.

    Args:
        kind: The kind.
    """
    read = _READERS[kind]
    if kind in ("json", "text", "texts"):
        return read
    remembered: dict[str, Cell] = {}

    def reading(value: Any) -> Cell:
        # Owners, dates and amounts come again and again, and reading one takes a microsecond.
        if type(value) is not str:
            return read(value)
        try:
            return remembered[value]
        except KeyError:
            pass
        if len(remembered) >= _REMEMBERED:
            remembered.clear()
        cell = remembered[value] = read(value)
        return cell

    return reading


_READERS: Final[dict[Kind, Reader]] = {
    "text": scalar_as_text,
    "id": _as_id,
    "boolean": _as_boolean,
    "integer": _as_integer,
    "decimal": _as_decimal,
    "date": _as_date,
    "time": _as_time,
    "timestamp": _as_timestamp,
    "texts": _as_texts,
    "json": _as_json,
}
