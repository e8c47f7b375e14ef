"""What a table is: columns of a few kinds, and cells that every store can hold as they are.

Cells are values that JSON has too, in one form for each kind, so no store has to know Vtiger:

| kind | cell |
| --- | --- |
| text | str |
| id | str, `NxM` |
| boolean | bool |
| integer | int |
| decimal | str in plain notation, with the digits that were sent |
| date | str, `YYYY-MM-DD` |
| time | str, `HH:MM:SS` |
| timestamp | str, `YYYY-MM-DD HH:MM:SS`, UTC |
| texts | list of str: the values of a multi-picklist |
| json | any value of JSON |

None is the cell of whatever stands for empty.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from vtiger_async.types import Json

__all__ = ["Cell", "Column", "Kind", "Row", "Table"]

Kind: TypeAlias = Literal[
    "text", "id", "boolean", "integer", "decimal", "date", "time", "timestamp", "texts", "json"
]
"""What the cells of a column are."""
Cell: TypeAlias = Json
"""One value of a row, in the form of its column's kind."""
Row: TypeAlias = "tuple[Cell, ...]"
"""The cells of one row, in the order of the table's columns."""


@frozen
class Column:
    """A column.

    Attributes:
        name: Its name: the field's, or with a leading underscore one of the package's own.
        kind: What its cells are.
        type: The field's type in Vtiger (`"picklist"`); empty for the package's own columns.
        refers_to: The modules whose ids a reference holds.
        gone: Whether the module has the field no more, and the column stays for what it holds.
    """

    name: str
    kind: Kind
    type: str = ""
    refers_to: tuple[str, ...] = ()
    gone: bool = False


@frozen
class Table:
    """The table of a module, or of the line items of one.

    Attributes:
        module: The module.
        name: The table's name: the module's, or `Invoice_LineItems`.
        columns: Its columns, in order: those of fields first, then the package's own.
        key: The names of the columns that tell rows apart.
        picklists: The values of each picklist, in order, by the name of its column.
    """

    module: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)
    picklists: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def place(self, column: str) -> int:
        """Return where a column stands in a row.

        Raises:
            KeyError: There is no such column.
        """
        for place, known in enumerate(self.columns):
            if known.name == column:
                return place
        raise KeyError(column)
