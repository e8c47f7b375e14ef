"""`vtiger-async tour`: a little of everything that can be read, which a recording wants."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import typer
from attrs import define

from vtiger_async.cli.exits import ExitCode, fail
from vtiger_async.cli.session import Job, Session, connected
from vtiger_async.client import VtigerClient
from vtiger_async.errors import ApiError, AuthenticationError, InvalidArgumentError
from vtiger_async.types import is_list, is_map

__all__ = ["MODULES", "MOST_CALLS", "tour"]

MODULES: Final = ("Accounts", "Contacts", "Leads", "HelpDesk")
"""The modules that the tour looks at."""
_WRONG: Final = (
    "SELECT lastname FROM Contacts LIMIT 1",
    'SELECT lastname FROM Contacts WHERE lastname = "x";',
    "SELECT no_such_field FROM Contacts;",
    "SELECT lastname FROM Contacts WHERE lastname = '';",
    "SELECT lastname FROM NoSuchModule;",
)
"""Statements that Vtiger refuses: what it says then is worth knowing."""
MOST_CALLS: Final = 10 + 7 * len(MODULES) + len(_WRONG)
"""How many calls the tour makes at most; fewer, where there is nothing to look at."""
_DAYS: Final = 7 * 86_400


@connected
def tour(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> Job:
    """Read a little of everything, so that there is something to record; nothing is written.

    It describes some modules, reads a few records of each, their changes and relations, and sends
    some statements that are refused. On a terminal it asks first, since it costs calls.
    """
    question = f"The tour makes up to {MOST_CALLS} calls, and changes nothing. Go on?"
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidArgumentError(
                f"the tour makes up to {MOST_CALLS} calls and asks on a terminal; without one, "
                "give --yes"
            )
        if not typer.confirm(question, err=True):
            raise fail("no call was made", ExitCode.ERROR)

    async def job(session: Session) -> None:
        steps = _Tour(session.crm)
        await steps.run()
        session.out.record({"calls": steps.calls, "refused": steps.refused})

    return job


@define
class _Tour:
    """The steps; what the server refuses is an answer like any other."""

    crm: VtigerClient
    calls: int = 0
    refused: int = 0

    async def run(self) -> None:
        me = await self._step(self.crm.me)
        types = await self._step(self.crm.list_types) or ()
        listed = {info.name for info in types}
        await self._step(lambda: self.crm.describe("Users"))
        first = {name: await self._module(name) for name in MODULES if name in listed}
        await self._relations(first)
        for statement in _WRONG:
            await self._get("query", query=statement)
        if me is not None:
            await self._get("retrieve", id=f"{me.id.prefix}x999999999")
        await self._get("editionLimits", serviceName="STORAGE")

    async def _module(self, name: str) -> dict[str, Any]:
        """Look at one module, and return its first record, or an empty one."""
        await self._step(lambda: self.crm.describe(name))
        await self._get("relatedtypes", elementType=name)
        await self._get("query", query=f"SELECT count(*) FROM {name};")  # noqa: S608 - VTQL of constants
        await self._get("query", query=f"SELECT id FROM {name} ORDER BY id LIMIT 3;")  # noqa: S608
        rows = await self._get("query", query=f"SELECT * FROM {name} LIMIT 3;")  # noqa: S608
        since = int(time.time()) - _DAYS
        await self._step(lambda: self.crm.sync_page(name, since, "application"))
        row = rows[0] if is_list(rows) and rows and is_map(rows[0]) else {}
        if row.get("id"):
            await self._get("retrieve", id=row["id"])
        return row

    async def _relations(self, first: dict[str, dict[str, Any]]) -> None:
        account = first.get("Accounts", {}).get("id")
        contact = first.get("Contacts", {})
        if account:
            await self._get(
                "retrieve_related", id=account, relatedLabel="Contacts", relatedType="Contacts"
            )
            await self._get(
                "query_related",
                query="SELECT * FROM Contacts",
                id=account,
                relatedLabel="Contacts",
            )
            await self._get("get_account_hierarchy", id=account)
        if contact.get("id"):
            await self._get("tags_retrieve", id=contact["id"])
        if contact.get("email"):
            await self._get("lookup", type="email", value=contact["email"])

    async def _get(self, operation: str, **params: str) -> Any:
        return await self._step(lambda: self.crm.call("GET", operation, params))

    async def _step(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make one call; return None where Vtiger refuses it, but for wrong credentials."""
        self.calls += 1
        try:
            return await call()
        except AuthenticationError:
            raise
        except ApiError:
            self.refused += 1
            return None
