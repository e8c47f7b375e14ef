"""Positions in an SQLite file, which one stream at a time has."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar, cast

import anyio
from attrs import define, field, frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.streams.cursors import checked_instance
from vtiger_async.streams.errors import CursorStoreError

__all__ = ["SQLiteCursors"]

T = TypeVar("T")
_KIND: Final = 0x56745363
"""`VtSc`: what the file says of itself, so that no other database is taken for one."""
_FORM: Final = 1
_TABLES: Final = (
    "CREATE TABLE instance (url TEXT NOT NULL)",
    "CREATE TABLE positions (module TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
)
_KEEP: Final = (
    "INSERT INTO positions VALUES (?, ?) "
    "ON CONFLICT (module) DO UPDATE SET position = excluded.position"
)


def _path(value: str | os.PathLike[str]) -> Path:
    text = os.fspath(value)
    if not text or text == ":memory:":
        raise InvalidArgumentError(
            "store: the path of a file is wanted; to keep nothing, give MemoryCursors()"
        )
    return Path(text)


@frozen
class _Failure:
    """What went wrong in the thread."""

    text: str


@define(eq=False)
class SQLiteCursors:
    """Keeps positions in an SQLite file, on a local disk; it is made where it is not there.

    The file is locked while a stream has it open, by the operating system, so the lock ends with
    the process. After a failure of the power the last moment may be missing: those changes are
    given again.

    Attributes:
        path: The file.

    Raises:
        InvalidArgumentError: The path is empty, or means memory.
    """

    path: Path = field(converter=_path)
    _open: sqlite3.Connection | None = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __del__(self) -> None:
        # A stream that nobody closed: nothing is waited for here, and what was committed stays.
        database = getattr(self, "_open", None)
        if database is not None:
            database.close()

    async def open(self, instance: str) -> Mapping[str, str]:
        """Open and lock the file, and return the position of each module.

        Raises:
            CursorStoreError: Another stream has it, it belongs to another instance, or it cannot be
                used.
        """
        return await self._run(lambda: self._opened(instance))

    async def commit(self, positions: Mapping[str, str]) -> None:
        """Write positions, all or none.

        Raises:
            CursorStoreError: They cannot be written.
        """
        await self._run(lambda: self._written(dict(positions)))

    async def aclose(self) -> None:
        """Close the file, which ends the lock."""
        await self._run(self._closed)

    async def _run(self, work: Callable[[], T]) -> T:
        def locked() -> T | _Failure:
            with self._lock:
                try:
                    return work()
                except (sqlite3.Error, OSError) as error:
                    return _Failure(_explained(self.path, error))
                except CursorStoreError as error:
                    return _Failure(error.message)

        # A thread is waited for, also when the task is cancelled: what was begun is ended. It does
        # not raise: an idle thread keeps its last error, and by it this store from being freed.
        result = await anyio.to_thread.run_sync(locked)
        if isinstance(result, _Failure):
            raise CursorStoreError(result.text)
        return result

    def _opened(self, instance: str) -> dict[str, str]:
        if self._open is not None:
            raise CursorStoreError(f"{self.path} is in use by another stream: close that one")
        database = _connected(self.path)
        try:
            with database:
                database.execute("BEGIN IMMEDIATE")
                known = _prepared(database, self.path)
                checked_instance(known, instance, f"the cursors in {self.path}")
                if known is None:
                    database.execute("INSERT INTO instance VALUES (?)", (instance,))
            positions = dict(database.execute("SELECT module, position FROM positions"))
        except BaseException:
            database.close()
            raise
        self._open = database
        return cast("dict[str, str]", positions)

    def _written(self, positions: dict[str, str]) -> None:
        if self._open is None:
            raise CursorStoreError(f"{self.path} is not open")
        with self._open:  # it commits, or undoes all where anything is raised
            self._open.execute("BEGIN IMMEDIATE")
            self._open.executemany(_KEEP, positions.items())

    def _closed(self) -> None:
        database, self._open = self._open, None
        if database is not None:
            database.close()


def _connected(path: Path) -> sqlite3.Connection:
    """Return the database, locked for this connection alone."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # Whichever worker thread is next may use it; one does at a time.
    database = sqlite3.connect(path, timeout=0.0, check_same_thread=False, isolation_level=None)
    try:
        # Exclusive before the first access. A commit need not outlive a power failure: a position
        # that is too old repeats changes, and loses none.
        for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=NORMAL"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("BEGIN IMMEDIATE")
        database.commit()
    except BaseException:
        database.close()
        raise
    return database


def _prepared(database: sqlite3.Connection, path: Path) -> str | None:
    """Make the tables of a new file; return the instance that it belongs to, None for a new one."""
    (kind,) = database.execute("PRAGMA application_id").fetchone()
    (form,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (kind, form, tables) == (0, 0, 0):
        for statement in _TABLES:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {_KIND}")
        database.execute(f"PRAGMA user_version = {_FORM}")
        return None
    if kind != _KIND:
        raise CursorStoreError(f"{path} is a database of another kind: give the cursors their own")
    if form != _FORM:
        raise CursorStoreError(f"{path} was written by another version of this package")
    (url,) = database.execute("SELECT url FROM instance").fetchone() or (None,)
    return cast("str | None", url)


def _explained(path: Path, error: Exception) -> str:
    """Return what to do about what SQLite says."""
    text = str(error)
    if "locked" in text or "busy" in text:
        text = "it is in use by another stream: one at a time reads"
    return f"{path}: {text}"
