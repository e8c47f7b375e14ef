"""Where an unfinished export stands: in a database beside the file, which is its lock, too."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import cattrs
from attrs import field, frozen

from vtiger_async.exports.errors import ExportError
from vtiger_async.tables.schema import Table

__all__ = ["Standing", "StandingFile"]

_converter = cattrs.Converter()


@frozen
class Standing:
    """Where an unfinished export stands.

    Attributes:
        instance: The base URL of the CRM.
        statement: What is wanted.
        sent: The statement that reads it.
        table: The columns that it was begun with.
        token: Where the reading stands; None before the first page.
        size: How many bytes of the unfinished file belong to the records before the token.
        records: How many records these are.
        calls: Calls made so far.
        seconds: Seconds it has taken so far.
        runs: How often it was begun or resumed.
        unread: How many values could not be read so far, by field.
        finished: Whether all is written, and the file only has to get its name.
    """

    instance: str
    statement: str
    sent: str
    table: Table
    token: str | None = None
    size: int = 0
    records: int = 0
    calls: int = 0
    seconds: float = 0.0
    runs: int = 0
    unread: dict[str, int] = field(factory=dict[str, int])
    finished: bool = False


class StandingFile:
    """The database that keeps a Standing; as long as it is open, no other export can open it.

    Args:
        path: Where it is.

    Raises:
        ExportError: Another export has it open, or it cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained():
            self._database = sqlite3.connect(
                path, timeout=0.0, isolation_level=None, check_same_thread=False
            )
            try:
                for statement in (
                    # The lock is the operating system's: it ends with the process, however that
                    # ends.
                    "PRAGMA locking_mode = EXCLUSIVE",
                    "PRAGMA synchronous = EXTRA",
                    "BEGIN EXCLUSIVE",
                    "CREATE TABLE IF NOT EXISTS standing (here INTEGER PRIMARY KEY, text TEXT)",
                    "COMMIT",
                ):
                    self._database.execute(statement).close()
            except BaseException:
                self._database.close()
                raise

    def read(self) -> Standing | None:
        """Return what was last kept, or None.

        Raises:
            ExportError: It is no standing.
        """
        with self._explained():
            found = self._database.execute("SELECT text FROM standing").fetchone()
        try:
            return None if found is None else _converter.structure(json.loads(found[0]), Standing)
        except (cattrs.errors.BaseValidationError, TypeError, ValueError, KeyError):
            raise ExportError(
                f"{self.path} is of another version, or damaged: begin anew with restart"
            ) from None

    def keep(self, standing: Standing) -> None:
        """Keep a standing durably, in place of the last one.

        Raises:
            ExportError: It cannot be written.
        """
        text = json.dumps(_converter.unstructure(standing))
        with self._explained():
            self._database.execute("INSERT OR REPLACE INTO standing VALUES (1, ?)", (text,)).close()

    def forget(self) -> None:
        """Forget what was kept.

        Raises:
            ExportError: It cannot be written.
        """
        with self._explained():
            self._database.execute("DELETE FROM standing").close()

    def close(self, *, remove: bool) -> None:
        """Close it, and remove it where it is not needed any more."""
        self._database.close()
        if remove:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "locked" in str(error):
                text = "another export is writing this file: wait for its end"
            elif "unable to open" in str(error) and not os.access(self.path.parent, os.W_OK):
                text = f"nothing may be written to the folder {self.path.parent}"
            else:
                text = f"it cannot be used: {error}"
            raise ExportError(f"{self.path}: {text}") from None
