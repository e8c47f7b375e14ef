"""Jobs that hold back, stop, or are stopped: told, drained, and resumed without a call repeated."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from tests.bulk.jobs import (
    LEADS,
    accounts,
    ending_after,
    job_of,
    lead,
    names_in,
    outcomes,
    planned,
)
from vtiger_async import ConnectError, Limits, OutcomeUnknownError, VtigerClient
from vtiger_async.bulk.applying import Job
from vtiger_async.bulk.events import JobEvent, Paused, Resumed, Unreachable
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.outcomes import Created, Outcome
from vtiger_async.bulk.reporting import report_of
from vtiger_async.clock import SystemClock
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
LIMITS = Limits(minute=60, hour=None, day=150)


def leads(path: Path, count: int) -> Journal:
    """Return a job of creates that have no key, of which each repetition would show."""
    return planned(path, [lead(row) for row in range(1, count + 1)], [LEADS])


def all_leads(sandbox: Sandbox, count: int) -> bool:
    """Return whether each lead is there, and once only."""
    names = names_in(sandbox, "Leads", "lastname")
    return sorted(names) == [f"Lead {row:05}" for row in range(1, count + 1)]


@pytest.mark.virtual_time
@pytest.mark.parametrize("policy", ["rolling", "utc"])
async def test_a_pause_is_told_once_and_ends_by_itself(path: Path, policy: str) -> None:
    """When the day is used up the job tells until when, waits, and goes on; no call is refused."""
    limits = Limits(60, None, 150, policy)  # type: ignore[arg-type]  # one of the two
    told: list[JobEvent] = []
    with Sandbox(limits=limits, records=0) as sandbox:
        async with sandbox.client(limits=limits) as crm:
            job = job_of(sandbox, crm, leads(path, 200), on_event=told.append)
            got = await outcomes(job)
        assert Counter(map(type, got)) == {Created: 200}
        assert all_leads(sandbox, 200)
        ledger = sandbox.ledger()
    # A last call, kept back while others were under way, may go when the pause looks again.
    kinds = [type(one) for one in told]
    assert kinds in ([Paused, Resumed], [Paused, Resumed] * 2), told
    paused, resumed = told[-2:]
    assert isinstance(paused, Paused)
    assert paused.window == "day"
    assert timedelta(0) < paused.until - paused.at <= timedelta(days=1, minutes=10)
    assert abs(resumed.at - paused.until) < timedelta(minutes=20)
    assert (ledger["granted"], ledger["refused"]) == (200, 0)


class Ticking(SystemClock):
    """A clock that goes by whole milliseconds, and never shows a whole microsecond."""

    looks = 0

    def time(self) -> float:
        """Return the wall time."""
        return 1.8e9 + self.monotonic()

    def monotonic(self) -> float:
        """Return the time at the last tick."""
        return math.floor(super().monotonic() * 1000) / 1000 + 3e-7

    async def sleep(self, seconds: float) -> None:
        """Wait, but not for ever shorter than the clock can tell."""
        self.looks += seconds < 1e-6
        assert self.looks < 100
        await super().sleep(seconds)


async def test_a_job_goes_on_whatever_the_clock_shows(sandbox: Sandbox, path: Path) -> None:
    """Fractions of a microsecond, of which a snapshot of the quota has none, hold nothing back."""
    clock = Ticking()
    async with sandbox.client(limits=Limits(6000, None, 9000), clock=clock) as crm:
        job = Job(crm, clock, leads(path, 20))
        with anyio.fail_after(10):
            await job.run()
    assert all_leads(sandbox, 20)
    assert clock.looks == 0


@pytest.mark.virtual_time
async def test_a_job_that_shall_not_wait_ends_at_the_pause(path: Path) -> None:
    """With `stop_on_pause` the job ends, and another goes on the next day, with no call more."""
    told: list[JobEvent] = []
    with Sandbox(limits=LIMITS, records=0) as sandbox:
        async with sandbox.client(limits=LIMITS) as crm:
            journal = leads(path, 200)
            job = job_of(sandbox, crm, journal, stop_on_pause=True, on_event=told.append)
            first = await outcomes(job)
            assert [type(one) for one in told] == [Paused]
            assert len(first) == 200 - job.report().open
            assert job.report().open >= 50
            assert journal.counts()[0, "create", "planned"] == job.report().open
            assert journal.state == "applying"
            await sandbox.clock.sleep(90_000)
            second = await outcomes(job_of(sandbox, crm, journal, stop_on_pause=True))
        assert len(first) + len(second) == 200
        assert all_leads(sandbox, 200)
        assert sandbox.ledger()["granted"] == 200


@pytest.mark.virtual_time
async def test_interactive_calls_go_on_while_a_job_waits(path: Path) -> None:
    """A job that has used up its part of the day leaves room for people: none of them waits."""
    waits: list[float] = []
    told: list[JobEvent] = []

    async def people(crm: VtigerClient) -> None:
        while not told or sandbox.clock.time() < told[0].at.timestamp() + 1800:
            begin = anyio.current_time()
            await crm.me()
            waits.append(anyio.current_time() - begin)
            await anyio.sleep(1200)
        stop.set()

    stop = anyio.Event()
    limits = Limits(60, None, 200, "rolling")
    journal = leads(path, 250)
    with Sandbox(limits=limits, records=0) as sandbox:
        async with sandbox.client(limits=limits) as crm, anyio.create_task_group() as group:
            group.start_soon(people, crm)
            await anyio.sleep(3600)
            await job_of(sandbox, crm, journal, on_event=told.append, stop=stop).run()
        assert sandbox.ledger()["refused"] == 0
    assert report_of(journal).open > 50
    assert len(waits) >= 5
    assert max(waits) < 60.0
    assert [type(one) for one in told] == [Paused]


async def test_leaving_the_loop_leaves_nothing_behind(sandbox: Sandbox, path: Path) -> None:
    """After a `break` no call is under way, the journal knows all of them, and the rest is done."""
    journal = leads(path, 60)
    async with sandbox.client() as crm:
        async for _ in job_of(sandbox, crm, journal):
            break
        assert crm.quota.in_flight == crm.quota.waiting == 0
        made = len(names_in(sandbox, "Leads", "lastname"))
        assert journal.counts().get((0, "create", "done")) == made
        assert journal.counts().get((0, "create", "planned"), 0) == 60 - made
        job = job_of(sandbox, crm, journal)
        assert len(await outcomes(job)) == 60 - made
        assert job.report().calls == 60
    assert all_leads(sandbox, 60)
    assert sandbox.ledger()["calls"] == {"create": 60}


@pytest.mark.parametrize("calls", [1, 2, 7, 8, 9, 23])
async def test_a_cancelled_job_is_drained(sandbox: Sandbox, path: Path, calls: int) -> None:
    """Cancelled in the midst of any call, the job ends it, and the next goes on behind it."""
    journal = leads(path, 40)
    sandbox.faults.add("latency", seconds=0.01)
    got: list[Outcome] = []
    async with sandbox.client() as crm:
        for _ in range(3):
            with anyio.CancelScope() as scope, ending_after(crm, calls, scope.cancel):
                await job_of(sandbox, crm, journal).run(got.append)
            assert crm.quota.in_flight == crm.quota.waiting == 0
            states = {state for _, _, state in journal.counts()}
            assert states <= {"done", "planned"}
        await job_of(sandbox, crm, journal).run(got.append)
    assert Counter(one.row for one in got) == Counter(range(1, 41))
    assert all_leads(sandbox, 40)
    assert sandbox.ledger()["calls"] == {"create": 40}


@pytest.mark.parametrize("instant", [0.0, 0.001, 0.003, 0.01, 0.02, 0.03, 0.05])
async def test_a_job_cancelled_at_any_instant_goes_on(
    sandbox: Sandbox, path: Path, instant: float
) -> None:
    """Wherever a timeout strikes, each row is told of once, by the same job that is asked again."""
    sandbox.faults.add("latency", seconds=0.002)
    journal = leads(path, 60)
    got: list[Outcome] = []
    async with sandbox.client() as crm:
        job = job_of(sandbox, crm, journal)
        for _ in range(5):
            with anyio.move_on_after(instant):
                async for outcome in job:
                    got.append(outcome)  # noqa: PERF401 - what came before the timeout counts
        got += await outcomes(job)
    assert Counter(one.row for one in got) == Counter(range(1, 61))
    assert all_leads(sandbox, 60)


async def test_a_stop_ends_the_job_between_two_calls(sandbox: Sandbox, path: Path) -> None:
    """When `stop` is set, what is under way comes to its end, and the rest stays open."""
    journal = leads(path, 60)
    stop = anyio.Event()
    async with sandbox.client() as crm:
        job = job_of(sandbox, crm, journal, stop=stop)
        with ending_after(crm, 20, stop.set):
            got = await outcomes(job)
        report = job.report()
        assert 20 <= len(got) == report.created < 40
        assert report.open == 60 - len(got)
        got += await outcomes(job_of(sandbox, crm, journal))
    assert all_leads(sandbox, 60)
    assert len(got) == 60


@pytest.mark.virtual_time
async def test_an_instance_that_cannot_be_reached_is_waited_for(
    sandbox: Sandbox, path: Path
) -> None:
    """Refused connections cost no row: the job tells once, tries seldom, and goes on."""
    sandbox.faults.add("refuse", after=10, times=40)
    told: list[JobEvent] = []
    async with sandbox.client() as crm:
        job = job_of(sandbox, crm, leads(path, 30), on_event=told.append)
        got = await outcomes(job)
    assert Counter(map(type, got)) == {Created: 30}
    assert [type(one) for one in told] == [Unreachable, Resumed]
    assert all_leads(sandbox, 30)
    assert sandbox.ledger()["calls"]["create"] == job.report().calls == 30


@pytest.mark.virtual_time
async def test_an_outage_without_end_ends_the_job(sandbox: Sandbox, path: Path) -> None:
    """After `patience` the failure is raised; no row is lost, and the job goes on later."""
    rule = sandbox.faults.add("refuse")
    journal = leads(path, 30)
    async with sandbox.client() as crm:
        begin = sandbox.clock.monotonic()
        with pytest.raises(ConnectError):
            await outcomes(job_of(sandbox, crm, journal, patience=1800.0))
        assert 1800 <= sandbox.clock.monotonic() - begin < 2000
        assert journal.counts() == {(0, "create", "planned"): 30}
        sandbox.faults.remove(rule.number)
        assert len(await outcomes(job_of(sandbox, crm, journal))) == 30
    assert all_leads(sandbox, 30)


@pytest.mark.virtual_time
async def test_a_failing_server_does_not_take_all_rows_with_it(
    sandbox: Sandbox, path: Path
) -> None:
    """While every create ends in HTTP 500, few of those without a key are tried."""
    sandbox.faults.add("500", operation="create")
    journal = leads(path, 500)
    async with sandbox.client() as crm:
        with pytest.raises(OutcomeUnknownError):
            await job_of(sandbox, crm, journal, patience=1800.0).run()
    assert journal.counts()[0, "create", "planned"] > 300


@pytest.mark.virtual_time
async def test_unknown_rows_are_settled_while_others_are_sent(sandbox: Sandbox, path: Path) -> None:
    """A hundred lost replies are settled by one query, before the end of the turn."""
    limits = Limits(200, None, None)
    sandbox.faults.add("commit_then_drop", operation="create", probability=0.4)
    async with sandbox.client(limits=limits) as crm:
        job = job_of(sandbox, crm, planned(path, accounts(600)))
        settled_at = [
            number
            for number, one in enumerate(await outcomes(job))
            if isinstance(one, Created) and one.settled
        ]
    assert settled_at[0] < 500
    assert len(settled_at) > 200
    calls = sandbox.ledger()["calls"]
    assert calls["create"] == 600
    assert calls["query"] <= 6
