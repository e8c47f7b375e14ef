"""The ledger: own counts and the headers' word, combined into "now" or "not before".

A call may be made when every window has room: limit - own calls in the window - calls in flight,
and what the newest header said was left - calls granted since. After the minute that a header spoke
of has ended, its view is unknown: nothing is assumed, two calls at a time ask, and an answer tells.

The hour shows in no header. There the calls of other programs count too, as far as the fall of
Remaining has shown them; and where nobody told its limit, the count at a refusal is taken for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

from attrs import define, field

from vtiger_async.editions import Limits
from vtiger_async.errors import ConfigurationError
from vtiger_async.quota.headers import Evidence, Observation
from vtiger_async.quota.pacing import Pacer
from vtiger_async.quota.windows import (
    MARGIN,
    Counted,
    Delay,
    RollingDay,
    SlidingWindow,
    UtcDay,
    View,
    Window,
    WindowName,
    WindowUse,
)

if TYPE_CHECKING:
    from vtiger_async.quota.hidden import HiddenLimit

__all__ = ["Delay", "Ledger", "Priority", "Spread", "WindowName", "WindowUse"]

Priority: TypeAlias = Literal["interactive", "sync", "bulk"]
"""Who goes first: a person who waits, a synchronisation, or work that has all the time."""
Spread: TypeAlias = Literal["even", "fast"]
"""How bulk uses up the day: evenly over what is left of it, or as fast as minute and hour allow."""

_PROBES = 2
"""Calls in flight while the headers' view is unknown."""
_MINUTE_VIEW = 60.0
_DAY_PROBE = 900.0
"""Seconds after which a day that was said to be used up is asked about again."""
_LATE = (1.0, 120.0)
"""Seconds by which a paced call may be late, by the minute's pace and by that of hour and day, and
the next one still comes when it would have."""
_GLANCE = 0.1
"""Seconds after which answers are looked at again for calls of others: each tells of all so far."""


