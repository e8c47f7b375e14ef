"""Sync: no change lost, none repeated, wherever the reading stops and whatever the server does."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from sync_server import START, page, scripted

from vtiger_async import (
    Change,
    InvalidArgumentError,
    Sync,
)
from vtiger_async.client.feed import start_of
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class World:
    """A sandbox and a writer on it."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(limits=False, records=0)
        self.engine = self.sandbox.engine
        self.admin = self.engine.users["admin"]
        self.alive: dict[str, str] = {}

    def run(self, operation: str, **params: Any) -> Any:
        sent = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
        return self.engine.execute(operation, sent, self.admin)

    def create(self, name: str) -> str:
        element = {"lastname": name, "assigned_user_id": "19x1"}
        rid = str(self.run("create", elementType="Contacts", element=element)["id"])
        self.alive[rid] = name
        return rid

    def revise(self, rid: str, name: str) -> None:
        self.run("revise", element={"id": rid, "lastname": name})
        self.alive[rid] = name

    def delete(self, rid: str) -> None:
        self.run("delete", id=rid)
        del self.alive[rid]

    @property
    def calls(self) -> dict[str, int]:
        return dict(self.sandbox.ledger()["calls"])


class Mirror:
    """A consumer that applies changes, and remembers what it was given."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.given: list[tuple[str, str, Any]] = []

    def apply(self, change: Change) -> None:
        if change.kind == "delete":
            self.names.pop(change.id, None)
            self.given.append(("delete", str(change.id), None))
        else:
            assert change.record is not None
            self.names[str(change.id)] = change.record["lastname"]
            fields = tuple(sorted(change.record.fields.items()))
            self.given.append(("upsert", str(change.id), fields))


async def test_everything_comes_from_the_beginning() -> None:
    """since=None gives every record and every deletion, each once."""
    world = World()
    for number in range(250):
        world.create(f"N{number}")
        await anyio.sleep(0.5)
    world.delete(next(iter(world.alive)))
    await anyio.sleep(600)
    mirror = Mirror()
    async with world.sandbox.client() as crm:
        async for change in crm.sync("Contacts"):
            mirror.apply(change)
    assert mirror.names == world.alive
    assert len(mirror.given) == 250
    assert world.calls["sync"] <= 4


async def test_a_saved_cursor_goes_on_behind_what_was_given() -> None:
    """From a change's cursor only later changes come, also after a long time."""
    world = World()
    first = world.create("First")
    async with world.sandbox.client() as crm:
        changes = [change async for change in crm.sync("Contacts")]
        assert [change.id for change in changes] == [first]
        cursor = changes[-1].cursor
        assert [c async for c in crm.sync("Contacts", since=cursor)] == []
        await anyio.sleep(1000)
        second = world.create("Second")
        later = [change async for change in crm.sync("Contacts", since=cursor)]
        assert [change.id for change in later] == [second]
        assert later[0].record is not None
        assert later[0].record["lastname"] == "Second"


async def test_a_write_later_in_a_second_already_read_is_not_lost() -> None:
    """What is written within the second that was just read comes with the next look."""
    world = World()
    async with world.sandbox.client() as crm:
        world.create("Early")
        stream = crm.sync("Contacts")
        assert len([change async for change in stream]) == 1
        late = world.create("Late, in the same second")
        again = [change async for change in crm.sync("Contacts", since=stream.cursor)]
    assert [change.id for change in again] == [late]


async def test_a_record_changed_twice_within_a_second_comes_in_its_last_state() -> None:
    """A second change within a read second is given, since its content differs."""
    world = World()
    async with world.sandbox.client() as crm:
        rid = world.create("One")
        stream = crm.sync("Contacts")
        assert [c.record["lastname"] for c in [c async for c in stream] if c.record] == ["One"]
        world.revise(rid, "Two")
        again = [c async for c in crm.sync("Contacts", since=stream.cursor)]
    assert [c.record["lastname"] for c in again if c.record] == ["Two"]


@pytest.mark.parametrize("since", [START + 100, datetime.fromtimestamp(START + 100, UTC)])
async def test_a_moment_means_that_second_and_later(since: Any) -> None:
    """A datetime and Unix seconds include changes within the second that they name."""
    asked: list[int] = []
    async with scripted(asked, [page([], START)]) as crm:
        assert [c async for c in crm.sync("Contacts", since=since)] == []
    assert asked == [START + 99]


async def test_the_start_of_time_is_asked_for_as_one() -> None:
    """modifiedTime=0 is dropped by the server as empty, so None begins at 1."""
    asked: list[int] = []
    async with scripted(asked, [page([], 1), page([], 1)]) as crm:
        assert [c async for c in crm.sync("Contacts")] == []
        assert [c async for c in crm.sync("Contacts", since=-5)] == []
    assert asked == [1, 1]


