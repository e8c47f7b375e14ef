"""The REST front: from an ASGI request to the engine and back, under flood control and faults.

It serves `/restapi/v1/vtiger/default/{operation}` as the manuals have it, and
`/restapi/vtap/api/<path>` for routes registered in Python, as a tenant builds them with the
vendor's API Designer; `/webservice.php` goes through here, too (see `webservice.py`). Every such
call counts against the quota; `/__sandbox__/` does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
from attrs import define, evolve, field
from starlette.types import Receive, Scope, Send

from vtiger_async.clock import Clock
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.engine import Engine, User
from vtiger_async.sandbox.faults import FaultRule, Faults, NoAnswer, play
from vtiger_async.sandbox.flood import Flood
from vtiger_async.sandbox.params import Call, credentials, read_call
from vtiger_async.sandbox.replies import (
    UNAUTHORIZED,
    DroppedConnection,
    Reply,
    failure,
    last_words,
    page,
    send_reply,
    success,
    wait_for_disconnect,
)
from vtiger_async.sandbox.webservice import WEBSERVICE_PATH, Webservice
from vtiger_async.wire.operations import OPERATIONS

__all__ = ["MAX_URL", "REST_PATH", "VTAP_PATH", "Front", "Handler", "not_found", "operation_at"]

Handler = Callable[[Call], object]
"""What answers a registered route: it takes the call, returns the result or raises a Fault."""

REST_PATH = "/restapi/v1/vtiger/default/"
"""Under which the operations of the manuals are."""

VTAP_PATH = "/restapi/vtap/api/"
"""Under which the registered routes are."""

MAX_URL = 8190
"""The longest path with query that is accepted: Apache's default for a request line."""

_REFUSED = failure("TOO_MANY_REQUESTS", "API request limit exceeded", 429)
_TOO_LONG = page(414, "414 Request-URI Too Large", counted=False)
_NAMES = {name.lower(): name for name in OPERATIONS}


