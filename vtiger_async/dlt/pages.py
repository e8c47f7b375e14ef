"""What is read of a module, page by page, with what dlt is to know of its columns."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

import dlt
from attrs import astuple, evolve, field, frozen

from vtiger_async.client import VtigerClient
from vtiger_async.client.sync import Sync
from vtiger_async.dlt.door import Door, Visit
from vtiger_async.dlt.lines import Lines, Told
from vtiger_async.errors import QuotaExhaustedError
from vtiger_async.mirror.owing import Owed, note_of
from vtiger_async.models.metadata import Module
from vtiger_async.streams.errors import StreamError
from vtiger_async.streams.options import Options
from vtiger_async.streams.starting import Start, starts_of
from vtiger_async.tables import Kind, RowMaker, Table, lines_table_of, selection_of
from vtiger_async.vtql import select

__all__ = ["ID", "OWN", "Page", "changed_pages", "whole_pages"]

_api: Any = dlt  # how it types its hints differs between its versions
_log = logging.getLogger("vtiger_async")

_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "text": {"data_type": "text"},
    "id": {"data_type": "text"},
    "boolean": {"data_type": "bool"},
    "integer": {"data_type": "bigint"},
    "decimal": {"data_type": "decimal"},
    "date": {"data_type": "date"},
    "time": {"data_type": "time"},
    "timestamp": {"data_type": "timestamp"},
    "texts": {"data_type": "json"},
    "json": {"data_type": "json"},
}
ID: Final[dict[str, dict[str, Any]]] = {
    "id": {"data_type": "text", "nullable": False, "primary_key": True}
}
"""The key of a module's table."""
OWN: Final[dict[str, dict[str, Any]]] = {
    "_sequence": {"data_type": "bigint", "nullable": False, "dedup_sort": "desc"},
    "_deleted": {"data_type": "bool", "hard_delete": True},
}
"""Of several changes of a record in one load the last counts; a deleted record's row goes."""


@frozen
class Page:
    """Rows that came with one call.

    Attributes:
        rows: The rows.
        number: Grows from page to page, and from load to load.
        state: Where the module then stands; empty where that is not kept.
        lines: Rows of line items.
        line_hints: What dlt is to know of their table.
    """

    rows: list[dict[str, Any]]
    number: int = 0
    state: Mapping[str, Any] = field(factory=dict[str, Any])
    lines: list[dict[str, Any]] = field(factory=list[dict[str, Any]])
    line_hints: Any = None


async def changed_pages(
    door: Door, module: str, options: Options, state: Mapping[str, Any], *, line_items: bool
) -> AsyncGenerator[Any]:
    """Yield the pages of a module's changes.

    Where the quota is used up for longer than a call may wait, they end early: what was read is
    loaded, and the next load goes on behind it.

    Args:
        door: The client.
        module: The module.
        options: Whose records, and where the first load begins.
        state: What the last load has left.
        line_items: Whether documents are retrieved for their lines.

    Raises:
        StreamError: The state is of another instance or user.
        QuotaExhaustedError: The quota was used up before the first page.
    """
    async with door.open() as visit:
        crm = visit.crm
        _check_instance(module, crm, state)
        described = await crm.describe(module)
        table = selection_of(described)
        maker, names = RowMaker(table, described), [column.name for column in table.columns]
        start = await _start(visit, module, options, state, line_items=line_items)
        order = count(time.time_ns())  # behind those of the loads before
        lines = _lines_of(crm, described, table, order, state) if line_items else None
        hints = _api.mark.make_hints(table_name=module, columns=_columns(table) | ID | OWN)
        line_hints = None if lines is None else _hints_of_lines(lines.table)
        pages = _told(crm.sync(module, start.cursor, start.scope), start.cursor, lines)
        is_begun = False
        while True:
            try:
                told = await anext(pages, None)
                found = {} if lines is None or told is None else await lines.retrieved(told[0])
            except QuotaExhaustedError as error:
                if not is_begun:
                    raise
                _log.warning("%s is not read to its end, the next load goes on: %s", module, error)
                return
            if told is None:
                break
            changes, cursor = told
            is_begun = True
            rows: list[dict[str, Any]] = []
            for change in changes:
                own = {"_sequence": next(order), "_deleted": change.record is None}
                if change.record is None:
                    rows.append({"id": change.id, **own})
                else:
                    cells, _ = maker.row_of(found.get(change.id, change.record))
                    rows.append({**dict(zip(names, cells, strict=True)), **own})
            kept = {
                "position": evolve(start, cursor=cursor).position,
                "instance": crm.url,
                "line_items": line_items,
                "owed": [] if lines is None else [list(astuple(one)) for one in lines.owed],
            }
            of_lines = [] if lines is None else lines.rows_of(changes, found)
            made = Page(rows, next(order), kept, of_lines, line_hints)
            # As a variant, or the table of lines would have the columns of the documents, too.
            yield _api.mark.with_hints(made, hints, create_table_variant=True)
        if lines is not None and lines.owed:
            _log.warning("%s: %s", module, note_of(lines.owed))


