"""How the records related to one are read: any condition, order and limit, inside the relation.

It is loaded by the first such reading. Facts built on (measured on Vtiger 8.4): the server writes
`WHERE id IN (the related ids) AND <your condition>`, so that an OR reaches outside the relation; it
knows ORDER BY and LIMIT only after a WHERE in capitals, and takes no `;`; `retrieve_related` stops
at 100 rows.

An OR is read as one statement per alternative. By id their pages can be merged. In any other order
nobody but the server can compare, so the ids that match are found first, and then read in that
order: by naming them, or where they are too many for a URL, by reading the whole relation in that
order and leaving out the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from attrs import evolve, frozen

from vtiger_async.client.ordering import reader_of
from vtiger_async.client.paging import is_by_id, widest
from vtiger_async.client.position import Position
from vtiger_async.client.source import PAGE, Source, by_number, count_of
from vtiger_async.errors import AccessDeniedError, QuerySyntaxError
from vtiger_async.models.records import Record
from vtiger_async.types import LINE_MODULES
from vtiger_async.vtql import F, Select
from vtiger_async.vtql.normal import URL_BYTES, alternatives, encoded_length
from vtiger_async.vtql.tree import AllOf, AnyOf

__all__ = ["Ask", "NextPage", "Relation", "related_source"]

Ask: TypeAlias = Callable[[str, dict[str, str]], Coroutine[Any, Any, list[Record]]]
"""Makes one call on the relation: the operation and its own parameters."""
NextPage: TypeAlias = Callable[[], Coroutine[Any, Any, "list[Record] | None"]]
"""Gives the next records, which may be none of a page; None at the end."""


@frozen
class Relation:
    """The records that one is related to under a label.

    Attributes:
        ask: Makes one call on the relation.
        source: What may be asked besides; its queries are those of the relation.
        now: Gives the time in Unix seconds.
    """

    ask: Ask
    source: Source
    now: Callable[[], float]

    def retrieving(self, module: str) -> NextPage:
        """Return what reads all related records."""
        return _Retrieved(self, module).next_page

    def matching(self, statement: Select) -> NextPage:
        """Return what reads the related records that a statement asks for, in its order."""
        pieces = _pieces(statement)
        if len(pieces) == 1:
            return self.reading(
                evolve(pieces[0], limit_to=statement.limit_to, offset_by=statement.offset_by)
            )
        if is_by_id(statement):
            pages = self.merging(pieces)
        else:
            pages = _Sorted(self, statement, pieces).next_page
        return _Cut(pages, statement.offset_by or 0, statement.limit_to).next_page

    async def count(self, statement: Select) -> int:
        """Return how many records a statement asks for, without its limit and offset."""
        bare = evolve(
            statement, is_count=False, fields=("id",), order_fields=(), descending=False,
            limit_to=None, offset_by=None,
        )  # fmt: skip
        pieces = _pieces(bare)
        total = await count_of(self.source.fetch, pieces[0]) if len(pieces) == 1 else None
        if total is None:
            total, next_page = 0, self.matching(bare)
            while (page := await next_page()) is not None:
                total += len(page)
        return total

    def reading(self, statement: Select) -> NextPage:
        """Return what reads a statement that can be sent as it is."""
        reader = reader_of(statement, self.source, Position())

        async def next_page() -> list[Record] | None:
            return await reader.next_page(self.now())

        return next_page

    def merging(self, pieces: tuple[Select, ...]) -> NextPage:
        """Return what reads all that any of some statements asks for, in the order of the ids."""
        streams = [_Stream(self.reading(evolve(piece, order_fields=("id",)))) for piece in pieces]
        return _Merged(streams, down=pieces[0].descending).next_page


class _Retrieved:
    """All related records: a page by retrieve_related, and what it left by query_related."""

    def __init__(self, relation: Relation, module: str) -> None:
        self._relation = relation
        self._module = module
        self._seen: set[int] = set()
        self._rest: NextPage | None = None
        self._is_done = False

    async def next_page(self) -> list[Record] | None:
        """Return the next records; None at the end."""
        if self._is_done:
            return None
        if self._rest is None:
            page = await self._relation.ask("retrieve_related", {"relatedType": self._module})
            self._is_done = await self._is_all(page)
            self._rest = self._relation.reading(Select(self._module))
        else:
            more = await self._rest()
            if more is None:
                return None
            page = more
        rows = by_number(page)
        fresh = [rows[number] for number in rows if number not in self._seen]
        self._seen.update(rows)
        return fresh

    async def _is_all(self, page: list[Record]) -> bool:
        """Tell whether the first page holds all there is.

        It is cut at 100 rows. What the user may not see is taken out of it later, so where that can
        be, a count has to tell.
        """
        if len(page) >= PAGE or self._module in LINE_MODULES:
            return False
        if await self._relation.source.sees_all():
            return True
        fetch = self._relation.source.fetch
        return await count_of(fetch, Select(self._module)) == len(page)


class _Cut:
    """Pages without the records that a statement's offset and limit leave out."""

    def __init__(self, pages: NextPage, skip: int, limit: int | None) -> None:
        self._pages = pages
        self._skip = skip
        self._left = limit

    async def next_page(self) -> list[Record] | None:
        """Return the next records; None at the end."""
        page = None if self._left == 0 else await self._pages()
        if page is None:
            return None
        records = page[self._skip :][: self._left]
        self._skip = max(0, self._skip - len(page))
        if self._left is not None:
            self._left -= len(records)
        return records


