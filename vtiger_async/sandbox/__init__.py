"""A Vtiger CRM to try things on: stateful, limited and faulty as a real one, and yours alone.

```python
async with Sandbox(seed=1).client() as crm:      # in process, no socket
    await crm.create("Accounts", {"accountname": "Acme", "assigned_user_id": (await crm.me()).id})
```

Over real HTTP: `vtiger-async sandbox serve`, or `async with sandbox.serving() as url`.
It needs the extra `sandbox`. It shares no parser and no quota arithmetic with the client.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx

try:
    from starlette.routing import Route, Router
    from starlette.types import ASGIApp
except ImportError as error:
    message = f"the sandbox needs its extra: pip install 'vtiger-async[sandbox]' ({error})"
    raise ImportError(message) from error

from vtiger_async.clock import Clock, SystemClock
from vtiger_async.editions import DayPolicy, Limits, limits_of
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.app import REST_PATH, VTAP_PATH, Front, Handler, not_found
from vtiger_async.sandbox.clock import ManualClock
from vtiger_async.sandbox.control import control_routes
from vtiger_async.sandbox.engine import Engine
from vtiger_async.sandbox.faults import FaultRule, Faults
from vtiger_async.sandbox.flood import Flood, HeaderForm
from vtiger_async.sandbox.params import Call
from vtiger_async.sandbox.profiles import ProfileName
from vtiger_async.sandbox.transport import SandboxTransport
from vtiger_async.sandbox.webservice import WEBSERVICE_PATH, LossCode
from vtiger_async.sandbox.windows import WindowKind

if TYPE_CHECKING:
    from vtiger_async import VtigerClient

__all__ = [
    "Call",
    "Fault",
    "FaultRule",
    "Faults",
    "Flood",
    "HeaderForm",
    "ManualClock",
    "Sandbox",
    "SandboxTransport",
]


class Sandbox:
    """A simulated instance of Vtiger.

    Args:
        edition: The edition whose limits hold.
        users: Paid users; the daily limit grows with them.
        seed: What the records, the faults and the second program are drawn from.
        records: How many records there are at first; None for the standard few hundred.
        store: A file that keeps the records across restarts; None for memory.
        clock: Whose time the records, the limits and the latencies follow; real time (or the event
            loop's virtual time) if not given.
        profile: What kind of Vtiger it is: `"cloud"` as in the vendor's manuals, `"oss-8.4"` as
            measured on the open-source Vtiger 8.4.
        access_key: The access key of `admin`; None for the one that the seed gives.
        limits: Other limits than the edition's, or False for none.
        day_policy: How the edition's day moves: `"rolling"` or `"utc"`.
        minute_window: How the minute moves: `"fixed"` or `"sliding"`.
        hour_window: How the hour moves, which no header shows.
        header_form: How the quota shows in the headers.
        charge_failed: Whether a call that ends in an error is charged.
        charge_refused: Whether a call that is refused is charged.
        other_calls_per_minute: What a second program on the instance spends, in bursts.

    Attributes:
        app: The ASGI app, for any server and for httpx.ASGITransport.
        engine: The CRM without HTTP.
        flood: The quota.
        faults: The faults on order: `sandbox.faults.add("commit_then_drop", operation="create")`.
        clock: The clock.
        url: The address of the instance in process.

    Raises:
        ConfigurationError: The edition or the profile is unknown, or the edition has no API.
    """

    url = "http://sandbox.localhost"

    def __init__(
        self,
        edition: str = "one-professional",
        users: int = 5,
        seed: int = 0,
        records: int | None = None,
        store: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
        *,
        profile: ProfileName = "cloud",
        access_key: str | None = None,
        limits: Limits | Literal[False] | None = None,
        day_policy: DayPolicy = "rolling",
        minute_window: WindowKind = "fixed",
        hour_window: WindowKind = "fixed",
        header_form: HeaderForm | None = None,
        charge_failed: bool = True,
        charge_refused: bool = False,
        other_calls_per_minute: float = 0.0,
    ) -> None:
        self.clock: Clock = clock or SystemClock()
        self.flood = Flood(
            _limits(edition, users, limits, day_policy),
            self.clock,
            minute_window=minute_window,
            hour_window=hour_window,
            header_form=header_form,
            charge_failed=charge_failed,
            charge_refused=charge_refused,
            other_calls_per_minute=other_calls_per_minute,
            seed=seed,
        )
        self.engine = Engine(
            clock=self.clock,
            seed=seed,
            records=records,
            store=store,
            edition=edition,
            access_key=access_key,
            users=users,
            profile=profile,
        )
        self.faults = Faults(seed)
        self._front = Front(self.engine, self.flood, self.faults, self.clock)
        self.app: ASGIApp = Router(
            [
                Route(f"{REST_PATH}{{operation}}", self._front),
                Route(WEBSERVICE_PATH, self._front),
                Route(f"{VTAP_PATH}{{path:path}}", self._front),
                control_routes(self._front),
            ],
            redirect_slashes=False,
            default=not_found,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def access_key(self) -> str:
        """The access key of `admin`."""
        return self.credentials()[1]

    def credentials(self, user: str = "admin") -> tuple[str, str]:
        """Return user name and access key of `admin`, `sales`, `guest` or `inactive`."""
        return user, self.engine.users[user].access_key

    def transport(self) -> SandboxTransport:
        """Return an httpx transport to this sandbox, in process."""
        return SandboxTransport(self.app, self.faults)

    def client(self, user: str = "admin", **options: Any) -> VtigerClient:
        """Return a client to this sandbox, in process.

        Args:
            user: Whose credentials it uses.
            options: Keyword arguments of VtigerClient; its clock is the sandbox's unless given.
        """
        from vtiger_async import VtigerClient  # the sandbox stands below the client

        options.setdefault("clock", self.clock)
        options.setdefault("http_client", httpx.AsyncClient(transport=self.transport()))
        return VtigerClient(self.url, *self.credentials(user), **options)

    @asynccontextmanager
    async def serving(self, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str, None]:
        """Serve over real HTTP while the block runs, in the asyncio loop of the caller.

        Args:
            host: The address to listen on.
            port: The port; 0 for one that is free.

        Yields:
            The URL.
        """
        from vtiger_async.sandbox.server import serving  # uvicorn only where it is wanted

        async with serving(self.app, host, port) as url:
            yield url

    def route(self, path: str, handler: Handler) -> None:
        """Register a route under `/restapi/vtap/api/`, as a tenant builds one in API Designer.

        Args:
            path: The path below it; one that is registered again is replaced.
            handler: Takes the Call; returns what JSON can hold, or raises a Fault.
        """
        self._front.routes[path.strip("/")] = handler

    def ledger(self) -> dict[str, Any]:
        """Return what really happened, as `GET /__sandbox__/ledger` does.

        Returns:
            `writes` (one entry per write of a record), `calls` by operation and `statuses` by HTTP
            status, `granted` and `refused` calls, `others` (the second program's), and `windows`
            with the use of each.
        """
        return self._front.ledger()

    def end_sessions(self, code: LossCode = "INVALID_SESSIONID") -> None:
        """End every session of `/webservice.php`, as a restart of the server does.

        Args:
            code: What calls on these sessions are told from now on.
        """
        self._front.sessions.end_sessions(code)

    def reset(self) -> None:
        """Go back to the start: the records as seeded, no calls, no faults. Routes stay."""
        self._front.reset()

    def close(self) -> None:
        """Close the store; leaving a `with` block does so too."""
        self.engine.close()


def _limits(
    edition: str, users: int, limits: Limits | Literal[False] | None, day_policy: DayPolicy
) -> Limits:
    if limits is False:
        return Limits()
    if limits is not None:
        return limits
    granted = limits_of(edition, users=users)
    return Limits(granted.minute, granted.hour, granted.day, day_policy)
