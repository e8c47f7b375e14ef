"""How a statement is read to its end: pages by id, and where each stands.

Facts built on (measured on Vtiger 8.4): a page holds at most 100 rows; it can be short or repeat a
record and not be the last, so only an empty page ends; keyset paging on `id` is exact; without
ORDER BY the order is not stable. What a user may not see is taken out of a page after its LIMIT, up
to all of it, so of someone who is no administrator an empty page proves nothing either.
"""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import define, evolve, field

from vtiger_async.client.position import Position
from vtiger_async.client.source import PAGE, Source, by_number
from vtiger_async.errors import AccessDeniedError, InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.types import LINE_MODULES
from vtiger_async.vtql import Condition, F, Select
from vtiger_async.vtql.normal import URL_BYTES

__all__ = ["Reader", "is_by_id", "widest"]

_SWEEP_MARGIN = 600.0
"""Seconds by which this machine's clock may be ahead of the server's."""


@define(eq=False)
class Reader:
    """Reads the pages of one statement, from a position to the end.

    Attributes:
        statement: The user's statement.
        source: What may be asked.
        position: Where the reading stands; it moves with each page that is given.
        pieces: The statements that are sent, all of them short enough for a URL.
        is_joined: Whether pages are cut by rows of which several make one record.
        is_short: Whether the last page had fewer rows than were asked for.
        is_all: Whether the page that was read is all that can match: so many ids are named.
    """

    statement: Select
    source: Source
    position: Position
    pieces: tuple[Select, ...] = field(init=False)
    is_joined: bool = field(init=False)
    is_short: bool = False
    is_all: bool = False

    def __attrs_post_init__(self) -> None:
        """Cut the statement where it is too long for a URL."""
        whole = evolve(self.statement, limit_to=None, offset_by=None)
        self.is_joined = whole.module in LINE_MODULES
        self.pieces = whole.split(URL_BYTES, sent_as=widest)
        if len(self.pieces) > 1 and (self.statement.order_fields or self.statement.offset_by):
            raise InvalidArgumentError(
                "the statement is too long for one URL, and its order or offset forbids to cut it: "
                "leave them out and sort in your program, or give fewer values",
                operation="query",
                module=self.statement.module,
            )

    @property
    def by_id(self) -> bool:
        """Whether the pages follow each other by id: always, but for another order."""
        return is_by_id(self.statement)

    @property
    def left(self) -> int | None:
        """How many records the user's LIMIT leaves; None without one."""
        limit = self.statement.limit_to
        return None if limit is None else max(0, limit - self.position.given)

    async def next_page(self, now: float) -> list[Record] | None:
        """Return the next records that were not given yet; None at the end.

        The list can be empty without being the end: all of a page may have been given before.

        Args:
            now: The moment in Unix seconds; the first page's is remembered.
        """
        position = self.position
        if self.left == 0:
            position.phase = "end"
        if position.phase == "end":
            return None
        position.started = position.started or now
        if position.phase == "sweep":
            return await self._sweep()
        return await self.page()

    async def dropped_here(self) -> int:
        """Return how many records the offset leaves out here: those that the server cannot.

        It counts rows: those of line items, and those that the user may not see.
        """
        offset = self.statement.offset_by or 0
        if offset and not self.is_joined and await self.source.sees_all():
            return 0
        return offset

    async def page(self) -> list[Record] | None:
        """Return the next records in the statement's own order; None at its end."""
        position, statement = self.position, self.pieces[self.position.piece]
        down = statement.descending
        drop = await self.dropped_here()
        page = await self._next_by_id(
            statement, self.size(drop), (self.statement.offset_by or 0) - drop
        )
        if page is None:
            position.after = None
            position.piece += 1
            if position.piece == len(self.pieces):
                position.phase = "end"
                return None
            return []
        rows = by_number(page)
        position.after = str(rows[min(rows) if down else max(rows)].id)
        return self.fresh(rows, drop, remember=len(self.pieces) > 1)

    async def _next_by_id(
        self, statement: Select, size: int, first_row: int = 0
    ) -> list[Record] | None:
        """Return the rows after the last id read; None at the end."""
        after, ordered = self.position.after, statement
        if after is not None:
            if self.is_all:
                return None
            bound, first_row = F["id"], 0
            ordered = statement.where(bound < after if statement.descending else bound > after)
        ordered = evolve(ordered, order_fields=("id",), limit_to=size)
        page = await self.source.fetch(ordered.offset(first_row) if first_row else ordered)
        # Not where the reading goes on from a token: it may stand in the middle of that page.
        self.is_all = after is None and size == PAGE and self._is_one_page(statement)
        if page:
            self.is_short = len(page) < size
            return page
        if self._is_one_page(statement) or await self.source.sees_all():
            return None
        from vtiger_async.client.hidden import next_visible

        return await next_visible(self.source, statement, after, size)

    def _is_one_page(self, statement: Select) -> bool:
        """Return whether no more rows can match than one page holds: ids are unique."""
        named = 0
        for alternative in statement.where_any:
            lists = [
                len(condition.values)
                for condition in alternative
                if condition.field == "id" and condition.operator in ("=", "IN")
            ]
            if not lists:
                return False
            named += min(lists)
        return 0 < named <= PAGE and not self.is_joined

    def turn_to_sweep(self) -> None:
        """Decide whether anything can have been missed: not if it all came as one page."""
        position = self.position
        alone = position.offset <= PAGE and not position.shifted
        limited = self.statement.limit_to is not None or self.statement.offset_by is not None
        position.phase = "end" if alone or limited else "sweep"
        position.after = None

    async def _sweep(self) -> list[Record] | None:
        """Look by id for records that changes moved from a later page to an earlier one.

        What was changed since the start is enough where rows stood still otherwise; all records
        are looked at where they were seen to move.
        """
        position = self.position
        statement = evolve(self.pieces[0], order_fields=(), descending=False)
        if not position.shifted:
            statement = statement.where(_changed_since(position.started - _SWEEP_MARGIN))
        try:
            page = await self._next_by_id(statement, PAGE)
        except AccessDeniedError:
            if position.shifted:
                raise
            position.shifted = True  # a module without modifiedtime: look at all of its records
            return []
        if page is None:
            position.phase = "end"
            return None
        rows = by_number(page)
        position.after = str(rows[max(rows)].id)
        return self.fresh(rows, remember=True)

    def size(self, more: int = 0) -> int:
        """Return how many rows to ask for: what is left, with so many more, and at most a page."""
        left = self.left
        # A page that came short shows that rows are hidden or joined: more of them are needed.
        return PAGE if left is None or self.is_short else min(PAGE, left + more)

    def fresh(self, rows: dict[int, Record], drop: int = 0, *, remember: bool) -> list[Record]:
        """Return the records of a page that are to be given.

        Args:
            rows: The page, by the records' numbers.
            drop: How many records are to be left out at the start of the reading.
            remember: Whether they may come again.
        """
        position = self.position
        new = [number for number in rows if number not in position.seen]
        dropped, new = new[: drop - position.dropped], new[max(0, drop - position.dropped) :]
        position.dropped += len(dropped)
        fresh = new[: self.left]
        position.given += len(fresh)
        if remember:
            position.seen.update(dropped, fresh)
        return [rows[number] for number in fresh]


def is_by_id(statement: Select) -> bool:
    """Tell whether records come in the order of their ids, as they do without another."""
    return statement.order_fields in ((), ("id",))


def widest(statement: Select) -> Select:
    """Return the statement with the longest bounds and limit that paging adds."""
    longest = "9999999999x9999999999999999999"
    ends = (Condition("id", ">", longest), Condition("id", "<=", longest))
    return statement.where(*ends).order_by("id").limit(PAGE)


def _changed_since(moment: float) -> Condition:
    text = datetime.fromtimestamp(max(0.0, moment), UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Condition("modifiedtime", ">=", text)
