"""What is read of a module whose changes the server tells: all records first, and then changes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from attrs import evolve

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.mirror.batches import Gone
from vtiger_async.mirror.beginning import MARGIN, now_by_server, restarted, seconds_of
from vtiger_async.mirror.crm import Changed
from vtiger_async.mirror.work import Work
from vtiger_async.models.records import Record
from vtiger_async.types import RecordId
from vtiger_async.vtql import Condition

__all__ = ["deltas", "look_around", "snapshot"]


async def snapshot(work: Work) -> None:
    """Read all records, each page written with the position after it; then come the changes.

    The changes begin at a moment of the server before the first page, so what is written while this
    reads, before a page or behind it, is told by them.
    """
    statement = work.statement()
    try:
        query = work.crm.query(statement, resume=work.state.token)
    except InvalidArgumentError:
        query = work.crm.query(
            statement
        )  # the fields are others now, or the token is of another version
    async for page in query.pages():
        await work.write(page, evolve(work.state, token=query.resume_token))
    credit_from = work.clock.time()
    await work.commit(
        evolve(work.state, phase="deltas", token=None, rewrite=False, credit_from=credit_from)
    )


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
    statement = work.statement()
    if since is not None:
        text = datetime.fromtimestamp(max(0.0, since - MARGIN), UTC).strftime("%Y-%m-%d %H:%M:%S")
        statement = statement.where(Condition("modifiedtime", ">=", text))
    seen = since
    async for page in work.crm.query(statement).pages():
        await work.write(page, work.state, all_of_them=False)
        times = [seconds_of(record.get("modifiedtime")) for record in page]
        seen = max(filter(None, (seen, *times)), default=seen)
    await work.commit(evolve(work.state, looked_at=seen if newest is None else newest))
