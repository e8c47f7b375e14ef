"""How a statement is read to its end: pages, and where each stands.

Facts built on (measured on Vtiger 8.4): a page holds at most 100 rows; it can be short or repeat a
record and not be the last, so only an empty page ends; keyset paging on `id` is exact; without
ORDER BY the order is not stable; one direction holds, for the last ORDER BY field.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeAlias

from attrs import define, evolve, field

from vtiger_async.client.position import Position
from vtiger_async.errors import AccessDeniedError, InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.types import whole_number
from vtiger_async.vtql import Condition, F, Select

__all__ = ["PAGE", "URL_BYTES", "FetchPage", "Reader", "count_of"]

PAGE = 100
"""Records of one page; the server silently cuts more to this."""
URL_BYTES = 6000
"""Bytes that a statement may take in a URL; servers refuse long ones, at 8 KB or so."""
_HIDDEN_RUN = 10_000
"""Rows to look behind where count(*) says that there is more: some servers count hidden rows too,
and would otherwise never be done with."""
_SWEEP_MARGIN = 600.0
"""Seconds by which this machine's clock may be ahead of the server's."""

FetchPage: TypeAlias = Callable[[Select], Coroutine[Any, Any, list[Record]]]
"""Makes one query and returns its records."""


@define(eq=False)
class Reader:
    """Reads the pages of one statement, from a position to the end.

    Attributes:
        statement: The user's statement.
        fetch: Makes one query.
        position: Where the reading stands; it moves with each page that is given.
        sees_all: Whether the user may see every record; None where that is not known.
        pieces: The statements that are sent, all of them short enough for a URL.
    """

    statement: Select
    fetch: FetchPage
    position: Position
    sees_all: bool | None = None
    pieces: tuple[Select, ...] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Cut the statement where it is too long for a URL."""
        whole = evolve(self.statement, limit_to=None, offset_by=None)
        self.pieces = whole.split(URL_BYTES, sent_as=_widest)
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
        return self.statement.order_fields in ((), ("id",))

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
        if self.by_id:
            return await self._keyset()
        if await self._is_read_backwards():
            return await self._backwards()
        return await self._ordered()

    async def _keyset(self) -> list[Record] | None:
        position, statement = self.position, self.pieces[self.position.piece]
        down = statement.descending
        page = await self._next_by_id(statement, self._size(), self.statement.offset_by or 0)
        if page is None:
            position.after = None
            position.piece += 1
            if position.piece == len(self.pieces):
                position.phase = "end"
                return None
            return []
        rows = _by_number(page)
        if rows:
            position.after = str(rows[min(rows) if down else max(rows)].id)
        return self._fresh(rows, remember=len(self.pieces) > 1)

    async def _next_by_id(
        self, statement: Select, size: int, first_row: int = 0
    ) -> list[Record] | None:
        """Return the rows after the last id read; None at the end.

        What a user may not see is taken out of a page after its LIMIT (measured), up to all of it.
        So where that can be, an empty page is only the end if count(*) does not say that there is
        more.
        """
        position = self.position
        if position.after is not None:
            field, first_row = F["id"], 0
            down = statement.descending
            statement = statement.where(field < position.after if down else field > position.after)
        ordered = evolve(
            statement, order_fields=("id",), limit_to=PAGE if position.skipped else size
        )
        start = first_row + position.skipped
        page = await self.fetch(ordered.offset(start) if start else ordered)
        if page:
            position.filtered = position.filtered or position.short or position.skipped > 0
            position.short = len(page) < (ordered.limit_to or PAGE)
            position.skipped = 0
            return page
        if not self._doubtful():
            return None
        if position.skipped % (10 * PAGE) == 0:
            more = (await count_of(self.fetch, statement) or 0) - first_row
            if more <= 0 or position.skipped >= max(more, _HIDDEN_RUN):
                position.skipped = 0
                return None
        position.skipped += PAGE
        return []

    def _doubtful(self) -> bool:
        """Return whether an empty page may be one whose rows are hidden from this user.

        Not from an administrator. Of a user who is not known, some page will have shown it: one
        that was short and not the last, or an empty first one.
        """
        if self.sees_all is None:
            return self.position.filtered or self.position.given == 0
        return not self.sees_all

    async def _is_read_backwards(self) -> bool:
        """Decide how a descending order is read, if it takes more than a page.

        Direction holds for the last field, so no id can be added to settle the order of equal
        values, which is another one in each page. Upwards it can: so the same order is read
        upwards, from its end. Of several fields the opposite order cannot be said.
        """
        statement, position = self.statement, self.position
        one_page = statement.limit_to is not None and statement.limit_to <= PAGE
        if not statement.descending or len(statement.order_fields) > 1 or one_page:
            return False
        if position.total is None:
            total = await count_of(self.fetch, self.pieces[0])
            position.total = -1 if total is None else total
        return position.total >= 0

    async def _backwards(self) -> list[Record] | None:
        """Read by offset from the end of the opposite order, with one row of overlap."""
        position, statement = self.position, self.pieces[0]
        overlap = 1 if position.offset else 0
        end = (position.total or 0) - (self.statement.offset_by or 0) - position.offset + overlap
        start = max(0, end - self._size(overlap))
        if end <= overlap:
            self._turn_to_sweep()
            return [] if position.phase == "sweep" else None
        upwards = statement.order_by(*statement.order_fields, "id").offset(start)
        rows = (await self.fetch(upwards.limit(end - start)))[::-1]
        if overlap and rows and rows[0].id == position.anchor:
            rows = rows[1:]
        elif overlap:
            position.shifted = True
        position.offset += end - start - overlap
        position.anchor = str(rows[-1].id) if rows else None
        return self._fresh(_by_number(rows), remember=True)

    async def _ordered(self) -> list[Record] | None:
        """Read by offset, one row of overlap: it shows whether rows have moved between pages."""
        position, statement = self.position, self.pieces[0]
        overlap = 0 if position.anchor is None else 1
        start, size = position.offset - overlap, self._size(overlap)
        if not statement.descending and "id" not in statement.order_fields:
            # Equal values come in any order, another one in each page; the id settles it.
            statement = statement.order_by(*statement.order_fields, "id")
        first_row = (self.statement.offset_by or 0) + start
        page = await self.fetch(statement.offset(first_row).limit(size))
        if overlap and page and page[0].id == position.anchor:
            rows = page[1:]
        else:
            # Not where it was; or rows after a short page, which was not the last then.
            position.shifted = position.shifted or (bool(overlap or page) and position.offset > 0)
            rows = page
        if not rows:
            # As in `_next_by_id`: no end where count(*) says that there is more.
            doubtful = position.shifted or self._doubtful()
            matching = (await count_of(self.fetch, self.pieces[0]) or 0) if doubtful else 0
            matching -= self.statement.offset_by or 0
            if matching > position.given:
                position.shifted = True
                if start < (matching if position.given else _HIDDEN_RUN):
                    position.offset, position.anchor = start + size, None
                    return []
            self._turn_to_sweep()
            return [] if position.phase == "sweep" else None
        position.offset = start + size
        position.anchor = str(rows[-1].id) if len(page) == size else None
        return self._fresh(_by_number(rows), remember=True)

    def _turn_to_sweep(self) -> None:
        """Decide whether anything can have been missed: not if it all came as one page."""
        position = self.position
        alone = position.offset <= PAGE and not position.shifted
        limited = self.statement.limit_to is not None or self.statement.offset_by is not None
        position.phase = "end" if alone or limited else "sweep"
        position.after = None

    async def _sweep(self) -> list[Record] | None:
        """Look by id for records that changes moved from a later page to an earlier one.

        What was changed since the start is enough where rows stood still otherwise; all records
        are looked at where they were seen to move, or where equal values under DESC may have.
        """
        position = self.position
        statement = evolve(self.pieces[0], order_fields=(), descending=False)
        settled = not self.statement.descending or (position.total or -1) >= 0
        if settled and not position.shifted:
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
        rows = _by_number(page)
        if rows:
            position.after = str(rows[max(rows)].id)
        return self._fresh(rows, remember=True)

    def _size(self, overlap: int = 0) -> int:
        left = self.left
        return PAGE if left is None else min(PAGE, left + overlap)

    def _fresh(self, rows: dict[int, Record], *, remember: bool) -> list[Record]:
        """Return the records of a page that were not given before."""
        position = self.position
        fresh = [number for number in rows if number not in position.seen][: self.left]
        position.given += len(fresh)
        if remember:
            position.seen.update(fresh)
        return [rows[number] for number in fresh]


def _by_number(page: list[Record]) -> dict[int, Record]:
    """Return the records by their numbers, in the page's order, each once."""
    rows: dict[int, Record] = {}
    for record in page:
        try:
            number = int(record.fields["id"].partition("x")[2])
        except (KeyError, ValueError, AttributeError):
            number = record.id.number  # which costs five times as much, and says what is wrong
        rows.setdefault(number, record)
    return rows


async def count_of(fetch: FetchPage, statement: Select) -> int | None:
    """Return how many records match; None where the server's count(*) gives an empty list."""
    rows = await fetch(statement.counting())
    return whole_number(rows[0].get("count", rows[0].get("count(*)"))) if rows else None


def _widest(statement: Select) -> Select:
    """Return the statement with the longest bound and limit that paging adds."""
    bound = Condition("id", ">", "9999999999x9999999999999999999")
    return statement.where(bound).order_by("id").limit(PAGE)


def _changed_since(moment: float) -> Condition:
    text = datetime.fromtimestamp(max(0.0, moment), UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Condition("modifiedtime", ">=", text)
