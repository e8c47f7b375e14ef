"""What a mirror asks of a database of tables."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

from vtiger_async.tables.schema import Kind, Row, Table

__all__ = ["Database", "quoted", "transaction"]


def quoted(name: str) -> str:
    """Return a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


class Database(Protocol):
    """A database; its methods block, and are called one at a time. Parameters are `$1`, `$2`."""

    @property
    def what(self) -> str:
        """How messages call it."""
        ...

    @property
    def types(self) -> Mapping[Kind, str]:
        """The type of a column of each kind, as `columns` names it, too."""
        ...

    @property
    def longest(self) -> int:
        """The most bytes that a name can have."""
        ...

    @property
    def folds(self) -> bool:
        """Whether names that differ by case only are the same."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        ...

    def connect(self, *, writing: bool) -> bool:
        """Open it, and keep other writers away if it is for writing.

        Returns whether it is there, which it always is for writing.
        """
        ...

    def close(self) -> None:
        """Close it, and let others write."""
        ...

    def explained(self) -> AbstractContextManager[None]:
        """Return what turns the library's errors into SinkError, without secrets."""
        ...

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        ...

    def columns(self, table: str) -> dict[str, str]:
        """Return the type of each column of a table; nothing where there is no such table."""
        ...

    def name(self, table: str) -> str:
        """Return a table's name, as SQL has it."""
        ...

    def make(self, table: Table, columns: str) -> None:
        """Make a table with these columns, and what finds its rows fast."""
        ...

    def replace(self, table: Table, rows: Sequence[Row], kept: Sequence[str]) -> None:
        """Write rows by the key `id`; columns that are `kept` and not in the rows stay."""
        ...

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Add rows."""
        ...


@contextmanager
def transaction(database: Database) -> Generator[None]:
    """Keep all that is done in a database within the block, or, after an error, nothing."""
    database.execute("BEGIN")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        with suppress(Exception):  # a commit that failed, or a lost connection, has ended it
            database.execute("ROLLBACK")
        raise
