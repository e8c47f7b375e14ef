"""The unfinished file of an export: what is written to it, and which of that counts."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from attrs import evolve

from vtiger_async.exports.errors import ExportError
from vtiger_async.exports.standing import Standing, StandingFile

__all__ = ["Part"]

_EACH: Final = 0.2
"""Seconds from one standing that is kept to the next: of a slow server after every page."""
_SHARE: Final = 20
"""Keeping takes at most one part of so many of the time."""


class Part:
    """The unfinished file, open at the end of what counts; it blocks, but for `add`.

    What is durable first is the records, then the standing that counts them: so what the file has
    beyond its standing was not counted, and is cut off here.

    Args:
        path: The file.
        store: Where its standing is kept.
        standing: What counts of it.
        head: What stands before the first record.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, store: StandingFile, standing: Standing, head: bytes) -> None:
        self.standing = evolve(standing, runs=standing.runs + 1)
        self._store = store
        self._is_new = standing.token is None
        self._file: BinaryIO = path.open("wb" if self._is_new else "r+b")
        if self._is_new:
            self._file.write(head)
            self.standing = evolve(self.standing, size=len(head), records=0)
        else:
            self._file.truncate(standing.size)
            self._file.seek(standing.size)
        self._unread = Counter(standing.unread)
        self._before = standing
        self._began_at = self._kept_at = time.monotonic()
        self._cost = 0.0
        self._is_whole = True
        self._is_kept = True

    def add(self, data: bytes, records: int, unread: Counter[str]) -> None:
        """Write the records of a page, whole.

        Args:
            data: Their bytes.
            records: How many they are.
            unread: How many of their values could not be read, by field.

        Raises:
            OSError: They cannot be written.
        """
        self._is_whole = self._is_kept = False
        self._file.write(data)
        self._unread.update(unread)
        here = self.standing
        self.standing = evolve(here, size=here.size + len(data), records=here.records + records)
        self._is_whole = True

    @property
    def is_due(self) -> bool:
        """Whether the standing should be kept now."""
        return time.monotonic() - self._kept_at >= max(_EACH, _SHARE * self._cost)

    def keep(self, token: str | None, calls: int) -> Standing:
        """Make durable what was written, and return where it stands.

        Args:
            token: Where the reading stands, behind what was written.
            calls: Calls made in this run.

        Raises:
            ExportError: The standing cannot be written.
            OSError: The file cannot be written.
        """
        began_at = time.monotonic()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.standing = evolve(
            self.standing,
            token=token,
            calls=self._before.calls + calls,
            seconds=self._before.seconds + began_at - self._began_at,
            unread=dict(self._unread),
        )
        self._store.keep(self.standing)
        self._is_kept = True
        self._kept_at = time.monotonic()
        self._cost = self._kept_at - began_at
        return self.standing

    def leave(self, token: str, calls: int) -> None:
        """Keep what was written and is not kept yet, if that can be done, and close the file.

        Args:
            token: Where the reading stands.
            calls: Calls made in this run.
        """
        try:
            # Where it fails, the pages since the last standing are asked for again.
            with suppress(OSError, ExportError):
                if self._is_whole and not self._is_kept:
                    self.keep(token, calls)
        finally:
            with suppress(OSError):
                self._file.close()
