"""A window of rows: their keys are looked up together, and repeats of a key are seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from anyio.to_thread import run_sync
from attrs import define, field

from vtiger_async.bulk.deciding import LAST_TURN, Decisions
from vtiger_async.bulk.drafts import Draft
from vtiger_async.bulk.extras import Extras
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.lines import put
from vtiger_async.bulk.steps import State, Step
from vtiger_async.models.records import Record
from vtiger_async.problems import Problem

__all__ = ["Window"]

_KEYS: Final = 1000
"""Keys that are looked up together: ten calls, all of them full."""
_ROWS: Final = 4000
"""Rows that a window holds at most, where many repeat a key."""
_CLOSED: Final = ("rejected", "skipped")


@define(eq=False)
class Window:
    """Rows of one load that wait to be decided together.

    Attributes:
        decisions: Makes steps.
        journal: The job's journal.
        extras: Records that are created since they are missing.
        loads: The loads whose rows are the same record where they have the same key, by index.
        last_turn: The last turn that a step has.
    """

    decisions: Decisions
    journal: Journal
    extras: Extras
    loads: Sequence[int]
    last_turn: int = field(init=False)
    _drafts: list[Draft] = field(factory=list[Draft], init=False)
    _keys: dict[str, tuple[str, ...]] = field(factory=dict[str, tuple[str, ...]], init=False)
    _known: dict[str, Step] = field(factory=dict[str, Step], init=False)

    def __attrs_post_init__(self) -> None:
        self.last_turn = self.decisions.turn

    @property
    def room(self) -> int:
        """How many rows may be added; none where it is to be closed."""
        return min(_KEYS - len(self._keys), max(0, _ROWS - len(self._drafts)))

    @property
    def _index(self) -> int:
        return self.decisions.prepared.index

    @property
    def _is_last(self) -> bool:
        return self.decisions.prepared.load.repeats == "last"

    async def add(self, drafts: Sequence[Draft]) -> None:
        """Add rows, at most `room` of them."""
        self._drafts.extend(drafts)
        if self.decisions.prepared.lookup is None:
            return
        keyed = {one.key: one for one in drafts if one.key is not None and not one.problems}
        new = [key for key in keyed if key not in self._keys and key not in self._known]
        known = await self._steps_of(new)
        self._known.update(known)
        for key in new:
            values = keyed[key].values
            # A key that an earlier row has needs no call, unless this row is the one that counts.
            if values is not None and (key not in known or self._is_last):
                self._keys[key] = values

    async def _steps_of(self, keys: Sequence[str]) -> dict[str, Step]:
        """Return the steps of earlier windows that have the keys."""
        found: dict[str, Step] = {}
        for load in self.loads if keys else ():
            found |= await run_sync(self.journal.with_keys, load, keys)
        return found

    async def close(self) -> None:
        """Decide all rows, and write their steps into the journal."""
        if not self._drafts:
            return
        lookup = self.decisions.prepared.lookup
        found: dict[str, list[Record]] = {}
        if lookup is not None and self._keys:
            found = await lookup.find(list(self._keys.values()))
        await self._know_parents()
        steps: list[Step] = []
        replaced: list[Step] = []
        for draft in self._drafts:
            records = found.get(draft.key or "", [])
            step = await self._decided(draft, records, replaced)
            self.last_turn = max(self.last_turn, step.turn)
            steps.append(step)
            if draft.later and step.state not in _CLOSED:
                steps.append(_link(draft, step, records))
            steps.extend(_of_lines(draft, step))
        earlier = [step for step in replaced if step.id]  # the others are not written yet
        await run_sync(self.journal.add, [*self.extras.taken(), *steps])
        if earlier:
            names = ("state", "action", "reason")
            await run_sync(self.journal.write, earlier, names)
        self._drafts, self._keys, self._known = [], {}, {}

    async def _know_parents(self) -> None:
        """Look for earlier rows of this load that rows of this window refer to."""
        keys = {
            key
            for draft in self._drafts
            for load, key in draft.later.values()
            if load == self._index and key not in self._known
        }
        if keys:
            self._known |= await run_sync(self.journal.with_keys, self._index, sorted(keys))

    async def _decided(self, draft: Draft, records: Sequence[Record], replaced: list[Step]) -> Step:
        """Return a draft's step; an earlier one of the same key is skipped, if the last counts."""
        decisions, repeats = self.decisions, self.decisions.prepared.load.repeats
        before = None
        if draft.key is not None and decisions.prepared.lookup is not None and not draft.problems:
            before = self._known.get(draft.key)
        if before is not None and not self._is_last:
            reason = f"repeats row {before.row}"
            if before.load != self._index:
                reason += f" of load {before.load + 1}"
            if repeats == "first":
                return decisions.skipped(draft, reason)
            name = ", ".join(decisions.prepared.load.key)
            return decisions.rejected(draft, [Problem(name, draft.key, reason)])
        turn = self._given_parents(draft)
        step = await decisions.step(draft, records)
        step.turn = max(step.turn, turn)
        if step.state in _CLOSED or draft.key is None:
            return step
        if before is not None:
            before.state, before.action = "skipped", "none"
            before.reason = [f"row {draft.row} repeats it"]
            replaced.append(before)
        self._known[draft.key] = step
        return step

    def _given_parents(self, draft: Draft) -> int:
        """Let a row wait for earlier rows of its load; return the turn after theirs.

        So the record needs no second call. Where the last of several rows counts, what an earlier
        one makes is not known yet.
        """
        turn = 0
        for name, (load, key) in list(draft.later.items()):
            parent = None if load != self._index or self._is_last else self._known.get(key)
            if parent is None or key == draft.key:
                continue
            if parent.record_id is not None:
                put(draft.fields, name, parent.record_id)
            else:
                draft.waits[name] = (load, key)
                turn = max(turn, parent.turn + 1)
            del draft.later[name]
        return turn


def _link(draft: Draft, step: Step, records: Sequence[Record]) -> Step:
    """Return the step that gives a record what is there only when all rows are done."""
    stored: dict[str, Any] = {}
    for record in records:
        if str(record.id) == step.record_id:
            stored = record.fields
    link = Step(step.load, step.row, "link", turn=LAST_TURN, key=step.key)
    link.record_id = step.record_id
    link.waits = dict(draft.later)
    link.old = {name: stored[name] for name in draft.later if name in stored}
    # Until all is planned, what the record is called; see `settle_links`.
    texts = {pending.field: pending.text for pending in draft.pending}
    link.stored = {name: texts[name] for name in draft.later}
    return link


def _of_lines(draft: Draft, step: Step) -> Iterable[Step]:
    """Yield the steps of a document's further rows."""
    for place, (number, row) in enumerate(draft.rows[1:], 2):
        state: State = "skipped"
        reason = f"line {place} of row {draft.row}"
        if step.state == "rejected":
            state, reason = "rejected", f"row {draft.row} of the same document is rejected"
        yield Step(
            step.load,
            number,
            "none",
            state,
            step.turn,
            key=step.key,
            raw=dict(row),
            reason=[reason],
        )
