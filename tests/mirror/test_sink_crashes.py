"""What a crash leaves behind: before each statement and each flush, the batch as a whole or not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
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
from mirrored import CutError
from statements import telling

from vtiger_async.mirror.batches import Batch, Gone
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Look, Sink
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


class Copies:
    """What was on the disk at each moment: a copy of a folder for each change of it.

    Args:
        live: The folder.
        into: Where the copies are made.
    """

    def __init__(self, live: Path, into: Path) -> None:
        self.live, self.into = live, into
        self.folders: list[Path] = []
        self._last: dict[Path, bytes] = {}

    def take(self, by: object = None) -> None:
        """Copy the folder, if it has changed."""
        now = {one: one.read_bytes() for one in self.live.rglob("*") if one.is_file()}
        if now != self._last:  # most statements change nothing on the disk
            self._last = now
            self.folders.append(self.into / f"copy {len(self.folders)}")
            shutil.copytree(self.live, self.folders[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_crash_anywhere_leaves_all_or_nothing(
    kind: str, tmp_path: Path, portal: BlockingPortal
) -> None:
    """Whatever was on the disk at any moment opens as the state before or the one after."""
    live = tmp_path / "live"
    live.mkdir()
    copies = Copies(live, tmp_path)

    async def commit_all() -> None:
        await made(KINDS[kind].make(live))
        copies.take()
        with telling(copies.take):
            sink = KINDS[kind].make(live)
            await sink.open(INSTANCE)
            await sink.commit(NEXT)
            await sink.aclose()
        copies.take()

    portal.call(commit_all)
    found = [portal.call(reopened, KINDS[kind], one) for one in copies.folders]
    before, after = found[0], found[-1]
    assert before != after
    assert all(one in (before, after) for one in found)
    assert len(found) > 2
    turn = found.index(after)
    assert all(one == after for one in found[turn:]), "what was there has gone again"


async def made(sink: Sink) -> None:
    """Make a mirror, or go on with making it."""
    states = await sink.open(INSTANCE)
    if "Invoice" not in states:
        await sink.prepare(FIRST, None)
    await sink.commit(BEGUN)
    await sink.aclose()


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "parquet", "jsonl"])
def test_a_crash_while_it_is_made_leaves_what_can_be_gone_on_with(
    kind: str, tmp_path: Path, portal: BlockingPortal
) -> None:
    """Whatever was on the disk while a mirror began, the next run makes it what it is to be."""
    live = tmp_path / "live"
    live.mkdir()
    copies, tried = Copies(live, tmp_path), list[Path]()

    async def make_all() -> None:
        with telling(copies.take):
            await made(KINDS[kind].make(live))
        tried.extend(copies.folders[:: 5 if kind == "parquet" else 1])  # those take long
        for folder in tried:
            await made(KINDS[kind].make(folder))
        await made(KINDS[kind].make(live))

    portal.call(make_all)
    whole = portal.call(reopened, KINDS[kind], live)
    assert len(tried) > 3
    for folder in tried:
        states, seen = portal.call(reopened, KINDS[kind], folder)
        assert states == whole[0]
        assert seen == whole[1] or kind == "jsonl", "which has the lines once more"


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


@pytest.mark.parametrize("kind", ["sqlite", "duckdb", "postgres"])
def test_a_commit_that_failed_can_be_made_again(
    kind: str, tmp_path: Path, portal: BlockingPortal, request: pytest.FixtureRequest
) -> None:
    """Whichever of its statements fails, nothing of it is there, and the sink takes it again."""
    left = 0

    def fail(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise CutError

    async def commit_again() -> int:
        nonlocal left
        if kind == "postgres":
            dsn = request.getfixturevalue("server")[1]
            sink: Any = PostgresSink(dsn, schema="again")
        else:
            sink = KINDS[kind].make(tmp_path)
        await sink.open(INSTANCE)
        await sink.prepare(FIRST, None)
        await sink.commit(BEGUN)
        before = await sink.look()
        for failed in range(100):
            left = failed + 1
            try:
                await sink.commit(NEXT)
            except CutError:
                assert await sink.look() == before
            else:
                left = 0
                look = await sink.look()
                await sink.aclose()
                assert look == Look(INSTANCE, {"Invoice": NEXT.state}, {"Invoice": (3, 1)})
                return failed
        raise AssertionError("it fails again and again")

    with telling(fail):
        assert portal.call(commit_again) > 3
