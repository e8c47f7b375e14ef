"""What a store keeps of an instance's quota, for whoever looks at it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from attrs import frozen

from vtiger_async.quota import Priority, WindowUse
from vtiger_async.quota.fleet import Fleet, Tally

__all__ = ["AtWork", "SharedQuota", "shared_quota"]

_HEARD = 60.0
"""Seconds without a word after which a process is no longer counted."""
_AT_WORK = 35.0
"""Seconds after a process has asked for bulk calls for which it is taken to have more of them."""


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
class SharedQuota:
    """The quota that processes share, at one moment; looking at it costs no call.

    Attributes:
        at: The moment (aware UTC), by the clock that the store goes by.
        minute: The minute's window: the calls of all processes, those on loan included.
        hour: The hour's window; it holds those of other programs that have shown in the minute.
        day: The day's window; the same.
        others_per_minute: Calls a minute of other programs, in the last quarter of an hour.
        fleet: What the processes do.
    """

    at: datetime
    minute: WindowUse
    hour: WindowUse
    day: WindowUse
    others_per_minute: float
    fleet: AtWork


def shared_quota(kept: dict[str, Any] | None, now: float) -> SharedQuota:
    """Return what a store keeps in the form in which users see it.

    Args:
        kept: The state as JSON has it; None where nobody has called the instance with the store.
        now: Unix seconds of whoever keeps the state.

    Raises:
        ValueError: Another version kept it, or something else.
    """
    try:
        fleet = Fleet.load(kept)
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError("what it keeps cannot be read") from error
    now = max(now, fleet.at)  # an exchange takes a clock that was set back to stand still
    minute, hour, day = (_use(fleet, window, now) for window in fleet.windows)
    loans = fleet.loans.values()
    at_work = AtWork(
        processes=sum(now - loan.heard_at <= _HEARD for loan in loans),
        with_bulk=sum(now - loan.asked_at <= _AT_WORK for loan in loans),
        lent=sum(moment > now for loan in loans for moment in loan.slots),
        waiting={
            name: sum(loan.queues[rank] for loan in loans if now - loan.heard_at <= _AT_WORK)
            for rank, name in enumerate(get_args(Priority))
        },
        interactive_per_minute=_per_minute(fleet.urgent, now, fleet.urgent.span),
    )
    seen_for = min(max(now - fleet.born, 60.0), fleet.others.span)
    others = _per_minute(fleet.others, now, seen_for)
    return SharedQuota(datetime.fromtimestamp(now, UTC), minute, hour, day, others, at_work)


def _per_minute(tally: Tally, now: float, seconds: float) -> float:
    return round(tally.used(now) * 60.0 / seconds, 1)


def _use(fleet: Fleet, tally: Tally, now: float) -> WindowUse:
    used = tally.used(now) + fleet.out()
    remaining, until = None, now
    if tally.limit is not None:
        # Where the minute slides, no word of the headers holds: the calls of others are counted.
        slides = tally.name == "minute" and fleet.sliding
        others = fleet.others.since(now - tally.span) if slides else 0
        remaining = max(0, tally.limit - used - others)
    told = tally.left if now < tally.ends_at else None
    if told is not None:
        told = max(0, told)
        remaining = told if remaining is None else min(remaining, told)
    if remaining == 0:
        frees_in = tally.frees_in(now, 1)
        until = now + (tally.span if math.isinf(frees_in) else frees_in)
        if told == 0:
            until = max(until, tally.ends_at)
    if fleet.blamed == tally.name:
        until = max(until, fleet.blocked_until)
    return WindowUse(tally.name, tally.limit, used, remaining, until)
