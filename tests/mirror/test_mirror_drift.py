"""Fields that are not what they were: described otherwise, or dropped from the tables."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from mirrored import CutError, FailingSink, Meddling, World, kept, same, state_of, url

from vtiger_async import VtigerClient
from vtiger_async.mirror import Drifted, Failed, MirrorEvent, OnDrift, SchemaDriftError

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@asynccontextmanager
async def meddled(world: World) -> AsyncIterator[tuple[VtigerClient, Meddling]]:
    """A client whose server's answers can be changed; no description is kept."""
    meddling = Meddling(world.sandbox.transport())
    async with httpx.AsyncClient(transport=meddling) as http:
        yield world.sandbox.client(http_client=http, metadata_ttl=0), meddling


def without(name: str) -> Any:
    return lambda fields: [field for field in fields if field["name"] != name]


def retyped(name: str, kind: str) -> Any:
    def change(fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**field, "type": {**field["type"], "name": kind}} if field["name"] == name else field
            for field in fields
        ]

    return change


async def test_an_added_field_becomes_a_column_and_is_read(tmp_path: Path) -> None:
    """With drift="evolve" the records are read again; nothing of meanwhile is lost."""
    world = World()
    path = tmp_path / "crm.db"
    ids = [world.create(description=f"D{n}") for n in range(3)]
    async with meddled(world) as (crm, meddling):
        meddling.describe["Contacts"] = without("description")
        await crm.mirror(["Contacts"], to=url(path))
        row = kept(path, "Contacts")[ids[0]]
        assert "description" not in row
        assert row["_extra"]["description"] == "D0"
        meddling.describe.clear()
        told = await crm.mirror(["Contacts"], to=url(path)).explain()
        assert told.records == 3  # all of them, though none has changed
        world.delete(ids[1])
        world.revise(ids[2], description="New")
        events: list[MirrorEvent] = []
        report = await crm.mirror(["Contacts"], to=url(path), on_event=events.append)
        assert report.modules["Contacts"].drift == "added: description"
        assert [event.drift for event in events if isinstance(event, Drifted)] == [
            "added: description"
        ]
        await same(crm, path, "Contacts")
        meddling.describe["Contacts"] = without("phone")
        report = await crm.mirror(["Contacts"], to=url(path))
        assert report.modules["Contacts"].drift == "removed: phone"
        assert (await crm.mirror(["Contacts"], to=url(path))).modules["Contacts"].drift == ""
        await same(crm, path, "Contacts")


@pytest.mark.parametrize("module", ["Contacts", "Invoice", "Users"])
async def test_a_retyped_field_is_read_again(tmp_path: Path, module: str) -> None:
    """The old column stays beside the new one, which is filled although no record has changed."""
    world = World()
    path = tmp_path / "crm.db"
    name = {"Contacts": "description", "Invoice": "subject", "Users": "last_name"}[module]
    world.create(description="12")
    world.invoice(1)
    async with meddled(world) as (crm, meddling):
        meddling.describe[module] = retyped(name, "grid")
        await crm.mirror([module], to=url(path))
        meddling.describe.clear()
        with pytest.raises(CutError):
            await crm.mirror([module], to=FailingSink(path, 3))  # the reading is cut short
        await crm.mirror([module], to=url(path))
        await same(crm, path, module)
        assert any(row[name] for row in kept(path, module).values())
        assert not state_of(path, module).rewrite


async def test_a_frozen_schema_keeps_new_fields_beside(tmp_path: Path) -> None:
    """With drift="freeze" the table stays, and what is new stands in `_extra`."""
    world = World()
    path = tmp_path / "crm.db"
    rid = world.create(description="D")
    async with meddled(world) as (crm, meddling):
        meddling.describe["Contacts"] = without("description")
        await crm.mirror(["Contacts"], to=url(path), drift="freeze")
        meddling.describe.clear()
        world.revise(rid, description="New")
        report = await crm.mirror(["Contacts"], to=url(path), drift="freeze")
        assert report.is_whole
        assert report.modules["Contacts"].drift == "added: description"
        assert kept(path, "Contacts")[rid]["_extra"]["description"] == "New"


async def test_drift_can_fail_a_module_and_leave_the_others_alone(tmp_path: Path) -> None:
    """With drift="fail" the module says what has changed, and stays as it was."""
    world = World()
    path = tmp_path / "crm.db"
    rid = world.create(lastname="Before")
    account = world.create("Accounts")
    async with meddled(world) as (crm, meddling):
        await crm.mirror(["Contacts", "Accounts"], to=url(path), drift="fail")
        meddling.describe["Contacts"] = without("description")
        world.revise(rid, lastname="After")
        world.revise(account, phone="1")
        events: list[MirrorEvent] = []
        mirror = crm.mirror(
            ["Contacts", "Accounts"], to=url(path), drift="fail", on_event=events.append
        )
        report = await mirror
        assert not report.is_whole
        assert "removed: description" in report.failed["Contacts"]
        assert [e.module for e in events if isinstance(e, Failed)] == ["Contacts"]
        assert kept(path, "Contacts")[rid]["lastname"] == "Before"
        await same(crm, path, "Accounts")
        assert "description" in str((await mirror.status()).states["Contacts"].error)
        meddling.describe.clear()
        await mirror
        await same(crm, path, "Contacts")
        assert (await mirror.status()).states["Contacts"].error is None
    assert issubclass(SchemaDriftError, Exception)


@pytest.mark.parametrize("drift", ["evolve", "freeze"])
async def test_what_somebody_has_dropped_is_filled_again(tmp_path: Path, drift: OnDrift) -> None:
    """Columns and the table of lines come back by a second reading; frozen, a field goes beside."""
    world = World()
    path = tmp_path / "crm.db"
    world.create(phone="123")
    world.invoice(1, 2)
    modules = ("Contacts", "Invoice")
    async with world.sandbox.client() as crm:
        await crm.mirror(modules, to=url(path), drift=drift)
        with closing(sqlite3.connect(path)) as database:
            database.execute("ALTER TABLE Contacts DROP COLUMN phone")
            database.execute("ALTER TABLE Contacts DROP COLUMN _hash")
            database.execute("DROP TABLE Invoice_LineItems")
        report = await crm.mirror(modules, to=url(path), drift=drift)
        assert report.is_whole
        assert report.modules["Contacts"].drift == "added: phone"
        await same(crm, path, "Invoice")
        if drift == "evolve":
            await same(crm, path, "Contacts")
        else:
            (row,) = kept(path, "Contacts").values()
            assert (row["_extra"], bool(row["_hash"])) == ({"phone": "123"}, True)
        again = await crm.mirror(modules, to=url(path), drift=drift)
        assert [one.upserts for one in again.modules.values()] == [0, 0]
