"""The ledger: own counts and the headers' word, combined into "now" or "not before".

A call may be made when every window has room: limit - own calls in the window - calls in flight,
and what the newest header said was left - calls granted since. After the minute that a header spoke
of has ended, its view is unknown: nothing is assumed, two calls at a time ask, and an answer tells.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

from attrs import define, field, frozen

from vtiger_async.editions import Limits
from vtiger_async.quota.windows import Observation, RollingDay, SlidingWindow, UtcDay, Window

__all__ = ["Delay", "Ledger", "WindowName", "WindowUse"]

WindowName: TypeAlias = Literal["minute", "hour", "day"]
"""The windows that the vendor limits."""

_MARGIN = 0.1
"""Seconds by which a window is taken to be longer: clocks tick in steps."""
_PROBES = 2
"""Calls in flight while the headers' view is unknown."""
_MINUTE_VIEW = 60.0
_DAY_PROBE = 900.0
"""Seconds after which a day that was said to be used up is asked about again."""
_HIDDEN_FIRST, _HIDDEN_MOST = 60.0, 900.0
"""Seconds to wait on a 429 that no header explains: 60, doubling up to 15 minutes."""


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
        limit: Calls it allows; None where unknown.
        used: Own calls that count in it.
        remaining: Calls that may still be made, after the own count and the headers; None where
            nothing is known.
        next_at: When one call more may be made as far as this window goes, in Unix seconds.
    """

    name: WindowName
    limit: int | None
    used: int
    remaining: int | None
    next_at: float


@define
class _View:
    """What the newest header said was left, less what was granted since."""

    left: int
    sent_at: float
    ends_at: float


@define
class _Counted:
    """A window, its limit, and the headers' view of it."""

    name: WindowName
    window: Window
    limit: int | None
    view: _View | None = None

    def own_room(self, now: float, in_flight: int) -> float:
        if self.limit is None:
            return math.inf
        return self.limit - self.window.used(now) - in_flight

    def free_from(self, now: float, calls: int, in_flight: int) -> float:
        """Return when the next `calls` calls have room by the own count."""
        excess = calls - self.own_room(now, in_flight)
        if excess <= 0 or self.limit is None:
            return now
        used = self.window.used(now)
        if excess <= used:
            return self.window.frees_at(now, int(excess)) + _MARGIN
        # Beyond all that counts now, calls that are still to be made must leave first: whole spans.
        turns = math.ceil((excess - used) / self.limit)
        start = self.window.frees_at(now, used) if used else now
        return start + turns * self.window.span + _MARGIN


