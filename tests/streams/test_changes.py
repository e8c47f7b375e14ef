"""`crm.changes`: one stream over modules, acknowledged by its consumer."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from writers import Copy, Writers

from vtiger_async import (
    InvalidArgumentError,
)
from vtiger_async.streams import (
    Changes,
    Delivery,
    MemoryCursors,
    StreamError,
)

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]
BOTH = ["Contacts", "Accounts"]


async def read(writers: Writers, store: MemoryCursors, **options: Any) -> Copy:
    """Read to the head, acknowledging each change."""
    copy = Copy()
    async with writers.sandbox.client() as crm:
        async for change in crm.changes(BOTH, store, until_head=True, **options):
            async with change.ack():
                copy.apply(change)
    return copy


async def test_modules_take_turns_and_what_is_acknowledged_does_not_come_again() -> None:
    """Changes of the modules alternate; the next stream goes on behind, with a call a module."""
    writers, store = Writers(), MemoryCursors()
    for _ in range(3):
        writers.create("Contacts")
        writers.create("Accounts")
    first = await read(writers, store)
    assert first.names == writers.alive
    assert [rid.partition("x")[0] for rid in first.given] == ["4", "3"] * 3
    before = writers.calls
    assert before == {"me": 1, "sync": 2}
    assert (await read(writers, store)).given == []
    late = writers.create()
    assert (await read(writers, store)).given == [late]
    assert writers.calls == {"me": 1, "sync": 6}


async def test_an_error_in_the_block_leaves_the_change_to_the_next_start() -> None:
    """With `until_head` a change that failed, and all after it of its module, come again."""
    writers, store = Writers(), MemoryCursors()
    ids = [writers.create() for _ in range(3)]
    async with writers.sandbox.client() as crm:
        async for change in crm.changes(["Contacts"], store, until_head=True):
            try:
                async with change.ack():
                    if change.id == ids[1]:
                        raise ValueError
            except ValueError:
                assert change.id == ids[1]
    assert (await read(writers, store)).given == ids[1:]
    assert (await read(writers, store)).given == []


async def test_a_failed_change_is_given_again_where_the_stream_is_read_on() -> None:
    """It comes again after a second, then two, while others go on; `attempt` counts."""
    writers, store = Writers(), MemoryCursors()
    bad, good = writers.create(), writers.create()
    seen: list[tuple[str, int, float]] = []
    async with writers.sandbox.client() as crm, crm.changes(["Contacts"], store) as changes:
        begun = anyio.current_time()
        async for change in changes:
            seen.append((str(change.id), change.attempt, anyio.current_time() - begun))
            try:
                async with change.ack():
                    if change.id == bad and change.attempt < 3:
                        raise ValueError
            except ValueError:
                continue
            if change.id == bad:
                break
    assert [(rid, attempt) for rid, attempt, _ in seen] == [(bad, 1), (good, 1), (bad, 2), (bad, 3)]
    assert seen[2][2] == pytest.approx(1.0, abs=0.1)
    assert seen[3][2] == pytest.approx(3.0, abs=0.1)
    assert (await read(writers, store)).given == []


async def test_a_change_can_be_put_back_without_an_error() -> None:
    """`retry` has it given again, also within `ack`, and with `until_head` too."""
    writers, store = Writers(), MemoryCursors()
    rid = writers.create()
    seen: list[float] = []
    async with writers.sandbox.client() as crm:
        begun = anyio.current_time()
        async for change in crm.changes(["Contacts"], store, until_head=True):
            seen.append(anyio.current_time() - begun)
            async with change.ack():
                if change.attempt == 1:
                    change.retry(after=30)
                    with pytest.raises(StreamError, match="put back already"):
                        change.retry()
            with pytest.raises(StreamError, match=f"Contacts {rid}> was acknowledged"):
                async with change.ack():
                    pytest.fail("the block was entered")  # pragma: no cover
    assert seen == [pytest.approx(0, abs=0.1), pytest.approx(30, abs=0.1)]
    assert (await read(writers, store)).given == []


async def test_the_position_waits_for_what_is_not_acknowledged() -> None:
    """Handled out of order, a change is stored with the last of those before it."""
    writers, store = Writers(), MemoryCursors()
    ids = [writers.create() for _ in range(3)]
    async with writers.sandbox.client() as crm, crm.changes(["Contacts"], store) as changes:
        taken = [await anext(changes) for _ in range(3)]
        start = dict(store.positions)
        with pytest.raises(StreamError, match="earlier changes of Contacts"):
            assert taken[1].position
        for change in (taken[2], taken[1]):
            async with change.ack():
                pass
            assert store.positions == start
        position = taken[0].position
        async with taken[0].ack():
            pass
        assert store.positions["Contacts"] not in (start["Contacts"], position)
    assert ids == [change.id for change in taken]
    assert (await read(writers, store)).given == []
    async with writers.sandbox.client() as crm:  # where a consumer has written the position itself
        own = MemoryCursors({"Contacts": position})
        stream = crm.changes(["Contacts"], own, until_head=True)
        assert [change.id async for change in stream] == ids[1:]


async def test_states_of_a_record_cannot_overtake_each_other() -> None:
    """The next change of a record is given when the one before it is acknowledged."""
    writers, store = Writers(), MemoryCursors()
    rid, other = writers.create(), writers.create()
    async with writers.sandbox.client() as crm, crm.changes(["Contacts"], store) as changes:
        first, second = await anext(changes), await anext(changes)
        assert [first.id, second.id] == [rid, other]
        writers.revise(rid)
        changes.wake(gap=0)
        with anyio.move_on_after(50):
            pytest.fail(f"given: {await anext(changes)!r}")  # pragma: no cover
        async with first.ack():
            pass
        again = await anext(changes)
        assert again.record is not None
        assert (again.id, again.record["lastname"]) == (rid, writers.alive[rid])


async def test_no_more_than_so_many_are_given_unacknowledged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the limit the stream waits for an acknowledgement, says so once, and goes on."""
    writers, store = Writers(), MemoryCursors()
    for _ in range(5):
        writers.create()
    taken: list[Delivery] = []
    async with (
        writers.sandbox.client() as crm,
        crm.changes(["Contacts"], store, max_unacknowledged=2) as changes,
    ):
        with anyio.move_on_after(500), caplog.at_level(logging.WARNING, "vtiger_async"):
            taken += [await anext(changes) for _ in range(2)]
            await anext(changes)
        assert len(taken) == 2
        assert [record.message for record in caplog.records] == [
            "no more changes of Contacts: too many are given and not acknowledged"
        ]
        (progress,) = changes.progress
        assert (progress.module, progress.unacknowledged) == ("Contacts", 2)

        async def acknowledge() -> None:
            await anyio.sleep(10)
            async with taken[0].ack():
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(acknowledge)
            with anyio.fail_after(20):
                assert (await anext(changes)).attempt == 1


