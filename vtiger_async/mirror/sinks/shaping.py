"""How a database's table is made what it is to be, and nothing that it held is lost."""

from __future__ import annotations

from collections.abc import Collection

from vtiger_async.mirror.errors import TableError
from vtiger_async.mirror.sinks.database import Database, quoted
from vtiger_async.tables.schema import Column, Table

__all__ = ["shape"]


def shape(database: Database, table: Table, before: Table | None, *, own: bool) -> None:
    """Make a table, or change it.

    Args:
        database: Where it is.
        table: What it is to be.
        before: What it was; None where it was not.
        own: Whether a table of that name is the mirror's.

    Raises:
        TableError: The database cannot hold such names, or the table is somebody else's.
    """
    _check_names(database, table)
    there = database.columns(table.name)
    if not there:
        parts = [f"{quoted(one.name)} {database.types[one.kind]}" for one in table.columns]
        database.make(table, ", ".join(parts))
        return
    if not own:
        raise TableError(
            f"{database.what} has a table {table.name!r} that is not the mirror's: "
            "rename it, or choose another place"
        )
    fold = str.casefold if database.folds else str
    names = {fold(name): name for name in there}
    taken = {*names, *(fold(one.name) for one in table.columns)}
    for column in table.columns:
        present = names.get(fold(column.name))
        if present is not None and _serves(database, there[present], column, before):
            continue
        if present is not None:
            other = _free(present, taken, database.longest)
            taken.add(fold(other))
            _alter(database, table, f"RENAME COLUMN {quoted(present)} TO {quoted(other)}")
        kind = database.types[column.kind]
        _alter(database, table, f"ADD COLUMN {quoted(column.name)} {kind}")


def _check_names(database: Database, table: Table) -> None:
    names = [column.name for column in table.columns]
    for name in (table.name, *names):
        if not name or "\0" in name or len(name.encode()) > database.longest:
            raise TableError(f"{database.what} can have no table or column with the name {name!r}")


def _serves(database: Database, kind: str, column: Column, before: Table | None) -> bool:
    """Whether a column that is there can hold the field: it is the field's, or was."""
    if kind != database.types[column.kind]:
        return False
    earlier = before.columns if before is not None else ()
    return all(one.kind == column.kind for one in earlier if one.name == column.name)


def _free(name: str, taken: Collection[str], longest: int) -> str:
    number = 1
    while True:
        suffix = "__before" + (str(number) if number > 1 else "")
        short = name.encode()[: longest - len(suffix)].decode(errors="ignore")
        if (short + suffix).casefold() not in taken and short + suffix not in taken:
            return short + suffix
        number += 1


def _alter(database: Database, table: Table, what: str) -> None:
    database.execute(f"ALTER TABLE {database.name(table.name)} {what}")
