"""Data on standard output: tables for people, JSON lines, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final, Protocol, TextIO, TypeGuard, cast

from attrs import define, field
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vtiger_async.cli.exits import note, printable

__all__ = ["Format", "Output", "RowWriter", "is_list"]

Row = Mapping[str, Any]

_BLOCK: Final = 100  # rows of one table: a long result begins to show before it ends
_LEAST_WIDTH: Final = 8  # of a column; where they would be narrower, records stand one by one
_UNBOUNDED: Final = 100_000  # columns of a "terminal" that is a file: nothing is cut


class Format(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


class RowWriter(Protocol):
    """Writes rows, one after the other."""

    def add(self, row: Row) -> None:
        """Write a row, or keep it until there are enough."""
        ...

    def flush(self) -> None:
        """Hand on what has been written."""
        ...

    def close(self) -> None:
        """Write what is left, and the end."""
        ...


@define
class Output:
    """Standard output in one of the formats.

    Attributes:
        format: The format.
        stream: Where to.
    """

    format: Format
    stream: TextIO

    @classmethod
    def on_stdout(cls, chosen: Format | None) -> Output:
        """Return standard output in the format that was chosen: else table or JSON lines."""
        on_terminal = sys.stdout.isatty()
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None and not on_terminal:
            reconfigure(encoding="utf-8")  # what JSON is in, whatever the locale says
        return cls(chosen or (Format.TABLE if on_terminal else Format.JSONL), sys.stdout)

    @contextmanager
    def rows(self) -> Generator[RowWriter]:
        """Give a writer for rows; what was added is written out also where an error comes."""
        writer = _WRITERS[self.format](self.stream)
        try:
            yield writer
        finally:
            writer.close()

    def record(self, row: Row) -> None:
        """Write one record: a table of names and values, one JSON object, or one CSV row."""
        if self.format is Format.TABLE:
            _print(self.stream, _upright(row))
        elif self.format is Format.JSON:
            self.stream.write(_json(row, indent=2) + "\n")
        else:
            with self.rows() as writer:
                writer.add(row)

    def value(self, value: Any) -> None:
        """Write any JSON value: a list of objects as rows, an object as a record."""
        if isinstance(value, dict):
            self.record(cast("dict[str, Any]", value))
        elif is_list(value) and all(isinstance(item, dict) for item in value):
            with self.rows() as writer:
                for item in value:
                    writer.add(item)
        elif self.format is Format.CSV:
            self.record({"result": value})
        else:
            text = printable(_text(value)) if self.format is Format.TABLE else _json(value)
            self.stream.write(text + "\n")


@define
class _JsonLines:
    stream: TextIO

    def add(self, row: Row) -> None:
        self.stream.write(_json(row) + "\n")

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        self.stream.flush()


@define
class _JsonArray:
    stream: TextIO
    before: str = "[\n"

    def add(self, row: Row) -> None:
        self.stream.write(self.before + _json(row))
        self.before = ",\n"

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        self.stream.write("[]\n" if self.before == "[\n" else "\n]\n")
        self.stream.flush()


@define
class _Csv:
    """The first row's names are the header; what later rows have beyond it is told of, once."""

    stream: TextIO
    names: tuple[str, ...] = ()
    left_out: set[str] = field(factory=set[str])

    def add(self, row: Row) -> None:
        writer = csv.writer(self.stream, lineterminator="\n")
        if not self.names:
            self.names = tuple(row)
            writer.writerow(self.names)
        self.left_out.update(row.keys() - set(self.names))
        writer.writerow([_text(row.get(name)) for name in self.names])

    def flush(self) -> None:
        self.stream.flush()

    def close(self) -> None:
        self.stream.flush()
        if self.left_out:
            note(f"not in the header, and left out: {', '.join(sorted(self.left_out))}")


@define
class _Tables:
    stream: TextIO
    waiting: list[Row] = field(factory=list[Row])
    any_yet: bool = False

    def add(self, row: Row) -> None:
        self.any_yet = True
        self.waiting.append(row)
        if len(self.waiting) == _BLOCK:
            self.flush()

    def flush(self) -> None:
        if self.waiting:
            rows, self.waiting = self.waiting, []
            columns = list(dict.fromkeys(name for row in rows for name in row))
            if len(columns) * _LEAST_WIDTH > _console(self.stream).width:
                for row in rows:
                    _print(self.stream, _upright(row))
            else:
                _print(self.stream, _lying(columns, rows))

    def close(self) -> None:
        self.flush()
        if not self.any_yet:
            note("nothing found")


_WRITERS: Final = {
    Format.TABLE: _Tables,
    Format.JSON: _JsonArray,
    Format.JSONL: _JsonLines,
    Format.CSV: _Csv,
}


def _lying(columns: list[str], rows: list[Row]) -> Table:
    """Return rows as a table: a line each."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(Text(printable(name)))
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in columns))
    return table


def _upright(row: Row) -> Table:
    """Return one record as a table: a line for each name."""
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in row.items():
        table.add_row(Text(printable(name)), _cell(value))
    return table


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether a JSON value is a list."""
    return isinstance(value, list)


def _cell(value: Any) -> Text:
    # Text, not str: rich would take [brackets] in data for markup.
    return Text(printable(_text(value)))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_list(value) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    return value if isinstance(value, str) else _json(value)


def _json(value: Any, indent: int | None = None) -> str:
    # A Record is a mapping, and json knows dict alone.
    plain = dict(cast("Row", value)) if isinstance(value, Mapping) else value
    return json.dumps(plain, ensure_ascii=False, indent=indent, default=str)


def _console(stream: TextIO) -> Console:
    return Console(file=stream, width=None if stream.isatty() else _UNBOUNDED)


def _print(stream: TextIO, table: Table) -> None:
    _console(stream).print(table)
    stream.flush()
