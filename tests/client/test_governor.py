"""The governor as users see it: priorities, deadlines, events, the plan, and failing servers."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest

from vtiger_async import (
    ConfigurationError,
    InvalidArgumentError,
    Limits,
    OutcomeUnknownError,
    Plan,
    Quota,
    QuotaExhaustedError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    VtigerClient,
)
from vtiger_async.clock import SystemClock
from vtiger_async.quota import Ledger, Priority
from vtiger_async.quota.events import Granted, Recycled, Refused, Throttled, Waited
from vtiger_async.quota.headers import NOTHING, Observation
from vtiger_async.sandbox import Sandbox
from vtiger_async.transport.admission import Admission, Slots

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

NOW = 1_790_000_040.0
"""A full minute."""


class FromFullMinute(SystemClock):
    """Virtual time that begins at a full minute, whatever the real time is."""

    __slots__ = ()

    def time(self) -> float:
        return NOW + anyio.current_time()


def limited(**options: Any) -> Sandbox:
    sandbox = Sandbox(records=0, clock=FromFullMinute(), **options)
    sandbox.faults.add("latency", seconds=0.2)
    return sandbox


async def backlog(crm: VtigerClient, until: float) -> None:
    """Keep eight calls wanted until a moment of the event loop."""

    async def work() -> None:
        while True:
            await crm.me()

    with anyio.move_on_after(until - anyio.current_time()):
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(work)


@pytest.mark.parametrize("minute_window", ["fixed", "sliding"])
async def test_people_do_not_wait_for_a_bulk_job(minute_window: Any) -> None:
    """While bulk uses full minutes up, interactive calls are answered within a second."""
    sandbox = limited(limits=Limits(minute=60), minute_window=minute_window)
    waits: list[float] = []
    async with sandbox.client(limits=Limits(minute=60), max_wait=math.inf) as crm:
        end = anyio.current_time() + 900

        async def people() -> None:
            while anyio.current_time() < end - 20:
                await anyio.sleep(17)
                start = anyio.current_time()
                await crm.me()
                waits.append(anyio.current_time() - start)

        async with anyio.create_task_group() as group:
            group.start_soon(backlog, crm.with_options(priority="bulk"), end)
            group.start_soon(people)
    books = sandbox.ledger()
    assert books["refused"] == 0
    assert books["granted"] >= 0.98 * 15 * 60
    assert sorted(waits)[len(waits) // 2] <= 0.3
    assert max(waits) <= 1.0


async def test_bulk_is_spread_over_the_minute() -> None:
    """With 60 a minute, a bulk job makes about half of them in the first half."""
    sandbox = limited(limits=Limits(minute=60))
    async with sandbox.client(limits=Limits(minute=60), max_wait=math.inf) as crm:
        await backlog(crm.with_options(priority="bulk"), anyio.current_time() + 60)
        before = sandbox.ledger()["granted"]
        await backlog(crm.with_options(priority="bulk"), anyio.current_time() + 30)
    assert 25 <= sandbox.ledger()["granted"] - before <= 35


async def order_of(*priorities: Priority) -> list[str]:
    """Return in which order waiting calls of those classes are granted."""
    admission = Admission(Ledger(Limits()), SystemClock(), 1)
    order: list[str] = []

    async def call(priority: Priority) -> None:
        ticket = await admission.enter(math.inf, priority=priority)
        order.append(priority)
        admission.leave(ticket)

    ticket = await admission.enter(math.inf)
    async with anyio.create_task_group() as group:
        for priority in priorities:
            group.start_soon(call, priority)
            await anyio.sleep(0.1)
        admission.leave(ticket)
    return order


async def test_interactive_goes_before_sync_and_sync_before_bulk() -> None:
    """Who waits for a slot goes by class, whatever came first."""
    assert await order_of("bulk", "sync", "interactive", "bulk", "interactive") == [
        "interactive",
        "interactive",
        "sync",
        "bulk",
        "bulk",
    ]


async def test_no_class_starves() -> None:
    """However many interactive calls wait, one in twenty-one grants goes to a waiting bulk call."""
    people: list[Priority] = ["interactive"] * 30
    order = await order_of("bulk", *people)
    assert order.index("bulk") == 20


async def test_a_deadline_refuses_at_once_what_cannot_go_in_time() -> None:
    """In a deadline's block a call that would wait too long is refused, with the wait it needs."""
    sandbox = limited(limits=False)
    async with sandbox.client(limits=Limits(minute=1), max_wait=300) as crm:
        await crm.me()
        start = anyio.current_time()
        with crm.deadline(2.5), crm.deadline(100), pytest.raises(QuotaExhaustedError) as caught:
            await crm.with_options(timeout=9).me()
        assert anyio.current_time() == start
        assert caught.value.wait == pytest.approx(60.1)
        assert caught.value.resets_at is not None
        await crm.me()
    assert sandbox.ledger()["calls"] == {"me": 2}


