"""Ends at any instant, and positions that cannot be read any more: nothing is lost by them."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import anyio
import pytest
from mirrored import CutError, FailingSink, World, same, state_of, url

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@pytest.mark.parametrize("seed", range(4))
async def test_writers_and_crashes_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Many changes in one second, and ends at any step of the sink: at last all is the same."""
    chance = random.Random(seed)
    world = World(profile=("cloud", "oss-8.4")[seed % 2])
    modules, ids = ["Contacts", "Accounts"], list[str]()

    def write() -> None:
        draw = chance.random()
        if draw < 0.45 or not ids:
            ids.append(world.create(chance.choice(modules)))
        elif draw < 0.75:
            world.revise(chance.choice(ids), description=str(draw))
        else:
            world.delete(ids.pop(chance.randrange(len(ids))))

    async def writer() -> None:
        for _ in range(150):
            write()
            await anyio.sleep(chance.choice([0, 0, 0.01, 0.3, 1.2]))

    for _ in range(150):
        write()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        async with anyio.create_task_group() as group:
            group.start_soon(writer)
            for _ in range(5):
                with suppress(CutError):
                    await crm.mirror(modules, to=FailingSink(path, chance.randrange(1, 12)))
                await anyio.sleep(chance.random() * 4)
        assert (await crm.mirror(modules, to=url(path))).is_whole
        await same(crm, path, *modules)
    world.sandbox.close()


async def test_an_end_at_each_step_is_made_good_by_the_next_round(tmp_path: Path) -> None:
    """Before and behind each prepare and commit: no row is missing or stands twice afterwards."""
    world = World()
    for _ in range(110):
        world.create()
    invoice = world.invoice(1, 2)
    async with world.sandbox.client() as crm:
        steps = 1
        while True:
            path = tmp_path / f"{steps}.db"
            sink = FailingSink(path, steps)
            ended = False
            try:
                await crm.mirror(["Contacts", "Invoice"], to=sink)
            except CutError:
                ended = True
            world.revise(invoice, subject=f"S{steps}")
            await crm.mirror(["Contacts", "Invoice"], to=url(path))
            await same(crm, path, "Contacts", "Invoice")
            if not ended:
                break
            steps += 5 if steps > 8 else 1
    assert steps > 12


def store(path: Path, state: str) -> None:
    """Put another state in the place of what a mirror has stored."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE _vtiger_modules SET state = ?", (state,))


async def test_a_token_that_is_refused_begins_the_snapshot_anew(tmp_path: Path) -> None:
    """A position that another version has written is no reason to stop; changes start as before."""
    world = World()
    for _ in range(150):
        world.create()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        with pytest.raises(CutError):
            await crm.mirror(["Contacts"], to=FailingSink(path, 5))
        state = state_of(path, "Contacts")
        assert state.token is not None
        store(path, state.text().replace(state.token, "nonsense"))
        await crm.mirror(["Contacts"], to=url(path))
        await same(crm, path, "Contacts")
        assert state_of(path, "Contacts").phase == "deltas"


async def test_a_cursor_that_is_refused_reads_everything_again(tmp_path: Path) -> None:
    """A cursor that cannot be read is replaced, and nothing is lost by it."""
    world = World()
    first = world.create()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        await crm.mirror(["Contacts"], to=url(path))
        state = state_of(path, "Contacts")
        assert state.cursor is not None
        store(path, state.text().replace(state.cursor, "9~nonsense"))
        world.revise(first, lastname="Other")
        await crm.mirror(["Contacts"], to=url(path))
        await same(crm, path, "Contacts")
