"""How a statement with an order of its own is read: by offset, and then a last look by id.

The id settles the order of equal values, which is another one in each page; but one direction
holds, for the last field only (measured on Vtiger 8.4), so under DESC no id can be added. An order
by one field is then read upwards, from its end; one by several is put together from upward ones.
"""

from __future__ import annotations

from attrs import define, evolve

from vtiger_async.client.paging import Reader, is_by_id
from vtiger_async.client.position import Position
from vtiger_async.client.projection import as_sent
from vtiger_async.client.source import PAGE, Source, by_number, count_of
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.vtql import Select

__all__ = ["reader_of"]

_HIDDEN_RUN = 2_000
"""Hidden rows to look behind where count(*) tells of more records, before the ids are asked."""
_UNCOUNTED_RUN = 1_000
"""The same where count(*) tells nothing."""
_LONGEST_RUN = 20_000
"""Hidden rows to look behind where the ids tell of more: 200 calls."""


def reader_of(statement: Select, source: Source, position: Position) -> Reader:
    """Return what reads a statement from a position.

    Raises:
        InvalidArgumentError: It is too long for one URL, and cannot be cut.
    """
    kind = Reader if is_by_id(statement) else OrderedReader
    return kind(statement, source, position)


@define(eq=False)
class OrderedReader(Reader):
    """Reads a statement whose order is not that of the ids.

    Attributes:
        gathered: Records that had to be read before the first could be given, last one first.
        empty_rows: Rows behind the last record, all of them hidden.
        goes_on: Whether the ids have told that there are more records behind those.
        has_given_up: Whether more rows are hidden than are looked behind.
    """

    gathered: list[Record] | None = None
    empty_rows: int = 0
    goes_on: bool = False
    has_given_up: bool = False

    async def page(self) -> list[Record] | None:
        """Return the next records in the statement's own order; None at its end."""
        return await _next_page(self)


async def _next_page(reader: OrderedReader) -> list[Record] | None:
    statement, position = reader.statement, reader.position
    if not statement.descending:
        return await _forwards(reader)
    is_small = (statement.limit_to or PAGE + 1) + (statement.offset_by or 0) <= PAGE
    if is_small and position.offset == 0 and reader.gathered is None:
        return await _forwards(reader)
    sees_all = not reader.is_joined and await reader.source.sees_all()
    if is_small and sees_all:
        return await _forwards(reader)
    if not sees_all or len(statement.order_fields) > 1:
        return await _gathered(reader)
    if position.total is None:
        total = await count_of(reader.source.fetch, reader.pieces[0])
        position.total = -1 if total is None else total
    return await (_gathered(reader) if position.total < 0 else _backwards(reader))


async def _backwards(reader: OrderedReader) -> list[Record] | None:
    """Read by offset from the end of the opposite order, with one row of overlap."""
    position, statement = reader.position, reader.pieces[0]
    overlap = 1 if position.offset else 0
    end = (position.total or 0) - (reader.statement.offset_by or 0) - position.offset + overlap
    start = max(0, end - reader.size(overlap))
    if end <= overlap:
        return _ended(reader)
    rows = (await reader.source.fetch(_upwards(statement).offset(start).limit(end - start)))[::-1]
    if overlap and rows and rows[0].id == position.anchor:
        rows = rows[1:]
    elif overlap:
        position.shifted = True
    position.offset += end - start - overlap
    position.anchor = str(rows[-1].id) if rows else None
    return reader.fresh(by_number(rows), remember=True)


def _upwards(statement: Select) -> Select:
    return statement.order_by(*statement.order_fields, "id")


async def _gathered(reader: OrderedReader) -> list[Record] | None:
    """Read all upwards, and then give it from its end: where nobody can tell where that is.

    For hidden rows and for those of line items have a place in the order, too.
    """
    if reader.gathered is None:
        reader.gathered = await _all_of(reader, _upwards(reader.pieces[0]))
        if len(reader.statement.order_fields) > 1:
            reader.gathered = await _regrouped(reader, reader.gathered)
    rows = by_number(reader.gathered[: -PAGE - 1 : -1])
    del reader.gathered[-PAGE:]
    if not rows:
        return _ended(reader)
    return reader.fresh(rows, reader.statement.offset_by or 0, remember=True)


async def _all_of(reader: OrderedReader, statement: Select) -> list[Record]:
    """Return the records of a statement whose order leaves no two equal."""
    inner = OrderedReader(statement, reader.source, Position())
    records: list[Record] = []
    while (page := await _forwards(inner)) is not None and inner.position.phase == "pages":
        records += page
    if inner.has_given_up:
        _give_up(reader)
    moved = inner.position.phase == "sweep"
    reader.position.shifted = reader.position.shifted or moved
    return records


