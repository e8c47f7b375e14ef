"""One call's way: retries by evidence, limits, deadlines, and cancellation, against the sandbox."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest

from vtiger_async import (
    AccessDeniedError,
    Limits,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    VtigerError,
)
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

ACME = {"accountname": "Acme", "assigned_user_id": "19x1"}


def free() -> Sandbox:
    """Return a sandbox without limits and without records."""
    return Sandbox(limits=False, records=0)


def created(sandbox: Sandbox) -> int:
    """Return how many accounts the sandbox really holds."""
    return sum(1 for write in sandbox.engine.ledger() if write["operation"] == "create")


LOST_READS = [
    ("500", {}),
    ("502", {}),
    ("503", {}),
    ("504", {}),
    ("html", {}),
    ("empty", {}),
    ("cut", {}),
    ("reset_before_commit", {}),
    ("reset_after_commit", {}),
    ("commit_then_drop", {}),
    ("no_answer", {}),
    ("refuse", {}),
    ("429", {}),
    ("429", {"retry_after": 3.0}),
]


@pytest.mark.parametrize(("kind", "options"), LOST_READS)
async def test_a_read_survives_every_passing_fault(kind: Any, options: dict[str, Any]) -> None:
    """A read whose answer was lost, refused or spoilt once is sent again, and succeeds."""
    sandbox = free()
    sandbox.faults.add(kind, operation="me", times=1, **options)
    async with sandbox.client(max_wait=600) as crm:
        assert (await crm.me()).user_name == "admin"
        assert crm.quota.in_flight == 0


async def test_php_warnings_before_the_json_are_no_failure() -> None:
    """An answer behind PHP's warnings is read as if they were not there, with one call."""
    sandbox = free()
    sandbox.faults.add("php_warnings", operation="me")
    async with sandbox.client() as crm:
        assert (await crm.me()).id == "19x1"
    assert sandbox.ledger()["calls"] == {"me": 1}


@pytest.mark.parametrize(
    ("kind", "options", "happened"),
    [
        ("reset_before_commit", {}, 0),
        ("reset_after_commit", {}, 1),
        ("commit_then_drop", {}, 1),
        ("no_answer", {}, 0),
        ("no_answer", {"commit": True}, 1),
        ("cut", {}, 1),
        ("empty", {}, 1),
        ("html", {}, 0),
        ("500", {}, 0),
        ("500", {"commit": True}, 1),
        ("502", {"commit": True}, 1),
        ("503", {}, 0),
        ("504", {}, 0),
    ],
)
async def test_a_create_whose_reply_is_lost_is_unknown_and_never_sent_again(
    kind: Any, options: dict[str, Any], happened: int
) -> None:
    """A lost reply to a create raises OutcomeUnknownError after exactly one request."""
    sandbox = free()
    sandbox.faults.add(kind, operation="create", **options)
    async with sandbox.client() as crm:
        with pytest.raises(OutcomeUnknownError) as caught:
            await crm.create("Accounts", ACME)
    error = caught.value
    assert created(sandbox) == happened
    assert sandbox.ledger()["calls"] == {"create": 1}
    assert isinstance(error.__cause__, VtigerError)
    assert error.attempts[-1] is error.__cause__
    assert (error.operation, error.module) == ("create", "Accounts")
    assert error.call_id


@pytest.mark.parametrize(
    ("kind", "options"),
    [("refuse", {}), ("429", {}), ("503", {"retry_after": 7.0})],
)
async def test_a_create_that_was_proven_not_done_is_sent_again(
    kind: Any, options: dict[str, Any]
) -> None:
    """Refused connections, 429s, and a 503 that says when to come back lead to one record."""
    sandbox = free()
    sandbox.faults.add(kind, operation="create", times=2, **options)
    async with sandbox.client(max_wait=600) as crm:
        record = await crm.create("Accounts", ACME)
    assert record["accountname"] == "Acme"
    assert created(sandbox) == 1


async def test_a_change_is_repeated_only_where_the_policy_says_so() -> None:
    """Revise raises OutcomeUnknownError by default, and is sent again with repeat_writes."""
    sandbox = free()
    async with sandbox.client() as crm:
        record = await crm.create("Accounts", ACME)
        sandbox.faults.add("commit_then_drop", operation="revise", times=2)
        with pytest.raises(OutcomeUnknownError):
            await crm.revise(record.id, {"phone": "1"})
        again = crm.with_options(retry=RetryPolicy(repeat_writes=True))
        assert (await again.revise(record.id, {"phone": "2"}))["phone"] == "2"


