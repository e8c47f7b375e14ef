"""The source: a resource for each module."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final

import dlt

from vtiger_async.client import VtigerClient
from vtiger_async.dlt.door import Door
from vtiger_async.dlt.pages import ID, OWN, Page, changed_pages, whole_pages
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.streams.options import Options
from vtiger_async.types import LINE_MODULES, UNSYNCED_MODULES
from vtiger_async.wire.encode import checked_module

__all__ = ["vtiger_source"]

_api: Any = dlt  # how it types its hints differs between its versions
_MAX_WAIT: Final = 7200.0
"""Seconds that a call may wait for the quota: for an hour's window, but not for a day's."""


def vtiger_source(
    modules: Sequence[str],
    url: str | None = None,
    username: str | None = None,
    access_key: str | None = None,
    since: float | None = None,
    scope: str | None = None,
    options: dict[str, Any] | None = None,
    *,
    line_items: bool = True,
) -> Any:
    """Return a source with one resource for each module, of the module's name.

    A resource is merged by `id`. The first load reads all records, the next ones what has changed
    since, whose place is kept in the resource's state: dlt commits it with the rows. A record that
    was deleted is deleted in the destination. The columns and their types follow the module's
    description; values that do not fit their type, and what is not described, stand in `_extra`.
    Modules whose changes no server tells, such as Users, are read as a whole and replaced, without
    secrets.

    Quotes, orders and invoices have a second table, `Invoice_LineItems`, with the key `parent_id`
    and `position`, which is replaced with its document. Only `retrieve` has lines, so each document
    that is new or has changed costs a call.

    The calls have the priority `"sync"` and wait for the quota of the hour. Where that of the day
    is used up, a module's changes end early, with a warning: what was read is loaded, and the next
    load goes on behind it.

    Args:
        modules: The modules.
        url: The instance; None for what dlt's configuration tells.
        username: The user's login; None likewise.
        access_key: The user's access key; None for what dlt's secrets tell.
        since: Where the first load of a module begins, in Unix seconds; None for everything.
        scope: Whose records, as in `crm.sync`; None for all where the user is an administrator, and
            else for those of the user and the user's groups.
        options: Further arguments of VtigerClient, such as `edition`, `users` and `max_wait`.
        line_items: Whether line items are loaded. False saves their calls; what only `retrieve`
            tells of a document, as its discount, is then empty.

    Raises:
        InvalidArgumentError: There is no module, or a name cannot be one.
    """
    names = tuple(dict.fromkeys(checked_module(module) for module in modules))
    if isinstance(modules, str) or not names:
        raise InvalidArgumentError("modules is a list of names, as in ['Contacts']")
    known: Options = Options(since=since, scope=scope)  # type: ignore[arg-type]  # the sync checks it
    account = {"url": url, "username": username, "access_key": access_key}
    given = {name: value for name, value in account.items() if value is not None}
    return _source(names, known, options or {}, line_items=line_items, **given)


def _resources(
    modules: tuple[str, ...],
    known: Options,
    options: dict[str, Any],
    url: str = dlt.config.value,
    username: str = dlt.config.value,
    access_key: str = dlt.secrets.value,
    *,
    line_items: bool = True,
) -> Any:
    """Return the resources; dlt has put in what its configuration tells."""
    wait = options.get("max_wait", _MAX_WAIT)
    door = Door(lambda: VtigerClient(url, username, access_key, **options), wait)
    return [
        _whole(door, module)
        if module in UNSYNCED_MODULES
        else _changes(door, module, known, line_items=line_items and module in LINE_MODULES)
        for module in modules
    ]


# An older dlt takes annotations as they stand, and would see names of types in these.
_resources.__annotations__.update(dict.fromkeys(("url", "username", "access_key"), str))
_source: Any = dlt.source(name="vtiger", section="vtiger", max_table_nesting=0)(_resources)


def _changes(door: Door, module: str, options: Options, *, line_items: bool) -> Any:
    """Return the resource of a module that can be synced."""
    newest = 0

    def pages() -> AsyncIterator[Any]:
        state = _api.current.resource_state(module)
        return changed_pages(door, module, options, state, line_items=line_items)

    def rows(page: Page) -> Iterator[Any]:
        # Here, and not where pages are read: those that are read ahead may never be taken.
        yield from page.rows
        for line in page.lines:
            yield _api.mark.with_hints(line, page.line_hints, create_table_variant=True)
        nonlocal newest
        if page.number > newest:  # dlt takes rows of several pages in turn, and ends none in order
            newest = page.number
            _api.current.resource_state(module).update(page.state)

    resource = _api.resource(
        pages, name=module, write_disposition="merge", primary_key="id", columns=ID | OWN
    )
    return resource.add_yield_map(rows)


def _whole(door: Door, module: str) -> Any:
    """Return the resource of a module whose changes the server does not tell."""

    def pages() -> AsyncIterator[Any]:
        return whole_pages(door, module)

    def rows(page: Page) -> Iterator[Any]:
        yield from page.rows

    resource = _api.resource(
        pages, name=module, write_disposition="replace", primary_key="id", columns=ID
    )
    return resource.add_yield_map(rows)
