"""The conversion of a lead: what is filled in, checked before, found after a failure, taken back.

The server makes the organisation, the contact and the deal one after the other, and marks the lead
as converted at the end; a failure in between leaves what was made (measured on Vtiger 8.4). A lead
that is converted can be retrieved, and queries leave it out: so it can be told.

Loaded by the first conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from attrs import define, field

from vtiger_async.client.core import Core
from vtiger_async.client.traces import Rows, Traces, is_fresh
from vtiger_async.errors import (
    AccessDeniedError,
    ApiError,
    AuthenticationError,
    ConversionError,
    DuplicateRecordError,
    InvalidArgumentError,
    InvalidIdError,
    LeadAlreadyConvertedError,
    OutcomeUnknownError,
    SilentChangeError,
    ValidationError,
    VtigerError,
)
from vtiger_async.models.metadata import Module
from vtiger_async.models.parts import first_stage, name_of, part_problems
from vtiger_async.models.records import Record
from vtiger_async.models.validation import Known
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue, RecordId
from vtiger_async.vtql import F, Select
from vtiger_async.wire.encode import encode_element

__all__ = ["Conversion"]

_BEFORE_ANYTHING = (
    AccessDeniedError,
    AuthenticationError,
    InvalidIdError,
    LeadAlreadyConvertedError,
)
"""What the server says before it makes anything; what it says later has another code (measured)."""


class Caller(Protocol):
    """What a conversion asks of the client."""

    async def describe(self, module: str) -> Module:
        """Return a module's description; one that is kept costs no call."""
        ...

    async def retrieve(self, record_id: str) -> Record:
        """Return a record."""
        ...

    async def delete(self, record_id: str) -> None:
        """Delete a record."""
        ...


