"""What explain() says of a mirror, held against what the next round then takes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from mirrored import CutError, FailingSink, World, state_of, url

from vtiger_async.quota.costs import Cost

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def explained_and_taken(
    world: World, path: Path, *modules: str, user: str = "admin"
) -> tuple[Cost, int]:
    """Return what explain() tells, and the calls that the round then takes."""
    async with world.sandbox.client(user) as crm:
        told = await crm.mirror(modules, to=url(path), reconcile=None).explain()
    before = sum(world.calls.values())
    async with world.sandbox.client(user) as crm:
        assert (await crm.mirror(modules, to=url(path), reconcile=None)).is_whole
    return told, sum(world.calls.values()) - before


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_calls_are_told_of_every_kind_of_module(tmp_path: Path, profile: str) -> None:
    """Empty, small and large ones, those without a feed, documents, and later their changes."""
    world = World(profile=profile)
    for _ in range(230):
        world.create()
    invoices = [world.invoice(1, 2) for _ in range(12)]
    await anyio.sleep(3600)
    path = tmp_path / "crm.db"
    modules = ["Contacts", "Leads", "Invoice", "Users", "Currency"]
    asking = profile == "oss-8.4"  # there `me` does not tell who is an administrator
    told, taken = await explained_and_taken(world, path, *modules)
    assert taken - told.calls == asking
    told, taken = await explained_and_taken(world, path, *modules)
    assert taken - told.calls == asking
    await anyio.sleep(3600)
    for invoice in invoices[:5]:
        world.revise(invoice, subject="Other")
        await anyio.sleep(1)
    told, taken = await explained_and_taken(world, path, *modules)
    assert taken - told.calls == asking


async def test_documents_without_lines_are_told_without_doubt(tmp_path: Path) -> None:
    """Their pages hold a hundred, since fields of lines are not asked for: no "or more"."""
    world = World()
    for _ in range(12):
        world.invoice(1, 2, 3)
    async with world.sandbox.client() as crm:
        cost = await crm.mirror(["Invoice"], to=url(tmp_path / "x.db"), line_items=False).explain()
    assert cost.note == ""


async def test_of_a_restricted_user_it_says_that_it_may_be_more(tmp_path: Path) -> None:
    """Proven ends and others' changes are counted; what hidden records cost is not."""
    world = World()
    path = tmp_path / "crm.db"
    for _ in range(120):
        world.create("Accounts")
    await anyio.sleep(3600)
    for changes in (0, 0, 110):
        for _ in range(changes):
            world.create("Accounts")
            await anyio.sleep(2)
        await anyio.sleep(3600)
        told, taken = await explained_and_taken(world, path, "Accounts", user="sales")
        assert "or more" in told.note
        assert taken - 2 <= told.calls <= taken + 2


@pytest.mark.parametrize("is_known", [True, False])
async def test_of_a_snapshot_that_was_cut_the_rest_is_told(tmp_path: Path, is_known: bool) -> None:
    """From its position on; or all of it, where another version has written that."""
    world = World()
    path = tmp_path / "crm.db"
    for _ in range(450):
        world.create()
    async with world.sandbox.client() as crm:
        with pytest.raises(CutError):
            await crm.mirror(["Contacts"], to=FailingSink(path, 5))
    state = state_of(path, "Contacts")
    assert state.token is not None
    if not is_known:
        with closing(sqlite3.connect(path)) as database:
            text = state.text().replace(state.token, "nonsense")
            database.execute("UPDATE _vtiger_modules SET state = ?", (text,))
            database.commit()
    told, taken = await explained_and_taken(world, path, "Contacts")
    assert (told.calls, (told.records or 0) < 450) == (taken, is_known)
