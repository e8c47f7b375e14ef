"""Mirrors hold what a server's queries show, where it tells changes otherwise (as Vtiger 8.4)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from documents import invoice_of
from mirrored import World, kept, same, state_of

from vtiger_async.mirror.owing import Owed, due, note_of, settled
from vtiger_async.sandbox.answers import Fault

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def new(world: World, module: str, **fields: object) -> str:
    return str(world.run("create", elementType=module, element=fields)["id"])


TASK = {
    "subject": "T",
    "assigned_user_id": "19x1",
    "activitytype": "Task",
    "date_start": "2026-01-05",
    "time_start": "10:00:00",
    "due_date": "2026-01-06",
}


async def test_a_task_keeps_its_own_statuses_though_a_sync_tells_one_for_both(
    tmp_path: Path,
) -> None:
    """A sync of tasks sends the status as `eventstatus`, too: a query tells each, 100 to a call."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Calendar"], to=url(path))
        await mirror
        rids = [
            new(world, "Calendar", **TASK, taskstatus="Completed", eventstatus=other)
            for other in ("", "Planned", "Held")
        ]
        before = world.calls
        await mirror
        assert world.calls["query"] - before.get("query", 0) == 1
        assert [kept(path, "Calendar")[rid]["eventstatus"] for rid in rids] == [
            None, "Planned", "Held",
        ]  # fmt: skip
        await same(crm, path, "Calendar")
        before = world.calls
        await mirror
        assert world.calls["query"] == before["query"]  # what was told is not asked again
    world.sandbox.close()


class Between(httpx.AsyncBaseTransport):
    """A line on which something happens right before a query, once."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.what: Callable[[], object] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.what is not None and request.url.path.endswith("/query"):
            what, self.what = self.what, None
            what()
        return await self.inner.handle_async_request(request)


async def test_a_task_that_changes_before_it_is_asked_for_is_told_again(tmp_path: Path) -> None:
    """Of a task that is no more what the sync told, or is gone, the next changes tell."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    between = Between(world.sandbox.transport())
    async with httpx.AsyncClient(transport=between) as http:
        crm = world.sandbox.client(http_client=http)
        mirror = crm.mirror(["Calendar"], to=url(path))
        await mirror
        first, second = (
            new(world, "Calendar", **TASK, taskstatus="Completed", eventstatus="Held")
            for _ in range(2)
        )
        await world.clock.sleep(2)

        def change() -> None:
            world.revise(first, taskstatus="Planned")
            world.delete(second)

        between.what = change
        await mirror
        assert kept(path, "Calendar")[first]["eventstatus"] == "Completed"
        await mirror
        assert kept(path, "Calendar")[first]["eventstatus"] == "Held"
        await same(crm, path, "Calendar")
    world.sandbox.close()


async def test_what_is_owed_is_asked_for_after_pauses_that_double_up_to_a_day() -> None:
    """Three failures are asked for in each round; ten at once, the longest due first."""
    owed: tuple[Owed, ...] = ()
    waits: list[float] = []
    for _ in range(14):
        owed = settled(owed, ["7x1"], {"7x1"}, 1000.0)
        waits.append(owed[0].due_at - 1000.0)
    assert waits[:5] == [0.0, 0.0, 0.0, 960.0, 1920.0]
    assert waits[-1] == 86_400.0
    many = [Owed(f"7x{n}", 1, float(n)) for n in range(20, 0, -1)]
    assert due(many, 15.0) == [f"7x{n}" for n in range(1, 11)]
    assert note_of(many).endswith("7x20, 7x19, 7x18, 7x17, 7x16, ...")
    assert settled(owed, (), {"7x1"}, 1000.0) == ()


DEAL = {
    "potentialname": "P",
    "closingdate": "2026-02-01",
    "sales_stage": "Prospecting",
    "assigned_user_id": "19x1",
}


def broken_document(world: World) -> str:
    """A document whose creation failed in the middle: retrieve ends in HTTP 500 ever after."""
    account = world.create("Accounts")
    product = new(world, "Products", productname="P", unit_price="10", assigned_user_id="19x1")
    lines = [{"productid": product, "quantity": "1", "listprice": "10"}]
    whole = invoice_of(account, product, lines)
    with pytest.raises(Fault):
        new(world, "Invoice", **whole | {"subject": "broken", "hdnTaxType": "individual"})
    return str(
        world.run("query", query="SELECT id FROM Invoice WHERE subject = 'broken';")[0]["id"]
    )


