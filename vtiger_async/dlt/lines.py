"""The line items of documents, as a table of their own beside that of the documents.

dlt replaces rows in the destination that have a document's id, the merge key, by those that come
with a load; of several rows of one key in a load it takes the last. So what a load has given of a
document and a later page of it does not have any more is taken back by a row that deletes.

Documents that the server cannot send (HTTP 500 at `retrieve`, whatever else works) are loaded
without their lines, and asked for again in later loads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from attrs import define, field, frozen

from vtiger_async.client import VtigerClient
from vtiger_async.mirror.owing import Owed, due, settled
from vtiger_async.mirror.retrieving import Retrieved
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.tables import RowMaker, Table
from vtiger_async.tables.describing import without_lines
from vtiger_async.types import RecordId
from vtiger_async.vtql import F, select

__all__ = ["Lines", "Told"]

_TOGETHER = 10
"""Documents that are retrieved at once."""


class Told(Protocol):
    """A document that has changed, or that is gone."""

    @property
    def id(self) -> RecordId:
        """Its id."""
        ...

    @property
    def record(self) -> Record | None:
        """The document without its lines; None where it is gone."""
        ...


@frozen
class _Again:
    """A document that is asked for again."""

    id: RecordId
    record: Record


@define(eq=False)
class Lines:
    """Retrieves documents, and makes the rows of their lines.

    Attributes:
        crm: The client.
        module: What `describe` says of the documents.
        table: The table of the lines.
        maker: Makes the rows.
        order: The next number of a row.
        owed: The documents that were loaded without their lines.
    """

    crm: VtigerClient
    module: Module
    table: Table
    maker: RowMaker
    order: Iterator[int]
    owed: tuple[Owed, ...] = ()
    _asked: set[RecordId] = field(factory=set[RecordId], init=False)
    _given: dict[RecordId, int] = field(factory=dict[RecordId, int], init=False)

    async def retrieved(self, changes: Sequence[Told]) -> dict[RecordId, Record]:
        """Return the documents that were changed with their lines, a call for each.

        One that cannot be read any more is left out: if it was deleted, later changes tell. Left
        out is also what the server cannot send; it is then owed.

        Args:
            changes: The changes of a page; of several of a document the last counts.
        """
        last = {change.id: change.record for change in changes}
        listed = [record for record in last.values() if record is not None]
        came = Retrieved()
        for start in range(0, len(listed), _TOGETHER):
            part = listed[start : start + _TOGETHER]
            await came.add(self.crm, part, self.owed)
            if all(one.id in came.broken for one in part):
                await self.crm.me()  # fails, too, where it is the server as a whole
        self._asked |= last.keys()
        self.owed = settled(self.owed, came.broken, last.keys(), time.time())
        return came.found

    async def again(self) -> Sequence[Told] | None:
        """Return some owed documents that are due, as a query shows them; None if none is."""
        ids = due([one for one in self.owed if one.id not in self._asked], time.time())
        if not ids:
            return None
        statement = select(self.module.name).where(F["id"].in_(ids))
        shown = [one async for one in self.crm.query(without_lines(statement, self.module))]
        gone = {*ids} - {one.id for one in shown}  # the changes tell of it, or have told
        self.owed = settled(self.owed, (), gone, time.time())
        return [_Again(one.id, one) for one in shown]

    def rows_of(
        self, changes: Sequence[Told], found: dict[RecordId, Record]
    ) -> list[dict[str, Any]]:
        """Return the rows of the lines of changed documents, and those that take lines back.

        Args:
            changes: The changes of a page.
            found: What `retrieved` returned for them.
        """
        names = [column.name for column in self.table.columns]
        rows: list[dict[str, Any]] = []
        for rid, is_gone in {change.id: change.record is None for change in changes}.items():
            if rid not in found and not is_gone:
                continue
            lines = () if is_gone else self.maker.lines_of(found[rid])
            rows += [
                {**dict(zip(names, line, strict=True)), **self._own(deleted=False)}
                for line in lines
            ]
            before, self._given[rid] = self._given.get(rid, 0), len(lines)
            # At least one row has to tell the document's id.
            least = len(lines) + 1 if lines else 0
            rows += [
                {"parent_id": str(rid), "position": position, **self._own(deleted=True)}
                for position in range(least, before + 1)
            ]
        return rows

    def _own(self, *, deleted: bool) -> dict[str, Any]:
        return {"_sequence": next(self.order), "_deleted": deleted}
