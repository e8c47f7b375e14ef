"""A module as a table: its columns by its description, and its records as rows."""

from __future__ import annotations

from vtiger_async.tables.schema import Cell, Column, Kind, Row, Table

__all__ = ["Cell", "Column", "Kind", "Row", "Table"]
