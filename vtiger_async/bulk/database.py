"""The SQLite file under a journal: how it is opened, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from vtiger_async.bulk.errors import JournalError, JournalInUseError

__all__ = ["connected", "explained"]


def connected(path: Path) -> sqlite3.Connection:
    """Return a database, locked for this process alone; what it commits is durable.

    Raises:
        JournalInUseError: Another process has it.
        JournalError: It cannot be opened.
    """
    with explained(path):
        database = sqlite3.connect(path, timeout=0.0, check_same_thread=False)
        try:
            # Exclusive before the first access: the lock is the operating system's, and ends with
            # the process, however that ends.
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL"):
                database.execute(f"PRAGMA {pragma}")
            database.execute("BEGIN IMMEDIATE")
            database.commit()
        except BaseException:
            database.close()
            raise
        return database


@contextmanager
def explained(path: Path) -> Generator[None]:
    """Turn what SQLite says into an error that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            raise JournalInUseError(f"{path} is in use by another job: wait for its end") from None
        if "full" in text:
            text = "the disk is full: make room, and resume the job"
        elif isinstance(error, sqlite3.OperationalError) and "no such" not in text:
            text = f"it cannot be read or written: {text}"
        else:
            text = f"it is no journal, is damaged, or was cut short: {text}"
        raise JournalError(f"{path}: {text}") from None
