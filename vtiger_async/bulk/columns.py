"""How one column becomes one field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args
from zoneinfo import ZoneInfo

import attrs
from attrs import frozen

from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.options import Ambiguous, Missing, Nulls

__all__ = ["FALSE", "TRUE", "Column"]

TRUE: Final = ("true", "yes", "1", "on", "x")
"""What means true where a column does not say."""
FALSE: Final = ("false", "no", "0", "off")
"""What means false where a column does not say."""

_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "missing": get_args(Missing),
    "ambiguous": get_args(Ambiguous),
    "nulls": get_args(Nulls),
}
_MARKS: Final = frozenset("+-0123456789")
_ANY_DAY: Final = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


def _texts(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _value_map(value: Mapping[str, str]) -> dict[str, str]:
    return dict(value)


@frozen
class Column:
    """How the cells of one column become the values of one field.

    Text is cut of white space at both ends, and read by the type of the field. What is no text (in
    rows of iterables, JSON and tables) is taken as it is, where the field can hold it.

    Attributes:
        field: The field, by name or label; `LineItems.<name>` for one of the lines of a quote, an
            order or an invoice.
        values: What texts of the file stand for (`{"Germany": "DE"}`); looked up as they are, then
            without case. The result is read like a cell.
        default: Stands for an empty cell.
        date_format: How dates, times or moments are written, as in `datetime.strptime`
            (`"%d.%m.%Y"`); several are tried in turn. None stands for ISO 8601: `2026-01-31`,
            `09:30`, `2026-01-31T09:30:00Z`.
        decimal: The decimal mark of numbers.
        grouping: Between the thousands of numbers; without it, a number that is grouped is refused.
        zone: The IANA name of the zone of moments that do not say theirs; UTC where it is None. Of
            a time that a clock shows twice in autumn the first is taken.
        true: The texts that mean true, whatever their case.
        false: The texts that mean false.
        by: What the texts of a reference or an owner are: `"id"`, `"label"`, or a field of the
            other module (`"accountname"`, `"email1"`, `"user_name"`). None takes what has the form
            of an id for an id, and anything else for a label.
        to: The module that a reference points to, where it may point to several.
        missing: What is done where no record is found; None as the load says.
        ambiguous: What is done where several are found; None as the load says.
        nulls: What an empty cell does; None as the load says.
        separator: Between the values of a multi-picklist.

    Raises:
        MappingError: A value cannot be meant, as a zone that does not exist.
    """

    field: str
    values: Mapping[str, str] = attrs.field(
        factory=dict[str, str], converter=_value_map, kw_only=True
    )
    default: str | None = attrs.field(default=None, kw_only=True)
    date_format: tuple[str, ...] = attrs.field(default=(), converter=_texts, kw_only=True)
    decimal: str = attrs.field(default=".", kw_only=True)
    grouping: str = attrs.field(default="", kw_only=True)
    zone: str | None = attrs.field(default=None, kw_only=True)
    true: tuple[str, ...] = attrs.field(default=TRUE, converter=_texts, kw_only=True)
    false: tuple[str, ...] = attrs.field(default=FALSE, converter=_texts, kw_only=True)
    by: str | None = attrs.field(default=None, kw_only=True)
    to: str | None = attrs.field(default=None, kw_only=True)
    missing: Missing | None = attrs.field(default=None, kw_only=True)
    ambiguous: Ambiguous | None = attrs.field(default=None, kw_only=True)
    nulls: Nulls | None = attrs.field(default=None, kw_only=True)
    separator: str = attrs.field(default=";", kw_only=True)

    def __attrs_post_init__(self) -> None:
        fault = self._fault()
        if fault:
            raise MappingError(f"the column for {self.field or 'a field'}: {fault}")

    def _fault(self) -> str:
        """Return what cannot be meant; empty if all can."""
        if not self.field.strip():
            return "field is empty"
        for text in (*self.values, *self.values.values(), self.default or ""):
            given = cast("Any", text)  # whatever the annotation says
            if not isinstance(given, str):
                return f"values and default are read like cells: give text, not {given!r}"
        for name, choices in _CHOICES.items():
            chosen: Any = getattr(self, name)
            if chosen is not None and chosen not in choices:
                return f"{name} is one of {', '.join(choices)}, not {chosen!r}"
        if len(self.decimal) != 1 or self.decimal in _MARKS or self.decimal.isspace():
            return f"decimal is one mark, not {self.decimal!r}"
        if len(self.grouping) > 1 or self.grouping in {*_MARKS, self.decimal}:
            return f"grouping is one mark, and not the decimal mark, not {self.grouping!r}"
        if not self.separator.strip():
            return "separator is white space or empty"
        if self.by is not None and not self.by.strip():
            return "by is empty"
        both = {text.casefold() for text in self.true} & {text.casefold() for text in self.false}
        if both:
            return f"{min(both)!r} means both true and false"
        return self._fault_of_moments()

    def _fault_of_moments(self) -> str:
        for format_ in self.date_format:
            try:
                datetime.strptime(_ANY_DAY.strftime(format_), format_)
            except ValueError as error:
                return f"date_format {format_!r}: {error}"
            if "%" not in format_:
                return f"date_format {format_!r} has no directive: as in '%d.%m.%Y'"
        if self.zone is not None:
            try:
                ZoneInfo(self.zone)
            except (KeyError, ValueError, OSError):  # the last for a name that is a folder
                return f"there is no zone {self.zone!r}: give an IANA name, as Europe/Berlin"
        return ""
