"""Tables as Apache Arrow has them: a schema, and record batches of rows.

Loaded by whoever wants one; needs the extra `arrow`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import time
from importlib import import_module
from typing import Any, Final

from vtiger_async.errors import ConfigurationError
from vtiger_async.tables.describing import EXTRA
from vtiger_async.tables.schema import Cell, Kind, Row, Table

__all__ = ["DIGITS", "PLACES", "arrow_library", "batch_of", "schema_of"]

DIGITS: Final = 38
"""The digits of a decimal in Arrow: as many as DuckDB, Polars and most readers of Parquet take."""
PLACES: Final = 10
"""Those of them behind the point. Vtiger has at most 28 digits with 8 places in its own fields
(measured on Vtiger 8.4)."""


def arrow_library(name: str = "pyarrow") -> Any:
    """Return pyarrow, or a part of it.

    Args:
        name: The part's name, as `pyarrow.parquet`.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"Arrow and Parquet need pyarrow: pip install 'vtiger-async[arrow]' ({error})"
        ) from None


def schema_of(table: Table) -> Any:
    """Return a table's `pyarrow.Schema`; every column can be null.

    | kind | type in Arrow |
    | --- | --- |
    | text, id, json | string |
    | boolean | bool |
    | integer | int64 |
    | decimal | decimal128(38, 10) |
    | date | date32 |
    | time | time32[s] |
    | timestamp | timestamp[us, tz=UTC] |
    | texts | list of string |

    Args:
        table: The table.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """
    arrow = arrow_library()
    return arrow.schema([(column.name, _type(arrow, column.kind)) for column in table.columns])


def batch_of(table: Table, rows: Sequence[Row]) -> Any:
    """Return rows as a `pyarrow.RecordBatch`.

    A decimal with more digits than the type has is null, and stands in `_extra` as it was sent.

    Args:
        table: Their table.
        rows: The rows.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """
    arrow = arrow_library()
    schema = schema_of(table)
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(table.columns)
    try:
        arrays = _arrays(arrow, table, cells, schema)
    except arrow.ArrowInvalid:  # a decimal, once in a long while
        cells = list(zip(*_without_long_decimals(table, rows), strict=True))
        arrays = _arrays(arrow, table, cells, schema)
    return arrow.RecordBatch.from_arrays(arrays, schema=schema)


def _type(arrow: Any, kind: Kind) -> Any:
    types = {
        "boolean": arrow.bool_(),
        "integer": arrow.int64(),
        "decimal": arrow.decimal128(DIGITS, PLACES),
        "date": arrow.date32(),
        "time": arrow.time32("s"),
        "timestamp": arrow.timestamp("us", tz="UTC"),
        "texts": arrow.list_(arrow.string()),
    }
    return types.get(kind, arrow.string())


def _arrays(arrow: Any, table: Table, cells: Iterable[Sequence[Cell]], schema: Any) -> list[Any]:
    arrays: list[Any] = []
    for column, known, values in zip(table.columns, schema, cells, strict=True):
        kind = column.kind
        if kind in ("decimal", "date"):
            array = arrow.array(values, arrow.string()).cast(known.type)
        elif kind == "timestamp":
            # First without a zone: a text with one is not what is sent.
            naive = arrow.array(values, arrow.string()).cast(arrow.timestamp("us"))
            array = naive.cast(known.type)
        elif kind == "time":
            times = [None if cell is None else time.fromisoformat(str(cell)) for cell in values]
            array = arrow.array(times, known.type)
        elif kind == "json":
            array = arrow.array([_json(cell) for cell in values], known.type)
        else:
            array = arrow.array(values, known.type)
        arrays.append(array)
    return arrays


def _json(cell: Cell) -> str | None:
    return None if cell is None else json.dumps(cell, ensure_ascii=False)


def _without_long_decimals(table: Table, rows: Iterable[Row]) -> list[Row]:
    """Return rows in which decimals that Arrow's type cannot hold stand in `_extra`."""
    places = [place for place, column in enumerate(table.columns) if column.kind == "decimal"]
    extra = table.place(EXTRA.name)
    mended: list[Row] = []
    for row in rows:
        cells = [*row]
        aside = {
            table.columns[place].name: cells[place]
            for place in places
            if cells[place] is not None and not _fits(str(cells[place]))
        }
        for name in aside:
            cells[table.place(name)] = None
        if aside:
            beside = cells[extra]
            cells[extra] = {**(beside if isinstance(beside, dict) else {}), **aside}
        mended.append(tuple(cells))
    return mended


def _fits(text: str) -> bool:
    whole, _, places = text.lstrip("-").partition(".")
    return len(whole.lstrip("0")) <= DIGITS - PLACES and len(places.rstrip("0")) <= PLACES
