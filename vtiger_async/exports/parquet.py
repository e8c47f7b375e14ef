"""From lines of cells to a Parquet file, row group by row group."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Self

from vtiger_async.exports.frames import BATCH
from vtiger_async.tables.arrow import arrow_library, batch_of, schema_of
from vtiger_async.tables.schema import Table

__all__ = ["ParquetFile"]


class ParquetFile:
    """A Parquet file that is being written of lines of cells; it blocks, so use it in a thread.

    Args:
        lines: The file of lines, each the JSON of a row's cells.
        path: The Parquet file; one that is there is replaced.
        table: The rows' table.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """

    def __init__(self, lines: Path, path: Path, table: Table) -> None:
        library = arrow_library("pyarrow.parquet")
        self._table = table
        self._lines: BinaryIO = lines.open("rb")
        self._file: BinaryIO = path.open("wb")
        self._writer: Any = library.ParquetWriter(self._file, schema_of(table), compression="zstd")

    def write_group(self) -> bool:
        """Write the next row group; return False where nothing is left."""
        rows = [tuple(json.loads(line)) for line in islice(self._lines, BATCH)]
        if rows:
            self._writer.write_batch(batch_of(self._table, rows))
        return bool(rows)

    def finish(self) -> None:
        """Write the end, durably."""
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A writer that was not closed closes itself when it is collected, and complains then.
        with suppress(arrow_library().ArrowException, OSError):
            self._writer.close()
        self._lines.close()
        self._file.close()
