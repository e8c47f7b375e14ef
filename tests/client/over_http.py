"""What the tests of the operations share: clients over real HTTP, and the count of calls.

Each scenario is played on both profiles of the sandbox and over both APIs. Where a profile lacks
what the scenario exercises, the scenario must end in the error that says so.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from attrs import define, frozen
from starlette.types import Receive, Scope, Send

from vtiger_async import (
    RecordId,
    ServerError,
    UnsupportedOperationError,
    VtigerClient,
    VtigerError,
)
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES, ProfileName

Scenario = Callable[[Sandbox, VtigerClient], Awaitable[None]]


@define
class Stage:
    """A server, in a thread of its own, that answers for the sandbox of the scenario under way."""

    url: str = ""
    sandbox: Sandbox | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.sandbox is not None
        await self.sandbox.app(scope, receive, send)


@frozen
class World:
    """A kind of Vtiger, and the API over which it is called."""

    profile: ProfileName
    session_api: bool

    def lacks(self, operation: str) -> bool:
        """Tell whether the profile has no such operation on this API, or always fails at it."""
        traits, name = PROFILES[self.profile], operation.lower()
        if not self.session_api or name.startswith("vtap/"):
            return name in traits.unsupported
        if name == "me":  # the login tells
            return False
        known = traits.session_operations
        return bool(known and name not in known) or name in traits.session_fatal

    def as_called(self, operation: str) -> str:
        """Return the name under which a call of the operation is counted."""
        return "login" if self.session_api and operation == "me" else operation

    def __str__(self) -> str:
        return f"{self.profile}-{'sessions' if self.session_api else 'rest'}"


WORLDS = [World(profile, sessions) for profile in PROFILES for sessions in (False, True)]
every_world = pytest.mark.parametrize("world", WORLDS, ids=str)
"""Makes a test run on both profiles and over both APIs."""


def exercises(*operations: str, **options: Any) -> Callable[[Scenario], Callable[..., None]]:
    """Make a test of a scenario: it runs over real HTTP, and must call these operations.

    Where the profile lacks one of the
    operations, the scenario must fail with the error that says so.

    Args:
        operations: The names on the wire of what the scenario exercises.
        options: Options of the sandbox; it has no limits.
    """

    def decorate(scenario: Scenario) -> Callable[..., None]:
        @every_world
        def test(world: World, stage: Stage) -> None:
            with Sandbox(limits=False, profile=world.profile, **options) as sandbox:
                stage.sandbox = sandbox
                if any(map(world.lacks, operations)):
                    with pytest.raises((UnsupportedOperationError, ServerError)) as refused:
                        anyio.run(_play, scenario, stage.url, sandbox, world)
                    assert tells_what_is_missing(refused.value, world)
                    return
                anyio.run(_play, scenario, stage.url, sandbox, world)
                calls = sandbox.ledger()["calls"]
                assert [n for n in operations if not calls.get(world.as_called(n))] == []

        test.__name__, test.__qualname__ = scenario.__name__, scenario.__qualname__
        test.__doc__, test.__module__ = scenario.__doc__, scenario.__module__
        test.operations = operations  # type: ignore[attr-defined]  # for the test that all are here
        return test

    return decorate


def tells_what_is_missing(error: VtigerError, world: World) -> bool:
    """Tell whether an error names an operation that this world lacks, and says what to do."""
    assert error.operation is not None
    said = "webservice.php of this server has" if world.session_api else "has no counterpart"
    return world.lacks(error.operation) and said in str(error)


async def _play(scenario: Scenario, url: str, sandbox: Sandbox, world: World) -> None:
    credentials = sandbox.credentials()
    with anyio.fail_after(30):
        async with VtigerClient(url, *credentials, session_api=world.session_api) as crm:
            await scenario(sandbox, crm)


def another(crm: VtigerClient, *credentials: str) -> VtigerClient:
    """Return a client to the same instance over the same API, with other credentials."""
    return VtigerClient(crm.url, *credentials, session_api=over_sessions(crm))


def over_sessions(crm: VtigerClient) -> bool:
    """Tell whether a client calls over webservice.php."""
    return "/webservice.php" in repr(crm)


def is_open_source(sandbox: Sandbox) -> bool:
    """Tell whether the sandbox is an open-source Vtiger."""
    return sandbox.engine.profile.name == "oss-8.4"


def calls(sandbox: Sandbox) -> int:
    """How many calls have reached the sandbox, besides those of logins."""
    return sum((Counter(sandbox.ledger()["calls"]) - Counter(logins(sandbox))).values())


def logins(sandbox: Sandbox) -> dict[str, int]:
    """The calls of logins: how many of each operation."""
    calls = sandbox.ledger()["calls"]
    return {name: calls[name] for name in ("getchallenge", "login") if name in calls}


def plant(sandbox: Sandbox, module: str, **fields: Any) -> RecordId:
    """Create a record behind the client's back, and return its id."""
    element = {"assigned_user_id": "19x1", **fields}
    params = {"elementType": module, "element": json.dumps(element)}
    record: Any = sandbox.engine.execute("create", params, sandbox.engine.users["admin"])
    return RecordId(record["id"])


LEAD = {"lastname": "Web", "assigned_user_id": "19x1"}
"""The fields of a lead."""


def sandbox_of(profile: ProfileName = "oss-8.4") -> Sandbox:
    """Return an empty sandbox without limits."""
    return Sandbox(profile=profile, limits=False, records=0)


def counted(sandbox: Sandbox) -> dict[str, int]:
    """The calls by operation; a login is counted once for its two calls, which must pair."""
    calls = dict(sandbox.ledger()["calls"])
    assert calls.pop("getchallenge", 0) == calls.get("login", 0)
    return calls
