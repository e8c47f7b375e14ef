"""Windows of time in which calls are counted. Times are Unix seconds, given by the caller."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from attrs import define, field

__all__ = ["RollingDay", "SlidingWindow", "UtcDay", "Window"]

_DAY = 86_400.0
_BUCKET = 300.0


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
