"""The rules of a shared quota: one function, that changes the state and says what may be done.

Interactive callers take what the windows have. Bulk is lent a few calls at a time at an even pace,
one process after the other, and leaves room for the interactive calls that have been coming.
"""

from __future__ import annotations

import math

from vtiger_async.quota import Priority
from vtiger_async.quota.fleet import Fleet, Message, Reply
from vtiger_async.quota.windows import MARGIN, WindowName

__all__ = ["CONSTANTS", "LOAN", "exchange", "rank_of"]

LOAN = 10.0
"""Seconds without a word from a borrower after which what it was lent counts as used."""
_MEMBER = 60.0
"""Seconds without a word after which a process is no member any more."""
_CHUNK = 5.0
"""Seconds of the bulk's pace that are lent at a time, so that a call costs less than a message."""
_FEW = 2
"""Calls that bulk waits for to be lent at once."""
_AHEAD = 1.2
"""How much faster than the even rate bulk may go, to make use of what was kept."""
_LEAST_SHARE = 0.1
"""The share of the even rate that bulk has, however much interactive callers want."""
_SOON = 15.0
"""Seconds for which interactive callers find room."""
_LEAST_SEEN = 20.0
"""Seconds that a rate is taken from, at the least."""
_PROBES = 2
"""Calls lent while nothing is known of what the server has counted."""
_SILENT = 5.0
"""Seconds without any message after which the headers' word is too old, and calls ask again."""
_LATE = 2.0
"""Seconds after which other calls are lent to ask, if the first got no answer."""
_OVER = 0.3
"""Seconds by which those before are late when the next one takes the turn."""
_PLACE = 3.0
"""Seconds by which a process may be late, and keeps its place in the queue."""
_LEAST, _MOST = 0.05, 5.0
"""Seconds after which a process that got nothing asks again."""
_PART = 0.25
"""The share of the room that is lent to one process at a time: the less there is, the more evenly.
"""
_TURN = 20
"""Of so many calls one is for a class that waits while others take all."""
_ORDER: tuple[Priority, ...] = ("interactive", "sync", "bulk")
_DAY = 86_400.0

