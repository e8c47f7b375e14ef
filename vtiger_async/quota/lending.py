"""The rules of a shared quota: one function, that changes the state and says what may be done.

Interactive callers take what the windows have. Bulk is lent some calls at a time, each with the
moment from which on it may be made, so that they keep an even pace; one process has its turn after
the other. It leaves room for the interactive calls that have been coming, less and less of it
towards the end of the minute.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator

from vtiger_async.quota import Priority
from vtiger_async.quota.fleet import VERSION, Fleet, Loan, Message, Reply, Tally
from vtiger_async.quota.windows import MARGIN, WindowName

__all__ = ["CONSTANTS", "LOAN", "exchange", "rank_of"]

LOAN = 45.0
"""Seconds without a word from a borrower after which what it was lent counts as used."""
_MEMBER = 60.0
"""Seconds without a word after which a process is no member any more."""
_AHEAD, _FARTHEST = 25.0, 30.0
"""Seconds of bulk's pace that are lent at a time, so that a call costs less than a message; the
most of it where calls come slowly."""
_FEW = 3
"""Calls that are then lent at a time."""
_END = 6.0
"""Seconds at the end of the minute that are lent for last."""
_EARLY = 1.0
"""Seconds before its next call can be due at which bulk asks for it."""
_HASTE = 1.5
"""How much faster than the even rate bulk may go, to make use of what was kept."""
_LEAST_SHARE = 0.1
"""The share of the even rate that bulk has, however much interactive callers want."""
_PATIENCE = 5.0
"""Seconds for which a call that has no time takes a place that is not free yet."""
_SOON = 15.0
"""Seconds for which interactive callers find room at once; by then calls have left the minute."""
_DEVIATIONS = 1.5
"""Standard deviations above the mean of interactive calls that there is room for."""
_LEAST_SEEN = 20.0
"""Seconds that a rate is taken from, at the least."""
_LAST = 2.0
"""Seconds before the end of the minute from which on no place is kept for a call that never came.
"""
_UNSURE = 1.0
"""Seconds after which to ask again where all calls are on loan: nobody knows when they leave."""
_PROBES = 2
"""Calls lent while nothing is known of what the server has counted."""
_SILENT = 30.0
"""Seconds without any message after which the headers' word is too old, and calls ask again."""
_LATE = 2.0
"""Seconds after which other calls are lent to ask, if the first got no answer."""
_AGAIN = 0.3
"""Seconds after which somebody who waits asks again while answers are awaited."""
_UNTOLD = 3.0
"""Seconds after its moment from which on a lent call is taken to be in the server's count."""
_GONE = 35.0
"""Seconds after which a process that has not asked for bulk calls has no share of them."""
_LEAST, _MOST = 0.1, 30.0
"""Seconds after which a process that got nothing asks again."""
_PART = 0.25
"""The share of the room that is lent for calls that nobody waits for yet."""
_TURN = 20
"""Of so many calls one is for those that wait while interactive callers take all."""
_RETURN = 30.0
"""Seconds after one process found the store again, by which the others have too."""
_CONFUSED = 90.0
"""Seconds back to which calls of the fleet, told late, may have been taken for other programs'."""
_SHARE = 0.75
"""The part of its share of the limits that a process spends while it is without the store."""
_LEAST_HOUR = 50
"""Calls; a refusal at fewer in the hour is not the hour's: no edition has less than 100."""
_DRY = 5.0
"""Seconds without a call that leaves the minute, from which on bulk makes do with what is there."""
_SAME_RESET = 1.6
"""Seconds within which two resets are the same one: it is told in whole seconds."""
_LOOK = 0.05
"""Seconds before the headers' word ends from which on nothing is lent for later."""
_STEPS = (10.0, 20.0, 30.0, 40.0, 50.0)
"""Parts of a sixtieth of a window, ahead, at which the forecast of it is looked at."""
_ORDER: tuple[Priority, ...] = ("interactive", "sync", "bulk")
_DAY = 86_400.0

