"""Documents that are retrieved together, which only then have their line items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import anyio
from attrs import define, field

from vtiger_async.errors import AccessDeniedError, RecordNotFoundError, VtigerError
from vtiger_async.mirror.owing import MOST, Owed, is_broken
from vtiger_async.models.records import Record
from vtiger_async.tables.rows import as_listed
from vtiger_async.types import RecordId

__all__ = ["Retrieved", "Retriever"]


class Retriever(Protocol):
    """A client that retrieves records."""

    async def retrieve(self, record_id: str) -> Record:
        """Retrieve a record."""
        ...


@define
class Retrieved:
    """What came of documents that were asked for; also of those before a failure.

    Attributes:
        found: Those that came, as a query or a sync shows them, with their lines.
        broken: Those that the server cannot send, and what it said.
        denied: How many are not there any more, or not to be seen.
    """

    found: dict[RecordId, Record] = field(factory=dict[RecordId, Record])
    broken: dict[RecordId, VtigerError] = field(factory=dict[RecordId, VtigerError])
    denied: int = 0

    async def add(self, crm: Retriever, listed: Sequence[Record], owed: Sequence[Owed]) -> None:
        """Retrieve documents at once, a call for each.

        Args:
            crm: The client.
            listed: The documents, as a query or a sync shows them.
            owed: The documents that could not be sent before.

        Raises:
            VtigerError: A call failed for another reason than its document; the others are ended.
        """
        failures: list[VtigerError] = []

        async def retrieve(one: Record) -> None:
            try:
                self.found[one.id] = as_listed(await crm.retrieve(one.id), one)
            except (AccessDeniedError, RecordNotFoundError):
                self.denied += 1  # if it was deleted, the changes that follow tell
            except VtigerError as error:
                if is_broken(error) and len(owed) < MOST:
                    self.broken[one.id] = error
                else:
                    failures.append(error)
                    group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            for one in listed:
                group.start_soon(retrieve, one)
        if failures:
            raise failures[0]
