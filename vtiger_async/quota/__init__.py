"""The ledger: own counts and the headers' word, combined into "now" or "not before".

A call may be made when every window has room: limit - own calls in the window - calls in flight,
and what the newest header said was left - calls granted since. After the minute that a header spoke
of has ended, its view is unknown: nothing is assumed, two calls at a time ask, and an answer tells.

The hour shows in no header. There the calls of other programs count too, as far as the fall of
Remaining has shown them; and where nobody told its limit, the count at a refusal is taken for it.
"""

from __future__ import annotations

import math
import sys
from typing import Literal, TypeAlias

from attrs import define, field

from vtiger_async.editions import Limits, hours_with
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
_HIDDEN_FIRST, _HIDDEN_MOST = 60.0, 900.0
"""Seconds to wait on a 429 that no header explains: 60, doubling up to 15 minutes."""
_LEAST_HOUR = 50
"""Calls; a refusal at fewer in the hour is not the hour's: no edition has less than 100, of which
other programs may have had some."""
_DOUBT, _DOUBT_KNOWN, _RAISED = 3600.0, 86_400.0, 60.0
"""Seconds after which a learned limit is raised: where calls that nothing showed may have been in
the count, where every call of that hour was known, and once it is being raised."""
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
    _refusals: int = field(default=0, init=False)
    _paced_at: tuple[float, ...] = field(default=(-math.inf, -math.inf), init=False)
    _gaps: tuple[float, ...] = field(default=(0.0, 0.0), init=False)
    _learned_at: float | None = field(default=None, init=False)
    _doubted_at: float = field(default=math.inf, init=False)
    _raise: int = field(default=1, init=False)
    _is_supposed: bool = field(default=False, init=False)
    _suspected: int = field(default=0, init=False)
    _refused: SlidingWindow = field(factory=lambda: SlidingWindow(3600.0), init=False)
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
        for counted in self._windows:
            counted.window.add(now)
        self._begun_at = min(self._begun_at, now)
        self.pacer.lag += 0.1 * (now - sent_at - self.pacer.lag)
        if self._learned_at is not None and sent_at < self._learned_at and self._hour.limit:
            self._hour.limit += 1  # it was under way when the limit was met, and was granted
        if now >= self._doubted_at:
            self._doubt(now)
        if seen.minute_limit is not None:
            if seen.minute_limit != self._minute.limit and self.limits.hour is None:
                self._suppose_hour(now, seen.minute_limit)
            self._minute.limit = seen.minute_limit
        if seen.day_limit is not None:
            self._day.limit = self._own_share(seen.day_limit)
        if seen.minute_remaining is not None or seen.day_remaining is not None:
            self._hear(now, sent_at, seen)

    def _suppose_hour(self, now: float, minute: int) -> None:
        """Take the hour's limit of the editions that have this minute's, where nobody told it.

        Where editions differ the least is taken, and raised from hour to hour until one is refused.
        """
        known = hours_with(minute)
        if known and self._hour.limit is None:
            self._hour.limit, self._is_supposed = known[0], len(known) > 1
            self._doubted_at = now + (_DOUBT if self._is_supposed else _DOUBT_KNOWN)
            # So little more that what a refusal would cost is the last minutes of an hour.
            self._raise = known[0] // 10 if self._is_supposed else 1

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
        self._refused.add(now)
        if seen.day_remaining == 0:
            window = "day"
            wait = self._day_ends(now) - now
        elif seen.minute_remaining == 0:
            wait = 60.0 if seen.reset_in is None else seen.reset_in
        else:
            window = "hour"
            wait = self._learn(now, seen)
        self._refusals += 1
        if seen.retry_after is not None:
            wait = seen.retry_after
        self._blocked = Delay(max(self._blocked.until, now + wait + jitter), window)
        return self._blocked.until - now

    def _learn(self, now: float, seen: Observation) -> float:
        """Take the count of the last hour for the limit that no header shows; return the wait.

        A refusal that does not say that the minute has calls left may be the minute's: that is
        waited for first, and where it did not help, the count at the first refusal is taken.
        """
        known = self._hour.used(now) - self._refused.used(now)
        sure = seen.minute_remaining is not None
        if not sure and self._refusals == 0:
            self._suspected = known
            view = self._minute.view
            return _HIDDEN_FIRST if view is None else min(60.0, max(0.0, view.ends_at - now))
        known = known if sure else min(known, self._suspected)
        if self._refusals == (0 if sure else 1) and known >= _LEAST_HOUR:
            self._hour.limit = min(known, self._hour.limit or known)
            self._learned_at = now
            # Calls from before the first one here, and those that nothing shows, were in the count.
            whole = self._day.view is not None and now - self._begun_at >= self._hour.window.span
            self._doubted_at = now + (_DOUBT_KNOWN if whole else _DOUBT)
            self._raise, self._is_supposed = 1, False
        return min(_HIDDEN_MOST, _HIDDEN_FIRST * 2.0**self._refusals)

    def _doubt(self, now: float) -> None:
        """Raise a learned limit: by one call, then by twice as many each minute, until refused.

        Other programs may have used a part of what was granted when it was learned, and gone since.
        """
        if self._hour.limit is not None:
            told = self.limits.hour
            self._hour.limit = min(self._hour.limit + self._raise, told or sys.maxsize)
            if self._is_supposed:
                self._raise *= 2
                self._doubted_at = now + _DOUBT
                return
            self._raise = min(2 * self._raise, max(1, self._hour.limit // 10))
            if self._hour.limit == told:
                self._doubted_at = math.inf
                return
        self._doubted_at = now + _RAISED

    def accept(self) -> None:
        """Note that a call was not refused: the next unexplained 429 counts as the first."""
        self._refusals = 0

    def uses(self, now: float) -> tuple[WindowUse, WindowUse, WindowUse]:
        """Return the three windows as they stand."""
        at = (now, self.in_flight, self._blocked)
        return self._minute.use(*at), self._hour.use(*at), self._day.use(*at)
