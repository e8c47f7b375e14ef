"""A mirror in an SQLite file, which others may read while it is written."""

# ruff: noqa: S608 - names in the SQL are quoted; values are bound
from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes, Look
from vtiger_async.mirror.sinks import file_of, options_of
from vtiger_async.mirror.sinks.locking import FileLock
from vtiger_async.mirror.sinks.sqlite_tables import Writer, prepare, quoted, table_columns
from vtiger_async.mirror.sinks.stored import as_it_is
from vtiger_async.mirror.states import ModuleState
from vtiger_async.types import RecordId

__all__ = ["SQLiteSink", "of_url"]

_FORMAT: Final = "1"
_OWN_TABLES: Final = """
CREATE TABLE IF NOT EXISTS _vtiger_mirror
    (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _vtiger_modules
    (module TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
"""
_BUSY: Final = 60.0
"""Seconds that another program may write to the file before a commit gives up."""
_MOST: Final = 500
"""Values of one list in SQL."""
_THERE: Final = "_deleted_at IS NULL"

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def of_url(url: str, deletes: Deletes) -> SQLiteSink:
    """Return the sink of a URL: `sqlite:///crm.db`, or `sqlite:////var/crm.db`.

    Raises:
        SinkError: The URL names no file.
    """
    return SQLiteSink(file_of(options_of(url)[0]), deletes)


