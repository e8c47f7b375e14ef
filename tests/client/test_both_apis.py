"""Queries, relations and syncs on both profiles, over REST and over sessions: the same records."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from over_http import World, counted, every_world, plant

from vtiger_async import F, ServerError, VtigerClient, select
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time, every_world]


def instance(world: World) -> Sandbox:
    return Sandbox(profile=world.profile, limits=False, records=0)


def client(world: World, sandbox: Sandbox, user: str = "admin", **options: Any) -> VtigerClient:
    return sandbox.client(user, session_api=world.session_api, **options)


def people(sandbox: Sandbox, count: int, **fields: str) -> list[str]:
    """Create so many contacts; return their ids."""
    return [
        plant(sandbox, "Contacts", lastname=f"Name {n % 7}", title=f"{n:05}", **fields)
        for n in range(count)
    ]


async def test_a_query_is_read_to_its_end(world: World) -> None:
    """Each of 250 records comes once, in the order of the ids, for a page each and the end."""
    with instance(world) as sandbox:
        ids = people(sandbox, 250)
        async with client(world, sandbox) as crm:
            found = [record.id async for record in crm.query("select lastname from Contacts;")]
        assert found == ids
        assert counted(sandbox)["query"] == 4


async def test_another_order_is_kept(world: World) -> None:
    """An ORDER BY with equal values neither loses a record nor repeats one."""
    with instance(world) as sandbox:
        ids = people(sandbox, 230)
        async with client(world, sandbox) as crm:
            query = crm.query(select("Contacts", "lastname").order_by("lastname"))
            found = await query.all()
        assert sorted(record.id for record in found) == ids
        names = [record["lastname"] for record in found]
        assert names == sorted(names)


async def test_a_restricted_user_sees_all_that_is_hers(world: World) -> None:
    """Pages from which the server takes what is hidden do not end the query."""
    with instance(world) as sandbox:
        own: list[str] = []
        for _ in range(40):
            own += people(sandbox, 3, assigned_user_id="19x5")
            people(sandbox, 5)
        async with client(world, sandbox, "sales") as crm:
            await crm.me()
            found = [record.id async for record in crm.query("select lastname from Contacts;")]
        assert found == own


async def test_a_long_list_is_cut(world: World) -> None:
    """A list that fits into no URL is asked for in parts, none of which the server refuses."""
    with instance(world) as sandbox:
        ids = people(sandbox, 40)
        values = [f"no such title, number {n:05} of many" for n in range(1500)]
        wanted = select("Contacts").where(F.title.in_([*values, "00003", "00039"]))
        async with client(world, sandbox) as crm:
            found = await crm.query(wanted).all()
        assert [record.id for record in found] == [ids[3], ids[39]]
        assert "414" not in sandbox.ledger()["statuses"]


async def test_records_that_change_meanwhile_come_once(world: World) -> None:
    """Creates, changes and deletes between the pages neither repeat nor hide what stays."""
    with instance(world) as sandbox:
        ids = people(sandbox, 350)
        chance = random.Random(7)
        gone: set[str] = set()
        async with client(world, sandbox) as crm, client(world, sandbox) as other:
            found: list[str] = []
            async for page in crm.query("select title from Contacts;").pages():
                found += [record.id for record in page]
                victim = chance.choice(ids)
                if victim not in gone:
                    gone.add(victim)
                    await other.delete(victim)
                if len(gone) <= 3:  # else the reader would never catch up
                    people(sandbox, 2)
        assert len(found) == len(set(found))
        assert set(ids) - gone <= set(found)


async def test_relations_are_read_past_the_hundred(world: World) -> None:
    """Related records come all, filtered or not, without those of others."""
    with instance(world) as sandbox:
        account = plant(sandbox, "Accounts", accountname="Crowded")
        ids = people(sandbox, 140, account_id=account)
        people(sandbox, 3)
        async with client(world, sandbox) as crm:
            every = await crm.retrieve_related(account, "Contacts", "Contacts").all()
            either = select("Contacts").where((F.title == "00003") | (F.title == "00139"))
            some = await crm.query_related(either, account, "Contacts").all()
        assert sorted(record.id for record in every) == ids
        assert [record.id for record in some] == [ids[3], ids[139]]


async def test_changes_are_told_once(world: World) -> None:
    """A sync gives each change once and goes on from its cursor - or says that it cannot."""
    with instance(world) as sandbox:
        ids = people(sandbox, 130)
        async with client(world, sandbox) as crm:
            if world.lacks("sync"):
                with pytest.raises(ServerError, match="has the operation sync, and fails"):
                    _ = [change async for change in crm.sync("Contacts")]
                return
            changes = [change async for change in crm.sync("Contacts")]
            assert sorted(change.id for change in changes) == ids
            await crm.delete(ids[0])
            cursor = changes[-1].cursor
            later = [change async for change in crm.sync("Contacts", since=cursor)]
        assert [(change.kind, change.id) for change in later] == [("delete", ids[0])]


async def test_writes_in_parallel_all_happen_once(world: World) -> None:
    """Thirty creates at once make thirty records, whichever way they go."""
    with instance(world) as sandbox:
        async with client(world, sandbox) as crm, anyio.create_task_group() as group:
            for number in range(30):
                fields = {"lastname": f"No {number}", "assigned_user_id": "19x1"}
                group.start_soon(crm.create, "Contacts", fields)
        writes = sandbox.ledger()["writes"]
        assert len({write["id"] for write in writes}) == len(writes) == 30
