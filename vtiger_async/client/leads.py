"""The conversion of leads, as a method of the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vtiger_async.client.calls import read_as
from vtiger_async.client.records import RecordOperations
from vtiger_async.errors import ApiError, ConversionError, OutcomeUnknownError
from vtiger_async.models import structuring
from vtiger_async.types import FieldValue, RecordId

if TYPE_CHECKING:
    from vtiger_async.models.parts import Part

__all__ = ["LeadOperations"]


class LeadOperations(RecordOperations):
    """The part of the client that converts leads."""

    async def convert_lead(
        self,
        lead_id: str,
        entities: Mapping[str, Mapping[str, FieldValue]] | None = None,
        *,
        account: Part = None,
        contact: Part = None,
        potential: Part = None,
        resume: ConversionError | None = None,
    ) -> dict[str, RecordId]:
        """Convert a lead, and return the ids of what came of it, by module.

        The server makes the records one after the other. So what would fail half-way is asked
        before: a deal gets the first `sales_stage` of its picklist unless one is given, which costs
        a `describe` where that is not kept, and `validate` governs the rest. `"auto"` checks the
        parts against the descriptions that are kept; True also reads the lead, and looks for an
        organisation of its name (two calls).

        If it fails all the same, the client looks what was made, which costs up to five calls. A
        reply that was lost is settled in the same way: if the lead was converted, the ids are
        returned as if nothing had happened. To tell what was made just now, the client's clock
        and the server's must agree within a minute.

        Source: manual, "Convert Lead".

        Args:
            lead_id: The lead.
            entities: Fields of the new records by module, `{}` for none: any of Accounts, Contacts,
                Potentials.
            account: The same for Accounts alone: fields, or True for none. With an `accountname`
                that exists already, the open source takes that organisation.
            contact: The same for Contacts.
            potential: The same for Potentials; `closingdate` is mandatory.
            resume: The error of an earlier try: what it left behind is deleted, unless somebody
                has changed or used it, and its parts are asked for again. Fields given here stand
                before those of then.

        Raises:
            ValidationError: A part would fail; nothing was made.
            LeadAlreadyConvertedError: It was converted before.
            ConversionError: It failed half-way; `.left_behind` has what was made.
            OutcomeUnknownError: The reply was lost, and what became of it cannot be told.
            SilentChangeError: The server answered with success, and converted nothing.
        """
        from vtiger_async.client.conversion import Conversion  # not every program wants it
        from vtiger_async.models.parts import parts_of

        rid = RecordId(lead_id)
        parts = {"Accounts": account, "Contacts": contact, "Potentials": potential}
        asked = parts_of(entities, parts, rid, resume)
        conversion = Conversion(
            self, self._rows, self._core, rid, asked, self._writing.validate, resume
        )
        await conversion.prepare()
        values = {"element": conversion.element()}
        try:
            result = await self._run("convertlead", values, module="Leads", record_id=rid)
        except (ApiError, OutcomeUnknownError) as error:
            return await conversion.after_failure(error)
        made = read_as("convertlead", structuring.converted, result)
        return made or await conversion.after_nothing()
