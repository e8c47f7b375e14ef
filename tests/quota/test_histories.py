"""Properties of the governor over random histories; VTIGER_ASYNC_HISTORIES sets how many."""

from __future__ import annotations

import math
import os
from collections import deque
from email.utils import formatdate

import anyio
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from vtiger_async.clock import Clock, SystemClock
from vtiger_async.editions import Limits
from vtiger_async.quota import Ledger, Priority, Spread
from vtiger_async.quota.headers import NOTHING, Observation, read_headers
from vtiger_async.sandbox.flood import Flood, HeaderForm
from vtiger_async.sandbox.windows import WindowKind
from vtiger_async.transport.admission import Admission, Ticket

HISTORIES = int(os.environ.get("VTIGER_ASYNC_HISTORIES", "100"))
"""How many histories each property is tried on; the nightly run takes 10,000."""

many = settings(deadline=None, max_examples=HISTORIES, suppress_health_check=[HealthCheck.too_slow])
NOW = 1_790_000_040.0
"""A full minute."""


class At(SystemClock):
    """Virtual time that begins at a moment; a client's may be off."""

    __slots__ = ("begin",)

    def __init__(self, begin: float) -> None:
        self.begin = begin

    def time(self) -> float:
        return self.begin + anyio.current_time()


small = st.integers(1, 8)
priorities = st.sampled_from(["interactive", "sync", "bulk"])
observations = st.one_of(
    st.just(NOTHING),
    st.builds(
        Observation,
        minute_limit=st.none(),
        minute_remaining=st.none() | st.integers(0, 70),
        reset_in=st.none() | st.floats(0, 120),
        day_limit=st.none() | st.just(90),
        day_remaining=st.none() | st.integers(0, 90),
    ),
)
"""What headers may say: nothing, the truth, or anything else; late and out of order too."""


def most_in(moments: list[float], span: float) -> int:
    """Return the most moments that lie within a span, its start excluded."""
    window: deque[float] = deque()
    most = 0
    for moment in sorted(moments):
        window.append(moment)
        while window[0] <= moment - span:
            window.popleft()
        most = max(most, len(window))
    return most


