"""What the tests of the operations share: a client over real HTTP, and the count of calls."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from vtiger_async import RecordId, VtigerClient
from vtiger_async.sandbox import Sandbox

Scenario = Callable[[Sandbox, VtigerClient], Awaitable[None]]


def exercises(*operations: str, **options: Any) -> Callable[[Scenario], Callable[[], None]]:
    """Make a test of a scenario: it runs over real HTTP, and must call these operations.

    It runs on asyncio, since the server (uvicorn) does.

    Args:
        operations: The names on the wire of what the scenario exercises.
        options: Options of the sandbox; it has no limits.
    """

    def decorate(scenario: Scenario) -> Callable[[], None]:
        def test() -> None:
            with Sandbox(limits=False, **options) as sandbox:
                anyio.run(_play, scenario, sandbox)
                calls = sandbox.ledger()["calls"]
                assert [name for name in operations if not calls.get(name)] == []

        test.__name__, test.__qualname__ = scenario.__name__, scenario.__qualname__
        test.__doc__, test.__module__ = scenario.__doc__, scenario.__module__
        test.operations = operations  # type: ignore[attr-defined]  # for the test that all are here
        return test

    return decorate


async def _play(scenario: Scenario, sandbox: Sandbox) -> None:
    with anyio.fail_after(30):
        async with (
            sandbox.serving() as url,
            VtigerClient(url, *sandbox.credentials()) as crm,
        ):
            await scenario(sandbox, crm)


def calls(sandbox: Sandbox) -> int:
    """How many calls have reached the sandbox."""
    return sum(sandbox.ledger()["calls"].values())


def plant(sandbox: Sandbox, module: str, **fields: Any) -> RecordId:
    """Create a record behind the client's back, and return its id."""
    element = {"assigned_user_id": "19x1", **fields}
    params = {"elementType": module, "element": json.dumps(element)}
    record: Any = sandbox.engine.execute("create", params, sandbox.engine.users["admin"])
    return RecordId(record["id"])
