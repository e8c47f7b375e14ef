"""What a failure proves, over real sockets: the server reads a request, and fails in its way."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import pytest

from vtiger_async import (
    ConnectError,
    OutcomeUnknownError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
    VtigerClient,
)

pytestmark = pytest.mark.anyio

FIELDS = {"lastname": "Doe", "assigned_user_id": "19x1"}
Behaviour = Callable[[anyio.abc.SocketStream], Awaitable[None]]


class Peer:
    """A server on loopback that reads each request whole and then behaves as told."""

    def __init__(self, behave: Behaviour) -> None:
        self.behave = behave
        self.requests = 0

    async def handle(self, stream: anyio.abc.SocketStream) -> None:
        with contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
            async with stream:
                await self._read_request(stream)
                self.requests += 1
                await self.behave(stream)

    async def _read_request(self, stream: anyio.abc.SocketStream) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += await stream.receive()
        head, _, body = data.partition(b"\r\n\r\n")
        lines = [line for line in head.lower().split(b"\r\n") if b"content-length" in line]
        length = int(lines[0].split(b":")[1]) if lines else 0
        while len(body) < length:
            body += await stream.receive()


@asynccontextmanager
async def peer(behave: Behaviour) -> AsyncGenerator[tuple[Peer, str]]:
    """Serve while the block runs; give the peer and its address."""
    server = Peer(behave)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, server.handle)
        yield server, f"http://127.0.0.1:{port}"
        group.cancel_scope.cancel()


async def close(_: anyio.abc.SocketStream) -> None:
    """End the connection without an answer."""


async def reset(stream: anyio.abc.SocketStream) -> None:
    """End the connection with a reset."""
    raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def half_of_the_headers(stream: anyio.abc.SocketStream) -> None:
    """Send some headers, and end."""
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


async def half_of_the_body(stream: anyio.abc.SocketStream) -> None:
    """Send the headers and a part of the body, and end."""
    await stream.send(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"success":true')


async def nothing(stream: anyio.abc.SocketStream) -> None:
    """Keep the connection open and stay silent."""
    await anyio.sleep(5)


@pytest.mark.parametrize(
    "behave",
    [close, reset, half_of_the_headers, half_of_the_body, nothing],
    ids=lambda behave: behave.__name__,
)
async def test_a_write_that_was_read_is_unknown_and_sent_once(behave: Behaviour) -> None:
    """Whatever happens after the server has read a create: outcome unknown, one request."""
    async with peer(behave) as (server, url):
        async with VtigerClient(url, "admin", "key", timeout=0.3) as crm:
            with pytest.raises(OutcomeUnknownError) as caught:
                await crm.create("Contacts", FIELDS)
            assert crm.quota.minute.used == 1
            assert crm.quota.in_flight == 0
        assert server.requests == 1
        cause = caught.value.__cause__
        assert isinstance(cause, TransportError)
        assert cause.sent
        assert isinstance(cause, RequestTimeoutError) == (behave is nothing)


async def test_a_refused_write_was_not_sent() -> None:
    """Where nobody listens, a create fails as ConnectError, and no quota is spent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    retry = RetryPolicy(max_attempts=2, base=0.0)
    async with VtigerClient(f"http://127.0.0.1:{port}", "admin", "key", retry=retry) as crm:
        with pytest.raises(ConnectError) as caught:
            await crm.create("Contacts", FIELDS)
        assert crm.quota.minute.used == 0
    assert not caught.value.sent
    assert len(caught.value.attempts) == 1


async def test_a_host_that_does_not_exist_was_not_sent_to() -> None:
    """A name that cannot be resolved is proven unsent."""
    retry = RetryPolicy(max_attempts=1)
    async with VtigerClient("http://no-such-host.localhost:1", "a", "k", retry=retry) as crm:
        with pytest.raises(ConnectError):
            await crm.create("Contacts", FIELDS)


async def test_a_read_that_was_cut_is_sent_again() -> None:
    """A read whose answer broke off succeeds with the next request, on a new connection."""
    answers = [half_of_the_body, close]

    async def behave(stream: anyio.abc.SocketStream) -> None:
        if answers:
            await answers.pop()(stream)
        else:
            body = b'{"success":true,"result":{"id":"19x1","user_name":"admin"}}'
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            await stream.send(head.encode() + body)

    async with peer(behave) as (server, url):
        async with VtigerClient(url, "admin", "key", retry=RetryPolicy(base=0.0)) as crm:
            assert (await crm.me()).id == "19x1"
        assert server.requests == 3


async def test_lost_slots_of_the_pool_are_replaced() -> None:
    """Cancelling many requests in a row leaves a client that still works."""

    async def behave(stream: anyio.abc.SocketStream) -> None:
        await anyio.sleep(0.005)
        body = b'{"success":true,"result":{"id":"19x1"}}'
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with peer(behave) as (_, url), VtigerClient(url, "a", "k", max_in_flight=2) as crm:
        for milliseconds in range(40):
            with anyio.move_on_after(milliseconds / 4000):
                await crm.me()
        assert crm.quota.in_flight == 0
        assert (await crm.me()).id == "19x1"
