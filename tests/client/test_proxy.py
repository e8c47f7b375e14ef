"""The environment's proxy: own connections go through it, unless the host is exempt."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import ByteStream

from vtiger_async import ConnectError, RetryPolicy, VtigerClient

pytestmark = pytest.mark.anyio

BODY = b'{"success":true,"result":{"id":"19x1","user_name":"admin"}}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)
NOBODY = "http://localhost:9"


@asynccontextmanager
async def proxy(targets: list[bytes]) -> AsyncGenerator[int]:
    """Run a proxy that answers everything itself; give its port, and note what it is asked for."""

    async def answer(stream: ByteStream) -> None:
        async with stream:
            targets.append((await stream.receive()).split(b" ")[1])
            await stream.send(ANSWER)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        group.cancel_scope.cancel()


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the machine's own proxies out of the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["", "http://"])
async def test_calls_go_through_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    """HTTP_PROXY or ALL_PROXY, with or without a scheme, is asked for the whole URL."""
    targets: list[bytes] = []
    async with proxy(targets) as port:
        monkeypatch.setenv(variable, f"{scheme}127.0.0.1:{port}")
        async with VtigerClient(NOBODY, "admin", "key") as crm:
            assert (await crm.me()).user_name == "admin"
    assert targets == [b"http://localhost:9/restapi/v1/vtiger/default/me"]


async def test_a_host_in_no_proxy_is_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY exempts a host: here nobody listens there."""
    targets: list[bytes] = []
    async with proxy(targets) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "localhost")
        once = RetryPolicy(max_attempts=1)
        async with VtigerClient(NOBODY, "admin", "key", retry=once) as crm:
            with pytest.raises(ConnectError):
                await crm.me()
    assert targets == []