CONSTANTS: dict[str, float] = {
    "margin": MARGIN, "loan": LOAN, "member": _MEMBER, "chunk": _CHUNK, "few": _FEW,
    "ahead": _AHEAD, "least_share": _LEAST_SHARE, "soon": _SOON, "least_seen": _LEAST_SEEN,
    "probes": _PROBES, "silent": _SILENT, "late": _LATE, "over": _OVER, "place": _PLACE,
    "least": _LEAST, "most": _MOST, "part": _PART, "turn": _TURN, "keep": 2000 * int(_DAY),
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
        window.used(now, utc=message.utc and window.name == "day")
    if message.refused is not None:
        _block(fleet, now, *message.refused)
    _believe(fleet, now, message)
    return _lend(fleet, now, message)


def _settle(fleet: Fleet, now: float, message: Message) -> None:
    for member, (calls, heard_at) in list(fleet.loans.items()):
        if now - heard_at > LOAN and calls:
            _count(fleet, heard_at + LOAN, int(calls))
            fleet.loans[member][0] = 0
        if now - heard_at > _MEMBER:
            del fleet.loans[member]
    loan = fleet.loans.setdefault(message.member, [0, now])
    loan[1] = now
    for age, calls in message.used:
        known = min(calls, int(loan[0]))  # the rest has been counted when the loan ended
        loan[0] -= known
        _count(fleet, now - age, known)
    for age, calls in message.extra:
        _count(fleet, now - age, calls)
    back = min(message.unused, int(loan[0]))
    loan[0] -= back
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


def _block(fleet: Fleet, now: float, wait: float, blamed: WindowName) -> None:
    hour = fleet.windows[1]
    known = sum(count for _, count in hour.counts) - 1  # the refused call was counted like others
    if blamed == "hour" and now >= fleet.blocked_until and known >= 1:
        hour.limit = known if hour.limit is None else min(hour.limit, known)
    if now + wait > fleet.blocked_until:
        fleet.blocked_until, fleet.blamed = now + wait, blamed


def _believe(fleet: Fleet, now: float, message: Message) -> None:
    fleet.heard = fleet.heard or bool(message.used)
    if message.seen is None:
        return
    age, minute_limit, minute_left, reset_in, day_limit, day_left = message.seen
    day_ends = math.floor(now / _DAY + 1) * _DAY if message.utc else now + 900.0
    minute_ends = now + (60.0 if reset_in is None else reset_in) + MARGIN
    words = ((0, minute_limit, minute_left, minute_ends), (2, day_limit, day_left, day_ends))
    for index, limit, remaining, ends_at in words:
        window = fleet.windows[index]
        if limit is not None:
            window.limit = limit
        if remaining is None:
            continue
        # Calls on loan may or may not be in the server's count: taken as not, to be safe.
        left = remaining - fleet.out()
        sent_at = now - age
        if (
            window.left is None
            or now >= window.ends_at
            or sent_at >= window.sent_at
            or left < window.left
        ):
            window.left, window.sent_at, window.ends_at = left, sent_at, ends_at
            if index == 0:
                fleet.probes = 0


def _room(fleet: Fleet, now: float, message: Message) -> tuple[float, float, WindowName]:
    """Return how many calls have room, the seconds until one has, and the window that binds."""
    room, wait = math.inf, 0.0
    binding: WindowName = "minute"
    used = fleet.out()
    for window in fleet.windows:
        utc = message.utc and window.name == "day"
        free, later = math.inf, 0.0
        if window.limit is not None:
            limit = window.limit
            if window.name == "day":
                limit = max(1, math.floor(limit * (1 - message.reserve)))
            free = limit - used - sum(count for _, count in window.counts)
            if free < 1:
                later = window.frees_in(now, int(1 - free), utc=utc)
        if window.left is not None and now < window.ends_at and window.left < free:
            free = window.left
            if free < 1:
                later = max(later, window.ends_at - now if window.left + used < 1 else 0.0)
        if free < room:
            room = free
        if later > wait:
            wait, binding = later, window.name
    if now < fleet.blocked_until:
        room, wait, binding = 0, max(wait, fleet.blocked_until - now), fleet.blamed
    return room, wait, binding


def _lend(fleet: Fleet, now: float, message: Message) -> Reply:
    room, free_in, binding = _room(fleet, now, message)
    minute = fleet.windows[0]
    # A server that shows nothing of its minute cannot be asked about it.
    asking = not fleet.heard if minute.left is None else now >= minute.ends_at
    if asking:
        if fleet.probes >= _PROBES and now - fleet.probed_at > _LATE:
            fleet.probes = 0  # their answers are lost: others ask
        room = min(room, _PROBES - fleet.probes)
    fleet.queue = [place for place in fleet.queue if place[2] > now and place[1] in fleet.loans]
    lent, ask_in = 0, free_in
    if message.want > 0:
        lent, ask_in = _turn(fleet, now, message, room, free_in)
    fleet.loans[message.member][0] += lent
    for window in fleet.windows:
        if window.left is not None:
            window.left -= lent
    if asking and lent:
        fleet.probes, fleet.probed_at = fleet.probes + lent, now
    out = fleet.out()
    minute_used, hour_used, day_used = (sum(n for _, n in w.counts) + out for w in fleet.windows)
    minute_limit, hour_limit, day_limit = (window.limit for window in fleet.windows)
    return Reply(
        lent=lent,
        ask_in=min(max(ask_in, _LEAST), _MOST),
        free_in=free_in,
        window=binding,
        probing=asking,
        members=len(fleet.loans),
        used=(minute_used, hour_used, day_used),
        limits=(minute_limit, hour_limit, day_limit),
    )


def _turn(
    fleet: Fleet, now: float, message: Message, room: float, free_in: float
) -> tuple[int, float]:
    """Lend to whoever's turn it is; return the calls lent, or when to ask again."""
    rank = rank_of(message)
    before = _before(fleet, rank, message.member)
    higher = any(place[0] < rank for place in fleet.queue)
    lower = any(place[0] > rank for place in fleet.queue)
    due = fleet.passed >= _TURN
    gap = _gap(fleet, now, message)
    spare = room - _kept(fleet, now) if rank else room
    chunk = message.want
    if rank == 2 and gap > 0:
        chunk = min(chunk, max(1, math.floor(_CHUNK / gap)))
    wait = max(free_in, fleet.paced_at - now if rank == 2 else 0.0, 0.2)
    if due and not lower:
        spare, chunk, wait = room, 1, 0.2
    elif due:
        spare = room - 1
    may = due or not higher
    if rank < 2:
        spare -= before  # those who came before find theirs
    elif not due:
        # Who is late for a turn is passed over, and keeps the place.
        may = may and now >= fleet.paced_at + before * _OVER
    need = min(_FEW, chunk) if rank == 2 and not due else 1
    if not may or spare < need:
        if spare < need:
            missing = math.ceil(need - spare)
            wait = max(wait, fleet.windows[0].frees_in(now, missing))
        if rank == 2:
            wait += before * _OVER
        wait = min(max(wait, _LEAST), _MOST)
        _queue(fleet, rank, message.member, now + wait + _PLACE)
        return 0, wait
    lent = int(min(chunk, spare if rank == 2 else max(1, spare * _PART)))
    fleet.queue = [p for p in fleet.queue if not (p[1] == message.member and p[0] == rank)]
    fleet.passed = fleet.passed + lent if lower else 0
    if rank == 0:
        fleet.urgent.add(now, min(lent, message.waiting))
    elif rank == 2:
        fleet.paced_at = max(fleet.paced_at, now - _CHUNK) + lent * gap
    return lent, 0.0


def _before(fleet: Fleet, rank: int, member: str) -> int:
    """Return how many processes of a class came before one."""
    before = 0
    for place in fleet.queue:
        if place[1] == member and place[0] == rank:
            break
        before += place[0] == rank
    return before


def _queue(fleet: Fleet, rank: int, member: str, until: float) -> None:
    for place in fleet.queue:
        if place[1] == member and place[0] == rank:
            place[2] = until
            return
    fleet.queue.append([rank, member, until])


def _gap(fleet: Fleet, now: float, message: Message) -> float:
    """Return the seconds from one bulk call to the next, 0 where no limit is known."""
    rate = math.inf
    for window in fleet.windows:
        if window.limit is not None and (window.name != "day" or message.even):
            rate = min(rate, _AHEAD * max(1, window.limit) / window.span)
    return 1.0 / max(rate - _urgent(fleet, now), rate * _LEAST_SHARE)


def _urgent(fleet: Fleet, now: float) -> float:
    """Return how many interactive calls a second there have been lately."""
    seen_for = min(max(now - fleet.born, _LEAST_SEEN), fleet.urgent.span)
    return fleet.urgent.used(now) / seen_for


def _kept(fleet: Fleet, now: float) -> float:
    """Return how many calls bulk and sync leave to interactive callers."""
    minute = fleet.windows[0]
    # Until the next calls leave the minute: a reserve for longer would be room that nobody uses.
    dry = minute.frees_in(now, 1) if minute.counts else _SOON
    soon = _urgent(fleet, now) * min(dry, _SOON)
    least = 1 if soon and dry > 1.0 else 0
    return max(least, math.floor(soon + 1.5 * math.sqrt(soon)))
