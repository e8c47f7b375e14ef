"""Where positions are kept: a file, memory, and a database of the consumer's own."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from attrs import define
from writers import NAMES, Writers

from vtiger_async.streams import (
    CursorStore,
    CursorStoreError,
    Delivery,
    MemoryCursors,
    SQLiteCursors,
)

pytestmark = pytest.mark.anyio
ONE, OTHER = "https://one.example", "https://other.example"


async def test_a_file_keeps_positions_from_one_stream_to_the_next(tmp_path: Path) -> None:
    """What was committed is there, module by module; only its owner may read the file."""
    path = tmp_path / "changes.db"
    store = SQLiteCursors(path)
    assert await store.open(ONE) == {}
    await store.commit({"Contacts": "a", "Leads": "b"})
    await store.commit({"Contacts": "c"})
    await store.aclose()
    again = SQLiteCursors(path)
    assert await again.open(ONE) == {"Contacts": "c", "Leads": "b"}
    await again.aclose()
    await again.aclose()
    assert path.stat().st_mode & 0o77 == 0
    with pytest.raises(CursorStoreError, match="not open"):
        await again.commit({"Contacts": "d"})


async def test_one_stream_at_a_time_has_the_file(tmp_path: Path) -> None:
    """While it is open nobody else can open it; a stream that nobody closed lets go of it."""
    path = tmp_path / "changes.db"
    store = SQLiteCursors(path)
    await store.open(ONE)
    for other in (SQLiteCursors(path), store):
        with pytest.raises(CursorStoreError, match="in use by another stream"):
            await other.open(ONE)
    del store, other
    gc.collect()
    last = SQLiteCursors(path)
    await last.open(ONE)
    await last.aclose()


def test_the_lock_of_a_process_ends_with_it(tmp_path: Path) -> None:
    """Another process is kept out, too; after a kill the file is free and holds what it held."""
    path = tmp_path / "changes.db"
    code = (
        "import anyio, sys\n"
        "from vtiger_async.streams import SQLiteCursors\n"
        "async def main():\n"
        f"    store = SQLiteCursors({str(path)!r})\n"
        f"    await store.open({ONE!r})\n"
        "    await store.commit({'Contacts': 'a'})\n"
        "    print('ready', flush=True)\n"
        "    await anyio.sleep_forever()\n"
        "anyio.run(main)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with pytest.raises(CursorStoreError, match="in use"):
            anyio.run(SQLiteCursors(path).open, ONE)
        process.kill()
    assert anyio.run(SQLiteCursors(path).open, ONE) == {"Contacts": "a"}


async def test_positions_of_another_instance_are_refused(tmp_path: Path) -> None:
    """A store belongs to the instance that it was first opened for."""
    stores: list[CursorStore] = [SQLiteCursors(tmp_path / "changes.db"), MemoryCursors()]
    for store in stores:
        await store.open(ONE)
        await store.aclose()
        with pytest.raises(CursorStoreError, match=f"belong to {ONE}"):
            await store.open(OTHER)


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    """Another database, another version, and a file that is no database are left as they are."""
    other, later, text = tmp_path / "other.db", tmp_path / "later.db", tmp_path / "text.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (x)")
    store = SQLiteCursors(later)
    await store.open(ONE)
    await store.aclose()
    with closing(sqlite3.connect(later)) as database:
        database.execute("PRAGMA user_version = 2")
    text.write_text("no database, and long enough to see it" * 100)
    for path, says in [
        (other, "another kind"),
        (later, "another version"),
        (text, "not a database"),
        (tmp_path / "no" / "folder.db", "No such file"),
    ]:
        with pytest.raises(CursorStoreError, match=says):
            await SQLiteCursors(path).open(ONE)


async def test_what_is_stored_and_is_no_position_is_an_error() -> None:
    """A text that no stream wrote is refused before a call, and the store is released."""
    writers = Writers()
    async with writers.sandbox.client() as crm:
        for text in ("", "application:", "all:1~5", "1~5"):
            store = MemoryCursors({"Contacts": text})
            with pytest.raises(CursorStoreError, match="no position of a stream"):
                await anext(crm.changes(["Contacts"], store))
    assert writers.calls == {}


@define(eq=False)
class Slow:
    """A store whose commits take a second, and can be made to fail."""

    commits: list[Mapping[str, str]]
    fails: bool = False

    async def open(self, instance: str) -> Mapping[str, str]:
        return {"Contacts": "application:1~0"}

    async def commit(self, positions: Mapping[str, str]) -> None:
        await anyio.sleep(1)
        if self.fails:
            raise CursorStoreError("the disk is full")
        self.commits.append(positions)

    async def aclose(self) -> None:
        self.commits.append({})


@pytest.mark.virtual_time
async def test_tasks_that_acknowledge_at_once_share_commits() -> None:
    """Each waits until its position is stored; a hundred of them take at most three commits."""
    writers, store = Writers(), Slow([])
    for _ in range(100):
        writers.create()
    took: list[float] = []

    async def acknowledge(change: Delivery) -> None:
        begun = anyio.current_time()
        async with change.ack():
            pass
        took.append(anyio.current_time() - begun)

    async with writers.sandbox.client() as crm:
        changes = crm.changes(["Contacts"], store, until_head=True)
        given = [change async for change in changes]
        async with anyio.create_task_group() as group:
            for change in given:
                group.start_soon(acknowledge, change)
    assert 1 <= len(store.commits) - 1 <= 3
    assert store.commits[-1] == {}  # it was closed behind the last
    assert 1 <= max(took) < 3.1


@pytest.mark.virtual_time
async def test_a_commit_that_fails_is_told_and_made_up_for() -> None:
    """The error comes out of `ack`; the next commit that works has the position."""
    writers, store = Writers(), Slow([], fails=True)
    writers.create()
    writers.create("Accounts")
    async with (
        writers.sandbox.client() as crm,
        crm.changes(["Contacts"], store) as changes,
    ):
        change = await anext(changes)
        with pytest.raises(CursorStoreError, match="disk is full"):
            async with change.ack():
                pass
        store.fails = False
        late = writers.create()
        changes.wake(gap=0)
        again = await anext(changes)
        assert (again.id, again.attempt) == (late, 1)
        async with again.ack():
            pass
    _, last, closed = store.commits
    assert closed == {}
    async with writers.sandbox.client() as crm:
        rest = crm.changes(["Contacts"], MemoryCursors(dict(last)), until_head=True)
        assert [change.id async for change in rest] == []


async def test_a_store_of_ones_own_makes_each_change_count_once(tmp_path: Path) -> None:
    """Effect and position in one transaction: killed anywhere, each change is counted once."""
    database = sqlite3.connect(tmp_path / "own.db", isolation_level=None, check_same_thread=False)
    database.execute("CREATE TABLE seen (id TEXT, name TEXT)")
    database.execute("CREATE TABLE places (module TEXT PRIMARY KEY, place TEXT)")

    class Own:
        """The consumer's database, which has the positions as well."""

        async def open(self, instance: str) -> Mapping[str, str]:
            return dict(database.execute("SELECT * FROM places"))

        async def commit(self, positions: Mapping[str, str]) -> None:
            database.executemany("INSERT OR REPLACE INTO places VALUES (?, ?)", positions.items())

        async def aclose(self) -> None:
            """Nothing to do."""

    def handle(change: Delivery, *, dies: bool) -> None:
        with database:
            database.execute("BEGIN")
            assert change.record is not None
            name = change.record[NAMES[change.module]]
            database.execute("INSERT INTO seen VALUES (?, ?)", (change.id, name))
            place = (change.module, change.position)
            database.execute("INSERT OR REPLACE INTO places VALUES (?, ?)", place)
        if dies:  # behind the transaction, before the stream knows of it
            raise KeyboardInterrupt

    writers = Writers()
    for _ in range(20):
        writers.create("Contacts")
        writers.create("Accounts")
    async with writers.sandbox.client() as crm:
        for round_ in range(12):
            changes = crm.changes(["Contacts", "Accounts"], Own(), until_head=True)
            handled = 0
            try:
                async for change in changes:
                    async with change.ack():
                        handled += 1
                        handle(change, dies=handled > round_)
            except KeyboardInterrupt:
                continue
    found = database.execute("SELECT name FROM seen ORDER BY name").fetchall()
    database.close()
    assert [name for (name,) in found] == sorted(writers.alive.values())
