"""Clocks that move by hand, where a test or a recording decides when time passes."""

from __future__ import annotations

import heapq
from itertools import count

import anyio
from attrs import define

__all__ = ["HeldClock", "ManualClock"]


class ManualClock:
    """A clock that stands still until `advance()` moves it.

    Whoever sleeps on it wakes when it has been moved far enough. It belongs to one event loop.

    Args:
        start: The Unix time that it shows at first; 2026-01-05 09:00:00 UTC, if not given.
    """

    def __init__(self, start: float = 1767603600.0) -> None:
        self._start = float(start)
        self._now = self._start
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._order = count()

    def __repr__(self) -> str:
        return f"ManualClock({self._now!r})"

    def time(self) -> float:
        """Return the wall time in Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that the clock has been moved."""
        return self._now - self._start

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved by `seconds`."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        woken = anyio.Event()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), woken))
        await woken.wait()

    def advance(self, seconds: float) -> None:
        """Move the clock, and wake whoever has slept long enough.

        Args:
            seconds: How far; not below 0.

        Raises:
            ValueError: The clock would go back.
        """
        if not seconds >= 0:
            msg = f"a clock does not go back: seconds is {seconds!r}"
            raise ValueError(msg)
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            heapq.heappop(self._sleepers)[2].set()


@define
class HeldClock:
    """A clock that stands where it is put; whoever sleeps on it moves it.

    Attributes:
        now: The Unix time that it shows.
    """

    now: float = 0.0

    def time(self) -> float:
        """Return the wall time in Unix seconds."""
        return self.now

    def monotonic(self) -> float:
        """Return the same: it is never put back."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move the clock."""
        self.now += seconds
