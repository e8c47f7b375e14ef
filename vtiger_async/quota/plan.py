"""A forecast: how long so many calls take, and which window makes them wait when."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta

from attrs import frozen

from vtiger_async.quota.pacing import Pacer
from vtiger_async.quota.windows import UtcDay, WindowName

__all__ = ["Plan", "Stretch", "plan"]

_STEP = 60.0
_LONGEST = 1440 * 400
"""Minutes that are looked ahead: more than a year."""


@frozen
class Stretch:
    """A time during which one window binds.

    Attributes:
        window: The window.
        start: From when (aware UTC).
        end: Until when (aware UTC).
        calls: The calls that go meanwhile.
    """

    window: WindowName
    start: datetime
    end: datetime
    calls: int


@frozen
class Plan:
    """What a job of so many calls takes, if nothing else is called than what was seen so far.

    Attributes:
        calls: The calls.
        seconds: How long they take; 0 where no limit is known, infinity where it is over a year.
        ends_at: When the last one goes (aware UTC); None where it is over a year.
        stretches: Which window binds when, in order.
        day_share: The share of the day's calls that the first 24 hours take, from 0 to 1; None
            where the day's limit is not known.
    """

    calls: int
    seconds: float
    ends_at: datetime | None
    stretches: tuple[Stretch, ...]
    day_share: float | None


def plan(pacer: Pacer, now: float, in_flight: int, calls: int) -> Plan:
    """Return what a job takes, minute by minute, with what is known of other programs' demand.

    Args:
        pacer: The windows, and what others want.
        now: Unix seconds.
        in_flight: Calls under way.
        calls: How many calls the job makes.
    """
    steps = _Steps(pacer, now, in_flight)
    start = datetime.fromtimestamp(now, UTC)
    found: list[tuple[WindowName, int, float]] = []
    left, minute, first_day, seconds = float(calls), 0, 0.0, 0.0
    while left > 1e-9 and minute < _LONGEST:
        room, window = steps.room(minute)
        if math.isinf(room):
            return Plan(calls, 0.0, start, (), None)
        made = min(left, room)
        seconds = (minute + (made / room if room > 0 else 1.0)) * _STEP
        steps.make(minute, made)
        left -= made
        first_day += made if minute < 1440 else 0.0
        found.append((window, minute, made))
        minute += 1
    day = pacer.day.limit
    share = None if day is None else min(1.0, first_day / day)
    ended = left <= 1e-9
    stretches = _joined(found, start, seconds)
    ends_at = start + timedelta(seconds=seconds) if ended else None
    return Plan(calls, seconds if ended else math.inf, ends_at, stretches, share)


class _Steps:
    """The windows, minute by minute."""

    def __init__(self, pacer: Pacer, now: float, in_flight: int) -> None:
        self._pacer, self._now, self._in_flight = pacer, now, in_flight
        self._made = {"hour": 0.0, "day": 0.0}
        self._leave: dict[str, dict[int, float]] = {
            "hour": defaultdict(float),
            "day": defaultdict(float),
        }
        self._others = pacer.others.per_second(now)[0] * _STEP
        self._urgent = pacer.urgent.per_second(now)[0] * _STEP

    def room(self, minute: int) -> tuple[float, WindowName]:
        """Return how many calls go in a minute from now, and the window that allows no more."""
        pacer, now = self._pacer, self._now
        wanted = self._others + self._urgent
        least: tuple[float, WindowName] = (math.inf, "minute")
        if pacer.minute.limit is not None:
            least = (max(0.0, pacer.minute.limit - wanted), "minute")
        for counted in (pacer.hour, pacer.day):
            room = counted.room(now, self._in_flight)
            view = counted.view
            if view is not None and now < view.ends_at:
                room = min(room, float(view.left))
            if math.isinf(room) or counted.limit is None:
                continue
            name = counted.name
            self._made[name] -= self._leave[name].pop(minute, 0.0)
            gone = counted.leaving(now, minute * _STEP)
            room = min(float(counted.limit), room + gone) - self._made[name]
            if name == "day" and pacer.even:
                room = min(room, counted.limit / 1440.0)
            room = max(0.0, room - wanted)
            if room < least[0]:
                least = (room, name)
        return least

    def make(self, minute: int, calls: float) -> None:
        """Count the calls of a minute."""
        every = calls + self._others + self._urgent
        day_ends = minute + 1440
        if isinstance(self._pacer.day.window, UtcDay):
            second = self._now + minute * _STEP
            day_ends = minute + math.ceil((86_400.0 - second % 86_400.0) / _STEP)
        for name, end in (("hour", minute + 60), ("day", day_ends)):
            self._made[name] += every
            self._leave[name][end] += every


def _joined(
    found: list[tuple[WindowName, int, float]], start: datetime, seconds: float
) -> tuple[Stretch, ...]:
    """Join the minutes in which the same window binds."""
    stretches: list[Stretch] = []
    calls, before = 0.0, 0
    for i, (window, minute, made) in enumerate(found):
        calls += made
        last = i + 1 == len(found)
        if last or found[i + 1][0] != window:
            begun = start + timedelta(seconds=_STEP * (minute + 1))
            end = start + timedelta(seconds=seconds) if last else begun
            begin = stretches[-1].end if stretches else start
            total = round(calls)
            stretches.append(Stretch(window, begin, end, total - before))
            before = total
    return tuple(stretches)
