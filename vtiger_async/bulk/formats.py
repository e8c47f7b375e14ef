"""From a cell to the Python value of a field: one closure for each column, made once."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final, TypeAlias, cast

from vtiger_async.bulk.cells import UnreadableError
from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.moments import date_reader, datetime_reader, time_reader
from vtiger_async.models.metadata import Field
from vtiger_async.problems import shortened
from vtiger_async.types import FieldValue
from vtiger_async.values import multi_picklist_values

__all__ = ["Read", "check_options", "number_reader", "reader_of", "text_of"]

Read: TypeAlias = "Callable[[Any], FieldValue]"
"""Makes a field's value of a cell that is not empty; raises UnreadableError."""

_SPACES: Final = " \u00a0\u202f\u2009"
"""What stands between thousands where a space does: spaces that do not break, and a thin one."""
_KEPT: Final = 4096
"""Texts of a column whose values are remembered: dates and picklists repeat."""


def reader_of(field: Field, column: Column) -> Read:
    """Return what reads a column's cells for a field; references are not among them.

    Raises:
        MappingError: The column's settings do not fit the type.
    """
    kind = field.type.name
    if field.type.picklist_values:
        one = _picklist_reader(field)
        return _several_reader(one, column) if kind == "multipicklist" else one
    maker = _MAKERS.get(kind)
    if maker is None:
        return _several_reader(text_of, column) if kind == "multipicklist" else text_of
    return maker(column)


def check_options(field: Field, column: Column) -> None:
    """Refuse an option that says nothing about a field of that type.

    Raises:
        MappingError: There is one.
    """
    for name, kinds in _OPTIONS.items():
        if getattr(column, name) != getattr(_PLAIN, name) and field.type.name not in kinds:
            raise MappingError(
                f"{field.name} is a {field.type.name}, and {name} is for {' and '.join(kinds)}"
            )


