"""What came of calls whose reply was lost: asked of the CRM, up to a hundred records a call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import anyio.lowlevel
import anyio.to_thread
from attrs import define

from vtiger_async.bulk.calling import Door, words
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.holding import Hold
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.keys import Lookup
from vtiger_async.bulk.linking import resolve
from vtiger_async.bulk.steps import LoadInfo, Step
from vtiger_async.clock import Clock
from vtiger_async.errors import VtigerError
from vtiger_async.models.echo import silent_changes
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.types import LINE_MODULES, RecordId

__all__ = ["Settling", "differences", "kept_of"]

T = TypeVar("T")

_GRACE: Final = 60.0
"""Seconds after which a call whose reply was lost has ended on the server, too."""
_TRIES: Final = 5
"""How often a row is sent whose replies are all lost, and which is never found."""
_MODIFIED: Final = "modifiedtime"
_UNREAD: Final = frozenset({"LineItems"})
"""Fields that no query has."""
_DRIFTING: Final = frozenset({"_module", "label", "starred", "tags"})
"""What comes with a record, and is no field of it, or is each user's own."""


def plain(fields: Mapping[str, Any], module: str) -> dict[str, Any]:
    """Return the fields that a query can tell of: not line items, and what belongs to them."""
    left_out = _UNREAD | ({"productid"} if module in LINE_MODULES else set[str]())
    return {name: value for name, value in fields.items() if name not in left_out}


def differences(fields: Mapping[str, Any], record: Mapping[str, Any], module: str) -> list[str]:
    """Return the names of the fields that a record holds other than they were sent."""
    sent = plain(fields, module)
    return [change.field for change in silent_changes(sent, sent, record)]


def kept_of(step: Step, record: Mapping[str, Any], module: str, *, whole: bool) -> dict[str, Any]:
    """Return what a journal keeps of a record as a call has left it: see `Step.stored`.

    Args:
        step: The step that made the call.
        record: The record's fields.
        module: The module.
        whole: Whether these are all of a record that was created.
    """
    sent = plain(step.fields, module)
    names = [*sent, _MODIFIED, *(record if whole else ())]
    lines = {name: record[name] for name in _UNREAD & step.fields.keys() if name in record}
    return lines | {
        name: record[name]
        for name in names
        if name in record
        and name not in _DRIFTING
        and (name in step.waits or record[name] != sent.get(name))
        and (name in sent or (isinstance(record[name], str) and record[name]))
    }


