"""The windows of the instance's quota: how many calls count at a moment, and when that changes."""

from __future__ import annotations

from collections import deque
from typing import Literal, Protocol

__all__ = ["FixedWindow", "SlidingWindow", "Window", "WindowKind"]

WindowKind = Literal["fixed", "sliding"]
"""How a window moves: from one boundary of the clock to the next, or with the present moment."""


class Window(Protocol):
    """What the arithmetic needs of a window; `now` never goes back from call to call.

    Attributes:
        limit: Calls that it grants.
    """

    limit: int

    def used(self, now: float) -> int:
        """Return how many calls are charged to the window at `now`."""
        ...

    def charge(self, now: float) -> None:
        """Charge one call."""
        ...

    def refund(self, charged_at: float) -> None:
        """Take back the call charged at that time, if it still counts."""
        ...

    def resets_at(self, now: float) -> float:
        """Return what `X-FloodControl-Reset` tells."""
        ...

    def opens_at(self, now: float) -> float:
        """Return when a full window grants the next call."""
        ...


class FixedWindow:
    """A window that begins anew at every multiple of its span on the clock.

    Args:
        limit: Calls that it grants.
        span: Its length in seconds; 86,400 gives the day from 00:00 UTC.
    """

    def __init__(self, limit: int, span: float) -> None:
        self.limit = limit
        self._span = span
        self._number = -1
        self._used = 0

    def used(self, now: float) -> int:
        """Return how many calls are charged to the window that `now` is in."""
        number = int(now // self._span)
        if number != self._number:
            self._number, self._used = number, 0
        return self._used

    def charge(self, now: float) -> None:
        """Charge one call."""
        self._used = self.used(now) + 1

    def refund(self, charged_at: float) -> None:
        """Take back the call charged at that time, if its window still runs."""
        if int(charged_at // self._span) == self._number:
            self._used -= 1

    def resets_at(self, now: float) -> float:
        """Return when the window ends."""
        return (now // self._span + 1) * self._span

    def opens_at(self, now: float) -> float:
        """Return when a full window grants the next call: when it ends."""
        return self.resets_at(now)


class SlidingWindow:
    """A window that always covers the last `span` seconds.

    Args:
        limit: Calls that it grants.
        span: Its length in seconds.
    """

    def __init__(self, limit: int, span: float) -> None:
        self.limit = limit
        self._span = span
        self._calls: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return how many calls of the last `span` seconds are charged."""
        # The same sum as in opens_at, so that a call at exactly that time is granted.
        calls = self._calls
        while calls and calls[0] + self._span <= now:
            calls.popleft()
        return len(calls)

    def charge(self, now: float) -> None:
        """Charge one call."""
        self._calls.append(now)

    def refund(self, charged_at: float) -> None:
        """Take back the call charged at that time, if it still counts."""
        if charged_at in self._calls:
            self._calls.remove(charged_at)

    def resets_at(self, now: float) -> float:
        """Return when the oldest call leaves the window, that is when `Remaining` next grows."""
        return (self._calls[0] if self.used(now) else now) + self._span

    def opens_at(self, now: float) -> float:
        """Return when a full window grants the next call."""
        return self._calls[self.used(now) - self.limit] + self._span
