"""What `vtiger-async quota` shows: the windows, who waits, and what comes of the present pace."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal, get_args

from attrs import asdict, define, field, frozen

from vtiger_async.client.core import Quota
from vtiger_async.quota import Priority
from vtiger_async.quota.fleet import Fleet, Tally
from vtiger_async.quota.windows import WindowName, WindowUse

__all__ = [
    "AtWork",
    "Forecast",
    "Pace",
    "Picture",
    "Standing",
    "moment",
    "of_fleet",
    "of_process",
    "plain",
]

SPANS: Final[dict[WindowName, float]] = {"minute": 1.0, "hour": 60.0, "day": 1440.0}
"""The minutes of each window."""

_HEARD = 60.0
"""Seconds without a word after which a process is no longer counted."""
_AT_WORK = 35.0
"""Seconds after a process has asked for bulk calls for which it is taken to have more of them."""
_HISTORY = 900.0
"""Seconds that the pace is taken from, at the most."""
_ENOUGH = 20.0
"""Seconds that must have been watched before their pace says more than the last minute's calls."""


@frozen
class Standing:
    """One window.

    Attributes:
        window: Which.
        limit: Calls that it allows; None where unknown.
        used: Calls counted in it: of this process, or of all that share a store; in a store's hour
            also those of others that have shown in the minute.
        others: Calls of other programs, as far as they have shown; None where nothing tells.
        remaining: Calls that are left; None where nothing tells.
        next_call_at: When one call more has room in it (aware UTC).
    """

    window: WindowName
    limit: int | None
    used: int
    others: int | None
    remaining: int | None
    next_call_at: datetime


@frozen
class AtWork:
    """What the processes do that share a store.

    Attributes:
        processes: How many there were in the last minute.
        with_bulk: How many of them have bulk calls to make.
        lent: Calls that have been given their moment, and wait for it.
        waiting: Calls of each class that wait to be given one.
        interactive_per_minute: Interactive calls a minute, in the last two.
    """

    processes: int
    with_bulk: int
    lent: int
    waiting: Mapping[Priority, int]
    interactive_per_minute: float


@frozen
class Picture:
    """The quota of an instance at one moment.

    Attributes:
        at: The moment (aware UTC).
        source: `"answer"`, what a call's answer told; `"store"`, what a shared store keeps.
        windows: Minute, hour and day.
        others_per_minute: Calls a minute of other programs lately.
        fleet: What the processes do that share a store; None without one.
    """

    at: datetime
    source: Literal["answer", "store"]
    windows: tuple[Standing, ...]
    others_per_minute: float = 0.0
    fleet: AtWork | None = None


def of_process(quota: Quota) -> Picture:
    """Return the picture that a client has.

    Args:
        quota: Its snapshot.
    """
    windows = tuple(
        _standing(use, quota.in_flight) for use in (quota.minute, quota.hour, quota.day)
    )
    return Picture(quota.at, "answer", windows, round(quota.others_per_minute, 1))


def _standing(use: WindowUse, in_flight: int) -> Standing:
    others = None
    if use.limit is not None and use.remaining is not None:
        others = max(0, use.limit - use.remaining - use.used - in_flight)
    return Standing(
        use.name,
        use.limit,
        use.used,
        others,
        use.remaining,
        datetime.fromtimestamp(use.next_at, UTC),
    )


def of_fleet(fleet: Fleet | None, now: float) -> Picture:
    """Return the picture that a store has.

    Args:
        fleet: What it keeps of the instance; None is a store that nobody has called with.
        now: Unix seconds.
    """
    fleet = Fleet() if fleet is None else fleet
    blocked = (fleet.blamed, fleet.blocked_until)
    windows = tuple(_tally(window, fleet.out(), now, blocked) for window in fleet.windows)
    loans = fleet.loans.values()
    at_work = AtWork(
        processes=sum(now - loan.heard_at <= _HEARD for loan in loans),
        with_bulk=sum(now - loan.asked_at <= _AT_WORK for loan in loans),
        lent=sum(moment > now for loan in loans for moment in loan.slots),
        waiting={
            name: sum(loan.queues[rank] for loan in loans if now - loan.heard_at <= _AT_WORK)
            for rank, name in enumerate(get_args(Priority))
        },
        interactive_per_minute=_per_minute(fleet.urgent, now),
    )
    others = _per_minute(fleet.others, now)
    return Picture(datetime.fromtimestamp(now, UTC), "store", windows, others, at_work)


