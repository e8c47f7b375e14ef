"""Admission in virtual time: order, deadlines, slots, and cancellation at every point."""

from __future__ import annotations

import math

import anyio
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from vtiger_async.clock import SystemClock
from vtiger_async.editions import Limits
from vtiger_async.errors import QuotaExhaustedError
from vtiger_async.quota import Ledger
from vtiger_async.quota.headers import NOTHING, Observation
from vtiger_async.transport.admission import Admission, Ticket

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def door(limits: Limits | None = None, slots: int = 8) -> Admission:
    return Admission(Ledger(limits or Limits()), SystemClock(), slots)


async def one_call(admission: Admission, seconds: float = 0.2, wait: float = math.inf) -> float:
    """Make a call of so many seconds, and return the moment at which it was granted."""
    ticket = await admission.enter(admission.now() + wait)
    try:
        await anyio.sleep(seconds)
        ticket.sent = True
    finally:
        admission.leave(ticket)
    return ticket.granted_at


async def test_a_free_door_opens_at_once() -> None:
    """With room in every window and a free slot, a call does not wait."""
    admission = door(Limits(minute=60))
    before = anyio.current_time()
    await admission.enter(admission.now())
    assert anyio.current_time() == before
    assert admission.ledger.in_flight == 1


async def test_never_more_calls_are_in_flight_than_slots() -> None:
    """With two slots, ten calls of a second take five seconds."""
    admission = door(slots=2)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(one_call, admission, 1.0)
    assert anyio.current_time() - start == pytest.approx(5.0)


async def test_calls_are_granted_in_the_order_in_which_they_came() -> None:
    """Nobody overtakes: neither in the queue nor past it."""
    admission = door(Limits(minute=1))
    order: list[int] = []

    async def call(number: int) -> None:
        await anyio.sleep(number / 10)
        await one_call(admission, 0.01)
        order.append(number)

    async with anyio.create_task_group() as group:
        for number in (3, 1, 2, 0):
            group.start_soon(call, number)
    assert order == [0, 1, 2, 3]


async def test_a_minute_limit_is_spread_over_minutes() -> None:
    """With 10 a minute, 25 calls go 10, 10 and 5, each lot a minute after the one before."""
    admission = door(Limits(minute=10))
    start, granted = admission.now(), []

    async def call() -> None:
        granted.append(await one_call(admission, 0.0) - start)

    async with anyio.create_task_group() as group:
        for _ in range(25):
            group.start_soon(call)
    minutes = [math.floor(moment / 60) for moment in sorted(granted)]
    assert minutes == [0] * 10 + [1] * 10 + [2] * 5


async def test_a_wait_past_the_deadline_is_refused_at_once() -> None:
    """Who would have to wait too long is told so immediately, with the moment and the window."""
    admission = door(Limits(minute=1))
    await one_call(admission, 0.0)
    before = anyio.current_time()
    with pytest.raises(QuotaExhaustedError) as caught:
        await admission.enter(admission.now() + 30)
    assert anyio.current_time() == before
    error = caught.value
    assert error.window == "minute"
    assert error.wait == pytest.approx(60.1)
    assert error.resets_at is not None
    assert error.resets_at.timestamp() == pytest.approx(admission.now() + 60.1, abs=1e-3)


async def test_a_place_far_back_is_refused_at_once() -> None:
    """A caller whose turn comes after its deadline does not join the queue."""
    admission = door(Limits(minute=2))
    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(one_call, admission, 0.1)
        await anyio.sleep(1)
        assert admission.waiting == 4
        with pytest.raises(QuotaExhaustedError) as caught:
            await admission.enter(admission.now() + 100)
        assert caught.value.wait > 100


async def test_a_slot_that_does_not_come_free_in_time_ends_the_wait() -> None:
    """Where the slots are taken until the deadline, the error names the slots."""
    admission = door(slots=1)
    async with anyio.create_task_group() as group:
        group.start_soon(one_call, admission, 100.0)
        await anyio.sleep(1)
        before = anyio.current_time()
        with pytest.raises(QuotaExhaustedError) as caught:
            await admission.enter(admission.now() + 5)
        assert anyio.current_time() - before == pytest.approx(5)
        assert caught.value.window == "in_flight"
    assert admission.waiting == 0


async def test_a_waiter_behind_the_first_has_a_deadline_too() -> None:
    """Also who is not at the head of the queue leaves it when its time is over."""
    admission = door(slots=1)

    async def refused() -> None:
        with pytest.raises(QuotaExhaustedError):
            await admission.enter(admission.now() + 5)

    async with anyio.create_task_group() as group:
        group.start_soon(one_call, admission, 20.0)
        await anyio.sleep(1)
        group.start_soon(one_call, admission, 1.0)
        await anyio.sleep(1)
        group.start_soon(refused)
    assert admission.waiting == 0