@given(
    small,
    st.integers(1, 20),
    st.integers(1, 30),
    st.sampled_from(["rolling", "utc"]),
    st.sampled_from(["even", "fast"]),
    st.lists(
        st.tuples(
            st.floats(0, 40) | st.floats(0, 4000),
            priorities,
            st.sampled_from(["arrive", "answer", "give back", "refuse"]),
            st.integers(0, 7),
            observations,
        ),
        max_size=100,
    ),
)
@many
def test_no_history_makes_the_ledger_grant_more_than_a_window_allows(
    minute: int,
    hour: int,
    day: int,
    day_policy: str,
    spread: Spread,
    steps: list[tuple[float, Priority, str, int, Observation]],
) -> None:
    """Whatever arrives, returns, is refused or is told by headers: no window sees too many."""
    limits = Limits(minute, hour, day, "utc" if day_policy == "utc" else "rolling")
    ledger = Ledger(limits, spread)
    now, answered, flying = NOW, list[float](), list[float]()
    for gap, priority, what, which, seen in steps:
        now += gap
        if what == "arrive":
            delay = ledger.next_grant(now)
            if delay.until <= now and priority != "interactive":
                delay = ledger.next_paced(now, priority)
            assert not math.isnan(delay.until)
            if delay.until <= now:
                ledger.grant(now, priority)
                flying.append(now)
        elif flying:
            granted_at = flying.pop(which % len(flying))
            if what == "give back":
                ledger.give_back(granted_at)
                continue
            ledger.settle(now, granted_at, seen)
            answered.append(now)
            if what == "refuse":
                ledger.refuse(now, seen, 1.0)
            else:
                ledger.accept()
    assert ledger.in_flight == len(flying)
    assert most_in(answered, 60.0) <= minute
    assert most_in(answered, 3600.0) <= hour
    if all(step[4].day_limit is None for step in steps):
        if day_policy == "rolling":
            assert most_in(answered, 86_400.0) <= day
        else:
            days = [moment // 86_400 for moment in answered]
            # A call granted before midnight and answered after it is counted on the new day.
            assert all(days.count(number) <= day + 8 for number in set(days))


@given(
    st.lists(
        st.tuples(st.floats(0, 90), st.floats(0, 3), st.none() | st.floats(0, 60), priorities),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 3),
    st.integers(2, 6),
)
@many
def test_slots_and_quota_are_conserved_whoever_is_cancelled_when(
    calls: list[tuple[float, float, float | None, Priority]], slots: int, minute: int
) -> None:
    """However callers of all classes arrive and are cancelled, everything comes back."""

    async def history() -> None:
        admission = Admission(Ledger(Limits(minute=minute)), SystemClock(), slots)
        left: list[float] = []

        async def call(
            start: float, seconds: float, patience: float | None, priority: Priority
        ) -> None:
            await anyio.sleep(start)
            with anyio.move_on_after(math.inf if patience is None else patience):
                ticket = await admission.enter(math.inf, priority=priority)
                assert admission.ledger.in_flight <= slots
                try:
                    await anyio.sleep(seconds / 2)
                    ticket.sent = True
                    await anyio.sleep(seconds / 2)
                finally:
                    if ticket.sent:
                        left.append(admission.now())
                    admission.leave(ticket)

        async with anyio.create_task_group() as group:
            for arguments in calls:
                group.start_soon(call, *arguments)
        assert admission.ledger.in_flight == 0
        assert admission.waiting == 0
        assert most_in(left, 60.0) <= minute
        await anyio.sleep(61)
        before = anyio.current_time()
        for _ in range(minute):
            ticket: Ticket = await admission.enter(math.inf)
            ticket.sent = True
            admission.leave(ticket)
        assert anyio.current_time() == before

    # Not through anyio.run: it drops the options of trio before anyio 4.14.
    trio.run(history, clock=MockClock(autojump_threshold=0))


@given(st.integers(1, 40), priorities, st.integers(1, 4))
@many
def test_a_call_cancelled_at_its_nth_await_gives_back_what_it_took(
    awaits: int, priority: Priority, waiters: int
) -> None:
    """Cancelled at any checkpoint, in line or after the grant, a caller leaves nothing behind."""

    async def history() -> None:
        admission = Admission(Ledger(Limits(minute=2)), SystemClock(), 1)

        async def call() -> None:
            ticket = await admission.enter(math.inf, priority=priority)
            try:
                await anyio.lowlevel.checkpoint()
            finally:
                admission.leave(ticket)

        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def victim() -> None:
                with scope:
                    await call()

            async def cancel_later() -> None:
                for _ in range(awaits):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()

            holder = await admission.enter(math.inf)
            group.start_soon(victim)
            for _ in range(waiters):
                group.start_soon(call)
            group.start_soon(cancel_later)
            await anyio.lowlevel.checkpoint()
            admission.leave(holder)
        assert admission.ledger.in_flight == 0
        assert admission.waiting == 0

    trio.run(history, clock=MockClock(autojump_threshold=0))


class Instance:
    """An instance with nobody else on it, whose headers may be absent, late, or lie.

    Args:
        flood: Its quota.
        clock: Its time.
        dated: Whether its answers have a Date.
        lies: What Remaining says in turn; None for the truth.
    """

    def __init__(self, flood: Flood, clock: Clock, *, dated: bool, lies: list[int | None]) -> None:
        self.flood, self.clock, self.dated, self.lies = flood, clock, dated, deque(lies)

    async def answer(self, ticket: Ticket, seconds: float, client_now: float) -> Observation:
        """Return what the client reads from the headers, or raise if the call was refused."""
        await anyio.sleep(seconds / 2)
        ticket.sent = True
        assert self.flood.admit() is not None, "refused"
        headers = {name.decode(): value.decode() for name, value in self.flood.headers()}
        if self.dated:
            headers["date"] = formatdate(self.clock.time(), usegmt=True)
        if self.lies:
            self.lies.rotate()
            for name in ("x-floodcontrol-remaining", "x-ratelimit-remaining"):
                if self.lies[0] is not None and name in headers:
                    headers[name] = str(self.lies[0])
        await anyio.sleep(seconds / 2)
        return read_headers(headers, client_now + seconds)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 100) | st.floats(0, 4000),
            st.floats(0.1, 5),
            st.floats(0, 90),
            priorities,
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(2, 8),
    st.integers(4, 20),
    st.sampled_from(["fixed", "sliding"]),
    st.floats(0, 60),
    st.sampled_from([0.0, 60.0, -60.0, 3600.0]),
    st.booleans(),
    st.builds(
        HeaderForm,
        shown=st.booleans(),
        reset=st.sampled_from(["unix", "milliseconds", "delta", "nonsense"]),
    ),
    st.lists(st.none() | st.integers(0, 99), max_size=4),
)
@many
def test_a_client_that_is_alone_and_told_its_limits_is_never_refused(
    calls: list[tuple[float, float, float, Priority]],
    minute: int,
    hour: int,
    kind: WindowKind,
    phase: float,
    skew: float,
    dated: bool,
    form: HeaderForm,
    lies: list[int | None],
) -> None:
    """Whenever callers come and leave, and whatever headers and clocks say: no call is refused."""

    async def history() -> None:
        limits = Limits(minute, hour, day=10_000)
        clock = At(NOW + phase)
        flood = Flood(limits, clock, minute_window=kind, hour_window=kind, header_form=form)
        instance = Instance(flood, clock, dated=dated, lies=lies)
        admission = Admission(Ledger(limits), At(NOW + phase + skew), 3)

        async def call(start: float, seconds: float, patience: float, priority: Priority) -> None:
            await anyio.sleep(start)
            with anyio.move_on_after(patience):
                ticket = await admission.enter(math.inf, priority=priority)
                seen = NOTHING
                try:
                    seen = await instance.answer(ticket, seconds, admission.now())
                finally:
                    admission.leave(ticket, seen)

        async with anyio.create_task_group() as group:
            for arguments in calls:
                group.start_soon(call, *arguments)
        assert (admission.ledger.in_flight, admission.waiting) == (0, 0)

    trio.run(history, clock=MockClock(autojump_threshold=0))