CONSTANTS: dict[str, float] = {
    "margin": MARGIN, "loan": LOAN, "member": _MEMBER, "ahead": _AHEAD,
    "farthest": _FARTHEST, "end": _END, "few": _FEW, "early": _EARLY, "haste": _HASTE,
    "least_share": _LEAST_SHARE, "patience": _PATIENCE, "unsure": _UNSURE, "soon": _SOON,
    "deviations": _DEVIATIONS, "least_seen": _LEAST_SEEN, "last": _LAST, "probes": _PROBES,
    "silent": _SILENT, "late": _LATE, "again": _AGAIN, "untold": _UNTOLD, "gone": _GONE,
    "least": _LEAST, "most": _MOST, "part": _PART, "turn": _TURN, "back": _RETURN,
    "confused": _CONFUSED, "share": _SHARE, "least_hour": _LEAST_HOUR, "dry": _DRY,
    "look": _LOOK, "same_reset": _SAME_RESET, "keep": 2000 * int(_DAY), "version": VERSION,
}  # fmt: skip
"""The numbers above, for the script that does the same within Redis; `keep` in milliseconds."""


def rank_of(message: Message) -> int:
    """Return the place of a message's class: 0 goes first."""
    return _ORDER.index(message.priority)


def exchange(fleet: Fleet, now: float, message: Message) -> Reply:
    """Take what a process tells into the state, and lend it calls if there is room.

    Args:
        fleet: The state; it is changed.
        now: Unix seconds of whoever keeps the state.
        message: What the process says.
    """
    if fleet.at - 300.0 < now < fleet.at:
        now = fleet.at  # a clock that was set back a little: time stands still
    if now - fleet.at > _SILENT:
        fleet.windows[0].ends_at = min(fleet.windows[0].ends_at, now)
    fleet.at = now
    fleet.born = fleet.born or now
    _settle(fleet, now, message)
    for window in fleet.windows:
        window.used(now, utc=_utc(window, message))
    _heal(fleet, now, message)
    _block(fleet, now, message)
    _believe(fleet, now, message)
    return _lend(fleet, now, message)


def _utc(window: Tally, message: Message) -> bool:
    return message.utc and window.name == "day"


def _settle(fleet: Fleet, now: float, message: Message) -> None:
    for member, loan in list(fleet.loans.items()):
        if now - loan.heard_at > LOAN and loan.slots:
            _count(fleet, loan.heard_at + LOAN, len(loan.slots))
            loan.slots.clear()
        if now - loan.heard_at > _MEMBER:
            del fleet.loans[member]
    if not message.member:
        return
    loan = fleet.loans.setdefault(message.member, Loan())
    loan.heard_at = now
    for age, calls in message.used:
        known = min(calls, len(loan.slots))  # the rest has been counted when the loan ended
        del loan.slots[:known]
        _count(fleet, now - age, known)
    for age, calls in message.extra:
        _count(fleet, now - age, calls)
    if message.unused:
        back = min(message.unused, len(loan.slots))
        # Which of them came back is not known: the others are taken to be due.
        loan.slots = [min(slot, now) for slot in loan.slots[back:]]
        for window in fleet.windows:
            if window.left is not None:
                window.left += back
    for window, told in zip(fleet.windows, message.limits, strict=True):
        if told is not None and told != window.told:  # what was learned since stays else
            window.limit = window.told = told


def _count(fleet: Fleet, at: float, calls: int) -> None:
    if calls > 0:
        for window in fleet.windows:
            window.add(at, calls)


def _heal(fleet: Fleet, now: float, message: Message) -> None:
    """Note who comes back from being without the store: the others may still be."""
    if message.alone and now >= fleet.healing:
        fleet.healing, fleet.expected, fleet.back = now + _RETURN, message.alone, []
    # What was taken for calls of other programs may have been these.
    known = fleet.others.take(sum(calls for age, calls in message.extra if age < _CONFUSED))
    for window in fleet.windows[1:]:
        window.take(known)
    if now < fleet.healing and message.member and message.member not in fleet.back:
        fleet.back.append(message.member)


def _missing(fleet: Fleet, now: float, window: Tally) -> int:
    """Return how many calls of the minute to leave to processes that are not back yet."""
    missing = fleet.expected - len(fleet.back)
    if window.name != "minute" or window.limit is None or now >= fleet.healing or missing <= 0:
        return 0
    return math.ceil(missing * _SHARE * window.limit / fleet.expected)


