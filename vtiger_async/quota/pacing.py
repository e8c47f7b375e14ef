"""Pacing: when work that has time may go, so that nobody who has none must wait for it.

Hard rules (the ledger's) say whether a call can be refused. The soft ones here hold for bulk and
sync alone. Each is a forecast: what a window has, and what will have left it by some moment ahead,
less what others will want until then. Two answers follow: a rate, so that bulk is spread and nobody
finds a window that has just been emptied, and whether one call more leaves the reserve whole.

A reserve lasts until more room comes for certain. In a fixed minute that is its end, so the reserve
shrinks and bulk goes late, when the others of that minute have shown. In windows that slide only
calls that leave make room, and each call of ours stays for as long as the window is.
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
_DOUBT, _BURST = 0.25, 8
"""The share of the minute that others are taken to want before their calls could show, and in what
bursts; each bin of counts halves the doubt."""
_OWN = 1.5
"""Standard deviations above the mean of interactive calls that find room. Who finds none waits for
the next call that leaves, a second or so: more would cost more than it is worth."""
_BINDING, _CHOOSING, _SLIDING = 1.5, 6.0, 2.8
"""The same for calls of other programs in the minute: where the minute is what binds; where hour or
day do, so that bulk can choose its moment and caution costs nothing; the most where the minute
slides, and no boundary gives back what was kept."""
_LOOK = 3.5
"""The same for calls that no answer has shown yet, before a call that is to find out."""
_LONG = 3.5
"""The same for hour and day. What is kept for them is the part of the hour that is lost."""
_SETTLED = 1200.0
"""Seconds after which bulk has made up for what others called above their mean."""
_PATIENCE = 0.45
"""Seconds within which an interactive call finds room: with that, one kept free for half of the
time makes half of them wait for nothing, and none for long."""
_AHEAD = 1.5
"""How much faster than the minute's even rate bulk may go while others could be hurt by it."""
_SHORT = (2.0, 5.0, 10.0, 20.0)
_MINUTE = (*_SHORT, 40.0, 60.0)
_HOUR = (10.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0)
_DAY = (300.0, 3600.0, 14_400.0, 28_800.0, 43_200.0)
"""Seconds ahead at which the forecast of a window is looked at."""
_EVEN = 300.0
"""Seconds over which bulk is spread for the sake of hour and day."""
_SOON = 0.05
"""Seconds; nobody asks again sooner than this."""
_SOME = 0.01
"""Calls a second of others that are worth looking out for."""
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
        return self.own * seconds + _OWN * math.sqrt(self.own_variance * seconds)

    def at_most(self, seconds: float, deviations: float) -> float:
        """Return how many calls of other programs to be ready for within so many seconds."""
        return self.theirs * seconds + deviations * math.sqrt(self.their_variance * seconds)


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
        lag: Seconds from a call to its answer, on average: one that leaves so short before the end
            of a minute is counted in the next.
    """

    minute: Counted
    hour: Counted
    day: Counted
    even: bool
    fixed: bool | None = None
    others: Demand = field(factory=Demand)
    urgent: Demand = field(factory=Demand)
    started_at: float | None = None
    lag: float = 0.0

    def pace(self, now: float, in_flight: int) -> Pace:
        """Return what bulk may do now.

        Args:
            now: Unix seconds.
            in_flight: Calls that were granted and have not come back.
        """
        if self.started_at is None:
            self.started_at = now
        wanted = self._wanted(now)
        left = self._minute_left(now)
        long = list(self._of_hour_and_day(now, in_flight, wanted))
        short = [
            *self._of_own_minute(now, in_flight, wanted, left),
            *self._of_told_minute(now, in_flight, wanted, left),
        ]
        none: _Bound = (math.inf, math.inf, "minute")
        slow, slower = min(short, default=none), min(long, default=none)
        is_open = all(spare >= 1 for _, spare, _ in (*short, *long))
        window = min(slow, slower)[2]
        again = self._again(now, left, wanted, {name for _, spare, name in long if spare < 1})
        return Pace(max(0.0, slow[0]), max(0.0, slower[0]), is_open, window, again)

    def _again(self, now: float, left: float, wanted: _Wanted, closed: set[WindowName]) -> float:
        """Return the seconds after which another answer may be given; each answer asks too."""
        if closed:
            logs = [c.window for c in (self.hour, self.day) if c.name in closed]
            leaves = [log.frees_at(now, 1) - now for log in logs if log.used(now)]
            return min(_BIN, max([1.0, *leaves]) if leaves else _BIN)
        # The nearer the end of a minute that others use, the more each moment says.
        again = min(1.0, max(_SOON, left / 20)) if wanted.theirs >= _SOME else 1.0
        if self.minute.window.used(now):
            soon = self.minute.window.frees_at(now, 1) - _PATIENCE - now
            again = min(again, max(_SOON, soon)) if soon > 0 else again
        return again

    def _wanted(self, now: float) -> _Wanted:
        theirs, variance = self.others.per_second(now)
        if self.minute.view is not None and self.minute.limit is not None:
            doubt = self.others.doubt * _DOUBT * self.minute.limit / 60.0
            theirs, variance = theirs + doubt, variance + _BURST * doubt
        return _Wanted(*self.urgent.per_second(now), theirs, variance)

    def _of_own_minute(
        self, now: float, in_flight: int, wanted: _Wanted, left: float
    ) -> Iterator[_Bound]:
        """The own calls of the last 60 s bind under any server."""
        minute = self.minute
        if minute.limit is None:
            return
        room = minute.room(now, in_flight)
        # When the first call leaves; an empty minute has to last for all of its span.
        dry = minute.window.frees_at(now, 1) - now if minute.window.used(now) else 60.0
        kept = max(1, math.floor(wanted.urgently(dry))) if wanted.own else 0
        soon = minute.window.leaving(now, _PATIENCE)
        yield max(0.0, room) / max(dry, 1.0), min(room, room + soon - kept), "minute"
        for ahead in [step for step in _MINUTE if step < left or not self.fixed]:
            yield (room + minute.window.leaving(now, ahead)) / ahead, math.inf, "minute"
        if not self.fixed:
            yield _AHEAD * minute.limit / 60.0, math.inf, "minute"

    def _of_told_minute(
        self, now: float, in_flight: int, wanted: _Wanted, left: float
    ) -> Iterator[_Bound]:
        """What the headers say is left, and others want of it."""
        minute, view = self.minute, self.minute.view
        if view is None:
            return
        seen_at, room = view.sent_at, view.left
        steps: tuple[tuple[float, int], ...] = ((left, 0),)
        lands = now + self.lag
        if self.fixed is False:
            if minute.limit is not None:
                room = minute.limit - minute.window.used(now) - minute.others.used(now) - in_flight
            steps = tuple((ahead, minute.leaving(now, ahead)) for ahead in _SHORT)
        elif lands >= view.ends_at:
            if not self.fixed or minute.limit is None:
                return
            # A new minute, of which no answer has told: others may have called since it began.
            seen_at = lands - (lands - view.ends_at) % 60.0
            room = minute.limit - minute.since(now, seen_at) - in_flight
        unseen = max(0.0, now - seen_at)
        deviations = self._caution(wanted)
        mean = wanted.own + wanted.theirs
        rate = min((room + gone - wanted.theirs * unseen - mean * h) / h for h, gone in steps)
        yield rate, self._spare(wanted, deviations, room, unseen, steps, in_flight), "minute"

    def _spare(
        self,
        wanted: _Wanted,
        deviations: float,
        room: int,
        unseen: float,
        steps: tuple[tuple[float, int], ...],
        in_flight: int,
    ) -> float:
        """Return what may be used of the room that was left so many seconds ago.

        Where that is too long ago to tell, one call at a time goes to find out, if it is safe and
        its answer could open the minute; or if later it would not be safe any more.
        """

        def least(known: float, extra: float) -> float:
            return min(
                known
                + gone
                - math.floor(wanted.urgently(h) + wanted.at_most(h + extra, deviations))
                for h, gone in steps
            )

        spare = least(room, unseen)
        if spare >= 1 or in_flight:
            return spare
        if unseen >= 60.0:
            return 1  # nothing is known any more, and somebody has to ask
        likely = room - wanted.theirs * unseen
        safe = room - wanted.at_most(unseen, _LOOK) >= 1
        if safe and least(likely, 0.0) >= 1:
            return 1
        slides = self.fixed is False
        rest = 0.0 if slides else wanted.theirs * steps[0][0]
        if likely - rest - wanted.at_most(_SHORT[0], deviations) < 1:
            return spare
        if slides:  # a look takes room for a minute: only where nobody else has asked for long
            return 1 if unseen >= _SHORT[-1] else spare
        later = room - wanted.at_most(unseen + 1.0, _LOOK) >= 1
        return 1 if safe and not later else spare

    def _caution(self, wanted: _Wanted) -> float:
        """Return how many deviations of others to be ready for: more the less the minute binds."""
        if self.minute.limit is None:
            return _BINDING
        demand = wanted.own + wanted.theirs
        mine = self.minute.limit / 60.0 - demand
        long = [self.hour, self.day] if self.even else [self.hour]
        asked = [c.limit / c.window.span - demand for c in long if c.limit is not None]
        needed = min([mine, *asked]) / mine if mine > 0 else 1.0
        choice = min(1.0, max(0.0, 2 * (1 - needed)))
        most = _SLIDING if self.fixed is False else _CHOOSING
        return _BINDING + (most - _BINDING) * choice

    def _of_hour_and_day(self, now: float, in_flight: int, wanted: _Wanted) -> Iterator[_Bound]:
        for counted, steps in ((self.hour, _HOUR), (self.day, _DAY)):
            room = counted.room(now, in_flight)
            if counted.view is not None and now < counted.view.ends_at:
                room = min(room, counted.view.left)
            if math.isinf(room):
                continue
            if counted is self.day and not self.even:
                # Bulk may use the day up long before its end, and people call until then.
                log = counted.window
                dry = log.frees_at(now, 1) - now if log.used(now) else log.span
                yield math.inf, room - wanted.urgently(max(3600.0, dry)), "day"
                continue
            # Until a whole window has been seen, nothing leaves it: it has to last so long.
            young = (self.started_at or now) + counted.window.span - now
            mean = wanted.own + wanted.theirs
            variance = _OWN**2 * wanted.own_variance + _LONG**2 * wanted.their_variance
            kept = max(1, math.floor(wanted.urgently(60.0))) if wanted.own else 0
            yield math.inf, room - kept, counted.name
            for ahead in (*steps, young) if young > 0 else steps:
                later = room + counted.leaving(now, ahead)
                spare = later - mean * ahead
                rate = (spare if ahead in (_EVEN, young) else later) / ahead
                yield rate, spare - math.sqrt(variance * min(ahead, _SETTLED)), counted.name

    def _minute_left(self, now: float) -> float:
        view = self.minute.view
        if view is not None and self.fixed:
            return max(_FLOOR, (view.ends_at - now - self.lag) % 60.0)
        return 60.0 - now % 60.0
