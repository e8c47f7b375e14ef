"""What a shared quota has to spare: for one call more, now or later, and for bulk in the long run.

The arguments are the same throughout: `fleet` is the state, `now` the Unix seconds of whoever keeps
it, and `message` tells whose limits count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from vtiger_async.quota.fleet import Fleet, Message, Tally
from vtiger_async.quota.windows import WindowName

__all__ = [
    "FIGURES", "LAST", "LOOK", "even_rate", "for_others", "gap_of", "is_utc", "kept",
    "kept_for_others", "minute_ends", "others_rate", "room", "wait_for", "word_left",
]  # fmt: skip

_SHARE = 0.75
"""The part of its share of the limits that a process spends while it is without the store."""
_HASTE = 1.5
"""How much faster than the even rate bulk may go, to make use of what was kept."""
_LEAST_SHARE = 0.1
"""The share of the even rate that bulk has, however much interactive callers want."""
_SOON = 10.0
"""Seconds for which interactive callers find room at once; by then calls have left the minute."""
_DEVIATIONS = 1.5
"""Standard deviations above the mean of interactive calls that there is room for."""
_LEAST_SEEN = 20.0
"""Seconds that a rate is taken from, at the least."""
LAST = 3.0
"""Seconds before the end of the minute from which on no place is kept for a call that never came.
"""
_DRY = 5.0
"""Seconds without a call that leaves the minute, from which on bulk makes do with what is there."""
LOOK = 0.05
"""Seconds before the headers' word ends from which on nothing is lent for later."""
_HOLE, _FEW = 20.0, 0.5
"""Seconds in which so small a part of the even share leaves the minute that bulk waits for more."""
_SOME = 0.05
"""The part of the minute from which on others are looked out for; less may be a miscount."""
_BURST = 10.0
"""The variance of their calls, in those of calls that come one by one."""
_CHOOSING = 6.0
"""Standard deviations above the mean of their calls for which bulk leaves room in a fixed minute
where hour or day bind, so that it can choose its moment and caution costs nothing."""
_LONG, _SETTLED = 2.0, 1200.0
"""The same for hour and day; seconds after which bulk has made up for what came above the mean."""
_STEPS = (10.0, 20.0, 30.0, 40.0, 50.0)
"""Parts of a sixtieth of a window, ahead, at which the forecast of it is looked at."""

FIGURES: dict[str, float] = {
    "share": _SHARE, "haste": _HASTE, "least_share": _LEAST_SHARE, "soon": _SOON,
    "deviations": _DEVIATIONS, "least_seen": _LEAST_SEEN, "last": LAST, "dry": _DRY, "hole": _HOLE,
    "hole_few": _FEW, "look": LOOK, "some": _SOME, "burst": _BURST, "choosing": _CHOOSING,
    "long": _LONG, "settled": _SETTLED,
}  # fmt: skip
"""The numbers above, for the script in Redis."""


def is_utc(window: Tally, message: Message) -> bool:
    """Return whether a window is the day, and begins at 00:00 UTC."""
    return message.utc and window.name == "day"


def _missing(fleet: Fleet, now: float, window: Tally) -> int:
    """Return how many calls of the minute to leave to processes that are not back yet."""
    missing = fleet.expected - len(fleet.back)
    if window.name != "minute" or window.limit is None or now >= fleet.healing or missing <= 0:
        return 0
    return math.ceil(missing * _SHARE * window.limit / fleet.expected)


def _limit_of(window: Tally, message: Message) -> float:
    if window.limit is None:
        return math.inf
    if window.name == "day":
        return max(1, math.floor(window.limit * (1 - message.reserve)))
    return window.limit


def room(fleet: Fleet, now: float, message: Message, window: Tally) -> float:
    """Return how many calls more one window allows, by what has been counted and lent."""
    used = fleet.out() + window.total()
    if window.name == "minute" and fleet.sliding:
        used += fleet.others.since(now - window.span)
    return _limit_of(window, message) - used - _missing(fleet, now, window)


