"""What a crash leaves behind: before each statement and each flush, the batch as a whole or not."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import duckdb
import psycopg
import pytest
from anyio.from_thread import BlockingPortal
from attrs import evolve, frozen
from kept import (
    FIELDS,
    INSTANCE,
    of_duckdb,
    of_parquet,
    of_postgres,
    of_sqlite,
    state,
    upsert,
)

from vtiger_async.mirror.batches import Batch, Gone
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Sink
from vtiger_async.mirror.sinks.duckdb import DuckDBSink
from vtiger_async.mirror.sinks.jsonl import JsonLinesSink
from vtiger_async.mirror.sinks.parquet import ParquetSink
from vtiger_async.mirror.sinks.postgres import PostgresSink
from vtiger_async.mirror.sinks.singer import SingerSink
from vtiger_async.mirror.sinks.sqlite import SQLiteSink
from vtiger_async.tables.schema import Column
from vtiger_async.types import RecordId

FIRST = state("Invoice")
LINES = FIRST.lines or FIRST.table
BEGUN = Batch(
    FIRST,
    (
        upsert(FIRST, 1, 2, name="a", createdtime="2026-01-05 00:00:00"),
        upsert(FIRST, 2, 1, name="b", createdtime="2026-02-05 00:00:00"),
        upsert(FIRST, 3, name="c"),
    ),
)
NEXT = Batch(
    evolve(FIRST, phase="deltas", token=None, synced_at=7.0),
    (
        upsert(FIRST, 1, 1, name="A", createdtime="2026-03-05 00:00:00"),
        upsert(FIRST, 4, 3, name="d", createdtime="2026-02-06 00:00:00"),
    ),
    (Gone(RecordId("11x2"), 5.0, "deleted"),),
)
WIDER = state("Invoice", fields=(Column("name", "integer"), *FIELDS[1:], Column("new", "text")))


@frozen
class Kind:
    """A sink that lies in files, and what is in them."""

    make: Callable[[Path], Sink]
    seen: Callable[[Path], object]


KINDS = {
    "sqlite": Kind(
        lambda folder: SQLiteSink(folder / "db"),
        lambda folder: (of_sqlite(folder / "db", FIRST.table), of_sqlite(folder / "db", LINES)),
    ),
    "duckdb": Kind(
        lambda folder: DuckDBSink(folder / "db"),
        lambda folder: (of_duckdb(folder / "db", FIRST.table), of_duckdb(folder / "db", LINES)),
    ),
    "parquet": Kind(
        ParquetSink,
        lambda folder: (of_parquet(folder, FIRST.table), of_parquet(folder, LINES)),
    ),
    "jsonl": Kind(JsonLinesSink, lambda folder: (folder / "Invoice.jsonl").read_bytes()),
    "singer": Kind(
        lambda folder: SingerSink(folder / "out"),
        lambda folder: (folder / "out").read_bytes(),
    ),
}


class Spied(sqlite3.Connection):
    """A connection to SQLite that tells of each statement before it."""

    def execute(self, *given: Any) -> sqlite3.Cursor:
        os.fsync(-1)
        return super().execute(*given)

    def executemany(self, *given: Any) -> sqlite3.Cursor:
        os.fsync(-1)
        return super().executemany(*given)


class SpiedDuckDB:
    """A connection to DuckDB that tells of each statement before it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def execute(self, *given: Any) -> Any:
        os.fsync(-1)
        return self.connection.execute(*given)

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """What has a function called before each statement, each flush and each change of a name."""

    def begin(told: Callable[[], None]) -> None:
        flush, replace = os.fsync, os.replace
        in_sqlite, in_duckdb = sqlite3.connect, duckdb.connect

        def flushing(file: int) -> None:
            told()
            if file >= 0:
                flush(file)

        def replacing(*given: Any) -> None:
            told()
            replace(*given)

        monkeypatch.setattr(os, "fsync", flushing)
        monkeypatch.setattr(os, "replace", replacing)
        monkeypatch.setattr(
            sqlite3, "connect", lambda *given, **more: in_sqlite(*given, factory=Spied, **more)
        )
        monkeypatch.setattr(
            duckdb, "connect", lambda *given, **more: SpiedDuckDB(in_duckdb(*given, **more))
        )

    return begin


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_anywhere_leaves_all_or_nothing(
    kind: str,
    tmp_path: Path,
    portal: BlockingPortal,
    watch: Callable[[Callable[[], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever was on the disk at any moment opens as the state before or the one after."""
    live, copies, last = tmp_path / "live", list[Path](), dict[Path, bytes]()
    live.mkdir()

    def copy() -> None:
        nonlocal last
        now = {one: one.read_bytes() for one in live.rglob("*") if one.is_file()}
        if now != last:  # most statements change nothing on the disk
            last = now
            copies.append(tmp_path / f"copy {len(copies)}")
            shutil.copytree(live, copies[-1])

    async def commit_all() -> None:
        sink = KINDS[kind].make(live)
        await sink.open(INSTANCE)
        await sink.prepare(FIRST, None)
        await sink.commit(BEGUN)
        await sink.aclose()
        copy()
        watch(copy)
        sink = KINDS[kind].make(live)
        await sink.open(INSTANCE)
        await sink.commit(NEXT)
        await sink.aclose()
        monkeypatch.undo()
        copy()

    portal.call(commit_all)
    found = [portal.call(reopened, KINDS[kind], one) for one in copies]
    before, after = found[0], found[-1]
    assert before != after
    assert all(one in (before, after) for one in found)
    assert len(found) > 2
    turn = found.index(after)
    assert all(one == after for one in found[turn:]), "what was there has gone again"


async def reopened(kind: Kind, folder: Path) -> tuple[object, object]:
    """Return where a mirror stands after a crash, and what readers see once it was opened."""
    sink = kind.make(folder)
    states = await sink.open(INSTANCE)
    await sink.aclose()
    return states, kind.seen(folder)


def test_a_connection_lost_anywhere_leaves_all_or_nothing(
    server: tuple[Any, str], portal: BlockingPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever statement the server ends the connection at, a batch is there or it is not."""
    dsn, found, cut_at, count = server[1], list[object](), 0, -1_000
    wider, full = evolve(WIDER, token="t"), evolve(NEXT, state=WIDER, upserts=())

    def cut(cursor: psycopg.Cursor[Any]) -> None:
        nonlocal count
        count += 1
        if count == cut_at:
            with psycopg.connect(dsn, autocommit=True) as other:
                pid = cursor.connection.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    async def going_on() -> object:
        """Do what is next, until the connection is lost; return what then is there."""
        nonlocal count, cut_at
        sink = PostgresSink(dsn, schema="cut")
        states = await sink.open(INSTANCE)
        if not states:
            await sink.prepare(FIRST, None)
            await sink.commit(BEGUN)
            states = {"Invoice": FIRST}
        cut_at, count = cut_at + 1, 0
        try:
            if states["Invoice"] == FIRST:
                await sink.prepare(wider, FIRST)
                cut_at = 0
            else:
                await sink.commit(full)
                cut_at = -1
        except SinkError:
            pass
        finally:
            count = -1_000
            await sink.aclose()
        there = (await PostgresSink(dsn, schema="cut").look()).states["Invoice"]
        return there, of_postgres(dsn, "cut", there.table)

    execute, copy = psycopg.RawCursor.execute, psycopg.RawCursor.copy

    def spied(self: Any, *given: Any, **more: Any) -> Any:
        cut(self)
        return execute(self, *given, **more)

    def spied_copy(self: Any, *given: Any, **more: Any) -> Any:
        cut(self)
        return copy(self, *given, **more)

    monkeypatch.setattr(psycopg.RawCursor, "execute", spied)
    monkeypatch.setattr(psycopg.RawCursor, "copy", spied_copy)
    while cut_at >= 0:
        found.append(portal.call(going_on))
    phases = [one for number, one in enumerate(found) if one not in found[:number]]
    assert len(found) > 10
    assert len(phases) == 3, "before, with the new columns, and with the batch"
    assert [phases.index(one) for one in found] == sorted(phases.index(one) for one in found)


@pytest.mark.parametrize("kind", ["duckdb", "jsonl"])
def test_a_commit_that_was_begun_is_finished(
    kind: str, tmp_path: Path, portal: BlockingPortal
) -> None:
    """Who cancels a commit waits for its end, and then it is there."""

    async def cancelled() -> None:
        sink = KINDS[kind].make(tmp_path)
        await sink.open(INSTANCE)
        await sink.prepare(FIRST, None)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(sink.commit, BEGUN)
                await anyio.lowlevel.checkpoint()
                scope.cancel()
        assert scope.cancelled_caught
        await sink.aclose()

    portal.call(cancelled)
    states, seen = portal.call(reopened, KINDS[kind], tmp_path)
    assert states == {"Invoice": BEGUN.state}
    assert seen