async def test_a_deadline_of_one_client_does_not_bind_another() -> None:
    """The block holds for the client that it was asked of, and for its views."""
    one, two = limited(limits=False), limited(limits=False)
    limits = Limits(minute=1)
    async with one.client(limits=limits) as crm, two.client(limits=limits, max_wait=90) as other:
        await other.me()
        with crm.deadline(0.0):
            await other.me()
    assert two.ledger()["calls"] == {"me": 2}


@pytest.mark.parametrize("seconds", [-1, math.nan])
async def test_a_deadline_is_a_number_of_seconds(seconds: float) -> None:
    """A negative deadline, or none that is a number, is refused."""
    async with limited().client() as crm:
        with pytest.raises(InvalidArgumentError):
            crm.deadline(seconds)


@pytest.mark.parametrize("options", [{"spread": "slow"}, {"reserve": 1.0}, {"reserve": -0.1}])
async def test_nonsense_is_refused_when_the_client_is_made(options: dict[str, Any]) -> None:
    """A spread that does not exist, and a reserve of everything, are refused."""
    with pytest.raises(ConfigurationError):
        VtigerClient("localhost", "u", "k", **options)


async def test_a_priority_that_does_not_exist_is_refused() -> None:
    """`with_options` names the priorities that there are."""
    async with limited().client() as crm:
        with pytest.raises(ConfigurationError, match="interactive"):
            crm.with_options(priority="urgent")  # type: ignore[arg-type]


async def test_a_reserve_leaves_a_share_of_the_day_to_others() -> None:
    """With a reserve of a half, five of ten calls a day are made."""
    sandbox = limited(limits=False)
    async with sandbox.client(limits=Limits(day=10), reserve=0.5) as crm:
        for _ in range(5):
            await crm.me()
        with pytest.raises(QuotaExhaustedError):
            await crm.me()
    assert sandbox.ledger()["granted"] == 5


async def test_an_even_day_lasts_for_the_whole_day() -> None:
    """Spread evenly, bulk makes a 24th of the day's calls in an hour, not all of them."""
    sandbox = limited(limits=Limits(day=2400))
    async with sandbox.client(limits=Limits(day=2400), spread="even", max_wait=math.inf) as crm:
        await backlog(crm.with_options(priority="bulk"), anyio.current_time() + 3600)
    assert 85 <= sandbox.ledger()["granted"] <= 105


async def test_a_sync_has_the_priority_of_syncs_unless_another_was_chosen() -> None:
    """The calls of `sync()` go at `"sync"`; on a bulk view they go at `"bulk"`."""
    sandbox = Sandbox(limits=False)
    seen: list[Any] = []
    async with sandbox.client() as crm:
        crm.subscribe(seen.append)
        async for _ in crm.sync("Contacts"):
            break
        async for _ in crm.with_options(priority="bulk").sync("Contacts"):
            break
    assert {e.priority for e in seen if isinstance(e, Granted)} == {"sync", "bulk"}


async def test_events_tell_what_happens_at_the_door() -> None:
    """A subscriber sees grants, waits, refusals and throttling, until it stops."""
    sandbox = limited(limits=False)
    sandbox.faults.add("429", retry_after=5.0, times=1)
    seen: list[Any] = []
    async with sandbox.client(limits=Limits(minute=2), max_wait=100) as crm:
        stop = crm.subscribe(seen.append)
        await crm.me()
        with pytest.raises(QuotaExhaustedError), crm.deadline(1):
            await crm.me()
        stop()
        stop()
        await crm.me()
    kinds = [type(event) for event in seen]
    assert kinds == [Granted, Throttled, Granted, Waited, Refused]
    waited = seen[3]
    assert waited.granted
    assert waited.seconds >= 5
    assert seen[-1].window == "minute"
    assert seen[-1].wait > 1


async def test_a_pool_that_is_replaced_is_told() -> None:
    """When the connections had lost a slot, the event `Recycled` says so."""
    seen: list[Any] = []
    async with VtigerClient("localhost", "u", "k") as crm:
        http = crm._core.http
        http._recycle(http._client())
        crm.subscribe(seen.append)
        http._recycle(http._client())
    assert [type(event) for event in seen] == [Recycled]


