"""The sandbox in process: an httpx transport that calls the ASGI app and behaves like a socket.

It runs under asyncio and trio, so a virtual clock governs it. It differs from a socket in one
thing: a reply is there whole or not at all, so that a timeout or a cut comes while the request is
being sent and never while the body is being read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import httpx
from starlette.types import ASGIApp, Message, Scope

from vtiger_async.sandbox.app import operation_at
from vtiger_async.sandbox.faults import Faults
from vtiger_async.sandbox.replies import DroppedConnection

__all__ = ["SandboxTransport"]

Trace = Callable[[str, dict[str, Any]], Awaitable[None]]


class SandboxTransport(httpx.AsyncBaseTransport):
    """Carries httpx's requests to an ASGI app in the same event loop.

    It honours the request's read timeout by the event loop's clock, raises httpx's own errors for
    refused and dropped connections, and calls the request's `trace` extension with the events of
    httpx's transport, which a client may take as evidence that sending began.

    Args:
        app: The ASGI app.
        faults: Where to ask whether the connection is refused.
    """

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request.

        Raises:
            httpx.ConnectError: The fault `refuse` is on order; nothing was sent.
            httpx.ReadTimeout: No reply, or no more of it, within the read timeout.
            httpx.ReadError: The connection was reset.
            httpx.RemoteProtocolError: The connection was closed before the reply was whole.
        """
        trace = cast("Trace | None", request.extensions.get("trace"))
        if self._faults.take_refusal(operation_at(request.url.path)):
            await _tell(trace, "connection.connect_tcp.started", request)
            await _tell(trace, "connection.connect_tcp.failed", request)
            raise httpx.ConnectError("connection refused", request=request)
        await _tell(trace, "http11.send_request_headers.started", request)
        body = await request.aread()
        await _tell(trace, "http11.send_request_headers.complete", request)
        await _tell(trace, "http11.send_request_body.started", request)
        # As on a socket, others run between the request and its reply.
        await anyio.lowlevel.checkpoint()
        await _tell(trace, "http11.send_request_body.complete", request)
        await _tell(trace, "http11.receive_response_headers.started", request)
        exchange = _Exchange(request, body)
        await exchange.run(self._app)
        await _tell(trace, "http11.receive_response_headers.complete", request)
        return exchange.response()


async def _tell(trace: Trace | None, event: str, request: httpx.Request) -> None:
    if trace is not None:
        await trace(event, {"request": request})


class _Exchange:
    """One request and what has come back of its reply."""

    def __init__(self, request: httpx.Request, body: bytes) -> None:
        self._request = request
        self._body: bytes | None = body
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        self._timeout = timeout.get("read")
        self._state: dict[str, Any] = {}

    async def run(self, app: ASGIApp) -> None:
        """Run the app, and raise httpx's error where the reply does not come whole."""
        with anyio.CancelScope() as self._patience:
            self._be_patient()
            try:
                await app(self._scope(), self._receive, self._send)
            except DroppedConnection as dropped:
                raise self._loss(dropped) from None
        if self._patience.cancelled_caught:
            raise httpx.ReadTimeout("no reply in time", request=self._request)

    def response(self) -> httpx.Response:
        """Return the whole reply."""
        reason = self._state.get("reason")
        return httpx.Response(
            self._status,
            headers=self._headers,
            stream=httpx.ByteStream(b"".join(self._chunks)),
            extensions={"http_version": b"HTTP/1.1"}
            | ({} if reason is None else {"reason_phrase": reason}),
        )

    def _scope(self) -> Scope:
        request, url = self._request, self._request.url
        path, _, query = url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": path,
            "query_string": query,
            "server": (url.host, url.port),
            "client": ("127.0.0.1", 0),
            "root_path": "",
            "state": self._state,
        }

    async def _receive(self) -> Message:
        if self._body is None:
            await anyio.sleep_forever()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _send(self, message: Message) -> None:
        self._be_patient()
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = message["headers"]
        else:
            self._chunks.append(message["body"])

    def _be_patient(self) -> None:
        """Begin the read timeout anew, as each piece that comes over a socket does."""
        if self._timeout is not None:
            self._patience.deadline = anyio.current_time() + self._timeout

    def _loss(self, dropped: DroppedConnection) -> httpx.TransportError:
        if dropped.reset:
            return httpx.ReadError("connection reset", request=self._request)
        text = (
            "peer closed connection without sending complete message body (incomplete)"
            if self._status
            else "Server disconnected without sending a response."
        )
        return httpx.RemoteProtocolError(text, request=self._request)
