"""Pacing: when work that has time may go, so that nobody who has none must wait for it.

Hard rules (the ledger's) say whether a call can be refused. The soft ones here hold for bulk and
sync alone: calls are spread over what is left of minute, hour and day, and room is kept for what
other programs and interactive callers will want until more room comes. That reserve shrinks with
the time for which it has to last, so nothing of a minute is lost in the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

from attrs import define, field, frozen

from vtiger_async.quota.windows import Counted, WindowName

__all__ = ["Demand", "Pace", "Pacer"]

_BIN = 30.0
"""Seconds over which calls are counted before they enter the averages."""
_FORGET = 0.975
"""The weight that an average keeps per bin: half of it is forgotten in about 14 minutes."""
_OWN, _OTHERS = 1.5, 2.0
"""Standard deviations above the mean that interactive callers and other programs find room for."""
_LEAST, _MOST = 1.5, 6.0
"""The same for other programs within the minute: the most where hour or day ask for less than the
minute has, and bulk can choose its moment; the least where the minute binds."""
_LOOK = 3.5
_STANDING = 3.5
"""The most of them under a sliding minute."""
_LAG = 2.0
"""Seconds in which other programs can call unseen, and the time that no reserve falls below where
bulk can choose its moment."""
_DOUBT = 0.25
"""The share of the minute that others are taken to want before their calls could show, with bursts
of eight; each bin of counts halves the doubt."""
_RECENT = 10.0
"""Seconds of others' surplus for which hour and day keep room."""
_MAKE_UP = 60.0
"""Seconds within which bulk makes up for a surplus of the others; no reserve need last longer."""
_SHORT = (2.0, 5.0, 10.0, 20.0)
_MINUTE = (*_SHORT, 30.0, 40.0, 50.0)
_HOUR = (60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0)
_LONG = 2.5
_EVEN = 300.0
_SETTLED = 1200.0
_DAY = (300.0, 3600.0, 14_400.0, 28_800.0, 43_200.0)
"""Seconds ahead at which the forecast of a window is looked at."""
_SOON = 15.0
"""Seconds for which interactive callers find room at once; by then calls have left the minute."""
_DRY = 5.0
"""Seconds without a call that leaves the minute, from which on bulk makes do with what is there."""
_AHEAD = 1.5
"""How much faster than the minute's even rate bulk may go, to make use of what was kept."""
_FLOOR = 0.02
"""Seconds; the end of a minute is never taken to be nearer than this."""


