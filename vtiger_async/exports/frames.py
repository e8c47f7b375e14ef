"""The records of a statement as a table in memory."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Literal, TypeAlias

from vtiger_async.errors import ConfigurationError, InvalidArgumentError
from vtiger_async.exports.crm import Crm
from vtiger_async.exports.statements import statement_of
from vtiger_async.tables.arrow import arrow_library, batch_of, schema_of
from vtiger_async.tables.describing import selection_of, without_lines
from vtiger_async.tables.rows import RowMaker
from vtiger_async.tables.schema import Row
from vtiger_async.vtql import Select

__all__ = ["BATCH", "FrameKind", "frame"]

FrameKind: TypeAlias = Literal["arrow", "polars", "pandas"]
"""The library whose table is wanted."""

BATCH = 5000
"""Rows of a record batch: enough to be fast, and some megabytes at most."""


async def frame(crm: Crm, query: str | Select, to: FrameKind = "arrow") -> Any:
    """Return the records of a statement as a typed table; see `VtigerClient.frame`.

    Args:
        crm: The client.
        query: The statement.
        to: The library whose table is wanted.

    Raises:
        ConfigurationError: A library is not installed.
        InvalidArgumentError: The statement counts, or the library is not known.
    """
    statement = statement_of(query)
    if to not in ("arrow", "polars", "pandas"):
        raise InvalidArgumentError(f"to is 'arrow', 'polars' or 'pandas', not {to!r}")
    arrow = arrow_library()
    library = arrow if to == "arrow" else _library(to)
    module = await crm.describe(statement.module)
    table = selection_of(module, statement.fields)
    maker = RowMaker(table, module)
    batches: list[Any] = []
    rows: list[Row] = []
    async for page in crm.query(without_lines(statement, module)).pages():
        rows += [maker.row_of(record)[0] for record in page]
        if len(rows) >= BATCH:
            batches.append(batch_of(table, rows))
            rows = []
    if rows:
        batches.append(batch_of(table, rows))
    made = arrow.Table.from_batches(batches, schema=schema_of(table))
    if to == "polars":
        return library.from_arrow(made)
    if to == "pandas":
        # With Arrow's own types: pandas' would turn whole numbers with gaps into floats.
        return made.to_pandas(types_mapper=library.ArrowDtype)
    return made


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"to={name!r} needs {name}: pip install {name} ({error})"
        ) from None
