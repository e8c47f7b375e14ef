"""Where the mirror of a module stands: what is stored in one transaction with its rows."""

from __future__ import annotations

import json
from typing import Literal, TypeAlias

import cattrs
from attrs import frozen

from vtiger_async.mirror.owing import Owed
from vtiger_async.tables.schema import Table

__all__ = ["ModuleState", "Phase"]

Phase: TypeAlias = Literal["snapshot", "deltas", "difference"]
"""What is done next: read all records; read changes; or, where the server tells none, compare."""

_converter = cattrs.Converter()


@frozen
class ModuleState:
    """Where the mirror of a module stands.

    Attributes:
        module: The module.
        phase: What is done next.
        table: The table as it was last made or changed.
        lines: The table of its line items, where it has any that are kept, or were.
        line_items: Whether line items are kept; where not, `lines` stays as it was.
        token: Where the snapshot stands: the `resume_token` of its query.
        cursor: Where the deltas stand: the cursor of the sync; in a snapshot, where they will
            begin.
        checked: The number of the record up to which reconciliation has compared records, in its
            present round.
        rewrite: Whether records are written although their hash is the one that is kept, since a
            column is another.
        looked_at: Up to which moment of the server (Unix seconds) a user who is no administrator
            has asked for changes by query.
        credit_from: Since when the budget of reconciliation has not been used (Unix seconds); None
            before the first snapshot has ended.
        synced_at: When the mirror last was at the head (Unix seconds), None where never.
        error: What made the last attempt fail; None where it did not.
        owed: Documents that the server could not send, which are without their line items.
    """

    module: str
    phase: Phase
    table: Table
    lines: Table | None = None
    line_items: bool = True
    token: str | None = None
    cursor: str | None = None
    checked: int = 0
    rewrite: bool = False
    looked_at: float | None = None
    credit_from: float | None = None
    synced_at: float | None = None
    error: str | None = None
    owed: tuple[Owed, ...] = ()

    def text(self) -> str:
        """Return the state as text (JSON on one line), for a sink to keep."""
        return json.dumps(_converter.unstructure(self), separators=(",", ":"))

    @classmethod
    def of_text(cls, text: str) -> ModuleState:
        """Return the state that `text` returned.

        Raises:
            ValueError: The text is no state.
        """
        try:
            return _converter.structure(json.loads(text), cls)
        except (cattrs.errors.BaseValidationError, TypeError, KeyError) as error:
            raise ValueError(f"this is not the state of a mirrored module: {error}") from error