async def test_tasks_share_a_stream_and_a_look() -> None:
    """Each change is given to one task; at the head each look costs a call a module."""
    writers, store, copy = Writers(), MemoryCursors(), Copy()
    for _ in range(250):
        writers.create()

    async def consume(changes: Any) -> None:
        async for change in changes:
            async with change.ack():
                await anyio.sleep(0.1)
                copy.apply(change)

    async with writers.sandbox.client() as crm, crm.changes(BOTH, store) as changes:
        with anyio.move_on_after(400):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(consume, changes)
                await anyio.sleep(100)
                writers.create("Accounts")
    assert copy.names == writers.alive
    assert len(copy.given) == 251
    assert writers.calls["sync"] <= 3 + 2 * 7


async def test_now_is_by_the_servers_clock_and_kept_at_the_first_start() -> None:
    """Older changes do not come; those after the first start do, even if none was acknowledged."""
    writers, store = Writers(), MemoryCursors()
    writers.create()
    await anyio.sleep(100)
    async with writers.sandbox.client() as crm:
        stream = crm.changes(BOTH, store, since="now", until_head=True)
        assert [change async for change in stream] == []
    assert writers.calls == {"me": 1, "sync": 2}
    late = writers.create("Accounts")
    await anyio.sleep(1000)
    async with writers.sandbox.client() as crm:
        stream = crm.changes(BOTH, store, since="now", until_head=True)
        assert [change.id async for change in stream] == [late]


