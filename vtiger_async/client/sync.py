"""Sync: the changes of a module, none lost and none repeated, as an object to iterate over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

import anyio
from attrs import evolve, field, frozen

from vtiger_async.client.calls import records_of
from vtiger_async.client.feed import (
    Trail,
    ids_of,
    items_of,
    mark_of_delete,
    mark_of_record,
    modified_at,
    seconds_of,
    start_of,
)
from vtiger_async.client.query import Query
from vtiger_async.clock import Clock
from vtiger_async.errors import InvalidArgumentError, InvalidResponseError
from vtiger_async.models.records import Record
from vtiger_async.types import RecordId, SyncScope, is_map
from vtiger_async.vtql import Condition, F, Select, select

if TYPE_CHECKING:
    from vtiger_async.quota.costs import Cost
    from vtiger_async.quota.snapshot import Quota

__all__ = ["Change", "ChangePage", "ChangePages", "Sync"]

OVERLAP = 5
"""Seconds that are asked for again at the head of the stream: a write that took long to commit
carries an earlier time than the moment it appears."""
_RECENT = 300.0
"""Seconds; younger changes may not all be there yet. The clocks may differ by this much."""
_CUTS = (100, 200)
"""Page sizes of servers: a page of exactly so many may have been cut within a second."""


@frozen
class Change:
    """One change of a record.

    Attributes:
        kind: `"upsert"` (created or changed) or `"delete"`.
        id: The record's id.
        record: The record as it is now, without label and line items; None for a delete.
    """

    kind: Literal["upsert", "delete"]
    id: RecordId
    record: Record | None
    _trail: Trail = field(repr=False, eq=False)
    _place: int = field(repr=False, eq=False)

    @property
    def cursor(self) -> str:
        """The position after this change: store it, and go on with `since=cursor`."""
        return self._trail.after(self._place).text()


@frozen
class ChangePage:
    """The changes that came with one call.

    Attributes:
        changes: The changes that were not given before; deletes come first, and a record can be
            there twice, first as it was.
        cursor: The position after the page: store it with what comes of the changes.
        at_head: Whether the server had no more.
    """

    changes: tuple[Change, ...]
    cursor: str
    at_head: bool


class ChangePages(AsyncIterator[ChangePage]):
    """The pages of a sync; see `Sync.pages`."""

    def __init__(self, load: Callable[[], Coroutine[Any, Any, ChangePage]]) -> None:
        self._load = load

    def __aiter__(self) -> ChangePages:
        """Return itself."""
        return self

    async def __anext__(self) -> ChangePage:
        """Return the next page."""
        return await self._load()


class Source(Protocol):
    """What a Sync needs of the client."""

    @property
    def server_time(self) -> datetime | None:
        """The moment of the last answer by the server's clock."""
        ...

    @property
    def quota(self) -> Quota:
        """The quota as the client knows it now."""
        ...

    async def sync_page(self, module: str, since: int, scope: SyncScope) -> dict[str, Any]:
        """Make one sync call."""
        ...

    def query(self, query: Select) -> Query:
        """Return the records of a statement."""
        ...


