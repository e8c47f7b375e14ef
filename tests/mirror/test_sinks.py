"""Every sink that can be read, held to the contract of `vtiger_async.mirror.sink`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import (
    FIELDS,
    INSTANCE,
    Held,
    Model,
    batch_of,
    of_duckdb,
    of_postgres,
    of_sqlite,
    plain,
    row,
    state,
    upsert,
)
from servers import Server, postgres

from vtiger_async.mirror.batches import Batch, Gone, Upsert
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes, Look, ReadableSink
from vtiger_async.mirror.sinks.duckdb import DuckDbSink
from vtiger_async.mirror.sinks.postgres import PostgresSink
from vtiger_async.mirror.sinks.sqlite import SQLiteSink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Column, Table

EXAMPLES = int(os.environ.get("EX","10"))
KINDS = ("sqlite", "duckdb", "postgres")


@frozen
class Place:
    """A place where a mirror can be kept, and how to see what is there without the sink."""

    make: Callable[..., ReadableSink]
    held: Callable[[Table], Held]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A PostgreSQL server and its DSN."""
    running, dsn = postgres(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE crm TEMPLATE template0 ENCODING 'UTF8'")
    yield running, dsn.replace("/postgres", "/crm")
    running.stop(signal.SIGQUIT)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a mirror, with nothing in it."""
    return place_of(request.param, tmp_path, request)


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """Return a place for a mirror, with nothing in it."""
    if kind == "sqlite":
        path = folder / "crm.db"
        return Place(partial(SQLiteSink, path), partial(of_sqlite, path))
    if kind == "duckdb":
        path = folder / "crm.duckdb"
        return Place(partial(DuckDbSink, path), partial(of_duckdb, path))
    dsn = request.getfixturevalue("server")[1]
    schema = f"crm {folder.name}"[-60:]
    return Place(partial(PostgresSink, dsn, schema=schema), partial(of_postgres, dsn, schema))


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    """An event loop for tests that hypothesis runs."""
    with start_blocking_portal() as running:
        yield running


ODD = ("Accounts", 'Quo"te', "semi;colon--", "Größe 名前", "select", "per%cent $1 {x}", "a.b'c")


@pytest.mark.parametrize("deletes", ["tombstone", "delete"])
def test_it_holds_what_a_model_holds(
    place: Place, portal: BlockingPortal, deletes: Deletes
) -> None:
    """After any batches, the tables hold exactly what dicts hold that were given the same."""
    sink = place.make(deletes=deletes)
    portal.call(sink.open, INSTANCE)
    models: dict[str, Model] = {}

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(st.integers(0, 2**32), st.integers(1, 4))
    def run(seed: int, count: int) -> None:
        random = Random(seed)
        name = f"{ODD[len(models) % len(ODD)]} {len(models)}"
        start = state(name, fields=(*FIELDS, Column(f"{name} f", "text")))
        model = models[name] = Model(deletes)
        portal.call(sink.prepare, start, None)
        for _ in range(count):
            batch = batch_of(start, random)
            portal.call(sink.commit, batch)
            model.commit(batch)
        assert model.state is not None
        there = {key: one for key, one in model.rows.items() if one["_deleted_at"] is None}
        hashes = {key: one["_hash"] for key, one in there.items()}
        numbers = sorted(one["_number"] for one in there.values())
        assert portal.call(sink.hashes, name, ["11x1", "11x3", *there]) == hashes | {
            key: hashes[key] for key in ("11x1", "11x3") if key in hashes
        }
        assert portal.call(sink.highest, name) == max(numbers, default=0)
        assert portal.call(sink.count, name, 1, 4) == sum(1 < one <= 4 for one in numbers)
        found = portal.call(sink.ids, name, 0, 5, 3)
        assert found == [(f"11x{n}", hashes[f"11x{n}"]) for n in numbers if n <= 5][:3]

    run()
    look = portal.call(sink.look)
    portal.call(sink.aclose)
    assert look.instance == INSTANCE
    again = place.make()
    states = portal.call(again.open, INSTANCE)
    portal.call(again.aclose)
    assert states == look.states
    for name, model in models.items():
        assert model.state is not None and model.state.lines is not None
        gone = sum(one["_deleted_at"] is not None for one in model.rows.values())
        assert look.counts[name] == (len(model.rows) - gone, gone)
        assert look.states[name] == model.state
        assert_equal(place, model.state.table, model.rows)
        assert_equal(place, model.state.lines, model.lines)


def assert_equal(place: Place, table: Table, expected: Held) -> None:
    """Compare a table with what it is to hold, value by value."""
    held = {key: plain(cells, table) for key, cells in place.held(table).items()}
    assert held == {key: plain(cells, table) for key, cells in expected.items()}