def text_of(cell: Any) -> FieldValue:
    """Return text as it is, and whole numbers as text: tables make floats of them."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int | float) and not isinstance(cell, bool) and cell == cell // 1:
        return str(int(cell))
    value: FieldValue = cell
    return value


def _boolean_reader(column: Column) -> Read:
    meant = dict.fromkeys((text.strip().casefold() for text in column.true), True)
    meant |= dict.fromkeys((text.strip().casefold() for text in column.false), False)

    def read(cell: Any) -> bool:
        if isinstance(cell, str):
            found = meant.get(cell) if cell in meant else meant.get(cell.casefold())
            if found is not None:
                return found
        elif isinstance(cell, bool):
            return cell
        elif isinstance(cell, int | float | Decimal) and cell in (0, 1):
            return bool(cell)
        shown = ", ".join((*column.true, *column.false))
        raise UnreadableError(f"{shortened(cell)} means neither true nor false", f"give {shown}")

    return read


def number_reader(column: Column, *, sign: str = "") -> Callable[[Any], Decimal | int]:
    """Return what reads numbers, exactly: ints stay ints, all others become Decimals.

    Args:
        column: Says how they are written.
        sign: What may stand behind them (`"%"`).
    """
    mark, group = column.decimal, column.grouping
    separators = _SPACES if group in _SPACES else group
    between = f"[{re.escape(separators)}]" if group else ""
    # Groups of three; of two or three before the last, as in India.
    whole = (
        rf"\d{{1,400}}|\d{{1,3}}(?:{between}\d{{2,3}})*{between}\d{{3}}" if group else r"\d{1,400}"
    )
    behind = rf"(?:{re.escape(mark)}\d{{0,400}})?"
    form = re.compile(rf"[+-]?(?:(?:{whole}){behind}|{re.escape(mark)}\d{{1,400}})", re.ASCII)
    dropped = str.maketrans({**dict.fromkeys(separators if group else ""), mark: "."})

    def read(cell: Any) -> Decimal | int:
        if isinstance(cell, str):
            text = cell.removesuffix(sign).rstrip() if sign else cell
            if form.fullmatch(text) is None:
                raise UnreadableError(*_no_number(cell, column))
            return Decimal(text.translate(dropped))
        if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
            raise UnreadableError(f"{shortened(cell)} is not a number")
        if isinstance(cell, int):
            return int(cell)
        # The shortest text of a float is what was meant: 0.1, and not its 55 digits.
        number = Decimal(repr(float(cell))) if isinstance(cell, float) else cell
        if not number.is_finite():
            raise UnreadableError(f"{cell} is not a number that can be stored")
        return number

    return read


def _no_number(text: str, column: Column) -> tuple[str, str]:
    reason = f"{shortened(text)} is not a number"
    if any(unicodedata.category(char) == "Sc" for char in text):
        return f"{reason}: it has a currency's sign", "leave the sign out"
    other = "," if column.decimal == "." else "."
    if not column.grouping and re.search(rf"\d[{other}{_SPACES}'\u2019]\d", text):
        return reason, "say how the column writes numbers: decimal and grouping"
    return reason, f"write it as 1234{column.decimal}5"


def _decimal_reader(column: Column) -> Read:
    return number_reader(column)


def _percent_reader(column: Column) -> Read:
    return number_reader(column, sign="%")


def _whole_reader(column: Column) -> Read:
    number = number_reader(column)

    def read(cell: Any) -> int:
        found = number(cell)
        if found != int(found):
            raise UnreadableError(f"{shortened(cell)} is not a whole number")
        return int(found)

    return read


def _picklist_reader(field: Field) -> Read:
    """Return what finds a value of a picklist by value or label; no other can come out."""
    found: dict[str, str] = {}
    loose: dict[str, set[str]] = {}
    # Some servers escape what they list.
    listed = [(html.unescape(v.value), html.unescape(v.label)) for v in field.type.picklist_values]
    for value, label in listed:
        for text in (value, label):
            loose.setdefault(text.strip().casefold(), set()).add(value)
    labels: dict[str, set[str]] = {}
    for value, label in listed:
        labels.setdefault(label.strip(), set()).add(value)
    found |= {label: min(values) for label, values in labels.items() if len(values) == 1}
    found |= {value.strip(): value for value, _ in listed}
    values = [value for value, _ in listed]

    @lru_cache(_KEPT)
    def search(text: str) -> tuple[str, ...]:
        """Return the value, or reason and remedy: a text that is wrong is so in many rows."""
        several = labels.get(text) or loose.get(text.casefold()) or set[str]()
        if len(several) == 1:
            return (min(several),)
        reason = f"{shortened(text)} is none of the picklist's values"
        if several:
            shown = " or ".join(map(repr, sorted(several)))
            return f"{shortened(text)} may mean {shown}", "give the value"
        near = get_close_matches(text, values, 1)
        shown = ", ".join(map(repr, values[:8])) + (", ..." if len(values) > 8 else "")
        remedy = f"is {near[0]!r} meant?" if near else f"give one of {shown}"
        return reason, remedy

    def read(cell: Any) -> FieldValue:
        value = found.get(cell) if isinstance(cell, str) else None
        if value is not None:
            return value
        text = text_of(cell)
        if not isinstance(text, str):
            raise UnreadableError(f"{shortened(cell)} is no value of a picklist", "give text")
        value, *remedy = search(text) if text not in found else (found[text],)
        if remedy:
            raise UnreadableError(value, *remedy)
        return value

    return read


def _several_reader(one: Read, column: Column) -> Read:
    def read(cell: Any) -> FieldValue:
        if isinstance(cell, str):
            try:  # a value may hold the separator
                return [one(cell)]
            except UnreadableError:
                parts = _parts(cell)
        else:
            given = [*cast("Any", cell)] if isinstance(cell, list | tuple) else [cell]
            parts = [part.strip() if isinstance(part, str) else part for part in given]
        return list(dict.fromkeys(one(part) for part in parts if part not in (None, "")))

    def free(cell: Any) -> FieldValue:
        return read(_parts(cell) if isinstance(cell, str) else cell)

    def _parts(text: str) -> list[str]:
        if "|##|" in text:
            return multi_picklist_values(text)
        return [part for part in (part.strip() for part in text.split(column.separator)) if part]

    return free if one is text_of else read


_MAKERS: Final[Mapping[str, Callable[[Column], Read]]] = {
    "boolean": _boolean_reader,
    "currency": _decimal_reader,
    "date": date_reader,
    "datetime": datetime_reader,
    "double": _decimal_reader,
    "integer": _whole_reader,
    "percentage": _percent_reader,
    "time": time_reader,
}
"""What reads the types that are more than text."""

_NUMBERS: Final = ("currency", "double", "integer", "percentage")
_RECORDS: Final = ("owner", "reference")
_PLAIN: Final = Column("any")
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "date_format": ("date", "datetime", "time"),
    "decimal": _NUMBERS,
    "grouping": _NUMBERS,
    "zone": ("datetime",),
    "true": ("boolean",),
    "false": ("boolean",),
    "by": _RECORDS,
    "missing": _RECORDS,
    "ambiguous": _RECORDS,
    "separator": ("multipicklist",),
}
"""The types that an option is for."""