async def test_a_listener_that_fails_ends_no_call(caplog: pytest.LogCaptureFixture) -> None:
    """What a subscriber raises is logged, and the call goes on."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    async with limited().client() as crm:
        crm.subscribe(fail)
        assert (await crm.me()).id == "19x1"
    assert "listener" in caplog.text


async def test_a_failing_server_is_asked_less_at_once_and_then_more_again() -> None:
    """Each round of 5xx cuts the calls in flight by a third; answers bring them back one by one."""
    sandbox = limited(limits=False)
    sandbox.faults.add("503", times=1)
    async with sandbox.client(max_in_flight=6, retry=RetryPolicy(max_attempts=1)) as crm:
        slots = crm._core.pipeline.admission.slots
        with pytest.raises(ServerError):
            await crm.me()
        assert slots.now == 4.0
        for _ in range(20):
            await crm.me()
        assert slots.now == 6.0


async def test_calls_that_left_together_cut_once() -> None:
    """A call that was under way at a cut cuts no further when it fails too."""
    slots = Slots(9)
    slots.failed(NOW, NOW + 10)
    slots.failed(NOW + 1, NOW + 11)
    assert slots.now == 6.0
    for second in range(20, 60):
        slots.failed(NOW + second, NOW + second)
    assert slots.now == 1.0


async def test_a_timeout_cuts_the_calls_in_flight() -> None:
    """A request that gets no answer counts as overload."""
    sandbox = limited(limits=False)
    sandbox.faults.add("no_answer", operation="me", times=1)
    sandbox.faults.add("no_answer", operation="create", times=1)
    once = RetryPolicy(max_attempts=1)
    async with sandbox.client(max_in_flight=9, timeout=5, retry=once) as crm:
        with pytest.raises((RequestTimeoutError, OutcomeUnknownError)):
            await crm.me()
        assert crm._core.pipeline.admission.slots.now == 6.0


def planned(limits: Limits, calls: int, **options: Any) -> Plan:
    """Return the plan of a client that has not made a call yet."""
    client = VtigerClient("localhost", "u", "k", limits=limits, **options)
    return client.quota.plan(calls)


async def test_a_plan_says_how_long_and_which_window_binds() -> None:
    """6,000 calls at 60 a minute and 2,500 an hour: two hours of bursts, and a part of a third."""
    plan = planned(Limits(minute=60, hour=2500, day=9000), 6000)
    assert plan.seconds == pytest.approx(7200 + 1000, abs=120)
    assert [stretch.window for stretch in plan.stretches[:2]] == ["minute", "hour"]
    assert sum(stretch.calls for stretch in plan.stretches) == 6000
    assert plan.day_share == pytest.approx(6000 / 9000)
    assert plan.ends_at == plan.stretches[-1].end


@pytest.mark.parametrize("day_policy", ["rolling", "utc"])
async def test_a_plan_goes_on_on_the_next_day(day_policy: Any) -> None:
    """What a day does not grant waits for the next one."""
    plan = planned(Limits(minute=60, day=1000, day_policy=day_policy), 2500)
    low = 86_400 if day_policy == "utc" else 2 * 86_400
    assert low <= plan.seconds <= low + 86_400
    assert "day" in {stretch.window for stretch in plan.stretches}


async def test_a_plan_of_an_even_day_takes_the_day() -> None:
    """Spread evenly, half of the day's calls take half of a day."""
    plan = planned(Limits(minute=60, day=2400), 1200, spread="even")
    assert plan.seconds == pytest.approx(43_200, rel=0.02)


async def test_a_plan_without_limits_takes_no_time() -> None:
    """Where no limit is known, nothing binds."""
    plan = planned(Limits(), 50_000)
    assert (plan.seconds, plan.stretches, plan.day_share) == (0.0, (), None)


async def test_a_plan_that_takes_more_than_a_year_has_no_end() -> None:
    """A job that never ends says so."""
    plan = planned(Limits(day=1), 1000)
    assert (plan.seconds, plan.ends_at) == (math.inf, None)


async def test_a_plan_is_for_a_number_of_calls() -> None:
    """Fewer than none, or a part of a call, is refused; none takes no time."""
    client = VtigerClient("localhost", "u", "k", limits=Limits(minute=60))
    for calls in (-1, 1.5):
        with pytest.raises(InvalidArgumentError):
            client.quota.plan(calls)  # type: ignore[arg-type]
    assert client.quota.plan(0).seconds == 0.0
    snapshot = client.quota
    bare = Quota(snapshot.minute, snapshot.hour, snapshot.day, 0, 0, snapshot.at)
    assert bare.plan(5).seconds == 0.0


def spend(ledger: Ledger, now: float, seen: Observation = NOTHING) -> None:
    """Make one call that is answered at once."""
    ledger.grant(now)
    ledger.settle(now, now, seen)


def test_other_programs_show_by_the_fall_of_remaining() -> None:
    """What the minute loses beyond the own calls are calls of others, and count in the hour."""
    ledger = Ledger(Limits(minute=60, hour=100))
    left = 60
    for second in range(10):
        left -= 3  # one of ours, two of theirs
        spend(ledger, NOW + second, Observation(60, left, 60.0 - second))
    assert ledger.uses(NOW + 10)[1].remaining == 100 - 30
    assert ledger.uses(NOW + 10)[1].used == 10


