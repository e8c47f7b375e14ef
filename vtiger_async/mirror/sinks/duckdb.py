"""A mirror in a DuckDB file: `duckdb:///crm.duckdb`. Wants the extra `duckdb`."""

# ruff: noqa: S608 - names in the SQL are quoted; values are bound
from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from vtiger_async.mirror.errors import SinkBusyError, SinkError
from vtiger_async.mirror.sink import Deletes
from vtiger_async.mirror.sinks import file_of, options_of
from vtiger_async.mirror.sinks.database import quoted
from vtiger_async.mirror.sinks.locking import FileLock
from vtiger_async.mirror.sinks.sql import SqlSink
from vtiger_async.tables.schema import Cell, Kind, Row, Table

__all__ = ["DuckDBDatabase", "DuckDBSink", "of_url"]

_TYPES: Final[Mapping[Kind, str]] = {
    "text": "VARCHAR",
    "id": "VARCHAR",
    "boolean": "BOOLEAN",
    "integer": "BIGINT",
    "decimal": "DECIMAL(38,10)",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "texts": "VARCHAR[]",
    "json": "JSON",
}
_FITS: Final = re.compile(r"-?\d{1,28}(\.\d{0,10}0*)?").fullmatch
"""What DECIMAL(38,10) holds and does not round."""
_HOLDER: Final = re.compile(r"PID \d+").search


def of_url(url: str, deletes: Deletes) -> DuckDBSink:
    """Return the sink of a URL: `duckdb:///crm.duckdb`, `duckdb:////var/crm.duckdb?memory_limit=1GB`.

    Raises:
        SinkError: The URL names no file, or the extra is missing.
    """
    rest, options = options_of(url, "memory_limit")
    return DuckDBSink(file_of(rest), deletes=deletes, memory_limit=options.get("memory_limit"))


