"""What is read of a module whose changes the server tells: all records first, and then changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from attrs import evolve

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.mirror.batches import Gone
from vtiger_async.mirror.beginning import MARGIN, now_by_server, restarted, seconds_of
from vtiger_async.mirror.crm import Changed, Reading
from vtiger_async.mirror.work import Work
from vtiger_async.models.records import Record
from vtiger_async.types import RecordId
from vtiger_async.vtql import Condition, select

__all__ = ["deltas", "look_around", "snapshot"]

_Page: TypeAlias = "tuple[list[Record], str]"
"""Records, and where the reading stands behind them."""
_AHEAD: Final = 20
"""The most pages that wait to be written: 2,000 records."""


async def snapshot(work: Work) -> None:
    """Read all records, each page written with the position after it; then come the changes.

    The changes begin at a moment of the server before the first page, so what is written while this
    reads, before a page or behind it, is told by them.
    """
    statement = work.statement()
    try:
        query = work.crm.query(statement, resume=work.state.token)
    except InvalidArgumentError:  # the fields are others now, or it is of another version
        query = work.crm.query(statement)
    await _write_behind(work, query)
    credit_from = work.clock.time()
    await work.commit(
        evolve(work.state, phase="deltas", token=None, rewrite=False, credit_from=credit_from)
    )


async def _write_behind(work: Work, query: Reading) -> None:
    """Write pages while the next are read: what waits by then is one batch.

    So a page that comes alone is written at once, and many that come fast cost few commits. Where
    the reading fails, what came before is written; where the writing fails, the reading ends.
    """
    # A page of documents takes a call for each of them: no more than the next one is read ahead.
    send, receive = anyio.create_memory_object_stream[_Page](0 if work.keeps_lines else _AHEAD)
    failures: list[Exception] = []

    async def write() -> None:
        with receive:
            try:
                async for page in receive:
                    pages = [page] if work.keeps_lines else [page, *_waiting(receive)]
                    records = [record for page, _ in pages for record in page]
                    await work.write(records, evolve(work.state, token=pages[-1][1]))
            except Exception as error:  # noqa: BLE001 - raised below, out of its group
                failures.insert(0, error)
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        with send:
            try:
                async for page in query.pages():
                    await send.send((page, query.resume_token))
            except Exception as error:  # noqa: BLE001 - raised below, out of its group
                failures.append(error)
    if failures:
        raise failures[0]


def _waiting(pages: MemoryObjectReceiveStream[_Page]) -> Iterator[_Page]:
    """Yield the pages that are there already."""
    with suppress(anyio.WouldBlock, anyio.EndOfStream):
        while True:
            yield pages.receive_nowait()


async def deltas(work: Work) -> None:
    """Read the changes up to the head, each page written with its cursor."""
    try:
        changes = work.crm.sync(work.name, since=work.state.cursor, scope=work.scope)
    except InvalidArgumentError:  # of another version of the package
        state = await restarted(work.crm, work.clock, work.module, work.state, work.scope)
        await work.commit(state)
        await snapshot(work)
        changes = work.crm.sync(work.name, since=work.state.cursor, scope=work.scope)
    async for page in changes.pages():
        records, gone = _last_of_each(page.changes, work.clock.time())
        if records or gone or page.cursor != work.state.cursor:
            await work.write(records, evolve(work.state, cursor=page.cursor), gone)


def _last_of_each(changes: Sequence[Changed], at: float) -> tuple[list[Record], list[Gone]]:
    """Return records and what is gone, each id once: as its last change left it."""
    last: dict[RecordId, Record | None] = {}
    for change in changes:
        last[change.id] = change.record
    records = [record for record in last.values() if record is not None]
    gone = [Gone(one, at, "deleted") for one, record in last.items() if record is None]
    return records, gone


async def look_around(work: Work) -> None:
    """Ask by query for changes that the server does not tell to who is no administrator.

    Sync tells such a user of their own records alone, a query shows others too. What went out of
    sight, or was deleted by others, is found by reconciliation only.
    """
    since = work.state.looked_at
    if work.sees_all or "modifiedtime" not in work.module.fields:
        return
    newest = now_by_server(work.crm, work.clock)
    statement, bare = work.statement(), select(work.name)
    if since is not None:
        text = datetime.fromtimestamp(max(0.0, since - MARGIN), UTC).strftime("%Y-%m-%d %H:%M:%S")
        is_new = Condition("modifiedtime", ">=", text)
        statement, bare = statement.where(is_new), bare.where(is_new)
    seen = since
    # That none are there takes a count(*) of who is no administrator: counted first, it takes one.
    if await work.counted(bare) != 0:
        async for page in work.crm.query(statement).pages():
            await work.write(page, work.state, all_of_them=False)
            times = [seconds_of(record.get("modifiedtime")) for record in page]
            seen = max(filter(None, (seen, *times)), default=seen)
    await work.commit(evolve(work.state, looked_at=seen if newest is None else newest))
