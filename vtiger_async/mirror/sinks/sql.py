"""A mirror in a database of tables: what is the same for all of them."""

# ruff: noqa: S608 - names in the SQL are quoted; values are bound
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar, TypeVarTuple

from attrs import define, field

from vtiger_async.mirror.batches import Batch, Gone
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes, Look
from vtiger_async.mirror.sinks.database import Database, transaction
from vtiger_async.mirror.sinks.shaping import shape
from vtiger_async.mirror.sinks.stored import (
    FORM,
    as_it_is,
    check_form,
    check_instance,
    moment,
    state_of,
)
from vtiger_async.mirror.sinks.worker import Worker
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Table
from vtiger_async.types import RecordId

__all__ = ["SqlSink"]

_Result = TypeVar("_Result")
_Given = TypeVarTuple("_Given")
_META: Final = (
    ("_vtiger_mirror", "form BIGINT, instance TEXT"),
    ("_vtiger_modules", "module TEXT, state TEXT"),
    ("_vtiger_tables", "name TEXT"),
)
"""What is kept beside the rows: one row, one for each module, one for each of its tables."""


@define(eq=False, repr=False)
class SqlSink:
    """A mirror in a database.

    Attributes:
        database: The database.
        deletes: What becomes of the row of a record that is gone.
    """

    database: Database
    deletes: Deletes = "tombstone"
    _worker: Worker = field(factory=Worker, init=False)
    _states: dict[str, ModuleState] = field(factory=dict[str, ModuleState], init=False)
    _kept: dict[str, list[str]] = field(factory=dict[str, list[str]], init=False)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.database.what}>"

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        """Open it for writing; see `Sink`."""
        return await self._run(self._opened, instance)

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        """Make or change the tables of a module; see `Sink`."""
        await self._run(self._prepared, state, before)

    async def commit(self, batch: Batch) -> None:
        """Write a batch and its state; see `Sink`."""
        await self._run(self._committed, batch)

    async def aclose(self) -> None:
        """Close it."""
        await self._run(self.database.close)

    async def hashes(self, module: str, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        """Return the hashes of those that are there; see `ReadableSink`."""
        where = '"id" IN (SELECT unnest($1::text[]))'
        return dict(_pairs(await self._asked(module, '"id", "_hash"', where, [_plain(ids)])))

    async def count(self, module: str, above: int, up_to: int) -> int:
        """Return how many are there in a range; see `ReadableSink`."""
        where = '"_number" > $1 AND "_number" <= $2'
        rows = await self._asked(module, "count(*)", where, [above, up_to])
        return int(rows[0][0])

    async def highest(self, module: str) -> int:
        """Return the highest number; see `ReadableSink`."""
        rows = await self._asked(module, 'max("_number")', "$1", [True])
        return int(rows[0][0] or 0)

    async def ids(
        self, module: str, above: int, up_to: int, most: int
    ) -> Sequence[tuple[RecordId, str]]:
        """Return ids and hashes in a range; see `ReadableSink`."""
        where = '"_number" > $1 AND "_number" <= $2'
        rest = 'ORDER BY "_number" LIMIT $3'
        rows = await self._asked(module, '"id", "_hash"', where, [above, up_to, most], rest)
        return _pairs(rows)

    async def look(self) -> Look:
        """Return what it holds; see `ReadableSink`."""
        return await self._run(self._looked)

    async def _run(self, work: Callable[[*_Given], _Result], *given: *_Given) -> _Result:
        def explained() -> _Result:
            with self.database.explained():
                return work(*given)
            raise AssertionError  # what explains raises, and never swallows

        return await self._worker.run(explained)

    async def _asked(
        self, module: str, what: str, where: str, parameters: list[object], rest: str = ""
    ) -> list[tuple[Any, ...]]:
        if module not in self._states:
            raise SinkError(f"{self.database.what} does not hold {module}")
        table = self.database.name(self._states[module].table.name)
        sql = f'SELECT {what} FROM {table} WHERE {where} AND "_deleted_at" IS NULL {rest}'
        return await self._run(self.database.execute, sql, parameters)

    def _opened(self, instance: str) -> dict[str, ModuleState]:
        if self.database.is_open:
            raise SinkError(f"{self.database.what}: this sink is open already")
        self.database.connect(writing=True)
        try:
            with transaction(self.database):
                for name, columns in _META:
                    self.database.execute(
                        f"CREATE TABLE IF NOT EXISTS {self.database.name(name)} ({columns})"
                    )
                kept = self._kept_instance()
                if kept is None:
                    self._execute("INSERT INTO {_vtiger_mirror} VALUES ($1, $2)", [FORM, instance])
                else:
                    check_instance(self.database.what, kept, instance)
                self._states = self._found()
        except BaseException:
            self.database.close()
            raise
        return dict(self._states)

    def _execute(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        names = {name: self.database.name(name) for name, _ in _META}
        return self.database.execute(sql.format(**names), parameters)

    def _kept_instance(self) -> str | None:
        rows = self._execute("SELECT form, instance FROM {_vtiger_mirror}")
        if not rows:
            return None
        check_form(self.database.what, rows[0][0])
        return str(rows[0][1])

    def _found(self) -> dict[str, ModuleState]:
        """Return the states of the modules whose tables are there."""
        rows = self._execute("SELECT module, state FROM {_vtiger_modules} ORDER BY module")
        what, folds = self.database.what, self.database.folds
        found = {
            module: as_it_is(what, state_of(what, text), self.database.columns, folds=folds)
            for module, text in rows
        }
        return {module: state for module, state in found.items() if state is not None}

    def _prepared(self, state: ModuleState, before: ModuleState | None) -> None:
        module = state.module
        tables = [(state.table, before.table if before else None)]
        if state.lines is not None:
            tables.append((state.lines, before.lines if before else None))
        with transaction(self.database):
            own = {name for (name,) in self._execute("SELECT name FROM {_vtiger_tables}")}
            if before is None and state.lines is not None and state.lines.name in own:
                # What is left of a module whose main table somebody has dropped.
                self.database.execute(f"DROP TABLE IF EXISTS {self._name(state.lines)}")
            for table, earlier in tables:
                shape(self.database, table, earlier, own=table.name in own)
                if table.name not in own:
                    self._execute("INSERT INTO {_vtiger_tables} VALUES ($1)", [table.name])
            self._execute("DELETE FROM {_vtiger_modules} WHERE module = $1", [module])
            self._execute("INSERT INTO {_vtiger_modules} VALUES ($1, $2)", [module, state.text()])
            self._changed(state)
        self._states[module] = state
        for table, _ in tables:
            self._kept.pop(table.name, None)

    def _changed(self, state: ModuleState) -> None:
        """Do what else belongs to a change of tables, in its transaction."""

    def _committed(self, batch: Batch) -> None:
        state = batch.state
        with transaction(self.database):
            self._write(batch)
            self._execute(
                "UPDATE {_vtiger_modules} SET state = $1 WHERE module = $2",
                [state.text(), state.module],
            )
        self._states[state.module] = state

    def _write(self, batch: Batch) -> None:
        """Write the rows of a batch, in its transaction."""
        table, lines = batch.state.table, batch.state.lines
        if batch.upserts:
            kept = self._kept_columns(table)
            self.database.replace(table, [upsert.row for upsert in batch.upserts], kept)
        replaced = [upsert for upsert in batch.upserts if upsert.lines is not None]
        if lines is not None and replaced:
            self._without(lines, "parent_id", [upsert.id for upsert in replaced])
            self.database.insert(lines, [row for upsert in replaced for row in upsert.lines or ()])
        if batch.gone and self.deletes == "delete":
            gone = [one.id for one in batch.gone]
            self._without(table, "id", gone)
            if lines is not None:
                self._without(lines, "parent_id", gone)
        elif batch.gone:
            self._mark(table, batch.gone)

    def _kept_columns(self, table: Table) -> list[str]:
        """Return the columns that the table has beside its own: of fields removed or retyped."""
        if table.name not in self._kept:
            fold = str.casefold if self.database.folds else str
            own = {fold(column.name) for column in table.columns}
            there = self.database.columns(table.name)
            self._kept[table.name] = [name for name in there if fold(name) not in own]
        return self._kept[table.name]

    def _without(self, table: Table, column: str, ids: Sequence[RecordId]) -> None:
        self.database.execute(
            f'DELETE FROM {self._name(table)} WHERE "{column}" IN (SELECT unnest($1::text[]))',
            [_plain(ids)],
        )

    def _mark(self, table: Table, gone: Sequence[Gone]) -> None:
        types = self.database.types
        self.database.execute(
            f'UPDATE {self._name(table)} AS t SET "_deleted_at" = g.moment, "_deleted_as" = g.why '
            f"FROM (SELECT unnest($1::text[]) AS id, unnest($2::{types['timestamp']}[]) AS moment, "
            'unnest($3::text[]) AS why) AS g WHERE t."id" = g.id AND t."_deleted_at" IS NULL',
            [
                _plain(one.id for one in gone),
                [moment(one.at) for one in gone],
                [one.why for one in gone],
            ],
        )

    def _name(self, table: Table) -> str:
        return self.database.name(table.name)

    def _looked(self) -> Look:
        if self.database.is_open:
            return self._seen()
        if not self.database.connect(writing=False):
            return Look()
        try:
            return self._seen()
        finally:
            self.database.close()

    def _seen(self) -> Look:
        if not self.database.columns(_META[0][0]):
            return Look()
        states = self._found()
        counts = {module: self._counted(state.table) for module, state in states.items()}
        return Look(self._kept_instance(), states, counts)

    def _counted(self, table: Table) -> tuple[int, int]:
        sql = f'SELECT count(*), count("_deleted_at") FROM {self._name(table)}'
        ((rows, gone),) = self.database.execute(sql)
        return rows - gone, gone


def _plain(ids: Iterable[str]) -> list[str]:
    """Return ids as what every driver knows."""
    return [str(one) for one in ids]


def _pairs(rows: Iterable[tuple[Any, ...]]) -> list[tuple[RecordId, str]]:
    return [(RecordId(record_id), str(mark)) for record_id, mark in rows]
