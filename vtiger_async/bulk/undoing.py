"""Undoing a job: what it created is deleted, and what it changed is put back.

Where somebody has changed a record since, nothing is done to it. What counts is the content as it
is stored now, not only the time of the last change, which has whole seconds. A record that the job
has deleted cannot be brought back: the API has no such call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from vtiger_async.bulk.calling import Door, Reply, words
from vtiger_async.bulk.commits import Commits
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.errors import JournalError
from vtiger_async.bulk.events import JobEvent
from vtiger_async.bulk.holding import Hold
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.linking import resolve
from vtiger_async.bulk.matching import LINES
from vtiger_async.bulk.settling import Settling, differences, plain
from vtiger_async.bulk.steps import Step
from vtiger_async.bulk.undo_report import UndoReport, undo_report_of
from vtiger_async.clock import Clock
from vtiger_async.models.echo import silent_changes
from vtiger_async.models.records import Record

__all__ = ["UndoReport", "undo_job"]

_BATCH: Final = 100
_GRACE: Final = 60.0
_TRIES: Final = 5
_MODIFIED: Final = "modifiedtime"
_OWN: Final = frozenset({"id", _MODIFIED})
_NOT_COMPARED: Final = frozenset(
    {"_module", "label", "starred", "tags", LINES, "LineItems_FinalDetails", "productid"}
)
_TOTALS: Final = frozenset({"balance", "hdnGrandTotal", "hdnSubTotal", "pre_tax_total"})
"""What the CRM works out of a document's lines; the answer to a create has it in part."""


async def undo_job(
    crm: Crm,
    clock: Clock,
    journal: Journal,
    *,
    on_event: Callable[[JobEvent], object] | None = None,
    workers: int = 8,
    stop: anyio.Event | None = None,
    patience: float = 3600.0,
) -> UndoReport:
    """Undo a job, the last step first; it can be ended at any instant, and called again.

    Reading costs a call for each 100 records, and one for each document whose lines were written;
    each record that is put back costs another.

    Args:
        crm: The client.
        clock: The time.
        journal: The job's journal.
        on_event: Is called when it pauses, and when it goes on.
        workers: Calls that are under way at once.
        stop: Ends it when it is set.
        patience: Seconds for which the instance may fail at every call before it ends.

    Raises:
        JournalError: The journal is of another instance, or its job still runs.
        VtigerError: It cannot go on.
    """
    undo = _Undo(crm, clock, journal, on_event or (lambda _: None), workers, patience)
    return await undo.run(stop)


