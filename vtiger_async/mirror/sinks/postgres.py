"""A mirror in PostgreSQL: `postgresql://user:password@host/database?schema=crm`.

Wants the extra `postgres`.
"""

# ruff: noqa: S608 - names in the SQL are quoted; values are bound
from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import define, field

from vtiger_async.mirror.errors import SinkBusyError, SinkError
from vtiger_async.mirror.sink import Deletes
from vtiger_async.mirror.sinks.database import quoted
from vtiger_async.mirror.sinks.sql import SqlSink
from vtiger_async.tables.schema import Cell, Kind, Row, Table

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["PostgresDatabase", "PostgresSink", "of_url"]

_TYPES: Final[Mapping[Kind, str]] = {
    "text": "text",
    "id": "text",
    "boolean": "boolean",
    "integer": "bigint",
    "decimal": "numeric",
    "date": "date",
    "time": "time without time zone",
    "timestamp": "timestamp with time zone",
    "texts": "text[]",
    "json": "jsonb",
}
_OPTIONS: Final = "-c timezone=UTC -c client_min_messages=warning -c lock_timeout=60000"
"""A reader's lock is waited for, but not for ever (milliseconds)."""
_NO_NUL: Final = str.maketrans("\0", "\ufffd")
"""PostgreSQL has no text with the character U+0000; U+FFFD stands for what cannot be shown."""


def of_url(url: str, deletes: Deletes) -> PostgresSink:
    """Return the sink of a URL: `postgresql://user:password@host/database?schema=crm`.

    Raises:
        SinkError: The URL cannot be read, or the extra is missing.
    """
    return PostgresSink(url, deletes=deletes)


class PostgresSink(SqlSink):
    """Keeps a mirror in a schema of a PostgreSQL database, which is made where it is not there.

    A table for each module, with the id as its key, and one more for its line items. Rows come by
    COPY and are merged, so readers see each batch as a whole or not at all. An advisory lock keeps
    a second mirror out of the schema; it belongs to the connection, so a pooler in between must
    not share that. When the connection is lost, the mirror ends with an error; started again, it
    goes on from what was committed. The database must be in UTF8.
    """

    def __init__(
        self, url: str, *, schema: str | None = None, deletes: Deletes = "tombstone"
    ) -> None:
        """Say where the database is; nothing is opened yet.

        Args:
            url: `postgresql://...`, with what libpq knows; `?schema=` is taken out of it. Its
                password is never shown.
            schema: The schema; without it that of the URL, else `public`.
            deletes: What becomes of the row of a record that is gone.

        Raises:
            SinkError: The URL cannot be read, or the extra is missing.
        """
        dsn, named = _parted(url)
        super().__init__(PostgresDatabase(dsn, schema or named or "public"), deletes)


