"""The shared quota in a file: for all processes of one machine, and across their restarts."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

import anyio
import anyio.to_thread
from attrs import define, field, frozen

from vtiger_async.clock import SystemClock
from vtiger_async.config import base_url
from vtiger_async.errors import ConfigurationError
from vtiger_async.quota.fleet import Fleet, Message, Reply
from vtiger_async.quota.lending import exchange
from vtiger_async.stores import SharedQuota, StoreError, checked_members
from vtiger_async.stores.peek import shared_quota

__all__ = ["SQLiteQuota"]

_BUSY = 1.5
"""Seconds that another process may hold the file."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS vtiger_quota "
    "(instance TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID"
)
_READ = "SELECT state FROM vtiger_quota WHERE instance = ?"
_KEEP = (
    "INSERT INTO vtiger_quota VALUES (?, ?) "
    "ON CONFLICT (instance) DO UPDATE SET state = excluded.state"
)


_HEAD = b"SQLite format 3\0"
"""What such a file begins with, unless it is empty."""
_MODE = 0o600
"""A file that is made is its owner's: who can write it can spend the quota, or block it."""


def _text(path: str | os.PathLike[str]) -> str:
    return os.fspath(path)


def _check(path: Path) -> None:
    """Refuse what can be seen not to work before a call is made."""
    folder = path.parent
    if path.is_dir():
        raise ConfigurationError(f"SQLiteQuota: {path} is a directory, not a file")
    if not folder.is_dir():
        raise ConfigurationError(f"SQLiteQuota: there is no directory {folder}")
    # SQLite keeps two more files beside it.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"SQLiteQuota: the directory {folder} cannot be written")
    if not path.exists():
        return
    if not os.access(path, os.R_OK | os.W_OK):
        raise ConfigurationError(f"SQLiteQuota: {path} cannot be written")
    with path.open("rb") as file:
        head = file.read(len(_HEAD))
    if head not in (b"", _HEAD):
        raise ConfigurationError(f"SQLiteQuota: {path} is a file of another kind")


def _make(path: str) -> None:
    """Make the file, whole at once: several who change its mode together would fail."""
    draft = f"{path}.{secrets.token_hex(6)}"
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE))
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = WAL").close()
            database.execute(_TABLE)
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first
    except OSError:  # a file system without hard links: one process has to be the first
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _MODE))
    finally:
        Path(draft).unlink()


def _look(path: str, instance: str, now: float) -> SharedQuota:
    file = Path(path).absolute()
    if not file.exists():
        return shared_quota(None, now)
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as kept:
            row = kept.execute(_READ, (instance,)).fetchone()
        return shared_quota(None if row is None else json.loads(row[0]), now)
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f"{path}: {error}") from error


@frozen
class SQLiteQuota:
    """Keeps the quota in an SQLite file: for all processes of one machine, and across restarts.

    The file must lie on a local disk: SQLite's locks do not hold on a network's. It is made when it
    is not there, for its owner alone, and holds counts alone: in the table `vtiger_quota` one row
    for each instance, its address and the state as JSON.

    Attributes:
        path: The file.
        members: How many processes to reckon with while the file has never been usable.

    Raises:
        ConfigurationError: The path is empty or in memory, or members is not a number from 1.
    """

    path: str = field(converter=_text)
    members: int = field(default=4, validator=checked_members)

    def __attrs_post_init__(self) -> None:
        if not self.path or self.path == ":memory:":
            raise ConfigurationError("SQLiteQuota wants the path of a file")

    def connect(self, instance: str, factor: float, epoch: float) -> SQLiteConnection:
        """Return a way to the quota of one instance; nothing is opened yet.

        Args:
            instance: Its base URL.
            factor: Not needed: all processes of a machine have one clock.
            epoch: Not needed either.

        Raises:
            ConfigurationError: The path cannot be written, or is another kind of file.
        """
        _check(Path(self.path))
        return SQLiteConnection(self.path, instance)

    async def peek(self, instance: str) -> SharedQuota:
        """Return what is kept of an instance; nothing is called, lent or changed.

        Args:
            instance: Its URL, in any form that `VtigerClient` takes; where nobody has called it
                with the file, no window has a limit or a call.

        Raises:
            ConfigurationError: It is no URL of an instance.
            StoreError: The file cannot be read, or keeps something else.
        """
        now = SystemClock().time()
        return await anyio.to_thread.run_sync(_look, self.path, base_url(instance), now)


@define(eq=False)
class SQLiteConnection:
    """One client's way to the file; its work is done in a worker thread.

    Attributes:
        path: The file.
        instance: The instance's base URL.
    """

    path: str
    instance: str
    _open: sqlite3.Connection | None = field(default=None, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    async def exchange(self, message: Message, now: float) -> Reply:
        """Carry a message to the state, and the reply back.

        Args:
            message: What the process says.
            now: Unix seconds.

        Raises:
            StoreError: The file cannot be used.
        """
        return await anyio.to_thread.run_sync(self._exchange, message, now)

    async def aclose(self) -> None:
        """Close the file."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._close)

    def _exchange(self, message: Message, now: float) -> Reply:
        with self._lock:
            try:
                return self._within(message, now)
            except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
                self._drop()
                raise StoreError(f"{self.path}: {error}") from error

    def _within(self, message: Message, now: float) -> Reply:
        connection = self._connection()
        with connection:  # it commits, or undoes all where anything is raised
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(_READ, (self.instance,)).fetchone()
            fleet = Fleet.load(None if row is None else json.loads(row[0]))
            reply = exchange(fleet, now, message)
            connection.execute(_KEEP, (self.instance, json.dumps(fleet.dump())))
        return reply

    def _connection(self) -> sqlite3.Connection:
        if self._open is None:
            if not Path(self.path).exists():
                _make(self.path)
            # Any worker thread may be next; the lock lets one in at a time.
            opened = sqlite3.connect(
                self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False
            )
            self._open = opened
            with closing(opened.execute("PRAGMA journal_mode = WAL")):
                pass
            # The last moment may be lost with the power, as it is with any store: never the file.
            opened.execute("PRAGMA synchronous = NORMAL")
            opened.execute(_TABLE)
        return self._open

    def _drop(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    def _close(self) -> None:
        with self._lock:
            self._drop()
