"""What no real controller has: knowledge of every call in advance, or of every call at once.

The clairvoyant knows when the other programs and the interactive callers will call, in the same
run. It lets a call of ours go where it is granted and where no call of the others is refused for
it. An interactive call that finds no such moment within the bar on its wait goes all the same, and
costs another program its call; one in a hundred waits, as the bar on the 99th percentile allows.
Bulk takes what is left over, as early as it can. So nobody who keeps those bars refuses fewer of
theirs, but for single calls: which interactive one waits is decided as they come.

The watcher sees each call of the others in the moment in which it is counted, without asking, but
none in advance. It keeps a reserve and a distance between its bulk calls; both were searched for
with seeds 1 to 4 under sliding windows, for the fewest refusals at 97 % used. It shows what under
sliding windows foresight alone could better.
"""

from __future__ import annotations

import asyncio
import math
import random
from bisect import bisect_left, bisect_right
from collections import deque
from typing import Literal, Protocol

from instance import LATENCY, Scenario, Server, arrivals
from virtual import START, VirtualClock

from vtiger_async.sandbox.flood import OtherProgram

HOLD = 0.8
"""Seconds that an interactive call may be held back: with its own 0.2 it is answered in one."""
MAY_WAIT = 0.01
"""The share of them that may wait longer, by a bar on the 99th percentile."""
AFTER = 0.001
"""Seconds that are enough to come later, whatever the steps of the loop add."""


class Bound(Protocol):
    """A window with all that is known to come."""

    def free(self, at: float) -> float:
        """Return from when on a call pushes none out, nor is refused; not before `at`."""
        ...

    def opens(self, at: float) -> float:
        """Return from when on a call is granted, whoever is refused for it."""
        ...

    def take(self, at: float) -> None:
        """Add a call."""
        ...


