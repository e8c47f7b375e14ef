"""The transport in process: time, evidence, and calls that were not waited for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest
from front_calls import REST, create_lead, http_of, writes

from vtiger_async.sandbox import ManualClock, Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without limits, in the event loop's time."""
    with Sandbox(limits=False) as made:
        yield made


class TestTime:
    """Latencies and timeouts."""

    @pytest.mark.virtual_time
    async def test_a_latency_within_the_timeout_takes_its_time(self, sandbox: Sandbox) -> None:
        """A slow reply comes after exactly its latency, in the event loop's time."""
        sandbox.faults.add("latency", seconds=29)
        async with http_of(sandbox, timeout=30) as http:
            begun = anyio.current_time()
            assert (await http.get(REST + "me")).status_code == 200
        assert anyio.current_time() - begun == pytest.approx(29)

    @pytest.mark.virtual_time
    async def test_a_latency_beyond_the_timeout_is_a_read_timeout(self, sandbox: Sandbox) -> None:
        """A client waits its read timeout and no longer."""
        sandbox.faults.add("latency", seconds=31)
        async with http_of(sandbox, timeout=30) as http:
            begun = anyio.current_time()
            with pytest.raises(httpx.ReadTimeout):
                await http.get(REST + "me")
        assert anyio.current_time() - begun == pytest.approx(30)

    @pytest.mark.virtual_time
    async def test_without_a_timeout_a_client_waits(self, sandbox: Sandbox) -> None:
        """timeout=None waits as long as it takes."""
        sandbox.faults.add("latency", seconds=86400)
        async with http_of(sandbox, timeout=None) as http:
            assert (await http.get(REST + "me")).status_code == 200

    @pytest.mark.virtual_time
    async def test_a_slow_drip_renews_the_timeout_with_each_piece(self, sandbox: Sandbox) -> None:
        """A body over 60 s comes whole under a timeout of 5 s, but not under one of 1 s."""
        sandbox.faults.add("slow_drip", seconds=60)
        async with http_of(sandbox, timeout=5) as http:
            begun = anyio.current_time()
            assert (await create_lead(http)).json()["success"] is True
            assert anyio.current_time() - begun == pytest.approx(60, rel=0.1)
            with pytest.raises(httpx.ReadTimeout):
                await create_lead(http, timeout=1)
        assert writes(sandbox) == 2

    async def test_calls_at_once_overlap(self, sandbox: Sandbox) -> None:
        """While one reply is late others come."""
        clock = ManualClock()
        with Sandbox(limits=False, clock=clock) as sandbox:
            sandbox.faults.add("latency", operation="create", seconds=10)
            done: list[str] = []
            async with http_of(sandbox) as http, anyio.create_task_group() as group:

                async def slow() -> None:
                    await create_lead(http)
                    done.append("create")

                group.start_soon(slow)
                await anyio.wait_all_tasks_blocked()
                await http.get(REST + "me")
                done.append("me")
                clock.advance(10)
        assert done == ["me", "create"]


class TestAbandonedCalls:
    """What a server does with a request whose client has gone."""

    @pytest.mark.virtual_time
    async def test_a_slow_write_happens_after_the_client_has_gone(self, sandbox: Sandbox) -> None:
        """A write that outlasts the timeout is made at its time, and not before."""
        sandbox.faults.add("latency", operation="create", seconds=20)
        async with http_of(sandbox, timeout=5) as http:
            with pytest.raises(httpx.ReadTimeout):
                await create_lead(http)
            await anyio.sleep(14)
            assert writes(sandbox) == 0
            await anyio.sleep(1.5)
            assert (await http.get(REST + "me")).status_code == 200
            assert len(sandbox.engine.ledger()) == 1

    @pytest.mark.virtual_time
    async def test_a_cancelled_call_goes_on_too(self, sandbox: Sandbox) -> None:
        """Cancelling the task that calls does not stop the server."""
        sandbox.faults.add("latency", operation="create", seconds=20)
        async with http_of(sandbox) as http:
            with anyio.move_on_after(1):
                await create_lead(http)
            await anyio.sleep(20)
        assert writes(sandbox) == 1

    @pytest.mark.virtual_time
    async def test_a_fault_without_commit_writes_nothing_later(self, sandbox: Sandbox) -> None:
        """A call that was to end in a 500 without a write does not write later either."""
        sandbox.faults.add("latency", seconds=20)
        sandbox.faults.add("500")
        async with http_of(sandbox, timeout=5) as http:
            with pytest.raises(httpx.ReadTimeout):
                await create_lead(http)
            await anyio.sleep(60)
        assert writes(sandbox) == 0

    @pytest.mark.virtual_time
    async def test_a_reset_sandbox_forgets_them(self, sandbox: Sandbox) -> None:
        """Nothing of the time before a reset is written after it."""
        sandbox.faults.add("latency", seconds=20)
        async with http_of(sandbox, timeout=5) as http:
            with pytest.raises(httpx.ReadTimeout):
                await create_lead(http)
            sandbox.reset()
            await anyio.sleep(60)
        assert writes(sandbox) == 0


class TestEvidence:
    """What the trace extension tells."""

    @staticmethod
    async def events(sandbox: Sandbox) -> list[str]:
        """The events of one call, the error that ended it last."""
        found: list[str] = []

        async def trace(event: str, _info: dict[str, Any]) -> None:
            found.append(event)

        async with http_of(sandbox) as http:
            try:
                await create_lead(http, extensions={"trace": trace})
            except httpx.TransportError as error:
                found.append(type(error).__name__)
        return found

    async def test_a_reply_is_preceded_by_httpx_events(self, sandbox: Sandbox) -> None:
        """The events are those of httpx's own transport, in its order."""
        assert await self.events(sandbox) == [
            "http11.send_request_headers.started",
            "http11.send_request_headers.complete",
            "http11.send_request_body.started",
            "http11.send_request_body.complete",
            "http11.receive_response_headers.started",
            "http11.receive_response_headers.complete",
        ]

    async def test_a_refused_connection_shows_no_sending(self, sandbox: Sandbox) -> None:
        """Where the connection is refused nothing was sent, and the evidence says so."""
        sandbox.faults.add("refuse", times=1)
        assert await self.events(sandbox) == [
            "connection.connect_tcp.started",
            "connection.connect_tcp.failed",
            "ConnectError",
        ]
        assert sandbox.ledger()["calls"] == {}

    async def test_a_reset_connection_shows_sending(self, sandbox: Sandbox) -> None:
        """Where the reply is lost the evidence says that the request was sent."""
        sandbox.faults.add("reset_before_commit")
        found = await self.events(sandbox)
        assert found[0] == "http11.send_request_headers.started"
        assert found[-1] == "ReadError"


async def test_an_error_of_a_handler_is_not_hidden(sandbox: Sandbox) -> None:
    """A bug in a registered handler reaches the test that called it."""

    def buggy(_call: object) -> object:
        raise ZeroDivisionError

    sandbox.route("buggy", buggy)
    async with http_of(sandbox) as http:
        with pytest.raises(ZeroDivisionError):
            await http.get("/restapi/vtap/api/buggy")
