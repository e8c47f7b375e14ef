"""Rows as bytes of a file: CSV, JSON lines, and the lines that become Parquet at the end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.tables.schema import Cell, Column, Row, Table
from vtiger_async.values import SEPARATOR

__all__ = ["FileFormat", "format_of", "head_of", "lines_of"]

FileFormat: TypeAlias = Literal["csv", "jsonl", "parquet"]
"""The formats that files are written in, which are also their suffixes."""

_SUFFIXES: Final[dict[str, FileFormat]] = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


def format_of(path: Path) -> FileFormat:
    """Return the format that a file is to have, by its suffix.

    Raises:
        InvalidArgumentError: There is none of that suffix.
    """
    known = _SUFFIXES.get(path.suffix.lower())
    if known is None:
        found = f"{path.suffix!r} is none of" if path.suffix else "it has none of"
        raise InvalidArgumentError(
            f"{path.name}: the suffix says the format, and {found} {', '.join(_SUFFIXES)}"
        )
    return known


def head_of(form: FileFormat, table: Table) -> bytes:
    """Return what stands before the first row."""
    return _csv([[column.name for column in table.columns]]) if form == "csv" else b""


def lines_of(form: FileFormat, table: Table, rows: Sequence[Row]) -> bytes:
    """Return rows as they stand in the file.

    CSV is that of RFC 4180 in UTF-8: an empty cell is null, a multi-picklist is joined as Vtiger
    joins it, booleans are `true` and `false`, other structures are JSON. JSON lines have every
    column, decimals as text. For Parquet the cells are kept as lines of JSON until the end.

    Args:
        form: The format.
        table: The rows' table.
        rows: The rows.
    """
    if form == "csv":
        return _csv(
            [
                [_text(column, cell) for column, cell in zip(table.columns, row, strict=True)]
                for row in rows
            ]
        )
    if form == "jsonl":
        names = [column.name for column in table.columns]
        return b"".join(_json(dict(zip(names, row, strict=True))) for row in rows)
    return b"".join(_json(row) for row in rows)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    # With "\r\n" both of them are quoted inside of values; with "\n" a lone "\r" would not be.
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _text(column: Column, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if column.kind == "texts" and isinstance(cell, list):
        return SEPARATOR.join(map(str, cell))
    return json.dumps(cell, ensure_ascii=False)
