"""Files of text: CSV, and JSON lines. Every fault is told with its line."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Generator, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

from vtiger_async.bulk.errors import SourceError
from vtiger_async.bulk.rows import Chunk, RaggedRow, Row

__all__ = ["CHUNK", "csv_chunks", "csv_head", "json_chunks"]

CHUNK: Final = 500
"""Rows that are read at a time."""
_DELIMITERS: Final = ",;\t|"
_SAMPLE: Final = 64 * 1024
"""Bytes in which the delimiter is looked for."""
_SAMPLED: Final = 20
"""Rows in which it is looked for."""


def csv_head(path: Path, encoding: str, delimiter: str | None) -> tuple[tuple[str, ...], str]:
    """Return the columns of a CSV file, and its delimiter.

    Args:
        path: The file.
        encoding: Its encoding.
        delimiter: Between the cells; None to find it.

    Raises:
        SourceError: The file has no header, or one with a column twice or without a name.
        OSError: The file cannot be opened.
    """
    mark = _delimiter(path, encoding) if delimiter is None else delimiter
    if len(mark) != 1 or mark in '"\r\n':
        raise SourceError(f"the delimiter {mark!r} is not one character that can part cells")
    with _opened(path, encoding) as lines:
        for line, cells in _cells(path, lines, mark):
            return _header(path.name, cells, line), mark
    raise SourceError(f"{path.name} is empty: its first line has to name the columns")


def _header(name: str, cells: Sequence[str], line: int) -> tuple[str, ...]:
    columns: list[str] = []
    for place, cell in enumerate(cells, 1):
        column = cell.strip()
        where = f"{name}, line {line}: column {place}"
        if not column:
            raise SourceError(f"{where} of the header has no name")
        if column in columns:
            raise SourceError(f"{where} of the header repeats {column!r}")
        columns.append(column)
    return tuple(columns)


def csv_chunks(
    path: Path, encoding: str, delimiter: str, columns: tuple[str, ...]
) -> Generator[Chunk]:
    """Yield the rows of a CSV file, some at a time.

    Cells that a row lacks are empty; a row with too many is a RaggedRow; blank lines are no rows.

    Raises:
        SourceError: The file cannot be read on; the line is named.
    """
    width = len(columns)
    try:
        with _opened(path, encoding) as lines:
            rows = _cells(path, lines, delimiter)
            next(rows, None)
            number = 0
            while found := list(islice(rows, CHUNK)):
                chunk: Chunk = []
                for line, cells in found:
                    number += 1
                    row: Row = dict(zip(columns, cells, strict=False))
                    if len(cells) != width:
                        row = _ragged(columns, cells, line)
                    chunk.append((number, row))
                yield chunk
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from None


def _ragged(columns: tuple[str, ...], cells: Sequence[str], line: int) -> Row:
    row = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
    extra = tuple(cells[len(columns) :])
    return RaggedRow(row, extra, line) if any(extra) else row


def _cells(path: Path, lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row that is not blank, with the line where it begins."""
    # Strict: else an open quote takes the rest of the file for one cell.
    reader = csv.reader(_whole(path, lines), delimiter=delimiter, strict=True)
    begin = 1
    try:
        for cells in reader:
            if cells:
                yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        hint = " (is a quote left open?)" if reader.line_num > begin else ""
        raise SourceError(f"{path.name}, line {begin}: this is not CSV: {error}{hint}") from None


def _whole(path: Path, lines: Iterator[str]) -> Iterator[str]:
    """Yield the lines, none of which holds a NUL."""
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise SourceError(
                f"{path.name}, line {number}: there is a NUL character: this is not text, or of "
                "another encoding: give encoding="
            )
        yield line


def json_chunks(path: Path, encoding: str) -> Generator[Chunk]:
    """Yield the rows of a file of JSON lines, some at a time; blank lines are no rows.

    Numbers with a point are Decimals, so none of their digits is lost.

    Raises:
        SourceError: The file cannot be read on, or a line is no JSON object; it is named.
    """
    try:
        with _opened(path, encoding) as lines:
            objects = enumerate(_objects(path, lines), 1)
            while chunk := list(islice(objects, CHUNK)):
                yield chunk
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from None


def _objects(path: Path, lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(_whole(path, lines), 1):
        if line.isspace():
            continue
        where = f"{path.name}, line {number}"
        try:
            row = _DECODER.decode(line.strip())
        except json.JSONDecodeError as error:
            raise SourceError(f"{where}, column {error.colno}: not JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{where}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise SourceError(f"{where}: a {type(row).__name__}, and no object of columns")
        yield row


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_constant=_constant
)


class _Lines:
    """The lines of a file; a byte that does not fit the encoding is told with its place."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path = path
        self._encoding = encoding
        self._text = path.open(encoding=encoding, newline="")

    def __enter__(self) -> Iterator[str]:
        return self._lines()

    def __exit__(self, *_: object) -> None:
        self._text.close()

    def _lines(self) -> Iterator[str]:
        try:
            yield from self._text
        except UnicodeError as error:
            raise _misread(self._path, self._encoding, error) from None


def _opened(path: Path, encoding: str) -> _Lines:
    try:
        return _Lines(path, encoding)
    except LookupError:
        raise SourceError(
            f"there is no encoding {encoding!r}: give one that Python knows"
        ) from None


def _misread(path: Path, encoding: str, error: UnicodeError) -> SourceError:
    """Return the error that says where bytes do not fit the encoding."""
    decoder = codecs.getincrementaldecoder("utf-8" if encoding == _SIGNED else encoding)()
    line, place = 1, 0
    with path.open("rb") as file:
        while True:
            chunk = file.read(_SAMPLE)
            kept = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeError as found:
                if not isinstance(found, UnicodeDecodeError):
                    break  # UTF-16 without its mark
                line += found.object[: found.start].count(b"\n")
                at = place - kept + found.start
                byte = found.object[found.start]
                where = f"{path.name}, line {line}: byte {at} of the file is 0x{byte:02x}"
                return SourceError(f"{where}, which is not {encoding}: give encoding=")
            place += len(chunk)
            if not chunk:
                break
    return SourceError(f"{path.name} is not {encoding}: {error}: give encoding=")


_SIGNED: Final = "utf-8-sig"


def _delimiter(path: Path, encoding: str) -> str:
    """Return the delimiter that most rows of a sample agree on; a comma where none does."""
    with path.open("rb") as file:
        sample = file.read(_SAMPLE)
    try:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    except (LookupError, UnicodeError):
        return ","  # reading the header says what is wrong
    if len(sample) == _SAMPLE:
        text = text[: text.rfind("\n") + 1] or text

    def score(mark: str) -> tuple[int, int]:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        try:
            widths = [len(cells) for cells in islice(rows, _SAMPLED) if cells]
        except csv.Error:
            return 0, 0
        if not widths or widths[0] < 2:
            return 0, 0
        return sum(width == widths[0] for width in widths), widths[0]

    return max(_DELIMITERS, key=score)