class _Undo:
    def __init__(
        self,
        crm: Crm,
        clock: Clock,
        journal: Journal,
        tell: Callable[[JobEvent], object],
        workers: int,
        patience: float,
    ) -> None:
        if journal.fact("instance") != crm.url:
            raise JournalError(f"{journal.path} is of a job on {journal.fact('instance')}")
        if journal.state in ("planning", "planned"):
            raise JournalError(f"{journal.path}: nothing was applied, there is nothing to undo")
        self._clock, self._journal, self._workers = clock, journal, workers
        self._loads = journal.loads
        self._door = Door(crm, workers)
        self._hold = Hold(
            self._door, clock, tell, self._end, stop_on_pause=False, patience=patience
        )
        self._settling = Settling(self._door, self._hold, clock, journal, self._loads)
        spent: int = journal.fact("calls") or 0
        self._commits = Commits(journal, lambda: {"calls": spent + self._door.calls})
        self._scope = anyio.CancelScope()
        self._error: Exception | None = None

    def _end(self, error: Exception | None) -> None:
        self._error = self._error or error
        self._scope.cancel()

    async def run(self, stop: anyio.Event | None) -> UndoReport:
        forget = self._door.watch()
        try:
            async with anyio.create_task_group() as group:
                self._scope = group.cancel_scope
                if stop is not None:
                    group.start_soon(self._until_stopped, stop)
                try:
                    await self._go_on()
                except Exception as error:  # noqa: BLE001 - raised below, when all has come to its end
                    self._end(error)
                group.cancel_scope.cancel()
        finally:
            forget()
        if self._error is not None:
            raise self._error
        return undo_report_of(self._journal, self._door.calls)

    async def _until_stopped(self, stop: anyio.Event) -> None:
        await stop.wait()
        self._end(None)

    async def _go_on(self) -> None:
        journal = self._journal
        await anyio.to_thread.run_sync(partial(journal.keep, state="undoing"))
        await anyio.to_thread.run_sync(journal.doubt)
        for turn in await anyio.to_thread.run_sync(journal.open_turns):
            await self._settling.settle(turn, self._commits.write, all_of_them=True)
        for turn in reversed(await anyio.to_thread.run_sync(journal.turns)):
            await self._turn(turn)
            tried = 1
            while left := await anyio.to_thread.run_sync(
                partial(journal.to_undo, turn, limit=_BATCH)
            ):
                if tried >= _TRIES:
                    self._close(left, "failed", f"the replies of {_TRIES} calls were lost")
                    await self._commits.write(left)
                    continue
                # Replies were lost: what came of them shows when the calls have surely ended.
                await self._clock.sleep(_GRACE)
                await self._turn(turn)
                tried += 1
        await anyio.to_thread.run_sync(partial(journal.keep, state="undone"))

    async def _turn(self, turn: int) -> None:
        before: int | None = None
        while steps := await anyio.to_thread.run_sync(
            partial(self._journal.to_undo, turn, before=before, limit=_BATCH)
        ):
            before = steps[-1].id
            groups: defaultdict[int, list[Step]] = defaultdict(list)
            for step in steps:
                groups[step.load].append(step)
            for load, group in groups.items():
                await self._group(load, group)

    async def _group(self, load: int, steps: list[Step]) -> None:
        info = self._loads[load]
        await anyio.to_thread.run_sync(resolve, self._journal, self._loads, steps)
        found = await self._settling.by_id(info, steps, whole=True)
        for record_id in {str(step.record_id) for step in steps if LINES in step.fields} & set(
            found
        ):
            # No query has lines, and whether somebody has changed them its fields do not tell.
            found[record_id] = await self._settling.ask(partial(_retrieved, record_id))
        others = await self._others(steps)
        pending: list[tuple[Step, dict[str, Any]]] = []
        for step in steps:
            record, other = found.get(str(step.record_id)), others.get((step.load, step.row))
            if step.action == "link" and other is not None and other.state == "done":
                step.undo = "done"  # it is undone together with the row's first call
                continue
            link = other if step.action != "link" else None
            old = {**({} if link is None else link.old), **step.old}
            if self._is_to_do(step, record, link, old, info.module):
                step.undo = "sent"
                pending.append((step, old))
        with anyio.CancelScope(shield=True):
            await self._commits.write(steps)
        todo = iter(pending)
        async with anyio.create_task_group() as workers:
            for _ in range(min(self._workers, len(pending))):
                workers.start_soon(self._guarded, todo)

    async def _others(self, steps: Sequence[Step]) -> dict[tuple[int, int], Step]:
        """Return by row what else was done: of a link its row's first step, else the row's link."""
        if not any(action == "link" for _, action, _ in self._journal.counts()):
            return {}
        found: dict[tuple[int, int], Step] = {}
        for links in (True, False):
            rows = [(one.load, one.row) for one in steps if (one.action == "link") is not links]
            of_rows = partial(self._journal.of_rows, rows, links=links)
            others = await anyio.to_thread.run_sync(of_rows)
            done = [one for one in others.values() if one.state == "done"]
            await anyio.to_thread.run_sync(resolve, self._journal, self._loads, done)
            found |= {(one.load, one.row): one for one in done}
        return found

    def _is_to_do(
        self,
        step: Step,
        record: Record | None,
        link: Step | None,
        old: Mapping[str, Any],
        module: str,
    ) -> bool:
        """Decide on a step by the record as it is; return whether a call is to be made."""
        if step.action == "delete":
            self._close([step], "refused", "a record that was deleted cannot be brought back")
            return False
        if record is None:
            if step.action == "create":
                step.undo = "done"  # it is gone, as it should be
            else:
                self._close([step], "refused", "the record cannot be found any more")
            return False
        sent = {*step.fields, *(() if link is None else link.fields)}
        lost = sorted(sent - old.keys()) if step.action != "create" else []
        is_doubted = step.undo == "sent" and step.action != "create" and not lost
        if is_doubted and not (differences(old, record, module) or _other_lines(old, record)):
            step.undo = "done"  # the reply was lost, or the process ended
            return False
        if changed := _changed(step, record, link, module):
            self._close([step], "refused", f"changed since: {', '.join(changed)}")
            return False
        if lost:
            text = f"the old values of {', '.join(lost)} are not known"
            self._close([step], "refused", text)
            return False
        return True

    @staticmethod
    def _close(steps: Sequence[Step], state: Any, reason: str) -> None:
        for step in steps:
            step.undo = state
            step.reason = [reason]

    async def _guarded(self, todo: Iterator[tuple[Step, dict[str, Any]]]) -> None:
        try:
            for step, old in todo:
                await self._call(step, old)
        except Exception as error:  # noqa: BLE001 - raised when all has come to its end
            self._end(error)

    async def _call(self, step: Step, old: dict[str, Any]) -> None:
        while True:
            await self._hold.wait()
            passage = await self._door.enter()
            began_at = self._clock.time()
            reply = await passage.make(_sending(step, old))
            self._hold.heed(reply, began_at)
            if reply.kind != "unsent":
                break
        with anyio.CancelScope(shield=True):
            await self._conclude(step, reply)

    async def _conclude(self, step: Step, reply: Reply) -> None:
        if reply.kind == "done":
            step.undo = "done"
            await self._commits.write([step])
        elif reply.kind == "refused" and reply.error is not None:
            self._close([step], "failed", words(reply.error))
            await self._commits.write([step])
        # What was lost stays "sent": the record tells, the next time it is read.


