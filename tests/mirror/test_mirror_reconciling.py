"""What no feed tells, found within a budget."""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx
import pytest
from mirrored import World, kept, same, url

from vtiger_async.editions import Limits

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_reconciliation_finds_what_no_feed_tells(tmp_path: Path) -> None:
    """Deleted, restored and changed behind the feed: found by counts and by going round."""
    world = World()
    path = tmp_path / "crm.db"
    ids = [world.create() for _ in range(700)]
    world.delete(ids[5])
    await anyio.sleep(600)  # what is younger than some seconds is asked for again anyway
    world.create()
    numbers = [int(rid.partition("x")[2]) for rid in ids]
    async with world.sandbox.client() as crm:
        await crm.mirror(["Contacts"], to=url(path), reconcile=100)
        await anyio.sleep(86_400)
        world.silently("UPDATE Contacts SET row_state = 1 WHERE n IN (?, ?)", *numbers[300:302])
        world.silently("UPDATE Contacts SET row_state = 0 WHERE n = ?", numbers[5])
        world.silently("UPDATE Contacts SET lastname = 'Silent' WHERE n = ?", numbers[600])
        report = await crm.mirror(["Contacts"], to=url(path), reconcile=100)
        found = report.modules["Contacts"]
        assert (found.error, found.vanished, found.repaired) == (None, 2, 2)
        assert found.reconciled <= 100
        await same(crm, path, "Contacts")
        before = sum(world.calls.values())
        await crm.mirror(["Contacts"], to=url(path), reconcile=100)
        assert sum(world.calls.values()) == before + 1  # not again at once


async def test_reconciliation_keeps_to_its_budget_and_goes_on(tmp_path: Path) -> None:
    """With few calls a day the round through all records takes several days."""
    world = World(limits=Limits(None, None, 300))
    path = tmp_path / "crm.db"
    ids = [world.create() for _ in range(900)]
    await anyio.sleep(600)
    world.create()
    async with world.sandbox.client(limits=Limits(None, None, 300)) as crm:
        await crm.mirror(["Contacts"], to=url(path), reconcile="1%")
        number = int(ids[-1].partition("x")[2])
        world.silently("UPDATE Contacts SET lastname = 'Silent' WHERE n = ?", number)
        spent: list[int] = []
        for _ in range(8):
            await anyio.sleep(86_400)
            report = await crm.mirror(["Contacts"], to=url(path), reconcile="1%")
            spent.append(report.modules["Contacts"].reconciled)
            if report.modules["Contacts"].repaired:
                break
        assert max(spent) <= 3
        assert 4 <= len(spent) < 8
        await same(crm, path, "Contacts")


async def test_without_a_known_day_a_share_is_no_budget(tmp_path: Path) -> None:
    """Where nobody tells the day's limit, the report says that nothing was reconciled."""
    world = World()
    async with world.sandbox.client() as crm:
        await crm.mirror(["Contacts"], to=url(tmp_path / "x.db"))
        await anyio.sleep(86_400)
        report = await crm.mirror(["Contacts"], to=url(tmp_path / "x.db"))
    assert "nobody has told the day's limit" in report.modules["Contacts"].note
    assert report.modules["Contacts"].reconciled == 0


async def test_an_empty_answer_is_not_believed_where_the_count_says_more(tmp_path: Path) -> None:
    """Errors of SQL come as no records: a mirror does not take all of them for gone."""
    world = World()
    path = tmp_path / "crm.db"
    for _ in range(250):
        world.create()

    class Hollow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/query") and "count" not in str(request.url):
                return httpx.Response(200, json={"success": True, "result": []})
            return await inner.handle_async_request(request)

    inner = world.sandbox.transport()
    async with world.sandbox.client() as crm:
        await crm.mirror(["Contacts"], to=url(path), reconcile=100)
    await anyio.sleep(86_400)
    async with httpx.AsyncClient(transport=Hollow()) as http:
        crm = world.sandbox.client(http_client=http)
        report = await crm.mirror(["Contacts"], to=url(path), reconcile=100)
    assert "counts 250 there" in report.failed["Contacts"]
    assert len(kept(path, "Contacts")) == 250
