"""Sessions on webservice.php: how many, how they are lost, and what each costs in calls."""

from __future__ import annotations

from typing import get_args

import anyio
import httpx
import pytest
from over_http import LEAD, counted, sandbox_of

from vtiger_async import (
    AuthenticationError,
    Limits,
    QuotaExhaustedError,
    RequestTimeoutError,
    RetryPolicy,
    VtigerClient,
)
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.webservice import LossCode

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class TestPool:
    """How many sessions there are, and who uses which."""

    async def test_the_first_call_logs_in_and_the_session_stays(self) -> None:
        """One login serves all calls that follow each other, those of views too."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                lead = await crm.create("Leads", LEAD)
                await crm.with_options(max_wait=1.0).retrieve(lead.id)
                await crm.retrieve(lead.id)
            assert counted(sandbox) == {"login": 1, "create": 1, "retrieve": 2}

    async def test_me_is_what_the_login_told(self) -> None:
        """Who calls is known from the login; it costs no call of its own."""
        with sandbox_of() as sandbox:
            async with sandbox.client("sales", session_api=True) as crm:
                first, again = await crm.me(), await crm.me()
            assert (first.id, first.user_name, first.is_admin) == ("19x5", "sales", False)
            assert again == first
            assert "sessionName" not in first
            assert counted(sandbox) == {"login": 1}

    async def test_the_login_tells_whether_the_user_sees_all(self) -> None:
        """To an administrator an empty page is the end: no count(*) has to prove it."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                await crm.list_types()
                assert await crm.query("select id from Leads;").all() == []
            assert counted(sandbox)["query"] == 1

    async def test_calls_in_parallel_have_a_session_each(self) -> None:
        """Slow calls do not wait for each other, up to the calls that may be in flight."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="query", seconds=10.0)
            async with sandbox.client(session_api=True, max_in_flight=3) as crm:
                start = anyio.current_time()
                async with anyio.create_task_group() as group:
                    for _ in range(6):
                        group.start_soon(crm.query("select id from Leads;").count)
                assert anyio.current_time() - start < 21
            assert counted(sandbox) == {"login": 3, "query": 6}

    async def test_no_session_is_made_while_one_is_idle(self) -> None:
        """Two calls at a time need two sessions, however many follow."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:

                async def work() -> None:
                    for _ in range(10):
                        await crm.list_types()

                async with anyio.create_task_group() as group:
                    group.start_soon(work)
                    group.start_soon(work)
            assert counted(sandbox) == {"login": 2, "listtypes": 20}

    async def test_one_slot_is_enough(self) -> None:
        """With one call in flight, logins and calls take turns and nothing locks up."""
        with sandbox_of() as sandbox:
            async with (
                sandbox.client(session_api=True, max_in_flight=1) as crm,
                anyio.create_task_group() as group,
            ):
                for _ in range(5):
                    group.start_soon(crm.list_types)
            assert counted(sandbox) == {"login": 1, "listtypes": 5}

    async def test_a_session_that_does_not_answer_is_left_alone(self) -> None:
        """PHP holds a session whose call goes on: the next call gets another one, and is quick."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="query", seconds=300.0, times=1)
            async with sandbox.client(
                session_api=True, timeout=5.0, retry=RetryPolicy(max_attempts=1)
            ) as crm:
                with pytest.raises(RequestTimeoutError):
                    await crm.query("select id from Leads;").count()
                start = anyio.current_time()
                await crm.list_types()
                assert anyio.current_time() - start < 1
            assert counted(sandbox)["login"] == 2

    async def test_a_cancelled_call_leaves_its_session(self) -> None:
        """The session of a cancelled call is used again, last; nothing stays taken."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True, max_in_flight=2) as crm:
                await crm.list_types()
                sandbox.faults.add("latency", operation="query", seconds=2.0, times=1)
                with anyio.move_on_after(1):
                    await crm.query("select id from Leads;").count()
                await anyio.sleep(5)
                async with anyio.create_task_group() as group:
                    for _ in range(4):
                        group.start_soon(crm.list_types)
            assert counted(sandbox)["login"] <= 2

    async def test_a_cancelled_login_makes_room_for_the_next(self) -> None:
        """Who waits for a login that is cancelled logs in himself."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="login", seconds=5.0, times=1)
            async with sandbox.client(session_api=True) as crm, anyio.create_task_group() as group:

                async def impatient() -> None:
                    with anyio.move_on_after(1):
                        await crm.list_types()

                group.start_soon(impatient)
                await anyio.sleep(0.1)
                group.start_soon(crm.list_types)
            calls = sandbox.ledger()["calls"]
            assert (calls["login"], calls["listtypes"]) == (2, 1)

    async def test_a_cancelled_wait_passes_its_turn_on(self) -> None:
        """A call that is cancelled while it waits for a session does not stop those behind it."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="login", seconds=3.0)
            done: list[int] = []
            async with sandbox.client(session_api=True) as crm, anyio.create_task_group() as group:

                async def call(number: int, patience: float) -> None:
                    with anyio.move_on_after(patience):
                        await crm.list_types()
                        done.append(number)

                for number, patience in enumerate((100.0, 1.0, 3.0, 100.0)):
                    group.start_soon(call, number, patience)
            assert {0, 3} <= set(done)
            assert 1 not in done

    async def test_the_wait_for_a_session_ends(self) -> None:
        """Who waits for another's slow login no longer than `max_wait` is told so."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="login", seconds=20.0)
            errors: list[QuotaExhaustedError] = []

            async def impatient(crm: VtigerClient) -> None:
                with pytest.raises(QuotaExhaustedError, match="no session") as refused:
                    await crm.describe("Leads")
                errors.append(refused.value)

            async with sandbox.client(session_api=True) as crm, anyio.create_task_group() as group:
                group.start_soon(crm.list_types)
                group.start_soon(impatient, crm.with_options(max_wait=2.0))
            (error,) = errors
            assert (error.operation, error.module) == ("describe", "Leads")
            assert error.call_id

    async def test_a_session_that_is_gone_when_the_call_may_go_is_replaced(self) -> None:
        """Calls that waited for the quota hold no session: who finds none then logs in."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True, limits=Limits(minute=4)) as crm:
                await crm.list_types()
                await crm.list_types()
                sandbox.faults.add("latency", operation="listtypes", seconds=2.0)
                async with anyio.create_task_group() as group:
                    for _ in range(2):
                        group.start_soon(crm.with_options(max_wait=600.0).list_types)
            assert counted(sandbox) == {"login": 2, "listtypes": 4}

    async def test_an_attempt_after_a_pause_shares_rather_than_to_give_up(self) -> None:
        """A call whose session another one has taken meanwhile waits behind it, in the server."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("503", operation="listtypes", times=1, retry_after=5)
            sandbox.faults.add("latency", operation="describe", seconds=12.0)
            async with sandbox.client(session_api=True) as crm, anyio.create_task_group() as group:
                group.start_soon(crm.list_types)
                await anyio.sleep(1)
                group.start_soon(crm.describe, "Leads")
            assert counted(sandbox) == {"login": 1, "listtypes": 2, "describe": 1}

    async def test_who_waits_for_ever_gets_a_session(self) -> None:
        """With max_wait=inf a call waits for a login as long as it takes."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="login", seconds=200.0)
            async with (
                sandbox.client(session_api=True, max_wait=float("inf"), timeout=1000.0) as crm,
                anyio.create_task_group() as group,
            ):
                group.start_soon(crm.list_types)
                group.start_soon(crm.list_types)
            assert counted(sandbox)["listtypes"] == 2

    async def test_logins_keep_to_the_quota(self) -> None:
        """A login's calls are admitted as all others are: with 60 a minute no call is refused."""
        with Sandbox(profile="oss-8.4", records=0) as sandbox:
            async with (
                sandbox.client(session_api=True, edition="one-professional", max_wait=600.0) as crm,
                anyio.create_task_group() as group,
            ):
                for _ in range(100):
                    group.start_soon(crm.list_types)
            assert sandbox.ledger()["refused"] == 0


