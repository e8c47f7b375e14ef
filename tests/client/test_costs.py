"""What `explain()` tells before a reading is what the reading then costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from vtiger_async import AccessDeniedError, Limits, VtigerClient
from vtiger_async.quota.costs import HIDDEN, cost_of
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def with_contacts(number: int) -> Sandbox:
    """Return a sandbox with so many contacts, written a second apart."""
    sandbox = Sandbox(limits=False, records=0)
    engine = sandbox.engine
    sent = {"elementType": "Contacts", "element": '{"lastname": "N", "assigned_user_id": "19x1"}'}
    for _ in range(number):
        engine.execute("create", sent, engine.users["admin"])
    engine.store.run(
        "UPDATE Contacts SET modifiedtime = datetime(modifiedtime, (-100000 + n) || ' seconds')", ()
    )
    return sandbox


def calls(sandbox: Sandbox) -> int:
    """Return how many calls were made."""
    return sum(sandbox.ledger()["calls"].values())


STATEMENTS = [
    "SELECT * FROM Contacts;",
    "SELECT lastname FROM Contacts LIMIT 30;",
    "SELECT * FROM Contacts LIMIT 200;",
    "SELECT * FROM Contacts ORDER BY modifiedtime;",
    "SELECT * FROM Contacts ORDER BY modifiedtime DESC;",
    "SELECT * FROM Contacts WHERE lastname = 'M';",
    "SELECT * FROM Contacts WHERE lastname = 'M' ORDER BY lastname DESC;",
    "SELECT lastname FROM Contacts ORDER BY lastname DESC LIMIT 50;",
    "SELECT lastname FROM Contacts ORDER BY lastname, firstname DESC;",
    "SELECT lastname FROM Contacts ORDER BY lastname, firstname DESC LIMIT 20, 150;",
]


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_a_query_costs_what_was_told(statement: str) -> None:
    """Calls and records are those that come, and telling has cost one count(*)."""
    sandbox = with_contacts(250)
    async with sandbox.client() as crm:
        await crm.query("SELECT * FROM Accounts;").all()  # asks who the user is
        await crm.describe("Contacts")
        before = calls(sandbox)
        cost = await crm.query(statement).explain()
        assert calls(sandbox) - before == cost.spent == 1
        records = await crm.query(statement).all()
        assert cost.records == len(records)
        assert calls(sandbox) - before - 1 == cost.calls
        assert cost.window is None
        assert cost.seconds == 0
        assert cost.note == ""


async def test_what_nobody_can_count_is_told() -> None:
    """Hidden rows, for whom they are hidden, and lines of documents; a wrong number has no word."""
    sandbox = Sandbox(limits=False, records=60)
    async with sandbox.client("sales") as crm:
        query = crm.query("SELECT * FROM Contacts;")
        assert "if the user is an administrator" in (await query.explain()).note
        told = (await crm.query("SELECT * FROM Contacts;").explain()).calls
        before = calls(sandbox)
        await query.all()
        assert calls(sandbox) - before > told
        assert (await crm.query("SELECT * FROM Contacts;").explain()).note == HIDDEN
        sync = await crm.sync("Contacts", scope="user").explain()
        assert "less where the user sees records that the scope leaves out" in sync.note
    async with sandbox.client() as crm:
        await crm.query("SELECT * FROM Accounts;").all()
        assert (await crm.query("SELECT subject FROM Invoice;").explain()).note == ""
        note = (await crm.query("SELECT subject, quantity FROM Invoice;").explain()).note
        assert "several lines" in note


async def test_changes_without_a_time_are_told_at_least() -> None:
    """A module whose records do not say when they were changed cannot be counted from a moment."""
    sandbox = with_contacts(0)
    async with sandbox.client() as crm:
        cost = await crm.sync("PBXManager", since=1e9).explain()
        assert (cost.calls, cost.records, cost.spent) == (1, None, 1)
        assert "at least" in cost.note
        with pytest.raises(AccessDeniedError):
            await crm.sync("Nonsense", since=1e9).explain()


async def test_of_a_reading_that_was_begun_the_rest_is_told() -> None:
    """A resumed query counts what its token has left, and a finished one costs nothing."""
    sandbox = with_contacts(250)
    async with sandbox.client() as crm:
        query = crm.query("SELECT * FROM Contacts;")
        await anext(query.pages())
        resumed = crm.query("SELECT * FROM Contacts;", resume=query.resume_token)
        assert ((await resumed.explain()).records, (await resumed.explain()).calls) == (150, 3)
        await resumed.all()
        assert (await resumed.explain()).calls == 0


async def test_what_cannot_be_counted_is_told_so() -> None:
    """A count itself costs one call; of what is too long for one the least is told, for nothing."""
    sandbox = with_contacts(1)
    async with sandbox.client() as crm:
        counting = await crm.query("SELECT count(*) FROM Contacts;").explain()
        assert (counting.calls, counting.spent) == (1, 0)
        ids = ", ".join(f"'12x{number}'" for number in range(10**7, 10**7 + 900))
        long = await crm.query(f"SELECT * FROM Contacts WHERE id IN ({ids});").explain()
        assert long.records is None
        assert long.calls >= 2
        assert "at least" in str(long)
        assert calls(sandbox) == 0
        documents = await crm.query("SELECT * FROM Invoice;").explain()
        assert "or more" in documents.note


async def test_a_sync_costs_what_was_told() -> None:
    """Its pages are counted, from the beginning or from a moment."""
    sandbox = with_contacts(250)
    async with sandbox.client() as crm:
        for since in (None, sandbox.clock.time() - 50_000, sandbox.clock.time() - 100_000 + 100):
            sync = crm.sync("Contacts", since=since)
            cost = await sync.explain()
            before = calls(sandbox)
            assert cost.records == len([change async for change in sync])
            assert calls(sandbox) - before == cost.calls


async def test_a_round_of_a_mirror_costs_what_was_told(tmp_path: Path) -> None:
    """Of the first round and of a later one; each module is a part, and none of it is written."""
    sandbox = with_contacts(250)
    to = f"sqlite:///{tmp_path / 'crm.db'}"
    async with sandbox.client() as crm:
        cost = await crm.mirror(["Contacts", "Accounts"], to).explain()
        assert [(one.what, one.records, one.spent) for one in cost.parts] == [
            ("Contacts", 250, 2),
            ("Accounts", 0, 2),
        ]
        assert (cost.records, cost.spent) == (250, 1 + 4)
        assert not (tmp_path / "crm.db").exists()
    before = calls(sandbox)
    async with sandbox.client() as crm:
        await crm.mirror(["Contacts", "Accounts"], to, reconcile=None)
        assert calls(sandbox) - before == cost.calls
        later = await crm.mirror(["Contacts", "Accounts"], to).explain()
        before = calls(sandbox)
    async with sandbox.client() as crm:
        await crm.mirror(["Contacts", "Accounts"], to, reconcile=None)
        assert calls(sandbox) - before == later.calls == 1 + 2 * 2


async def test_a_module_that_cannot_be_counted_leaves_the_others_explained(tmp_path: Path) -> None:
    """The reason stands in the note, and the sum is without records."""
    sandbox = with_contacts(3)
    async with sandbox.client() as crm:
        mirror = crm.mirror(["Contacts", "Nonsense"], f"sqlite:///{tmp_path / 'crm.db'}")
        cost = await mirror.explain()
    assert cost.records is None
    assert "Nonsense cannot be described" in cost.note
    assert cost.parts[0].records == 3


async def test_one_line_says_what_binds() -> None:
    """Calls, records, seconds and window; more than a year is said as that."""
    async with VtigerClient(
        "https://crm.example", "admin", "key", limits=Limits(minute=30, hour=300, day=10**6)
    ) as crm:
        plan = crm.quota.plan
        cost = cost_of("Contacts", 1_000, 99_900, plan, spent=1)
        assert cost.window == "hour"
        assert str(cost).startswith("Contacts: 1,000 calls for 99,900 records, about 3 h")
        assert str(cost).endswith(", the hour binds; 1 call spent to tell")
    async with VtigerClient("https://crm.example", "admin", "key", limits=Limits(day=1)) as crm:
        endless = cost_of("Contacts", 10_000, None, crm.quota.plan, note="at least")
        assert math.isinf(endless.seconds)
        assert "10,000 calls, over a year, the day binds" in str(endless)
