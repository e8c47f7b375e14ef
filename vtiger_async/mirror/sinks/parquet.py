"""A mirror in Parquet files: `parquet:///folder`. Wants the extra `duckdb`."""

# ruff: noqa: S608 - names in the SQL are quoted; values are bound
from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes
from vtiger_async.mirror.sinks import file_of, options_of
from vtiger_async.mirror.sinks.database import quoted
from vtiger_async.mirror.sinks.duckdb import DuckDBDatabase
from vtiger_async.mirror.sinks.sql import SqlSink
from vtiger_async.mirror.sinks.stored import file_name, flush_folder
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Table

__all__ = ["ParquetSink", "of_url"]

_DATABASE: Final = "mirror.duckdb"
_FILE: Final = "rows.parquet"
_DIRTY: Final = 'main."_vtiger_dirty"'


def of_url(url: str, deletes: Deletes) -> ParquetSink:
    """Return the sink of a URL: `parquet:///folder`, `parquet:////var/folder?memory_limit=1GB`.

    Raises:
        SinkError: The URL names no folder, or the extra is missing.
    """
    rest, options = options_of(url, "memory_limit")
    return ParquetSink(file_of(rest), deletes=deletes, memory_limit=options.get("memory_limit"))


class ParquetSink(SqlSink):
    """Keeps a mirror in Parquet files, which any program reads while it is written.

    A folder for each table has a folder for each month in which records were created, with one
    file: `Accounts/_month=2026-01/rows.parquet`. Line items lie in the month of their document.
    Records without a `createdtime` are in `_month=none`, those of modules that have no such field
    in `_month=all`. Names that no file can have are written with `%` as in a URL.

    The truth is `mirror.duckdb` in the same folder, where each batch is committed with the module's
    state. A file is written anew when something in its month has changed: once the module is at the
    head, after some number of changed rows, and at the end; it takes the place of the one before
    in one step. So a reader sees whole files, each as the mirror stood at one moment, though not
    all of the same moment. A crash in between is made good by the next run.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        deletes: Deletes = "tombstone",
        every: int = 100_000,
        memory_limit: str | None = None,
    ) -> None:
        """Name the folder; nothing is opened yet.

        Args:
            folder: The folder; it is made where it is not there, but not those above it.
            deletes: What becomes of the row of a record that is gone.
            every: After how many changed rows files are written before the module is at the head.
            memory_limit: As of `DuckDBSink`.
        """
        self.folder = Path(folder)
        self.every = every
        self._rows: dict[str, int] = {}
        super().__init__(DuckDBDatabase(self.folder / _DATABASE, memory_limit), deletes)

    async def aclose(self) -> None:
        """Write the files that are due, and close it."""
        await self._run(self._closed)

    def _closed(self) -> None:
        try:
            if self.database.is_open:
                self._flush(None)
        finally:
            self.database.close()

    def _opened(self, instance: str) -> dict[str, ModuleState]:
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(f"{self.folder} cannot be made: {error.strerror}") from None
        states = super()._opened(instance)
        try:
            self.database.execute(f"CREATE TABLE IF NOT EXISTS {_DIRTY} (module TEXT, part TEXT)")
            self._flush(None)
        except BaseException:
            self.database.close()
            raise
        return states

    def _changed(self, state: ModuleState) -> None:
        # All files get the new columns; there is one from the beginning; and where the parts are
        # not those that they were, none is left over.
        there = self._folder(state.table).glob("_month=*")
        written = [folder.name.partition("=")[2] for folder in there]
        parts = f"SELECT DISTINCT {_part(state.table)} FROM {self._name(state.table)}"
        rest = "SELECT unnest($2::VARCHAR[])"
        self._mark_dirty(state, f"{parts} UNION {rest}", [*written, _rest(state.table)])

    def _write(self, batch: Batch) -> None:
        state = batch.state
        ids = [str(one.id) for one in batch.upserts] + [str(one.id) for one in batch.gone]
        if not ids:
            return
        sql = (
            f"SELECT DISTINCT {_part(state.table)} FROM {self._name(state.table)} "
            'WHERE "id" IN (SELECT unnest($2::VARCHAR[]))'
        )
        self._mark_dirty(state, sql, ids)  # where they were,
        super()._write(batch)
        self._mark_dirty(state, sql, ids)  # and where they are

    def _mark_dirty(self, state: ModuleState, parts: str, *given: object) -> None:
        self.database.execute(
            f"INSERT INTO {_DIRTY} SELECT $1, part FROM ({parts}) AS found(part) "
            f"WHERE part NOT IN (SELECT part FROM {_DIRTY} WHERE module = $1)",
            [state.module, *given],
        )

    def _committed(self, batch: Batch) -> None:
        module = batch.state.module
        before = self._states.get(module)
        super()._committed(batch)
        rows = self._rows.get(module, 0) + len(batch.upserts) + len(batch.gone)
        is_at_the_head = before is not None and before.synced_at != batch.state.synced_at
        self._rows[module] = 0 if is_at_the_head or rows >= self.every else rows
        if not self._rows[module]:
            self._flush(module)

    def _flush(self, module: str | None) -> None:
        """Write the files that are due, of one module or of all."""
        rows = self.database.execute(f"SELECT module, part FROM {_DIRTY} ORDER BY ALL")
        due = [(name, part) for name, part in rows if module in (None, name)]
        for name, part in due:
            state = self._states.get(name)
            if state is not None:  # its tables are still there
                self._write_part(state, part)
        for name in {name for name, _ in due}:
            # Only now: after a crash all of them are written again.
            self.database.execute(f"DELETE FROM {_DIRTY} WHERE module = $1", [name])

    def _write_part(self, state: ModuleState, part: str) -> None:
        table = self._name(state.table)
        part = part.replace("'", "")  # digits, a hyphen, or a word of ours
        where = f"{_part(state.table)} = '{part}'"
        always = part == _rest(state.table)  # without rows, too: a reader finds the columns there
        self._write_file(state.table, part, f"SELECT * FROM {table} WHERE {where}", always=always)
        if state.lines is not None:
            parents = f'SELECT "id" FROM {table} WHERE {where}'
            rows = f'SELECT * FROM {self._name(state.lines)} WHERE "parent_id" IN ({parents})'
            self._write_file(state.lines, part, rows, always=always)

    def _write_file(self, table: Table, part: str, rows: str, *, always: bool) -> None:
        folder = self._folder(table) / f"_month={part}"
        target, fresh = folder / _FILE, folder / f"{_FILE}.new"
        try:
            ((count,),) = self.database.execute(f"SELECT count(*) FROM ({rows})")
            if not count and not always:
                target.unlink(missing_ok=True)
                return
            folder.mkdir(parents=True, exist_ok=True)
            path = str(fresh).replace("'", "''")
            self.database.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
            with fresh.open("rb") as written:
                os.fsync(written.fileno())
            fresh.replace(target)
            flush_folder(folder)
        except OSError as error:
            raise SinkError(f"{target} cannot be written: {error.strerror}") from None

    def _folder(self, table: Table) -> Path:
        return self.folder / file_name(table.name)


def _rest(table: Table) -> str:
    """Return the part of rows that have no month."""
    return "none" if _is_dated(table) else "all"


def _part(table: Table) -> str:
    """Return the SQL of the part that a row is in."""
    if not _is_dated(table):
        return "'all'"
    return f"coalesce(strftime({quoted('createdtime')}, '%Y-%m'), 'none')"


def _is_dated(table: Table) -> bool:
    return any(one.name == "createdtime" and one.kind == "timestamp" for one in table.columns)
