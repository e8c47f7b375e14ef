"""Logins on webservice.php, and operations that it may not have: what each costs in calls."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest
from over_http import LEAD, counted, sandbox_of

from vtiger_async import (
    AuthenticationError,
    InvalidResponseError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    UnsupportedOperationError,
    VtigerClient,
    VtigerError,
)

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class TestLogin:
    """The two calls of a login, and how they fail."""

    @pytest.mark.parametrize("user", ["admin", "nobody", "inactive"])
    async def test_a_login_that_is_refused_says_so(self, user: str) -> None:
        """A wrong key, an unknown user and an inactive one end after a few calls, in a sentence."""
        with sandbox_of() as sandbox:
            key = sandbox.credentials("inactive")[1]
            async with (
                httpx.AsyncClient(transport=sandbox.transport()) as http,
                VtigerClient(sandbox.url, user, key, session_api=True, http_client=http) as crm,
            ):
                with pytest.raises(
                    AuthenticationError, match=r"the login on webservice\.php was refused"
                ) as refused:
                    await crm.list_types()
            assert "Check the user name and the access key" in str(refused.value)
            assert sum(sandbox.ledger()["calls"].values()) <= 4
            assert "listtypes" not in sandbox.ledger()["calls"]

    async def test_all_who_wait_for_a_refused_login_are_told(self) -> None:
        """A wrong key is tried by one call, not by each."""
        with sandbox_of() as sandbox:
            errors: list[BaseException] = []
            async with (
                httpx.AsyncClient(transport=sandbox.transport()) as http,
                VtigerClient(
                    sandbox.url, "admin", "wrong", session_api=True, http_client=http
                ) as crm,
            ):

                async def call() -> None:
                    try:
                        await crm.list_types()
                    except AuthenticationError as error:
                        errors.append(error)

                async with anyio.create_task_group() as group:
                    for _ in range(20):
                        group.start_soon(call)
            assert len({id(error) for error in errors}) == 20
            assert counted(sandbox) == {"login": 2}

    async def test_a_challenge_that_another_program_made_void_is_asked_again(self) -> None:
        """Two programs of one user that log in at the same moment both get in."""
        with sandbox_of() as sandbox:
            http, other = [httpx.AsyncClient(transport=sandbox.transport()) for _ in range(2)]
            logins: list[httpx.Request] = []

            async def spoil(request: httpx.Request) -> None:
                if b"operation=login" in await request.aread() and not logins:
                    logins.append(request)
                    asked = {"operation": "getchallenge", "username": "admin"}
                    await other.get(f"{sandbox.url}/webservice.php", params=asked)

            http.event_hooks = {"request": [spoil]}
            async with http, other, sandbox.client(session_api=True, http_client=http) as crm:
                await crm.list_types()
            assert sandbox.ledger()["calls"] == {"getchallenge": 3, "login": 2, "listtypes": 1}

    async def test_a_lost_reply_to_a_login_is_asked_again(self) -> None:
        """A login whose answer is lost is sent again: it harms nothing."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("commit_then_drop", operation="login", times=1)
            async with sandbox.client(session_api=True) as crm:
                await crm.list_types()
            assert sandbox.ledger()["calls"] == {"getchallenge": 1, "login": 2, "listtypes": 1}

    async def test_a_login_that_the_limit_refuses_is_for_the_patient(self) -> None:
        """Who cannot wait for the limit is told so; who can, and waited behind him, logs in."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("429", operation="getchallenge", times=1, retry_after=30)
            sandbox.faults.add("latency", operation="getchallenge", seconds=1.0, times=1)
            async with sandbox.client(session_api=True) as crm, anyio.create_task_group() as group:

                async def impatient() -> None:
                    with pytest.raises((RateLimitError, QuotaExhaustedError)):
                        await crm.with_options(max_wait=5.0).list_types()

                group.start_soon(impatient)
                await anyio.sleep(0.5)
                group.start_soon(crm.list_types)
            assert sandbox.ledger()["calls"] == {"getchallenge": 2, "login": 1, "listtypes": 1}

    async def test_a_refusal_that_is_no_loss_is_raised(self) -> None:
        """An operation that is refused for other credentials does not log in again."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                wrong = {"username": "admin", "accessKey": "x"}
                with pytest.raises(AuthenticationError, match="INVALID_USER_CREDENTIALS"):
                    await crm.call("POST", "login", wrong)
            assert sandbox.ledger()["calls"] == {"getchallenge": 1, "login": 2}

    async def test_a_challenge_that_is_late_is_no_login(self) -> None:
        """Where no time is left for another try, the refusal is raised at once."""
        with sandbox_of() as sandbox:
            async with (
                httpx.AsyncClient(transport=sandbox.transport()) as http,
                VtigerClient(
                    sandbox.url, "admin", "wrong", session_api=True, http_client=http,
                    max_wait=0.0, retry=RetryPolicy(base=50.0, cap=50.0),
                ) as crm,
            ):  # fmt: skip
                with pytest.raises(AuthenticationError, match=r"was refused: Invalid"):
                    await crm.list_types()

    @pytest.mark.parametrize("result", [None, [], {}, {"token": ""}, {"token": 5, "x": "PRIVATE"}])
    async def test_an_answer_that_is_no_login_is_not_shown(self, result: Any) -> None:
        """What should hold a secret, and is malformed, gives an error that shows none of it."""

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json={"success": True, "result": result})

        async with (
            httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http,
            VtigerClient(
                "http://localhost", "admin", "key", session_api=True, http_client=http
            ) as crm,
        ):
            with pytest.raises(InvalidResponseError, match="has no token") as broken:
                await crm.list_types()
        assert "PRIVATE" not in str(broken.value)


