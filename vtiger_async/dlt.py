"""A source for dlt: modules of a Vtiger, loaded incrementally into anything that dlt loads into.

```python
pipeline = dlt.pipeline("crm", destination="duckdb", dataset_name="vtiger")
pipeline.run(vtiger_source(["Contacts", "Accounts"]))
```

`url` and `username` come from dlt's configuration, `access_key` from its secrets, if they are not
given: `[sources.vtiger]` in `config.toml` and `secrets.toml`. Wants the extra `dlt`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, Final

from attrs import define, field, frozen

from vtiger_async.client import VtigerClient
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.streams.options import Options
from vtiger_async.streams.starting import Start, starts_of, widest_scope
from vtiger_async.tables import Kind, RowMaker, Table, selection_of
from vtiger_async.types import UNSYNCED_MODULES, SyncScope
from vtiger_async.vtql import select
from vtiger_async.wire.encode import checked_module

try:
    import dlt
except ImportError as error:
    message = f"the source needs its extra: pip install 'vtiger-async[dlt]' ({error})"
    raise ImportError(message) from error

__all__ = ["vtiger_source"]

_api: Any = dlt  # how it types its hints differs between its versions

_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    "text": {"data_type": "text"},
    "id": {"data_type": "text"},
    "boolean": {"data_type": "bool"},
    "integer": {"data_type": "bigint"},
    "decimal": {"data_type": "decimal"},
    "date": {"data_type": "date"},
    "time": {"data_type": "time"},
    "timestamp": {"data_type": "timestamp"},
    "texts": {"data_type": "json"},
    "json": {"data_type": "json"},
}
_ID: Final[dict[str, dict[str, Any]]] = {
    "id": {"data_type": "text", "nullable": False, "primary_key": True}
}
_OWN: Final[dict[str, dict[str, Any]]] = {
    "_sequence": {"data_type": "bigint", "nullable": False, "dedup_sort": "desc"},
    "_deleted": {"data_type": "bool", "hard_delete": True},
}
"""Of several changes of a record in one load the last counts; a deleted record's row goes."""


@frozen
class _Page:
    """Rows that came with one call.

    Attributes:
        rows: The rows.
        position: Where the module then stands; None where that is not kept.
    """

    rows: list[dict[str, Any]]
    position: str | None = None


@define(eq=False)
class _Door:
    """One client for all resources that are read at the same time, so that they share the quota."""

    make: Callable[[], VtigerClient]
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _crm: VtigerClient | None = field(default=None, init=False)
    _users: int = field(default=0, init=False)
    _asking: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _scope: SyncScope | None = field(default=None, init=False)

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[VtigerClient]:
        """Return the client of this event loop; the last to leave closes it."""
        loop = asyncio.get_running_loop()
        if self._crm is None or self._loop is not loop:  # a loop that broke off left one behind
            self._crm, self._loop, self._users = self.make(), loop, 0
            self._asking = asyncio.Lock()
        crm = self._crm
        self._users += 1
        try:
            yield crm
        finally:
            if crm is self._crm:
                self._users -= 1
                if not self._users:
                    self._crm = None
                    await crm.aclose()

    async def scope(self, crm: VtigerClient) -> SyncScope:
        """Return whose records are read where nobody says it; it is asked once."""
        async with self._asking:
            if self._scope is None:
                self._scope = await widest_scope(crm)
        return self._scope


