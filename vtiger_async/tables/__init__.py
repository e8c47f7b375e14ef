"""A module as a table: its columns by its description, and its records as rows."""

from __future__ import annotations

from vtiger_async.tables.describing import lines_table_of, selection_of, table_of
from vtiger_async.tables.drift import Drift, drift, evolved, fingerprint
from vtiger_async.tables.rows import RowMaker
from vtiger_async.tables.schema import Cell, Column, Kind, Row, Table

__all__ = [
    "Cell",
    "Column",
    "Drift",
    "Kind",
    "Row",
    "RowMaker",
    "Table",
    "drift",
    "evolved",
    "fingerprint",
    "lines_table_of",
    "selection_of",
    "table_of",
]
