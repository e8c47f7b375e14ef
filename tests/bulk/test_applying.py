"""Applying: each row exactly once, and what it costs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.bulk.jobs import (
    ACCOUNTS,
    LEADS,
    OWNER,
    account,
    accounts,
    job_of,
    lead,
    names_in,
    outcomes,
    planned,
)
from vtiger_async import VtigerClient
from vtiger_async.bulk.errors import JournalError
from vtiger_async.bulk.outcomes import (
    Created,
    Deleted,
    Failed,
    Rejected,
    Revised,
    Skipped,
    Unchanged,
    Unknown,
)
from vtiger_async.bulk.steps import LoadInfo, Step
from vtiger_async.errors import AuthenticationError
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


@pytest.mark.virtual_time
async def test_each_row_has_one_outcome_and_one_call(sandbox: Sandbox, path: Path) -> None:
    """1,000 creates cost 1,000 calls, and each row is told of once."""
    journal = planned(path, [lead(row) for row in range(1, 1001)], [LEADS])
    async with sandbox.client() as crm:
        job = job_of(sandbox, crm, journal)
        told = await outcomes(job)
    assert Counter(map(type, told)) == {Created: 1000}
    assert sorted(one.row for one in told) == list(range(1, 1001))
    assert sandbox.ledger()["calls"] == {"create": 1000}
    assert sorted(names_in(sandbox, "Leads", "lastname")) == [
        f"Lead {n:05}" for n in range(1, 1001)
    ]
    report = job.report()
    assert (report.created, report.rows, report.calls, report.open) == (1000, 1000, 1000, 0)
    assert journal.state == "done"


async def test_run_does_the_same_without_stops(sandbox: Sandbox, path: Path) -> None:
    """`run` calls back with each outcome and returns the report."""
    journal = planned(path, accounts(50))
    told: list[object] = []
    async with sandbox.client() as crm:
        report = await job_of(sandbox, crm, journal).run(told.append)
    assert (len(told), report.created, report.calls) == (50, 50, 50)


async def test_all_actions_in_the_order_of_their_turns(sandbox: Sandbox, path: Path) -> None:
    """Parents come before children, a link after both, and revises and deletes are told apart."""
    contacts = LoadInfo("Contacts", "create", ("lastname",), ("Last", "Org"))
    async with sandbox.client() as crm:
        old = await crm.create("Accounts", {"accountname": "Old", "assigned_user_id": OWNER})
        gone = await crm.create("Accounts", {"accountname": "Gone", "assigned_user_id": OWNER})
        steps = [
            Step(
                1, 1, "create", turn=1, key="miller",
                fields={"lastname": "Miller", "assigned_user_id": OWNER},
                waits={"account_id": (0, "parent")},
            ),
            account(1, "Child"),
            account(2, "Parent"),
            Step(
                0, 3, "revise", record_id=old.id, key="old",
                fields={"phone": "5"}, old={"phone": ""},
            ),
            Step(0, 4, "delete", record_id=gone.id, key="gone"),
            Step(0, 5, "none", "unchanged", record_id=old.id, key="x"),
            Step(0, 6, "none", "skipped", reason=["repeats row 1"]),
            Step(0, 7, "none", "rejected", reason=["phone: too long", "fax: too long"]),
            Step(0, 1, "link", turn=2, key="child", waits={"account_id": (0, "parent")}),
        ]  # fmt: skip
        told = await outcomes(
            job_of(sandbox, crm, planned(path, steps, [ACCOUNTS, contacts]), workers=2)
        )
        parent, child = (
            await crm.query(
                "SELECT id, account_id FROM Accounts WHERE accountname = 'Parent';"
            ).first(),
            await crm.query(
                "SELECT id, account_id FROM Accounts WHERE accountname = 'Child';"
            ).first(),
        )
        miller = await crm.query("SELECT account_id FROM Contacts;").first()
    assert parent is not None
    assert child is not None
    assert miller is not None
    assert child["account_id"] == parent.id == miller["account_id"]
    by_row = {(one.module, one.row): one for one in told}
    assert len(by_row) == len(told) == 8
    assert by_row["Accounts", 1] == Created(
        row=1, module="Accounts", key="child", record_id=child.id
    )
    assert by_row["Accounts", 3] == Revised(
        row=3, module="Accounts", key="old", record_id=old.id, fields=("phone",)
    )
    kinds = {row: type(one) for (module, row), one in by_row.items() if module == "Accounts"}
    assert kinds == {
        1: Created, 2: Created, 3: Revised, 4: Deleted, 5: Unchanged, 6: Skipped, 7: Rejected,
    }  # fmt: skip
    rejected = by_row["Accounts", 7]
    assert isinstance(rejected, Rejected)
    assert rejected.problems == ("phone: too long", "fax: too long")


async def test_a_row_whose_parent_failed_is_rejected(sandbox: Sandbox, path: Path) -> None:
    """A reference to a record that was not made rejects the row, or is left out where so wished."""
    strict = LoadInfo("Contacts", "create", ("lastname",))
    lenient = LoadInfo("Contacts", "create", ("lastname",), missing="empty")
    parent = account(1)
    parent.fields.pop("assigned_user_id")
    children = [
        Step(
            load, 1, "create", turn=1, key=f"c{load}", waits={"account_id": (0, str(parent.key))},
            fields={"lastname": f"C{load}", "assigned_user_id": OWNER},
        )
        for load in (1, 2)
    ]  # fmt: skip
    async with sandbox.client() as crm:
        journal = planned(path, [parent, *children], [ACCOUNTS, strict, lenient])
        told = await outcomes(job_of(sandbox, crm, journal))
    failed, rejected, created = told
    assert isinstance(failed, Failed)
    assert failed.reason == "MANDATORY_FIELDS_MISSING: assigned_user_id does not have a value"
    assert isinstance(rejected, Rejected)
    assert rejected.problems[0].startswith("account_id: row 1, which makes the record")
    assert isinstance(created, Created)
    assert names_in(sandbox, "Contacts", "account_id") == [None]


async def test_a_link_that_fails_is_the_rows_outcome(sandbox: Sandbox, path: Path) -> None:
    """A record that was made without its reference counts as failed, and its id is told."""
    steps = [
        account(1),
        Step(0, 1, "link", turn=1, key="organisation 00001", waits={"account_id": (0, "nobody")}),
        account(2),
        Step(0, 2, "link", turn=1, waits={"account_id": (0, "organisation 00001")}),
    ]
    async with sandbox.client() as crm:
        job = job_of(sandbox, crm, planned(path, steps))
        failed, created = await outcomes(job)
    assert isinstance(failed, Failed)
    assert "was created, but: account_id: no row of this job" in failed.reason
    assert isinstance(created, Created)
    assert (job.report().created, job.report().failed, job.report().rows) == (1, 1, 2)


async def test_silent_changes_are_told(sandbox: Sandbox, path: Path) -> None:
    """What is stored other than it was sent stands in the outcome, and no warning is given."""
    steps = [account(1, phone="1" * 40, bogus="x")]
    async with sandbox.client() as crm:
        (created,) = await outcomes(job_of(sandbox, crm, planned(path, steps)))
    assert isinstance(created, Created)
    assert [text.partition(":")[0] for text in created.changes] == ["phone", "bogus"]


async def test_a_wrong_key_ends_the_job_at_once(sandbox: Sandbox, path: Path) -> None:
    """An authentication that fails is raised, and no row is counted as refused."""
    journal = planned(path, accounts(20))
    async with sandbox.client() as crm:
        http = httpx.AsyncClient(transport=sandbox.transport())
        other = VtigerClient(sandbox.url, "admin", "wrong", http_client=http)
        job = job_of(sandbox, other, journal)
        with pytest.raises(AuthenticationError):
            await outcomes(job)
        assert job.report().open == 20
        assert journal.counts() == {(0, "create", "planned"): 20}
        assert len(await outcomes(job_of(sandbox, crm, journal))) == 20


@pytest.mark.virtual_time
async def test_lost_replies_are_settled_by_their_key(sandbox: Sandbox, path: Path) -> None:
    """1,000 upserts of new rows with 1 % lost replies cost at most 1,014 calls: 1,025 planned."""
    sandbox.faults.add("commit_then_drop", operation="create", probability=0.005)
    sandbox.faults.add("reset_before_commit", operation="create", probability=0.005)
    journal = planned(path, accounts(1000))
    sandbox_names = [f"Organisation {n:05}" for n in range(1, 1001)]
    async with sandbox.client() as crm:
        job = job_of(sandbox, crm, journal)
        told = await outcomes(job)
    assert sorted(names_in(sandbox)) == sandbox_names
    assert sorted(one.row for one in told) == list(range(1, 1001))
    assert {type(one) for one in told} == {Created}
    assert any(isinstance(one, Created) and one.settled for one in told)
    calls = sandbox.ledger()["calls"]
    assert sum(calls.values()) == job.report().calls <= 1025 - 11


@pytest.mark.virtual_time
async def test_a_create_without_a_key_is_never_sent_twice(sandbox: Sandbox, path: Path) -> None:
    """A lost reply without a key ends as unknown, in later runs too."""
    sandbox.faults.add("commit_then_drop", operation="create", times=3, after=5)
    journal = planned(path, [lead(row) for row in range(1, 31)], [LEADS])
    async with sandbox.client() as crm:
        told = await outcomes(job_of(sandbox, crm, journal))
        assert Counter(map(type, told)) == {Created: 27, Unknown: 3}
        assert len(names_in(sandbox, "Leads", "lastname")) == 30
        assert await outcomes(job_of(sandbox, crm, journal)) == []
    assert sandbox.ledger()["calls"]["create"] == 30


async def test_a_journal_of_another_instance_is_refused(sandbox: Sandbox, path: Path) -> None:
    """No call is made for the wrong instance, nor for a plan that is not complete."""
    journal = planned(path, accounts(1), instance="https://other.example")
    async with sandbox.client() as crm:
        with pytest.raises(JournalError, match=r"a job on https://other\.example"):
            job_of(sandbox, crm, journal)
        journal.keep(instance=sandbox.url, state="planning")
        with pytest.raises(JournalError, match="planning was not finished"):
            job_of(sandbox, crm, journal)
    assert sandbox.ledger()["calls"] == {}


async def test_a_record_made_meanwhile_is_no_failure(sandbox: Sandbox, path: Path) -> None:
    """A duplicate is changed by an upsert, as far as it differs, and passed over by a create."""
    creating = LoadInfo("Accounts", "create", ("accountname",))
    async with sandbox.client() as crm:
        for name in ("One", "Two", "Three"):
            await crm.create("Accounts", {"accountname": name, "assigned_user_id": OWNER})
        other = account(1, "Three")
        other.load = 1
        steps = [account(1, "ONE", phone="5"), account(2, "two "), other]
        job = job_of(sandbox, crm, planned(path, steps, [ACCOUNTS, creating]))
        told = {(type(one), one.row) for one in await outcomes(job)}
    assert (Skipped, 1) in told
    assert (Revised, 1) in told
    assert len(told) == 3
    assert names_in(sandbox, "Accounts", "phone").count("5") == 1
    assert len(names_in(sandbox)) == 3
