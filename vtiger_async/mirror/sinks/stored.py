"""What every sink keeps beside the rows: which form it has, which CRM it is of, and the states."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from attrs import evolve

from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Table

__all__ = [
    "FORM",
    "as_it_is",
    "check_form",
    "check_instance",
    "file_name",
    "flush_folder",
    "moment",
    "state_of",
]

FORM: Final = 1
"""The form in which this version keeps a mirror."""


def check_form(what: str, form: object) -> None:
    """Refuse a mirror of another form.

    Args:
        what: What the mirror is kept in, for the message.
        form: The form that it has.

    Raises:
        SinkError: This version does not know it.
    """
    if form != FORM:
        raise SinkError(
            f"{what} holds a mirror in the form {form!r}, and this version knows {FORM}: "
            "use the version that wrote it, or another place"
        )


def check_instance(what: str, kept: object, instance: str) -> None:
    """Refuse a mirror of another instance.

    Args:
        what: What the mirror is kept in, for the message.
        kept: The base URL that it was made for.
        instance: The base URL that it is opened for.

    Raises:
        SinkError: They differ.
    """
    if kept != instance:
        raise SinkError(f"{what} holds a mirror of {kept}, not of {instance}: use another place")


def state_of(what: str, text: str) -> ModuleState:
    """Return a state that was kept as text.

    Args:
        what: What the mirror is kept in, for the message.
        text: The text.

    Raises:
        SinkError: It is none.
    """
    try:
        return ModuleState.of_text(text)
    except ValueError as error:
        raise SinkError(f"{what} is damaged, or of another version: {error}") from None


def as_it_is(
    what: str,
    state: ModuleState,
    columns: Callable[[str], Collection[str]],
    *,
    folds: bool = True,
) -> ModuleState | None:
    """Return a state without what somebody has dropped of its tables; None where all is gone.

    So the mirror sees a column that was dropped as one that is new, and fills it again.

    Args:
        what: What the mirror is kept in, for the message.
        state: The state that was stored.
        columns: Returns the names of a table's columns; none where there is no such table.
        folds: Whether names that differ by case only are the same.

    Raises:
        SinkError: A table has lost the columns by which its rows are known.
    """
    fold = str.casefold if folds else str

    def left_of(table: Table) -> Table | None:
        there = {fold(name) for name in columns(table.name)}
        if there and not {fold(name) for name in table.key} <= there:
            raise SinkError(
                f"{what}: the table {table.name} has not its key {', '.join(table.key)} any more: "
                "drop the table, and its module is read anew"
            )
        kept = tuple(one for one in table.columns if fold(one.name) in there)
        if not there or len(kept) == len(table.columns):
            return table if there else None
        names = {one.name for one in kept}
        lists = tuple(one for one in table.picklists if one[0] in names)
        return evolve(table, columns=kept, picklists=lists)

    table = left_of(state.table)
    if table is None:
        return None
    if state.lines is None:
        return evolve(state, table=table)
    lines = left_of(state.lines)
    # Without their table, lines are as if they had never been wanted.
    return evolve(
        state, table=table, lines=lines, line_items=state.line_items and lines is not None
    )


def moment(at: float) -> str:
    """Return Unix seconds as the cell of a timestamp; parts of a second are dropped."""
    return datetime.fromtimestamp(at // 1, UTC).strftime("%Y-%m-%d %H:%M:%S")


def file_name(name: str) -> str:
    """Return a name of the server's as one of a file or folder: of it no path can be made."""
    return quote(name, safe=" ").replace(".", "%2E")


def flush_folder(folder: Path) -> None:
    """Make the names of files in a folder durable, where the operating system can."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
