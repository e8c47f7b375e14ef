"""Records of the CRM held against those of the mirror, range by range of their numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from attrs import evolve

from vtiger_async.errors import InvalidResponseError
from vtiger_async.mirror.batches import Gone
from vtiger_async.mirror.sink import ReadableSink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.mirror.work import Work, is_readable
from vtiger_async.models.records import Record
from vtiger_async.vtql import F, Select, select

__all__ = ["END", "Comparison", "difference"]

END: Final = 2**62
"""A number that no record has."""
_PAGE: Final = 100
_MOST: Final = 1000
"""Ids of the mirror that are held in memory at a time."""


async def difference(work: Work) -> None:
    """Read all records, write those that have changed, and mark those that are missing.

    For modules whose changes the server does not tell. A sink that cannot be read gets all of them,
    and is not told what is missing.
    """
    if is_readable(work.sink):
        await Comparison(work, work.sink).walk(0, END)
    else:
        async for page in work.crm.query(work.statement()).pages():
            await work.write(page, work.state)
    await work.commit(evolve(work.state, rewrite=False))


class Comparison:
    """Compares the records of one module.

    Args:
        work: The work on the module.
        sink: Its sink, which can be read.
        keeping: Gives the state to be written with a page; it is called with the number up to which
            records were compared.

    Attributes:
        found: How many records were found to be other, or missing on either side.
    """

    def __init__(
        self,
        work: Work,
        sink: ReadableSink,
        keeping: Callable[[int], ModuleState] | None = None,
    ) -> None:
        self.found = 0
        self._work = work
        self._sink = sink
        self._keeping = keeping

    def _state(self, number: int) -> ModuleState:
        return self._work.state if self._keeping is None else self._keeping(number)

    async def walk(self, above: int, up_to: int, go_on: Callable[[], bool] | None = None) -> bool:
        """Compare the records with a number in `(above, up_to]`; return whether all of them were.

        Args:
            above: The number before the first.
            up_to: The last number, or `END`.
            go_on: Tells after each page whether to read another one.
        """
        statement = _within(self._work, self._work.statement(), above, up_to)
        async for page in self._work.crm.query(statement).pages():
            last = max(record.id.number for record in page)
            await self._compare(page, above, last)
            above = last
            if go_on is not None and not go_on():
                return False
        await self._doubt(above, up_to)
        await self._compare([], above, up_to)
        return True

    async def _compare(self, page: Sequence[Record], above: int, up_to: int) -> None:
        """Compare a page with what the mirror has in the range that the page is all of."""
        work, at = self._work, self._work.clock.time()
        here = {record.id for record in page}
        kept: dict[str, str] = {}
        while True:
            part = await self._sink.ids(work.name, above, up_to, _MOST)
            kept.update((one, mark) for one, mark in part if one in here)
            lost = [Gone(one, at, "vanished") for one, _ in part if one not in here]
            self.found += len(lost)
            if len(part) < _MOST:
                break
            await work.commit(work.state, gone=lost)
            above = part[-1][0].number
        changed = [one for one in page if kept.get(one.id) != work.hash_of(one)]
        self.found += len(changed)
        records = list(page) if work.state.rewrite else changed
        await work.write(records, self._state(up_to), lost)

    async def _doubt(self, above: int, up_to: int) -> None:
        """Do not believe at once that many records are gone: errors of SQL come as no records."""
        if await self._sink.count(self._work.name, above, up_to) <= _PAGE:
            return
        left = await self.count(above, up_to)
        if left:
            raise InvalidResponseError(
                f"{self._work.name}: the server sent no records above number {above}, and counts "
                f"{left} there",
                module=self._work.name,
            )

    async def count(self, above: int, up_to: int) -> int | None:
        """Return how many records the CRM counts in `(above, up_to]`, for one call.

        None where the server counts none: some versions answer with an empty list.
        """
        return await self._work.counted(_within(self._work, select(self._work.name), above, up_to))


def _within(work: Work, statement: Select, above: int, up_to: int) -> Select:
    prefix = work.module.id_prefix
    if above > 0:
        statement = statement.where(F["id"] > f"{prefix}x{above}")
    if up_to < END:
        statement = statement.where(F["id"] <= f"{prefix}x{up_to}")
    return statement
