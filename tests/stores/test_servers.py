"""What both stores that are servers promise, against real ones."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
from attrs import frozen
from fleet_run import check, run_fleet
from quota_worker import OffClock
from servers import Server, postgres, redis

from vtiger_async import (
    ConfigurationError,
    Limits,
    PostgresQuota,
    QuotaExhaustedError,
    RedisQuota,
)
from vtiger_async.quota.fleet import Message
from vtiger_async.sandbox import Sandbox
from vtiger_async.stores import StoreError


@frozen
class Kind:
    """One of the stores.

    Attributes:
        store: Its class.
        start: Starts a server, and returns it with its address.
        dies: The signal by which it is stopped at once.
        nowhere: An address with a password at which nobody answers.
        unreadable: One with a password that makes no sense.
        anywhere: Any address.
    """

    store: Any
    start: Any
    dies: signal.Signals
    nowhere: str
    unreadable: str
    anywhere: str


KINDS = [
    Kind(
        RedisQuota,
        redis,
        signal.SIGKILL,
        "redis://:s3cret-word@127.0.0.1:1/0",
        "http://:s3cret-word@redis/",
        "redis://127.0.0.1:1",
    ),
    Kind(
        PostgresQuota,
        postgres,
        signal.SIGQUIT,
        "postgresql://jobs:s3cret-word@127.0.0.1:1/none",
        "postgresql://jobs:s3cret-word@[/x",
        "host=127.0.0.1",
    ),
]
both = pytest.mark.parametrize("kind", KINDS, ids=["redis", "postgres"])
Running = tuple[Kind, Server, str]


@pytest.fixture(scope="module", params=KINDS, ids=["redis", "postgres"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """A server of each kind, and its address."""
    kind: Kind = request.param
    server, address = kind.start(tmp_path_factory.mktemp("server"))
    yield kind, server, address
    server.stop(kind.dies)


def test_two_connections_share_one_quota(running: Running) -> None:
    """What one has borrowed the other cannot have; instances are counted apart."""
    kind, _, address = running

    async def main() -> None:
        store = kind.store(address)
        one, two = (store.connect("https://a.example", 1.0, 0.0) for _ in range(2))
        other = store.connect("https://b.example", 1.0, 0.0)
        message = Message("one", 1, limits=(1, None, None))
        assert (await one.exchange(message, 0.0)).lent == 1
        reply = await two.exchange(Message("two", 1, limits=(1, None, None)), 0.0)
        assert (reply.lent, reply.members, reply.used) == (0, 2, (1, 1, 1))
        assert (await other.exchange(message, 0.0)).lent == 1
        for connection in (one, two, other):
            await connection.aclose()

    anyio.run(main)


def test_a_look_changes_nothing(running: Running) -> None:
    """What is kept is shown, lent calls and queues too, and is the same as often as one looks."""
    kind, _, address = running
    url = "https://looked-at.example"

    async def main() -> None:
        store = kind.store(address)
        assert (await store.peek(url)).fleet.processes == 0
        connection = store.connect(url, 1.0, 0.0)
        told = Message("one", 3, "interactive", 5, limits=(60, None, 9000))
        assert (await connection.exchange(told, 0.0)).lent == 2
        first = await store.peek(f"{url}/index.php")
        uses = (first.minute, first.hour, first.day)
        assert [(use.limit, use.used) for use in uses] == [(60, 2), (None, 2), (9000, 2)]
        assert first.fleet.processes == 1
        assert first.fleet.waiting == {"interactive": 3, "sync": 0, "bulk": 0}
        assert abs(first.at.timestamp() - time.time()) < 60
        again = await store.peek(url)
        assert (again.day.used, again.fleet) == (2, first.fleet)
        assert (await connection.exchange(Message("two"), 0.0)).members == 2  # nobody else came
        await connection.aclose()

    anyio.run(main)


@both
def test_a_password_is_never_shown(kind: Kind) -> None:
    """Neither repr nor errors hold the password of the address."""
    store = kind.store(kind.nowhere)
    connection = store.connect("https://a.example", 1.0, 0.0)
    with pytest.raises(StoreError) as caught:
        anyio.run(connection.exchange, Message("a"), 0.0)
    with pytest.raises(StoreError) as unseen:
        anyio.run(store.peek, "https://a.example")
    with pytest.raises(ConfigurationError) as unread:
        kind.store(kind.unreadable)
    shown = (store, connection, caught.value, unseen.value, unread.value)
    assert "s3cret-word" not in "".join(f"{each!r} {each}" for each in shown)
    assert caught.value.__cause__ is unseen.value.__cause__ is None


@both
def test_another_event_loop_is_refused(kind: Kind) -> None:
    """The libraries of both run on asyncio only, and the first call says so."""

    async def main() -> None:
        with Sandbox() as sandbox:
            async with sandbox.client(quota=kind.store(kind.anywhere)) as crm:
                with pytest.raises(ConfigurationError, match="asyncio"):
                    await crm.me()

    trio.run(main)


def test_clocks_that_are_off_share_one_quota(running: Running) -> None:
    """Clients whose clocks are a minute off, in either direction, count in the same minute."""
    kind, _, address = running

    async def main() -> None:
        with Sandbox(limits=Limits(minute=6)) as sandbox:
            crms = [
                sandbox.client(
                    quota=kind.store(address), clock=OffClock(1.0, 0.0, offset), max_wait=2
                )
                for offset in (0.0, 60.0, -60.0)
            ]
            for crm in (*crms, *crms):
                await crm.me()
            for crm in crms:
                with pytest.raises(QuotaExhaustedError) as caught:
                    await crm.me()
                assert 0 < caught.value.wait <= 62
                await crm.aclose()
            assert (sandbox.flood.granted, sandbox.flood.refused) == (6, 0)

    anyio.run(main)


def test_four_processes_use_one_quota(running: Running) -> None:
    """Four processes, two with wrong clocks, through the server's death keep all promises."""
    kind, server, address = running

    async def kill() -> None:
        await anyio.to_thread.run_sync(server.stop, kind.dies)

    async def start() -> None:
        await anyio.to_thread.run_sync(server.start)

    offsets = (0.0, 60.0, -60.0, 0.0)
    check(lambda: run_fleet(kind.store.__name__, address, kill, start, offsets))