class FixedBound:
    """A window from one boundary to the next: a call pushes out whoever comes when it is full."""

    def __init__(self, limit: int, span: float) -> None:
        self.limit, self.span = limit, span
        self.calls: dict[int, list[float]] = {}

    def free(self, at: float) -> float:
        number = int(at // self.span)
        while len(self.calls.get(number, ())) >= self.limit:
            number += 1
        return max(at, number * self.span)

    def opens(self, at: float) -> float:
        number = int(at // self.span)
        full = bisect_right(self.calls.get(number, []), at) >= self.limit
        return (number + 1) * self.span if full else at

    def take(self, at: float) -> None:
        calls = self.calls.setdefault(int(at // self.span), [])
        calls.insert(bisect_right(calls, at), at)


class SlidingBound:
    """A window of the last `span` seconds: each call sees those of the span before it."""

    def __init__(self, limit: int, span: float) -> None:
        self.limit, self.span = limit, span
        self.calls: list[float] = []
        self.room: list[int] = []  # what is left behind each call: the limit less its span's calls

    def free(self, at: float) -> float:
        while True:
            later = max(at, self.opens(at))
            first, last = (
                bisect_right(self.calls, later),
                bisect_left(self.calls, later + self.span),
            )
            tight = next((i for i in range(last - 1, first - 1, -1) if self.room[i] < 1), None)
            if tight is not None:
                later = self.calls[tight] + AFTER
            if later == at:
                return at
            at = later

    def opens(self, at: float) -> float:
        end = bisect_right(self.calls, at)
        start = bisect_right(self.calls, at - self.span)
        if end - start < self.limit:
            return at
        return self.calls[end - self.limit] + self.span + AFTER

    def take(self, at: float) -> None:
        place = bisect_right(self.calls, at)
        start = bisect_right(self.calls, at - self.span)
        for i in range(place, bisect_left(self.calls, at + self.span)):
            self.room[i] -= 1
        self.calls.insert(place, at)
        self.room.insert(place, self.limit - (place - start) - 1)


class Plan:
    """When each call of ours is best admitted, in Unix seconds.

    Attributes:
        interactive: The moment of each interactive call, in their order.
        bulk: The moments for bulk, in order.
    """

    def __init__(self, scenario: Scenario) -> None:
        end = START + scenario.seconds
        others = OtherProgram(scenario.others, random.Random(scenario.seed))
        list(others.due(START))
        self._bounds = bounds(scenario, list(others.due(end)))
        self.interactive: list[float] = []
        wanted = [START + at + LATENCY / 2 for at in arrivals(scenario)]
        patience = int(MAY_WAIT * len(wanted))
        for at in wanted:
            moment = self._first(at, "free")
            if moment > at + HOLD and patience:
                patience -= 1
            elif moment > at + HOLD:
                moment = self._first(at, "opens")
            self._take(moment)
            self.interactive.append(moment)
        self.bulk: deque[float] = deque()
        gap = 1.01 * LATENCY / max(1, scenario.workers)  # so many are under way at once
        at = START + LATENCY / 2
        while scenario.workers and (at := self._first(at, "free")) < end:
            self._take(at)
            self.bulk.append(at)
            at += gap

    def _first(self, at: float, ask: Literal["free", "opens"]) -> float:
        while True:
            later = max([at, *(getattr(bound, ask)(at) for bound in self._bounds)])
            if later == at:
                return at
            at = later

    def _take(self, at: float) -> None:
        for bound in self._bounds:
            bound.take(at)


def bounds(scenario: Scenario, others: list[float]) -> list[Bound]:
    """Return the windows with those calls of the others that are granted when we make none."""
    limits = scenario.limits
    day = "sliding" if limits.day_policy == "rolling" else "fixed"
    makers = [
        (FixedBound if kind == "fixed" else SlidingBound, limit, span)
        for limit, span, kind in (
            (limits.minute, 60.0, scenario.kind),
            (limits.hour, 3600.0, scenario.kind),
            (limits.day, 86_400.0, day),
        )
        if limit is not None
    ]
    found: list[Bound] = [make(limit, span) for make, limit, span in makers]
    for at in others:
        if all(bound.opens(at) <= at for bound in found):
            for bound in found:
                bound.take(at)
    return found


class Clairvoyant:
    """Sends each call so that it arrives at its planned moment."""

    def __init__(self, scenario: Scenario, server: Server) -> None:
        self.plan = Plan(scenario)
        self.server = server
        self.people = iter(self.plan.interactive)

    async def call(self, *, bulk: bool) -> None:
        now = VirtualClock().time
        if bulk:
            at = self.plan.bulk.popleft() if self.plan.bulk else math.inf
        else:
            at = next(self.people)
        while True:
            if math.isinf(at):
                await asyncio.Event().wait()
            await asyncio.sleep(max(0.0, at - LATENCY / 2 - now()))
            if (await self.server.send()).status != 429:
                return
            at = now() + 1.0  # a rounding of the moment: the plan has none that is refused


class Watcher:
    """Knows at every moment what is left of each window."""

    RESERVE, DISTANCE, HOUR = 20, 2.2, 40
    """Calls that bulk leaves of the minute, seconds between two of its calls, and calls that it
    leaves of the hour."""

    def __init__(self, scenario: Scenario, server: Server) -> None:
        self.server = server
        self.next = 0.0
        self.in_flight = 0

    async def call(self, *, bulk: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._may(loop.time(), bulk=bulk):
                await asyncio.sleep(max(0.1, self.next - loop.time()) if bulk else 0.1)
                continue
            self.in_flight += 1
            reply = await self.server.send()
            self.in_flight -= 1
            if reply.status != 429:
                return

    def _may(self, now: float, *, bulk: bool) -> bool:
        windows = self.server.flood.snapshot()["windows"]
        left = {name: window["left"] - self.in_flight for name, window in windows.items()}
        if not bulk:
            return min(left.values()) > 0
        if now < self.next or left["minute"] <= self.RESERVE or left["hour"] <= self.HOUR:
            return False
        self.next = now + self.DISTANCE
        return True
