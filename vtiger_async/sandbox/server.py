"""The sandbox over real HTTP: uvicorn on loopback, with connections that break on order.

ASGI knows neither the reason phrase nor a broken connection. Both are done one layer down, in the
protocol: the app leaves the phrase in `scope["state"]` and raises DroppedConnection.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, TextIO, cast

import anyio
import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from vtiger_async.sandbox.replies import DroppedConnection, wait_for_disconnect

__all__ = ["serve", "serving"]

_KEEP_ALIVE = 75  # seconds, as nginx: longer than a careful client keeps a connection
_GRACE = 1  # seconds that open requests have when the server stops


class _Connection(h11.Connection):
    """An HTTP/1.1 connection whose status line says what the app wants it to say."""

    def __init__(self, protocol: _Protocol) -> None:
        super().__init__(h11.SERVER)
        self._protocol = protocol

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        if isinstance(event, h11.Response) and self._protocol.reason is not None:
            event = h11.Response(
                status_code=event.status_code, headers=event.headers, reason=self._protocol.reason
            )
        return super().send_with_data_passthrough(event)


class _Protocol(H11Protocol):
    """uvicorn's protocol with a reason phrase and a way to drop the connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "drop": self.drop}, _loop)
        self.conn = _Connection(self)

    @property
    def reason(self) -> bytes | None:
        """The reason phrase that the app chose for the response under way."""
        if not self.scope:  # what came is not HTTP, and uvicorn answers it itself
            return None
        return self.scope.get("state", {}).get("reason")

    def drop(self, *, reset: bool) -> None:
        """Close the connection, after what was written (FIN) or at once (RST)."""
        if not reset:
            self.transport.close()
            return
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, that says when it answers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Nobody is to wait for a request that a fault lets hang.
        for connection in cast("set[_Protocol]", self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _breakable(app: ASGIApp) -> ASGIApp:
    """Return the app with its DroppedConnection carried out."""

    async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except DroppedConnection as dropped:
            scope["state"]["drop"](reset=dropped.reset)
            await wait_for_disconnect(receive)
        except asyncio.CancelledError:
            pass  # the server stops while a fault delays the reply: no error to be logged

    return breaking


@asynccontextmanager
async def serving(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 0
) -> AsyncGenerator[str, None]:
    """Serve an app while the block runs, in the caller's asyncio loop; yield its URL.

    Raises:
        OSError: The port is taken.
    """
    config = uvicorn.Config(
        _breakable(app),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_GRACE,
    )
    listener = socket.create_server((host, port), backlog=512)
    # asyncio does so for sockets that are made as TCP, which this one is not; connections inherit
    # it. Without it the body of each reply waits 40 ms for the client to acknowledge the headers.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        await server.answers.wait()
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        with anyio.CancelScope(shield=True):
            await task


async def serve(
    app: ASGIApp,
    credentials: tuple[str, str],
    host: str = "127.0.0.1",
    port: int = 8000,
    out: TextIO | None = None,
) -> None:
    """Serve a sandbox's app until SIGINT or SIGTERM.

    Once it answers, one JSON line with `url`, `username` and `access_key` is printed.

    Args:
        app: The app.
        credentials: The user name and access key to print.
        host: The address to listen on.
        port: The port; 0 for one that is free.
        out: Where the line goes; stdout, if not given.

    Raises:
        OSError: The port is taken.
    """
    username, access_key = credentials
    async with serving(app, host, port) as url:
        stopped = asyncio.Event()
        with _signals(stopped):
            line = {"url": url, "username": username, "access_key": access_key}
            print(json.dumps(line), file=out, flush=True)
            await stopped.wait()


@contextmanager
def _signals(stopped: asyncio.Event) -> Generator[None, None, None]:
    """Set an event on SIGINT and SIGTERM while the block runs."""
    loop = asyncio.get_running_loop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopped.set)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