def vtiger_source(
    modules: Sequence[str],
    url: str | None = None,
    username: str | None = None,
    access_key: str | None = None,
    since: float | None = None,
    scope: str | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Return a source with one resource for each module, of the module's name.

    A resource is merged by `id`. The first load reads all records, the next ones what has changed
    since, whose place is kept in the resource's state: dlt commits it with the rows. A record that
    was deleted is deleted in the destination. The columns and their types follow the module's
    description; values that do not fit their type, and what is not described, stand in `_extra`.
    Modules whose changes no server tells, such as Users, are read as a whole and replaced, without
    secrets. Line items are not in it. The calls have the priority `"sync"`.

    Args:
        modules: The modules.
        url: The instance; None for what dlt's configuration tells.
        username: The user's login; None likewise.
        access_key: The user's access key; None for what dlt's secrets tell.
        since: Where the first load of a module begins, in Unix seconds; None for everything.
        scope: Whose records, as in `crm.sync`; None for all where the user is an administrator, and
            else for those of the user and the user's groups.
        options: Further arguments of VtigerClient, such as `edition` and `users`.

    Raises:
        InvalidArgumentError: There is no module, or a name cannot be one.
    """
    names = tuple(dict.fromkeys(checked_module(module) for module in modules))
    if isinstance(modules, str) or not names:
        raise InvalidArgumentError("modules is a list of names, as in ['Contacts']")
    known: Options = Options(since=since, scope=scope)  # type: ignore[arg-type]  # the sync checks it
    account = {"url": url, "username": username, "access_key": access_key}
    given = {name: value for name, value in account.items() if value is not None}
    return _source(names, known, options or {}, **given)


def _resources(
    modules: tuple[str, ...],
    known: Options,
    options: dict[str, Any],
    url: str = dlt.config.value,
    username: str = dlt.config.value,
    access_key: str = dlt.secrets.value,
) -> Any:
    """Return the resources; dlt has put in what its configuration tells."""
    door = _Door(lambda: VtigerClient(url, username, access_key, **options))
    return [
        _whole(door, module) if module in UNSYNCED_MODULES else _changes(door, module, known)
        for module in modules
    ]


# An older dlt takes annotations as they stand, and would see names of types in these.
_resources.__annotations__.update(dict.fromkeys(("url", "username", "access_key"), str))
_source: Any = dlt.source(name="vtiger", section="vtiger", max_table_nesting=0)(_resources)


def _changes(door: _Door, module: str, options: Options) -> Any:
    """Return the resource of a module that can be synced."""

    def pages() -> AsyncIterator[Any]:
        return _changed_pages(door, module, options, _api.current.resource_state(module))

    def rows(page: _Page) -> Iterator[dict[str, Any]]:
        # Here, and not where pages are read: those that are read ahead may never be taken.
        yield from page.rows
        _api.current.resource_state(module)["position"] = page.position

    resource = _api.resource(
        pages, name=module, write_disposition="merge", primary_key="id", columns=_ID | _OWN
    )
    return resource.add_yield_map(rows)


def _whole(door: _Door, module: str) -> Any:
    """Return the resource of a module whose changes the server does not tell."""

    def pages() -> AsyncIterator[Any]:
        return _whole_pages(door, module)

    def rows(page: _Page) -> Iterator[dict[str, Any]]:
        yield from page.rows

    resource = _api.resource(
        pages, name=module, write_disposition="replace", primary_key="id", columns=_ID
    )
    return resource.add_yield_map(rows)


async def _changed_pages(
    door: _Door, module: str, options: Options, state: Mapping[str, Any]
) -> AsyncGenerator[Any]:
    async with door.client() as client:
        crm = client.with_options(priority="sync")
        described = await crm.describe(module)
        table = selection_of(described)
        maker, names = RowMaker(table, described), [column.name for column in table.columns]
        start = await _start(door, crm, module, options, state.get("position"))
        order = count(time.time_ns())  # behind those of the loads before
        hints = _api.mark.make_hints(columns=_columns(table) | _OWN)
        async for page in crm.sync(module, start.cursor, start.scope).pages():
            rows: list[dict[str, Any]] = []
            for change in page.changes:
                own = {"_sequence": next(order), "_deleted": change.record is None}
                if change.record is None:
                    rows.append({"id": change.id, **own})
                else:
                    cells, _ = maker.row_of(change.record)
                    rows.append({**dict(zip(names, cells, strict=True)), **own})
            position = Start(start.scope, page.cursor).position
            yield _api.mark.with_hints(_Page(rows, position), hints)


async def _start(
    door: _Door, crm: VtigerClient, module: str, options: Options, position: str | None
) -> Start:
    """Return where a module goes on, or begins."""
    if position is None and options.scope is None:
        options = Options(since=options.since, scope=await door.scope(crm))
    known = {} if position is None else {module: position}
    return (await starts_of(crm, [module], known, options))[module]


async def _whole_pages(door: _Door, module: str) -> AsyncGenerator[Any]:
    async with door.client() as client:
        crm = client.with_options(priority="sync")
        described = await crm.describe(module)
        table = selection_of(described)
        maker, names = RowMaker(table, described), [column.name for column in table.columns]
        hints = _api.mark.make_hints(columns=_columns(table))
        async for page in crm.query(select(module)).pages():
            cells = [maker.row_of(record)[0] for record in page]
            rows = [dict(zip(names, row, strict=True)) for row in cells]
            yield _api.mark.with_hints(_Page(rows), hints)


def _columns(table: Table) -> dict[str, Any]:
    """Return the columns as dlt has them."""
    return {column.name: dict(_TYPES[column.kind]) for column in table.columns} | _ID
