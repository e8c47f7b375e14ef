"""The SQLite file under a journal: how it is opened, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from vtiger_async.bulk.errors import JournalError, JournalInUseError

__all__ = ["connected", "explained"]


def connected(path: Path, *, anew: bool = False) -> sqlite3.Connection:
    """Return a database, locked for this process alone; what it commits is durable.

    Args:
        path: The file.
        anew: Whether it is to hold a new journal: then it must hold no other, unless that is of a
            planning that did not come to its end.

    Raises:
        JournalInUseError: Another process has it.
        JournalError: It cannot be opened, or holds something.
    """
    with explained(path):
        database = sqlite3.connect(path, timeout=0.0, check_same_thread=False)
        try:
            # Exclusive before the first access: the lock is the operating system's, and ends with
            # the process, however that ends.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            if anew:
                _check_free(database, path)
            for pragma in ("journal_mode=WAL", "synchronous=FULL"):
                database.execute(f"PRAGMA {pragma}")
            _lock(database)
        except BaseException:
            database.close()
            raise
        return database


def _lock(database: sqlite3.Connection) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.commit()


def _check_free(database: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that holds something; nothing of it is changed."""
    try:
        _lock(database)  # nobody writes to it while it is looked at, and from then on
        is_free = _is_unfinished(database)
    except sqlite3.OperationalError:
        raise  # in use, or unreadable
    except sqlite3.DatabaseError:
        is_free = False
    if not is_free:
        raise JournalError(
            f"{path} is there already: resume that job, or delete the file to begin anew"
        )


def _is_unfinished(database: sqlite3.Connection) -> bool:
    """Tell whether a database holds nothing, or no more than a planning that was cut short.

    With the one nothing was written to the CRM; the other holds nothing that could be lost.
    """
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return True
    if not {"job", "steps"} <= tables:
        return False
    row = database.execute("SELECT value FROM job WHERE name = 'state'").fetchone()
    return bool(row == ('"planning"',))


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
