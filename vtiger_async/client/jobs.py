"""What takes many calls, as methods of the client; each is loaded by its first use."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from vtiger_async.client.calls import read_as
from vtiger_async.client.records import RecordOperations
from vtiger_async.errors import ApiError, ConversionError, OutcomeUnknownError
from vtiger_async.models import structuring
from vtiger_async.types import FieldValue, RecordId
from vtiger_async.vtql import Select

if TYPE_CHECKING:
    from vtiger_async.exports import ExportReport, FrameKind
    from vtiger_async.exports.crm import Crm as ExportCrm
    from vtiger_async.mirror import Deletes, Mirror, MirrorEvent, OnDrift, Sink
    from vtiger_async.mirror.crm import Crm as MirrorCrm
    from vtiger_async.models.parts import Part

__all__ = ["JobOperations"]

_MIRROR_WAIT = 7200.0
"""Seconds that a call of a mirror waits at least: for an hour's window, but not for a day's."""


class JobOperations(RecordOperations):
    """The part of the client that converts leads, and takes records out: tables, files, mirrors."""

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

    async def frame(self: ExportCrm, query: str | Select, *, to: FrameKind = "arrow") -> Any:
        """Return the records of a statement as a table with typed columns, in memory.

        The columns are `id`, the fields of the statement (with `*` all that are described, without
        those of line items), and `_extra`: a JSON object of what has no column, and of values that
        their type cannot hold. Decimals have 38 digits, 10 of them behind the point; a longer one
        stands in `_extra`, so no digit is lost. Moments are in UTC. It costs a `describe`, unless
        that is kept, and a call per 100 records.

        Needs the extra `arrow`, and Polars or pandas where their frame is wanted; that of pandas
        has Arrow's types.

        Args:
            query: VTQL, a Select, or a module's name for all of its records.
            to: `"arrow"` for a pyarrow.Table, `"polars"` or `"pandas"` for a DataFrame.

        Raises:
            ConfigurationError: A library is not installed.
            InvalidArgumentError: The statement cannot be sent, or counts.
            QuerySyntaxError: The text is not VTQL.
        """
        from vtiger_async.exports.frames import frame  # not every program wants it

        return await frame(self, query, to)

    async def export(
        self: ExportCrm,
        what: str | Select,
        to: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        restart: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> ExportReport:
        """Write records into a file, typed by their description; `.csv`, `.jsonl` or `.parquet`.

        The file has its name when it is complete: until then it is `FILE.part`, and beside it
        `FILE.state` tells where it stands. The same call goes on there after whatever ended the
        first: an error, a cancellation, a kill. No record is lost then, and none stands twice. A
        resumed export has the columns that it was begun with. The columns are those of `frame`. It
        costs a `describe`, unless that is kept, and a call per 100 records.

        Args:
            what: A module's name for all of its records, VTQL, or a Select.
            to: The file.
            overwrite: Whether it replaces a file that is there.
            restart: Whether to begin anew where an unfinished export of the file stands.
            progress: Is called after each page with the number of records so far.

        Raises:
            ExportError: The file is there, is being written by another export, stands for an
                unfinished export of something else, or cannot be written.
            ConfigurationError: Parquet was asked for, and pyarrow is not installed.
            InvalidArgumentError: The suffix is none of the three, or the statement cannot be sent.
            QuerySyntaxError: The text is not VTQL.
        """
        from vtiger_async.exports import Export  # not every program wants it

        return await Export(
            self, what, to, overwrite=overwrite, restart=restart, progress=progress
        ).run()

    def mirror(
        self,
        modules: Sequence[str],
        to: str | Sink,
        *,
        deletes: Deletes = "tombstone",
        drift: OnDrift = "evolve",
        reconcile: str | int | None = "5%",
        line_items: bool = True,
        administrator: bool | None = None,
        on_event: Callable[[MirrorEvent], object] | None = None,
    ) -> Mirror:
        """Return a mirror of modules: await it, or `follow()` it; see `vtiger_async.mirror`.

        Its calls have the priority `"sync"`, unless this client was given another one, and wait for
        the quota; where that is used up for hours, the mirror pauses and says until when.

        Args:
            modules: The modules.
            to: The URL of the place, as `"sqlite:///crm.db"`, or a `Sink`.
            deletes: What becomes of records that are gone: `"tombstone"` marks their rows,
                `"delete"` removes them. A `Sink` brings its own choice.
            drift: What is done when fields change: `"evolve"` changes the tables, `"freeze"` leaves
                them and keeps new fields in `_extra`, `"fail"` ends with the module.
            reconcile: Calls a day to find what no changes tell: a share of the day's limit, a
                number, or None for none.
            line_items: Whether quotes, orders and invoices are retrieved for their lines, a call
                for each that is new or has changed. False saves these calls; what only retrieve
                tells of a document (its discount, its shipping) is then empty.
            administrator: Whether this user is an administrator, to whom alone the server tells
                all changes; None asks it, with `me()`.
            on_event: Is called with each event, see `vtiger_async.mirror.events`.

        Raises:
            InvalidArgumentError: An argument cannot be used.
            SinkError: The sink needs an extra that is not installed.
        """
        from vtiger_async.mirror.mirror import Mirror  # few programs keep mirrors
        from vtiger_async.mirror.options import Options
        from vtiger_async.mirror.sinks import sink_of

        options = Options.of(
            modules, drift, reconcile, on_event, line_items=line_items, administrator=administrator
        )
        wait = max(self._options.max_wait, _MIRROR_WAIT)
        view = cast("MirrorCrm", self).with_options(
            priority=self._options.priority or "sync", max_wait=wait
        )
        clock = self._core.pipeline.admission.clock
        return Mirror(view, clock, self._surely_sees_all, sink_of(to, deletes), options)
