"""Whose changes a stream gives: the scope, and the user whose it is."""

from __future__ import annotations

import pytest
from writers import Writers

from vtiger_async.sandbox import Sandbox
from vtiger_async.streams import CursorStoreError, Delivery, MemoryCursors, StreamError
from vtiger_async.types import SyncScope

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def acknowledged(change: Delivery) -> bool:
    """Acknowledge a change; true, so that it fits into a comprehension."""
    async with change.ack():
        return True


async def begin(writers: Writers, store: MemoryCursors, scope: SyncScope | None) -> None:
    """Ask an administrator's stream for its first change."""
    async with writers.sandbox.client() as crm:
        await anext(crm.changes(["Contacts"], store, scope=scope, until_head=True))


@pytest.mark.parametrize(("user", "scope"), [("admin", "application"), ("sales", "userandgroup")])
async def test_the_open_source_tells_the_rights_in_the_users_record(user: str, scope: str) -> None:
    """`me` does not tell there who is an administrator, and others do not see their record."""
    store = MemoryCursors()
    async with Sandbox(limits=False, profile="oss-8.4").client(user) as crm:
        await anext(crm.changes(["Leads"], store, until_head=True), None)
    whose, _, _ = store.positions["Leads"].partition(":")
    assert whose.partition("@")[0] == scope


async def test_the_scope_follows_the_rights_and_stays() -> None:
    """Who is no administrator gets their own and their groups'; a stream keeps its scope."""
    writers, store = Writers(), MemoryCursors()
    writers.create()
    own = writers.create(owner="19x5")
    for expected in ([own], []):
        async with writers.sandbox.client("sales") as crm:
            changes = crm.changes(["Contacts"], store, until_head=True)
            assert [change.id async for change in changes if await acknowledged(change)] == expected
        assert store.positions["Contacts"].startswith("userandgroup@19x5:")
    assert writers.calls["me"] == 2  # to know who goes on, too
    with pytest.raises(StreamError, match="begun with the scope 'userandgroup'"):
        await begin(writers, store, "application")


async def test_a_stream_of_ones_own_records_is_not_gone_on_with_by_another_user() -> None:
    """Another user is told of other records, and would skip what changed before; all may share."""
    writers, store = Writers(), MemoryCursors()
    own = writers.create(owner="19x5")
    async with writers.sandbox.client("sales") as crm:
        changes = crm.changes(["Contacts"], store, scope="user", until_head=True)
        assert [change.id async for change in changes] == [own]
    before = writers.calls["sync"]
    scopes: tuple[SyncScope | None, ...] = (None, "user")
    for scope in scopes:
        with pytest.raises(StreamError, match="begun by the user 19x5, and this is 19x1"):
            await begin(writers, store, scope)
    assert writers.calls["sync"] == before
    positions = {"Contacts": store.positions["Contacts"].replace("@19x5", "")}
    with pytest.raises(CursorStoreError, match="no position of a stream"):
        await begin(writers, MemoryCursors(positions), None)
