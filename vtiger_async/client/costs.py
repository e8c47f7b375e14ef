"""What queries and syncs will cost, told before they are read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import evolve

from vtiger_async.client.paging import Reader
from vtiger_async.client.source import PAGE, Source, count_of
from vtiger_async.quota.costs import Cost, cost_of
from vtiger_async.quota.plan import Plan
from vtiger_async.tables.describing import is_of_a_line
from vtiger_async.vtql import Condition, Select, select

__all__ = ["cost_of_changes", "cost_of_query", "written_since"]


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
    first, *others = reader.pieces
    if others:
        note = "at least: it is too long for one call, and for one count(*)"
        return cost_of(module, 2 + 2 * len(others), None, plan, note=note)
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
    note = "or more: pages are shorter where documents have several lines"
    asks_lines = not statement.fields or any(is_of_a_line(one, module) for one in statement.fields)
    note = note if reader.is_joined and asks_lines else ""
    calls = _calls(reader, records, is_limited=is_limited)
    return cost_of(module, calls, records, plan, spent=1, note=note)


def _calls(reader: Reader, records: int, *, is_limited: bool) -> int:
    statement = reader.statement
    if reader.by_id:
        # An empty page proves the end, where no limit does.
        return max(1, -(-records // PAGE) + (not is_limited))
    # By offset with a row of overlap, and a last look by id at what has moved.
    calls = 1 + -(-max(0, records - PAGE) // (PAGE - 1))
    calls += records > PAGE and statement.limit_to is None
    if statement.descending and len(statement.order_fields) == 1:
        return calls + 1  # read from the other end, which a count(*) tells
    calls += not is_limited
    if statement.descending:
        return 3 * calls  # put together of three readings
    return calls


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


def cost_of_changes(counted: Cost, plan: Callable[[int], Plan]) -> Cost:
    """Return what it costs to read changes up to the head.

    Args:
        counted: What it costs to query the records that were written.
        plan: Tells how long so many calls take.
    """
    # Pages share a second, so that none is cut within one.
    calls = max(1, -(-(counted.records or 0) // (PAGE - 1)))
    note = "deletes not counted; where the server sends ids, or of tasks, a call per 100 more"
    return cost_of(counted.what, calls, counted.records, plan, spent=counted.spent, note=note)
