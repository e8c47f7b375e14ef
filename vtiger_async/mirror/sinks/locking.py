"""One writer at a time, for what lies in files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vtiger_async.mirror.errors import SinkBusyError, SinkError

__all__ = ["FileLock"]


class FileLock:
    """A lock beside a file or folder, which ends with the process that holds it, however it ends.

    It is an empty SQLite database that is kept locked: so it works wherever Python does. Readers
    of the file need no lock. It stays when the lock is released.

    Args:
        path: The file or folder that is locked; the lock is `<path>.lock` beside it.

    Raises:
        SinkBusyError: Another mirror holds it.
        SinkError: It cannot be made.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(f"{path.name}.lock")
        if not lock.parent.is_dir():
            raise SinkError(f"{path}: there is no folder {lock.parent}")
        try:
            self._held = sqlite3.connect(
                lock, timeout=0, isolation_level=None, check_same_thread=False
            )
            try:
                self._held.execute("BEGIN EXCLUSIVE").close()
            except sqlite3.Error:
                self._held.close()
                raise
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise SinkBusyError(
                    f"{path}: another mirror is writing to it; wait until it has ended"
                ) from None
            raise SinkError(f"{lock} cannot be made: {error}") from None
        except sqlite3.Error as error:
            raise SinkError(f"{lock} is no lock: {error}") from None

    def release(self) -> None:
        """Let another have it."""
        self._held.close()
