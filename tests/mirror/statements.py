"""What sinks do to their stores, told step by step: statements, flushes, changes of names."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import duckdb
import psycopg

Tell = Callable[[Any], object]
"""Is called before each step, with the connection or the number of the file."""


class SpiedDuckDB:
    """A connection to DuckDB that tells of each statement before it."""

    def __init__(self, connection: Any, tell: Tell) -> None:
        self.connection = connection
        self.tell = tell

    def execute(self, *given: Any) -> Any:
        self.tell(self.connection)
        return self.connection.execute(*given)

    def close(self) -> None:
        self.connection.close()


def spied_sqlite(tell: Tell) -> type[sqlite3.Connection]:
    """Return a kind of connection to SQLite that tells of each statement before it."""

    class Spied(sqlite3.Connection):
        def execute(self, *given: Any) -> sqlite3.Cursor:
            tell(self)
            return super().execute(*given)

        def executemany(self, *given: Any) -> sqlite3.Cursor:
            tell(self)
            return super().executemany(*given)

        def executescript(self, *given: Any) -> sqlite3.Cursor:
            tell(self)
            return super().executescript(*given)

    return Spied


@contextmanager
def telling(tell: Tell, of: Callable[[str], bool] = lambda path: True) -> Generator[None]:
    """Have each step told that sinks take.

    Args:
        tell: Is called before each step: a statement in a database, a flush of a file, a change of
            its name. Of statements in PostgreSQL that is asked for which mirrors send.
        of: Tells which files of SQLite and DuckDB are meant.
    """
    in_sqlite, in_duckdb, spied = sqlite3.connect, duckdb.connect, spied_sqlite(tell)
    flush, replace = os.fsync, os.replace
    execute, copy = psycopg.RawCursor.execute, psycopg.RawCursor.copy

    def open_sqlite(path: Any, **more: Any) -> Any:
        return in_sqlite(path, **{"factory": spied, **more} if of(str(path)) else more)

    def open_duckdb(path: Any = ":memory:", *given: Any, **more: Any) -> Any:
        if not of(str(path)):
            return in_duckdb(path, *given, **more)
        config = {**more.pop("config", {}), "threads": "1"}  # enough for small tables, and faster
        return SpiedDuckDB(in_duckdb(path, *given, **more, config=config), tell)

    def flushing(file: int) -> None:
        tell(file)
        flush(file)

    def replacing(*given: Any) -> None:
        tell(None)
        replace(*given)

    def executing(cursor: psycopg.RawCursor[Any], *given: Any, **more: Any) -> Any:
        tell(cursor.connection)
        return execute(cursor, *given, **more)

    def copying(cursor: psycopg.RawCursor[Any], *given: Any, **more: Any) -> Any:
        tell(cursor.connection)
        return copy(cursor, *given, **more)

    with ExitStack() as stack:
        for owner, name, other in (
            (sqlite3, "connect", open_sqlite),
            (duckdb, "connect", open_duckdb),
            (os, "fsync", flushing),
            (os, "replace", replacing),
            (psycopg.RawCursor, "execute", executing),
            (psycopg.RawCursor, "copy", copying),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, other)
        yield
