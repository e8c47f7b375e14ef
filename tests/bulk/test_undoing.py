"""Undoing: the store is as it was before, and nobody's later change is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.bulk.jobs import (
    ACCOUNTS,
    LEADS,
    OWNER,
    account,
    accounts,
    dump,
    ending_after,
    job_of,
    lead,
    names_in,
    outcomes,
    planned,
)
from vtiger_async import VtigerClient, select
from vtiger_async.bulk.errors import JournalError
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.steps import LoadInfo, Step
from vtiger_async.bulk.undoing import undo_job
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.clock import ManualClock

pytestmark = pytest.mark.anyio
CONTACTS = LoadInfo("Contacts", "upsert", ("lastname",))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An instance without limits, with the standard records."""
    with Sandbox(limits=False) as made:
        yield made


async def changes(crm: VtigerClient, count: int, **fields: str | None) -> list[Step]:
    """Return steps that change the first organisations; their old values are those of a query."""
    query = crm.query(select("Accounts", "id", *fields).limit(count))
    found = [one async for one in query]
    return [
        Step(
            0, row, "revise", key=f"k{row}", record_id=str(one.id), fields=dict(fields),
            old={name: one[name] for name in fields},
        )
        for row, one in enumerate(found, 1000)
    ]  # fmt: skip


async def test_undo_restores_the_store_byte_for_byte(sandbox: Sandbox, path: Path) -> None:
    """After an undo all records are as before, but for the times of their last change."""
    before = {module: dump(sandbox, module) for module in ("Accounts", "Contacts")}
    async with sandbox.client() as crm:
        new = {
            "phone": "1", "website": "w.example", "account_id": None, "description": "x & <b>é</b>",
            "employees": "7", "annual_revenue": "12.5", "emailoptout": "1", "industry": "Banking",
        }  # fmt: skip
        parents = [
            *accounts(120),
            *await changes(crm, 150, **new),
        ]
        links = [
            Step(0, row, "link", turn=2, waits={"account_id": (0, "organisation 00120")})
            for row in (1, 2, 3)
        ]
        # A revise and a link of one record, each with its old values.
        links.append(
            Step(
                0, 1000, "link", turn=2, record_id=parents[120].record_id,
                waits={"account_id": (0, "organisation 00120")}, old={"account_id": None},
            )
        )  # fmt: skip
        del parents[120].fields["account_id"], parents[120].old["account_id"]
        children = [
            Step(
                1, row, "create", turn=1, key=f"c{row}",
                fields={"lastname": f"c{row}", "assigned_user_id": OWNER},
                waits={"account_id": (0, f"organisation {row:05}")},
            )
            for row in range(1, 20)
        ]  # fmt: skip
        journal = planned(path, [*parents, *children, *links], [ACCOUNTS, CONTACTS])
        await outcomes(job_of(sandbox, crm, journal))
        assert dump(sandbox, "Accounts") != before["Accounts"]
        calls = sum(sandbox.ledger()["calls"].values())
        report = await undo_job(crm, sandbox.clock, journal)
        spent = sum(sandbox.ledger()["calls"].values()) - calls
    assert report.reasons == {}
    for module, rows in before.items():
        differing = [
            {name: (old[name], new[name]) for name in old if old[name] != new[name]}
            for old, new in zip(rows, dump(sandbox, module), strict=True)
            if old != new
        ]
        assert differing == []
    assert (report.deleted, report.restored, report.is_whole) == (139, 150, True)
    # One for each record, one for each hundred that are read, one for each module.
    assert report.calls == spent <= 139 + 150 + 7
    assert journal.state == "undone"


async def test_what_somebody_has_changed_since_is_left_alone(sandbox: Sandbox, path: Path) -> None:
    """A later change, even one in the same second and of another field, is not undone."""
    async with sandbox.client() as crm:
        journal = planned(path, [*accounts(3), *await changes(crm, 3, phone="1")])
        await outcomes(job_of(sandbox, crm, journal))
        mine = [step.record_id or "" for step in journal.steps(("done",))]
        await crm.revise(mine[0], {"fax": "somebody's"})
        await crm.revise(mine[3], {"phone": "somebody's"})
        await crm.delete(mine[1])
        await crm.delete(mine[4])
        # All of it within one second: the times tell nothing.
        sandbox.engine.store.run("UPDATE Accounts SET modifiedtime = '2026-01-01 00:00:00'")
        for step in (steps := journal.steps(("done",))):
            step.stored["modifiedtime"] = "2026-01-01 00:00:00"
        journal.write(steps, ["stored"])
        report = await undo_job(crm, sandbox.clock, journal)
    assert (report.deleted, report.restored, report.refused) == (2, 1, 3)
    assert report.reasons == {
        "Accounts row 1": "changed since: fax",
        "Accounts row 1000": "changed since: phone",
        "Accounts row 1001": "the record cannot be found any more",
    }
    assert "Organisation 00001" in names_in(sandbox)
    assert "Organisation 00003" not in names_in(sandbox)


async def test_a_change_is_seen_by_its_time_too(sandbox: Sandbox, path: Path) -> None:
    """A record that was changed and changed back in another field counts as changed."""
    async with sandbox.client() as crm:
        journal = planned(path, accounts(1))
        await outcomes(job_of(sandbox, crm, journal))
        sandbox.engine.store.run("UPDATE Accounts SET modifiedtime = '2031-01-01 00:00:00'")
        report = await undo_job(crm, sandbox.clock, journal)
    assert report.reasons == {"Accounts row 1": "changed since: modifiedtime"}


