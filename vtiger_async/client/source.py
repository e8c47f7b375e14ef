"""What a reading of records may ask, and the facts that all readings stand on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.types import whole_number
from vtiger_async.vtql import Select

if TYPE_CHECKING:
    from vtiger_async.quota.plan import Plan

__all__ = ["PAGE", "FetchPage", "Source", "by_number", "count_of"]

PAGE = 100
"""Records of one page; the server silently cuts more to this (measured on Vtiger 8.4)."""

FetchPage: TypeAlias = Callable[[Select], Coroutine[Any, Any, list[Record]]]
"""Makes one query and returns its records."""


@frozen
class Source:
    """What a reading may ask, and what is known without asking.

    Attributes:
        fetch: Makes one query.
        describe: Gives a module's description; one that is kept costs no call.
        cached: Gives the description that is kept, or None.
        sees_all: Tells whether the user is an administrator, who sees every record; it is asked
            once for a client.
        prefixes: Module names by id prefix, as far as known.
        plan: Tells how long so many calls take.
        known_to_see_all: Tells the same as `sees_all` without a call; None where it is not known.
    """

    fetch: FetchPage
    describe: Callable[[str], Coroutine[Any, Any, Module]]
    cached: Callable[[str], Module | None]
    sees_all: Callable[[], Coroutine[Any, Any, bool]]
    prefixes: dict[str, str]
    plan: Callable[[int], Plan]
    known_to_see_all: Callable[[], bool | None]


def by_number(page: list[Record]) -> dict[int, Record]:
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
