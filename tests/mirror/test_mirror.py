"""A mirror holds what queries show, whatever is written meanwhile and wherever it is ended."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mirrored import Meddling, World, kept, same, url

from vtiger_async import InvalidArgumentError, VtigerClient
from vtiger_async.mirror import MirrorEvent, SinkError
from vtiger_async.mirror.sinks.sqlite import SQLiteSink

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_a_first_round_reads_all_and_costs_a_call_per_hundred(tmp_path: Path) -> None:
    """A snapshot costs ceil(n/100) + 1 calls for a module, the look at its changes one more."""
    world = World()
    for _ in range(250):
        world.create()
    for _ in range(100):
        world.create("Accounts")
    await anyio.sleep(600)
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        report = await crm.mirror(["Contacts", "Accounts"], to=url(path))
        spent = world.calls
        assert report.is_whole
        assert {n: one.upserts for n, one in report.modules.items()} == {
            "Contacts": 250,
            "Accounts": 100,
        }
        assert spent == {"me": 1, "describe": 2, "query": (3 + 1) + (1 + 1), "sync": 2}
        assert report.calls == sum(spent.values())
        await same(crm, path, "Contacts", "Accounts")


async def test_a_round_without_changes_costs_a_call_for_each_module(tmp_path: Path) -> None:
    """At the head there is one sync call for a module, and nothing is written but that."""
    world = World()
    world.create()
    async with world.sandbox.client() as crm:
        await crm.mirror(["Contacts"], to=url(tmp_path / "crm.db"))
        before = world.calls
        events: list[MirrorEvent] = []
        report = await crm.mirror(["Contacts"], to=url(tmp_path / "crm.db"), on_event=events.append)
    assert world.calls["sync"] == before["sync"] + 1
    assert sum(world.calls.values()) == sum(before.values()) + 1
    assert report.modules["Contacts"].upserts == 0
    assert events == []


async def test_changes_are_read_by_the_page(tmp_path: Path) -> None:
    """A page of changes costs one call where the server sends records, and none per record."""
    world = World()
    async with world.sandbox.client() as crm:
        await crm.mirror(["Contacts"], to=url(tmp_path / "crm.db"))
        await anyio.sleep(600)
        for _ in range(300):
            world.create()
            await anyio.sleep(1)
        await anyio.sleep(600)
        before = world.calls
        report = await crm.mirror(["Contacts"], to=url(tmp_path / "crm.db"))
        assert report.modules["Contacts"].upserts == 300
        assert world.calls["sync"] - before["sync"] <= 3 + 1
        assert sum(world.calls.values()) - sum(before.values()) <= 3 + 1 + 1  # and a describe
        await same(crm, tmp_path / "crm.db", "Contacts")


async def test_pages_of_ids_cost_a_call_per_hundred_more(tmp_path: Path) -> None:
    """Where the server sends ids, the records are fetched a hundred to a call."""
    world = World()
    meddling = Meddling(world.sandbox.transport())
    meddling.ids_only = True
    async with httpx.AsyncClient(transport=meddling) as http:
        crm = world.sandbox.client(http_client=http)
        await crm.mirror(["Contacts"], to=url(tmp_path / "crm.db"))
        await anyio.sleep(600)
        ids = [world.create() for _ in range(150)]
        world.delete(ids[0])
        await anyio.sleep(600)
        before = world.calls
        await crm.mirror(["Contacts"], to=url(tmp_path / "crm.db"))
        spent = {name: count - before.get(name, 0) for name, count in world.calls.items()}
        assert spent["query"] == 2 * spent["sync"]
        assert "retrieve" not in spent
        await same(crm, tmp_path / "crm.db", "Contacts")


async def test_deleted_and_converted_records_become_tombstones(tmp_path: Path) -> None:
    """The row stays, with when and how it was told; a restored record is there again."""
    world = World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        first, second = world.create(lastname="First"), world.create(lastname="Second")
        lead = world.create("Leads")
        await crm.mirror(["Contacts", "Leads"], to=url(path))
        await anyio.sleep(60)
        world.delete(first)
        entities = {"Contacts": {"create": True, "name": "Contacts", "lastname": "L"}}
        entities["Accounts"] = {"create": True, "name": "Accounts", "accountname": "C"}
        world.run(
            "convertlead", element={"leadId": lead, "assignedTo": "19x1", "entities": entities}
        )
        report = await crm.mirror(["Contacts", "Leads"], to=url(path))
        assert (await crm.retrieve(lead)).id == lead  # and yet no query shows it
        assert report.modules["Leads"].deleted == 1
        gone = kept(path, "Contacts", gone=True)
        assert gone.keys() == {first}
        assert gone[first]["lastname"] == "First"
        assert gone[first]["_deleted_as"] == "deleted"
        assert kept(path, "Contacts").keys() > {second}
        await same(crm, path, "Contacts", "Leads")
        await anyio.sleep(60)
        number = int(first.partition("x")[2])
        stamp = (await crm.sync_page("Contacts", 1, "application"))["lastModifiedTime"] + 30
        world.silently(
            "UPDATE Contacts SET row_state = 0, modifiedtime = datetime(?, 'unixepoch') "
            "WHERE n = ?",
            stamp,
            number,
        )
        await crm.mirror(["Contacts"], to=url(path))
        assert kept(path, "Contacts")[first]["_deleted_at"] is None
        await same(crm, path, "Contacts")


async def test_rows_are_removed_where_that_is_chosen(tmp_path: Path) -> None:
    """With deletes="delete" nothing is left of a record that is gone, nor of its lines."""
    world = World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        invoice = world.invoice(1, 2)
        await crm.mirror(["Invoice"], to=url(path), deletes="delete")
        world.delete(invoice)
        await crm.mirror(["Invoice"], to=url(path), deletes="delete")
        await same(crm, path, "Invoice")
    assert kept(path, "Invoice", gone=True) == {}
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM Invoice_LineItems").fetchone() == (0,)
    database.close()


async def test_one_mirror_writes_at_a_time_and_of_one_instance(tmp_path: Path) -> None:
    """A second writer, and another instance, are refused before a call is spent."""
    world, other = World(), World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        async with crm.mirror(["Contacts"], to=url(path)) as mirror:
            await mirror
            with pytest.raises(SinkError, match="another mirror is writing"):
                await crm.mirror(["Accounts"], to=url(path))
        await mirror
        spent = sum(world.calls.values())
        http = httpx.AsyncClient(transport=other.sandbox.transport())
        elsewhere = VtigerClient(
            "https://elsewhere.example", "admin", "k", http_client=http, clock=world.clock
        )
        with pytest.raises(SinkError, match="give each instance its own"):
            await elsewhere.mirror(["Contacts"], to=url(path))
        await http.aclose()
        assert sum(other.calls.values()) == 0
        assert sum(world.calls.values()) == spent
        look = await mirror.status()
        assert look.counts == {"Contacts": (0, 0)}
        assert look.states["Contacts"].synced_at is not None


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"modules": "Contacts"}, "list of modules"),
        ({"modules": []}, "list of modules"),
        ({"modules": ["Contacts", "Contacts"]}, "named twice"),
        ({"modules": ["Con tacts"]}, "Con tacts"),
        ({"drift": "ignore"}, "evolve"),
        ({"deletes": "no"}, "tombstone"),
        ({"reconcile": "101%"}, "share"),
        ({"reconcile": -1}, "share"),
        ({"reconcile": "much"}, "share"),
        ({"to": "mysql://u:secret@h/x"}, "begins with one of"),
        ({"to": "sqlite"}, "begins with one of"),
    ],
)
async def test_bad_arguments_are_refused_before_a_call(given: dict[str, Any], match: str) -> None:
    """What makes no sense is an InvalidArgumentError, and shows no secret of a URL."""
    world = World()
    arguments: dict[str, Any] = {"modules": ["Contacts"], "to": "sqlite:///x.db", **given}
    async with world.sandbox.client() as crm:
        with pytest.raises(InvalidArgumentError, match=match) as error:
            crm.mirror(arguments.pop("modules"), **arguments)
    assert "secret" not in str(error.value)
    assert world.calls == {}


async def test_a_mirror_asks_for_its_own_modules_only(tmp_path: Path) -> None:
    """A round over a module that is not the mirror's, and a pause of no seconds, are refused."""
    world = World()
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Contacts"], to=SQLiteSink(tmp_path / "x.db"))
        assert repr(mirror).startswith("<Mirror of Contacts in <SQLiteSink")
        with pytest.raises(InvalidArgumentError, match="not in this mirror: Leads"):
            await mirror.run(["Leads"])
        with pytest.raises(InvalidArgumentError, match="above 0"):
            mirror.follow(0)