async def test_what_cannot_be_undone_is_said(sandbox: Sandbox, path: Path) -> None:
    """Deleted records, lost creates, and old values that nobody has kept are counted."""
    sandbox.faults.add("commit_then_drop", operation="create", times=1)
    async with sandbox.client() as crm:
        first, second = await changes(crm, 2, phone="1")
        second.old = {}
        third = Step(0, 3, "delete", key="d", record_id=str(first.record_id))
        third.record_id = str((await changes(crm, 5, phone="1"))[4].record_id)
        journal = planned(path, [first, second, third, lead(1, 1)], [ACCOUNTS, LEADS])
        await outcomes(job_of(sandbox, crm, journal))
        report = await undo_job(crm, sandbox.clock, journal)
    assert (report.restored, report.refused, report.unknown) == (1, 2, 1)
    assert not report.is_whole
    assert report.reasons["Accounts row 1001"] == "the old values of phone are not known"
    assert report.reasons["Accounts row 3"] == "a record that was deleted cannot be brought back"


@pytest.mark.virtual_time
async def test_an_undo_that_was_interrupted_goes_on(sandbox: Sandbox, path: Path) -> None:
    """Lost replies and a stop in the midst cost no record, and no delete is refused for them."""
    before = dump(sandbox, "Accounts")
    async with sandbox.client() as crm:
        journal = planned(path, [*accounts(60), *await changes(crm, 60, phone="1")])
        await outcomes(job_of(sandbox, crm, journal))
        sandbox.faults.add("commit_then_drop", operation="delete", probability=0.1)
        sandbox.faults.add("commit_then_drop", operation="revise", probability=0.1)
        sandbox.faults.add("500", operation="revise", probability=0.1)
        for calls in (20, 30):
            with anyio.CancelScope() as scope, ending_after(crm, calls, scope.cancel):
                await undo_job(crm, sandbox.clock, journal)
            assert journal.state == "undoing"
            assert 0 < len(journal.to_undo(0)) < 120
        stop = anyio.Event()
        with ending_after(crm, 15, stop.set):
            await undo_job(crm, sandbox.clock, journal, stop=stop)
        assert journal.state == "undoing"
        report = await undo_job(crm, sandbox.clock, journal)
    assert dump(sandbox, "Accounts") == before
    assert (report.deleted, report.restored, report.is_whole) == (60, 60, True)


@pytest.mark.virtual_time
async def test_an_undo_settles_first_what_was_unknown(sandbox: Sandbox, path: Path) -> None:
    """Of a job that was stopped, records are deleted whose create nobody had an answer to."""
    before = dump(sandbox, "Accounts")
    sandbox.faults.add("commit_then_drop", operation="create", times=2)
    async with sandbox.client() as crm:
        journal = planned(path, accounts(10))
        job = job_of(sandbox, crm, journal, workers=1)
        async for _ in job:
            break
        assert journal.counts()[0, "create", "unknown"] == 2
        report = await undo_job(crm, sandbox.clock, journal)
    assert dump(sandbox, "Accounts") == before
    assert report.is_whole


async def test_a_journal_that_does_not_fit_is_refused(sandbox: Sandbox, path: Path) -> None:
    """Nothing is undone on another instance, nor before anything was done."""
    journal = planned(path, [account(1)])
    async with sandbox.client() as crm:
        with pytest.raises(JournalError, match="nothing to undo"):
            await undo_job(crm, sandbox.clock, journal)
        journal.keep(instance="https://other.example")
        with pytest.raises(JournalError, match=r"other\.example"):
            await undo_job(crm, sandbox.clock, journal)


@pytest.mark.parametrize("are_one_job", [True, False])
async def test_what_a_later_load_has_changed_is_left_to_it(
    tmp_path: Path, *, are_one_job: bool
) -> None:
    """Of two loads that changed one record, in one job or in two, the earlier is not undone."""
    clock = ManualClock()
    first = Load(
        rows=[{"accountname": "A", "phone": "1"}], module="Accounts", key="accountname",
        mode="revise",
    )  # fmt: skip
    second = Load(
        rows=[{"website": "a.example", "phone": "2"}], module="Accounts", key="website",
        mode="revise",
    )  # fmt: skip
    jobs = [[first, second]] if are_one_job else [[first], [second]]
    with Sandbox(limits=False, records=0, clock=clock) as sandbox:
        async with sandbox.client() as crm:
            fields = {"accountname": "A", "website": "a.example", "phone": "0"}
            there = await crm.create("Accounts", {**fields, "assigned_user_id": OWNER})
            for number, loads in enumerate(jobs):
                report = await crm.bulk.load(loads, journal=tmp_path / f"{number}.vtjob")
                assert report.revised == len(loads)
                clock.advance(5.0)
            undone = await crm.bulk.undo(tmp_path / "0.vtjob")
            found = await crm.retrieve(there.id)
    assert undone.refused == 1
    where = "Accounts row 1 of load 1" if are_one_job else "Accounts row 1"
    assert undone.reasons[where].startswith("changed since: ")
    # One job has planned both from what was there before: the later one's old value is that.
    assert (undone.restored, found["phone"]) == ((1, "0") if are_one_job else (0, "2"))
