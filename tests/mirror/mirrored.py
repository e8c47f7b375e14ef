"""What the tests of mirrors share: a CRM that somebody writes to, and what a mirror holds of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from documents import invoice_of

from vtiger_async import Record, VtigerClient
from vtiger_async.clock import Clock
from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.sinks.sqlite import SQLiteSink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.sandbox import Sandbox
from vtiger_async.tables import RowMaker, lines_table_of, table_of

Held = dict[str, dict[str, Any]]
"""Rows by id, each by the names of its columns."""
LATER = {"_deleted_at", "_deleted_as"}


class World:
    """A sandbox and a writer on it; calls of the writer are not counted."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("limits", False)
        options.setdefault("records", 0)
        self.sandbox = Sandbox(**options)
        self.engine = self.sandbox.engine

    @property
    def clock(self) -> Clock:
        return self.sandbox.clock

    @property
    def calls(self) -> dict[str, int]:
        return dict(self.sandbox.ledger()["calls"])

    def run(self, operation: str, user: str = "admin", **params: Any) -> Any:
        sent = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
        return self.engine.execute(operation, sent, self.engine.users[user])

    def create(self, module: str = "Contacts", **fields: Any) -> str:
        mandatory = {
            "Contacts": {"lastname": "N"},
            "Accounts": {"accountname": f"A{self.engine.store.rows('SELECT random()')[0][0]}"},
            "Leads": {"lastname": "L", "company": "C"},
        }[module]
        element = {"assigned_user_id": "19x1", **mandatory, **fields}
        return str(self.run("create", elementType=module, element=element)["id"])

    def revise(self, rid: str, **fields: Any) -> None:
        self.run("revise", element={"id": rid, **fields})

    def delete(self, rid: str) -> None:
        self.run("delete", id=rid)

    def invoice(self, *quantities: int) -> str:
        account = self.create("Accounts")
        product = self.run(
            "create",
            elementType="Products",
            element={"productname": "P", "unit_price": "10", "assigned_user_id": "19x1"},
        )["id"]
        lines = [{"productid": product, "quantity": str(q), "listprice": "10"} for q in quantities]
        element = invoice_of(account, product, lines)
        return str(self.run("create", elementType="Invoice", element=element)["id"])

    def silently(self, sql: str, *values: object) -> None:
        """Change the database behind the CRM's back: no feed of changes tells of it."""
        self.engine.store.run(sql, values)


async def there(crm: VtigerClient, module: str) -> Held:
    """Return the rows of all records that a query shows; of documents those that retrieve shows."""
    described = await crm.describe(module)
    table, lines = table_of(described), lines_table_of(described)
    maker = RowMaker(table, described, lines)
    rows: Held = {}
    names = [column.name for column in table.columns]
    async for record in crm.query(f"SELECT * FROM {module};"):
        whole = record
        if lines is not None:
            found = await crm.retrieve(record.id)
            # As a query has it: retrieve escapes some text.
            whole = Record({name: record.get(name, found[name]) for name in found})
        row = dict(zip(names, maker.row_of(whole)[0], strict=True))
        if lines is not None:
            of_lines = [column.name for column in lines.columns]
            row["lines"] = [dict(zip(of_lines, one, strict=True)) for one in maker.lines_of(whole)]
        rows[str(record.id)] = row
    return rows


def kept(path: Path, module: str, *, gone: bool = False) -> Held:
    """Return the rows that a mirror in SQLite holds; those that are there, or those gone."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        row = database.execute(
            "SELECT state FROM _vtiger_modules WHERE module = ?", (module,)
        ).fetchone()
        state = ModuleState.of_text(row["state"])
        kinds = {column.name: column.kind for column in state.table.columns}
        is_null = "IS NOT" if gone else "IS"
        rows = database.execute(
            f'SELECT * FROM "{state.table.name}" WHERE _deleted_at {is_null} NULL'
        ).fetchall()
        held = {row["id"]: plain(row, kinds) for row in rows}
        if state.lines is not None:
            kinds = {column.name: column.kind for column in state.lines.columns}
            for one in held.values():
                lines = database.execute(
                    f'SELECT * FROM "{state.lines.name}" WHERE parent_id = ? ORDER BY position',
                    (one["id"],),
                ).fetchall()
                one["lines"] = [plain(line, kinds) for line in lines]
        return held


def plain(row: sqlite3.Row, kinds: Mapping[str, str]) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for name, kind in kinds.items():
        value = row[name]
        if value is not None and kind in ("json", "texts"):
            value = json.loads(value)
        elif value is not None and kind == "boolean":
            value = bool(value)
        cells[name] = value
    return cells


def state_of(path: Path, module: str) -> ModuleState:
    """Return where a module stands."""
    with closing(sqlite3.connect(path)) as database:
        row = database.execute(
            "SELECT state FROM _vtiger_modules WHERE module = ?", (module,)
        ).fetchone()
    return ModuleState.of_text(row[0])


async def same(crm: VtigerClient, path: Path, *modules: str) -> None:
    """Assert that the mirror holds what queries show, cell by cell."""
    for module in modules:
        expected, found = await there(crm, module), kept(path, module)
        assert found.keys() == expected.keys(), module
        for rid, row in expected.items():
            assert found[rid] == row


class CutError(Exception):
    """The process ends here."""


class FailingSink(SQLiteSink):
    """A sink that ends the process at its n-th step: before the step, or behind it."""

    def __init__(self, path: Path, at: int) -> None:
        super().__init__(path)
        self.at = at
        self.steps = 0

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise CutError

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        self._step()
        await super().prepare(state, before)
        self._step()

    async def commit(self, batch: Batch) -> None:
        self._step()
        await super().commit(batch)
        self._step()


class Meddling(httpx.AsyncBaseTransport):
    """A transport that changes what a server answers, before the client sees it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.drop_date = False
        self.ids_only = False
        self.describe: dict[str, Any] = {}
        self.behind: Callable[[str], object] = lambda _: None  # is called behind each call

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        operation = request.url.path.rpartition("/")[2]
        if response.status_code == 200 and operation in ("sync", "describe"):
            content = json.dumps(self._changed(operation, json.loads(content))).encode()
        self.behind(operation)
        headers = [
            (name, value)
            for name, value in response.headers.raw
            if name.lower() != b"content-length" and not (self.drop_date and name == b"date")
        ]
        return httpx.Response(response.status_code, headers=headers, content=content)

    def _changed(self, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
        result = answer["result"]
        if operation == "sync" and self.ids_only:
            result["updated"] = [record["id"] for record in result["updated"]]
        change = self.describe.get(result.get("name", "")) if operation == "describe" else None
        if change is not None:
            result["fields"] = change(result["fields"])
        return answer


def url(path: Path) -> str:
    """Return the URL of a mirror in SQLite."""
    return f"sqlite:///{path}"
