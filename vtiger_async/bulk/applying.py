"""Applying a plan: from the journal to the CRM, so that nothing is lost and nothing is doubled.

What a call is to do is durable before it is sent, and what came of it after; a job that ends at any
instant goes on where it was. Work is done while somebody asks for the next outcome, and at no other
time: whoever leaves the loop leaves nothing running behind.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Self

import anyio
import anyio.lowlevel
import anyio.to_thread

from vtiger_async.bulk.calling import Door
from vtiger_async.bulk.commits import Commits
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.errors import JournalError, PlanUnfinishedError
from vtiger_async.bulk.events import JobEvent
from vtiger_async.bulk.holding import Hold
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.outcomes import Outcome, Report
from vtiger_async.bulk.reporting import outcome_of, report_of
from vtiger_async.bulk.settling import Settling
from vtiger_async.bulk.steps import State, Step
from vtiger_async.bulk.strategy import MultiWrite
from vtiger_async.bulk.working import Feed, Work
from vtiger_async.clock import Clock

__all__ = ["Job"]

_BUFFER: Final = 100
_STRETCH: Final = 2.0
"""Outcomes, and seconds after the first of them, after which the caller gets what has come."""
_AT_PLANNING: Final[tuple[State, ...]] = ("unchanged", "skipped", "rejected")
"""The states of steps that planning has closed."""


class Job:
    """A planned job that is applied: iterate over it, or `await job.run()`.

    The iteration yields what came of each row that this run closes; the first run begins with the
    rows for which planning found nothing to call. Work is done in stretches: after 100 outcomes, or
    2 seconds after the first, calls that are under way come to their end, and are in the journal;
    then the outcomes are given, and nothing runs until the last of them was taken. `run` does
    without these stops, and is faster where no quota holds calls back.

    Where the iteration is left, cancelled, or ends with an error, calls under way come to their end
    first. What is open then is done by the next Job on the journal; no call is repeated.

    Args:
        crm: The client.
        clock: The time.
        journal: The journal of a job that is planned.
        strategy: What creates many records in one call, if anything does.
        on_event: Is called when the job pauses, and when it goes on.
        workers: Calls that are under way at once.
        stop: Ends the job when it is set; what is under way comes to its end.
        stop_on_pause: Whether the job ends where it would wait for more than ten minutes for quota.
        patience: Seconds for which the instance may fail at every call before the job ends.
        owns_journal: Whether the journal is closed when the job has ended, or with `aclose()`.

    Raises:
        JournalError: It is the journal of another instance, or not of a job that can be applied.
        PlanUnfinishedError: Its planning was cut short.
    """

    def __init__(
        self,
        crm: Crm,
        clock: Clock,
        journal: Journal,
        *,
        strategy: MultiWrite | None = None,
        on_event: Callable[[JobEvent], object] | None = None,
        workers: int = 8,
        stop: anyio.Event | None = None,
        stop_on_pause: bool = False,
        patience: float = 3600.0,
        owns_journal: bool = False,
    ) -> None:
        _check(crm, journal)
        self._owns_journal = owns_journal
        self._report: Report | None = None
        self._journal = journal
        self._clock = clock
        self._workers = workers
        self._stop = stop
        self._loads = journal.loads
        self._has_links = any(action == "link" for _, action, _ in journal.counts())
        self._planning_after: int | None = 0 if journal.state == "planned" else None
        self._outcomes: deque[Outcome] = deque()
        self._listener: Callable[[Outcome], object] = self._outcomes.append
        self._has_one = anyio.Event()
        self._feed: Feed | None = None
        self._error: Exception | None = None
        self._is_over = False
        self._scope = anyio.CancelScope()
        self._seconds = 0.0
        self._door = Door(crm, workers)
        spent: int = journal.fact("calls") or 0
        commits = Commits(journal, lambda: {"calls": spent + self._door.calls})
        hold = Hold(self._door, clock, on_event or _ignore, self._end, stop_on_pause, patience)
        settling = Settling(self._door, hold, clock, journal, self._loads)
        self._work = Work(
            self._door, hold, clock, commits, settling, self._loads, self._emit, strategy
        )

    def __repr__(self) -> str:
        return f"<Job {self._journal.path}>"

    @property
    def calls(self) -> int:
        """The calls that this run has made so far."""
        return self._door.calls

    def report(self) -> Report:
        """Return what came of the job so far, in all its runs."""
        report = self._report or report_of(self._journal)
        report.seconds = self._seconds
        return report

    async def __aenter__(self) -> Self:
        """Return the job."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it, as `aclose` does."""
        await self.aclose()

    async def aclose(self) -> None:
        """End the job where it is; whoever leaves the iteration early calls it, or uses `with`.

        Nothing runs between two outcomes, so there is nothing to wait for but the closing of the
        journal. What is open is done by the next job on it.
        """
        self._is_over = True
        if self._owns_journal and self._report is None:
            self._report = await anyio.to_thread.run_sync(report_of, self._journal)
            self._journal.close()

    def __aiter__(self) -> Self:
        """Return the job."""
        return self

    async def __anext__(self) -> Outcome:
        """Work until an outcome is there, and return it.

        Raises:
            VtigerError: The job cannot go on: the instance cannot be reached, or refuses the user.
            JournalError: The journal cannot be written.
        """
        while not self._outcomes:
            if self._is_over:
                await self.aclose()
                raise StopAsyncIteration
            await self._stretch(self._until_some_came)
        return self._outcomes.popleft()

    async def run(self, on_outcome: Callable[[Outcome], object] | None = None) -> Report:
        """Do all that is to be done, and return the report.

        Args:
            on_outcome: Is called with each outcome.

        Raises:
            VtigerError: As with the iteration.
        """
        listener = on_outcome or _ignore
        for outcome in self._outcomes:
            listener(outcome)
        self._outcomes.clear()
        self._listener = listener
        try:
            while not self._is_over:
                await self._stretch(None)
        finally:
            self._listener = self._outcomes.append
        await self.aclose()
        return self.report()

    # A stretch of work: everything that runs, runs within it.

    async def _stretch(self, until: Callable[[], Coroutine[Any, Any, None]] | None) -> None:
        began_at = self._clock.monotonic()
        self._has_one = anyio.Event()
        forget = self._door.watch()
        try:
            async with anyio.create_task_group() as group:
                self._scope = group.cancel_scope
                if self._stop is not None:
                    group.start_soon(self._until_stopped, self._stop)
                if until is not None:
                    group.start_soon(until)
                await self._go_on()
                group.cancel_scope.cancel()
        finally:
            forget()
            self._seconds += self._clock.monotonic() - began_at
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def _until_some_came(self) -> None:
        await self._has_one.wait()
        await anyio.sleep(_STRETCH)
        self._scope.cancel()

    async def _until_stopped(self, stop: anyio.Event) -> None:
        await stop.wait()
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        """End the job: with an error, or without."""
        self._is_over = True
        self._error = self._error or error
        self._scope.cancel()

    async def _go_on(self) -> None:
        """Do what is to be done until nothing is left, or the stretch is ended."""
        journal = self._journal
        try:
            await anyio.to_thread.run_sync(journal.doubt)
            await self._tell_what_planning_closed()
            while turns := await anyio.to_thread.run_sync(journal.open_turns):
                await self._do_turn(turns[0])
            await anyio.to_thread.run_sync(partial(journal.keep, state="done", calls=self._spent()))
            self._is_over = True
        except Exception as error:  # noqa: BLE001 - raised by the stretch, when all has come to its end
            self._end(error)

    def _spent(self) -> int:
        facts = self._work.commits.facts() or {}
        return int(facts["calls"])

    async def _tell_what_planning_closed(self) -> None:
        while (after := self._planning_after) is not None:
            with anyio.CancelScope(shield=True):
                steps = await anyio.to_thread.run_sync(
                    partial(self._journal.steps, _AT_PLANNING, after=after)
                )
                self._planning_after = steps[-1].id if steps else None
                await self._emit(steps)
                if not steps:
                    await anyio.to_thread.run_sync(partial(self._journal.keep, state="applying"))
            await anyio.lowlevel.checkpoint()

    async def _do_turn(self, turn: int) -> None:
        """Do the planned steps of a turn, then settle the unknown ones: not all may be closed."""
        work = self._work
        if self._feed is None or self._feed.turn != turn:
            self._feed = Feed(self._journal, self._loads, turn, work.close)
        async with anyio.create_task_group() as workers:
            for _ in range(self._workers):
                workers.start_soon(self._guarded, self._feed)
        await anyio.lowlevel.checkpoint()
        self._feed, work.unknown = None, 0
        await work.settling.settle(turn, work.close, all_of_them=True)

    async def _guarded(self, feed: Feed) -> None:
        try:
            await self._work.work(feed)
        except Exception as error:  # noqa: BLE001 - raised by the stretch, when all has come to its end
            self._end(error)

    async def _emit(self, steps: Sequence[Step]) -> None:
        """Hand out what came of rows whose steps are closed for good."""
        rows = [(step.load, step.row) for step in steps]
        links: dict[tuple[int, int], Step] = {}
        mains: dict[tuple[int, int], Step] = {}
        if self._has_links:
            get = self._journal.of_rows
            links = await anyio.to_thread.run_sync(partial(get, rows, links=True))
            mains = await anyio.to_thread.run_sync(get, rows)
        for step in steps:
            row = (step.load, step.row)
            main = mains.get(row, step) if step.action == "link" else step
            outcome = outcome_of(main, self._loads[step.load], links.get(row))
            if outcome is not None:
                self._listener(outcome)
        if self._outcomes:
            self._has_one.set()
            if len(self._outcomes) >= _BUFFER:
                self._scope.cancel()


def _ignore(_: object) -> None:
    """Do nothing."""


def _check(crm: Crm, journal: Journal) -> None:
    instance, state = journal.fact("instance"), journal.state
    if instance != crm.url:
        raise JournalError(
            f"{journal.path} is of a job on {instance}, and the client's is {crm.url}"
        )
    if state == "planning":
        raise PlanUnfinishedError.of(journal.path)
    if state in ("undoing", "undone"):
        raise JournalError(f"{journal.path}: the job was undone: plan again, into another file")
