"""What tests of mirrors share: a PostgreSQL server, and an event loop for plain functions."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psycopg
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from servers import Server, postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A PostgreSQL server, and the DSN of an empty database in UTF8."""
    running, dsn = postgres(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE crm TEMPLATE template0 ENCODING 'UTF8'")
    yield running, dsn.replace("/postgres", "/crm")
    running.stop(signal.SIGQUIT)


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop for tests that are plain functions."""
    with start_blocking_portal() as running:
        yield running