async def test_behind_the_first_the_window_is_named_too() -> None:
    """Whose time ends while the server's word keeps all waiting is told the window and its end."""
    admission = door(slots=1)

    async def refused() -> None:
        with pytest.raises(QuotaExhaustedError) as caught:
            await admission.enter(admission.now() + 5)
        assert caught.value.window == "minute"
        assert caught.value.wait == pytest.approx(25.5)

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(one_call, admission, 3.0)
            await anyio.sleep(0.5)
        group.start_soon(refused)
        await anyio.sleep(0.5)
        assert admission.waiting == 2
        admission.refuse(Observation(minute_remaining=0, reset_in=30.0), 0.0)


async def test_a_refused_call_goes_to_the_head_of_the_queue() -> None:
    """After a 429 the call that was refused is the first to go again."""
    admission = door(slots=1)
    order: list[str] = []

    async def call(name: str, *, first: bool) -> None:
        ticket = await admission.enter(math.inf, first=first)
        order.append(name)
        admission.leave(ticket)

    ticket = await admission.enter(math.inf)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: call("second", first=False))
        await anyio.sleep(1)
        group.start_soon(lambda: call("refused", first=True))
        await anyio.sleep(1)
        admission.leave(ticket)
    assert order == ["refused", "second"]


async def test_a_429_makes_everybody_wait() -> None:
    """After a refusal nobody goes before the wait that it asks for is over."""
    admission = door()
    assert admission.refuse(Observation(minute_remaining=0, reset_in=20.0), 1.0) == 21.0
    start = admission.now()
    assert await one_call(admission, 0.0) - start == pytest.approx(21.0)


async def test_an_unknown_view_lets_two_calls_ask_and_the_others_wait_for_them() -> None:
    """After Reset two calls go; the rest goes when an answer has come."""
    admission = door()
    ticket = await admission.enter(math.inf)
    ticket.sent = True
    admission.leave(ticket, Observation(minute_remaining=50, reset_in=10.0))
    await anyio.sleep(11)
    granted: list[Ticket] = []

    async def call() -> None:
        granted.append(await admission.enter(math.inf))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(call)
        await anyio.sleep(1)
        assert len(granted) == 2
        granted[0].sent = True
        admission.leave(granted[0], Observation(minute_remaining=50, reset_in=49.0))
    assert len(granted) == 5


async def test_a_call_that_never_left_costs_nothing() -> None:
    """A granted call that was not sent gives its slot and its quota back."""
    admission = door(Limits(minute=1))
    admission.leave(await admission.enter(math.inf))
    before = anyio.current_time()
    await admission.enter(math.inf)
    assert anyio.current_time() == before


@given(
    st.lists(
        st.tuples(st.floats(0, 90), st.floats(0, 3), st.none() | st.floats(0, 100)),
        min_size=1,
        max_size=25,
    ),
    st.integers(1, 3),
    st.integers(1, 6),
)
@settings(deadline=None, max_examples=60)
def test_cancelling_anywhere_loses_no_slot_and_no_quota(
    calls: list[tuple[float, float, float | None]], slots: int, minute: int
) -> None:
    """However callers arrive and are cancelled, all slots come back and nobody stays in line."""

    async def history() -> None:
        admission = door(Limits(minute=minute), slots)
        answered: list[float] = []

        async def call(start: float, seconds: float, cancel_after: float | None) -> None:
            await anyio.sleep(start)
            with anyio.move_on_after(math.inf if cancel_after is None else cancel_after):
                await one_call(admission, seconds)
                answered.append(admission.now())

        async with anyio.create_task_group() as group:
            for arguments in calls:
                group.start_soon(call, *arguments)
        assert admission.ledger.in_flight == 0
        assert admission.waiting == 0
        for end in answered:
            assert sum(1 for moment in answered if end - 60 < moment <= end) <= minute
        # A cancelled call was never sent here, so a whole minute of quota is there again.
        await anyio.sleep(61)
        before = anyio.current_time()
        for _ in range(minute):
            ticket = await admission.enter(math.inf)
            ticket.sent = True
            admission.leave(ticket, NOTHING)
        assert anyio.current_time() == before

    # Not through anyio.run: it drops the options of trio before anyio 4.14.
    trio.run(history, clock=MockClock(autojump_threshold=0))