class DuckDBSink(SqlSink):
    """Keeps a mirror in a DuckDB file: a table for each module, one more for its line items.

    A decimal of more than 28 digits before the point or 10 after it would be rounded or refused:
    its cell is NULL, and it stands in `_extra` as it was sent. There is no index: DuckDB finds rows
    fast without, by `_number`.

    While a mirror writes to the file, no other process can open it, which is DuckDB's rule.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        deletes: Deletes = "tombstone",
        memory_limit: str | None = None,
    ) -> None:
        """Name the file; nothing is opened yet.

        Args:
            path: The file; it is made where it is not there.
            deletes: What becomes of the row of a record that is gone.
            memory_limit: The most memory that DuckDB keeps of it, such as `"512MB"`; without, it is
                DuckDB's own limit, most of what the machine has. Of a large module too little is an
                error: DuckDB cannot write all of a change to disk before its end.
        """
        super().__init__(DuckDBDatabase(Path(path), memory_limit), deletes)


@define(eq=False)
class DuckDBDatabase:
    """A DuckDB file as a database of tables.

    Attributes:
        path: The file.
        memory_limit: The most memory that DuckDB keeps of it, if it is not to choose itself.
        types: The type of a column of each kind.
        longest: The most bytes that a name can have.
        folds: Whether names that differ by case only are the same.
    """

    path: Path
    memory_limit: str | None = None
    types: Mapping[Kind, str] = field(default=_TYPES, init=False)
    longest: int = field(default=1000, init=False)
    folds: bool = field(default=True, init=False)
    _lock: FileLock | None = field(default=None, init=False)
    _open: Any = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        _imported()

    @property
    def what(self) -> str:
        """How messages call it."""
        return str(self.path)

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._open is not None

    def connect(self, *, writing: bool) -> bool:
        """Open the file; without writing, return False where there is none.

        Raises:
            SinkError: Another mirror writes to it, or the folder cannot be written to.
        """
        if writing:
            self._lock = FileLock(self.path)
        elif not self.path.exists():
            return False
        # Nothing is loaded from the net: what is used here is part of DuckDB.
        config = {"autoinstall_known_extensions": "false"}
        if self.memory_limit is not None:
            config["memory_limit"] = self.memory_limit
        try:
            self._open = _imported().connect(str(self.path), read_only=not writing, config=config)
        except BaseException:
            self._release()
            raise
        return True

    def close(self) -> None:
        """Close the file."""
        opened, self._open = self._open, None
        try:
            if opened is not None:
                opened.close()
        finally:
            self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    @contextmanager
    def explained(self) -> Generator[None]:
        """Turn what DuckDB says into SinkError."""
        library = _imported()
        try:
            yield
        except library.Error as error:
            text = str(error).splitlines()[0]
            if "lock on file" in text:
                who = _HOLDER(text)
                raise SinkBusyError(
                    f"{self.what}: another process{f' ({who[0]})' if who else ''} has it open: "
                    "DuckDB lets one write, or several read"
                ) from None
            raise SinkError(f"{self.what}: {text}") from None

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows.

        Raises:
            SinkError: The file is not open.
        """
        if self._open is None:
            raise SinkError(f"{self.what} is not open")
        rows: list[tuple[Any, ...]] = self._open.execute(sql, list(parameters)).fetchall()
        return rows

    def columns(self, table: str) -> dict[str, str]:
        """Return the type of each column of a table; nothing where there is no such table."""
        sql = (
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = current_database() AND schema_name = 'main' "
            "AND lower(table_name) = lower($1) ORDER BY column_index"
        )
        return dict(self.execute(sql, [table]))

    def name(self, table: str) -> str:
        """Return a table's name, as SQL has it."""
        return f"main.{quoted(table)}"

    def make(self, table: Table, columns: str) -> None:
        """Make a table."""
        # No index, not even a key: DuckDB keeps it in memory and checks it before deletes count.
        self.execute(f"CREATE TABLE {self.name(table.name)} ({columns})")

    def replace(self, table: Table, rows: Sequence[Row], kept: Sequence[str]) -> None:
        """Write rows by the key `id`; columns that are `kept` and not in the rows stay."""
        name, place = self.name(table.name), table.place("_number")
        numbers = sorted(int(str(row[place])) for row in rows)
        ids = [str(row[table.place("id")]) for row in rows]
        # The range lets DuckDB pass by most of the table without a look at the ids.
        where = '"_number" BETWEEN $2 AND $3 AND "id" IN (SELECT unnest($1::VARCHAR[]))'
        given: list[object] = [ids, numbers[0], numbers[-1]]
        names = ", ".join(quoted(one) for one in kept)
        if kept:
            self.execute(
                f'CREATE OR REPLACE TEMP TABLE _kept AS SELECT "id", {names} '
                f"FROM {name} WHERE {where}",
                given,
            )
        self.execute(f"DELETE FROM {name} WHERE {where}", given)
        self.insert(table, rows)
        if kept:
            parts = ", ".join(f"{quoted(one)} = k.{quoted(one)}" for one in kept)
            self.execute(f'UPDATE {name} AS t SET {parts} FROM _kept AS k WHERE t."id" = k."id"')

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows."""
        if not rows:
            return
        # A list for each column: a hundred times as fast as rows one by one, and as fast as from a
        # file of JSON or from Arrow, which would be one more package.
        cells = zip(*_fitting(table, rows), strict=True)
        lists = [
            [None if cell is None else json.dumps(cell) for cell in column]
            if one.kind == "json"
            else list(column)
            for one, column in zip(table.columns, cells, strict=True)
        ]
        names = ", ".join(quoted(one.name) for one in table.columns)
        values = ", ".join(
            f"unnest(${number}::{'VARCHAR' if one.kind == 'json' else _TYPES[one.kind]}[])"
            for number, one in enumerate(table.columns, 1)
        )
        self.execute(f"INSERT INTO {self.name(table.name)} ({names}) SELECT {values}", lists)


def _fitting(table: Table, rows: Sequence[Row]) -> Sequence[Row]:
    """Return the rows with decimals that DuckDB would round or refuse in `_extra` instead."""
    places = [place for place, one in enumerate(table.columns) if one.kind == "decimal"]
    extra = next((place for place, one in enumerate(table.columns) if one.name == "_extra"), None)
    if extra is None:
        return rows
    fitting: list[Row] = []
    for row in rows:
        odd = [place for place in places if row[place] is not None and not _FITS(str(row[place]))]
        if odd:
            cells, more = list(row), row[extra]
            held: dict[str, Cell] = dict(more) if isinstance(more, dict) else {}
            for place in odd:
                held[table.columns[place].name], cells[place] = cells[place], None
            cells[extra] = held
            fitting.append(tuple(cells))
        else:
            fitting.append(row)
    return fitting


def _imported() -> Any:
    try:
        return import_module("duckdb")
    except ImportError as error:
        raise SinkError(
            f"DuckDB and Parquet need the extra: pip install 'vtiger-async[duckdb]' ({error})"
        ) from None