def _per_minute(tally: Tally, now: float) -> float:
    return round(tally.used(now) * 60.0 / tally.span, 1)


def _tally(tally: Tally, out: int, now: float, blocked: tuple[WindowName, float]) -> Standing:
    used = tally.used(now) + out
    remaining, others, until = None, None, now
    if tally.limit is not None:
        remaining = max(0, tally.limit - used)
    told = tally.left is not None and now < tally.ends_at
    if told and tally.left is not None:
        left = max(0, tally.left)
        remaining = left if remaining is None else min(remaining, left)
    if tally.limit is not None and remaining is not None:
        others = max(0, tally.limit - used - remaining)
    if remaining == 0:
        frees_in = tally.frees_in(now, 1)
        until = now + (tally.span if math.isinf(frees_in) else frees_in)
        if told and tally.left is not None and tally.left <= 0:
            until = max(until, tally.ends_at)
    if blocked[0] == tally.name:
        until = max(until, blocked[1])
    at = datetime.fromtimestamp(until, UTC)
    return Standing(tally.name, tally.limit, used, others, remaining, at)


@frozen
class Forecast:
    """What comes, if calls go on as they do.

    Attributes:
        per_minute: Calls a minute, of everybody.
        binds: The window that is used up first; None where none is at this pace.
        binds_at: When (aware UTC), at the earliest.
        day_ends_at: When the day is used up (aware UTC), at the earliest; None where it is not.
    """

    per_minute: float
    binds: WindowName | None
    binds_at: datetime | None
    day_ends_at: datetime | None


@define
class Pace:
    """How many calls go, from one look to the next."""

    _looks: deque[tuple[datetime, int]] = field(factory=deque[tuple[datetime, int]])

    def look(self, picture: Picture) -> Forecast:
        """Take in a picture, and return what comes of the pace so far.

        Calls that leave a window while it fills only prolong it: each time is the earliest.

        Args:
            picture: The quota now; not older than the one before.
        """
        day = picture.windows[-1]
        looks = self._looks
        looks.append((picture.at, day.used + (day.others or 0)))
        while (picture.at - looks[0][0]).total_seconds() > _HISTORY:
            looks.popleft()
        pace = self._per_minute(picture)
        ends: dict[WindowName, datetime] = {}
        for standing in picture.windows:
            at = _ends(standing, pace, picture.at)
            if at is not None:
                ends[standing.window] = at
        day_ends = ends.get("day")
        if not ends:
            return Forecast(round(pace, 1), None, None, day_ends)
        binds = min(ends, key=lambda name: ends[name])
        return Forecast(round(pace, 1), binds, ends[binds], day_ends)

    def _per_minute(self, picture: Picture) -> float:
        looks = list(self._looks)
        seconds = (looks[-1][0] - looks[0][0]).total_seconds()
        if seconds < _ENOUGH:
            minute = picture.windows[0]
            return float(minute.used + (minute.others or 0))
        # A day that rolls forgets calls, too: what counts is how far it rises.
        made = sum(max(0, after - before) for (_, before), (_, after) in pairwise(looks))
        return made * 60.0 / seconds


def _ends(standing: Standing, pace: float, now: datetime) -> datetime | None:
    """Return when a window is used up at a pace; None where it outlasts its own span."""
    if standing.limit is None or standing.remaining is None:
        return None
    if standing.remaining == 0:
        return now
    if pace * SPANS[standing.window] <= standing.limit:
        return None
    return now + timedelta(minutes=standing.remaining / pace)


def moment(at: datetime | None) -> str | None:
    """Return a moment in ISO form, whole seconds, not before it; None for None."""
    if at is None:
        return None
    return datetime.fromtimestamp(math.ceil(at.timestamp()), UTC).isoformat(timespec="seconds")


def plain(value: Any) -> dict[str, Any]:
    """Return a picture, a forecast or a standing as plain JSON has it.

    Args:
        value: An attrs instance.
    """
    return asdict(
        value,
        value_serializer=lambda _owner, _name, item: (
            moment(item) if isinstance(item, datetime) else item
        ),
    )
