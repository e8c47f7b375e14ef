"""Dates, times and moments out of cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from zoneinfo import ZoneInfo

from attrs import frozen

from vtiger_async.bulk.cells import UnreadableError
from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import MappingError
from vtiger_async.problems import shortened

__all__ = ["date_reader", "datetime_reader", "time_reader"]

T = TypeVar("T")

_PROBES: Final = (
    datetime(2026, 11, 23, 14, 5, tzinfo=UTC),
    datetime(2031, 2, 7, 3, 59, tzinfo=UTC),
)
"""Moments that a format has to tell apart from all others of its kind."""
_KEPT: Final = 4096


@frozen
class _Form(Generic[T]):
    """How one kind of value is written.

    Attributes:
        name: What it is, in words.
        shown: How it is to be written.
        pattern: Its text.
        of: Makes it of text that matched; a ValueError says that there is no such one.
    """

    name: str
    shown: str
    pattern: re.Pattern[str]
    of: Callable[[re.Match[str]], T]

    def read(self, text: str) -> T:
        """Return what a text says."""
        found = self.pattern.fullmatch(text)
        if found is None:
            raise self.misfit(text)
        try:
            return self.of(found)
        except ValueError:
            raise UnreadableError(f"{shortened(text)} does not exist") from None

    def misfit(self, cell: object) -> UnreadableError:
        """Return what is said of a cell that holds something else."""
        remedy = f"write {self.shown}, or say the column's date_format"
        return UnreadableError(f"{shortened(cell)} is not {self.name}", remedy)


_DATE: Final = _Form(
    "a date",
    "YYYY-MM-DD",
    re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII),
    lambda found: date.fromisoformat(found[1]),
)
"""A day; with the midnight that tables and spreadsheets add."""
_MOMENT: Final = _Form(
    "a date and time",
    "YYYY-MM-DDTHH:MM:SS",
    re.compile(
        r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?(?:\d\d)?)?)?",
        re.ASCII,
    ),
    lambda found: datetime.fromisoformat(found[0]),
)
_TIME: Final = _Form(
    "a time",
    "HH:MM",
    re.compile(r"(\d?\d):(\d\d)(?::(\d\d))?", re.ASCII),
    lambda found: time(int(found[1]), int(found[2]), int(found[3] or 0)),
)


def date_reader(column: Column) -> Callable[[Any], date]:
    """Return what reads days: text, dates, and datetimes of midnight.

    Raises:
        MappingError: A format of the column does not tell a day.
    """
    _check_formats(column, "a day", datetime.date)

    @lru_cache(_KEPT)
    def read_text(text: str) -> date:
        return _parsed(text, column).date() if column.date_format else _DATE.read(text)

    def read(cell: Any) -> date:
        if isinstance(cell, str):
            return read_text(cell)
        if isinstance(cell, datetime):
            if cell.time() != time():
                raise UnreadableError(f"{cell.isoformat(' ')} has a time", "give a date")
            return cell.date()
        if isinstance(cell, date):
            return cell
        raise _DATE.misfit(cell)

    return read


def datetime_reader(column: Column) -> Callable[[Any], datetime]:
    """Return what reads moments; they come out with a zone. A day alone is its midnight.

    Raises:
        MappingError: A format of the column does not tell a moment.
    """
    _check_formats(column, "a day and a time", lambda moment: moment)
    zone: tzinfo = UTC if column.zone is None else ZoneInfo(column.zone)

    @lru_cache(_KEPT)
    def read_text(text: str) -> datetime:
        moment = _parsed(text, column) if column.date_format else _MOMENT.read(text)
        return _aware(moment, zone, text)

    def read(cell: Any) -> datetime:
        if isinstance(cell, str):
            return read_text(cell)
        if isinstance(cell, datetime):
            return _aware(cell, zone, cell)
        if isinstance(cell, date):
            return _aware(datetime.combine(cell, time()), zone, cell)
        raise _MOMENT.misfit(cell)

    return read


def _aware(moment: datetime, zone: tzinfo, cell: object) -> datetime:
    """Return the moment with the zone, if it does not have one.

    Raises:
        UnreadableError: No clock of the zone shows that time.
    """
    if moment.tzinfo is not None:
        return moment
    found = moment.replace(tzinfo=zone)
    if zone is UTC or found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment:
        return found
    raise UnreadableError(f"{shortened(cell)} does not exist in {zone}: clocks skip it")


def time_reader(column: Column) -> Callable[[Any], time]:
    """Return what reads times of day; the CRM keeps them in UTC.

    Raises:
        MappingError: A format of the column does not tell a time.
    """
    _check_formats(column, "a time", datetime.time)

    def read(cell: Any) -> time:
        if isinstance(cell, time):
            return cell
        if not isinstance(cell, str):
            raise _TIME.misfit(cell)
        return _parsed(cell, column).time() if column.date_format else _TIME.read(cell)

    return read


def _check_formats(column: Column, what: str, part: Callable[[datetime], object]) -> None:
    for format_ in column.date_format:
        for probe in _PROBES:
            read = datetime.strptime(probe.strftime(format_), format_)
            if part(read.replace(tzinfo=None)) != part(probe.replace(tzinfo=None)):
                raise MappingError(f"date_format {format_!r} of {column.field} tells not {what}")


def _parsed(text: str, column: Column) -> datetime:
    for format_ in column.date_format:
        try:
            return datetime.strptime(text, format_)
        except ValueError:
            continue
    shown = " or ".join(map(repr, column.date_format))
    raise UnreadableError(f"{shortened(text)} is not of the form {shown}")
