"""What stands behind rows that this user may not see: the next page that shows something.

It is loaded where an administrator's reading would have ended. What a user may not see is taken out
of a page after its LIMIT (measured on Vtiger 8.4), so a run of 100 hidden rows is an empty page.
Pages by offset would slip where hidden records are deleted meanwhile; ranges of ids do not. So
count(*) is asked in which range the next visible record stands.
"""

from __future__ import annotations

from attrs import evolve

from vtiger_async.client.source import PAGE, Source, count_of
from vtiger_async.models.records import Record
from vtiger_async.types import LINE_MODULES
from vtiger_async.vtql import Condition, F, Select

__all__ = ["next_visible"]

_FIRST_STEP = 128
"""Ids of the first range; each further one is four times as wide."""
_LAST_NUMBER = 2**62
"""No record has a greater number."""
_UNSEEN_RUN = 1_000
"""Rows to look behind where count(*) gives nothing, as on some servers (measured)."""
_LIES = 20
"""How often count(*) may tell of records where none is shown. It would go on for ever with a server
that counts hidden rows too."""


async def next_visible(
    source: Source, statement: Select, after: str | None, passed: int
) -> list[Record] | None:
    """Return the next page with a record that the user sees; None where there is none.

    Args:
        source: What may be asked.
        statement: What is read, whatever the id.
        after: The last id read, or None.
        passed: Rows behind it that were read, and showed nothing.
    """
    ordered = evolve(statement, order_fields=("id",), limit_to=PAGE)
    behind = ordered
    if after is not None:
        behind = ordered.where(Condition("id", "<" if ordered.descending else ">", after))
    total = await count_of(source.fetch, behind)
    if total is None:
        return await _uncounted(source, behind, passed)
    if total == 0:
        return None
    if after is None:
        prefix = (await source.describe(statement.module)).id_prefix
        return await _Ranges(source, ordered, prefix).search(None)
    prefix, _, number = after.partition("x")
    return await _Ranges(source, ordered, prefix).search(int(number))


async def _uncounted(source: Source, behind: Select, passed: int) -> list[Record] | None:
    """Look behind some hidden rows, and on while a record is seen at the other end."""
    first = 0 if passed < PAGE else PAGE
    while True:
        other_end = await source.fetch(evolve(behind, descending=not behind.descending))
        # Windows overlap a little: a record that is deleted meanwhile draws the others back.
        for row in range(first, first + _UNSEEN_RUN, PAGE - 10):
            page = await source.fetch(behind.offset(row))
            if page:
                return page
        if not other_end:
            return None
        first += _UNSEEN_RUN - PAGE


class _Ranges:
    """Finds the next visible record by counting in ranges of ids: from near to far."""

    def __init__(self, source: Source, ordered: Select, prefix: str) -> None:
        self._source = source
        self._ordered = ordered
        self._prefix = prefix
        self._down = ordered.descending
        # So many ids are one page, unless rows of line items make more of them.
        self._least = 1 if ordered.module in LINE_MODULES else PAGE

    async def search(self, number: int | None) -> list[Record] | None:
        """Return the next page that shows something; None where there is none.

        Args:
            number: The number behind which to look; None for all.
        """
        near = number if number is not None else (await self._top() if self._down else 0)
        for _ in range(_LIES):
            far = await self._first_range(near)
            if far is None:
                return None
            page, near = await self._within(near, far)
            if page:
                return page
            if not await self._counts(near, None):
                return None
        return None

    async def _first_range(self, near: int) -> int | None:
        """Return the far end of a range that holds a record; None where all are gone by now."""
        step = _FIRST_STEP
        while near > 0 if self._down else near < _LAST_NUMBER:
            far = max(0, near - step) if self._down else near + step
            if await self._counts(near, far):
                return far
            near, step = far, step * 4
        return None

    async def _within(self, near: int, far: int) -> tuple[list[Record], int]:
        """Return the first page that shows something in a range that counts some, and its end."""
        while True:
            page = await self._source.fetch(self._between(near, far))
            if page or abs(far - near) <= self._least:
                return page, far
            middle = (near + far) // 2
            if await self._counts(near, middle):
                far = middle
            else:
                near = middle

    async def _top(self) -> int:
        """Return a number above that of every record that is seen."""
        number = _FIRST_STEP
        while number < _LAST_NUMBER:
            above = self._ordered.where(F["id"] > f"{self._prefix}x{number}")
            if not await count_of(self._source.fetch, above):
                break
            number *= 4
        return number + 1

    async def _counts(self, near: int, far: int | None) -> bool:
        return bool(await count_of(self._source.fetch, self._between(near, far)))

    def _between(self, near: int, far: int | None) -> Select:
        """Return the statement for the ids behind `near`, up to and with `far`."""
        behind, until = ("<", ">=") if self._down else (">", "<=")
        bounds = [Condition("id", behind, f"{self._prefix}x{near}")]
        if far is not None:
            bounds.append(Condition("id", until, f"{self._prefix}x{far}"))
        return self._ordered.where(*bounds)