class TestOperations:
    """Operations that webservice.php may not have."""

    async def test_an_absent_operation_is_found_out_once(self) -> None:
        """One call more proves that it is unknown; after that it costs none."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                for _ in range(3):
                    with pytest.raises(UnsupportedOperationError, match="has no operation lookup"):
                        await crm.lookup("email", "a@example.com")
            assert counted(sandbox) == {"login": 1, "lookup": 2}

    async def test_an_absent_write_is_known_not_to_have_happened(self) -> None:
        """The empty 500 of an unknown write is no unknown outcome."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                lead = await crm.create("Leads", LEAD)
                with pytest.raises(UnsupportedOperationError, match="no operation tags_add") as no:
                    await crm.tags_add(lead.id, ["vip"])
            assert (no.value.record_id, no.value.code) == (lead.id, "UNKNOWN_OPERATION")

    async def test_the_code_of_an_unknown_operation_is_understood(self) -> None:
        """A server that says UNKNOWN_OPERATION is believed without a further call."""
        with sandbox_of("cloud") as sandbox:
            async with sandbox.client(session_api=True) as crm:
                for _ in range(2):
                    with pytest.raises(UnsupportedOperationError, match="has no operation nosuch"):
                        await crm.call("GET", "nosuch")
            assert counted(sandbox) == {"login": 1, "nosuch": 1}

    async def test_another_refusal_of_an_operation_stays_what_it_is(self) -> None:
        """OPERATION_NOT_SUPPORTED of one record does not mark the operation as absent."""
        with sandbox_of("cloud") as sandbox:
            async with sandbox.client(session_api=True) as crm:
                ticket = await crm.create(
                    "HelpDesk",
                    {"ticket_title": "x", "ticketstatus": "Open", "assigned_user_id": "19x1"},
                )
                for _ in range(2):
                    with pytest.raises(UnsupportedOperationError) as refused:
                        await crm.reopen(ticket.id)
                    assert refused.value.code != "UNKNOWN_OPERATION"
            assert counted(sandbox)["reopen"] == 2

    async def test_an_operation_that_always_fails_is_not_repeated(self) -> None:
        """8.4 has `sync` here and breaks off at it: two calls tell, and the error says so."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                with pytest.raises(
                    ServerError, match="has the operation sync, and fails"
                ) as broken:
                    await crm.sync_page("Leads", 1, "user")
            assert broken.value.module == "Leads"
            assert counted(sandbox) == {"login": 1, "sync": 2}

    async def test_a_write_that_fails_may_have_happened(self) -> None:
        """Where the operation is there, an empty 500 of a write leaves its outcome unknown."""
        with sandbox_of("cloud") as sandbox:
            sandbox.faults.add("empty", operation="tags_add", times=1)
            async with sandbox.client(session_api=True) as crm:
                lead = await crm.create("Leads", LEAD)
                with pytest.raises(OutcomeUnknownError, match="tags_add"):
                    await crm.tags_add(lead.id, ["vip"])
                assert await crm.tags_retrieve(lead.id) == ["vip"]

    async def test_a_passing_failure_of_a_read_is_repeated(self) -> None:
        """A 502 says nothing of the operation: a read is sent again, if retry allows it."""
        with sandbox_of("cloud") as sandbox:
            sandbox.faults.add("502", operation="lookup", times=1)
            async with sandbox.client(session_api=True) as crm:
                assert await crm.lookup("email", "a@example.com") == []
            sandbox.faults.add("502", operation="tags_retrieve", times=1)
            async with sandbox.client(session_api=True, retry=RetryPolicy(max_attempts=1)) as crm:
                lead = await crm.create("Leads", LEAD)
                with pytest.raises(ServerError) as failed:
                    await crm.tags_retrieve(lead.id)
            assert failed.value.status == 502
            assert counted(sandbox)["tags_retrieve"] == 1

    async def test_a_lost_reply_of_a_rare_write_is_not_sent_again(self) -> None:
        """Its outcome is unknown, as over REST; with repeat_writes it is sent again."""
        with sandbox_of("cloud") as sandbox:
            async with sandbox.client(session_api=True) as crm:
                lead = await crm.create("Leads", LEAD)
                sandbox.faults.add("commit_then_drop", operation="tags_add", times=2)
                with pytest.raises(OutcomeUnknownError):
                    await crm.tags_add(lead.id, ["a"])
                patient = crm.with_options(retry=RetryPolicy(repeat_writes=True))
                await patient.tags_add(lead.id, ["b"])
                assert await crm.tags_retrieve(lead.id) == ["a", "b"]

    async def test_the_question_whether_it_exists_can_fail(self) -> None:
        """Where the second call is answered in another way, the failure stays what it was."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("502", operation="lookup", after=1, times=1)
            async with sandbox.client(session_api=True) as crm:
                with pytest.raises(ServerError, match="has the operation lookup"):
                    await crm.lookup("email", "a@example.com")

    async def test_a_retry_after_a_loss_goes_on(self) -> None:
        """A session that is lost between two attempts is made again, too."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("503", operation="listtypes", times=1, retry_after=5)
            async with (
                sandbox.client(session_api=True, max_in_flight=1) as crm,
                anyio.create_task_group() as group,
            ):
                group.start_soon(crm.list_types)
                await anyio.sleep(1)
                sandbox.end_sessions()
                group.start_soon(crm.describe, "Leads")
            assert counted(sandbox)["login"] == 2

    async def test_paths_below_restapi_go_over_rest(self) -> None:
        """What a tenant built with API Designer is called as ever, with the user's key."""
        with sandbox_of() as sandbox:
            sandbox.route("orders", lambda call: {"key": "authorization" in call.headers})
            async with sandbox.client(session_api=True) as crm:
                assert await crm.call("GET", "/restapi/vtap/api/orders") == {"key": True}
            assert counted(sandbox) == {"vtap/orders": 1}

    async def test_parameters_cannot_take_the_place_of_the_sessions(self) -> None:
        """A parameter named `operation` or `sessionName` does not turn a call into another."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                told = await crm.call(
                    "GET",
                    "describe",
                    {"elementType": "Leads", "operation": "listtypes", "sessionName": "x"},
                )
            assert told["name"] == "Leads"

    async def test_errors_of_the_caller_cost_nothing(self) -> None:
        """A closed client is refused, and so is what cannot be sent, before anybody logs in."""
        with sandbox_of() as sandbox:
            crm = sandbox.client(session_api=True)
            with pytest.raises(VtigerError):
                await crm.call("POST", "x", {"a": "\ud800"})
            await crm.aclose()
            with pytest.raises(VtigerError, match="closed"):
                await crm.list_types()
            assert json.dumps(sandbox.ledger()["calls"]) == "{}"
