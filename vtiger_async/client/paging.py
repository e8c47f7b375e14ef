"""How a statement is read to its end: pages, and where each stands.

Facts built on (measured on Vtiger 8.4): a page holds at most 100 rows; it can be short or repeat a
record and not be the last, so only an empty page ends; keyset paging on `id` is exact; without
ORDER BY the order is not stable; one direction holds, for the last ORDER BY field.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

from attrs import define, evolve, field

from vtiger_async.errors import AccessDeniedError, InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.vtql import Condition, F, Select

__all__ = ["PAGE", "URL_BYTES", "FetchPage", "Position", "Reader"]

PAGE = 100
"""Records of one page; the server silently cuts more to this."""
URL_BYTES = 6000
"""Bytes that a statement may take in a URL; servers refuse long ones, at 8 KB or so."""
_SWEEP_MARGIN = 600.0
"""Seconds by which this machine's clock may be ahead of the server's."""

FetchPage: TypeAlias = Callable[[Select], Coroutine[Any, Any, list[Record]]]
"""Makes one query and returns its records."""


@define
class Position:
    """Where the reading of a statement stands; all that is needed to go on with it.

    Attributes:
        piece: The statement among those that the user's was cut into.
        after: The last id read by keyset.
        offset: Rows read by offset, where an order other than by id is asked for.
        anchor: The id of the last row read by offset.
        phase: `"pages"`, `"sweep"` (looking for what moved meanwhile), or `"end"`.
        shifted: Whether rows were seen to move between two pages.
        started: When the reading began, in Unix seconds.
        given: Records given so far.
        seen: The numbers of the records given, where repeats can come.
    """

    piece: int = 0
    after: str | None = None
    offset: int = 0
    anchor: str | None = None
    phase: str = "pages"
    shifted: bool = False
    started: float = 0.0
    given: int = 0
    seen: set[int] = field(factory=set[int], repr=False)

    def token(self, statement: Select) -> str:
        """Return the position as text that `of_token` reads back."""
        state = [
            fingerprint(statement), self.piece, self.after, self.offset, self.anchor,
            self.phase, self.shifted, self.started, self.given, _steps(self.seen),
        ]  # fmt: skip
        text = json.dumps(state, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(zlib.compress(text, 9)).decode("ascii").rstrip("=")

    @classmethod
    def of_token(cls, token: str, statement: Select) -> Position:
        """Return the position that a token holds.

        Raises:
            InvalidArgumentError: It is no token, or one of another statement.
        """
        try:
            text = zlib.decompress(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            mark, *state, steps = json.loads(text)
            position = cls(*state, seen=_unstep(steps))
        except (ValueError, TypeError, zlib.error, binascii.Error):
            raise InvalidArgumentError(
                "resume: this is not a resume token", operation="query"
            ) from None
        if mark != fingerprint(statement):
            raise InvalidArgumentError(
                "resume: this token belongs to another statement", operation="query"
            )
        return position


def fingerprint(statement: Select) -> str:
    """Return a short mark of a statement, to tell it from others."""
    return hashlib.blake2b(str(statement).encode(), digest_size=6).hexdigest()


def _steps(numbers: set[int]) -> list[int]:
    """Return sorted numbers as differences: small ones, which compress well."""
    steps: list[int] = []
    last = 0
    for number in sorted(numbers):
        steps.append(number - last)
        last = number
    return steps


def _unstep(steps: Any) -> set[int]:
    numbers: set[int] = set()
    last = 0
    for step in cast("list[int]", steps):
        last += step
        numbers.add(last)
    return numbers


@define(eq=False)
class Reader:
    """Reads the pages of one statement, from a position to the end.

    Attributes:
        statement: The user's statement.
        fetch: Makes one query.
        position: Where the reading stands; it moves with each page that is given.
        pieces: The statements that are sent, all of them short enough for a URL.
    """

    statement: Select
    fetch: FetchPage
    position: Position
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
        return await (self._keyset() if self.by_id else self._ordered())

    async def _keyset(self) -> list[Record] | None:
        position, statement = self.position, self.pieces[self.position.piece]
        down = statement.descending
        if position.after is not None:
            bound = F["id"] < position.after if down else F["id"] > position.after
            statement = statement.where(bound)
        elif self.statement.offset_by:
            statement = statement.offset(self.statement.offset_by)
        page = await self.fetch(statement.order_by("id", descending=down).limit(self._size()))
        if not page:
            position.after = None
            position.piece += 1
            if position.piece == len(self.pieces):
                position.phase = "end"
                return None
            return []
        ids = [record.id for record in page]
        position.after = str(min(ids) if down else max(ids))
        return self._fresh(page, remember=len(self.pieces) > 1)

    async def _ordered(self) -> list[Record] | None:
        """Read by offset, one row of overlap: it shows whether rows have moved between pages."""
        position, statement = self.position, self.pieces[0]
        overlap = 1 if position.offset else 0
        start, size = position.offset - overlap, self._size(overlap)
        if not statement.descending and "id" not in statement.order_fields:
            # Equal values come in any order, another one each time; the id settles it. After DESC
            # nothing can be added: the direction would then hold for the id alone.
            statement = statement.order_by(*statement.order_fields, "id")
        first_row = (self.statement.offset_by or 0) + start
        page = await self.fetch(statement.offset(first_row).limit(size))
        in_place = not overlap or (bool(page) and page[0].id == position.anchor)
        position.shifted = position.shifted or not in_place
        rows = page[overlap:] if in_place else page
        if not rows:
            self._turn_to_sweep()
            return [] if position.phase == "sweep" else None
        position.offset = start + size
        position.anchor = str(rows[-1].id)
        return self._fresh(rows, remember=True)

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
        if not (position.shifted or self.statement.descending):
            statement = statement.where(_changed_since(position.started - _SWEEP_MARGIN))
        if position.after is not None:
            statement = statement.where(F["id"] > position.after)
        try:
            page = await self.fetch(statement.order_by("id").limit(PAGE))
        except AccessDeniedError:
            if position.shifted:
                raise
            position.shifted = True  # a module without modifiedtime: look at all of its records
            return []
        if not page:
            position.phase = "end"
            return None
        position.after = str(max(record.id for record in page))
        return self._fresh(page, remember=True)

    def _size(self, overlap: int = 0) -> int:
        left = self.left
        return PAGE if left is None else min(PAGE, left + overlap)

    def _fresh(self, page: list[Record], *, remember: bool) -> list[Record]:
        """Return the records of a page that were not given before, once each."""
        within: set[int] = set()
        fresh: list[Record] = []
        for record in page:
            number = record.id.number
            if number not in within and number not in self.position.seen:
                within.add(number)
                fresh.append(record)
        fresh = fresh if self.left is None else fresh[: self.left]
        self.position.given += len(fresh)
        if remember:
            self.position.seen.update(record.id.number for record in fresh)
        return fresh


def _widest(statement: Select) -> Select:
    """Return the statement with the longest bound and limit that paging adds."""
    bound = Condition("id", ">", "9999999999x9999999999999999999")
    return statement.where(bound).order_by("id").limit(PAGE)


def _changed_since(moment: float) -> Condition:
    text = datetime.fromtimestamp(max(0.0, moment), UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Condition("modifiedtime", ">=", text)
