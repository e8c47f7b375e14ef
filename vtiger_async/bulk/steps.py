"""A step of a job: one row of the input, with what is to be done for it and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from attrs import define, field, frozen

__all__ = ["OPEN", "Action", "JobState", "LoadInfo", "State", "Step", "UndoState"]

Action: TypeAlias = Literal["create", "revise", "delete", "link", "none"]
"""What is to be done: `link` revises what an earlier step of the same row has made; `none` is a row
for which no call is made."""

State: TypeAlias = Literal[
    "planned", "sent", "unknown", "done", "failed", "unchanged", "skipped", "rejected", "lost"
]
"""How far a step is.

`planned`: no call was made. `sent`: a call may have been made; it is under way, or the process
ended. `unknown`: its reply was lost, and it is still to be looked for. `done`, `failed`: Vtiger
said so. `unchanged`, `skipped`, `rejected`: there was nothing to call for. `lost`: its reply was
lost, and nothing can tell what happened: it is never sent again.
"""

OPEN: tuple[State, ...] = ("planned", "sent", "unknown")
"""The states of a step for which something is still to be done."""

UndoState: TypeAlias = Literal["sent", "done", "refused", "failed"]
"""How far the undoing of a step is; None before it began."""

JobState: TypeAlias = Literal["planning", "planned", "applying", "done", "undoing", "undone"]
"""How far a job is."""


@define
class Step:
    """One row of the input, or what is still to be done for it in a second pass.

    Attributes:
        id: Its number in the journal; steps of a turn are done in this order.
        load: Which of the job's loads it belongs to, from 0.
        row: The number of the row in the input, from 1.
        turn: A turn begins when all steps of the one before it are closed.
        action: What is to be done.
        state: How far it is.
        key: The row's key, folded as the server compares it; None where the load has none.
        record_id: The record, once it is known.
        fields: What is sent, as it goes out.
        waits: Fields whose value is the id of a record that an earlier step makes: by field the
            load and the key of that step.
        old: What was stored before in the fields that are revised.
        stored: What the answer said is stored in the fields that were sent, where it is another
            text, `modifiedtime`, and line items, if they were sent; of a record that was created,
            all other fields with a value, too, if it has `id`.
        raw: The row as it was read.
        reason: Why it was skipped, rejected, failed or lost; how each reply was lost, while it is
            unknown; else what was silently changed.
        sent_at: When its last call was begun, in Unix seconds.
        settled: Whether its reply was lost, and a query told what had come of it.
        undo: How far its undoing is.
    """

    load: int
    row: int
    action: Action
    state: State = "planned"
    turn: int = 0
    key: str | None = None
    record_id: str | None = None
    fields: dict[str, Any] = field(factory=dict[str, Any])
    waits: dict[str, tuple[int, str]] = field(factory=dict[str, "tuple[int, str]"])
    old: dict[str, Any] = field(factory=dict[str, Any])
    stored: dict[str, Any] = field(factory=dict[str, Any])
    raw: dict[str, Any] = field(factory=dict[str, Any])
    reason: list[str] = field(factory=list[str])
    sent_at: float | None = None
    settled: bool = field(default=False, converter=bool)
    undo: UndoState | None = None
    id: int = 0


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@frozen
class LoadInfo:
    """What a journal keeps of one load: enough to apply, resume, report and undo.

    Attributes:
        module: The module.
        mode: `"create"`, `"upsert"`, `"revise"` or `"delete"`.
        key: The names of the key's fields; empty where there is none.
        columns: The input's columns, in order.
        source: The input's file name; None for what was no file.
        fingerprint: What the file held; None for what was no file.
        missing: What becomes of a row whose reference was not made: `"reject"` or `"empty"`.
        mark: The text field that holds what identifies a row where there is no key.
    """

    module: str
    mode: str
    key: tuple[str, ...] = field(default=(), converter=_texts)
    columns: tuple[str, ...] = field(default=(), converter=_texts)
    source: str | None = None
    fingerprint: str | None = None
    missing: str = "reject"
    mark: str | None = None
