"""What failures of the HTTP library prove, and which of our errors they become."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import respx

from vtiger_async import (
    ConnectError,
    InvalidResponseError,
    OutcomeUnknownError,
    RequestTimeoutError,
    RetryPolicy,
    VtigerClient,
    VtigerError,
)
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

ACME = {"accountname": "Acme", "assigned_user_id": "19x1"}


async def test_a_transport_without_evidence_makes_every_failed_write_ambiguous() -> None:
    """A ConnectTimeout from a transport that traces nothing does not prove that nothing left."""

    async def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no evidence", request=request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    async with client, VtigerClient("localhost", "u", "k", http_client=client) as crm:
        with pytest.raises(OutcomeUnknownError):
            await crm.create("Accounts", ACME)


async def test_a_pool_timeout_proves_that_nothing_was_sent() -> None:
    """Waiting in vain for a connection of the pool is repeated, also for a create."""
    calls: list[int] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        calls.append(1)
        if len(calls) < 3:
            raise httpx.PoolTimeout("lost slot", request=request)
        return httpx.Response(200, json={"success": True, "result": {"id": "3x1"}})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with client, VtigerClient("localhost", "u", "k", http_client=client) as crm:
        assert (await crm.create("Accounts", ACME)).id == "3x1"
        assert crm.quota.minute.used == 1


async def test_an_error_that_is_not_the_librarys_is_not_hidden() -> None:
    """An exception that is no failure of HTTP passes through, and the slot comes back."""

    async def fail(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    client = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    async with client, VtigerClient("localhost", "u", "k", http_client=client) as crm:
        with pytest.raises(ZeroDivisionError):
            await crm.me()
        assert crm.quota.in_flight == 0


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ReadTimeout, RequestTimeoutError),
        (httpx.DecodingError, InvalidResponseError),
        (httpx.RemoteProtocolError, VtigerError),
    ],
)
async def test_failures_of_the_library_have_types_of_their_own(
    failure: Any, expected: type[VtigerError]
) -> None:
    """A read's timeout, a broken encoding and a broken connection are told apart."""

    async def fail(request: httpx.Request) -> httpx.Response:
        raise failure("broken", request=request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    retry = RetryPolicy(max_attempts=1)
    async with client, VtigerClient("localhost", "u", "k", http_client=client, retry=retry) as crm:
        with pytest.raises(expected):
            await crm.me()


async def test_a_refused_connection_is_a_connect_error() -> None:
    """Where nobody listens, ConnectError says so after the attempts."""
    sandbox = Sandbox(limits=False, records=0)
    sandbox.faults.add("refuse")
    async with sandbox.client() as crm:
        with pytest.raises(ConnectError) as caught:
            await crm.create("Accounts", ACME)
        assert crm.quota.minute.used == 0
    assert caught.value.sent is False
    assert len(caught.value.attempts) == 3


@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError])
async def test_a_mocked_failure_of_reading_counts_as_sent(
    respx_mock: respx.MockRouter, failure: type[Exception]
) -> None:
    """With the own connections mocked, a read that failed proves that the request had left."""
    route = respx_mock.post("https://crm.example.com/restapi/v1/vtiger/default/create")
    route.side_effect = failure
    async with VtigerClient("crm.example.com", "u", "k") as crm:
        with pytest.raises(OutcomeUnknownError):
            await crm.create("Accounts", ACME)
    assert route.call_count == 1