class Sync(AsyncIterator[Change]):
    """The changes of a module since a moment, oldest first: `async for change in sync`.

    Deletes of a page come before its upserts. It ends when the server has no more; `follow()` goes
    on for ever. Each change carries the cursor to go on from; a change that was given is not given
    again from there, and none is lost, also those written later within a second already read.

    Source: manual, "Sync"; the rest as measured on Vtiger 8.4.

    Attributes:
        module: The module.
        scope: Whose records.
    """

    def __init__(
        self, source: Source, clock: Clock, module: str, since: object, scope: SyncScope
    ) -> None:
        if scope not in ("user", "userandgroup", "application"):
            raise InvalidArgumentError(
                f"scope is 'user', 'userandgroup' or 'application', not {scope!r}: the server "
                "would silently take 'user'",
                operation="sync",
                module=module,
            )
        self.module = module
        self.scope: SyncScope = scope
        self._source = source
        self._clock = clock
        self._cursor = start_of(since)
        # What is asked for next: strictly later than this.
        self._since: int = self._cursor.time - 1
        self._high: int = self._cursor.time
        self._last: int = -1
        self._ended = False
        self._every: float | None = None
        self._waiting: list[Change] = []
        self._given: Change | None = None
        self._one_reader = anyio.Lock()

    def __repr__(self) -> str:
        return f"<Sync of {self.module}>"

    @property
    def cursor(self) -> str:
        """The position after the last change given; also where there was none."""
        return self._cursor.text() if self._given is None else self._given.cursor

    def __aiter__(self) -> Sync:
        """Return itself: it is read once."""
        return self

    def follow(self, every: float = 60.0) -> Sync:
        """Return this sync, made to go on for ever: at the head it waits and asks again.

        Args:
            every: Seconds between two looks; each costs a call.
        """
        if not every > 0:
            raise InvalidArgumentError("follow: every is a number of seconds above 0")
        self._every = every
        return self

    async def explain(self) -> Cost:
        """Return what it will cost to come to the head, for one count(*)."""
        from vtiger_async.client.costs import cost_of_changes

        source, since = self._source, self._cursor.time
        return await cost_of_changes(
            self.module, since, self.scope, source.query, source.quota.plan
        )

    async def __anext__(self) -> Change:
        """Return the next change."""
        while not self._waiting:
            async with self._one_reader:
                if not self._waiting:
                    await self._turn()
        change = self._waiting.pop()
        # After a page's last change, its own cursor is no longer the shortest.
        self._given = change if self._waiting else None
        return change

    def pages(self) -> ChangePages:
        """Return the pages instead of the changes, from where the reading stands.

        For those who keep what comes of a page and its cursor together: of what was begun of a page
        the rest is the first. One page is given for each call, also where nothing in it is new,
        since the cursor may have moved; after `follow()` they go on for ever.
        """
        return ChangePages(self._whole_page)

    async def _whole_page(self) -> ChangePage:
        """Return what is left of a page that was begun, else the next one."""
        async with self._one_reader:
            if not self._waiting:
                await self._turn()
            changes, self._waiting = tuple(self._waiting[::-1]), []
            self._given = None
        return ChangePage(changes, self.cursor, self._ended)

    async def _turn(self) -> None:
        """Turn to the next page; at the head, wait for it."""
        if self._ended:
            if self._every is None:
                raise StopAsyncIteration
            await self._clock.sleep(self._every)
        self._waiting = (await self._next_page())[::-1]
        self._given = None

    async def _next_page(self) -> list[Change]:
        """Ask once, and return what was not given before; the cursor then stands after it."""
        since = max(1, self._since)
        page = await self._source.sync_page(self.module, since, self.scope)
        updated = await self._records(page.get("updated"))
        deleted = ids_of(page.get("deleted"))
        last = seconds_of(page.get("lastModifiedTime"), since)
        more = bool(page.get("more")) and bool(updated or deleted or last > since)
        size = len(updated) + len(deleted)
        stuck = more and (last <= since or last == since + 1 == self._last)
        if stuck:
            # The page cannot get past this second: read the second itself, and go on behind it.
            times = [modified_at(record) or 0 for record in updated]
            last = max(since + 1, *times)
            updated = [*updated, *await self._second(last)]
        trail = Trail(self._cursor)
        changes = self._fresh(trail, updated, deleted, since, last)
        if self.module == "Calendar":
            from vtiger_async.client.tasks import as_shown  # of this module alone

            shown = await as_shown(self._source, [change.record for change in changes])
            changes = [
                evolve(one, record=record) for one, record in zip(changes, shown, strict=True)
            ]
        reread, self._last, self._high = last <= self._high, last, max(self._high, last)
        if not more:
            self._since = self._high - OVERLAP
        elif stuck:
            self._since = last
        else:
            self._since = self._behind(last, size, reread=reread)
        # Nothing before the cursor is asked for again: it was given, and its marks are gone.
        self._since = max(self._since, self._cursor.time - 1)
        self._ended = not more
        # What will be asked for again must stay marked, also where this ask was already the second.
        recent = self._high >= self._recent()
        safe = min(self._since, self._high - OVERLAP) if recent else self._since
        self._cursor = trail.after(len(changes)).advanced(safe + 1)
        return changes

    def _behind(self, last: int, size: int, *, reread: bool) -> int:
        """Return the next lower bound after a page with more to come: the least safe overlap."""
        if not reread and last >= self._recent():
            return last - OVERLAP
        # Long past, or asked for a second time, a second is complete - unless the server cuts
        # its pages at so many records.
        return last - 1 if size in _CUTS else last

    def _recent(self) -> float:
        """Return the moment from which on changes may not all be there yet.

        By the clock that says the earlier one, this machine's or the server's: a wrong clock then
        costs calls, and no change.
        """
        now, told = self._clock.time(), self._source.server_time
        return (now if told is None else min(now, told.timestamp())) - _RECENT

    def _fresh(
        self,
        trail: Trail,
        updated: list[Record],
        deleted: list[RecordId],
        since: int,
        last: int,
    ) -> list[Change]:
        """Return the changes of a page that were not given, each with the way to its cursor."""
        known = set(self._cursor.marks)
        recent = self._recent()
        changes: list[Change] = []

        def give(
            kind: Literal["upsert", "delete"], rid: RecordId, record: Record | None,
            step: tuple[bytes, int, int],
        ) -> None:  # fmt: skip
            if step[0] not in known:
                known.add(step[0])
                trail.steps.append(step)
                changes.append(Change(kind, rid, record, trail, len(trail.steps)))

        for rid in deleted:
            # When it was deleted is not told: at the page's end, at the latest.
            give("delete", rid, None, (mark_of_delete(rid), last, 0))
        timed = [(modified_at(record) or since + 1, record) for record in updated]
        for time, record in sorted(timed, key=lambda pair: (pair[0], pair[1].id)):
            safe = time - OVERLAP if time >= recent else time
            give("upsert", record.id, record, (mark_of_record(record), time, safe))
        return changes

    async def _second(self, second: int) -> list[Record]:
        """Return every record changed in one second."""
        text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return await self._source.query(
            select(self.module).where(Condition("modifiedtime", "=", text))
        ).all()

    async def _records(self, updated: Any) -> list[Record]:
        """Return whole records; where the server sends ids, they are fetched 100 to a call."""
        items = items_of(updated)
        whole = records_of([item for item in items if is_map(item)], self.module)
        ids = [RecordId(item) for item in items if isinstance(item, str)]
        for start in range(0, len(ids), 100):
            wanted = ids[start : start + 100]
            whole += await self._source.query(select(self.module).where(F["id"].in_(wanted))).all()
        return whole


def page_of(result: Any) -> dict[str, Any]:
    """Return a sync result.

    Raises:
        InvalidResponseError: It is none.
    """
    if not is_map(result) or "lastModifiedTime" not in result:
        raise InvalidResponseError("a page of changes was expected, and the server sent none")
    return result
