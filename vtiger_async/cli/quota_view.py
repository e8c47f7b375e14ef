"""What `vtiger-async quota` shows: the windows, who waits, and what comes of the present pace."""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, Literal

from attrs import asdict, define, field, frozen

from vtiger_async.quota.snapshot import Quota
from vtiger_async.quota.windows import WindowName, WindowUse
from vtiger_async.stores.peek import AtWork, SharedQuota

__all__ = [
    "Forecast",
    "Pace",
    "Picture",
    "Standing",
    "moment",
    "of_process",
    "of_store",
    "plain",
]

SPANS: Final[dict[WindowName, float]] = {"minute": 1.0, "hour": 60.0, "day": 1440.0}
"""The minutes of each window."""

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


def of_store(quota: SharedQuota) -> Picture:
    """Return the picture that a store has.

    Args:
        quota: What it keeps of the instance.
    """
    windows = tuple(_standing(use, 0) for use in (quota.minute, quota.hour, quota.day))
    return Picture(quota.at, "store", windows, quota.others_per_minute, quota.fleet)


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