@define
class Conversion:
    """One conversion of a lead.

    Attributes:
        caller: Makes the calls.
        rows: Makes a query.
        core: What the client knows.
        lead: The lead.
        asked: Fields of the new records by module, as they were given.
        validate: The client's setting.
        resume: The failure to go on from.
        sent: The fields with what was filled in.
    """

    caller: Caller
    rows: Rows
    core: Core
    lead: RecordId
    asked: dict[str, dict[str, FieldValue]]
    validate: Literal["auto"] | bool
    resume: ConversionError | None = None
    sent: dict[str, dict[str, FieldValue]] = field(factory=dict[str, dict[str, FieldValue]])
    _known: Record | None = None
    _since: float = 0.0

    def element(self) -> dict[str, Any]:
        """Return the element of the call."""
        entities = {
            name: {**encode_element(name, fields), "create": True, "name": name}
            for name, fields in self.sent.items()
        }
        element: dict[str, Any] = {"leadId": str(self.lead), "entities": entities}
        if "Contacts" not in entities:
            # The lead's documents and activities go to the contact, by default. Without one the
            # open source takes everything back, and answers with null (read in its code).
            element["transferRelatedRecordsTo"] = "Accounts"
        return element

    async def prepare(self) -> None:
        """Fill in what is missing, check what can be known, and take back what was left behind.

        Raises:
            ValidationError: A part would fail, and leave the ones before it.
            LeadAlreadyConvertedError: It is converted; for `validate=True`, and with `resume`.
        """
        module = self.core.module_of(self.lead)
        if module is None and self.validate is True:
            await self.caller.describe("Leads")
            module = self.core.module_of(self.lead)
        if module != "Leads" and (module is not None or self.validate is True):
            # Measured on Vtiger 8.4: a record of another module is converted, too.
            reason = f"{self.lead} is no lead, but of {module or 'another module'}"
            raise InvalidIdError(reason, operation="convertlead", record_id=self.lead)
        self.sent = {name: dict(fields) for name, fields in self.asked.items()}
        await self._fill_stage()
        self.element()  # what cannot be sent is refused before anything is asked or taken back
        looks = self.validate is True or self.resume is not None
        if looks and await self._is_converted():
            raise LeadAlreadyConvertedError(
                "the lead is converted", operation="convertlead", record_id=self.lead
            )
        if self.validate is not False:
            await self._check()
        if self.resume is not None:
            await self._take_back(self.resume.left_behind)
        self._since = self.core.pipeline.admission.now()

    async def _fill_stage(self) -> None:
        """Give the deal its first stage, which the manual forgets and the open source wants."""
        deal = self.sent.get("Potentials")
        if deal is None or deal.get("sales_stage"):
            return
        try:
            stage = first_stage(await self.caller.describe("Potentials"))
        except AccessDeniedError:
            return  # who may not see deals may still convert leads (measured)
        if stage:
            deal["sales_stage"] = stage

    async def _check(self) -> None:
        """Ask the descriptions, as far as they may be asked for, what would fail.

        Raises:
            ValidationError: Something would.
        """
        problems: list[Problem] = []
        for name, fields in self.sent.items():
            described = self.core.cached(name)
            if described is None and self.validate is True:
                described = await self.caller.describe(name)
            if described is not None:
                known = Known(self.core.prefixes, self.core.dependencies(name))
                lead = self._known.fields if self._known else None
                problems += part_problems(described, fields, known, lead)
        if self.validate is True and not problems and "Accounts" in self.sent:
            problems += await self._duplicate(self.sent["Accounts"])
        if problems:
            raise ValidationError(
                problems=tuple(problems), operation="convertlead", record_id=self.lead
            )

    async def _duplicate(self, fields: Mapping[str, FieldValue]) -> list[Problem]:
        described = await self.caller.describe("Accounts")
        unique = described.fields.get("accountname")
        # A name that is given is that of an organisation to take, where there is one already.
        if unique is None or not unique.unique or fields.get("accountname") or not self._known:
            return []
        name = name_of("Accounts", fields, self._known.fields)
        statement = Select("Accounts", ("id",)).where(F["accountname"] == name)
        left = self.resume.left_behind.values() if self.resume else ()
        rows = [row.id for row in await self.rows(statement) if row.id not in left]
        if not rows:
            return []
        remedy = "give another, or this one to take the organisation that exists"
        return [Problem("Accounts.accountname", name, f"{rows[0]} has this name", remedy)]

    async def _take_back(self, left: Mapping[str, str]) -> None:
        """Delete what a failed conversion has left behind, unless somebody has use for it now.

        Raises:
            InvalidArgumentError: Somebody has.
        """
        ids: list[str] = []
        traces = self._traces()
        for name in ("Contacts", "Accounts"):
            if name not in left:
                continue
            try:
                record = await self.caller.retrieve(left[name])
            except AccessDeniedError:
                continue  # it is gone, or not ours to take back
            if not is_fresh(record) or await traces.is_used(name, left):
                raise InvalidArgumentError(
                    f"{left[name]} of {name} has been changed or used since it was made: it is not "
                    "taken back. Delete or rename it yourself, and convert without resume=",
                    operation="convertlead",
                    record_id=self.lead,
                )
            ids.append(left[name])
        for record_id in ids:
            await self.caller.delete(record_id)

    async def after_failure(self, error: VtigerError) -> dict[str, RecordId]:
        """Find out what came of a failed call; return the ids if the lead was converted after all.

        Raises:
            ConversionError: It was not, and records were left behind.
            VtigerError: The error itself, where nothing was.
        """
        if isinstance(error, DuplicateRecordError) and "Accounts" in self.asked:
            # The organisation is the first, and the one with a unique name: nothing was made now.
            error.message = (
                f"{error.message.rstrip('!')}: there is an organisation of this name, maybe from "
                "an earlier try that failed; the open source takes it where account= gives its name"
            )
            raise error
        suspects = self._suspects(error)
        if not suspects:
            raise error
        try:
            converted = await self._is_converted()
            names = [*self.asked] if converted else suspects
            found = await self._traces().found(names, fresh=not converted)
        except VtigerError:
            error.message += "; what it left behind could not be looked up"
            raise error from None
        if converted and found.keys() == self.asked.keys():
            return found
        if converted:
            error.message += "; the lead is converted, and not all that came of it was found"
            raise error
        if not found:
            raise error
        listed = ", ".join(f"{name} {record_id}" for name, record_id in found.items())
        raise ConversionError(
            f"{error.message}; the lead is not converted, and left behind: {listed}",
            left_behind=found,
            entities=self.asked,
            failure=error,
            operation="convertlead",
            module="Leads",
            record_id=self.lead,
            status=error.status,
            code=error.code,
            call_id=error.call_id,
            # What was lost is among the attempts of the error that says so.
            attempts=error.attempts[:-1]
            if isinstance(error, OutcomeUnknownError)
            else error.attempts,
        ) from error

    def _suspects(self, error: VtigerError) -> list[str]:
        """Return the modules of which a failed call may have made a record."""
        if isinstance(error, OutcomeUnknownError):
            return [*self.asked]
        if not isinstance(error, ApiError) or isinstance(error, _BEFORE_ANYTHING):
            return []
        if error.status == 404:
            return []  # this server does not know the operation
        # "sales_stage does not have a value : Potentials" (measured)
        failed = error.message.rpartition(" : ")[2]
        made = [*self.asked]
        return made[: made.index(failed)] if failed in made else made[:-1]

    async def after_nothing(self) -> dict[str, RecordId]:
        """Return the ids of what came of a call that was answered without any.

        Raises:
            SilentChangeError: The lead is not converted.
        """
        try:
            if await self._is_converted():
                return await self._traces().found([*self.asked], fresh=False)
        except VtigerError:
            return {}  # it cannot be told
        raise SilentChangeError(
            "answered with success, and the lead is not converted",
            operation="convertlead",
            module="Leads",
            record_id=self.lead,
        )

    async def _is_converted(self) -> bool:
        """Read the lead, and tell whether it is converted: queries leave those out (measured)."""
        rows = await self.rows(Select("Leads").where(F["id"] == self.lead))
        # A lead that is missing says so here.
        self._known = rows[0] if rows else await self.caller.retrieve(self.lead)
        return not rows

    def _traces(self) -> Traces:
        lead = self._known.fields if self._known else {}
        names = {name: name_of(name, fields, lead) for name, fields in self.sent.items()}
        return Traces(self.rows, self.caller.retrieve, names, self._since)
