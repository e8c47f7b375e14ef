"""Pages of records for lookups: one call where one page is all, else the whole statement.

Facts built on (measured on Vtiger 8.4): a statement gives at most 100 rows; what a user may not see
is taken out after that, and an administrator sees all; rows of documents come joined with lines.
"""

from __future__ import annotations

from typing import Final

from vtiger_async.bulk.crm import Crm
from vtiger_async.errors import AccessDeniedError, InvalidResponseError
from vtiger_async.models.records import Record, User
from vtiger_async.types import LINE_MODULES, is_list
from vtiger_async.vtql import F, Select
from vtiger_async.vtql.normal import URL_BYTES

__all__ = ["PAGE", "Pages"]

PAGE: Final = 100
"""Records of one page; the server silently cuts more to this (measured on Vtiger 8.4)."""
_BOUNDS: Final = 200
"""Bytes that paging adds to a statement: `AND id > '...' ORDER BY id LIMIT 100`."""


class Pages:
    """Reads records and counts the calls.

    Args:
        crm: The client.

    Attributes:
        calls: How many calls were made; of a user from whom records can be hidden at least so many,
            since only the client knows what the proof of the end has cost.
    """

    def __init__(self, crm: Crm) -> None:
        self.calls = 0
        self._crm = crm
        self._me: User | None = None
        self._sees_all: bool | None = None

    async def me(self) -> User:
        """Return the user whose key is used; it is asked for once."""
        if self._me is None:
            self.calls += 1
            self._me = await self._crm.me()
        return self._me

    async def one(self, statement: Select) -> list[Record]:
        """Return one page; it costs one call."""
        self.calls += 1
        rows = await self._crm.call("GET", "query", {"query": str(statement.limit(PAGE))})
        if not is_list(rows):
            raise InvalidResponseError(
                f"a list of records was expected, and the server sent {type(rows).__name__}",
                operation="query",
                module=statement.module,
            )
        return [Record.of(row, statement.module) for row in rows]

    async def one_if_all(self, statement: Select) -> list[Record] | None:
        """Return all records, if one page is proven to hold them; None if it is not."""
        if not await self._is_shown_all(statement):
            return None
        page = await self.one(statement)
        return page if len(page) < PAGE else None

    async def all(self, statement: Select) -> list[Record]:
        """Return all records of a statement."""
        if not await self._is_shown_all(statement):
            found = [record async for record in self._crm.query(statement)]
            # A page for each hundred, and what ends the reading.
            self.calls += -(-len(found) // PAGE) + 1
            return found
        by_id: dict[str, Record] = {}
        for piece in statement.split(URL_BYTES - _BOUNDS):
            ordered = piece.order_by("id")
            page = await self.one(ordered)
            by_id |= {str(record.id): record for record in page}
            while len(page) == PAGE:
                last = max(page, key=lambda record: record.id.number).id
                page = await self.one(ordered.where(F.id > last))
                by_id |= {str(record.id): record for record in page}
        return list(by_id.values())

    async def _is_shown_all(self, statement: Select) -> bool:
        """Tell whether a short page is the last one."""
        if statement.module in LINE_MODULES:
            return False
        if self._sees_all is None:
            self._sees_all = await self._is_admin()
        return self._sees_all

    async def _is_admin(self) -> bool:
        """Ask who the user is.

        The open source does not tell it in `me`, and shows nobody else their own user record
        (measured on Vtiger 8.4).
        """
        me = await self.me()
        if me.is_admin is None:
            self.calls += 1
            try:
                me = User.of((await self._crm.retrieve(me.id)).fields)
            except AccessDeniedError:
                return False
        return me.is_admin is True
