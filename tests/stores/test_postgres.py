"""The quota in PostgreSQL, against a real server."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest
from psycopg import AsyncConnection
from servers import Server, postgres

from vtiger_async import PostgresQuota
from vtiger_async.quota.fleet import Message


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A PostgreSQL server and its DSN."""
    running, dsn = postgres(tmp_path_factory.mktemp("postgres"))
    yield running, dsn
    running.stop(signal.SIGQUIT)


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