@define
class Ledger:
    """The quota of one instance, as far as this process can know it. All times are Unix seconds.

    Attributes:
        limits: The limits to start from; what headers say replaces minute and day.
        spread: How bulk uses up the day.
        reserve: The share of the day that is left to other programs.
        in_flight: Calls that were granted and have not come back.
        pacer: The soft rules, which hold for bulk and sync.
    """

    limits: Limits
    spread: Spread = "fast"
    reserve: float = 0.0
    in_flight: int = field(default=0, init=False)
    pacer: Pacer = field(init=False)
    _minute: Counted = field(init=False)
    _hour: Counted = field(init=False)
    _day: Counted = field(init=False)
    _windows: tuple[Counted, Counted, Counted] = field(init=False)
    _blocked: Delay = field(factory=lambda: Delay(-math.inf), init=False)
    _paced_at: tuple[float, ...] = field(default=(-math.inf, -math.inf), init=False)
    _gaps: tuple[float, ...] = field(default=(0.0, 0.0), init=False)
    _hidden: HiddenLimit = field(init=False)
    _begun_at: float = field(default=math.inf, init=False)
    _evidence: Evidence = field(init=False)
    _watched_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Open the three windows; refuse a spread or a reserve that makes no sense."""
        if self.spread not in ("even", "fast"):
            raise ConfigurationError(f"spread is 'even' or 'fast', not {self.spread!r}")
        if not 0 <= self.reserve < 1:
            raise ConfigurationError(
                f"reserve is a share of the day from 0 to below 1, not {self.reserve!r}"
            )
        day: Window = RollingDay() if self.limits.day_policy == "rolling" else UtcDay()
        limits = self.limits
        self._minute = Counted("minute", SlidingWindow(60.0), limits.minute, SlidingWindow(60.0))
        hour, others = SlidingWindow(3600.0), SlidingWindow(3600.0)
        self._hour = Counted("hour", hour, limits.hour, others, shown=False)
        self._day = Counted("day", day, self._own_share(limits.day), type(day)())
        self._windows = (self._minute, self._hour, self._day)
        from vtiger_async.quota.hidden import HiddenLimit  # only where there is a client

        self._hidden = HiddenLimit(self._hour, limits.hour)
        self._evidence = Evidence(self._minute, self._day)
        self.pacer = Pacer(self._minute, self._hour, self._day, even=self.spread == "even")

    def _own_share(self, calls: int | None) -> int | None:
        return None if calls is None else max(1, int(calls * (1 - self.reserve)))

    def next_grant(self, now: float, calls: int = 1) -> Delay:
        """Return when the next `calls` calls could all have been granted.

        Args:
            now: The moment.
            calls: How many calls stand before, this one included.
        """
        latest, window = now, self._minute.name
        if self._blocked.until > now:
            latest, window = self._blocked.until, self._blocked.window
        for counted in self._windows:
            if counted.room(now, self.in_flight) < calls:
                until = counted.free_from(now, calls, self.in_flight)
                if until > latest:
                    latest, window = until, counted.name
            view = counted.view
            if view is not None and view.left <= 0 and view.ends_at > latest:
                latest, window = view.ends_at, counted.name
        return Delay(latest, window)

    def next_paced(self, now: float, priority: Priority = "bulk") -> Delay:
        """Return when a call that has time may go, or when to ask again.

        Args:
            now: The moment; an interactive call may go.
            priority: `"sync"` leaves the reserve alone, `"bulk"` keeps to the pace too.
        """
        pace = self.pacer.pace(now, self.in_flight)
        until = now + pace.again
        # Without a rate nothing is due; who goes all the same, as no class starves, owes no gap.
        self._gaps = tuple(1.0 / r if r > 0 else 0.0 for r in (pace.rate, pace.long_rate))
        if pace.open and priority == "sync":
            until = now
        elif pace.open and pace.rate > 0 and pace.long_rate > 0:
            due = max(at + gap for at, gap in zip(self._paced_at, self._gaps, strict=True))
            until = max(now, min(until, due))
        return Delay(until, pace.window)

    def probing(self, now: float) -> bool:
        """Return whether the next call should await the answer of one in flight.

        So it is when headers have spoken, the minute they spoke of is over, and two calls that ask
        are under way. No assumption replaces the answer: a server with sliding minutes does not
        refill at Reset.
        """
        view = self._minute.view
        if view is None or now < view.ends_at:
            return False
        return self.in_flight >= (_PROBES if self.pacer.fixed is not False else 1)

    def grant(self, now: float, priority: Priority = "interactive") -> None:
        """Note that a call leaves now."""
        self.in_flight += 1
        for counted in self._windows:
            if counted.view is not None:
                counted.view.left -= 1
        if priority == "interactive":
            self.pacer.urgent.add(now, 1)
        elif priority == "bulk":
            times = zip(self._paced_at, self._gaps, _LATE, strict=True)
            self._paced_at = tuple(max(at + gap, now - late) for at, gap, late in times)

    def give_back(self, granted_at: float) -> None:
        """Note that a granted call never left: it costs nothing.

        Args:
            granted_at: When it was granted.
        """
        self.in_flight -= 1
        for counted in self._windows:
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
        self._hidden.answered(now, sent_at)
        for counted in self._windows:
            counted.window.add(now)
        self._begun_at = min(self._begun_at, now)
        self.pacer.lag += 0.1 * (now - sent_at - self.pacer.lag)
        if seen.minute_limit is not None:
            told = self.limits.minute is not None or self.limits.hour is not None
            if seen.minute_limit != self._minute.limit and not told:
                self._hidden.suppose(now, seen.minute_limit)
            self._minute.limit = seen.minute_limit
        if seen.day_limit is not None:
            self._day.limit = self._own_share(seen.day_limit)
        if seen.minute_remaining is not None or seen.day_remaining is not None:
            self._hear(now, sent_at, seen)

    def _hear(self, now: float, sent_at: float, seen: Observation) -> None:
        """Take the headers' word for what is left, and for what other programs called."""
        minute, evidence = self._minute, self._evidence
        newest = minute.view is None or sent_at >= minute.view.sent_at
        if seen.minute_remaining is not None:
            ends = now + (_MINUTE_VIEW if seen.reset_in is None else seen.reset_in) + MARGIN
            if newest:
                ends = evidence.reset(ends)
                self.pacer.fixed = evidence.fixed
                if evidence.fixed is False:
                    ends = self._sliding_end(now, seen.minute_remaining - self.in_flight, ends)
            self._believe(minute, seen.minute_remaining, now, sent_at, ends)
        if seen.day_remaining is not None:
            self._believe(self._day, seen.day_remaining, now, sent_at, self._day_ends(now))
        if newest and now - self._watched_at >= _GLANCE:
            self._watched_at = now
            for _ in range(evidence.of_minute(now, self.in_flight, seen)):
                self._count_other(now)
            for _ in range(evidence.of_day(now, self.in_flight, seen)):
                self._count_other(now)

    def _count_other(self, now: float) -> None:
        for counted in self._windows:
            counted.others.add(now)
        self.pacer.others.add(now, 1)

    def _believe(
        self, counted: Counted, remaining: int, now: float, sent_at: float, ends_at: float
    ) -> None:
        # Calls in flight may or may not be in the server's count: taken as not, to be safe.
        left, view = remaining - self.in_flight, counted.view
        if view is None or sent_at >= view.sent_at or now >= view.ends_at or left < view.left:
            counted.view = View(left, sent_at, ends_at)

    def _sliding_end(self, now: float, left: int, resets_at: float) -> float:
        """Return until when a header of a sliding minute says something.

        Its Reset is when the next call leaves: what is left does not end with it. Where nothing is,
        the logs tell that moment more exactly than in whole seconds, if they know of all calls.
        """
        minute = self._minute
        if left > 0:
            return now + _MINUTE_VIEW
        logs = [log for log in (minute.window, minute.others) if log.used(now)]
        if minute.limit is None or sum(log.used(now) for log in logs) < minute.limit:
            return resets_at
        return min(log.frees_at(now, 1) for log in logs) + MARGIN

    def _day_ends(self, now: float) -> float:
        if isinstance(self._day.window, UtcDay):
            return (now // 86_400 + 1) * 86_400 + MARGIN
        return now + _DAY_PROBE

    def refuse(self, now: float, seen: Observation, jitter: float) -> float:
        """Note a 429, and return the seconds that everyone waits for it.

        Args:
            now: The moment of the answer.
            seen: What its headers say.
            jitter: Seconds, positive; so that clients do not all come back at once.
        """
        window: WindowName = "minute"
        self._hidden.refuse(now)
        if seen.day_remaining == 0:
            window = "day"
            wait = self._day_ends(now) - now
        elif seen.minute_remaining == 0:
            wait = 60.0 if seen.reset_in is None else seen.reset_in
        else:
            window = "hour"
            whole = self._is_whole(now)
            wait = self._hidden.learn(now, seen, self._minute.view, whole=whole)
        if seen.retry_after is not None:
            wait = seen.retry_after
        self._blocked = Delay(max(self._blocked.until, now + wait + jitter), window)
        return self._blocked.until - now

    def _is_whole(self, now: float) -> bool:
        """Return whether every call of the last hour is known, those of other programs too."""
        if self._day.view is None:
            return False  # what shows others best
        before = self._evidence.before
        if before is not None and before <= 0:
            return True  # no call was made on this day before the first one here
        return now - self._begun_at >= self._hour.window.span

    def accept(self) -> None:
        """Note that a call was not refused: the next unexplained 429 counts as the first."""
        self._hidden.accept()

    def uses(self, now: float) -> tuple[WindowUse, WindowUse, WindowUse]:
        """Return the three windows as they stand."""
        at = (now, self.in_flight, self._blocked)
        return self._minute.use(*at), self._hour.use(*at), self._day.use(*at)
