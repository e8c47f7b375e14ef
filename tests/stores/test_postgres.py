"""The quota in PostgreSQL, against a real server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
import trio
from fleet_run import check, run_fleet
from psycopg import AsyncConnection
from quota_worker import OffClock
from servers import Server, postgres

from vtiger_async import ConfigurationError, Limits, PostgresQuota, QuotaExhaustedError
from vtiger_async.quota.fleet import Message
from vtiger_async.sandbox import Sandbox
from vtiger_async.stores import StoreError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A PostgreSQL server and its DSN."""
    running, dsn = postgres(tmp_path_factory.mktemp("postgres"))
    yield running, dsn
    running.stop(signal.SIGQUIT)


def test_two_connections_share_one_quota(server: tuple[Server, str]) -> None:
    """What one has borrowed the other cannot have; instances are counted apart."""

    async def main() -> None:
        store = PostgresQuota(server[1])
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


def test_many_make_the_table_at_once(server: tuple[Server, str]) -> None:
    """Processes that all come first make one table, and nobody fails."""
    lent: list[int] = []

    async def come(number: int) -> None:
        store = PostgresQuota(server[1] + "?options=-csearch_path%3Dfresh")
        connection = store.connect("https://a.example", 1.0, 0.0)
        reply = await connection.exchange(Message(f"{number}", 1, limits=(4, None, None)), 0.0)
        lent.append(reply.lent)
        await connection.aclose()

    async def main() -> None:
        async with await AsyncConnection.connect(server[1], autocommit=True) as connection:
            await connection.execute("CREATE SCHEMA fresh")
        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(come, number)

    anyio.run(main)
    assert len(lent) == 6
    assert sum(lent) == 2  # two ask what the server has counted


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    """Neither repr nor errors hold the DSN's password."""
    dsn = "postgresql://jobs:s3cret-word@127.0.0.1:1/none"
    store = PostgresQuota(dsn)
    connection = store.connect("https://a.example", 1.0, 0.0)
    with pytest.raises(StoreError) as caught:
        anyio.run(connection.exchange, Message("a"), 0.0)
    with pytest.raises(ConfigurationError) as unread:
        PostgresQuota("postgresql://jobs:s3cret-word@[/x")
    for text in (repr(store), repr(connection), str(caught.value), str(unread.value)):
        assert "s3cret-word" not in text
    assert caught.value.__cause__ is None


def test_another_event_loop_is_refused() -> None:
    """Psycopg runs on asyncio only, and the first call says so."""

    async def main() -> None:
        with Sandbox() as sandbox:
            async with sandbox.client(quota=PostgresQuota("host=127.0.0.1")) as crm:
                with pytest.raises(ConfigurationError, match="asyncio"):
                    await crm.me()

    trio.run(main)


def test_clocks_that_are_off_share_one_quota(server: tuple[Server, str]) -> None:
    """Clients whose clocks are a minute off, in either direction, count in the same minute."""

    async def main() -> None:
        with Sandbox(limits=Limits(minute=6)) as sandbox:
            crms = [
                sandbox.client(
                    quota=PostgresQuota(server[1]), clock=OffClock(1.0, 0.0, offset), max_wait=2
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


def test_four_processes_use_one_quota(server: tuple[Server, str]) -> None:
    """Four processes, two with wrong clocks, through the server's death keep all promises."""

    async def kill() -> None:
        await anyio.to_thread.run_sync(server[0].stop, signal.SIGQUIT)

    async def start() -> None:
        await anyio.to_thread.run_sync(server[0].start)

    check(run_fleet("PostgresQuota", server[1], kill, start, (0.0, 60.0, -60.0, 0.0)))