class SQLiteSink:
    """Keeps a mirror in an SQLite file: a table for each module, and one for line items.

    | kind of column | declared as | value |
    | --- | --- | --- |
    | text, id | TEXT | text |
    | boolean | BOOLEAN | 0 or 1 |
    | integer | INTEGER | number |
    | decimal | DECIMAL TEXT | text, with the digits that were sent |
    | date, time, timestamp | DATE TEXT, ... | text, as `2026-01-31 09:00:00` in UTC |
    | texts, json | JSON TEXT | JSON |

    The file is made for its owner alone. It is in WAL mode, so that others can read while it is
    written; it must lie on a local disk. A batch and the module's state are one transaction.

    Args:
        path: The file; it is made where there is none.
        deletes: What becomes of the row of a record that is gone.
    """

    def __init__(self, path: str | os.PathLike[str], deletes: Deletes = "tombstone") -> None:
        self.path = Path(path)
        self.deletes: Deletes = deletes
        self._one_call = anyio.Lock()
        self._lock: FileLock | None = None
        self._database: sqlite3.Connection | None = None
        self._writers: dict[str, Writer] = {}

    def __repr__(self) -> str:
        return f"<SQLiteSink {self.path}>"

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        """Open the file for writing: see `Sink.open`."""
        return await self._run(self._open, instance)

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        """Make or change the tables of a module: see `Sink.prepare`."""
        await self._run(self._prepare, state, before)

    async def commit(self, batch: Batch) -> None:
        """Write a batch and its state in one transaction."""
        await self._run(self._commit, batch)

    async def hashes(self, module: str, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        """Return the hashes of the records that are there."""
        return await self._run(self._hashes, module, ids)

    async def count(self, module: str, above: int, up_to: int) -> int:
        """Return how many records are there with a number in `(above, up_to]`."""
        where = f"_number > ? AND _number <= ? AND {_THERE}"
        return await self._run(self._one, module, f"count(*) FROM {{}} WHERE {where}", above, up_to)

    async def highest(self, module: str) -> int:
        """Return the highest number of a record that is there, 0 where none is."""
        return await self._run(
            self._one, module, f"coalesce(max(_number), 0) FROM {{}} WHERE {_THERE}"
        )

    async def ids(
        self, module: str, above: int, up_to: int, most: int
    ) -> Sequence[tuple[RecordId, str]]:
        """Return ids and hashes of the records with a number in `(above, up_to]`, in order."""
        return await self._run(self._ids, module, above, up_to, most)

    async def look(self) -> Look:
        """Return what the file holds; another process may be writing to it."""
        return await anyio.to_thread.run_sync(self._look)

    async def aclose(self) -> None:
        """Close the file."""
        async with self._one_call:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._close)

    # In a worker thread, one at a time.

    async def _run(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        """Do the work in a thread; once it is begun it is ended, whatever is cancelled."""
        async with self._one_call:
            try:
                return await anyio.to_thread.run_sync(work, *args)
            except (sqlite3.Error, OSError) as error:
                raise SinkError(f"{self.path}: {error}") from error

    def _open(self, instance: str) -> dict[str, ModuleState]:
        if self._database is not None:
            raise SinkError(f"{self.path}: this sink is open already")
        if self.path.is_dir():
            raise SinkError(f"{self.path} is a folder, not a file")
        self._lock = FileLock(self.path)
        try:
            if not self.path.exists():
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            database = sqlite3.connect(
                self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False
            )
            self._database = database
            with closing(database.execute("PRAGMA journal_mode = WAL")):
                pass
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(_OWN_TABLES)
            self._check(database, instance)
            return self._as_they_are(database)
        except BaseException:
            self._close()
            raise

    def _as_they_are(self, database: sqlite3.Connection) -> dict[str, ModuleState]:
        """Return the states without what somebody has dropped."""
        found = {
            module: as_it_is(str(self.path), state, lambda name: table_columns(database, name))
            for module, state in _states(database).items()
        }
        return {module: state for module, state in found.items() if state is not None}

    def _check(self, database: sqlite3.Connection, instance: str) -> None:
        facts = dict(database.execute("SELECT name, value FROM _vtiger_mirror").fetchall())
        if not facts:
            facts = {"format": _FORMAT, "instance": instance}
            database.executemany("INSERT INTO _vtiger_mirror VALUES (?, ?)", list(facts.items()))
        if facts.get("format") != _FORMAT:
            raise SinkError(f"{self.path} was written by another version of this package")
        if facts.get("instance") != instance:
            raise SinkError(
                f"{self.path} is the mirror of {facts.get('instance')}, and not of {instance}: "
                "give each instance its own"
            )

    def _close(self) -> None:
        self._writers.clear()
        database, self._database = self._database, None
        lock, self._lock = self._lock, None
        if database is not None:
            database.close()
        if lock is not None:
            lock.release()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise SinkError(f"{self.path}: this sink is not open")
        return self._database

    def _transact(self, work: Callable[[sqlite3.Connection], object], state: ModuleState) -> None:
        database = self._opened()
        database.execute("BEGIN IMMEDIATE")
        try:
            work(database)
            database.execute(
                "INSERT INTO _vtiger_modules VALUES (?, ?) "
                "ON CONFLICT (module) DO UPDATE SET state = excluded.state",
                (state.module, state.text()),
            )
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    def _prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        self._writers.pop(state.module, None)
        self._transact(
            lambda database: prepare(database, state, before, _states(database).values()), state
        )

    def _commit(self, batch: Batch) -> None:
        state = batch.state
        writer = self._writers.get(state.module)
        if writer is None or not writer.is_for(state):
            writer = self._writers[state.module] = Writer.of(state, self.deletes)
        self._transact(lambda database: writer.write(database, batch), state)

    def _table(self, module: str) -> str:
        row = (
            self._opened()
            .execute("SELECT state FROM _vtiger_modules WHERE module = ?", (module,))
            .fetchone()
        )
        if row is None:
            raise SinkError(f"{self.path} does not hold {module}")
        return quoted(ModuleState.of_text(row[0]).table.name)

    def _one(self, module: str, selected: str, *values: int) -> int:
        sql = f"SELECT {selected.format(self._table(module))}"
        found: int = self._opened().execute(sql, values).fetchone()[0]
        return found

    def _hashes(self, module: str, ids: Sequence[RecordId]) -> dict[RecordId, str]:
        table, found = self._table(module), dict[RecordId, str]()
        for start in range(0, len(ids), _MOST):
            part = [str(one) for one in ids[start : start + _MOST]]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT id, _hash FROM {table} WHERE id IN ({marks}) AND {_THERE}"
            found.update(_pairs(self._opened().execute(sql, part)))
        return found

    def _ids(self, module: str, above: int, up_to: int, most: int) -> list[tuple[RecordId, str]]:
        sql = (
            f"SELECT id, _hash FROM {self._table(module)} WHERE _number > ? AND _number <= ? "
            f"AND {_THERE} ORDER BY _number LIMIT ?"
        )
        return _pairs(self._opened().execute(sql, (above, up_to, most)))

    def _look(self) -> Look:
        if not self.path.is_file():
            return Look()
        try:
            with closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)
            ) as database:
                if not table_columns(database, "_vtiger_mirror"):
                    return Look()
                facts = dict(database.execute("SELECT name, value FROM _vtiger_mirror").fetchall())
                states = self._as_they_are(database)
                counts = {
                    module: _counts(database, state.table.name) for module, state in states.items()
                }
        except (sqlite3.Error, OSError) as error:
            raise SinkError(f"{self.path}: {error}") from error
        return Look(facts.get("instance"), states, counts)


def _counts(database: sqlite3.Connection, table: str) -> tuple[int, int]:
    sql = f"SELECT count(*), count(_deleted_at) FROM {quoted(table)}"
    every, gone = database.execute(sql).fetchone()
    return every - gone, gone


def _states(database: sqlite3.Connection) -> dict[str, ModuleState]:
    rows = database.execute("SELECT module, state FROM _vtiger_modules").fetchall()
    try:
        return {module: ModuleState.of_text(text) for module, text in rows}
    except ValueError as error:
        raise SinkError(f"what is kept of the modules cannot be read: {error}") from error


def _pairs(rows: Any) -> list[tuple[RecordId, str]]:
    return [(RecordId(record_id), str(mark)) for record_id, mark in rows]
