"""The sandbox's database: one table per module, in memory or in a file, through sqlite3.

Every value is held as it stands on the wire (text or null), in a column of its own. `n` is the
record's number and the key, so that paging by id is a walk along the table. `row_state` is LIVE,
DELETED (a tombstone, for sync) or CONVERTED (a lead that became something else).
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from vtiger_async.sandbox.folding import fold
from vtiger_async.sandbox.schema import LINE_ITEM, SCHEMA, Field, Module

__all__ = ["CONVERTED", "DELETED", "LIVE", "Row", "Store", "column", "comparable"]

LIVE = 0
"""The state of a record that is there."""
DELETED = 1
"""The state of a tombstone."""
CONVERTED = 2
"""The state of a lead that was converted."""

_INDEX_FROM = 400  # below so many rows a scan is as fast as an index, and writes stay cheaper

_FIRST = 101  # the first number of an entity

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE pairs (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE INDEX pairs_b ON pairs (b, a);
CREATE TABLE tags (n INTEGER, user TEXT, tag TEXT, PRIMARY KEY (n, user, tag)) WITHOUT ROWID;
CREATE TABLE picklists (id INTEGER PRIMARY KEY, name TEXT, value TEXT, place INTEGER);
CREATE TABLE files (n INTEGER PRIMARY KEY, parent TEXT, name TEXT, type TEXT, content BLOB);
CREATE INDEX files_parent ON files (parent);
CREATE TABLE notes (n INTEGER, name TEXT, value TEXT, PRIMARY KEY (n, name)) WITHOUT ROWID;
CREATE TABLE ledger (operation TEXT, module TEXT, id TEXT, time REAL);
"""

Row: TypeAlias = tuple[str | None, ...]
"""The values of a record's stored fields, in the order of `Module.stored`."""


def column(name: str) -> str:
    """Return the field's name, quoted for SQL."""
    return f'"{name}"'


def comparable(field: Field, table: str = "") -> str:
    """Return the SQL expression by which the field's values are compared and ordered.

    Args:
        field: The field.
        table: The table to name with the column, where more than one is read.
    """
    name = f"{table}.{column(field.name)}" if table else column(field.name)
    if field.kind == "number":
        return f"CAST({name} AS REAL)"
    if field.kind == "reference":
        return f"CAST(substr({name}, instr({name}, 'x') + 1) AS INTEGER)"
    return f"fold({name})" if field.kind == "text" else name


def _table(module: Module) -> str:
    fields = ", ".join(f"{column(f.name)} TEXT" for f in module.stored)
    sql = (
        f"CREATE TABLE {module.name} (n INTEGER PRIMARY KEY, row_state INTEGER NOT NULL, {fields});"
    )
    if "modifiedtime" in module.columns:
        sql += f"CREATE INDEX {module.name}_modified ON {module.name} (modifiedtime);"
    if module.name == LINE_ITEM:
        sql += f"CREATE INDEX {module.name}_parent ON {module.name} (parent_id);"
    return sql


