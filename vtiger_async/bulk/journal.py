"""The journal of a job: an SQLite file that knows each row, what is to be done, and what was.

A call's intent is committed before the call is made, with `synchronous=FULL`: it survives the
process and the machine. The file is locked while a job has it open, and holds what the input held,
so it is readable by its owner only.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

import attrs

from vtiger_async.bulk.database import connected, explained
from vtiger_async.bulk.errors import JournalError
from vtiger_async.bulk.steps import OPEN, JobState, LoadInfo, State, Step

__all__ = ["Journal"]

_FORMAT: Final = 1
_SCHEMA: Final = """
DROP TABLE IF EXISTS job; DROP TABLE IF EXISTS steps;
CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE steps (
    id INTEGER PRIMARY KEY, load INTEGER NOT NULL, row INTEGER NOT NULL, turn INTEGER NOT NULL,
    action TEXT NOT NULL, state TEXT NOT NULL, key TEXT, record_id TEXT, fields TEXT, waits TEXT,
    old TEXT, stored TEXT, raw TEXT, reason TEXT, sent_at REAL, settled INTEGER,
    undo TEXT
);
CREATE INDEX open_steps ON steps (turn, id) WHERE state IN ('planned', 'sent', 'unknown');
CREATE INDEX keys ON steps (load, key) WHERE key IS NOT NULL;
"""
_COLUMNS: Final = tuple(column.name for column in attrs.fields(Step))
_JSON: Final = frozenset({"fields", "waits", "old", "stored", "raw", "reason"})
_STEP: Final = f"SELECT {', '.join(_COLUMNS)} FROM steps"  # noqa: S608 - no text of others
_IS_OPEN: Final = "state IN ('planned', 'sent', 'unknown')"
"""The condition of the index of the open steps."""
_PAGE: Final = 500
"""Steps that are read at a time."""


class Journal:
    """One job's file.

    Its methods block for as long as the disk does; they may be called from any thread.

    Args:
        path: The file.
        database: The open database.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self._database = database
        self._lock = threading.Lock()
        self._has_rows = False

    def __repr__(self) -> str:
        return f"<Journal {self.path}>"

    @classmethod
    def create(cls, path: Path, *, instance: str, job: str, created_at: float) -> Journal:
        """Return a new journal, in the state "planning".

        Args:
            path: Where. No file may be there but that of a planning that was cut short.
            instance: The instance's base URL.
            job: A name for the job that no other has.
            created_at: Unix seconds.

        Raises:
            JournalError: A file is there already, or cannot be made.
        """
        try:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except OSError as error:
            raise JournalError(f"{path} cannot be made: {error.strerror}") from None
        journal = cls(path, connected(path, anew=True))
        with journal._transaction() as database:
            database.executescript(f"BEGIN; {_SCHEMA}")
            facts: dict[str, Any] = {
                "format": _FORMAT, "instance": instance, "job": job, "created_at": created_at,
                "state": "planning", "loads": [],
            }  # fmt: skip
            _keep(database, facts)
        return journal

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Return a journal that is there, for this process alone.

        Raises:
            JournalInUseError: Another job has it open.
            JournalError: There is none, or it is damaged, or of a later version.
        """
        if not path.is_file():
            raise JournalError(f"{path}: there is no such journal")
        journal = cls(path, connected(path))
        try:
            journal._check()
        except BaseException:
            journal.close()
            raise
        return journal

    def _check(self) -> None:
        with self._reading() as database:
            found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
            is_empty = not database.execute("SELECT 1 FROM sqlite_master").fetchall()
        if found != "ok":
            raise JournalError(f"{self.path} is damaged, or was cut short: {found}")
        if is_empty:
            raise JournalError(f"{self.path} holds nothing: it was cut short, or never begun")
        if self.fact("format") != _FORMAT:
            raise JournalError(f"{self.path} was written by another version of this package")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def delete(self) -> None:
        """Close the file, and delete it with what belongs to it."""
        self.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    # What the job is.

    def fact(self, name: str) -> Any:
        """Return one fact of the job: `"instance"`, `"job"`, `"created_at"`, ..., or None."""
        with self._reading() as database:
            row = database.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, **facts: Any) -> None:
        """Keep facts of the job; they are JSON."""
        with self._transaction() as database:
            _keep(database, facts)

    @property
    def state(self) -> JobState:
        """How far the job is."""
        return cast("JobState", self.fact("state"))

    @property
    def loads(self) -> list[LoadInfo]:
        """What is loaded."""
        return [LoadInfo(**info) for info in self.fact("loads")]

    # Its steps.

    def add(self, steps: Iterable[Step]) -> None:
        """Add steps, all or none; their ids are set."""
        columns = _COLUMNS[:-1]
        marks = ", ".join("?" * len(columns))
        insert = f"INSERT INTO steps ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - no text of others
        with self._transaction() as database:
            for step in steps:
                step.id = database.execute(insert, _values(step, columns)).lastrowid or 0

    def write(
        self,
        steps: Iterable[Step],
        names: Sequence[str] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Write steps back, all or none; durable when it returns.

        Args:
            steps: Steps that were read from here or added.
            names: The attributes that may have changed; if not given, those that change while a
                job runs.
            facts: Facts of the job that are kept with them.
        """
        columns = (
            ("state", "record_id", "stored", "reason", "sent_at", "settled", "undo")
            if names is None
            else tuple(names)
        )
        update = f"UPDATE steps SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?"  # noqa: S608 - no text of others
        with self._transaction() as database:
            rows = ((*_values(step, columns), step.id) for step in steps)
            database.executemany(update, rows)
            if facts:
                _keep(database, facts)

    def doubt(self) -> None:
        """Take what was sent by a process that has ended for unknown."""
        with self._transaction() as database:
            database.execute(
                f"UPDATE steps SET state = 'unknown' WHERE state = 'sent' AND {_IS_OPEN}"  # noqa: S608 - no text of others
            )

    def steps(
        self,
        states: Sequence[State] = OPEN,
        *,
        turn: int | None = None,
        load: int | None = None,
        after: int = 0,
        limit: int = _PAGE,
    ) -> list[Step]:
        """Return steps in the order of their ids, at most `limit`.

        Args:
            states: In which states.
            turn: Of which turn; of all, if not given.
            load: Of which load; of all, if not given.
            after: Only those with a greater id.
            limit: At most so many.
        """
        where = ["id > ?", _among("state", states)]
        values: list[Any] = [after, *states]
        for name, value in (("turn", turn), ("load", load)):
            if value is not None:
                where.append(f"{name} = ?")
                values.append(value)
        if turn is not None and set(states) <= set(OPEN):
            where.append(_IS_OPEN)  # word for word: then the index of the open steps is used
        return self._select(f"WHERE {' AND '.join(where)} ORDER BY id LIMIT ?", (*values, limit))

    def to_undo(self, turn: int, *, before: int | None = None, limit: int = _PAGE) -> list[Step]:
        """Return the steps of a turn that are done and not undone, in the reverse of their order.

        Args:
            turn: The turn.
            before: Only those with a smaller id.
            limit: At most so many.
        """
        tail = (
            "WHERE state = 'done' AND (undo IS NULL OR undo = 'sent') AND turn = ? "
            "AND id < ? ORDER BY id DESC LIMIT ?"
        )
        return self._select(tail, (turn, 2**62 if before is None else before, limit))

    def of_rows(
        self, rows: Sequence[tuple[int, int]], *, links: bool = False
    ) -> dict[tuple[int, int], Step]:
        """Return the steps of rows, by load and row; those of their links, if asked for."""
        found: dict[tuple[int, int], Step] = {}
        if rows and not self._has_rows:
            with self._transaction() as database:
                # Few jobs have links, and the index of a million rows takes a while.
                database.execute("CREATE INDEX IF NOT EXISTS rows ON steps (load, row)")
            self._has_rows = True
        for begin in range(0, len(rows), _PAGE):
            part = rows[begin : begin + _PAGE]
            marks = ", ".join(["(?, ?)"] * len(part))
            tail = (
                f"WHERE (load, row) IN (VALUES {marks}) AND action {'=' if links else '!='} 'link'"
            )
            for step in self._select(tail, [value for row in part for value in row]):
                found[step.load, step.row] = step
        return found

    def turns(self) -> list[int]:
        """Return all turns, in order."""
        with self._reading() as database:
            rows = database.execute("SELECT DISTINCT turn FROM steps ORDER BY turn").fetchall()
        return [turn for (turn,) in rows]

    def with_keys(self, load: int, keys: Sequence[str]) -> dict[str, Step]:
        """Return the first step that is not skipped or rejected for each key that has one."""
        found: dict[str, Step] = {}
        for begin in range(0, len(keys), _PAGE):
            part = keys[begin : begin + _PAGE]
            tail = (
                f"WHERE load = ? AND {_among('key', part)} AND action != 'link' "
                "AND state NOT IN ('skipped', 'rejected') ORDER BY id"
            )
            for step in self._select(tail, (load, *part)):
                if step.key is not None:
                    found.setdefault(step.key, step)
        return found

    def open_turns(self) -> list[int]:
        """Return the turns that have open steps, in order."""
        with self._reading() as database:
            rows = database.execute(
                f"SELECT DISTINCT turn FROM steps WHERE {_IS_OPEN} ORDER BY turn"  # noqa: S608 - no text of others
            ).fetchall()
        return [turn for (turn,) in rows]

    def counts(self) -> dict[tuple[int, str, str], int]:
        """Return how many steps there are by load, action and state."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT load, action, state, count(*) FROM steps GROUP BY load, action, state"
            ).fetchall()
        return {(load, action, state): count for load, action, state, count in rows}

    # The database.

    def _select(self, tail: str, values: Sequence[Any]) -> list[Step]:
        with self._reading() as database:
            rows = database.execute(f"{_STEP} {tail}", values).fetchall()
        return [_step(row) for row in rows]

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with self._lock, explained(self.path):
            yield self._database

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._reading() as database, database:
            yield database


def _keep(database: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    rows = [(name, json.dumps(value)) for name, value in facts.items()]
    database.executemany("INSERT OR REPLACE INTO job VALUES (?, ?)", rows)


def _among(name: str, values: Sequence[Any]) -> str:
    return f"{name} IN ({', '.join('?' * len(values))})"


def _values(step: Step, columns: Iterable[str]) -> list[Any]:
    values: list[Any] = []
    for name in columns:
        value = getattr(step, name)
        if name in _JSON:
            # What JSON does not know, as a date in a row of Python values, is kept as text; half a
            # character, which SQLite does not take, as its escape.
            value = json.dumps(value, default=str) if value else None
        values.append(value)
    return values


def _step(row: Sequence[Any]) -> Step:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _JSON:
        text = values[name]
        if text is None:
            del values[name]
        else:
            values[name] = json.loads(text)
    if "waits" in values:
        values["waits"] = {name: (load, key) for name, (load, key) in values["waits"].items()}
    return Step(**values)