async def test_a_repeated_delete_that_is_denied_is_honest_about_it() -> None:
    """ACCESS_DENIED on the second delete may mean that the first one worked: outcome unknown."""
    sandbox = free()
    async with sandbox.client(retry=RetryPolicy(repeat_writes=True)) as crm:
        record = await crm.create("Accounts", ACME)
        sandbox.faults.add("commit_then_drop", operation="delete", times=1)
        with pytest.raises(OutcomeUnknownError) as caught:
            await crm.delete(record.id)
    assert isinstance(caught.value.__cause__, AccessDeniedError)
    assert len(caught.value.attempts) == 2


async def test_a_read_that_keeps_failing_tells_of_every_attempt() -> None:
    """After the last attempt the last error is raised, with the earlier ones in `attempts`."""
    sandbox = free()
    sandbox.faults.add("502")
    async with sandbox.client(retry=RetryPolicy(max_attempts=3)) as crm:
        with pytest.raises(ServerError) as caught:
            await crm.me()
    error = caught.value
    assert error.status == 502
    assert len(error.attempts) == 2
    assert "attempt 3" in str(error)
    assert sandbox.ledger()["statuses"] == {"502": 3}


async def test_one_attempt_means_one_request() -> None:
    """A policy of one attempt repeats nothing."""
    sandbox = free()
    sandbox.faults.add("502", operation="me", times=1)
    async with sandbox.client(retry=RetryPolicy(max_attempts=1)) as crm:
        with pytest.raises(ServerError):
            await crm.me()
        await crm.me()


async def test_a_failing_server_is_not_asked_four_times_for_every_call() -> None:
    """When the budget of repeats is spent, failures are raised without more requests."""
    sandbox = free()
    sandbox.faults.add("502")
    async with sandbox.client(max_wait=math.inf) as crm:
        for _ in range(20):
            with pytest.raises(ServerError):
                await crm.me()
    assert sum(sandbox.ledger()["statuses"].values()) == 20 + 10


async def test_errors_of_the_server_are_final() -> None:
    """success:false with a code is raised at once, with the call's context."""
    sandbox = free()
    async with sandbox.client() as crm:
        with pytest.raises(AccessDeniedError) as caught:
            await crm.retrieve("3x99999")
    error = caught.value
    assert (error.operation, error.record_id, error.status) == ("retrieve", "3x99999", 400)
    assert error.code == "ACCESS_DENIED"
    assert error.attempts == ()
    assert sandbox.ledger()["calls"] == {"retrieve": 1}


async def test_max_wait_ends_the_waiting_for_a_back_off() -> None:
    """A back-off that would go past max_wait is not slept: the failure is raised at once."""
    sandbox = free()
    sandbox.faults.add("503", retry_after=50.0)
    async with sandbox.client(max_wait=10) as crm:
        before = anyio.current_time()
        with pytest.raises(ServerError) as caught:
            await crm.create("Accounts", ACME)
        assert anyio.current_time() == before
    assert caught.value.retry_after == 50.0


async def test_a_429_beyond_max_wait_is_raised_at_once() -> None:
    """Where the 429's wait is longer than max_wait, RateLimitError tells how long it would be."""
    sandbox = free()
    sandbox.faults.add("429", retry_after=300.0)
    async with sandbox.client(max_wait=60) as crm:
        before = anyio.current_time()
        with pytest.raises(RateLimitError) as caught:
            await crm.me()
        assert anyio.current_time() == before
        assert caught.value.retry_after == pytest.approx(301, abs=1.1)
        with pytest.raises(QuotaExhaustedError) as refused:
            await crm.me()
    assert refused.value.resets_at is not None
    assert sandbox.ledger()["statuses"].popitem()[1] == 1


async def test_after_a_429_everybody_waits_and_no_call_is_refused_twice() -> None:
    """Ten calls meet one 429: all succeed after its wait, and only one was refused."""
    sandbox = free()
    sandbox.faults.add("429", retry_after=30.0, times=1)
    async with sandbox.client(max_wait=600, max_in_flight=1) as crm:
        start = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(crm.me)
        assert anyio.current_time() - start >= 30
    assert sum(sandbox.ledger()["statuses"].values()) == 11


