"""What a sink is to hold, as plain dicts, and how to see what it does hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from anyio.from_thread import BlockingPortal
from attrs import evolve

from vtiger_async.mirror.batches import Batch, Gone, Upsert, Why
from vtiger_async.mirror.sink import Deletes, Sink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Cell, Column, Kind, Row, Table
from vtiger_async.types import RecordId

INSTANCE = "https://crm.example"
OWN = (
    Column("_number", "integer"),
    Column("_extra", "json"),
    Column("_hash", "text"),
    Column("_deleted_at", "timestamp"),
    Column("_deleted_as", "text"),
)
FIELDS = (
    Column("name", "text", "string"),
    Column("flag", "boolean", "boolean"),
    Column("whole", "integer", "integer"),
    Column("amount", "decimal", "currency"),
    Column("day", "date", "date"),
    Column("hour", "time", "time"),
    Column("createdtime", "timestamp", "datetime"),
    Column("picks", "texts", "multipicklist"),
    Column("owner", "id", "owner", ("Users",)),
    Column("blob", "json", "grid"),
)
Held = dict[str, dict[str, Any]]
"""Rows by key, each by the names of its columns."""


def table(name: str, fields: tuple[Column, ...] = FIELDS) -> Table:
    """Return a module's table."""
    return Table(name, name, (Column("id", "id"), *fields, *OWN))


def lines_table(name: str) -> Table:
    """Return the table of a module's line items."""
    columns = (
        Column("parent_id", "id"),
        Column("position", "integer"),
        Column("quantity", "decimal"),
        Column("_extra", "json"),
    )
    return Table(name, f"{name}_LineItems", columns, ("parent_id", "position"))


def state(name: str, *, lines: bool = True, fields: tuple[Column, ...] = FIELDS) -> ModuleState:
    """Return where a module stands at its beginning."""
    return ModuleState(name, "snapshot", table(name, fields), lines_table(name) if lines else None)


def row(of: Table, number: int, **cells: Cell) -> Row:
    """Return a row; cells that are not named are empty."""
    own: dict[str, Cell] = {
        "id": RecordId(f"11x{number}"),
        "_number": number,
        "_hash": f"h{number}",
    }
    return tuple((own | cells).get(column.name) for column in of.columns)


def upsert(of: ModuleState, number: int, lines: int | None = None, **cells: Cell) -> Upsert:
    """Return a record, with some line items or without any notion of them."""
    rows = None
    if lines is not None and of.lines is not None:
        rows = tuple((f"11x{number}", place + 1, "1.50", None) for place in range(lines))
    return Upsert(RecordId(f"11x{number}"), row(of.table, number, **cells), rows)


_CHARACTERS = "aZ0 '\"\\\\%;,{}[]$1\n\r\t\x01\x7fäß名\u2028\ufeff\uffff😀🏳"


def text(random: Random) -> str:
    """Return a text of what is odd somewhere."""
    return random.choice(("", "NULL", "\\N", "{}", "".join(random.choices(_CHARACTERS, k=6))))


def json_value(random: Random, depth: int = 2) -> Cell:
    """Return what JSON can hold."""
    plainly = (None, True, False, 0, -(2**53), text(random))
    if not depth:
        return random.choice(plainly)
    listed = [json_value(random, depth - 1) for _ in range(random.randrange(3))]
    named = {text(random): json_value(random, depth - 1) for _ in range(random.randrange(3))}
    return random.choice((*plainly, listed, named))


def decimal(random: Random) -> str:
    """Return an amount, sometimes of more digits than any database is used to."""
    whole = random.choice((0, 5, 10**17 + 1, random.randrange(10**28), random.randrange(10**35)))
    part = random.choice(("", ".5", ".00", ".12345678", ".1234567890", ".000000000001"))
    return random.choice(("", "-")) + str(whole) + part


def second(random: Random) -> datetime:
    """Return a moment between the first year and the last."""
    return datetime(1, 1, 1) + timedelta(seconds=random.randrange(315_537_897_600))


