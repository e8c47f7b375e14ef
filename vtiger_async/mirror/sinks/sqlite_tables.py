"""The tables of a mirror in SQLite: how they are made, changed and written, in a transaction."""

# ruff: noqa: S608 - names in the SQL are quoted; values are bound
from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from attrs import frozen

from vtiger_async.mirror.batches import Batch, Gone
from vtiger_async.mirror.errors import TableError
from vtiger_async.mirror.sink import Deletes
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Kind, Row, Table

__all__ = ["Writer", "prepare", "quoted", "table_columns"]

_TYPES: Final[dict[Kind, str]] = {
    "text": "TEXT",
    "id": "TEXT",
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "decimal": "DECIMAL TEXT",
    "date": "DATE TEXT",
    "time": "TIME TEXT",
    "timestamp": "TIMESTAMP TEXT",
    "texts": "JSON TEXT",
    "json": "JSON TEXT",
}
"""What columns are declared as; SQLite holds the values of all that end in TEXT as text."""
_AS_JSON: Final = frozenset({"texts", "json"})
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def table_columns(database: sqlite3.Connection, table: str) -> dict[str, str]:
    """Return what each column of a table is declared as; none where there is no table."""
    rows = database.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    return {name: declared for _, name, declared, *_ in rows}


def prepare(
    database: sqlite3.Connection,
    state: ModuleState,
    before: ModuleState | None,
    known: Iterable[ModuleState],
) -> None:
    """Make the tables of a module, or change them: see `Sink.prepare`.

    Args:
        database: The database, in a transaction.
        state: What they are to be.
        before: What they are; None where there are none.
        known: What is kept of all modules, those left out by `open` too.

    Raises:
        TableError: There is a table of that name that is no mirror's.
    """
    ours = {table.name.lower() for one in known for table in (one.table, one.lines) if table}
    olds = (None, None) if before is None else (before.table, before.lines)
    for table, old in zip((state.table, state.lines), olds, strict=True):
        if table is None:
            continue
        there = table_columns(database, table.name)
        if not there:
            _make(database, table)
        elif table.name.lower() not in ours:
            raise TableError(
                f"there is a table {table.name} already, which is no mirror's: keep the mirror in "
                "a file of its own"
            )
        else:
            _change(database, table, old, there)


def _make(database: sqlite3.Connection, table: Table) -> None:
    columns = [f"{quoted(column.name)} {_TYPES[column.kind]}" for column in table.columns]
    key = ", ".join(map(quoted, table.key))
    name = quoted(table.name)
    database.execute(f"CREATE TABLE {name} ({', '.join(columns)}, PRIMARY KEY ({key}))")
    if any(column.name == "_number" for column in table.columns):
        index = quoted(f"{table.name}_number")
        database.execute(f"CREATE INDEX {index} ON {name} (_number)")


def _change(
    database: sqlite3.Connection, table: Table, old: Table | None, there: dict[str, str]
) -> None:
    name = quoted(table.name)
    kinds = {column.name: column.kind for column in old.columns} if old else {}
    declared = {column.lower(): kind for column, kind in there.items()}
    coming = {column.name.lower(): "" for column in table.columns}
    for column in table.columns:
        found = declared.get(column.name.lower())
        is_retyped = kinds.get(column.name, column.kind) != column.kind
        if found is not None and (is_retyped or found != _TYPES[column.kind]):
            kept = _free(f"{column.name}__before", coming | declared)
            declared[kept.lower()] = found
            database.execute(
                f"ALTER TABLE {name} RENAME COLUMN {quoted(column.name)} TO {quoted(kept)}"
            )
            found = None
        if found is None:
            database.execute(
                f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {_TYPES[column.kind]}"
            )


def _free(name: str, taken: dict[str, str]) -> str:
    free, number = name, 1
    while free.lower() in taken:
        number += 1
        free = f"{name}{number}"
    return free


@frozen
class _Rows:
    """How rows of one table are written.

    Attributes:
        sql: The statement.
        as_json: Where cells stand that become JSON.
    """

    sql: str
    as_json: tuple[int, ...]

    @classmethod
    def of(cls, table: Table) -> _Rows:
        """Return how the rows of a table are written: over those of the same key."""
        names = [quoted(column.name) for column in table.columns]
        key = {quoted(name) for name in table.key}
        changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in key)
        sql = (
            f"INSERT INTO {quoted(table.name)} ({', '.join(names)}) "
            f"VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(map(quoted, table.key))}) DO UPDATE SET {changes}"
        )
        as_json = tuple(i for i, one in enumerate(table.columns) if one.kind in _AS_JSON)
        return cls(sql, as_json)

    def write(self, database: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Write rows."""
        database.executemany(self.sql, map(self._values, rows))

    def _values(self, row: Row) -> Any:
        values: list[Any] | None = None
        for place in self.as_json:
            if row[place] is not None:
                values = list(row) if values is None else values
                values[place] = _encode(row[place])
        return row if values is None else values


@frozen
class Writer:
    """Writes the batches of one module.

    Attributes:
        table: The module's table.
        lines: The table of its line items, where it has any.
        deletes: What becomes of the row of a record that is gone.
    """

    table: Table
    lines: Table | None
    deletes: Deletes
    _rows: _Rows
    _line_rows: _Rows | None

    @classmethod
    def of(cls, state: ModuleState, deletes: Deletes) -> Writer:
        """Return what writes the batches of a module."""
        lines = None if state.lines is None else _Rows.of(state.lines)
        return cls(state.table, state.lines, deletes, _Rows.of(state.table), lines)

    def is_for(self, state: ModuleState) -> bool:
        """Tell whether the tables are still those."""
        return self.table == state.table and self.lines == state.lines

    def write(self, database: sqlite3.Connection, batch: Batch) -> None:
        """Write the rows of a batch, and what is gone.

        Args:
            database: The database, in a transaction.
            batch: The batch.
        """
        self._rows.write(database, [upsert.row for upsert in batch.upserts])
        if self.lines is not None and self._line_rows is not None:
            replaced = [one for one in batch.upserts if one.lines is not None]
            self._drop_lines(database, [str(upsert.id) for upsert in replaced])
            self._line_rows.write(database, [row for one in replaced for row in one.lines or ()])
        if batch.gone:
            self._mark(database, batch.gone)

    def _drop_lines(self, database: sqlite3.Connection, ids: Iterable[str]) -> None:
        if self.lines is not None:
            sql = f"DELETE FROM {quoted(self.lines.name)} WHERE parent_id = ?"
            database.executemany(sql, ((one,) for one in ids))

    def _mark(self, database: sqlite3.Connection, gone: Iterable[Gone]) -> None:
        table = quoted(self.table.name)
        if self.deletes == "delete":
            self._drop_lines(database, [str(one.id) for one in gone])
            sql = f"DELETE FROM {table} WHERE id = ?"
            database.executemany(sql, [(str(one.id),) for one in gone])
            return
        sql = (
            f"UPDATE {table} SET _deleted_at = ?, _deleted_as = ? "
            "WHERE id = ? AND _deleted_at IS NULL"
        )
        database.executemany(sql, [(_moment(one.at), one.why, str(one.id)) for one in gone])


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
