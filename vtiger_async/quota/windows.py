"""Windows of time in which calls are counted. Times are Unix seconds, given by the caller."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Literal, Protocol, TypeAlias

from attrs import define, field, frozen

__all__ = [
    "MARGIN",
    "Counted",
    "Delay",
    "RollingDay",
    "SlidingWindow",
    "UtcDay",
    "View",
    "Window",
    "WindowName",
    "WindowUse",
]

WindowName: TypeAlias = Literal["minute", "hour", "day"]
"""The windows that the vendor limits."""

MARGIN = 0.1
"""Seconds by which a window is taken to be longer: clocks tick in steps."""

_DAY = 86_400.0
_BUCKET = 300.0


@frozen
class Delay:
    """When a call may be made, and which window says so.

    Attributes:
        until: Unix seconds; not above the asking moment where the call may be made at once.
        window: The window that binds.
    """

    until: float
    window: WindowName = "minute"


@frozen
class WindowUse:
    """One window of the quota at one moment.

    Attributes:
        name: `"minute"`, `"hour"` or `"day"`.
        limit: Calls it allows; None where unknown. No header shows the hour's: where it was not
            given, it is supposed from the minute's, or was learned from a refusal.
        used: Own calls that count in it.
        remaining: Calls that may still be made, after the own count and the headers; None where
            nothing is known.
        next_at: When one call more may be made as far as this window goes, in Unix seconds; the
            moment of the snapshot, where that is at once.
    """

    name: WindowName
    limit: int | None
    used: int
    remaining: int | None
    next_at: float


class Window(Protocol):
    """Calls counted over a stretch of time."""

    span: float
    """The length of the stretch in seconds."""

    def used(self, now: float) -> int:
        """Return how many calls count at this moment."""
        ...

    def add(self, now: float) -> None:
        """Count a call that the server has answered by now."""
        ...

    def frees_at(self, now: float, calls: int) -> float:
        """Return when that many of the calls counted now will have left; at most all of them."""
        ...

    def leaving(self, now: float, seconds: float) -> int:
        """Return how many of the calls counted now will surely have left after so long."""
        ...


@define
class SlidingWindow:
    """The calls of the last `span` seconds, each with its moment.

    A server with fixed minutes never sees more in one of them than this window holds, so it is
    right under both. A call is counted from its answer on, the last moment at which the server
    can have counted it.

    Attributes:
        span: Seconds that a call counts.
    """

    span: float
    _moments: deque[float] = field(factory=deque[float])

    def used(self, now: float) -> int:
        """Return how many calls count at this moment."""
        moments = self._moments
        start = now - self.span
        while moments and moments[0] <= start:
            moments.popleft()
        return len(moments)

    def add(self, now: float) -> None:
        """Count a call that the server has answered by now."""
        self._moments.append(now)

    def frees_at(self, now: float, calls: int) -> float:
        """Return when that many of the calls counted now will have left."""
        return self._moments[calls - 1] + self.span if self.used(now) >= calls > 0 else now

    def since(self, moment: float) -> int:
        """Return how many calls were counted later than a moment within the window."""
        return len(self._moments) - bisect_right(self._moments, moment)

    def moments(self) -> Iterator[float]:
        """Yield the moments of the calls, the oldest first."""
        return iter(self._moments)

    def leaving(self, now: float, seconds: float) -> int:
        """Return how many of the calls counted now will surely have left after so long."""
        self.used(now)
        return bisect_right(self._moments, now - self.span + seconds)


@define
class RollingDay:
    """The calls of the last 24 hours in 288 buckets of five minutes: 3 KB instead of megabytes.

    A bucket leaves when the youngest call that it can hold leaves, so the count is never too low.

    Attributes:
        span: The seconds of a day.
    """

    span: float = field(default=_DAY, init=False)
    _buckets: deque[tuple[int, int]] = field(factory=deque[tuple[int, int]])
    _total: int = 0

    def used(self, now: float) -> int:
        """Return how many calls count at this moment."""
        while self._buckets and self._ends(self._buckets[0][0]) <= now:
            self._total -= self._buckets.popleft()[1]
        return self._total

    def add(self, now: float) -> None:
        """Count a call that the server has answered by now."""
        bucket = int(now // _BUCKET)
        if self._buckets and self._buckets[-1][0] >= bucket:
            last, count = self._buckets.pop()
            self._buckets.append((last, count + 1))
        else:
            self._buckets.append((bucket, 1))
        self._total += 1

    def frees_at(self, now: float, calls: int) -> float:
        """Return when that many of the calls counted now will have left."""
        self.used(now)
        gone = 0
        for bucket, count in self._buckets:
            gone += count
            if gone >= calls > 0:
                return self._ends(bucket)
        return now

    def leaving(self, now: float, seconds: float) -> int:
        """Return how many of the calls counted now will surely have left after so long."""
        self.used(now)
        return sum(n for bucket, n in self._buckets if self._ends(bucket) <= now + seconds)

    @staticmethod
    def _ends(bucket: int) -> float:
        return (bucket + 1) * _BUCKET + _DAY


@define
class UtcDay:
    """The calls since 00:00 UTC.

    Attributes:
        span: The seconds of a day.
    """

    span: float = field(default=_DAY, init=False)
    _day: int = -1
    _count: int = 0

    def used(self, now: float) -> int:
        """Return how many calls count at this moment."""
        day = int(now // _DAY)
        if day > self._day:
            self._day, self._count = day, 0
        return self._count

    def add(self, now: float) -> None:
        """Count a call that the server has answered by now."""
        self.used(now)
        self._count += 1

    def frees_at(self, now: float, calls: int) -> float:
        """Return when that many of the calls counted now will have left: all at midnight."""
        return (self._day + 1) * _DAY if self.used(now) >= calls > 0 else now

    def leaving(self, now: float, seconds: float) -> int:
        """Return how many of the calls counted now will have left after so long."""
        used = self.used(now)
        return used if now + seconds >= (self._day + 1) * _DAY else 0


@define
class View:
    """What the newest header said was left, less what was granted since.

    Attributes:
        left: Calls that may still be granted by it.
        sent_at: When the call that it came with was granted.
        ends_at: When it says nothing any more.
    """

    left: int
    sent_at: float
    ends_at: float


@define
class Counted:
    """A window with its limit, the own calls in it, and what is known of others'.

    Attributes:
        name: Which window it is.
        window: The own calls.
        limit: Calls that it allows; None where unknown.
        others: The calls of other programs, as far as they have shown.
        shown: Whether headers show the window: then their word counts the others, and more exactly.
        view: The headers' word.
    """

    name: WindowName
    window: Window
    limit: int | None
    others: Window
    shown: bool = True
    view: View | None = None

    def used(self, now: float) -> int:
        """Return how many calls count; others' too where no header shows them."""
        own = self.window.used(now)
        return own if self.shown else own + self.others.used(now)

    def room(self, now: float, in_flight: int) -> float:
        """Return how many calls more it allows by what has been counted."""
        if self.limit is None:
            return math.inf
        known = self.window.used(now) if self.shown else self.used(now)
        return self.limit - known - in_flight

    def leaving(self, now: float, seconds: float) -> int:
        """Return how many calls known now, the others' too, will have left after so long."""
        return self.window.leaving(now, seconds) + self.others.leaving(now, seconds)

    def since(self, now: float, moment: float) -> int:
        """Return how many calls are known, the others' too, that came later than a moment."""
        logs = (self.window, self.others)
        return sum(
            log.since(moment) if isinstance(log, SlidingWindow) else log.used(now) for log in logs
        )

    def free_from(self, now: float, calls: int, in_flight: int) -> float:
        """Return when the next `calls` calls have room by what has been counted."""
        excess = calls - self.room(now, in_flight)
        if excess <= 0 or self.limit is None:
            return now
        used = self.used(now)
        if excess <= used:
            return self._frees_at(now, int(excess)) + MARGIN
        # Beyond all that counts now, calls that are still to be made must leave first: whole spans.
        turns = math.ceil((excess - used) / self.limit)
        start = self._frees_at(now, used) if used else now
        return start + turns * self.window.span + MARGIN

    def use(self, now: float, in_flight: int, blocked: Delay) -> WindowUse:
        """Return the window as it stands.

        Args:
            now: The moment.
            in_flight: Calls that were granted and have not come back.
            blocked: Until when a refusal keeps all calls back, and which window it was about.
        """
        room = self.room(now, in_flight)
        view = self.view
        if view is not None and now < view.ends_at:
            room = min(room, view.left)
        until = self.free_from(now, 1, in_flight)
        if view is not None and view.left <= 0:
            until = max(until, view.ends_at)
        if blocked.window == self.name:
            until = max(until, blocked.until)
        remaining = None if math.isinf(room) else max(0, int(room))
        return WindowUse(self.name, self.limit, self.window.used(now), remaining, until)

    def _frees_at(self, now: float, calls: int) -> float:
        own, others = self.window, self.others
        if self.shown or not (isinstance(own, SlidingWindow) and isinstance(others, SlidingWindow)):
            return own.frees_at(now, calls)
        both = heapq.merge(own.moments(), others.moments())
        return next(islice(both, calls - 1, None)) + own.span
