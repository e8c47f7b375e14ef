"""When a stream looks: by hints, and where a module or the server fails."""

from __future__ import annotations

import logging

import anyio
import httpx
import pytest
from writers import Copy, Writers

from vtiger_async import (
    AccessDeniedError,
    AuthenticationError,
    Limits,
    VtigerClient,
)
from vtiger_async.streams import Changes, MemoryCursors, StreamError

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
BOTH = ["Contacts", "Accounts"]


class Denying(httpx.AsyncBaseTransport):
    """The way to a sandbox, where syncs of some modules are refused."""

    def __init__(self, writers: Writers, *modules: str) -> None:
        self.inner, self.modules, self.refused = writers.sandbox.transport(), set(modules), 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.params.get("elementType") not in self.modules:
            return await self.inner.handle_async_request(request)
        self.refused += 1
        error = {"code": "ACCESS_DENIED", "message": "Permission denied"}
        return httpx.Response(400, json={"success": False, "error": error})


async def test_a_module_that_fails_does_not_stop_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is asked again at growing intervals, and goes on where it stood when it can be read."""
    writers, copy = Writers(), Copy()
    denying = Denying(writers, "Accounts")
    client = httpx.AsyncClient(transport=denying)

    async def consume(changes: Changes) -> None:
        async for change in changes:
            async with change.ack():
                copy.apply(change)

    account, contact = writers.create("Accounts"), writers.create("Contacts")
    async with (
        writers.sandbox.client(http_client=client) as crm,
        crm.changes(BOTH, MemoryCursors()) as changes,
        anyio.create_task_group() as group,
    ):
        with caplog.at_level(logging.INFO, "vtiger_async"):
            group.start_soon(consume, changes)
            await anyio.sleep(1000)
            assert copy.given == [contact]
            assert denying.refused == 8  # after 0, 5, 15, 35, 75, 155, 315 and 635 seconds
            failed = {one.module: one.error for one in changes.progress}
            assert failed["Contacts"] is None
            assert isinstance(failed["Accounts"], AccessDeniedError)
            denying.modules.clear()
            await anyio.sleep(300)
        group.cancel_scope.cancel()
    assert copy.given == [contact, account]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_to_the_head_a_module_that_fails_is_an_error_at_the_end() -> None:
    """What the others have is given first; the error has each module's own."""
    writers, copy = Writers(), Copy()
    contact = writers.create()
    client = httpx.AsyncClient(transport=Denying(writers, "Accounts"))
    async with writers.sandbox.client(http_client=client) as crm:
        changes = crm.changes(BOTH, MemoryCursors(), until_head=True)
        async with (change := await anext(changes)).ack():
            copy.apply(change)
        with pytest.raises(StreamError, match="to the end: Accounts") as caught:
            await anext(changes)
        with pytest.raises(StopAsyncIteration):
            await anext(changes)
    assert copy.given == [contact]
    assert list(caught.value.errors) == ["Accounts"]


async def test_what_no_wait_mends_ends_the_stream() -> None:
    """A key that is not taken is raised, from the first question or from a look."""
    writers, store = Writers(), MemoryCursors()
    name, key = writers.sandbox.credentials()
    http = httpx.AsyncClient(transport=writers.sandbox.transport())
    async with VtigerClient(writers.sandbox.url, name, key[::-1], http_client=http) as crm:
        for scope in (None, "application"):
            changes = crm.changes(BOTH, store, scope=scope)  # type: ignore[arg-type]  # a loop's str
            with pytest.raises(AuthenticationError):
                await anext(changes)
            await changes.aclose()
    assert store.positions == dict.fromkeys(BOTH, "application:1~0")


@pytest.mark.parametrize(("limits", "wait"), [(Limits(minute=3), 60), (None, 120)])
async def test_a_look_that_the_quota_refuses_is_made_when_there_is_room(
    limits: Limits | None, wait: float
) -> None:
    """Not after five seconds, but as the windows or the server's Retry-After tell."""
    writers = Writers()
    async with (
        writers.sandbox.client(limits=limits, max_wait=0) as crm,
        crm.changes(BOTH, MemoryCursors(), every=10) as changes,
    ):
        with anyio.move_on_after(9):
            await anext(changes)  # a look at each of them, and the question for the rights
        if limits is None:
            writers.sandbox.faults.add("429", operation="sync", times=1, retry_after=120)
        writers.create()
        writers.create("Accounts")
        begun, found = anyio.current_time(), list[float]()
        for _ in BOTH:
            async with (await anext(changes)).ack():
                found.append(anyio.current_time() - begun)
    assert wait - 15 < found[-1] < wait + 15
    assert writers.calls["sync"] <= 6


async def test_hints_lead_to_one_look_and_one_after_the_last() -> None:
    """A burst is one look; what is hinted during a look, or soon after, leads to one more."""
    writers, copy = Writers(), Copy()
    begun = anyio.current_time()
    seen: list[float] = []

    async def consume(changes: Changes) -> None:
        async for change in changes:
            async with change.ack():
                copy.apply(change)
                seen.append(anyio.current_time() - begun)

    async with (
        writers.sandbox.client() as crm,
        crm.changes(BOTH, MemoryCursors(), every=3600) as changes,
        anyio.create_task_group() as group,
    ):
        group.start_soon(consume, changes)
        await anyio.sleep(100)
        assert writers.calls["sync"] == 2
        writers.create()
        for _ in range(20):
            changes.wake("Contacts", gap=10)
        await anyio.sleep(1)
        assert writers.calls["sync"] == 3
        writers.create()
        for _ in range(20):
            changes.wake("Contacts", gap=10)
        await anyio.sleep(100)
        assert writers.calls["sync"] == 4
        changes.wake()
        await anyio.sleep(1)
        assert writers.calls["sync"] == 6
        rule = writers.sandbox.faults.add("latency", operation="sync", seconds=8)
        changes.wake("Contacts", gap=0)
        await anyio.sleep(4)
        changes.wake("Contacts", gap=0)  # the look under way may have been too early
        await anyio.sleep(40)
        writers.sandbox.faults.remove(rule.number)
        assert writers.calls["sync"] == 8
        group.cancel_scope.cancel()
    assert copy.names == writers.alive
    assert seen == [pytest.approx(100, abs=0.1), pytest.approx(110, abs=0.1)]


async def test_to_wait_for_a_change_can_be_cancelled() -> None:
    """A wait that is cut off, in the midst of a look too, loses no change."""
    writers, store = Writers(), MemoryCursors()
    rid = writers.create()
    async with writers.sandbox.client() as crm, crm.changes(["Contacts"], store) as changes:
        writers.sandbox.faults.add("latency", operation="sync", seconds=8, times=1)
        with anyio.move_on_after(4):
            pytest.fail(f"given: {await anext(changes)!r}")  # pragma: no cover
        change = await anext(changes)
        assert change.id == rid
        with anyio.move_on_after(4):
            async with change.ack():
                await anyio.sleep(5)
        assert (await anext(changes)).attempt == 2