def _sending(step: Step, old: dict[str, Any]) -> Callable[[Crm], Any]:
    record_id = str(step.record_id)
    if step.action == "create":
        return lambda crm: crm.delete(record_id)
    return lambda crm: crm.revise(record_id, old, replace_lines="LineItems" in old)


async def _retrieved(record_id: str, crm: Crm) -> Record:
    return await crm.retrieve(record_id)


def _other_lines(left: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Tell whether a document has other lines than it was left with, where that is known."""
    lines = {LINES: left[LINES]} if LINES in left else {}
    # Of a field that no answer shows nothing can be said.
    return not all(change.is_ignored for change in silent_changes(lines, lines, record))


def _changed(step: Step, record: Mapping[str, Any], link: Step | None, module: str) -> list[str]:
    """Return the fields of a record that are other than the job has left them."""
    left = {**plain(step.fields, module), **step.stored}
    totals = _TOTALS if LINES in step.fields else frozenset[str]()
    lines = left.pop(LINES, None) or step.fields.get(LINES)
    if link is not None:
        left |= {**plain(link.fields, module), **link.stored}
    found: list[str] = []
    if _MODIFIED in left and str(record.get(_MODIFIED)) != str(left[_MODIFIED]):
        found.append(_MODIFIED)
    # What referred to a record of this job is empty once that was deleted.
    own = {*step.waits, *(() if link is None else link.waits)}
    compared = {
        name: value
        for name, value in left.items()
        if name in record and name not in _OWN | totals and (record[name] or name not in own)
    }
    if lines and _other_lines({LINES: lines}, record):
        found.append(LINES)
    found += [change.field for change in silent_changes(compared, compared, record)]
    if "id" in step.stored:  # all that had a value is known: what has one now was given one
        found += [
            name
            for name, value in record.items()
            if value and name not in left and name not in _NOT_COMPARED | _OWN | totals
        ]
    return found