def _lines_of(
    crm: VtigerClient, module: Module, table: Table, order: Iterator[int], state: Mapping[str, Any]
) -> Lines | None:
    """Return what makes the rows of line items, for modules that have some."""
    of_lines = lines_table_of(module)
    if of_lines is None:
        return None
    owed = tuple(Owed(*one) for one in state.get("owed", ()))
    return Lines(crm, module, of_lines, RowMaker(table, module, of_lines), order, owed)


async def _told(
    changes: Sync, cursor: str, lines: Lines | None
) -> AsyncGenerator[tuple[Sequence[Told], str]]:
    """Yield pages of changes with the position behind each; at the end what is asked for again."""
    async for page in changes.pages():
        cursor = page.cursor
        yield page.changes, cursor
    again = None if lines is None else await lines.again()
    if again is not None:
        yield again, cursor


def _check_instance(module: str, crm: VtigerClient, state: Mapping[str, Any]) -> None:
    if state.get("instance", crm.url) != crm.url:
        raise StreamError(
            f"this pipeline has loaded {module} from {state['instance']}, not from {crm.url}: give "
            "each instance a pipeline of its own, or refresh"
        )


async def _start(
    visit: Visit, module: str, options: Options, state: Mapping[str, Any], *, line_items: bool
) -> Start:
    """Return where a module goes on, or begins."""
    position = state.get("position")
    if line_items and not state.get("line_items"):
        position = None  # the lines of documents that did not change since are wanted, too
    if position is None and options.scope is None:
        options = evolve(options, scope=await visit.who.widest_scope())
    known = {} if position is None else {module: position}
    return (await starts_of(visit.crm, [module], known, options, visit.who))[module]


async def whole_pages(door: Door, module: str) -> AsyncGenerator[Any]:
    """Yield the pages of all records of a module.

    Args:
        door: The client.
        module: The module.
    """
    async with door.open() as visit:
        described = await visit.crm.describe(module)
        table = selection_of(described)
        maker, names = RowMaker(table, described), [column.name for column in table.columns]
        hints = _api.mark.make_hints(columns=_columns(table) | ID)
        async for page in visit.crm.query(select(module)).pages():
            cells = [maker.row_of(record)[0] for record in page]
            rows = [dict(zip(names, row, strict=True)) for row in cells]
            yield _api.mark.with_hints(Page(rows), hints)


def _hints_of_lines(table: Table) -> Any:
    """Return what dlt is to know of the table of line items."""
    key = {"nullable": False, "primary_key": True}
    columns = _columns(table)
    columns["parent_id"] |= {**key, "merge_key": True}
    columns["position"] |= key
    columns["id"] |= {"nullable": True, "primary_key": False}  # as it is of the documents' table
    return _api.mark.make_hints(
        table_name=table.name,
        write_disposition="merge",
        columns=columns | OWN,
        primary_key=table.key,
        merge_key="parent_id",
    )


def _columns(table: Table) -> dict[str, Any]:
    """Return the columns as dlt has them."""
    return {column.name: dict(_TYPES[column.kind]) for column in table.columns}