@pytest.mark.parametrize("minute_window", ["fixed", "sliding"])
async def test_a_day_of_calls_draws_no_429(minute_window: Any) -> None:
    """Under the edition's limits, alone, 1,500 calls use the minute up and none is refused."""
    sandbox = Sandbox(records=0, minute_window=minute_window, hour_window="sliding")
    sandbox.faults.add("latency", seconds=0.2)
    async with sandbox.client(edition="one-professional", users=5, max_wait=math.inf) as crm:
        start = anyio.current_time()
        todo = iter(range(1500))

        async def work() -> None:
            for _ in todo:
                await crm.me()

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(work)
        minutes = (anyio.current_time() - start) / 60
        day = crm.quota.day
    ledger = sandbox.ledger()
    assert ledger["refused"] == 0
    assert ledger["granted"] == 1500
    assert 1500 / (minutes + 1) >= 57
    assert (day.limit, day.used) == (9000, 1500)


async def test_limits_that_nobody_told_are_learned_from_the_headers() -> None:
    """Without an edition, the headers' minute is kept after the first answer."""
    sandbox = Sandbox(edition="one-growth", records=0)
    async with sandbox.client(max_wait=math.inf, max_in_flight=1) as crm:
        for _ in range(70):
            await crm.me()
        assert crm.quota.minute.limit == 30
    assert sandbox.ledger()["refused"] == 0


async def test_the_edition_ends_the_day() -> None:
    """When the day is used up, the next call is refused here, with the moment it could go."""
    sandbox = Sandbox(records=0, limits=False)
    async with sandbox.client(limits=Limits(day=5), max_wait=3600) as crm:
        for _ in range(5):
            await crm.me()
        with pytest.raises(QuotaExhaustedError) as caught:
            await crm.me()
    assert caught.value.window == "day"
    assert caught.value.wait == pytest.approx(86_400, abs=301)
    assert sandbox.ledger()["calls"] == {"me": 5}


async def test_a_call_cancelled_while_it_waits_costs_nothing() -> None:
    """Who is cancelled in the queue has spent no call, and the next in line goes on."""
    sandbox = free()
    async with sandbox.client(limits=Limits(minute=1), max_wait=math.inf) as crm:
        await crm.me()
        with anyio.move_on_after(30):
            await crm.me()
        start = anyio.current_time()
        await crm.me()
        assert anyio.current_time() - start == pytest.approx(30.1, abs=0.2)
    assert sandbox.ledger()["calls"] == {"me": 2}


async def test_a_call_cancelled_after_it_was_sent_counts() -> None:
    """A request that had left is counted as spent, and its slot comes back."""
    sandbox = free()
    sandbox.faults.add("latency", seconds=20.0)
    async with sandbox.client(limits=Limits(minute=5), max_in_flight=1) as crm:
        with anyio.move_on_after(1):
            await crm.me()
        assert crm.quota.in_flight == 0
        assert crm.quota.minute.used == 1


@pytest.mark.parametrize("seconds", [0.4, 1.5, 40.0, 80.0])
async def test_a_call_cancelled_while_it_is_sent_again_is_cancelled(seconds: float) -> None:
    """A cancellation in a later attempt ends the call as one in the first does, with no error."""
    sandbox = free()
    sandbox.faults.add("503", times=1)
    sandbox.faults.add("429", times=1, retry_after=60.0)
    sandbox.faults.add("no_answer")
    async with sandbox.client(max_wait=math.inf) as crm:
        with anyio.move_on_after(seconds) as scope:
            await crm.me()
        assert scope.cancelled_caught
        assert crm.quota.in_flight == 0
        assert crm.quota.waiting == 0


async def test_cancelling_at_every_moment_keeps_slots_and_quota_right() -> None:
    """Whenever a call is cancelled, client and server agree on what was spent."""
    for tenth in range(1, 25):
        sandbox = free()
        sandbox.faults.add("latency", seconds=1.0)
        async with sandbox.client(limits=Limits(minute=50), max_in_flight=2) as crm:
            with anyio.move_on_after(tenth / 10):
                async with anyio.create_task_group() as group:
                    for _ in range(5):
                        group.start_soon(crm.me)
            assert crm.quota.in_flight == 0
            assert crm.quota.waiting == 0
            assert crm.quota.minute.used == sandbox.ledger()["granted"]