@define
class Demand:
    """Calls that come on their own: those of other programs, or the interactive ones of this one.

    They come in bursts, so the mean says too little: the variance of the counts says how much more
    than the mean may come.

    Attributes:
        doubt: From 1, before anything could be counted, to 0.
    """

    doubt: float = field(default=1.0, init=False)
    _bin: int | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)
    _weight: float = field(default=0.0, init=False)
    _mean: float = field(default=0.0, init=False)
    _square: float = field(default=0.0, init=False)

    def add(self, now: float, calls: int) -> None:
        """Count calls that have come by now.

        Args:
            now: Unix seconds.
            calls: How many.
        """
        self._roll(now)
        self._count += calls

    def _roll(self, now: float) -> None:
        current = int(now // _BIN)
        if self._bin is None:
            self._bin = current
        # What is older than a few hundred bins weighs nothing.
        for _ in range(min(400, current - self._bin)):
            self._weight = _FORGET * self._weight + (1 - _FORGET)
            self._mean = _FORGET * self._mean + (1 - _FORGET) * self._count
            self._square = _FORGET * self._square + (1 - _FORGET) * self._count**2
            self._count = 0
            self.doubt /= 2
        self._bin = max(self._bin, current)

    def per_second(self, now: float) -> tuple[float, float]:
        """Return the mean and the variance of the calls that come in one second."""
        self._roll(now)
        if not self._weight:
            return 0.0, 0.0
        mean, square = self._mean / self._weight, self._square / self._weight
        return mean / _BIN, max(mean, square - mean * mean) / _BIN


_Bound: TypeAlias = tuple[float, float, WindowName]
"""Calls a second, calls to spare now, and the window that allows no more."""


@frozen
class _Wanted:
    """What others will want, in calls a second: mean and variance of ours and of theirs."""

    own: float
    own_variance: float
    theirs: float
    their_variance: float

    def urgently(self, seconds: float) -> float:
        """Return how many interactive calls to be ready for within so many seconds."""
        uneven = math.sqrt(self.own_variance * min(seconds, _MAKE_UP))
        return self.own * seconds + _OWN * uneven

    def at_most(self, seconds: float, deviations: float) -> float:
        """Return how many calls of other programs to be ready for within so many seconds."""
        return self.theirs * seconds + deviations * math.sqrt(self.their_variance * seconds)

    def by_all(self, seconds: float) -> float:
        """Return how many calls of anybody to be ready for within so many seconds."""
        return self.urgently(seconds) + self.theirs * seconds + self.uneven(seconds)

    def uneven(self, seconds: float) -> float:
        """Return how many calls more than on average other programs may make in that time."""
        return _OTHERS * math.sqrt(self.their_variance * min(seconds, _MAKE_UP))


@frozen
class Pace:
    """What bulk may do at a moment.

    Attributes:
        rate: Calls a second, for the minute's sake.
        long_rate: Calls a second over some minutes, for the sake of hour and day.
        open: Whether a call more leaves the reserve untouched.
        window: The window that says so.
        again: Seconds after which it is worth asking again.
    """

    rate: float
    long_rate: float
    open: bool
    window: WindowName
    again: float


@define
class Pacer:
    """The soft rules of one ledger.

    Attributes:
        minute: The minute.
        hour: The hour.
        day: The day.
        even: Whether bulk is to leave something of the day for its end.
        fixed: Whether the server's minute goes from one boundary to the next; None while unknown.
        others: What other programs want.
        urgent: What interactive callers want.
        started_at: When pacing was first asked for; before that no calls are known.
    """

    minute: Counted
    hour: Counted
    day: Counted
    even: bool
    fixed: bool | None = None
    lag: float = 0.0
    others: Demand = field(factory=Demand)
    urgent: Demand = field(factory=Demand)
    started_at: float | None = None

    def pace(self, now: float, in_flight: int) -> Pace:
        """Return what bulk may do now.

        Args:
            now: Unix seconds.
            in_flight: Calls that were granted and have not come back.
        """
        if self.started_at is None:
            self.started_at = now
        theirs, variance = self.others.per_second(now)
        if self.minute.view is not None and self.minute.limit is not None:
            doubt = self.others.doubt * _DOUBT * self.minute.limit / 60.0
            theirs, variance = theirs + doubt, variance + 8 * doubt
        wanted = _Wanted(*self.urgent.per_second(now), theirs, variance)
        left = self._minute_left(now)
        long = list(self._of_hour_and_day(now, in_flight, wanted))
        haste = self._haste(wanted, min(long)[0] if long else math.inf)
        short = list(self._of_minute(now, in_flight, wanted, left, haste))
        none: _Bound = (math.inf, math.inf, "minute")
        slow, slower = min(short, default=none), min(long, default=none)
        is_open = all(spare >= 1 for _, spare, _ in (*short, *long))
        again = min(1.0, max(0.05, left / 20))
        window = min(slow, slower)[2]
        return Pace(max(0.0, slow[0]), max(0.0, slower[0]), is_open, window, again)

    def _haste(self, wanted: _Wanted, long_rate: float) -> float:
        """Return which part of what the minute has for bulk is needed, from 0 to 1: all, it binds.

        Args:
            wanted: What others want of it.
            long_rate: What hour and day allow bulk, in calls a second.
        """
        if self.minute.limit is None:
            return 1.0
        spare = self.minute.limit / 60.0 - wanted.own - wanted.theirs
        return 1.0 if spare <= 0 else min(1.0, max(0.0, long_rate) / spare)

    def _of_minute(
        self, now: float, in_flight: int, wanted: _Wanted, left: float, haste: float
    ) -> Iterator[_Bound]:
        minute = self.minute
        if minute.limit is not None:
            # The own calls of the last 60 s bind under any server. What is kept for interactive
            # callers is let go towards the end of the minute, and built up again after it.
            room = minute.room(now, in_flight)
            # When the first call leaves; an empty minute has to last for all of its span.
            dry = minute.window.frees_at(now, 1) - now if minute.window.used(now) else 60.0
            kept = wanted.urgently(min(max(left, dry), _SOON))
            if dry > _DRY:
                yield (room - min(kept, wanted.urgently(dry))) / dry, math.inf, "minute"
            yield math.inf, room - math.floor(kept), "minute"
            for ahead in (*(step for step in _MINUTE if step < left), left):
                spare = room + minute.window.leaving(now, ahead) - min(kept, wanted.urgently(ahead))
                yield spare / ahead, math.inf, "minute"
            yield (math.inf if self.fixed else _AHEAD * minute.limit / 60.0), math.inf, "minute"
        view = minute.view
        if view is None:
            return
        choice = 1.0
        deviations = _LEAST + (_MOST - _LEAST) * choice
        if self.fixed and now + self.lag >= view.ends_at:
            # A new minute, of which no answer has told yet: others may have called since it began.
            begun = now + self.lag - (now + self.lag - view.ends_at) % 60.0
            seen_at, left_over = begun, (minute.limit or 0) - minute.since(now, begun) - in_flight
        else:
            seen_at, left_over = view.sent_at, view.left
        if now >= view.ends_at and not self.fixed:
            return
        if self.fixed is not False:
            unseen = max(0.0, now - seen_at)
            reserve = wanted.urgently(left) + wanted.theirs * (left + unseen)
            own = wanted.urgently(left)
            spare = left_over - math.floor(
                reserve + deviations * math.sqrt(wanted.their_variance * (left + unseen))
            )
            if spare < 1 and in_flight == 0:
                # Worth a look: what has been called unseen makes the most of the doubt.
                safe = left_over - wanted.at_most(unseen, _LOOK)
                soon = left_over - wanted.at_most(unseen + 1.0, _LOOK)
                fresh = left_over - own - wanted.theirs * unseen - wanted.at_most(left, deviations)
                hope = left_over - reserve - wanted.at_most(2.0, deviations)
                if safe >= 1 and (fresh >= 1 or (soon < 1 and hope >= 1)):
                    spare = 1
            yield (left_over - reserve) / left, spare, "minute"
            return
        # The header's word ages: calls leave, and others come that no answer has shown yet.
        known = minute.window.used(now) + minute.others.used(now) + in_flight
        unseen = wanted.theirs * max(0.0, now - view.sent_at)
        now_left = (view.left if minute.limit is None else minute.limit - known) - unseen
        for ahead in _SHORT:
            spare = now_left + minute.leaving(now, ahead) - wanted.theirs * ahead
            # No boundary gives back what was kept here: a reserve for all that may come is dear.
            surplus = min(deviations, _STANDING) * math.sqrt(wanted.their_variance * ahead)
            kept = wanted.urgently(min(ahead, left)) + wanted.uneven(_SHORT[0])
            yield (spare - kept) / ahead, spare - surplus, "minute"

    def _of_hour_and_day(self, now: float, in_flight: int, wanted: _Wanted) -> Iterator[_Bound]:
        for counted, steps in ((self.hour, _HOUR), (self.day, _DAY)):
            room = counted.room(now, in_flight)
            if counted.view is not None and now < counted.view.ends_at:
                room = min(room, counted.view.left)
            if math.isinf(room):
                continue
            if counted is self.day and not self.even:
                yield math.inf, room - wanted.urgently(_MAKE_UP * _MAKE_UP), "day"
                continue
            # Until a whole window has been seen, nothing leaves it: it has to last so long.
            young = (self.started_at or now) + counted.window.span - now
            base = wanted.own, wanted.theirs
            for ahead in (*steps, young) if young > 0 else steps:
                spare = room + counted.leaving(now, ahead) - sum(base) * ahead
                surplus = math.sqrt(
                    (_OWN**2 * wanted.own_variance + _LONG**2 * wanted.their_variance)
                    * min(ahead, _SETTLED)
                )
                rate = spare / ahead if ahead in (_EVEN, young) else math.inf
                yield rate, spare - surplus, counted.name

    def _minute_left(self, now: float) -> float:
        view = self.minute.view
        if view is not None and self.fixed:
            return max(_FLOOR, (view.ends_at - now - self.lag) % 60.0)
        return 60.0 - now % 60.0