async def test_a_document_that_cannot_be_retrieved_does_not_stop_its_module(
    tmp_path: Path,
) -> None:
    """It is kept as queries show it, without lines, and the report says so; others are whole."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    broken, whole = broken_document(world), world.invoice(1, 2)
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Invoice"], to=url(path))
        report = await mirror
        assert report.is_whole
        assert broken in report.modules["Invoice"].note
        held = kept(path, "Invoice")
        assert held[broken]["subject"] == "broken"
        assert [len(held[rid]["lines"]) for rid in (broken, whole)] == [0, 2]
        later = world.invoice(1)
        assert (await mirror).is_whole
        assert len(kept(path, "Invoice")[later]["lines"]) == 1
    world.sandbox.close()


async def test_a_document_that_cannot_be_retrieved_is_asked_for_ever_more_seldom(
    tmp_path: Path,
) -> None:
    """Behind three rounds the pauses double; when the server can send it, it is owed no more."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    broken = broken_document(world)
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Invoice"], to=url(path))
        assert [(await mirror).modules["Invoice"].upserts for _ in range(3)] == [1, 0, 0]
        assert state_of(path, "Invoice").owed[0].failures == 3
        await mirror
        before = world.calls["retrieve"]
        report = await mirror
        assert world.calls["retrieve"] == before
        assert report.modules["Invoice"].calls == 1  # a quiet round again
        world.silently("UPDATE Invoice SET hdnTaxType = 'group'")
        await world.clock.sleep(3600)
        assert "line items" not in (await mirror).modules["Invoice"].note
        assert kept(path, "Invoice")[broken]["hdnTaxType"] == "group"
        await same(crm, path, "Invoice")
    world.sandbox.close()


async def test_line_items_that_did_not_come_for_a_while_come_later(tmp_path: Path) -> None:
    """A server that fails for a while costs no line items: the next round asks for them."""
    world, path = World(), tmp_path / "m.db"
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Invoice"], to=url(path))
        await mirror
        rid = world.invoice(1, 2)
        fault = world.sandbox.faults.add("500", operation="retrieve")
        assert (await mirror).is_whole
        assert kept(path, "Invoice")[rid]["lines"] == []
        gone = world.invoice(1)
        assert (await mirror).is_whole
        world.delete(gone)
        world.sandbox.faults.remove(fault.number)
        assert "line items" not in (await mirror).modules["Invoice"].note
        await same(crm, path, "Invoice")
    world.sandbox.close()


async def test_a_server_that_sends_no_document_at_all_fails_the_module_first(
    tmp_path: Path,
) -> None:
    """Where none of several comes, nothing is written; if that goes on, all but their lines is."""
    world, path = World(), tmp_path / "m.db"
    for _ in range(3):
        world.invoice(1)
    fault = world.sandbox.faults.add("500", operation="retrieve")
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Invoice"], to=url(path))
        assert not (await mirror).is_whole
        assert kept(path, "Invoice") == {}
        assert (await mirror).is_whole
        assert len(kept(path, "Invoice")) == 3
        world.sandbox.faults.remove(fault.number)
        await mirror
        await same(crm, path, "Invoice")
    world.sandbox.close()


async def test_what_goes_with_a_deleted_record_is_found_by_reconciliation(tmp_path: Path) -> None:
    """Of an organisation's deals and quotes, and a vendor's orders, no feed tells the deletion."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    account = world.create("Accounts")
    deal = new(world, "Potentials", **DEAL, related_to=account)
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Accounts", "Potentials"], to=url(path), reconcile=2000)
        await mirror
        await world.clock.sleep(600)
        new(world, "Potentials", **DEAL)  # else the feed's last second is asked for again
        await mirror
        world.delete(account)
        report = await mirror
        assert (report.modules["Accounts"].deleted, report.modules["Potentials"].deleted) == (1, 0)
        await world.clock.sleep(86_400)
        report = await mirror
        assert report.modules["Potentials"].vanished == 1
        assert deal not in kept(path, "Potentials")
        await same(crm, path, "Accounts", "Potentials")
    world.sandbox.close()


async def test_a_quiet_round_costs_two_calls_of_who_is_no_administrator(tmp_path: Path) -> None:
    """The changes of their own records, and a count(*) of what else has changed."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    rid = world.create("Leads", assigned_user_id="19x1")
    async with world.sandbox.client("sales") as crm:
        mirror = crm.mirror(["Leads"], to=url(path), reconcile=None)
        await mirror
        await world.clock.sleep(600)
        await mirror
        await world.clock.sleep(600)
        assert (await mirror).modules["Leads"].calls == 2
        world.revise(rid, description="another's")
        assert (await mirror).modules["Leads"].upserts == 1
        await same(crm, path, "Leads")
    world.sandbox.close()
