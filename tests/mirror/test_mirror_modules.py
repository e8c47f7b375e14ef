"""What is special about some modules and users: lines, no feed, changed fields, other rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mirrored import CutError, FailingSink, Meddling, World, kept, same, state_of

from vtiger_async import QuotaExhaustedError, VtigerClient
from vtiger_async.editions import Limits
from vtiger_async.errors import AuthenticationError
from vtiger_async.mirror import Drifted, Failed, Mirror, MirrorEvent, Paused, SchemaDriftError

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def url(path: Path) -> str:
    return f"sqlite:///{path}"


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


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_documents_are_retrieved_only_when_they_have_changed(
    tmp_path: Path, profile: str
) -> None:
    """A retrieve for each new or changed document, and no other; a snapshot page costs no more."""
    world = World(profile=profile)
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        ids = [world.invoice(1, 2, 3) for _ in range(60)]
        report = await crm.mirror(["Invoice"], to=url(path))
        assert report.modules["Invoice"].retrieved == 60
        assert world.calls["retrieve"] == 60 + (profile == "oss-8.4")  # who the user is
        assert world.calls["query"] <= 2
        await same(crm, path, "Invoice")
        assert all(len(row["lines"]) == 3 for row in kept(path, "Invoice").values())
        await anyio.sleep(600)
        world.revise(ids[0], subject="<script>Other</script>")
        world.delete(ids[1])
        report = await crm.mirror(["Invoice"], to=url(path))
        assert report.modules["Invoice"].retrieved == 1
        await same(crm, path, "Invoice")
        assert (await crm.mirror(["Invoice"], to=url(path))).modules["Invoice"].retrieved == 0


async def test_documents_can_be_kept_without_their_lines(tmp_path: Path) -> None:
    """No retrieve, no table; wanted later, all are retrieved once; given up, the table stays."""
    world = World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        ids = [world.invoice(1, 2) for _ in range(20)]

        def mirror(*, line_items: bool) -> Mirror:
            return crm.mirror(["Invoice"], to=url(path), line_items=line_items)

        cheap = (await mirror(line_items=False).explain()).calls
        assert (await mirror(line_items=True).explain()).calls == cheap + 20
        first = (await mirror(line_items=False)).modules["Invoice"]
        assert (first.error, "retrieve" in world.calls) == (None, False)
        assert "line items" not in first.note
        assert world.calls["query"] <= 2 + 2  # two were spent to explain
        assert (len(kept(path, "Invoice")), state_of(path, "Invoice").lines) == (20, None)

        assert (await mirror(line_items=True).explain()).calls >= 20
        assert (await mirror(line_items=True)).modules["Invoice"].retrieved == 20
        await same(crm, path, "Invoice")
        assert (await mirror(line_items=True)).modules["Invoice"].retrieved == 0

        await anyio.sleep(600)
        world.revise(ids[0], subject="Other")
        third = (await mirror(line_items=False)).modules["Invoice"]
        assert (third.retrieved, third.upserts) == (0, 1)
        assert "Invoice_LineItems stays as it was" in third.note
        row = kept(path, "Invoice")[ids[0]]
        assert (row["subject"], len(row["lines"])) == ("Other", 2)
        assert (await mirror(line_items=True)).modules["Invoice"].retrieved == 20
        await same(crm, path, "Invoice")


async def test_a_cut_among_documents_retrieves_none_twice(tmp_path: Path) -> None:
    """Ten at a time are written with their hashes: what was written costs no call again."""
    world = World()
    path = tmp_path / "crm.db"
    for _ in range(35):
        world.invoice(1)
    async with world.sandbox.client() as crm:
        with pytest.raises(CutError):
            await crm.mirror(["Invoice"], to=FailingSink(path, 7))
        assert len(kept(path, "Invoice")) == 20
        report = await crm.mirror(["Invoice"], to=url(path))
        assert report.modules["Invoice"].retrieved == 15
        await same(crm, path, "Invoice")


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


async def test_following_is_quiet_and_backs_off_from_what_fails(tmp_path: Path) -> None:
    """A round a minute costs a call; a module that fails is asked for ever more seldom."""
    world = World()
    path = tmp_path / "crm.db"
    tried: list[float] = []
    async with world.sandbox.client() as crm:
        start = world.clock.time()

        def note(event: MirrorEvent) -> None:
            if isinstance(event, Failed):
                tried.append(round(event.at.timestamp() - start))

        async with crm.mirror(["Contacts", "Nonsense"], to=url(path), on_event=note) as mirror:
            async for _ in mirror.follow(every=60.0):
                if world.clock.time() - start > 3600:
                    break
        assert world.calls["sync"] == pytest.approx(61, abs=1)
        assert tried == [0, 120, 360, 840, 1740, 2640, 3540]
        rid = world.create()
        async for report in mirror.follow(every=60.0):
            assert report.modules["Contacts"].upserts == 1
            break
        assert rid in kept(path, "Contacts")


async def test_a_used_up_day_pauses_and_says_until_when(tmp_path: Path) -> None:
    """The report and an event tell the moment, and following goes on then by itself."""
    limits = Limits(None, None, 6, "utc")
    world = World(limits=limits, day_policy="utc")
    path = tmp_path / "crm.db"
    for _ in range(900):
        world.create()
    events: list[MirrorEvent] = []
    async with world.sandbox.client(limits=limits) as crm:
        mirror = crm.mirror(["Contacts"], to=url(path), reconcile=None, on_event=events.append)
        rounds = 0
        async for report in mirror.follow():
            rounds += 1
            if report.is_whole:
                break
            assert report.paused_until is not None
            assert report.paused_until > report.ended_at
            assert "the day's quota is used up" in report.failed["Contacts"]
        paused = [event for event in events if isinstance(event, Paused)]
        assert len(paused) == rounds - 1 >= 2
        assert all(event.window == "day" and event.until > event.at for event in paused)
        assert len(kept(path, "Contacts")) == 900
    assert issubclass(QuotaExhaustedError, Exception)