class Store:
    """One instance's database.

    Args:
        path: The file to keep it in, which may exist; None keeps it in memory.
        image: A database in memory to start as a copy of.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, image: Store | None = None
    ) -> None:
        self.path = None if path is None else Path(path)
        self._db = sqlite3.connect(
            ":memory:" if self.path is None else self.path,
            isolation_level=None,
            check_same_thread=False,
        )
        # A store that is dropped without close() closes its database, and says nothing of it.
        self._closed = weakref.finalize(self, self._db.close)
        self._db.create_function("fold", 1, fold, deterministic=True)
        if self.path is not None:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        if image is not None:
            image._db.backup(self._db)
        self.fresh = not self.rows("SELECT 1 FROM sqlite_master WHERE name = 'meta'")
        if self.fresh:
            self.create()
        self.reload()

    def create(self) -> None:
        """Create every table, in place of those that are there."""
        names = [row[0] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        script = "".join(f"DROP TABLE {name};" for name in names) + _TABLES
        self._db.executescript(
            f"BEGIN;{script}{''.join(_table(m) for m in SCHEMA.modules.values())}COMMIT;"
        )
        self.reload()

    def reload(self) -> None:
        """Read the counters that are held in memory from what is stored."""
        last = {m.name: self._last(m.name) for m in SCHEMA.modules.values()}
        self._plain = {m.name: last[m.name] for m in SCHEMA.modules.values() if not m.is_entity}
        self._plain["Users"] = last.pop("Users")
        entities = [n for name, n in last.items() if name not in self._plain]
        self._entity = max(*entities, self._last("files"), _FIRST - 1)
        self._counts = {m.name: self._count(m) for m in SCHEMA.modules.values()}
        names = self.rows("SELECT name FROM sqlite_master WHERE type = 'index'")
        self._indexes = {row[0] for row in names}

    def _last(self, table: str) -> int:
        return int(self.rows(f"SELECT max(n) FROM {table}")[0][0] or 0)

    def _count(self, module: Module) -> int:
        """Return how many records were ever numbered, which is where the next number follows."""
        found = self.rows(f"SELECT count(*) FROM {module.name}")
        return int(found[0][0])

    # Statements

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a statement."""
        return self._db.execute(sql, values).fetchall()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        return self._db.execute(sql, values).rowcount

    def run_many(self, sql: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Run a statement once for each row of values."""
        self._db.executemany(sql, rows)

    @contextmanager
    def writing(self) -> Generator[None]:
        """Commit what is written inside, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self.reload()
            raise
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the database; a file keeps what was committed."""
        self._closed()

    # Records

    def next_number(self, module: Module) -> int:
        """Return a new record's number: one count for all entities, as Vtiger's crmid is."""
        if module.name in self._plain:
            self._plain[module.name] += 1
            return self._plain[module.name]
        self._entity += 1
        return self._entity

    def count_from(self, module: Module, number: int) -> None:
        """Let the next record of the module get this number, and those after it the next."""
        if module.name in self._plain:
            self._plain[module.name] = number - 1
        else:
            self._entity = number - 1

    def recount(self, module: Module) -> None:
        """Let the numbers of a module's records go on behind the last that is there."""
        self._plain[module.name] = self._last(module.name)

    def next_count(self, module: Module) -> str:
        """Return a new record's text in the module's number field (`CON7`)."""
        self._counts[module.name] += 1
        return f"{module.number_prefix}{self._counts[module.name]}"

    def last_count(self, module: Module) -> str:
        """Return the text that the record before got in the module's number field."""
        return f"{module.number_prefix}{self._counts[module.name]}"

    def insert(self, module: Module, number: int, row: Row, state: int = LIVE) -> None:
        """Write a new record."""
        self._db.execute(self._insert_sql(module), (number, state, *row))

    def insert_many(self, module: Module, rows: Iterable[tuple[object, ...]]) -> None:
        """Write many records: tuples of number, state and the fields' values."""
        self._db.executemany(self._insert_sql(module), rows)

    @staticmethod
    def _insert_sql(module: Module) -> str:
        marks = ", ".join("?" * (len(module.stored) + 2))
        return f"INSERT INTO {module.name} VALUES ({marks})"

    def record(self, module: Module, number: int) -> Row | None:
        """Return a record's row, also of a converted lead; None if missing or deleted."""
        sql = f"SELECT * FROM {module.name} WHERE n = ? AND row_state != {DELETED}"
        found = self._db.execute(sql, (number,)).fetchone()
        return None if found is None else found[2:]

    def state(self, module: Module, number: int) -> int | None:
        """Return a record's state, or None if there never was such a record."""
        found = self.rows(f"SELECT row_state FROM {module.name} WHERE n = ?", (number,))
        return found[0][0] if found else None

    def module_of(self, number: int) -> Module | None:
        """Return the module of the entity of that number, deleted or not."""
        entities = (m for m in SCHEMA.modules.values() if m.name not in self._plain)
        return next((m for m in entities if self.state(m, number) is not None), None)

    def living(self, number: int) -> Module | None:
        """Return the module of the entity of that number; None where it is deleted or missing."""
        module = self.module_of(number) if number >= 0 else None
        if module is None or self.state(module, number) == DELETED:
            return None
        return module

    def change(self, module: Module, number: int, values: Mapping[str, str | None]) -> None:
        """Write some fields of a record."""
        pairs = ", ".join(f"{column(name)} = ?" for name in values)
        sql = f"UPDATE {module.name} SET {pairs} WHERE n = ?"
        self._db.execute(sql, (*values.values(), number))

    def note(self, number: int, name: str) -> str | None:
        """Return what is kept beside the fields of an entity under a name; None for nothing."""
        sql = "SELECT value FROM notes WHERE n = ? AND name = ?"
        found = self._db.execute(sql, (number, name)).fetchone()
        return None if found is None else found[0]

    def keep_note(self, number: int, name: str, value: str | None) -> None:
        """Keep a text beside the fields of an entity; None takes it away."""
        if value is None:
            self._db.execute("DELETE FROM notes WHERE n = ? AND name = ?", (number, name))
        else:
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (number, name, value))

    def ensure_index(self, module: Module, field: Field, expression: str) -> None:
        """Create the index behind a comparison the first time that a large table needs it."""
        name = f"{module.name}_{field.name}_{'f' if '(' in expression else 'c'}"
        if self._counts[module.name] < _INDEX_FROM or name in self._indexes:
            return
        self._db.execute(
            f"CREATE INDEX IF NOT EXISTS {column(name)} ON {module.name} ({expression})"
        )
        self._indexes.add(name)

    def ensure_pair_index(self, module: Module, first: str, second: str) -> None:
        """Create the index over two columns the first time that a large table needs it."""
        name = f"{module.name}_{first}_{second}"
        if self._counts[module.name] < _INDEX_FROM or name in self._indexes:
            return
        columns = f"{column(first)}, {column(second)}"
        self._db.execute(f"CREATE INDEX IF NOT EXISTS {column(name)} ON {module.name} ({columns})")
        self._indexes.add(name)
