"""What all parts of the work on one module share: its state, its rows, and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeGuard

from attrs import define, evolve, field

from vtiger_async.clock import Clock
from vtiger_async.mirror.batches import Batch, Gone, Upsert
from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.events import Committed, MirrorEvent
from vtiger_async.mirror.owing import due, settled
from vtiger_async.mirror.reports import ModuleReport
from vtiger_async.mirror.retrieving import Retrieved
from vtiger_async.mirror.sink import ReadableSink, Sink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.tables import Row, RowMaker
from vtiger_async.tables.describing import without_lines
from vtiger_async.types import RecordId, SyncScope, is_list, is_map, whole_number
from vtiger_async.vtql import F, Select, select

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
        asked: The documents that were asked for in this round.
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
    asked: set[str] = field(factory=set[str], init=False)

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

    async def counted(self, statement: Select) -> int | None:
        """Return how many records the CRM counts for a statement, for one call.

        None where the server counts none: some versions answer with an empty list.
        """
        rows = await self.crm.call("GET", "query", {"query": str(statement.counting())})
        first = rows[0] if is_list(rows) and rows else None
        return whole_number(next(iter(first.values()), None)) if is_map(first) else None

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
        self,
        listed: Sequence[Record],
        state: ModuleState,
        gone: Sequence[Gone] = (),
        *,
        are_kept: bool = False,
    ) -> int:
        """Retrieve documents, which only then have their lines, and write them.

        The state stays as it was until the last of them: what was written before a crash has its
        hash, and costs no call again. Those that the server cannot send are written without their
        lines, unless they are kept so.
        """
        parts = [listed[at : at + _TOGETHER] for at in range(0, len(listed), _TOGETHER)] or [()]
        written = 0
        for part in parts:
            is_last = part is parts[-1]
            # What is gone was so before: it comes first, so that it does not undo a return.
            left = gone if part is parts[0] else ()
            found, broken = await self._retrieved(part)
            upserts = [Upsert(one.id, self._row(one), self.rows.lines_of(one)) for one in found]
            # Without lines: those that are there stay.
            upserts += [Upsert(one.id, self._row(one)) for one in broken if not are_kept]
            done = {one.id for one in part} | {one.id for one in left}
            owed = settled(self.state.owed, [one.id for one in broken], done, self.clock.time())
            await self.commit(evolve(state if is_last else self.state, owed=owed), upserts, left)
            written += len(upserts)
        return written

    async def _retrieved(self, listed: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """Retrieve records together: those that came, and those that the server cannot send.

        What is not there any more is in neither.
        """
        self.asked |= {one.id for one in listed}
        came = Retrieved()
        try:
            await came.add(self.crm, listed, self.state.owed)
        finally:
            self.report.retrieved += len(came.found)
            self.report.denied += came.denied
        owed = {one.id for one in self.state.owed}
        is_first = self.state.error is None and not came.broken.keys() <= owed
        if is_first and len(came.broken) == len(listed) > 1:
            # None of them came: it may be the server as a whole.
            raise next(iter(came.broken.values()))
        return (
            [came.found[one.id] for one in listed if one.id in came.found],
            [one for one in listed if one.id in came.broken],
        )

    async def settle(self) -> None:
        """Ask again for documents that the server could not send, where that is due."""
        owed = [one for one in self.state.owed if one.id not in self.asked]
        ids = due(owed, self.clock.time()) if self.keeps_lines else []
        if not ids:
            return
        statement = self.statement().where(F["id"].in_(ids))
        pages = self.crm.query(statement).pages()
        listed = [one async for page in pages for one in page]
        # Those that are not shown any more are not owed.
        lost = {*ids} - {one.id for one in listed}
        left = settled(self.state.owed, (), lost, self.clock.time())
        await self.commit(evolve(self.state, owed=left))
        await self._write_documents(listed, self.state, are_kept=True)

    def at_head(self) -> ModuleState:
        """Return the state with the note that it is at the head now."""
        return evolve(self.state, synced_at=self.clock.time(), error=None)
