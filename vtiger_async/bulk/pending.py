"""References and owners that have still to be found, and the cells they come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from vtiger_async.bulk.cells import UnreadableError
from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.options import Ambiguous, Missing
from vtiger_async.problems import shortened
from vtiger_async.types import ID_FORM, RecordId

__all__ = ["OWNERS", "Pending", "reference_reader"]

OWNERS = ("Users", "Groups")
"""The modules that an owner is of."""


@frozen
class Pending:
    """A reference or an owner that has still to be found.

    Attributes:
        field: The field it is for; in a nested line `LineItems[<place>].productid`.
        text: What the record is called.
        modules: The modules it may be of; empty where the description does not tell.
        by: The field of that module which holds the text, or `"label"`; None for the label.
        missing: What is done where there is none.
        ambiguous: What is done where there are several.
        column: The column it comes from; empty for a constant.
    """

    field: str
    text: str
    modules: tuple[str, ...]
    by: str | None
    missing: Missing
    ambiguous: Ambiguous
    column: str


def reference_reader(
    name: str,
    column: Column,
    header: str,
    modules: tuple[str, ...],
    missing: Missing,
    ambiguous: Ambiguous,
) -> Callable[[Any], str | Pending]:
    """Return what reads the cells of a reference or an owner: an id, or what is to be found.

    Args:
        name: The field.
        column: How it is read.
        header: The column's header.
        modules: The modules it may point to.
        missing: What the load does where no record is found.
        ambiguous: What the load does where several are found.
    """
    targets = modules if column.to is None else (column.to,)
    by = None if column.by == "id" else column.by
    absent, several = column.missing or missing, column.ambiguous or ambiguous
    wanted = " or ".join(targets) or "a record"

    def read(cell: Any) -> str | Pending:
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        if isinstance(cell, bool) or not isinstance(cell, str | int):
            raise UnreadableError(f"{shortened(cell)} names no record", "give text")
        text = str(cell)
        if by is None and ID_FORM.fullmatch(text) is not None:
            return RecordId(text)
        if column.by == "id":
            reason = f"{shortened(text)} is not a record's id"
            raise UnreadableError(reason, f"give the id of {wanted}, as in 4x12")
        return Pending(name, text, targets, by, absent, several, header)

    return read
