"""What queries and syncs will cost, told before they are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from attrs import evolve

from vtiger_async.client.paging import Reader
from vtiger_async.client.source import PAGE, Source, count_of
from vtiger_async.errors import AccessDeniedError
from vtiger_async.quota.costs import HIDDEN, Cost, cost_of
from vtiger_async.quota.plan import Plan
from vtiger_async.tables.describing import is_of_a_line
from vtiger_async.types import LINE_MODULES, SyncScope
from vtiger_async.vtql import Condition, Select, select

__all__ = ["Explained", "cost_of_changes", "cost_of_query", "written_since"]


class Explained(Protocol):
    """What tells its cost, as a `Query` does."""

    async def explain(self) -> Cost:
        """Return what reading it will cost."""
        ...


async def cost_of_query(statement: Select, source: Source, reader: Reader | None) -> Cost:
    """Return what is left to pay for the records of a statement; it costs a call at the most.

    Args:
        statement: The statement.
        source: What may be asked.
        reader: What reads it; None where it counts.
    """
    module, plan = statement.module, source.plan
    if reader is None:
        return cost_of(module, 1, None, plan)
    hidden = _of_hidden(source)
    first, *others = reader.pieces
    if others:
        note = "at least: it is too long for one call, and for one count(*)"
        return cost_of(module, len(reader.pieces), None, plan, note=note)
    if reader.position.phase != "pages" or reader.left == 0:
        return cost_of(module, 0, 0, plan, note="nothing is left but a last look")
    bare = evolve(first, order_fields=(), descending=False)
    total = await count_of(source.fetch, bare)
    if total is None:
        note = "at least: this server tells no count(*)"
        return cost_of(module, 1, None, plan, spent=1, note=note)
    left = max(0, total - (statement.offset_by or 0) - reader.position.given)
    is_limited = reader.left is not None and reader.left <= left
    records = left if reader.left is None else min(left, reader.left)
    lines = "or more: pages are shorter where documents have several lines"
    notes = [lines] if _asks_for_lines(statement) else []
    note = "; ".join([*notes, hidden] if hidden else notes)
    calls = _calls(reader, total, records, is_limited=is_limited)
    return cost_of(module, calls, records, plan, spent=1, note=note)


def _of_hidden(source: Source) -> str:
    """Return what is to be said of rows that the user may not see: nobody can count them."""
    known = source.known_to_see_all()
    if known is None:
        return "if the user is an administrator, and else more for records that they may not see"
    return "" if known else HIDDEN


def _asks_for_lines(statement: Select) -> bool:
    """Tell whether a query gives a row for each line of a document."""
    module, fields = statement.module, statement.fields
    return module in LINE_MODULES and (
        not fields or any(is_of_a_line(field, module) for field in fields)
    )


def _calls(reader: Reader, total: int, records: int, *, is_limited: bool) -> int:
    """Return the calls of a reading by somebody who sees everything; see `ordering.py`.

    Args:
        reader: What reads it.
        total: The records that match.
        records: Those of them that will come.
        is_limited: Whether the statement's LIMIT ends it.
    """
    statement, source = reader.statement, reader.source
    most = statement.limit_to
    if reader.by_id:
        # An empty page proves the end, where no limit does.
        return max(1, -(-records // PAGE) + (not is_limited))
    has_last_look = records > PAGE and most is None
    is_small = most is not None and most + (statement.offset_by or 0) <= PAGE
    if is_small or not statement.descending:
        return _by_offset(records) + (not is_limited and records > 0) + has_last_look
    several = len(statement.order_fields) > 1
    if several or reader.is_joined or source.known_to_see_all() is False:
        # All of it is read upwards first, and the last look is at all ids.
        whole = _by_offset(total) + (total > 0)
        return (3 if several else 1) * whole + has_last_look * (-(-records // PAGE) + 1)
    # Read from the other end, which a count(*) tells.
    return 1 + (_by_offset(records) if records else 0) + has_last_look


def _by_offset(records: int) -> int:
    """Return the pages of so many records, each with a row of the one before it."""
    return 1 + -(-max(0, records - PAGE) // (PAGE - 1))


def written_since(module: str, since: int) -> Select:
    """Return the statement of the records that a sync tells from a second on.

    Args:
        module: The module.
        since: Unix seconds; 1 or less for all records.
    """
    statement = select(module)
    if since <= 1:
        return statement
    text = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return statement.where(Condition("modifiedtime", ">=", text))


async def cost_of_changes(
    module: str,
    since: int,
    scope: SyncScope,
    query: Callable[[Select], Explained],
    plan: Callable[[int], Plan],
) -> Cost:
    """Return what it costs to read changes up to the head; it costs a call.

    Args:
        module: The module.
        since: Where it begins (Unix seconds).
        scope: Whose changes are told.
        query: Returns the records of a statement.
        plan: Tells how long so many calls take.
    """
    notes = ["deletes not counted; where the server sends ids, or of tasks, a call per 100 more"]
    try:
        counted = await query(written_since(module, since)).explain()
        records, spent = counted.records, counted.spent
    except AccessDeniedError as error:
        if "modifiedtime" not in error.message:  # which not every module has
            raise
        records, spent = None, 1
    if records is None:
        notes.insert(0, "at least: what was changed cannot be counted here")
    if scope != "application":
        notes.append("less where the user sees records that the scope leaves out")
    # Pages share a second, so that none is cut within one.
    calls = max(1, -(-(records or 0) // (PAGE - 1)))
    return cost_of(module, calls, records, plan, spent=spent, note="; ".join(notes))
