"""What a conversion has made: found by name, time and reference, and whether it is in use.

Loaded by the first conversion that fails, or is answered without ids.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from attrs import frozen

from vtiger_async.models.parts import MODULES
from vtiger_async.models.records import Record
from vtiger_async.types import RecordId
from vtiger_async.vtql import F, Select

__all__ = ["Rows", "Traces", "is_fresh"]

Rows = Callable[[Select], Awaitable[list[Record]]]
"""What makes one query."""

_EARLIER = 60
"""Seconds: by so much the server's clock may be behind ours, for a record to count as made now."""
_REFERRING = {
    "Accounts": (("Contacts", "account_id"), ("Potentials", "related_to")),
    "Contacts": (("Potentials", "contact_id"),),
}
"""What refers to a record that is in use."""


@frozen
class Traces:
    """Looks for what one conversion has made.

    Attributes:
        rows: Makes a query.
        retrieve: Reads a record.
        names: The names that the new records were to get, by module.
        since: When the conversion was sent, in Unix seconds.
    """

    rows: Rows
    retrieve: Callable[[str], Awaitable[Record]]
    names: Mapping[str, str]
    since: float

    async def found(self, names: Sequence[str], *, fresh: bool) -> dict[str, RecordId]:
        """Return the records that this conversion has made, where there is no doubt.

        The contact leads to its organisation; only an organisation alone is looked for by name.
        """
        found: dict[str, RecordId] = {}
        contacts = await self._named("Contacts") if "Contacts" in names else []
        if "Accounts" in names:
            account = contacts[0].fields.get("account_id") if len(contacts) == 1 else None
            if account:
                candidates = [await self.retrieve(account)]
            else:
                candidates = await self._named("Accounts")
            if len(candidates) == 1 and (not fresh or is_fresh(candidates[0])):
                found["Accounts"] = candidates[0].id
        if len(contacts) == 1:
            found["Contacts"] = contacts[0].id
        if "Potentials" in names:
            deals = [deal for deal in await self._named("Potentials") if _belongs(deal, found)]
            if len(deals) == 1:
                found["Potentials"] = deals[0].id
        return found

    async def _named(self, module: str) -> list[Record]:
        """Return the records that came of a lead since the call, under the name asked for."""
        since = datetime.fromtimestamp(self.since - _EARLIER, UTC)
        condition = F[MODULES[module]] == self.names[module]
        statement = Select(module).where(condition & (F["createdtime"] >= since))
        return [row for row in await self.rows(statement) if is_fresh(row)]

    async def is_used(self, name: str, left: Mapping[str, str]) -> bool:
        """Tell whether other records refer to one that was left behind."""
        for module, reference in _REFERRING[name]:
            statement = Select(module, ("id",)).where(F[reference] == left[name])
            rows = await self.rows(statement)
            if any(row.id not in left.values() for row in rows):
                return True
        return False


def is_fresh(record: Record) -> bool:
    """Tell whether a record came of a lead, and nobody has changed it since."""
    fields = record.fields
    of_lead = fields.get("isconvertedfromlead", "1")  # a server may not show it
    return of_lead in ("1", "on") and fields.get("modifiedtime") == fields.get("createdtime")


def _belongs(deal: Record, found: Mapping[str, RecordId]) -> bool:
    """Tell whether a deal refers to the organisation and the contact that were found."""
    for name, reference in (("Accounts", "related_to"), ("Contacts", "contact_id")):
        if name in found and deal.fields.get(reference, found[name]) != found[name]:
            return False
    return True
