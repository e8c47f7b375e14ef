"""What all parts of the work on one module share: its state, its rows, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeGuard

import anyio
from attrs import define, evolve

from vtiger_async.clock import Clock
from vtiger_async.errors import AccessDeniedError, RecordNotFoundError, VtigerError
from vtiger_async.mirror.batches import Batch, Gone, Upsert
from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.events import Committed, MirrorEvent
from vtiger_async.mirror.reports import ModuleReport
from vtiger_async.mirror.sink import ReadableSink, Sink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.tables import Row, RowMaker
from vtiger_async.tables.describing import without_lines
from vtiger_async.tables.rows import as_listed
from vtiger_async.types import RecordId, SyncScope
from vtiger_async.vtql import Select, select

__all__ = ["Work", "is_readable", "statement_of"]

_TOGETHER: Final = 10
"""Documents that are retrieved and written together."""


def is_readable(sink: Sink) -> TypeGuard[ReadableSink]:
    """Tell whether a sink can say what it holds."""
    return hasattr(sink, "hashes")


def statement_of(module: Module) -> Select:
    """Return what is asked for all records of a module: of documents no fields of their lines."""
    return without_lines(select(module.name), module)


@define(eq=False)
class Work:
    """The work on one module in one round.

    Attributes:
        crm: The client.
        sink: Where the mirror is kept; it is open.
        clock: The time.
        module: What `describe` says of the module now.
        state: Where the module stands; what was committed, at any time.
        scope: Whose changes the server tells.
        report: What came of it so far.
        tell: Is called with each event.
        rows: Makes the rows.
    """

    crm: Crm
    sink: Sink
    clock: Clock
    module: Module
    state: ModuleState
    scope: SyncScope
    report: ModuleReport
    tell: Callable[[MirrorEvent], object]
    rows: RowMaker

    @property
    def name(self) -> str:
        """The module's name."""
        return self.module.name

    @property
    def sees_all(self) -> bool:
        """Whether the server tells all changes."""
        return self.scope == "application"

    @property
    def keeps_lines(self) -> bool:
        """Whether records are retrieved for their line items."""
        return self.state.line_items and self.state.lines is not None

    def statement(self) -> Select:
        """Return what is asked for all records."""
        return statement_of(self.module)

    def now(self) -> datetime:
        """Return the time (aware UTC)."""
        return datetime.fromtimestamp(self.clock.time(), UTC)

    async def write(
        self,
        records: Sequence[Record],
        state: ModuleState,
        gone: Sequence[Gone] = (),
        *,
        all_of_them: bool = True,
    ) -> int:
        """Write records, and what is gone, and then the state; return how many were written.

        Args:
            records: Records as a query or a sync tells them, each id once.
            state: Where the module stands when all of it is written.
            gone: What is gone.
            all_of_them: Whether records are written whose hash is the one that is kept. Documents
                with line items are not, since each costs a call.
        """
        made = [(record, self._row(record)) for record in records]
        if not all_of_them or (self.keeps_lines and not self.state.rewrite):
            made = await self._changed(made)
        if not self.keeps_lines:
            upserts = [Upsert(record.id, row) for record, row in made]
            await self.commit(state, upserts, gone)
            return len(upserts)
        return await self._write_documents([record for record, _ in made], state, gone)

    async def commit(
        self, state: ModuleState, upserts: Sequence[Upsert] = (), gone: Sequence[Gone] = ()
    ) -> None:
        """Write a batch, and note where the module then stands."""
        await self.sink.commit(Batch(state, tuple(upserts), tuple(gone)))
        self.state = state
        self.report.upserts += len(upserts)
        vanished = sum(one.why == "vanished" for one in gone)
        self.report.vanished += vanished
        self.report.deleted += len(gone) - vanished
        if upserts or gone:
            self.tell(Committed(self.now(), self.name, state.phase, len(upserts), len(gone)))

    def hash_of(self, record: Record) -> str:
        """Return the hash by which a record is told from what it was."""
        row, _ = self.rows.row_of(record)
        return str(row[self.state.table.place("_hash")])

    def _row(self, record: Record) -> Row:
        row, unread = self.rows.row_of(record)
        self.report.unread += len(unread)
        return row

    async def _changed(self, made: list[tuple[Record, Row]]) -> list[tuple[Record, Row]]:
        """Return those of which another hash is kept, or none."""
        if not made or not is_readable(self.sink):
            return made
        kept: Mapping[RecordId, str]
        kept = await self.sink.hashes(self.name, [record.id for record, _ in made])
        place = self.state.table.place("_hash")
        return [(record, row) for record, row in made if kept.get(record.id) != row[place]]

    async def _write_documents(
        self, listed: Sequence[Record], state: ModuleState, gone: Sequence[Gone]
    ) -> int:
        """Retrieve documents, which only then have their lines, and write them.

        The state stays as it was until the last of them: what was written before a crash has its
        hash, and costs no call again.
        """
        parts = [listed[at : at + _TOGETHER] for at in range(0, len(listed), _TOGETHER)] or [()]
        written = 0
        for part in parts:
            found = [one for one in await self._retrieved(part) if one is not None]
            upserts = [Upsert(one.id, self._row(one), self.rows.lines_of(one)) for one in found]
            is_last = part is parts[-1]
            # What is gone was so before: it comes first, so that it does not undo a return.
            left = gone if part is parts[0] else ()
            await self.commit(state if is_last else self.state, upserts, left)
            written += len(upserts)
        return written

    async def _retrieved(self, listed: Sequence[Record]) -> list[Record | None]:
        """Retrieve records together; None for those that are not there any more."""
        found: list[Record | None] = [None] * len(listed)
        failures: list[VtigerError] = []

        async def retrieve(place: int) -> None:
            try:
                whole = await self.crm.retrieve(listed[place].id)
                found[place] = as_listed(whole, listed[place])
                self.report.retrieved += 1
            except (AccessDeniedError, RecordNotFoundError):
                self.report.denied += 1  # if it was deleted, the changes that follow tell
            except VtigerError as error:
                failures.append(error)
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for place in range(len(listed)):
                group.start_soon(retrieve, place)
        if failures:
            raise failures[0]
        return found

    def at_head(self) -> ModuleState:
        """Return the state with the note that it is at the head now."""
        return evolve(self.state, synced_at=self.clock.time(), error=None)