@define(eq=False)
class Settling:
    """Settles the steps of a job whose outcome is unknown.

    Attributes:
        door: Where calls go in.
        hold: When they may.
        clock: The time.
        journal: The job's journal.
        loads: The job's loads.
    """

    door: Door
    hold: Hold
    clock: Clock
    journal: Journal
    loads: Sequence[LoadInfo]

    async def settle(
        self,
        turn: int,
        close: Callable[[Sequence[Step]], Awaitable[None]],
        *,
        all_of_them: bool,
    ) -> list[Step]:
        """Settle the unknown steps of a turn; return them with what came of each.

        A step that did not happen is `planned` again. What cannot be told is `lost`.

        Args:
            turn: The turn.
            close: Writes them, and tells of those that are closed.
            all_of_them: Whether to wait until the grace of each is over; else only those whose
                grace is over are settled.
        """
        settled: list[Step] = []
        after = 0
        while True:
            steps = await anyio.to_thread.run_sync(
                partial(self.journal.steps, ("unknown",), turn=turn, after=after)
            )
            if not steps:
                return settled
            after = steps[-1].id
            ripe_at = self.clock.time() - _GRACE
            if all_of_them:
                wait = max(step.sent_at or 0.0 for step in steps) - ripe_at
                await self.clock.sleep(wait) if wait > 0 else None
            else:
                steps = [step for step in steps if (step.sent_at or 0.0) <= ripe_at]
            await self._settle(steps)
            await close(steps)
            settled += steps

    async def _settle(self, steps: Sequence[Step]) -> None:
        await anyio.to_thread.run_sync(resolve, self.journal, self.loads, steps)
        groups: defaultdict[tuple[int, bool], list[Step]] = defaultdict(list)
        for step in steps:
            groups[step.load, step.action == "create"].append(step)
        for (load, are_creates), group in groups.items():
            info = self.loads[load]
            if not are_creates:
                await self._changes(info, group)
            elif info.key or info.mark:
                await self._creates(info, group)
            else:
                for step in group:
                    step.state = "lost"
                    step.reason = step.reason[-1:] or ["the process ended before its reply came"]

    async def _creates(self, info: LoadInfo, steps: Sequence[Step]) -> None:
        found = await self._by_key(info, steps)
        for step, records in zip(steps, found, strict=True):
            if records:
                self._is_done(step, records[-1], info.module)
            else:
                _again(step)

    async def _changes(self, info: LoadInfo, steps: Sequence[Step]) -> None:
        found = await self.by_id(info, steps)
        for step in steps:
            record = found.get(str(step.record_id))
            if step.action == "delete":
                if record is None:
                    step.state, step.settled, step.reason = "done", True, []
                else:
                    _again(step)
            elif record is None:
                step.state, step.reason = "failed", ["the record cannot be found any more"]
            elif "LineItems" in step.fields or differences(step.fields, record, info.module):
                _again(step)
            else:
                self._is_done(step, record, info.module)

    def _is_done(self, step: Step, record: Record, module: str) -> None:
        sent = plain(step.fields, module)
        step.reason = [str(change) for change in silent_changes(sent, sent, record)]
        step.state, step.settled, step.record_id = "done", True, str(record.id)
        step.stored = kept_of(step, record, module, whole=False)

    async def duplicate(self, step: Step, error: VtigerError) -> None:
        """Decide on a create that was refused since a unique value is there already.

        Of an upsert it becomes a change of the record that has the row's key.

        Args:
            step: The step.
            error: The refusal.
        """
        info = self.loads[step.load]
        records = (await self._by_key(info, [step]))[0] if info.key else []
        was_lost, reason = bool(step.reason), [words(error)]
        if not records:
            step.state, step.reason = "failed", reason
            return
        record = records[-1]
        if was_lost:  # it had happened, later than it was looked for
            self._is_done(step, record, info.module)
        elif info.mode == "create":
            step.state = "skipped"
            step.reason = [f"a record with this key is there: {record.id}"]
        elif "LineItems" in step.fields:
            step.state = "failed"
            step.reason = [f"a document with this key was made meanwhile: {record.id}"]
        else:
            names = differences(step.fields, record, info.module)
            step.fields = {name: step.fields[name] for name in names}
            step.old = {name: record.get(name) for name in names}
            step.record_id = str(record.id)
            step.action = "revise" if names else "none"
            step.state = "planned" if names else "unchanged"
            columns = ("action", "state", "record_id", "fields", "old", "sent_at")
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self.journal.write, [step], columns)

    async def by_id(
        self, info: LoadInfo, steps: Sequence[Step], *, whole: bool = False
    ) -> dict[str, Record]:
        """Return the records that steps are about, by id.

        Args:
            info: The load of the steps.
            steps: The steps.
            whole: Whether all fields are read, or those that were sent.
        """
        module = await self._module(info)
        names = list(module.fields) if whole else _names(module, steps)
        lookup = Lookup(self.door.reads, module, ("id",), names)
        values = [(step.record_id,) for step in steps if step.record_id]
        found = await self.ask(lambda _: lookup.find(values))
        return {str(records[0].id): records[0] for records in found.values()}

    async def _by_key(self, info: LoadInfo, steps: Sequence[Step]) -> list[list[Record]]:
        """Return for each step the records with its key, the newest last."""
        module = await self._module(info)
        key = info.key or (str(info.mark),)
        lookup = Lookup(self.door.reads, module, key, _names(module, steps))
        values = [tuple(_text(step.fields.get(name)) for name in key) for step in steps]
        found = await self.ask(lambda _: lookup.find(values))
        records = [found.get(lookup.key_of(one), []) for one in values]
        return [sorted(some, key=lambda one: RecordId(one.id).number) for some in records]

    async def _module(self, info: LoadInfo) -> Module:
        return await self.ask(lambda crm: crm.describe(info.module))

    async def ask(self, send: Callable[[Crm], Awaitable[T]]) -> T:
        """Make a call that reads, again and again until it is answered or the job ends."""
        while True:
            await self.hold.wait()
            began_at = self.clock.time()
            reply = await self.door.read(send)
            self.hold.heed(reply, began_at)
            if reply.kind == "done":
                value: T = reply.value
                return value
            if reply.kind == "refused":
                self.hold.end(reply.error)
            await anyio.lowlevel.checkpoint()


def _names(module: Module, steps: Sequence[Step]) -> list[str]:
    """Return the fields that steps have sent, as far as the module has them, and the time."""
    names = {name for step in steps for name in plain(step.fields, module.name)}
    return [name for name in module.fields if name in names or name == _MODIFIED]


def _again(step: Step) -> None:
    if len(step.reason) >= _TRIES:
        step.state = "failed"
        step.reason = [f"each of {_TRIES} calls failed and did nothing: {step.reason[-1]}"]
    else:
        step.state = "planned"


def _text(value: Any) -> str:
    return "" if value is None else str(value)