def wait_for(fleet: Fleet, now: float, message: Message, keep: int) -> tuple[float, WindowName]:
    """Return the seconds until one call more has room, and the window that says so.

    Args:
        fleet: The state.
        now: The moment.
        message: Whose limits count.
        keep: How many calls are to have room besides.
    """
    wait, binding = max(0.0, fleet.blocked_until - now), fleet.blamed
    for window in fleet.windows:
        later = 0.0
        if window.name == "minute":
            later = _minute_wait(fleet, now, _limit_of(window, message) - 1 - keep)
        elif (excess := 1 + keep - room(fleet, now, message, window)) > 0:
            later = window.frees_in(now, excess, utc=is_utc(window, message))
        told = window.left is not None and now < window.ends_at
        if told and (window.left or 0) - _missing(fleet, now, window) < 1 + keep:
            later = max(later, window.ends_at - now)
        if later > wait:
            wait, binding = later, window.name
    return wait, binding


def _minute_wait(fleet: Fleet, now: float, most: float) -> float:
    """Return the seconds after which the minute never has more than so many calls; else infinity.

    Calls that were lent for later are not in the way of one that is made before: what they will
    take comes free until then.
    """
    minute = fleet.windows[0]
    most -= _missing(fleet, now, minute)
    steps = [(minute.leaves(i), -entry[1]) for i, entry in enumerate(minute.counts)]
    later = [(slot, 1) for loan in fleet.loans.values() for slot in loan.slots if slot > now]
    load = fleet.due(now) + minute.total()
    if fleet.sliding:
        for step, calls in fleet.others.counts:
            leaves = (step + 1) * fleet.others.step + minute.span
            if leaves > now:
                load += calls
                steps.append((leaves, -calls))
    wait = 0.0 if load <= most else math.inf
    for at, calls in sorted(steps + later):
        load += calls
        if load > most:
            wait = math.inf
        elif math.isinf(wait):
            wait = at - now
    return wait


def word_left(fleet: Fleet, now: float) -> float:
    """Return the seconds for which the headers' word on the minute holds; infinity without one.

    Nothing is lent for later than that: whoever comes then has to ask.
    """
    minute = fleet.windows[0]
    return math.inf if minute.left is None or now >= minute.ends_at else minute.ends_at - now


def minute_ends(fleet: Fleet, now: float) -> float:
    """Return when the minute ends: as the headers tell, else by the clock."""
    minute = fleet.windows[0]
    if minute.left is not None and now < minute.ends_at <= now + 60.0:
        return minute.ends_at
    return math.floor(now / 60.0 + 1) * 60.0


def _seen_for(fleet: Fleet, now: float, tally: Tally) -> float:
    """Return the seconds for which calls have been counted."""
    return min(max(now - fleet.born, _LEAST_SEEN), tally.span)


def _urgently(fleet: Fleet, now: float, seconds: float) -> float:
    """Return how many interactive calls to be ready for within so many seconds."""
    calls = seconds * fleet.urgent.used(now) / _seen_for(fleet, now, fleet.urgent)
    return calls + _DEVIATIONS * math.sqrt(calls)


def others_rate(fleet: Fleet, now: float) -> float:
    """Return how many calls a second other programs make; 0 where so few that none need be."""
    rate = fleet.others.used(now) / _seen_for(fleet, now, fleet.others)
    limit = fleet.windows[0].limit
    return rate if limit is not None and rate >= _SOME * limit / 60.0 else 0.0


def kept_for_others(fleet: Fleet, now: float) -> int:
    """Return how many calls bulk leaves to other programs in a sliding minute.

    What they take there comes back only when it leaves: room is kept for as long as interactive
    callers find it, and for the time of which no answer has told yet.
    """
    rate = others_rate(fleet, now)
    if not rate or not fleet.sliding:
        return 0
    calls = rate * (_SOON + max(0.0, now - fleet.windows[0].sent_at))
    return math.floor(calls + _DEVIATIONS * math.sqrt(_BURST * calls))