CELLS: Mapping[Kind, Callable[[Random], Cell]] = {
    "text": text,
    "id": lambda random: f"12x{random.randrange(10**12)}",
    "boolean": lambda random: random.random() < 0.5,
    "integer": lambda random: random.choice((0, -(2**63), 2**63 - 1, random.randrange(99))),
    "decimal": decimal,
    "date": lambda random: str(second(random).date()),
    "time": lambda random: str(second(random).time()),
    "timestamp": lambda random: str(second(random)),
    "texts": lambda random: [text(random) for _ in range(random.randrange(1, 3))],
    "json": json_value,
}


def batch_of(of: ModuleState, random: Random) -> Batch:
    """Return a batch: of six records some come and some go."""
    upserts: list[Upsert] = []
    gone: list[Gone] = []
    for number in random.sample(range(1, 7), random.randrange(7)):
        if random.random() < 0.3:
            why: Why = random.choice(("deleted", "vanished"))
            gone.append(Gone(RecordId(f"11x{number}"), random.uniform(0, 2e9), why))
            continue
        cells = {
            column.name: random.choice((None, CELLS[column.kind](random)))
            for column in of.table.columns[1 : -len(OWN)]
        }
        # Not many months: Parquet has a file for each.
        cells["createdtime"] = random.choice((None, "0001-01-01 00:00:00", "2026-12-31 23:59:59"))
        cells["_extra"] = random.choice((None, {"more": json_value(random)}))
        lines = random.choice((None, 0, 1, 3))
        upserts.append(upsert(of, number, lines, _hash=text(random), **cells))
    return Batch(evolve(of, token=text(random)), tuple(upserts), tuple(gone))


class Model:
    """What a sink is to hold after the batches that it was given."""

    def __init__(self, deletes: Deletes) -> None:
        self.deletes, self.rows, self.lines = deletes, Held(), Held()
        self.state: ModuleState | None = None

    def commit(self, batch: Batch) -> None:
        """Take a batch as the contract says."""
        self.state = batch.state
        for one in batch.upserts:
            names = [column.name for column in batch.state.table.columns]
            was = self.rows.get(one.id, {})
            self.rows[one.id] = was | dict(zip(names, one.row, strict=True))
            if one.lines is not None and batch.state.lines is not None:
                self._drop_lines(one.id)
                names = [column.name for column in batch.state.lines.columns]
                for line in one.lines:
                    self.lines[f"{line[0]} {line[1]}"] = dict(zip(names, line, strict=True))
        for one in batch.gone:
            if self.deletes == "delete":
                self.rows.pop(one.id, None)
                self._drop_lines(one.id)
            elif one.id in self.rows and self.rows[one.id]["_deleted_at"] is None:
                self.rows[one.id] |= {"_deleted_at": moment(one.at), "_deleted_as": one.why}

    def _drop_lines(self, parent: str) -> None:
        for key in [key for key, line in self.lines.items() if line["parent_id"] == parent]:
            del self.lines[key]


def moment(at: float) -> str:
    """Return Unix seconds as a timestamp."""
    return datetime.fromtimestamp(int(at), UTC).isoformat(" ", "seconds").removesuffix("+00:00")


def plain(held: Mapping[str, Any], of: Table) -> dict[str, Any]:
    """Return a row in which equal values are equal: decimals as numbers, and back from `_extra`."""
    cells = dict(held)
    extra = cells.get("_extra")
    for column in of.columns:
        if column.kind != "decimal":
            continue
        if isinstance(extra, dict) and column.name in extra and cells[column.name] is None:
            extra = dict(extra)
            cells[column.name] = extra.pop(column.name)
            cells["_extra"] = extra or None
        if cells.get(column.name) is not None:
            cells[column.name] = Decimal(cells[column.name])
    return cells


def _keyed(rows: list[dict[str, Any]], of: Table) -> Held:
    keyed = {" ".join(str(cells[name]) for name in of.key): cells for cells in rows}
    assert len(keyed) == len(rows), "a key stands twice"
    return keyed


