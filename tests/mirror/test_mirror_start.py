"""From which moment changes are read: no clock that is wrong loses one."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import anyio
import httpx
import pytest
from mirrored import Meddling, World, kept, same, url

from vtiger_async.sandbox.clock import HeldClock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Ahead(httpx.AsyncBaseTransport):
    """A proxy whose clock, which writes the header Date, is ten minutes ahead of the CRM's."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.told: list[datetime] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        self.told.append(parsedate_to_datetime(response.headers["date"]) + timedelta(minutes=10))
        response.headers["date"] = format_datetime(self.told[-1], usegmt=True)
        return response


@pytest.mark.parametrize("user", ["admin", "sales"])
async def test_a_proxy_whose_clock_is_ahead_loses_no_change(tmp_path: Path, user: str) -> None:
    """What is written in the minutes by which Date is ahead is read all the same."""
    world = World()
    path = tmp_path / "crm.db"
    world.create("Accounts")
    async with httpx.AsyncClient(transport=Ahead(world.sandbox.transport())) as http:
        crm = world.sandbox.client(user, http_client=http)
        await crm.mirror(["Accounts"], to=url(path), reconcile=None)
        for _ in range(3):
            await anyio.sleep(100)
            rid = world.create("Accounts")
            await crm.mirror(["Accounts"], to=url(path), reconcile=None)
            assert rid in kept(path, "Accounts")
        await same(crm, path, "Accounts")


@pytest.mark.parametrize("hours", [-7, 7])
async def test_a_clock_that_is_hours_off_loses_nothing(tmp_path: Path, hours: int) -> None:
    """What counts is the server's time, which its answers tell, and not this machine's."""
    world = World(clock=HeldClock(1_790_000_000.0))
    held = world.clock
    assert isinstance(held, HeldClock)
    world.create()
    path = tmp_path / "crm.db"
    async with world.sandbox.client(clock=HeldClock(held.now + hours * 3600.0)) as crm:
        await crm.mirror(["Contacts"], to=url(path))
        for _ in range(3):
            ids = [world.create() for _ in range(130)]
            held.now += 1
            await crm.mirror(["Contacts"], to=url(path))
            world.delete(ids[0])
            world.revise(ids[1], lastname="Later in the same second")
            await crm.mirror(["Contacts"], to=url(path))
        await same(crm, path, "Contacts")


async def test_a_snapshot_starts_from_the_servers_time(tmp_path: Path) -> None:
    """What is written while the pages are read, before or behind them, comes with the changes."""
    world = World()
    ids = [world.create() for _ in range(250)]
    await anyio.sleep(3600)
    path = tmp_path / "crm.db"

    def meddle(operation: str) -> None:
        if operation == "query" and len(ids) < 253:
            world.delete(ids[len(ids) - 250])
            world.revise(ids[10], lastname="Read already")
            ids.append(world.create())

    line = Meddling(world.sandbox.transport())
    line.behind = meddle
    async with httpx.AsyncClient(transport=line) as http, world.sandbox.client() as shown:
        crm = world.sandbox.client(http_client=http)
        before = await crm.me()
        assert crm.server_time is not None
        await crm.mirror(["Contacts"], to=url(path))
        await same(shown, path, "Contacts")
        assert before.id == "19x1"
        assert len(ids) == 253
        assert len(kept(path, "Contacts", gone=True)) == 3


async def test_without_a_date_the_newest_record_tells_the_time(tmp_path: Path) -> None:
    """A server that sends no Date costs one call more, and none where the module is empty."""
    world = World()
    meddling = Meddling(world.sandbox.transport())
    meddling.drop_date = True
    world.create()
    await anyio.sleep(86_400)
    async with httpx.AsyncClient(transport=meddling) as http:
        crm = world.sandbox.client(http_client=http)
        path = tmp_path / "crm.db"
        await crm.mirror(["Contacts", "Accounts"], to=url(path))
        assert crm.server_time is None
        assert world.calls["query"] == 2 + 1 + 1 + 1
        world.create()
        await crm.mirror(["Contacts", "Accounts"], to=url(path))
        await same(crm, path, "Contacts", "Accounts")