class TestLoss:
    """What happens when the server has forgotten a session."""

    @pytest.mark.parametrize("code", get_args(LossCode))
    async def test_a_lost_session_is_made_again_once(self, code: LossCode) -> None:
        """Whatever code tells it, the call logs in again and is sent again, a write too."""
        with sandbox_of() as sandbox:
            async with sandbox.client(session_api=True) as crm:
                await crm.create("Leads", LEAD)
                sandbox.end_sessions(code)
                await crm.create("Leads", LEAD)
            assert counted(sandbox) == {"login": 2, "create": 3}
            assert len(sandbox.ledger()["writes"]) == 2

    async def test_a_second_loss_is_raised(self) -> None:
        """A session that is lost as soon as it is made is no reason to go on for ever."""
        with sandbox_of() as sandbox:

            async def forget(response: httpx.Response) -> None:
                if b"operation=login" in await response.request.aread():
                    sandbox.end_sessions()

            async with (
                httpx.AsyncClient(
                    transport=sandbox.transport(), event_hooks={"response": [forget]}
                ) as http,
                sandbox.client(session_api=True, http_client=http) as crm,
            ):
                with pytest.raises(AuthenticationError, match="INVALID_SESSIONID") as lost:
                    await crm.create("Leads", LEAD)
            assert lost.value.operation == "create"
            assert counted(sandbox) == {"login": 2, "create": 2}
            assert sandbox.ledger()["writes"] == []

    async def test_many_losses_together_cost_one_login_each_at_most(self) -> None:
        """Calls that find their sessions lost at the same moment all succeed, by few logins."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="listtypes", seconds=1.0)
            async with sandbox.client(session_api=True, max_in_flight=4) as crm:
                async with anyio.create_task_group() as group:
                    for _ in range(4):
                        group.start_soon(crm.list_types)
                assert counted(sandbox)["login"] == 4
                sandbox.end_sessions()
                async with anyio.create_task_group() as group:
                    for _ in range(4):
                        group.start_soon(crm.list_types)
            calls = counted(sandbox)
            assert calls["login"] <= 8
            assert calls["listtypes"] <= 4 + 8

    async def test_idle_sessions_are_taken_for_lost_too(self) -> None:
        """One refused call tells of all the sessions used before it: the rest are not tried."""
        with sandbox_of() as sandbox:
            sandbox.faults.add("latency", operation="listtypes", seconds=1.0)
            async with sandbox.client(session_api=True) as crm:
                async with anyio.create_task_group() as group:
                    for _ in range(5):
                        group.start_soon(crm.list_types)
                sandbox.end_sessions()
                before = counted(sandbox)
                for _ in range(5):
                    await crm.list_types()
            after = counted(sandbox)
            assert after["listtypes"] - before["listtypes"] == 6
            assert after["login"] - before["login"] == 1
