"""Query: the records of a statement, as an object to iterate over."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from attrs import evolve

from vtiger_async.client.source import Source, count_of
from vtiger_async.clock import Clock
from vtiger_async.errors import InvalidArgumentError, VtigerError
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record, TypedRecord
from vtiger_async.vtql import Select

if TYPE_CHECKING:
    from vtiger_async.client.doubts import Doubts
    from vtiger_async.client.paging import Reader
    from vtiger_async.quota.costs import Cost

__all__ = ["Pages", "Query", "TypedQuery"]


class Pages(AsyncIterator[list[Record]]):
    """The pages of a query, each a list of records that were not given before.

    No page is empty. A page holds at most 100 records; one call is spent for each, and one more
    that finds the end. Where records may be hidden from the user, a count(*) proves that end.
    """

    def __init__(self, load: Callable[[], Coroutine[Any, Any, list[Record] | None]]) -> None:
        self._load = load

    def __aiter__(self) -> Pages:
        """Return itself."""
        return self

    async def __anext__(self) -> list[Record]:
        """Return the next page."""
        page = await self._load()
        if page is None:
            raise StopAsyncIteration
        return page


class Query(AsyncIterator[Record]):
    """The records of a statement: `async for record in query`.

    It reads pages of 100 by keyset on `id`; where the statement has another ORDER BY, by offset,
    and then looks for records that moved meanwhile. Every record that existed and matched from
    the beginning to the end is given exactly once, whatever is created, changed or deleted while
    it runs. The statement's own LIMIT and offset hold across pages. A query is read once; make
    another one to read again.

    Source: manual, "Query"; paging as measured on Vtiger 8.4.
    """

    def __init__(
        self,
        statement: Select,
        source: Source,
        clock: Clock,
        resume: str | None = None,
    ) -> None:
        # What reads is loaded by the first query.
        from vtiger_async.client.doubts import Doubts
        from vtiger_async.client.ordering import reader_of
        from vtiger_async.client.position import Position
        from vtiger_async.client.projection import as_sent

        self._statement = statement
        self._sent = as_sent(statement)
        self._source = source
        self._clock = clock
        position = Position() if resume is None else Position.of_token(resume, statement)
        self._doubts: Doubts = Doubts.of(statement, source)
        self._reader = None if statement.is_count else reader_of(self._sent, source, position)
        self._before = evolve(position)
        self._waiting: list[Record] = []
        self._last: Record | None = None
        # What `prefetch` has read and nobody has begun: each page, and where it was read from.
        self._ahead: deque[tuple[Position, list[Record]]] = deque()
        self._one_reader = anyio.Lock()

    @property
    def statement(self) -> Select:
        """The statement that is read."""
        return self._statement

    def __repr__(self) -> str:
        return f"<Query of {self._statement.module}>"

    def __aiter__(self) -> Query:
        """Return itself: a query is read once."""
        return self

    async def __anext__(self) -> Record:
        """Return the next record."""
        while not self._waiting:
            if not await self._turn():
                raise StopAsyncIteration
        self._last = self._waiting.pop()
        return self._last

    async def _turn(self) -> bool:
        """Turn to the next page; return whether there was one."""
        if not self._ahead and not await self._read(while_empty=True):
            return False
        if self._ahead and not self._waiting:
            self._before, page = self._ahead.popleft()
            self._last = None
            # Reversed, so that the next record is popped from the end.
            self._waiting = page[::-1]
        return True

    async def _read(self, *, while_empty: bool = False) -> bool:
        """Read one page more that is not empty; return False at the end.

        Args:
            while_empty: Do not, where another task has read one in the meantime.
        """
        from vtiger_async.client.projection import as_asked

        reader = self._reading()
        async with self._one_reader:
            if while_empty and (self._ahead or self._waiting):
                return True
            self._doubts.check_known()
            while True:
                before = evolve(reader.position)
                page = await reader.next_page(self._clock.time())
                if page:
                    await self._doubts.look_at(page)
                    as_asked(page, self._statement, self._sent)
                    self._ahead.append((before, page))
                if page is None:
                    await self._doubts.check()
                if page is None or page:
                    return page is not None

    def _reading(self) -> Reader:
        if self._reader is None:
            raise InvalidArgumentError(
                "a count(*) has no records to iterate over: await query.count()",
                operation="query",
                module=self._statement.module,
            )
        return self._reader

    def pages(self) -> Pages:
        """Return the pages instead of the records, from where the reading stands."""
        self._reading()
        return Pages(self._whole_page)

    async def _whole_page(self) -> list[Record] | None:
        """Return what is left of a page that was begun, else the next one."""
        while not self._waiting:
            if not await self._turn():
                return None
        page, self._waiting = self._waiting[::-1], []
        return page

    async def first(self) -> Record | None:
        """Return the first record, or None; it costs one call.

        Where there is none, that is proven like the end of any query.
        """
        if self._statement.limit_to == 0:
            return None
        return await anext(Query(self._statement.limit(1), self._source, self._clock), None)

    async def all(self) -> list[Record]:
        """Return all records that are left, as a list; iterate where they are many."""
        return [record async for record in self]

    def typed(self) -> TypedQuery:
        """Return the records with Python values instead, from where the reading stands.

        Costs one `describe` of the module, unless its description is kept already. See
        `Record.typed` for what becomes what.
        """
        self._reading()
        return TypedQuery(self, self._source.describe)

    async def count(self) -> int:
        """Return how many records match, the statement's LIMIT and offset heeded.

        It costs one call. Where the server answers `count(*)` with an empty list, as some
        versions do, or the statement has to be cut, the ids are counted: a call per 100 records.
        Where ids are compared, the descriptions that tell whether they can be meant are asked for,
        one or two, unless they are kept.

        Source: manual, "Query".

        Raises:
            InvalidArgumentError: The statement cannot match anything; see `VtigerClient.query`.
        """
        from vtiger_async.client.ordering import reader_of
        from vtiger_async.client.position import Position

        self._doubts.check_known()
        bare = evolve(
            self._statement, is_count=False, fields=("id",), order_fields=(), descending=False,
            limit_to=None, offset_by=None,
        )  # fmt: skip
        reader = reader_of(bare, self._source, Position())
        total: int | None = None
        if len(reader.pieces) == 1:
            total = await count_of(self._source.fetch, bare)
        if total is None:
            total = 0
            while (page := await reader.next_page(self._clock.time())) is not None:
                total += len(page)
        await (self._doubts.check_counted() if total else self._doubts.check())
        total = max(0, total - (self._statement.offset_by or 0))
        limit = self._statement.limit_to
        return total if limit is None else min(total, limit)

    async def explain(self) -> Cost:
        """Return what reading the rest costs, for one count(*); the note says what is left out."""
        from vtiger_async.client.costs import cost_of_query

        return await cost_of_query(self._statement, self._source, self._reader)

    @property
    def resume_token(self) -> str:
        """Where the reading stands, after the last record given: for `crm.query(q, resume=...)`.

        It is short while pages follow each other by id; with another ORDER BY, or a statement that
        had to be cut, it holds the numbers of the records given, compressed.
        """
        position = self._reading().position
        coming = [record for _, page in self._ahead for record in page]
        if not self._waiting and not coming:
            return position.token(self._statement)
        # In the middle of a page: from before it, less what of it was given.
        before = self._before if self._waiting else self._ahead[0][0]
        coming += self._waiting
        seen = position.seen - {record.id.number for record in coming}
        here = evolve(before, given=position.given - len(coming), seen=seen)
        last = self._last if self._waiting else None
        by_one_id = self._reading().by_id and len(self._reading().pieces) == 1
        if by_one_id and last is not None:
            here.after = str(last.id)
        if not by_one_id or last is not None:
            here.dropped = position.dropped
        return here.token(self._statement)

    @asynccontextmanager
    async def prefetch(self, pages: int = 2) -> AsyncGenerator[AsyncIterator[Record]]:
        """Read ahead while the records are worked on: `async with query.prefetch(2) as records`.

        Args:
            pages: The most pages that are held ready, from 1.

        Yields:
            The records, in the same order.
        """
        if pages < 1:
            raise InvalidArgumentError("prefetch takes a number of pages from 1", operation="query")
        self._reading()
        failures: list[VtigerError] = []
        send, receive = anyio.create_memory_object_stream[None](pages - 1)
        failure: Exception | None = None

        async def read() -> None:
            with send:
                try:
                    while await self._read():
                        await send.send(None)
                except VtigerError as error:
                    failures.append(error)

        stream = self._read_ahead(len(self._ahead), receive, failures)
        with receive:
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                try:
                    yield stream
                except Exception as error:  # noqa: BLE001 - raised again below, not in a group
                    failure = error
                finally:
                    await stream.aclose()
                    group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _read_ahead(
        self, ready: int, read: MemoryObjectReceiveStream[None], failures: list[VtigerError]
    ) -> AsyncGenerator[Record]:
        """Give the records of the pages that are ready, and of those that `read` tells of."""
        while True:
            while self._waiting:
                yield await anext(self)
            if ready:
                ready -= 1
            else:
                try:
                    await read.receive()
                except anyio.EndOfStream:
                    break
            if self._ahead:  # not, where the query was read besides
                yield await anext(self)
        if failures:
            raise failures[0]


class TypedQuery(AsyncIterator[TypedRecord]):
    """The records of a query with Python values: `async for record in query.typed()`.

    It reads on in the query it was made from, which keeps the `resume_token`.
    """

    def __init__(
        self, query: Query, describe: Callable[[str], Coroutine[Any, Any, Module]]
    ) -> None:
        self._query = query
        self._describe = describe
        self._module: Module | None = None

    def __aiter__(self) -> TypedQuery:
        """Return itself: a query is read once."""
        return self

    async def __anext__(self) -> TypedRecord:
        """Return the next record."""
        record = await anext(self._query)
        return record.typed(await self._described())

    async def _described(self) -> Module:
        # Once: a description that expires in the middle would change the types of a column.
        if self._module is None:
            self._module = await self._describe(self._query.statement.module)
        return self._module

    async def first(self) -> TypedRecord | None:
        """Return the first record, or None."""
        record = await self._query.first()
        return None if record is None else record.typed(await self._described())

    async def all(self) -> list[TypedRecord]:
        """Return all records that are left, as a list; iterate where they are many."""
        return [record async for record in self]