async def _regrouped(reader: OrderedReader, upwards: list[Record]) -> list[Record]:
    """Return records that ascend in every field so that all fields but the last descend.

    Where records are equal in those fields, only the server can tell. It is asked for them with
    ascending and with descending ids: a run of both that holds the same records is a group of
    equals, and no part of it is.
    """
    piece = evolve(reader.pieces[0], fields=("id",), descending=False)
    by = as_sent(piece.order_by(*piece.order_fields[:-1], "id"))
    ascending = [record.id.number for record in await _all_of(reader, by)]
    descending = [record.id.number for record in await _all_of(reader, evolve(by, descending=True))]
    group = 0
    groups: dict[int, int] = {}
    unmatched: set[int] = set()
    for number, other in zip(ascending, descending, strict=False):
        groups[number] = group
        unmatched ^= {number} ^ {other}
        group += not unmatched
    return sorted(upwards, key=lambda record: -groups.get(record.id.number, group))


async def _forwards(reader: OrderedReader) -> list[Record] | None:
    """Read by offset, one row of overlap: it shows whether rows have moved between pages."""
    position, statement = reader.position, reader.pieces[0]
    drop = await reader.dropped_here()
    known = position.total if position.total is not None else -1
    if 0 <= known <= position.given + position.dropped:
        return _ended(reader)
    overlap = 0 if position.anchor is None else 1
    start, size = position.offset - overlap, reader.size(overlap + drop)
    if not statement.descending and "id" not in statement.order_fields:
        statement = _upwards(statement)
    first_row = (reader.statement.offset_by or 0) - drop + start
    page = await reader.source.fetch(statement.offset(first_row).limit(size))
    if overlap and page and page[0].id == position.anchor:
        rows = page[1:]
    else:
        # Not where it was; or rows after a short page, which was not the last then.
        position.shifted = position.shifted or (bool(overlap or page) and position.offset > 0)
        rows = page
    if not rows:
        return await _behind_hidden(reader, start + size)
    reader.empty_rows, reader.goes_on = 0, False
    position.offset = start + size
    position.anchor = str(rows[-1].id) if len(page) == size else None
    reader.is_short = len(page) < size
    return reader.fresh(by_number(rows), drop, remember=True)


async def _behind_hidden(reader: OrderedReader, end: int) -> list[Record] | None:
    """Go on behind an empty page, or end: an administrator's is the end.

    Args:
        reader: What is read.
        end: The row behind the page.
    """
    position = reader.position
    if await reader.source.sees_all():
        return _ended(reader)
    if position.total is None:
        total = await count_of(reader.source.fetch, reader.pieces[0])
        position.total = -1 if total is None else total
    reader.empty_rows += end - position.offset
    most = _UNCOUNTED_RUN if position.total < 0 else _HIDDEN_RUN
    missing = position.total < 0 or position.given + position.dropped < position.total
    if not missing:
        # What moved between two short pages shows nowhere.
        position.shifted = position.shifted or position.offset > PAGE
        return _ended(reader)
    if reader.empty_rows >= most and not reader.goes_on:
        reader.goes_on = await _is_incomplete(reader)
        if not reader.goes_on:
            position.phase = "end"
            return None
    if reader.empty_rows >= _LONGEST_RUN:
        _give_up(reader)
        position.shifted = True
        return _ended(reader)
    position.offset, position.anchor, reader.is_short = end, None, True
    return []


async def _is_incomplete(reader: OrderedReader) -> bool:
    """Tell whether a reading by id shows a record that has not come."""
    statement = evolve(reader.pieces[0], fields=("id",), order_fields=(), descending=False)
    by_id = Reader(statement, reader.source, Position())
    while (page := await by_id.next_page(reader.position.started)) is not None:
        if not by_number(page).keys() <= reader.position.seen:
            return True
    return False


def _give_up(reader: OrderedReader) -> None:
    """Leave the rest to be found by id, in no order; refuse that where a part is asked for."""
    reader.has_given_up = True
    if reader.statement.limit_to is not None or reader.statement.offset_by is not None:
        raise InvalidArgumentError(
            f"{_LONGEST_RUN} records in a row are hidden from this user, and behind them are some "
            "that are not: order by id, or leave limit and offset out, and sort in your program",
            operation="query",
            module=reader.statement.module,
        )


def _ended(reader: OrderedReader) -> list[Record] | None:
    """Turn to the last look by id, or end."""
    reader.turn_to_sweep()
    return [] if reader.position.phase == "sweep" else None
