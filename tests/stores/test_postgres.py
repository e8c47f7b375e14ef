"""The quota in PostgreSQL, against a real server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
import trio
from fleet_run import check, run_fleet
from servers import Server, postgres

from vtiger_async import ConfigurationError, PostgresQuota
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


def test_four_processes_use_one_quota(server: tuple[Server, str]) -> None:
    """Four processes: no window exceeded, none refused, 95 % used, all served."""
    check(run_fleet("PostgresQuota", server[1], 16))


def test_four_processes_bear_a_killed_server(server: tuple[Server, str]) -> None:
    """The same while the server is killed and started again; a warning tells each once."""

    async def kill() -> None:
        await anyio.sleep(8)
        server[0].stop(signal.SIGQUIT)
        await anyio.sleep(2)
        await anyio.to_thread.run_sync(server[0].start)

    run = run_fleet("PostgresQuota", server[1], 16, kill)
    check(run, used=0.6, outage=True)
    assert all(len(told) == 1 for told in run.warnings)