def _of_sql(
    of: Table, columns: Mapping[str, str], ask: Callable[[str], list[tuple[Any, ...]]], name: str
) -> Held:
    """Read a table through SQL: dates and amounts as text, JSON parsed."""
    kinds = {column.name: column.kind for column in of.columns}
    parts: list[str] = []
    for column, declared in columns.items():
        quoted = '"' + column.replace('"', '""') + '"'
        plainly = kinds.get(column) in ("text", "id", "boolean", "integer", "texts")
        parts.append(quoted if plainly or column not in kinds else f"CAST({quoted} AS {declared})")
    rows: list[dict[str, Any]] = []
    for cells in ask(f"SELECT {', '.join(parts)} FROM {name}"):
        held = dict(zip(columns, cells, strict=True))
        for column in of.columns:
            value = held[column.name]
            if value is not None and column.kind == "json":
                held[column.name] = json.loads(value)
            elif value is not None and column.kind == "timestamp":
                held[column.name] = value.removesuffix("+00")
        rows.append(held)
    return _keyed(rows, of)


def of_duckdb(path: Any, of: Table) -> Held:
    """Read a table of a DuckDB file."""
    import duckdb

    name = '"' + of.name.replace('"', '""') + '"'
    with duckdb.connect(str(path)) as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()
        columns = {str(one[0]): "VARCHAR" for one in described}
        return _of_sql(of, columns, lambda sql: connection.execute(sql).fetchall(), name)


def of_parquet(folder: Any, of: Table) -> Held:
    """Read the files of a table, and see that a record is in the file of its month."""
    import duckdb

    from vtiger_async.mirror.sinks.stored import file_name

    files = f"{folder}/{file_name(of.name)}/*/rows.parquet".replace("'", "''")
    name = f"read_parquet('{files}', union_by_name = true, hive_partitioning = true)"
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM {name}").fetchall()
        columns = {str(one[0]): "VARCHAR" for one in described}
        held = _of_sql(of, columns, lambda sql: connection.execute(sql).fetchall(), name)
    for cells in held.values():
        month = str(cells.pop("_month"))
        if "createdtime" in cells:
            assert month == str(cells["createdtime"] or "none")[:7]
    return held


def of_postgres(dsn: str, schema: str, of: Table) -> Held:
    """Read a table of a PostgreSQL database."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    with psycopg.connect(dsn, autocommit=True, options="-c timezone=UTC") as connection:
        name = SQL("{}.{}").format(Identifier(schema), Identifier(of.name)).as_string()
        cursor = connection.execute(f"SELECT * FROM {name} LIMIT 0".encode())
        columns = {one.name: "text" for one in cursor.description or ()}

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return connection.execute(sql.encode()).fetchall()

        return _of_sql(of, columns, ask, name)


def of_sqlite(path: Any, of: Table) -> Held:
    """Read a table of an SQLite file."""
    import sqlite3
    from contextlib import closing

    name = '"' + of.name.replace('"', '""') + '"'
    with closing(sqlite3.connect(path)) as connection:
        cursor = connection.execute(f"SELECT * FROM {name}")
        names = [one[0] for one in cursor.description]
        rows = [dict(zip(names, cells, strict=True)) for cells in cursor.fetchall()]
    for held in rows:
        for column in of.columns:
            value = held[column.name]
            if value is not None and column.kind in ("json", "texts"):
                held[column.name] = json.loads(value)
            elif value is not None and column.kind == "boolean":
                held[column.name] = bool(value)
    return _keyed(rows, of)


def run_in_duckdb(path: Any, sql: str) -> None:
    """Run a statement in a DuckDB file."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute(sql)


def run_in_postgres(dsn: str, schema: str, sql: str) -> None:
    """Run a statement in a schema of a PostgreSQL database."""
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SELECT set_config('search_path', %s, false)", (f'"{schema}"',))
        connection.execute(sql.encode())


def run_in_sqlite(path: Any, sql: str) -> None:
    """Run a statement in an SQLite file."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def committed(sink: Sink, portal: BlockingPortal, *batches: Batch) -> None:
    """Open the sink, commit, and close it."""
    states = portal.call(sink.open, INSTANCE)
    try:
        for batch in batches:
            if batch.state.module not in states:
                portal.call(sink.prepare, batch.state, None)
                states = {**states, batch.state.module: batch.state}
            portal.call(sink.commit, batch)
    finally:
        portal.call(sink.aclose)
