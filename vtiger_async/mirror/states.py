"""Where the mirror of a module stands: what is stored in one transaction with its rows."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from vtiger_async.tables.schema import Table

__all__ = ["ModuleState", "Phase"]

Phase: TypeAlias = Literal["snapshot", "deltas", "difference"]
"""What is done next: read all records; read changes; or, where the server tells none, compare."""


@frozen
class ModuleState:
    """Where the mirror of a module stands.

    Attributes:
        module: The module.
        phase: What is done next.
        table: The table as it was last made or changed.
        lines: The table of its line items, where it has any.
        token: Where the snapshot stands: the `resume_token` of its query.
        cursor: Where the deltas stand: the cursor of the sync; in a snapshot, where they will
            begin.
        checked: The numeric id up to which reconciliation has compared ids, in its present round.
        synced_at: When the mirror last was at the head (Unix seconds), None where never.
        error: What made the last attempt fail; None where it did not.
    """

    module: str
    phase: Phase
    table: Table
    lines: Table | None = None
    token: str | None = None
    cursor: str | None = None
    checked: int = 0
    synced_at: float | None = None
    error: str | None = None
