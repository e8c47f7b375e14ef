"""Puts records for the names in rows: those that are there, that this job makes, or that it may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import anyio.to_thread
from attrs import define, frozen

from vtiger_async.bulk.drafts import Draft
from vtiger_async.bulk.extras import Extras
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.lines import put
from vtiger_async.bulk.matching import LINES
from vtiger_async.bulk.pending import OWNERS, Pending
from vtiger_async.bulk.preparing import Prepared
from vtiger_async.bulk.references import Candidates, Name, References, name_of
from vtiger_async.bulk.steps import Step
from vtiger_async.problems import Problem, shortened

__all__ = ["Parents", "Resolver"]

_Keys = dict[int, dict[str, Step]]
"""Steps by load and key."""
_MAKING: Final = ("create", "upsert")


@define(eq=False)
class Parents:
    """The job's own loads, as far as rows may refer to their records.

    Attributes:
        loads: All of them.
        planned: The places of those whose rows are all planned.
    """

    loads: Sequence[Prepared]
    planned: set[int]

    def of(self, pending: Pending) -> tuple[int, str] | None:
        """Return the load whose key is what the reference is called by, and that key's value."""
        for one in self.loads:
            by = pending.by
            if by in (None, "label"):
                by = one.module.label_fields[0] if len(one.module.label_fields) == 1 else None
            if (
                one.module.name in pending.modules
                and one.load.mode in _MAKING
                and one.load.key == (by,)
                and one.lookup is not None
            ):
                return one.index, one.lookup.key_of((pending.text,))
        return None


@frozen
class Resolver:
    """Resolves the references of drafts, some hundreds of rows at a time.

    Attributes:
        references: Finds records.
        extras: Plans records that are missing.
        parents: The job's own loads.
        journal: The job's journal.
    """

    references: References
    extras: Extras
    parents: Parents
    journal: Journal

    async def resolve(self, prepared: Prepared, drafts: Sequence[Draft], turn: int) -> None:
        """Fill the fields of drafts, or say why that cannot be.

        Args:
            prepared: The load they are of.
            drafts: Some drafts.
            turn: The turn for records that are created since they are missing.
        """
        wanted = [pending for draft in drafts for pending in draft.pending]
        if not wanted:
            return
        found = await self.references.find(wanted)
        made = await self._made(wanted, found)
        for draft in drafts:
            for pending in draft.pending:
                await self._settle(prepared, draft, pending, found[name_of(pending)], made, turn)

    async def _made(self, wanted: Sequence[Pending], found: Mapping[Name, Candidates]) -> _Keys:
        """Return the steps that make what is not there yet."""
        keys: defaultdict[int, set[str]] = defaultdict(set)
        for pending in wanted:
            parent = self.parents.of(pending)
            if parent is not None and not found[name_of(pending)].count:
                keys[parent[0]].add(parent[1])
        return {
            load: await anyio.to_thread.run_sync(self.journal.with_keys, load, sorted(some))
            for load, some in keys.items()
            if load in self.parents.planned
        }

    async def _settle(
        self,
        prepared: Prepared,
        draft: Draft,
        pending: Pending,
        candidates: Candidates,
        made: _Keys,
        turn: int,
    ) -> None:
        name = pending.field
        if candidates.count == 1 or (candidates.count and pending.ambiguous != "reject"):
            first = pending.ambiguous == "first"
            put(draft.fields, name, candidates.shown[0] if first else candidates.newest)
            return
        if candidates.count:
            reason = f"{candidates.count} records: {candidates}"
            draft.problems.append(_problem(pending, f"is the name of {reason}", "give an id"))
            return
        parent = self.parents.of(pending)
        if parent is not None:
            step = made.get(parent[0], {}).get(parent[1])
            if step is not None and step.record_id is not None:
                put(draft.fields, name, step.record_id)
                return
            if step is not None:
                draft.waits[name] = parent
                return
            if parent[0] not in self.parents.planned:
                draft.later[name] = parent
                return
        await self._missing(prepared, draft, pending, turn)

    async def _missing(self, prepared: Prepared, draft: Draft, pending: Pending, turn: int) -> None:
        if pending.missing == "empty" and not pending.field.startswith(LINES):
            return
        what = "no record has it"
        if pending.modules == OWNERS:
            what = "no user or group that is active, and seen by this user, has that name"
        elif not pending.modules:
            what = "the description does not tell what it refers to: give ids"
        if pending.missing == "create":
            owner = {k: str(v) for k, v in draft.fields.items() if k in prepared.owner and v}
            extra = await self.extras.add(pending, owner or prepared.owner, turn)
            if not isinstance(extra, str):
                draft.waits[pending.field] = extra
                return
            what = f"{what}, and {extra}"
        draft.problems.append(_problem(pending, f": {what}", ""))


def _problem(pending: Pending, reason: str, remedy: str) -> Problem:
    column = f"column {pending.column!r}: " if pending.column else ""
    text = f"{column}{shortened(pending.text)} {reason}".replace(" : ", ": ")
    return Problem(pending.field, pending.text, text, remedy)