def test_a_fixed_minute_is_told_from_a_sliding_one() -> None:
    """A reset that stays and then moves by a minute is fixed; one that creeps is not."""
    fixed, sliding = Ledger(Limits()), Ledger(Limits())
    for second in range(0, 130, 5):
        spend(fixed, NOW + second, Observation(60, 50, 60.0 - second % 60))
        spend(sliding, NOW + second, Observation(60, 50, 3.0 + second % 2))
    assert (fixed.pacer.fixed, sliding.pacer.fixed) == (True, False)


def refused_after(calls: int, limits: Limits) -> Ledger:
    """A ledger that met an unexplained 429 after so many calls, one a second."""
    ledger = Ledger(limits)
    for second in range(calls):
        spend(ledger, NOW + second, NOTHING)
    ledger.grant(NOW + calls)
    ledger.settle(NOW + calls, NOW + calls, NOTHING)
    ledger.refuse(NOW + calls, Observation(minute_remaining=7), 0.0)
    return ledger


def test_a_hidden_limit_is_learned_from_the_refusal() -> None:
    """A 429 with calls left in the minute makes the count of the last hour the hour's limit."""
    assert refused_after(80, Limits()).uses(NOW + 82)[1].limit == 80


def test_without_headers_a_limit_is_learned_from_the_second_refusal() -> None:
    """The first one may be the minute's; if its wait did not help, the count then is the limit."""
    ledger = Ledger(Limits())
    for second in range(80):
        spend(ledger, NOW + second)
    assert ledger.refuse(NOW + 80, NOTHING, 0.0) == pytest.approx(60)
    assert ledger.uses(NOW + 81)[1].limit is None
    spend(ledger, NOW + 140)
    assert ledger.refuse(NOW + 140, NOTHING, 0.0) == pytest.approx(120)
    assert ledger.uses(NOW + 141)[1].limit == 79


def test_a_refusal_without_headers_waits_for_the_minute_that_others_told_of() -> None:
    """Where answers have headers and the 429 has none, the end of the minute is waited for."""
    ledger = Ledger(Limits())
    spend(ledger, NOW, Observation(60, 2, 20.0))
    assert ledger.refuse(NOW + 5, NOTHING, 0.0) == pytest.approx(15.1)


def test_too_few_calls_teach_no_limit() -> None:
    """A 429 after fewer calls than any edition grants an hour is waited for, and no limit."""
    assert refused_after(20, Limits()).uses(NOW + 22)[1].limit is None


def test_a_learned_limit_grows_again() -> None:
    """After an hour it is raised by one, then each minute by twice as much, up to what was told."""
    ledger = refused_after(80, Limits(hour=100))
    found: list[int | None] = []
    ledger.accept()
    for minute in range(6):
        spend(ledger, NOW + 81 + 3601 + 61 * minute, NOTHING)
        found.append(ledger.uses(NOW + 81 + 3601 + 61 * minute)[1].limit)
    assert found == [81, 83, 87, 95, 100, 100]


def test_a_learned_limit_is_doubted_later_where_every_call_was_known() -> None:
    """With a whole hour seen, and others visible in the day's Remaining, it holds for a day."""
    ledger = Ledger(Limits())
    for call in range(121):
        seen = Observation(day_limit=9000, day_remaining=8999 - call)
        spend(ledger, NOW + 60 * call, seen)
    ledger.refuse(NOW + 7200, Observation(minute_remaining=7), 0.0)
    ledger.accept()
    learned = ledger.uses(NOW + 7201)[1].limit
    spend(ledger, NOW + 7200 + 80_000)
    assert ledger.uses(NOW + 7200 + 80_000)[1].limit == learned == 59
    spend(ledger, NOW + 7200 + 86_401)
    assert ledger.uses(NOW + 7200 + 86_401)[1].limit == 61


def test_a_learned_limit_counts_what_was_under_way() -> None:
    """A call that left before the refusal and was granted after it raises the learned limit."""
    ledger = Ledger(Limits())
    for second in range(50):
        spend(ledger, NOW + second)
    ledger.grant(NOW + 60)
    ledger.grant(NOW + 60.1)
    ledger.settle(NOW + 61, NOW + 60.1, NOTHING)
    ledger.refuse(NOW + 61, Observation(minute_remaining=7), 0.0)
    assert ledger.uses(NOW + 61)[1].limit == 50
    ledger.settle(NOW + 61.1, NOW + 60, NOTHING)
    assert ledger.uses(NOW + 62)[1].limit == 51
