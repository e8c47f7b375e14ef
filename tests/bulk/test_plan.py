"""Plans: what a job will do, in numbers and in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from planned import ADMIN, Desk

from vtiger_async import Limits
from vtiger_async.bulk.errors import JournalInUseError, PlanUnfinishedError
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.plan import Plan, Rejection
from vtiger_async.bulk.steps import Step
from vtiger_async.clock import ScaledClock
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Desk]:
    """An instance that grants sixty calls a minute, whose time goes a thousand times faster."""
    clock = ScaledClock(1000.0)
    with Sandbox(limits=Limits(minute=60, hour=3600, day=None), clock=clock) as sandbox:
        desk = Desk(tmp_path, sandbox)
        yield desk
        desk.close()


async def test_the_numbers(desk: Desk) -> None:
    """Every row is counted once, and the calls are those that are still to be made."""
    await desk.create("Accounts", {"accountname": "Same"}, {"accountname": "Other"})
    rows = [
        {"accountname": "Same", "phone": ""},
        {"accountname": "Other", "phone": "5"},
        {"accountname": "New", "phone": ""},
        {"accountname": "new", "phone": ""},
        {"accountname": "", "phone": "5"},
        {"accountname": "Long", "phone": "5" * 300},
    ]
    load = Load(rows=rows, module="Accounts", key="accountname", owner=ADMIN)
    job = await desk.plan(load)
    async with desk.sandbox.client() as crm:
        plan = Plan.of(job.journal, crm.quota)
    assert (plan.create, plan.revise, plan.unchanged, plan.skipped) == (1, 1, 1, 1)
    assert (plan.rejected, plan.rows, plan.calls, plan.spent) == (2, 6, 2, 2)
    assert plan.unmapped == ({},)
    assert str(plan) == "create 1, revise 1, unchanged 1, skipped 1, rejected 2; 4 calls"
    with pytest.raises(JournalInUseError):
        plan.rejections()
    job.journal.close()
    assert [one.row for one in plan.rejections()] == [5, 6]
    (first,) = plan.rejections(1)
    assert isinstance(first, Rejection)
    assert str(first).startswith("row 5: accountname: ")


async def test_a_killed_planning_gives_way(desk: Desk, tmp_path: Path) -> None:
    """Beside its input it can be neither applied nor reported, and the next plan replaces it."""
    path = tmp_path / "orgs.csv"
    path.write_text("accountname\nAlpha\n", encoding="utf-8")
    journal = tmp_path / "orgs.csv.1.vtjob"
    old = Journal.create(journal, instance=desk.sandbox.url, job="old", created_at=0.0)
    old.add([Step(0, 1, "create")])
    old.close()
    async with desk.sandbox.client() as crm:
        with pytest.raises(PlanUnfinishedError, match="plan again"):
            crm.bulk.apply(journal)
        with pytest.raises(PlanUnfinishedError, match="plan again"):
            await crm.bulk.report(journal)
        plan = await crm.bulk.plan(path, module="Accounts", key="accountname", owner="me")
        assert (plan.journal, plan.rows) == (journal, 1)


async def test_the_time(limited: Desk) -> None:
    """The plan says how long it takes, and which window binds."""
    rows = [{"accountname": f"Org {i}"} for i in range(300)]
    load = Load(rows=rows, module="Accounts", key="accountname", owner=ADMIN)
    async with limited.sandbox.client() as crm:
        await crm.me()  # the first answer tells the limits
        job = await limited.plan(load)
        plan = Plan.of(job.journal, crm.quota)
    assert plan.binds == "minute"
    assert 240 < plan.seconds < 420
    assert str(plan).startswith("create 300; 304 calls; ")
    assert str(plan).endswith(" min; the minute binds")


async def test_several_records_a_call(desk: Desk) -> None:
    """With a strategy that creates ten at once, the plan shows what that saves."""
    rows = [{"accountname": f"Org {i}"} for i in range(101)]
    job = await desk.plan(Load(rows=rows, module="Accounts", key="accountname", owner=ADMIN))
    async with desk.sandbox.client() as crm:
        plan = Plan.of(job.journal, crm.quota, batch=10)
    assert (plan.create, plan.calls, plan.saved) == (101, 11, 90)
    assert "90 saved by writing several records a call" in str(plan)


async def test_nothing_to_do(desk: Desk) -> None:
    """A job without rows says so."""
    job = await desk.plan(Load(rows=[{"accountname": ""}], module="Accounts", owner=ADMIN))
    assert job.numbers == {"rejected": 1}
    async with desk.sandbox.client() as crm:
        plan = Plan.of(job.journal, crm.quota)
    assert str(evolve(plan, rejected=0)) == "no rows; 1 call"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (12, "12 s"),
        (59.5, "1 min"),
        (150, "3 min"),
        (3600, "1 h"),
        (8640, "2 h 24 min"),
        (86_400, "1 d"),
        (100_000, "1 d 3 h"),
        (float("inf"), "more than a year"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    """A time is told in two units at most, rounded up."""
    plan = Plan(journal=Path("job"), create=5, calls=5, seconds=seconds, binds="day")
    assert str(plan) == f"create 5; 5 calls; {words}; the day binds"
