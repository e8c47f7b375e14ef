"""What the tests of tables share: modules with any fields."""

from __future__ import annotations

from typing import Any

from vtiger_async.models.metadata import Field, FieldType, Module, PicklistValue
from vtiger_async.tables import Row, Table


def field(name: str, kind: str, *values: str, refers_to: tuple[str, ...] = ()) -> Field:
    """A field, with the values of its picklist where it has one."""
    listed = tuple(PicklistValue(value, value) for value in values)
    return Field(name, name, FieldType(kind, refers_to=refers_to, picklist_values=listed))


def module(*fields: Field, name: str = "Things") -> Module:
    """A module with these fields."""
    return Module(name, name, "40", {known.name: known for known in fields})


def named(table: Table, row: Row) -> dict[str, Any]:
    """A row's cells by the names of their columns."""
    names = [column.name for column in table.columns]
    return dict(zip(names, row, strict=True))
