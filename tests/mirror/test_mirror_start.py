"""From which moment changes are read: no clock that is wrong loses one."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import anyio
import httpx
import pytest
from mirrored import World, kept, same, url

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