def _block(fleet: Fleet, now: float, message: Message) -> None:
    hour = fleet.windows[1]
    if fleet.doubted_at and now >= fleet.doubted_at and hour.limit is not None:
        # It held for an hour, and may have been lower for calls of other programs, now gone.
        hour.limit += max(1, hour.limit // 10)
        fleet.doubted_at = now + hour.span
        if hour.told is not None and hour.limit >= hour.told:
            hour.limit, fleet.doubted_at = hour.told, 0.0
    if message.refused is None:
        return
    wait, blamed = message.refused
    known = sum(count for _, count in hour.counts) - 1  # the refused call was counted like others
    if blamed == "hour" and now >= fleet.blocked_until and known >= _LEAST_HOUR:
        hour.limit = known if hour.limit is None else min(hour.limit, known)
        fleet.doubted_at = now + hour.span
    if now + wait > fleet.blocked_until:
        fleet.blocked_until, fleet.blamed = now + wait, blamed


def _believe(fleet: Fleet, now: float, message: Message) -> None:
    fleet.heard = fleet.heard or bool(message.used)
    if message.seen is None:
        return
    age, minute_limit, minute_left, reset_in, day_limit, day_left = message.seen
    day_ends = math.floor(now / _DAY + 1) * _DAY if message.utc else now + 900.0
    minute_ends = now + min(60.0, 60.0 if reset_in is None else reset_in) + MARGIN
    words = ((0, minute_limit, minute_left, minute_ends), (2, day_limit, day_left, day_ends))
    for index, limit, remaining, ends_at in words:
        window = fleet.windows[index]
        if limit is not None:
            window.limit = limit
        if remaining is None:
            continue
        # Calls that were lent lately may or may not be in the server's count: taken as not.
        sent_at = now - age
        left = remaining - fleet.out() + fleet.due(sent_at - _UNTOLD)
        newest = window.left is None or now >= window.ends_at or sent_at >= window.sent_at
        if index == 0 and newest:
            _compare(fleet, ends_at)
            start = now if fleet.sliding else ends_at - 2 * MARGIN
            if limit is not None:
                _watch(fleet, now, start - window.span, limit - remaining)
        if newest or left < (window.left or 0):
            window.left, window.sent_at, window.ends_at = left, sent_at, ends_at
            if index == 0:
                fleet.probes = 0
    if fleet.sliding and fleet.windows[0].limit is not None:
        # No boundary fills it again: the counts, with the others', say more than an old answer.
        fleet.windows[0].left = None


def _compare(fleet: Fleet, ends_at: float) -> None:
    """Tell a fixed minute from a sliding one by how its reset moves."""
    moved = ends_at - fleet.reset_at
    if abs(moved) <= _SAME_RESET:
        return
    if fleet.reset_at:
        off = moved % 60.0
        whole = min(off, 60.0 - off) <= _SAME_RESET
        # A sliding minute's reset may move by a whole minute by chance, but not twice.
        fleet.sliding = not (whole and (not fleet.sliding or fleet.whole))
        fleet.whole = whole
    fleet.reset_at = ends_at


def _watch(fleet: Fleet, now: float, start: float, gone: int) -> None:
    """Count calls of other programs: what the minute has lost beyond all that is known.

    The hour shows in no header. What is seen twice, by two processes, is known the second time.
    """
    fleet.others.used(now)
    known = fleet.windows[0].since(start) + fleet.due(now) - fleet.due(start)
    calls = gone - known - fleet.others.since(start)
    if calls > 0:
        fleet.others.add(now, calls)
        for window in fleet.windows[1:]:
            window.add(now, calls)


def _limit(window: Tally, message: Message) -> float:
    if window.limit is None:
        return math.inf
    if window.name == "day":
        return max(1, math.floor(window.limit * (1 - message.reserve)))
    return window.limit


def _room(fleet: Fleet, now: float, message: Message, window: Tally) -> float:
    """Return how many calls more one window allows, by what has been counted and lent."""
    used = fleet.out() + window.total()
    if window.name == "minute" and fleet.sliding:
        used += fleet.others.since(now - window.span)
    return _limit(window, message) - used - _missing(fleet, now, window)


def _wait(fleet: Fleet, now: float, message: Message, keep: int) -> tuple[float, WindowName]:
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
            later = _minute_wait(fleet, now, _limit(window, message) - 1 - keep)
        elif (excess := 1 + keep - _room(fleet, now, message, window)) > 0:
            later = window.frees_in(now, excess, utc=_utc(window, message))
        if window.left is not None and now < window.ends_at:
            if window.left - _missing(fleet, now, window) < 1 + keep:
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


def _word_left(fleet: Fleet, now: float) -> float:
    """Return the seconds for which the headers' word on the minute holds; infinity without one.

    Nothing is lent for later than that: whoever comes then has to ask.
    """
    minute = fleet.windows[0]
    return math.inf if minute.left is None or now >= minute.ends_at else minute.ends_at - now


def _lend(fleet: Fleet, now: float, message: Message) -> Reply:
    minute = fleet.windows[0]
    free_in, binding = _wait(fleet, now, message, 0)
    # A server that shows nothing of its minute cannot be asked about it.
    asking = not fleet.heard if minute.left is None else now >= minute.ends_at
    if asking and fleet.probes >= _PROBES and now - fleet.probed_at > _LATE:
        fleet.probes = 0  # their answers are lost: others ask
    slots: list[float] = []
    ask_in = free_in
    if message.want > 0 and message.member:
        slots, ask_in = _slots(fleet, now, message, asking=asking)
    out = fleet.out()
    minute_used, hour_used, day_used = (window.total() + out for window in fleet.windows)
    minute_limit, hour_limit, day_limit = (window.limit for window in fleet.windows)
    return Reply(
        slots=tuple(slots),
        ask_in=_UNSURE if math.isinf(ask_in) else min(max(ask_in, _LEAST), _MOST),
        free_in=0.0 if math.isinf(free_in) else free_in,
        window=binding,
        probing=asking,
        members=len(fleet.loans),
        used=(minute_used, hour_used, day_used),
        limits=(minute_limit, hour_limit, day_limit),
        born=fleet.born,
    )


def _slots(
    fleet: Fleet, now: float, message: Message, *, asking: bool
) -> tuple[list[float], float]:
    """Return when each call that is lent may be made, and when to ask for more."""
    rank, due = rank_of(message), fleet.passed >= _TURN
    if asking:
        slots, ask_in = _probes(fleet, now, message)
    elif rank == 2 and not due:
        slots, ask_in = _paced(fleet, now, message)
    else:
        slots, ask_in = _at_once(fleet, now, message, due=due and rank > 0)
    if rank == 0:
        fleet.passed += len(slots)
        if slots:
            fleet.urgent.add(now, min(len(slots), message.waiting))
    elif slots:
        fleet.passed = 0
    return slots, ask_in


def _take(fleet: Fleet, now: float, message: Message, wait: float) -> float:
    """Lend one call, and return its moment."""
    insort(fleet.loans[message.member].slots, now + wait)
    for window in fleet.windows:
        if window.left is not None:
            window.left -= 1
    return wait


def _probes(fleet: Fleet, now: float, message: Message) -> tuple[list[float], float]:
    """Lend the few calls whose answers tell what the server has counted."""
    slots: list[float] = []
    wait = 0.0
    while len(slots) < message.want and fleet.probes < _PROBES:
        wait, _ = _wait(fleet, now, message, 0)
        if wait > 0:
            break
        slots.append(_take(fleet, now, message, 0.0))
        fleet.probes, fleet.probed_at = fleet.probes + 1, now
    return slots, max(wait, _UNSURE if rank_of(message) == 2 else _AGAIN)


def _at_once(fleet: Fleet, now: float, message: Message, *, due: bool) -> tuple[list[float], float]:
    """Lend to those who have no time: what there is, or the next that comes free."""
    keep = _kept(fleet, now) if rank_of(message) and not due else 0
    part = _PART * min(_room(fleet, now, message, window) for window in fleet.windows)
    slots: list[float] = []
    while len(slots) < (1 if due else message.want):
        wait, _ = _wait(fleet, now, message, keep)
        expected = len(slots) >= max(1, message.waiting)  # nobody waits for this one yet
        if expected and (wait > 0 or len(slots) >= part):
            break
        if wait > _PATIENCE or wait >= _word_left(fleet, now):
            return slots, wait
        slots.append(_take(fleet, now, message, wait))
    return slots, 0.0


def _paced(fleet: Fleet, now: float, message: Message) -> tuple[list[float], float]:
    """Lend to bulk: the calls' moments, at an even pace, and when to ask for more."""
    loan = fleet.loans[message.member]
    loan.asked_at = now
    ends = _minute_ends(fleet, now)
    sharing = sum(other.asked_at >= now - _GONE for other in fleet.loans.values())
    if ends - now < _LAST:
        sharing = 1  # whoever asks has what nobody else will
    keep, gap = _kept(fleet, now), sharing * _gap(fleet, now, message, ends)
    each = sharing / _even(fleet, message)
    # Where it goes slowly now it may soon go faster: that is looked at the sooner.
    ahead = min(max(_AHEAD, _FEW * each), _FARTHEST) * min(1.0, each / max(gap, _LOOK))
    if ends - now > 2 * _END:
        ahead = min(ahead, ends - now - _END)  # what is left for the end is lent then
    last = min(ahead, _word_left(fleet, now) - _LOOK)
    slots: list[float] = []
    while True:
        wait = max(loan.bulk_at + gap - now, _wait(fleet, now, message, keep)[0], 0.0)
        if wait > last or len(slots) == message.want:
            break
        slots.append(_take(fleet, now, message, wait))
        loan.bulk_at = now + wait
    if slots:
        return slots, slots[-1]
    if math.isinf(wait):
        wait = _UNSURE
    if ends - now < _LAST / 2:
        wait = ends - now + _EARLY  # a new minute begins
    return [], min(max(wait - _EARLY, _AGAIN), max(ahead, _EARLY), max(_LEAST, ends - now))


def _minute_ends(fleet: Fleet, now: float) -> float:
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


def _kept(fleet: Fleet, now: float) -> int:
    """Return how many calls bulk and sync leave to interactive callers."""
    minute = fleet.windows[0]
    # Until the next calls leave the minute: a reserve for longer would be room that nobody uses.
    ahead = min(max(_minute_ends(fleet, now) - now, min(minute.frees_in(now, 1), 60.0)), _SOON)
    return max(1 if ahead > _LAST else 0, math.floor(_urgently(fleet, now, ahead)))


def _gap(fleet: Fleet, now: float, message: Message, ends: float) -> float:
    """Return the seconds from one bulk call to the next, 0 where no limit is known."""
    even = _even(fleet, message)
    if math.isinf(even):
        return 0.0
    rate = min(_rates(fleet, now, message, ends), default=math.inf)
    if ends - now > _LAST:
        rate = min(rate, _HASTE * even)
    return 1.0 / max(rate, _LEAST_SHARE * even)


def _even(fleet: Fleet, message: Message) -> float:
    """Return how many calls a second the windows allow without a break."""
    even = math.inf
    for window in fleet.windows:
        if window.limit is not None and (window.name != "day" or message.even):
            even = min(even, _limit(window, message) / window.span)
    return even


def _rates(fleet: Fleet, now: float, message: Message, ends: float) -> Iterator[float]:
    """Yield how many calls a second bulk may make, so that what is left lasts."""
    later = fleet.out() - fleet.due(now)
    for window in fleet.windows:
        if window.limit is None or (window.name == "day" and not message.even):
            continue
        unit = window.span / 60.0
        room = _room(fleet, now, message, window) + later
        last = max(_LOOK, ends - now) if window.name == "minute" else window.span
        kept = _urgently(fleet, now, min(last, unit * _SOON))
        for ahead in (*(unit * step for step in _STEPS if unit * step < last), last):
            leaving = window.leaving(now, ahead, utc=_utc(window, message))
            yield (room + leaving - min(kept, _urgently(fleet, now, ahead))) / ahead
        if window.name != "minute":
            continue
        # When the first call leaves; an empty minute has to last for all of its span.
        dry = min(window.frees_in(now, 1), window.span)
        if dry > _DRY:
            yield (room - min(kept, _urgently(fleet, now, dry))) / dry
        if window.left is not None and now < window.ends_at:
            theirs = last * fleet.others.used(now) / _seen_for(fleet, now, fleet.others)
            yield (window.left + later - theirs - _urgently(fleet, now, last)) / last