class _Stream:
    """The pages of one statement, a record at a time."""

    def __init__(self, pages: NextPage) -> None:
        self.waiting: deque[Record] = deque()
        self._pages = pages

    async def refill(self) -> None:
        """Read on until a record waits; none does at the end."""
        while not self.waiting:
            page = await self._pages()
            if page is None:
                return
            self.waiting.extend(page)


class _Merged:
    """What any of some statements asks for, once, in the order of the ids."""

    def __init__(self, streams: list[_Stream], *, down: bool) -> None:
        self._streams = streams
        self._first = max if down else min

    async def next_page(self) -> list[Record] | None:
        """Return the next records; None at the end."""
        for stream in self._streams:
            await stream.refill()
        self._streams = streams = [stream for stream in self._streams if stream.waiting]
        page: list[Record] = []
        while streams and all(stream.waiting for stream in streams):
            heads = [stream.waiting[0].id.number for stream in streams]
            number = self._first(heads)
            same = [stream for stream, head in zip(streams, heads, strict=True) if head == number]
            page.append([stream.waiting.popleft() for stream in same].pop())
        return page or None


class _Sorted:
    """What any of some statements asks for, once, in the order of the user's."""

    def __init__(self, relation: Relation, statement: Select, pieces: tuple[Select, ...]) -> None:
        self._relation = relation
        self._pieces = pieces
        self._ordered = evolve(statement, where_any=(), limit_to=None, offset_by=None)
        self._matching: dict[int, str] = {}
        self._pages: NextPage | None = None

    async def next_page(self) -> list[Record] | None:
        """Return the next records; None at the end."""
        if self._pages is None:
            self._pages = await self._begun()
        page = await self._pages() if self._matching else None
        if page is None:
            return None
        rows = by_number(page)
        return [rows[number] for number in rows if self._matching.pop(number, None)]

    async def _begun(self) -> NextPage:
        """Find the ids that match, and return what reads them in order."""
        ids = [evolve(one, fields=("id",), order_fields=(), descending=False)
               for one in self._pieces]  # fmt: skip
        next_page = self._relation.merging(tuple(ids))
        while (page := await next_page()) is not None:
            self._matching.update((record.id.number, str(record.id)) for record in page)
        ordered = self._ordered
        if self._matching:
            named = ordered.where(F["id"].in_(list(self._matching.values())))
            if encoded_length(str(widest(named))) <= URL_BYTES:
                ordered = named
        return self._relation.reading(ordered)


def related_source(source: Source, ask: Ask) -> Source:
    """Return a source whose queries are those of a relation.

    Args:
        source: The client's own.
        ask: Makes one call on the relation.
    """

    async def fetch(statement: Select) -> list[Record]:
        if not (statement.where_any or statement.is_count):
            # ORDER BY and LIMIT are only understood after a WHERE.
            prefix = (await source.describe(statement.module)).id_prefix
            statement = statement.where(F["id"] > f"{prefix}x0")
        try:
            return await ask("query_related", {"query": str(statement)[:-1]})
        except (AccessDeniedError, QuerySyntaxError):
            if statement.is_count:
                return []  # not documented here; what it would tell is found by reading
            raise

    return evolve(source, fetch=fetch)


def _pieces(statement: Select) -> tuple[Select, ...]:
    """Return statements without OR, short enough to be sent, that ask for the same together."""
    bare = evolve(statement, where_any=(), limit_to=None, offset_by=None)
    whole = AnyOf(tuple(AllOf(conditions) for conditions in statement.where_any))
    return tuple(
        piece
        for conditions in (alternatives(whole) or ((),))
        for piece in bare.where(*conditions).split(URL_BYTES, sent_as=widest)
    )
