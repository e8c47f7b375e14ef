"""What is written at once: rows, goings, and where the mirror then stands."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Row
from vtiger_async.types import RecordId

__all__ = ["Batch", "Gone", "Upsert", "Why"]

Why: TypeAlias = Literal["deleted", "vanished"]
"""`"deleted"`: the server's feed told it; `"vanished"`: it was found missing, since it was deleted
before the feed begins, reassigned, or the rights to see it were lost."""


@frozen
class Upsert:
    """A record as it now is.

    Attributes:
        id: Its id.
        row: Its cells, in the order of the table's columns.
        lines: The rows of its line items, which replace those that are there; None leaves them.
    """

    id: RecordId
    row: Row
    lines: tuple[Row, ...] | None = None


@frozen
class Gone:
    """A record that is not there any more.

    Attributes:
        id: Its id.
        at: When that was seen (Unix seconds).
        why: How it was seen.
    """

    id: RecordId
    at: float
    why: Why


@frozen
class Batch:
    """What a sink commits as a whole.

    Attributes:
        state: Where the module stands afterwards.
        upserts: The records that are new or have changed; no id is in it twice.
        gone: The records that are not there any more; none of them is in `upserts`.
    """

    state: ModuleState
    upserts: tuple[Upsert, ...] = ()
    gone: tuple[Gone, ...] = ()