@define
class Ledger:
    """The quota of one instance, as far as this process can know it. All times are Unix seconds.

    Attributes:
        limits: The limits to start from; what headers say replaces minute and day.
        in_flight: Calls that were granted and have not come back.
    """

    limits: Limits
    in_flight: int = field(default=0, init=False)
    _minute: _Counted = field(init=False)
    _hour: _Counted = field(init=False)
    _day: _Counted = field(init=False)
    _blocked: Delay = field(factory=lambda: Delay(-math.inf), init=False)
    _refusals: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Open the three windows."""
        day: Window = RollingDay() if self.limits.day_policy == "rolling" else UtcDay()
        self._minute = _Counted("minute", SlidingWindow(60.0), self.limits.minute)
        self._hour = _Counted("hour", SlidingWindow(3600.0), self.limits.hour)
        self._day = _Counted("day", day, self.limits.day)

    def next_grant(self, now: float, calls: int = 1) -> Delay:
        """Return when the next `calls` calls could all have been granted.

        Args:
            now: The moment.
            calls: How many calls stand before, this one included.
        """
        delay = self._blocked if self._blocked.until > now else Delay(now)
        for counted in (self._minute, self._hour, self._day):
            until = counted.free_from(now, calls, self.in_flight)
            if until > delay.until:
                delay = Delay(until, counted.name)
        return self._by_views(now, delay)

    def _by_views(self, now: float, delay: Delay) -> Delay:
        for counted in (self._minute, self._day):
            view = counted.view
            if view is not None and view.left <= 0 and view.ends_at > max(now, delay.until):
                delay = Delay(view.ends_at, counted.name)
        return delay

    def probing(self, now: float) -> bool:
        """Return whether the next call should await the answer of one in flight.

        So it is when headers have spoken, the minute they spoke of is over, and two calls that ask
        are under way. No assumption replaces the answer: a server with sliding minutes does not
        refill at Reset.
        """
        view = self._minute.view
        return view is not None and now >= view.ends_at and self.in_flight >= _PROBES

    def grant(self, now: float) -> None:
        """Note that a call leaves now."""
        self.in_flight += 1
        for counted in (self._minute, self._day):
            if counted.view is not None:
                counted.view.left -= 1

    def give_back(self) -> None:
        """Note that a granted call never left: it costs nothing."""
        self.in_flight -= 1
        for counted in (self._minute, self._day):
            if counted.view is not None:
                counted.view.left += 1

    def settle(self, now: float, sent_at: float, seen: Observation) -> None:
        """Note that a call came back, or that it was lost after it had left.

        Args:
            now: The moment of the answer.
            sent_at: When the call was granted; the newest-sent answer is believed.
            seen: What its headers say.
        """
        self.in_flight -= 1
        for counted in (self._minute, self._hour, self._day):
            counted.window.add(now)
        if seen.minute_limit is not None:
            self._minute.limit = seen.minute_limit
        if seen.day_limit is not None:
            self._day.limit = seen.day_limit
        if seen.minute_remaining is not None:
            ends = now + (_MINUTE_VIEW if seen.reset_in is None else seen.reset_in) + _MARGIN
            self._believe(self._minute, seen.minute_remaining, now, sent_at, ends)
        if seen.day_remaining is not None:
            self._believe(self._day, seen.day_remaining, now, sent_at, self._day_ends(now))

    def _believe(
        self, counted: _Counted, remaining: int, now: float, sent_at: float, ends_at: float
    ) -> None:
        # Calls in flight may or may not be in the server's count: taken as not, to be safe.
        left = remaining - self.in_flight
        view = counted.view
        if view is None or now >= view.ends_at or sent_at >= view.sent_at or left < view.left:
            counted.view = _View(left, sent_at, ends_at)

    def _day_ends(self, now: float) -> float:
        if isinstance(self._day.window, UtcDay):
            return (now // 86_400 + 1) * 86_400 + _MARGIN
        return now + _DAY_PROBE

    def refuse(self, now: float, seen: Observation, jitter: float) -> float:
        """Note a 429, and return the seconds that everyone waits for it.

        Args:
            now: The moment of the answer.
            seen: What its headers say.
            jitter: Seconds, positive; so that clients do not all come back at once.
        """
        window: WindowName = "minute"
        if seen.day_remaining == 0:
            window = "day"
            wait = self._day_ends(now) - now
        elif seen.minute_remaining == 0:
            wait = 60.0 if seen.reset_in is None else seen.reset_in
        else:
            # A limit that no header shows: the hour, or a user's own cap.
            window = "hour"
            wait = min(_HIDDEN_MOST, _HIDDEN_FIRST * 2.0**self._refusals)
        self._refusals += 1
        if seen.retry_after is not None:
            wait = seen.retry_after
        self._blocked = Delay(max(self._blocked.until, now + wait + jitter), window)
        return self._blocked.until - now

    def accept(self) -> None:
        """Note that a call was not refused: the next unexplained 429 counts as the first."""
        self._refusals = 0

    def uses(self, now: float) -> tuple[WindowUse, WindowUse, WindowUse]:
        """Return the three windows as they stand."""
        minute, hour, day = (self._use(c, now) for c in (self._minute, self._hour, self._day))
        return minute, hour, day

    def _use(self, counted: _Counted, now: float) -> WindowUse:
        room = counted.own_room(now, self.in_flight)
        view = counted.view
        if view is not None and now < view.ends_at:
            room = min(room, view.left)
        until = counted.free_from(now, 1, self.in_flight)
        if view is not None and view.left <= 0 and view.ends_at > until:
            until = view.ends_at
        if self._blocked.window == counted.name:
            until = max(until, self._blocked.until)
        return WindowUse(
            name=counted.name,
            limit=counted.limit,
            used=counted.window.used(now),
            remaining=None if math.isinf(room) else max(0, int(room)),
            next_at=until,
        )