class Dateless(httpx.AsyncBaseTransport):
    """The way to a sandbox whose answers do not tell the time."""

    def __init__(self, writers: Writers) -> None:
        self.inner = writers.sandbox.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        response.headers.pop("date", None)
        return response


async def test_now_is_the_newest_change_where_the_server_tells_no_time() -> None:
    """A minute before it the stream begins; an empty module begins at its beginning."""
    writers, store = Writers(), MemoryCursors()
    writers.create()
    await anyio.sleep(100)
    newest = writers.create()
    client = httpx.AsyncClient(transport=Dateless(writers))
    async with writers.sandbox.client(http_client=client) as crm:
        stream = crm.changes(BOTH, store, since="now", until_head=True)
        assert [change.id async for change in stream] == [newest]
    assert store.positions["Accounts"] == "application:1~0"
    # A description shows that the statement which found nothing can find something.
    assert writers.calls == {"me": 1, "query": 2, "describe": 1, "sync": 2}


async def test_a_moment_is_where_the_first_start_begins() -> None:
    """Changes at the second of the moment or later come, in Unix seconds or as a datetime."""
    writers = Writers()
    writers.create()
    await anyio.sleep(10)
    moment = int(writers.sandbox.clock.time())
    late = writers.create()
    for since in (moment, datetime.fromtimestamp(moment, UTC)):
        assert (await read(writers, MemoryCursors(), since=since)).given == [late]


@pytest.mark.parametrize(
    ("modules", "options", "says"),
    [
        ([], {}, "at least one"),
        ("Contacts", {}, "a list of names"),
        (["Contacts", "Users"], {}, "no changes of Users"),
        (["Currency"], {}, "no changes of Currency"),
        (["contacts"], {}, "Contacts, not contacts"),
        (["Contacts"], {"every": 0}, "every"),
        (["Contacts"], {"every": float("nan")}, "every"),
        (["Contacts"], {"max_unacknowledged": 0}, "max_unacknowledged"),
        (["Contacts"], {"max_unacknowledged": 1.5}, "max_unacknowledged"),
        (["Contacts"], {"since": "yesterday"}, "'yesterday'"),
        (["Contacts"], {"since": datetime(2026, 1, 1)}, "no zone"),
        (["Contacts"], {"scope": "all"}, "scope"),
        (["Contacts"], {"store": 5}, "store is"),
        (["Contacts"], {"store": ":memory:"}, "MemoryCursors"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_a_call(
    modules: Any, options: dict[str, Any], says: str
) -> None:
    """An argument that cannot be used is an error where the stream is made."""
    writers = Writers()
    async with writers.sandbox.client() as crm:
        arguments: dict[str, Any] = {"store": MemoryCursors(), **options}
        with pytest.raises(InvalidArgumentError, match=says):
            crm.changes(modules, **arguments)
        changes = crm.changes(BOTH, MemoryCursors())
        for call in (lambda: changes.wake("Leads"), lambda: changes.wake(gap=-1)):
            with pytest.raises(InvalidArgumentError):
                call()
        assert repr(changes) == "<Changes of Contacts, Accounts>"
    assert writers.calls == {}


async def test_a_closed_stream_gives_and_stores_nothing() -> None:
    """After its block, a stream and its changes are used up; what waits for one is told."""
    writers, store = Writers(), MemoryCursors()
    rid = writers.create()

    async def wait(changes: Changes) -> None:
        with pytest.raises(StreamError, match="closed"):
            await anext(changes)

    async with writers.sandbox.client() as crm, anyio.create_task_group() as group:
        async with crm.changes(["Contacts"], store) as changes:
            change = await anext(changes)
            group.start_soon(wait, changes)
            await anyio.sleep(5)
        with pytest.raises(StreamError, match="next start"):
            async with change.ack():
                pass
        another = await anext(crm.changes(["Contacts"], MemoryCursors()))
        with pytest.raises(InvalidArgumentError, match="after"):
            another.retry(after=-1)
    assert (await read(writers, store)).given == [rid]
