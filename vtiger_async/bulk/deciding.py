"""What becomes of a draft, once the records with its key are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from attrs import define

from vtiger_async.bulk.comparing import changed_fields
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.drafting import created_fields
from vtiger_async.bulk.drafts import Draft
from vtiger_async.bulk.matching import LINES
from vtiger_async.bulk.preparing import Prepared
from vtiger_async.bulk.steps import State, Step
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.problems import Problem
from vtiger_async.wire.encode import encode_element

__all__ = ["LAST_TURN", "Decisions"]

LAST_TURN: Final = 1_000_000
"""The turn of links, when every record is there."""
_SHOWN: Final = 3
"""Ids that a message shows."""


@define(eq=False)
class Decisions:
    """Makes steps of the drafts of one load.

    Attributes:
        crm: Reads the lines of documents.
        prepared: The load.
        turn: The turn of its steps.
    """

    crm: Crm
    prepared: Prepared
    turn: int

    async def step(self, draft: Draft, records: Sequence[Record]) -> Step:
        """Return what is to be done for a draft.

        Args:
            draft: The draft; its rows are one step, and one more for each further row.
            records: The records that have its key.
        """
        if draft.problems:
            return self.rejected(draft, draft.problems)
        try:
            return await self._decided(draft, records)
        except InvalidArgumentError as error:  # a value that no check knows, and JSON cannot hold
            return self.rejected(draft, [Problem("row", None, error.message)])

    async def _decided(self, draft: Draft, records: Sequence[Record]) -> Step:
        mode, ambiguous = self.prepared.load.mode, self.prepared.load.ambiguous
        if mode == "create":
            if not records:
                return self._created(draft)
            ids = ", ".join(str(record.id) for record in records[:_SHOWN])
            return self.skipped(draft, f"a record with this key is there: {ids}")
        if not records:
            if mode == "upsert":
                return self._created(draft)
            return self.skipped(draft, "no record has this key")
        if len(records) > 1 and ambiguous == "reject":
            ids = ", ".join(str(record.id) for record in records[:_SHOWN])
            more = ", ..." if len(records) > _SHOWN else ""
            reason = f"{len(records)} records have this key: {ids}{more}"
            name = ", ".join(self.prepared.load.key)
            return self.rejected(draft, [Problem(name, draft.key, reason)])
        record = records[-1] if ambiguous == "newest" else records[0]
        if mode == "delete":
            step = self._step(draft, "planned")
            step.action, step.record_id = "delete", str(record.id)
            return step
        return await self._revised(draft, record)

    def rejected(self, draft: Draft, problems: Sequence[Problem]) -> Step:
        """Return the step of a draft that cannot be written."""
        step = self._step(draft, "rejected")
        step.reason = [str(problem) for problem in problems]
        return step

    def skipped(self, draft: Draft, reason: str) -> Step:
        """Return the step of a draft that is left out as asked."""
        step = self._step(draft, "skipped")
        step.reason = [reason]
        return step

    def _step(self, draft: Draft, state: State) -> Step:
        number, row = draft.rows[0]
        return Step(
            self.prepared.index, number, "none", state, self.turn, key=draft.key, raw=dict(row)
        )

    def _created(self, draft: Draft) -> Step:
        prepared = self.prepared
        if prepared.load.key == ("id",):
            reason = f"there is no such record of {prepared.module.name} that this user sees"
            return self.rejected(draft, [Problem("id", draft.key, reason)])
        if draft.problems_of_create:
            return self.rejected(draft, draft.problems_of_create)
        if not prepared.module.createable:
            return self.rejected(draft, [Problem("row", None, "this user may not create records")])
        step = self._step(draft, "planned")
        step.action = "create"
        step.fields = encode_element(prepared.module.name, created_fields(prepared, draft))
        step.waits = dict(draft.waits)
        return step

    async def _revised(self, draft: Draft, record: Record) -> Step:
        if draft.problems_of_revise:
            return self.rejected(draft, draft.problems_of_revise)
        if not self.prepared.module.updateable:
            return self.rejected(draft, [Problem("row", None, "this user may not change records")])
        module, given = self.prepared.module, draft.fields
        sent = encode_element(module.name, {n: v for n, v in given.items() if n != "id"})
        stored: Any = record.fields
        if LINES in sent:
            # Only a retrieve shows lines: one call for a document.
            stored = {**stored, LINES: (await self.crm.retrieve(record.id)).fields.get(LINES)}
        names = changed_fields(module, given, sent, stored)
        step = self._step(draft, "planned")
        step.record_id = str(record.id)
        step.waits = dict(draft.waits)
        if any(name.startswith(f"{LINES}[") for name in draft.waits) and LINES not in names:
            names.append(LINES)
        if names or step.waits:
            step.action = "revise"
            step.fields = {name: sent[name] for name in names}
            step.old = {name: stored.get(name) for name in names}
            step.old |= {name: stored.get(name) for name in draft.waits if name in stored}
        else:
            step.state = "unchanged"
        return step
