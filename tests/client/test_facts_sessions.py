"""What was measured of sessions: PHP runs the calls of one session one after another."""

from __future__ import annotations

import anyio
import anyio.abc
import pytest

from vtiger_async import VtigerClient

pytestmark = pytest.mark.anyio

BODY = b'{"success":true,"result":{"types":[],"information":[]}}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/json\r\nSet-Cookie: PHPSESSID=abc; path=/\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY) + BODY
)


async def test_no_cookie_makes_a_session_of_the_calls() -> None:
    """A cookie that the server sets does not come back, so no call waits for another."""
    heads: list[bytes] = []

    async def answer(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            heads.append(data.lower())
            await stream.send(ANSWER)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        async with VtigerClient(f"http://127.0.0.1:{port}", "admin", "key") as crm:
            for _ in range(2):
                await crm.list_types()
        group.cancel_scope.cancel()
    assert len(heads) == 2
    assert all(b"authorization: basic " in head and b"cookie" not in head for head in heads)