@define(eq=False)
class PostgresDatabase:
    """A schema of a PostgreSQL database as a database of tables.

    Attributes:
        dsn: How to connect.
        schema: The schema.
        types: The type of a column of each kind.
        longest: The most bytes that a name can have.
        folds: Whether names that differ by case only are the same.
    """

    dsn: str = field(repr=False)
    schema: str
    types: Mapping[Kind, str] = field(default=_TYPES, init=False)
    longest: int = field(default=63, init=False)
    folds: bool = field(default=False, init=False)
    _open: Connection[tuple[Any, ...]] | None = field(default=None, init=False, repr=False)

    @property
    def what(self) -> str:
        """How messages call it."""
        return f"PostgreSQL (schema {self.schema})"

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return self._open is not None

    def connect(self, *, writing: bool) -> bool:
        """Connect, and lock the schema if it is for writing.

        Raises:
            SinkError: Another mirror has the schema.
        """
        from psycopg import Connection, RawCursor
        from psycopg.conninfo import conninfo_to_dict

        own = conninfo_to_dict(self.dsn)
        defaults: dict[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 60000}
        self._open = Connection.connect(
            self.dsn,
            autocommit=True,
            cursor_factory=RawCursor,
            options=f"{own.get('options') or ''} {_OPTIONS}".strip(),
            **{name: value for name, value in defaults.items() if name not in own},
        )
        if writing:
            try:
                self._lock()
            except BaseException:
                self.close()
                raise
        return True

    def _lock(self) -> None:
        from psycopg.errors import LockNotAvailable

        ((encoding,),) = self.execute("SHOW server_encoding")
        if encoding != "UTF8":
            raise SinkError(f"{self.what}: a mirror needs a database in UTF8, not in {encoding}")
        digest = hashlib.sha256(f"vtiger_async.mirror {self.schema}".encode()).digest()
        number = int.from_bytes(digest[:8], "big", signed=True)
        self.execute("SET lock_timeout = 1000")  # one that was killed is not gone at once
        try:
            self.execute("SELECT pg_advisory_lock($1)", [number])
        except LockNotAvailable:
            raise SinkBusyError(
                f"another mirror writes to {self.what}: wait for its end, or choose another schema"
            ) from None
        self.execute("RESET lock_timeout")
        self.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(self.schema)}")

    def close(self) -> None:
        """Close the connection, which ends the lock."""
        from psycopg import Error

        opened, self._open = self._open, None
        if opened is not None:
            with suppress(Error):  # at once, and not only when the server sees that nobody is there
                opened.execute("SELECT pg_advisory_unlock_all()")
            opened.close()

    @contextmanager
    def explained(self) -> Generator[None]:
        """Turn what psycopg says into SinkError, without the password."""
        from psycopg import Error

        try:
            yield
        except (Error, UnicodeError) as error:
            primary = error.diag.message_primary if isinstance(error, Error) else None
            text = primary or str(error).strip().splitlines()[0]
            raise SinkError(f"{self.what}: {self._without_secret(text)}") from None

    def _without_secret(self, text: str) -> str:
        from psycopg.conninfo import conninfo_to_dict

        secret = conninfo_to_dict(self.dsn).get("password")
        return text.replace(str(secret), "***") if secret else text

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        cursor = self._connection().execute(sql.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []

    def _connection(self) -> Connection[tuple[Any, ...]]:
        if self._open is None:
            raise SinkError(f"{self.what} is not open")
        return self._open

    def columns(self, table: str) -> dict[str, str]:
        """Return the type of each column of a table; nothing where there is no such table."""
        sql = (
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        return dict(self.execute(sql, [self.name(table)]))

    def name(self, table: str) -> str:
        """Return a table's name, as SQL has it."""
        return f"{quoted(self.schema)}.{quoted(table)}"

    def make(self, table: Table, columns: str) -> None:
        """Make a table, with its key."""
        key = ", ".join(quoted(one) for one in table.key)
        self.execute(f"CREATE TABLE {self.name(table.name)} ({columns}, PRIMARY KEY ({key}))")
        if any(one.name == "_number" for one in table.columns):
            self.execute(f'CREATE INDEX ON {self.name(table.name)} ("_number")')

    def replace(self, table: Table, rows: Sequence[Row], kept: Sequence[str]) -> None:
        """Write rows by the key `id`; columns that are not in the rows stay as they are."""
        stage = f"pg_temp.{quoted('stage_' + _digest(table))}"
        names = ", ".join(quoted(one.name) for one in table.columns)
        self.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {stage.partition('.')[2]} ON COMMIT DELETE ROWS AS "
            f"SELECT {names} FROM {self.name(table.name)} WHERE false"
        )
        self._copy(stage, table, rows)
        news = ", ".join(
            f"{quoted(one.name)} = EXCLUDED.{quoted(one.name)}"
            for one in table.columns
            if one.name not in table.key
        )
        key = ", ".join(quoted(one) for one in table.key)
        self.execute(
            f"INSERT INTO {self.name(table.name)} ({names}) SELECT {names} FROM {stage} "
            f"ON CONFLICT ({key}) DO UPDATE SET {news}"
        )

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows."""
        if rows:
            self._copy(self.name(table.name), table, rows)

    def _copy(self, into: str, table: Table, rows: Sequence[Row]) -> None:
        names = ", ".join(quoted(one.name) for one in table.columns)
        structured = [one.kind == "json" for one in table.columns]
        statement = f"COPY {into} ({names}) FROM STDIN"
        with self._connection().cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(
                    [
                        _json(cell) if is_json else _plain(cell)
                        for cell, is_json in zip(row, structured, strict=True)
                    ]
                )


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, str):
        return cell.translate(_NO_NUL) if "\0" in cell else cell
    if isinstance(cell, list):
        return [_plain(one) for one in cell]
    if isinstance(cell, dict):
        return {name.translate(_NO_NUL): _plain(value) for name, value in cell.items()}
    return cell


def _json(cell: Cell) -> str | None:
    if cell is None:
        return None
    text = json.dumps(cell)
    return json.dumps(_plain(cell)) if "\\u0000" in text else text


def _digest(table: Table) -> str:
    """Return a name for what rows of just these columns are copied into."""
    names = repr((table.name, [(one.name, one.kind) for one in table.columns]))
    return hashlib.sha256(names.encode()).hexdigest()[:16]


def _parted(url: str) -> tuple[str, str | None]:
    """Return the URL as libpq knows it, and the schema in it."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise SinkError(
            f"PostgreSQL needs its extra: pip install 'vtiger-async[postgres]' ({error})"
        ) from None
    try:
        parts = urlsplit(url)
        options = parts.query.split("&")
        named = [unquote(one[7:]) for one in options if one.startswith("schema=")]
        rest = "&".join(one for one in options if not one.startswith("schema="))
        dsn = urlunsplit(parts._replace(query=rest))
        conninfo_to_dict(dsn)
    except (ProgrammingError, ValueError):
        # What they say of it may quote the password.
        raise SinkError("the URL of the PostgreSQL database cannot be read") from None
    return dsn, named[0] if named else None
