"""The places where a mirror can be kept, each with how it is read without its sink."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import psycopg
import pytest
from attrs import define, field
from kept import Held, Model, of_duckdb, of_parquet, of_postgres, of_sqlite, run_in_postgres
from places import Place

from vtiger_async.mirror import ModuleState
from vtiger_async.mirror.sinks.parquet import ParquetSink
from vtiger_async.tables import Table

_STATES = "SELECT module, state FROM _vtiger_modules"


class InSQLite(Place):
    """A place in an SQLite file."""

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/crm.db"

    def states(self) -> Mapping[str, str]:
        if not (self.folder / "crm.db").exists():
            return {}
        with closing(sqlite3.connect(self.folder / "crm.db")) as connection:
            if not connection.execute("PRAGMA table_info(_vtiger_modules)").fetchall():
                return {}
            return dict(connection.execute(_STATES).fetchall())

    def rows(self, of: Table) -> Held:
        return of_sqlite(self.folder / "crm.db", of)


class InDuckDB(Place):
    """A place in a DuckDB file."""

    name = "crm.duckdb"

    @property
    def url(self) -> str:
        return f"duckdb:///{self.folder}/{self.name}"

    def reading(self) -> AbstractContextManager[object]:
        """Return an open file: while it is open, it is opened in no time."""
        path = self.folder / self.name
        return duckdb.connect(str(path)) if path.exists() else nullcontext()

    def states(self) -> Mapping[str, str]:
        if not (self.folder / self.name).exists():
            return {}
        with duckdb.connect(str(self.folder / self.name)) as connection:
            if not connection.execute(
                "FROM duckdb_tables() WHERE table_name = '_vtiger_modules'"
            ).fetchall():
                return {}
            return dict(connection.execute(_STATES).fetchall())

    def rows(self, of: Table) -> Held:
        return of_duckdb(self.folder / self.name, of)


class InParquet(InDuckDB):
    """A place in Parquet files; what counts after a kill is the database beside them."""

    name = "mirror.duckdb"

    @property
    def url(self) -> str:
        return f"parquet:///{self.folder}"

    def make(self) -> Any:
        """Return the sink; it writes files before the module is at the head, too."""
        return ParquetSink(self.folder, deletes=self.deletes, every=20)

    def kept(self, module: str, state: ModuleState | None = None) -> Model:
        """Return what is in the database, or, at rest, in the files."""
        found = super().kept(module, state)
        if state is None and found.state is not None:
            found.rows = of_parquet(self.folder, found.state.table)
            if found.state.lines is not None:
                found.lines = of_parquet(self.folder, found.state.lines)
        return found


class InJsonLines(Place):
    """A place in files of JSON lines, read as their sink says: so many bytes, the last line counts.

    A kill can only be real here: such a sink cannot be asked what it holds.
    """

    @property
    def url(self) -> str:
        return f"jsonl:///{self.folder}"

    def kept(self, module: str, state: ModuleState | None = None) -> Model:
        """Return what is there of a module."""
        facts = json.loads((self.folder / f"{module}.state.json").read_bytes())
        found = Model(self.deletes)
        found.state = ModuleState.of_text(json.dumps(facts["state"]))
        text = (self.folder / f"{module}.jsonl").read_bytes()[: facts["bytes"]]
        for record in map(json.loads, text.splitlines()):
            rid, lines = record["id"], record.pop("_lines", None)
            if "_number" in record:
                found.rows[rid] = record
            elif rid in found.rows and found.rows[rid]["_deleted_at"] is None:
                found.rows[rid] |= record
            if lines is not None:
                left = {key: one for key, one in found.lines.items() if one["parent_id"] != rid}
                found.lines = left | {f"{rid} {one['position']}": one for one in lines}
        return found


@define(eq=False)
class InPostgres(Place):
    """A place in a schema of a PostgreSQL database.

    Attributes:
        dsn: The database.
        schema: The schema.
    """

    dsn: str = field(kw_only=True)
    schema: str = field(kw_only=True)
    _connection: Any = field(default=None, init=False)

    @property
    def url(self) -> str:
        # No commit waits for the disk: here the server lives on.
        return f"{self.dsn}?schema={quote(self.schema)}&options=-c%20synchronous_commit%3Doff"

    def told(self, by: Any) -> None:
        """Take note of a step, and of the connection; one that is cut says so itself."""
        if self.is_running:
            self._connection = by
            self.step()

    def cut(self) -> None:
        """Kill the process: its end of the connection is gone, whatever it was about to say."""
        self.is_cut = True
        connection, self._connection = self._connection, None
        if connection is not None and not connection.closed:
            with socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)

    def states(self) -> Mapping[str, str]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            table = f'"{self.schema}"._vtiger_modules'
            if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
                return {}
            connection.execute("SELECT set_config('search_path', %s, false)", (f'"{self.schema}"',))
            return dict(connection.execute(_STATES).fetchall())

    def rows(self, of: Table) -> Held:
        return of_postgres(self.dsn, self.schema, of)

    def clear(self) -> None:
        """Remove it."""
        run_in_postgres(self.dsn, self.schema, f'DROP SCHEMA IF EXISTS "{self.schema}" CASCADE')


_IN_FILES: Mapping[str, type[Place]] = {
    "duckdb": InDuckDB, "jsonl": InJsonLines, "parquet": InParquet, "sqlite": InSQLite,
}  # fmt: skip


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """Return a place for a mirror, with nothing in it.

    Args:
        kind: The scheme of its URL.
        folder: A folder that is not there yet; of PostgreSQL its name is the schema's.
        request: What gives the server.
    """
    if kind == "postgresql":
        dsn = request.getfixturevalue("server")[1]
        return InPostgres(folder, dsn=dsn, schema=folder.name)
    return _IN_FILES[kind](folder)