@define
class Front:
    """The REST front, an ASGI app for its own paths.

    Attributes:
        engine: The CRM behind it.
        flood: The quota.
        faults: The faults on order.
        clock: What latency is measured by.
        routes: The registered routes, by path.
        calls: The calls so far, by operation, refused ones too.
        statuses: The replies so far, by HTTP status.
        sessions: What answers `/webservice.php`.
    """

    engine: Engine
    flood: Flood
    faults: Faults
    clock: Clock
    routes: dict[str, Handler] = field(factory=dict[str, Handler])
    calls: Counter[str] = field(factory=Counter[str])
    statuses: Counter[int] = field(factory=Counter[int])
    sessions: Webservice = field(init=False)
    _running: int = field(init=False, default=0)
    _abandoned: list[tuple[float, Callable[[], object]]] = field(
        init=False, factory=list[tuple[float, Callable[[], object]]]
    )

    def __attrs_post_init__(self) -> None:
        self.sessions = Webservice(self.engine, self.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            DroppedConnection: A fault ends the connection without a whole reply.
        """
        self.finish_abandoned()
        call = await read_call(operation_at(scope["path"]), scope, receive)
        if scope["path"] == WEBSERVICE_PATH:
            call = self.sessions.narrowed(call)
        if len(scope["path"]) + len(scope["query_string"]) > MAX_URL:
            await self._send(_TOO_LONG, [], scope, send)
            return
        self.calls[call.name] += 1
        charged_at = self.flood.admit()
        headers = self.flood.headers(refused=charged_at is None)
        if charged_at is None:
            await self._send(_REFUSED, headers, scope, send)
            return
        try:
            async with self.sessions.turn(call):
                reply = await self._answer_among_others(call)
        except NoAnswer:
            await wait_for_disconnect(receive)
            raise DroppedConnection(reset=False) from None
        if not self._is_charged(reply):
            self.flood.refund(charged_at)
        await self._send(reply, headers, scope, send)

    def finish_abandoned(self) -> None:
        """Execute what a client has called and not waited for, as far as its time has come."""
        if self._abandoned:
            now = self.clock.time()
            due = [execute for at, execute in self._abandoned if at <= now]
            self._abandoned = [entry for entry in self._abandoned if entry[0] > now]
            for execute in due:
                execute()

    def ledger(self) -> dict[str, Any]:
        """Return what really happened, as JSON has it: see `Sandbox.ledger`."""
        self.finish_abandoned()
        return {
            "writes": self.engine.ledger(),
            "calls": dict(self.calls),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            **self.flood.snapshot(),
        }

    def reset(self) -> None:
        """Go back to the start: records, quota, counts, no faults; the routes stay."""
        self._abandoned.clear()
        self.engine.reset()
        self.sessions.end_sessions()
        self.flood.reset()
        self.faults.clear()
        self.calls.clear()
        self.statuses.clear()

    async def _answer_among_others(self, call: Call) -> Reply:
        self._running += 1
        try:
            return await self._answer(call)
        finally:
            self._running -= 1

    async def _answer(self, call: Call) -> Reply:
        """Return what the client is to see, after the latency and through the fault on order."""
        delay, rule = self.faults.take(call.name)
        if delay:
            await self._delay(delay, call, rule)
        if rule is None:
            return self._execute(call)
        return play(rule, lambda: self._execute(call))

    async def _delay(self, seconds: float, call: Call, rule: FaultRule | None) -> None:
        """Wait; a client that hangs up meanwhile does not keep PHP from going on."""
        ends = self.clock.time() + seconds
        try:
            await self.clock.sleep(seconds)
        except anyio.get_cancelled_exc_class():
            if rule is None or rule.commit:
                self._abandoned.append((ends, lambda: self._execute(call)))
                self.sessions.hold(call, ends)
            raise

    def _execute(self, call: Call) -> Reply:
        """Execute the operation, and return the true reply."""
        if call.session is not None:
            return self.sessions.answer(call, crowded=self._running > 1)
        found = credentials(call.headers)
        user = self.engine.authenticate(*found) if found else None
        if user is None:
            return evolve(UNAUTHORIZED, content_type=self._content_type)
        try:
            return success(self._result(call, user), self._content_type)
        except Fault as fault:
            if fault.is_page:
                return last_words(fault.message)
            reply = failure(fault.code, fault.message, fault.status)
            return evolve(reply, content_type=self._content_type)

    @property
    def _content_type(self) -> bytes:
        return self.engine.profile.content_type.encode()

    def _result(self, call: Call, user: User) -> object:
        if not call.name.startswith("vtap/"):
            return self.engine.execute(
                call.name, call.params, user, call.files, crowded=self._running > 1
            )
        handler = self.routes.get(call.name.removeprefix("vtap/"))
        if handler is None:
            raise Fault("UNKNOWN_OPERATION", "Unknown operation requested", 404)
        return handler(call)

    def _is_charged(self, reply: Reply) -> bool:
        if reply.status == 429:
            return self.flood.charge_refused
        return reply.status < 400 or self.flood.charge_failed

    async def _send(
        self, reply: Reply, headers: list[tuple[bytes, bytes]], scope: Scope, send: Send
    ) -> None:
        self.statuses[reply.status] += 1
        await send_reply(reply, headers, scope, send, self.clock)


def operation_at(path: str) -> str:
    """Return the operation that a path is for; the case of its name does not matter (measured)."""
    if path.startswith(VTAP_PATH):
        return f"vtap/{path.removeprefix(VTAP_PATH)}"
    name = path.removeprefix(REST_PATH)
    return _NAMES.get(name.lower(), name)


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a path that is none of the sandbox's, as the web server in front would."""
    reply = page(404, "404 Not Found", counted=False)
    headers = [(b"content-type", reply.content_type)]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
