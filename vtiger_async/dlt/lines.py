"""The line items of documents, as a table of their own beside that of the documents.

dlt replaces rows in the destination that have a document's id, the merge key, by those that come
with a load; of several rows of one key in a load it takes the last. So what a load has given of a
document and a later page of it does not have any more is taken back by a row that deletes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import anyio
from attrs import define, field

from vtiger_async.client import VtigerClient
from vtiger_async.client.sync import Change
from vtiger_async.errors import AccessDeniedError, RecordNotFoundError, VtigerError
from vtiger_async.models.records import Record
from vtiger_async.tables import RowMaker, Table
from vtiger_async.tables.rows import as_listed
from vtiger_async.types import RecordId

__all__ = ["Lines"]

_TOGETHER = 10
"""Documents that are retrieved at once."""


@define(eq=False)
class Lines:
    """Retrieves documents, and makes the rows of their lines.

    Attributes:
        crm: The client.
        table: The table of the lines.
        maker: Makes the rows.
        order: The next number of a row.
    """

    crm: VtigerClient
    table: Table
    maker: RowMaker
    order: Iterator[int]
    _given: dict[RecordId, int] = field(factory=dict[RecordId, int], init=False)

    async def retrieved(self, changes: Sequence[Change]) -> dict[RecordId, Record]:
        """Return the documents that were changed with their lines, a call for each.

        One that cannot be read any more is left out: if it was deleted, later changes tell.

        Args:
            changes: The changes of a page; of several of a document the last counts.
        """
        last = {change.id: change.record for change in changes}
        listed = [record for record in last.values() if record is not None]
        found: dict[RecordId, Record] = {}
        failures: list[VtigerError] = []

        async def retrieve(group: anyio.abc.TaskGroup, seen: Record) -> None:
            try:
                found[seen.id] = as_listed(await self.crm.retrieve(seen.id), seen)
            except (AccessDeniedError, RecordNotFoundError):
                return
            except VtigerError as error:
                failures.append(error)
                group.cancel_scope.cancel()

        for start in range(0, len(listed), _TOGETHER):
            async with anyio.create_task_group() as group:
                for seen in listed[start : start + _TOGETHER]:
                    group.start_soon(retrieve, group, seen)
            if failures:
                raise failures[0]
        return found

    def rows_of(
        self, changes: Sequence[Change], found: dict[RecordId, Record]
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
