"""The endpoints under `/__sandbox__/`: the sandbox's own switches, for programs in other processes.

They cost no quota and want no credentials; they answer loopback only.

| endpoint | verb | what it does |
| --- | --- | --- |
| `health` | GET | says that the sandbox answers |
| `clock` | GET, POST | tells the time; `{"advance": seconds}` moves a manual clock |
| `faults` | GET, POST, DELETE | lists the faults on order; orders one; takes all off |
| `faults/{number}` | DELETE | takes one off |
| `sessions` | DELETE | ends all sessions of webservice.php; `?code=SESSION_EXPIRED` says how |
| `ledger` | GET | tells what really happened: writes, calls, replies, quota |
| `reset` | POST | goes back to the start |
"""

from __future__ import annotations

import json
from typing import Any, cast, get_args

from attrs import frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from vtiger_async.clock import Clock, ScaledClock
from vtiger_async.sandbox.app import Front
from vtiger_async.sandbox.clock import ManualClock
from vtiger_async.sandbox.webservice import LossCode

__all__ = ["CONTROL_PATH", "control_routes"]

CONTROL_PATH = "/__sandbox__"
"""Under which the control endpoints are."""

_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})


def control_routes(front: Front) -> Mount:
    """Return the control endpoints of one front."""
    control = _Control(front)
    endpoints = (
        ("/health", control.health, "GET"),
        ("/clock", control.show_clock, "GET"),
        ("/clock", control.advance_clock, "POST"),
        ("/faults", control.list_faults, "GET"),
        ("/faults", control.add_fault, "POST"),
        ("/faults", control.clear_faults, "DELETE"),
        ("/faults/{number:int}", control.remove_fault, "DELETE"),
        ("/sessions", control.end_sessions, "DELETE"),
        ("/ledger", control.show_ledger, "GET"),
        ("/reset", control.reset, "POST"),
    )
    routes = [Route(path, endpoint, methods=[verb]) for path, endpoint, verb in endpoints]
    return Mount(CONTROL_PATH, app=_LoopbackOnly(Router(routes)))


@frozen
class _LoopbackOnly:
    """Keeps other machines away from the switches, whatever address the server listens on."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client is None or client[0] in _LOOPBACK:
            await self.app(scope, receive, send)
        else:
            await _refusal("only this machine may use it", 403)(scope, receive, send)


@frozen
class _Control:
    """The handlers of the endpoints."""

    front: Front

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def show_clock(self, _request: Request) -> Response:
        return JSONResponse(_clock_facts(self.front.clock))

    async def advance_clock(self, request: Request) -> Response:
        clock = self.front.clock
        if not isinstance(clock, ManualClock):
            return _refusal("this sandbox's clock moves by itself", 409)
        try:
            clock.advance(float((await _json_object(request))["advance"]))
        except (KeyError, TypeError, ValueError) as error:
            return _refusal(f'send {{"advance": seconds}}: {error}', 400)
        return JSONResponse(_clock_facts(clock))

    async def list_faults(self, _request: Request) -> Response:
        return JSONResponse([rule.to_json() for rule in self.front.faults.rules])

    async def add_fault(self, request: Request) -> Response:
        try:
            rule = self.front.faults.add(**await _json_object(request))
        except (TypeError, ValueError) as error:
            return _refusal(str(error), 400)
        return JSONResponse(rule.to_json(), status_code=201)

    async def clear_faults(self, _request: Request) -> Response:
        self.front.faults.clear()
        return JSONResponse([])

    async def remove_fault(self, request: Request) -> Response:
        if not self.front.faults.remove(request.path_params["number"]):
            return _refusal("no fault has this number", 404)
        return await self.list_faults(request)

    async def end_sessions(self, request: Request) -> Response:
        code = request.query_params.get("code", "INVALID_SESSIONID")
        if code not in get_args(LossCode):
            return _refusal(f"a lost session has one of {', '.join(get_args(LossCode))}", 400)
        self.front.sessions.end_sessions(cast("LossCode", code))
        return JSONResponse([])

    async def show_ledger(self, _request: Request) -> Response:
        return JSONResponse(self.front.ledger())

    async def reset(self, _request: Request) -> Response:
        self.front.reset()
        return JSONResponse({"status": "ok"})


def _clock_facts(clock: Clock) -> dict[str, Any]:
    """Return the time, and what another process needs to live in the same time."""
    facts: dict[str, Any] = {"time": clock.time(), "manual": isinstance(clock, ManualClock)}
    if isinstance(clock, ScaledClock):
        facts |= {"factor": clock.factor, "epoch": clock.epoch}
    return facts


def _refusal(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status_code=status)


async def _json_object(request: Request) -> dict[str, Any]:
    """Return a request's body; ValueError where it is not a JSON object."""
    found: object = json.loads(await request.body())
    if not isinstance(found, dict):
        msg = "the body is a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - the caller's one error for a bad body
    return cast("dict[str, Any]", found)