def for_others(fleet: Fleet, now: float, message: Message, keep: int) -> float:
    """Return the seconds until bulk leaves other programs what they may want of a fixed minute.

    When it ends they need nothing of it any more, so bulk goes late. What they have called since
    the newest answer is taken to be the mean while no call is under way, for somebody has to look.
    """
    minute, rate = fleet.windows[0], others_rate(fleet, now)
    if not rate or fleet.sliding or minute.left is None or now >= minute.ends_at:
        return 0.0
    ahead, unseen = minute.ends_at - now, max(0.0, now - minute.sent_at)
    spare = minute.left - 1 - keep - rate * unseen
    if spare < 0:
        return ahead
    # So many seconds of their calls, with as many deviations, fit into what there is to spare.
    root = _caution(fleet, now, message, rate) * math.sqrt(_BURST)
    lasts = ((math.sqrt(root * root + 4.0 * spare) - root) / 2.0) ** 2 / rate
    return max(0.0, ahead - lasts + (unseen if fleet.out() else 0.0))


def _caution(fleet: Fleet, now: float, message: Message, rate: float) -> float:
    """Return how many deviations of others to be ready for: more the less the minute binds."""
    wanted = rate + _urgently(fleet, now, 60.0) / 60.0
    mine = (fleet.windows[0].limit or 0) / 60.0 - wanted
    needed = (even_rate(fleet, message) - wanted) / mine if mine > 0 else 1.0
    return _DEVIATIONS + (_CHOOSING - _DEVIATIONS) * min(1.0, max(0.0, 2.0 * (1.0 - needed)))


def kept(fleet: Fleet, now: float) -> int:
    """Return how many calls bulk and sync leave to interactive callers."""
    minute = fleet.windows[0]
    # Until the next calls leave the minute: a reserve for longer would be room that nobody uses.
    ahead = min(max(minute_ends(fleet, now) - now, min(minute.frees_in(now, 1), 60.0)), _SOON)
    return max(1 if ahead > LAST else 0, math.floor(_urgently(fleet, now, ahead)))


def gap_of(fleet: Fleet, now: float, message: Message, ends: float) -> float:
    """Return the seconds from one bulk call to the next, 0 where no limit is known."""
    even = even_rate(fleet, message)
    if math.isinf(even):
        return 0.0
    rate = min(_rates(fleet, now, message, ends), default=math.inf)
    if ends - now > LAST:
        rate = min(rate, _HASTE * even)
    return 1.0 / max(rate, _LEAST_SHARE * even)


def even_rate(fleet: Fleet, message: Message) -> float:
    """Return how many calls a second the windows allow without a break."""
    even = math.inf
    for window in fleet.windows:
        if window.limit is not None and (window.name != "day" or message.even):
            even = min(even, _limit_of(window, message) / window.span)
    return even


def _rates(fleet: Fleet, now: float, message: Message, ends: float) -> Iterator[float]:
    """Yield how many calls a second bulk may make, so that what is left lasts."""
    later, theirs = fleet.out() - fleet.due(now), others_rate(fleet, now)
    for window in fleet.windows:
        if window.limit is None or (window.name == "day" and not message.even):
            continue
        unit = window.span / 60.0
        free = room(fleet, now, message, window) + later
        last = max(LOOK, ends - now) if window.name == "minute" else window.span
        held = _urgently(fleet, now, min(last, unit * _SOON))
        for ahead in (*(unit * step for step in _STEPS if unit * step < last), last):
            urgent, others = _urgently(fleet, now, ahead), 0.0
            if window.name == "minute":
                urgent = min(held, urgent)
            else:
                settled = _BURST * theirs * min(ahead, _SETTLED)
                others = theirs * ahead + _LONG * math.sqrt(settled)
            leaving = window.leaving(now, ahead, utc=is_utc(window, message))
            yield (free + leaving - urgent - others) / ahead
        if window.name != "minute":
            continue
        # When the first call leaves; an empty minute has to last for all of its span.
        dry = min(window.frees_in(now, 1), window.span)
        if dry > _DRY:
            yield (free - min(held, _urgently(fleet, now, dry))) / dry
        # Neither does the end of the minute help where few will leave the last sixty seconds.
        leaving = window.leaving(now, _HOLE)
        if leaving < _FEW * window.limit * _HOLE / window.span:
            yield (free + leaving - min(held, _urgently(fleet, now, _HOLE))) / _HOLE
        if window.left is not None and now < window.ends_at:
            yield (window.left + later - last * theirs - _urgently(fleet, now, last)) / last
