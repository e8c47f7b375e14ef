"""Modules that no feed tells of, modules that fail, and users who do not see everything."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest
from mirrored import World, kept, same, state_of, url

from vtiger_async import RetryPolicy, VtigerClient
from vtiger_async.errors import AuthenticationError

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_users_are_compared_and_their_secrets_are_not_kept(tmp_path: Path) -> None:
    """Modules without a feed are read each round: what changed is written, what lacks vanishes."""
    world = World()
    path = tmp_path / "crm.db"
    modules = ["Users", "Currency", "Groups"]
    async with world.sandbox.client() as crm:
        report = await crm.mirror(modules, to=url(path))
        assert {one.phase for one in report.modules.values()} == {"difference"}
        await same(crm, path, *modules)
        assert world.sandbox.access_key.encode() not in path.read_bytes()
        columns = {column.name for column in state_of(path, "Users").table.columns}
        assert not columns & {"accesskey", "user_password", "confirm_password", "user_hash"}
        assert (await crm.mirror(modules, to=url(path))).modules["Users"].upserts == 0
        world.silently("UPDATE Users SET last_name = 'Changed' WHERE n = 5")
        world.silently("DELETE FROM Groups WHERE n = (SELECT max(n) FROM Groups)")
        report = await crm.mirror(modules, to=url(path))
        assert report.modules["Users"].upserts == 1
        assert report.modules["Groups"].vanished == 1
        assert [row["_deleted_as"] for row in kept(path, "Groups", gone=True).values()] == [
            "vanished"
        ]
        await same(crm, path, *modules)


async def test_a_module_that_the_server_fails_to_sync_is_compared(tmp_path: Path) -> None:
    """Open-source Vtiger fails at syncs of Emails: after the second failure it is read instead."""
    world = World(profile="oss-8.4")
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        first = await crm.mirror(["Emails", "Contacts"], to=url(path))
        assert "HTTP 500" in str(first.modules["Emails"].error)
        assert first.modules["Contacts"].error is None
        second = await crm.mirror(["Emails", "Contacts"], to=url(path))
        assert second.is_whole
        assert second.modules["Emails"].phase == "difference"
        assert "read in each round" in second.modules["Emails"].note


async def test_a_module_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """An unknown module has its error in the report; wrong credentials end the mirror."""
    world = World()
    path = tmp_path / "crm.db"
    world.create()
    async with world.sandbox.client() as crm:
        report = await crm.mirror(["Nonsense", "Contacts"], to=url(path))
        assert report.failed.keys() == {"Nonsense"}
        assert "ACCESS_DENIED" in report.failed["Nonsense"]
        assert report.modules["Nonsense"].phase is None
        await same(crm, path, "Contacts")
    http = httpx.AsyncClient(transport=world.sandbox.transport())
    crm = VtigerClient(world.sandbox.url, "admin", "wrong", http_client=http, clock=world.clock)
    with pytest.raises(AuthenticationError):
        await crm.mirror(["Contacts", "Leads"], to=url(path))
    await http.aclose()


async def test_a_table_of_somebody_else_stops_its_module_alone(tmp_path: Path) -> None:
    """It is left as it is, and the others are brought up to date."""
    world = World()
    path = tmp_path / "crm.db"
    world.create("Accounts")
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE Contacts (theirs)")
    async with world.sandbox.client() as crm:
        report = await crm.mirror(["Contacts", "Accounts"], to=url(path))
        assert "no mirror's" in report.failed["Contacts"]
        await same(crm, path, "Accounts")
    with closing(sqlite3.connect(path)) as database:
        columns = database.execute("SELECT name FROM pragma_table_info('Contacts')").fetchall()
    assert columns == [("theirs",)]


async def test_a_restricted_user_gets_what_a_query_shows(tmp_path: Path) -> None:
    """Changes of others' records are asked for by query; what goes out of sight vanishes."""
    world = World()
    path = tmp_path / "crm.db"
    mine = [world.create(assigned_user_id="19x5") for _ in range(4)]
    other = world.create("Accounts")
    async with world.sandbox.client("sales") as crm:
        report = await crm.mirror(["Contacts", "Accounts"], to=url(path), reconcile=200)
        assert "not as an administrator" in report.modules["Contacts"].note
        await same(crm, path, "Contacts", "Accounts")
        await anyio.sleep(7200)
        world.revise(other, phone="1")
        world.revise(mine[0], assigned_user_id="19x1")  # out of sight
        world.delete(mine[1])
        report = await crm.mirror(["Contacts", "Accounts"], to=url(path), reconcile=200)
        await same(crm, path, "Contacts", "Accounts")
        found = report.modules["Contacts"]
        assert (found.deleted, found.vanished) == (1, 1)
        assert found.reconciled > 0


async def test_a_server_that_does_not_tell_who_asks_can_be_told(tmp_path: Path) -> None:
    """Where `me` fails, the error names the option; it is asked once a round, and then not."""
    world = World()
    path = tmp_path / "crm.db"
    world.create()
    world.sandbox.faults.add("500", operation="me")
    modules = ["Contacts", "Accounts"]
    async with world.sandbox.client(retry=RetryPolicy(max_attempts=1)) as crm:
        report = await crm.mirror(modules, to=url(path))
        assert all("administrator=True" in error for error in report.failed.values())
        assert (len(report.failed), world.calls["me"]) == (2, 1)
        for said in (True, False):
            place = tmp_path / f"{said}.db"
            assert (await crm.mirror(modules, to=url(place), administrator=said)).is_whole
            await same(crm, place, *modules)


async def test_who_is_said_to_be_an_administrator_and_is_none_is_refused(tmp_path: Path) -> None:
    """The module fails in the server's words; it is not taken for one without a feed."""
    world = World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client("sales") as crm:
        report = await crm.mirror(["Contacts"], to=url(path), administrator=True)
        assert "Only admin users" in report.failed["Contacts"]
        assert report.modules["Contacts"].phase == "deltas"
        assert (await crm.mirror(["Contacts"], to=url(path))).is_whole
