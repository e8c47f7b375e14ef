"""The endpoints under /__sandbox__/."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from front_calls import REST, create_lead, http_of

from vtiger_async.clock import ScaledClock
from vtiger_async.editions import Limits
from vtiger_async.sandbox import ManualClock, Sandbox

pytestmark = pytest.mark.anyio

CONTROL = "/__sandbox__/"


def sandbox_with(**options: Any) -> Sandbox:
    """A sandbox of two calls a minute."""
    options.setdefault("clock", ManualClock())
    return Sandbox(limits=Limits(minute=2), **options)


async def test_they_cost_no_quota_and_want_no_credentials() -> None:
    """Control calls are never charged, refused or counted."""
    with sandbox_with() as sandbox:
        async with http_of(sandbox, auth=None) as http:
            for _ in range(5):
                found = await http.get(CONTROL + "health")
                assert found.json() == {"status": "ok"}
                assert "x-floodcontrol-remaining" not in found.headers
        assert sandbox.ledger()["calls"] == {}
        assert sandbox.flood.snapshot()["windows"]["minute"]["used"] == 0


@pytest.mark.parametrize(("address", "status"), [("10.0.0.1", 403), ("127.0.0.1", 200)])
async def test_they_answer_this_machine_only(address: str, status: int) -> None:
    """Another machine is refused, whatever address the sandbox listens on."""
    with sandbox_with() as sandbox:
        transport = httpx.ASGITransport(sandbox.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url=sandbox.url) as http:
            assert (await http.get(CONTROL + "health")).status_code == status


async def test_faults_can_be_ordered_listed_and_taken_off() -> None:
    """A fault set over HTTP strikes as one set in Python does."""
    with sandbox_with() as sandbox:
        async with http_of(sandbox) as http:
            order = {"kind": "500", "operation": "me", "times": 2}
            made = await http.post(CONTROL + "faults", json=order)
            assert made.status_code == 201
            assert made.json()["number"] == 1
            assert (await http.get(REST + "me")).status_code == 500
            assert (await http.get(CONTROL + "faults")).json()[0]["fired"] == 1
            assert (await http.delete(CONTROL + "faults/1")).json() == []
            assert (await http.delete(CONTROL + "faults/1")).status_code == 404
            await http.post(CONTROL + "faults", json=order)
            assert (await http.delete(CONTROL + "faults")).json() == []
            assert (await http.get(REST + "me")).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"kind": "none"}', b"{}", b'{"kind": "cut", "x": 1}']
)
async def test_a_wrong_order_is_refused_with_the_reason(body: bytes) -> None:
    """What is no order of a fault is 400 with an error."""
    with sandbox_with() as sandbox:
        async with http_of(sandbox) as http:
            found = await http.post(CONTROL + "faults", content=body)
        assert found.status_code == 400
        assert found.json()["error"]
        assert sandbox.faults.rules == []


async def test_a_manual_clock_can_be_moved() -> None:
    """Moving the clock over HTTP opens a new minute."""
    with sandbox_with(clock=ManualClock(1767603600)) as sandbox:
        async with http_of(sandbox) as http:
            statuses = [(await http.get(REST + "me")).status_code for _ in range(3)]
            assert statuses == [200, 200, 429]
            found = await http.post(CONTROL + "clock", json={"advance": 60})
            assert found.json() == {"time": 1767603660, "manual": True}
            assert (await http.get(REST + "me")).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{}", b'{"advance": -1}', b'{"advance": "x"}'])
async def test_a_wrong_move_is_refused(body: bytes) -> None:
    """A clock is moved by a number of seconds from 0."""
    with sandbox_with() as sandbox:
        async with http_of(sandbox) as http:
            found = await http.post(CONTROL + "clock", content=body)
        assert found.status_code == 400
        assert "advance" in found.json()["error"]


async def test_a_running_clock_tells_what_another_process_needs() -> None:
    """A scaled clock tells factor and epoch, and cannot be moved by hand."""
    with sandbox_with(clock=ScaledClock(60, epoch=1000.0)) as sandbox:
        async with http_of(sandbox) as http:
            facts = (await http.get(CONTROL + "clock")).json()
            assert (facts["factor"], facts["epoch"], facts["manual"]) == (60, 1000.0, False)
            assert (await http.post(CONTROL + "clock", json={"advance": 1})).status_code == 409


async def test_the_ledger_tells_what_really_happened() -> None:
    """Writes, calls, replies and quota are told, refused calls and lost replies too."""
    with sandbox_with() as sandbox:
        sandbox.faults.add("reset_after_commit", operation="create")
        async with http_of(sandbox) as http:
            with pytest.raises(httpx.ReadError):
                await create_lead(http)
            await http.get(REST + "me")
            await http.get(REST + "me")
            found = (await http.get(CONTROL + "ledger")).json()
        assert found == sandbox.ledger()
    assert [(entry["operation"], entry["module"]) for entry in found["writes"]] == [
        ("create", "Leads")
    ]
    assert found["calls"] == {"create": 1, "me": 2}
    assert found["statuses"] == {"200": 1, "429": 1}
    assert (found["granted"], found["refused"]) == (2, 1)
    assert found["windows"]["minute"]["left"] == 0


async def test_reset_goes_back_to_the_start() -> None:
    """A reset over HTTP is the reset in Python."""
    with sandbox_with() as sandbox:
        async with http_of(sandbox) as http:
            await create_lead(http)
            assert (await http.post(CONTROL + "reset")).json() == {"status": "ok"}
        assert sandbox.ledger()["writes"] == []


async def test_what_is_no_endpoint_is_not_found() -> None:
    """Another path below is 404, another verb 405."""
    with sandbox_with() as sandbox:
        async with http_of(sandbox) as http:
            assert (await http.get(CONTROL + "none")).status_code == 404
            assert (await http.get(CONTROL + "reset")).status_code == 405