@pytest.mark.parametrize(
    "since", ["", "nonsense", "2~5", "1~x", "1~5~0.!!!", True, b"1", float("nan"), object()]
)
def test_what_is_no_moment_is_refused(since: Any) -> None:
    """Anything but None, a cursor, a datetime and a number is refused before a call."""
    with pytest.raises(InvalidArgumentError, match="since: "):
        start_of(since)


def test_a_datetime_without_a_zone_is_refused() -> None:
    """A naive datetime could mean any zone, and is refused."""
    with pytest.raises(InvalidArgumentError, match="no zone"):
        start_of(datetime(2026, 1, 1))


async def test_scopes_that_the_server_would_misread_are_refused() -> None:
    """An unknown scope would silently mean 'user'; it is refused."""
    async with World().sandbox.client() as crm:
        with pytest.raises(InvalidArgumentError, match="scope"):
            crm.sync("Contacts", scope="all")  # type: ignore[arg-type]
        with pytest.raises(InvalidArgumentError, match="every"):
            crm.sync("Contacts").follow(0)
        assert "Contacts" in repr(crm.sync("Contacts"))


async def test_following_goes_on_for_ever() -> None:
    """follow() waits at the head and gives later changes; a look costs one call."""
    world = World()
    world.create("Before")
    seen: list[str] = []

    async def write() -> None:
        await anyio.sleep(90)
        world.create("During")
        await anyio.sleep(120)
        world.create("Later")

    async with world.sandbox.client() as crm, anyio.create_task_group() as group:
        group.start_soon(write)
        async for change in crm.sync("Contacts").follow(every=60):
            assert change.record is not None
            seen.append(change.record["lastname"])
            if seen[-1] == "Later":
                break
    assert seen == ["Before", "During", "Later"]
    assert world.calls["sync"] <= 6


async def test_a_change_back_within_a_second_is_a_change() -> None:
    """A record that returns to a state already given, all in one second, is given again."""
    world = World()
    rid = world.create("A")
    found: list[str] = []
    cursor: str | None = None
    async with world.sandbox.client() as crm:
        for name in ("A", "B", "A", "B", "B"):
            world.revise(rid, name)
            async for change in crm.sync("Contacts", since=cursor):
                assert change.record is not None
                found.append(change.record["lastname"])
                cursor = change.cursor
    assert found == ["A", "B", "A", "B"]


async def test_tasks_can_share_one_sync() -> None:
    """Tasks that take from one sync get each change once between them, and none is lost."""
    world = World()
    names = [world.create(f"N{number:03}") for number in range(250)]
    found: list[str] = []

    async def take(changes: Sync) -> None:
        async for change in changes:
            found.append(change.id)
            await anyio.sleep(0.1)

    async with world.sandbox.client() as crm, anyio.create_task_group() as group:
        changes = crm.sync("Contacts")
        for _ in range(3):
            group.start_soon(take, changes)
    assert sorted(found) == sorted(names)


@pytest.mark.parametrize("seed", range(20))
async def test_a_mirror_fed_by_cursors_equals_the_crm(seed: int) -> None:
    """Writers run while a consumer reads, stops anywhere and resumes: it ends up with the truth.

    Nothing is given twice in the same state, however many changes share a second.
    """
    world, draw, mirror = World(), random.Random(seed), Mirror()
    cursor: str | None = None

    def write() -> None:
        for _ in range(draw.choice([0, 1, 3, 40, 130])):
            alive = list(world.alive)
            action = draw.random()
            if action < 0.5 or not alive:
                world.create(f"N{draw.random()}")
            elif action < 0.8:
                world.revise(draw.choice(alive), f"R{draw.random()}")
            else:
                world.delete(draw.choice(alive))

    async with world.sandbox.client() as crm:
        for _ in range(12):
            write()
            await anyio.sleep(draw.choice([0, 0.3, 1, 2, 7, 400]))
            stop_after = draw.choice([1, 5, 60, 1000])
            async for change in crm.sync("Contacts", since=cursor):
                mirror.apply(change)
                cursor = change.cursor
                if draw.random() < 0.02:
                    write()
                if draw.random() < 0.02:
                    await anyio.sleep(draw.choice([0.2, 1.1]))
                stop_after -= 1
                if stop_after == 0:
                    break
        await anyio.sleep(10)
        async for change in crm.sync("Contacts", since=cursor):
            mirror.apply(change)
    assert mirror.names == world.alive
    assert len(mirror.given) == len(set(mirror.given))


async def test_a_page_once_given_costs_no_more_than_its_repeats() -> None:
    """450 records in one second come in one page, and are given once each."""
    world = World()
    for number in range(450):
        world.create(f"N{number}")
    await anyio.sleep(1000)
    async with world.sandbox.client() as crm:
        ids = [change.id async for change in crm.sync("Contacts")]
        cursor = (await anext(crm.sync("Contacts"))).cursor
        rest = [change.id async for change in crm.sync("Contacts", since=cursor)]
    assert len(ids) == len(set(ids)) == 450
    assert sorted(rest) == sorted(ids)[1:]
