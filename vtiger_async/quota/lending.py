"""The rules of a shared quota: one function, that changes the state and says what may be done.

Interactive callers take what the windows have. Bulk is lent some calls at a time, each with the
moment from which on it may be made, so that all processes together keep an even pace. It leaves
room for the interactive calls that have been coming, less and less towards the end of the minute.
"""

from __future__ import annotations

import math
from bisect import insort

from vtiger_async.quota import Priority, spare, telling
from vtiger_async.quota.fleet import VERSION, Fleet, Message, Reply
from vtiger_async.quota.spare import (
    LAST,
    LOOK,
    even_rate,
    for_others,
    gap_of,
    kept,
    kept_for_others,
    minute_ends,
    others_rate,
    room,
    wait_for,
    word_left,
)
from vtiger_async.quota.telling import LOAN, learn

__all__ = ["CONSTANTS", "LOAN", "exchange", "rank_of"]

_AHEAD, _FARTHEST = 25.0, 30.0
"""Seconds of bulk's pace that are lent at a time, so that a call costs less than a message; the
most of it where calls come slowly."""
_FEW = 3
"""Calls that are then lent at a time."""
_END = 6.0
"""Seconds at the end of the minute that are lent for last."""
_EARLY = 1.0
"""Seconds before its next call can be due at which bulk asks for it."""
_PATIENCE = 5.0
"""Seconds for which a call that has no time takes a place that is not free yet."""
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
_GONE = 35.0
"""Seconds after which a process that has not asked for bulk calls has no share of them."""
_NEAR, _MAKE_UP = 6.0, 60.0
"""Where other programs call: the most seconds of bulk's pace that are lent at a time, and by how
many it may be late, as it goes late in each minute, and still make all of its calls."""
_PAUSE = 8.0
"""Seconds after which bulk asks again there, at the latest: the calls of others may have ended."""
_LEAST, _MOST = 0.1, 30.0
"""Seconds after which a process that got nothing asks again."""
_PART = 0.25
"""The share of the room that is lent for calls that nobody waits for yet."""
_LEAST_PART = 0.1
"""The part of its share that a process has, whatever was lent to the others before."""
_TURN = 20
"""Of so many calls one is for those that wait while interactive callers take all."""
_ORDER: tuple[Priority, ...] = ("interactive", "sync", "bulk")


CONSTANTS: dict[str, float] = {
    **telling.FIGURES, **spare.FIGURES,
    "ahead": _AHEAD, "farthest": _FARTHEST, "few": _FEW, "end": _END, "early": _EARLY,
    "patience": _PATIENCE, "unsure": _UNSURE, "probes": _PROBES, "silent": _SILENT,
    "late": _LATE, "again": _AGAIN, "gone": _GONE, "least": _LEAST, "most": _MOST,
    "near": _NEAR, "make_up": _MAKE_UP, "pause": _PAUSE,
    "part": _PART, "least_part": _LEAST_PART, "turn": _TURN, "keep": 2 * 86_400_000,
    "version": VERSION,
}  # fmt: skip
"""All numbers, for the script that does the same within Redis; `keep` in milliseconds."""


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
    learn(fleet, now, message)
    return _lend(fleet, now, message)


def _lend(fleet: Fleet, now: float, message: Message) -> Reply:
    minute = fleet.windows[0]
    free_in, binding = wait_for(fleet, now, message, 0)
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
        free_in=_UNSURE if math.isinf(free_in) else free_in,
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
    fleet.loans[message.member].queues[rank] = max(0, message.waiting - len(slots))
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
        wait, _ = wait_for(fleet, now, message, 0)
        if wait > 0:
            break
        slots.append(_take(fleet, now, message, 0.0))
        fleet.probes, fleet.probed_at = fleet.probes + 1, now
    return slots, max(wait, _UNSURE if rank_of(message) == 2 else _AGAIN)


def _at_once(fleet: Fleet, now: float, message: Message, *, due: bool) -> tuple[list[float], float]:
    """Lend to those who have no time: what there is, or the next that comes free."""
    keep = kept(fleet, now) if rank_of(message) and not due else 0
    part = _PART * min(room(fleet, now, message, window) for window in fleet.windows)
    slots: list[float] = []
    while len(slots) < (1 if due else message.want):
        wait, _ = wait_for(fleet, now, message, keep)
        expected = len(slots) >= max(1, message.waiting)  # nobody waits for this one yet
        if expected and (wait > 0 or len(slots) >= part):
            break
        if wait > _PATIENCE or wait >= word_left(fleet, now):
            return slots, wait
        slots.append(_take(fleet, now, message, wait))
    return slots, 0.0


def _paced(fleet: Fleet, now: float, message: Message) -> tuple[list[float], float]:
    """Lend to bulk: the calls' moments, at an even pace, and when to ask for more."""
    loan = fleet.loans[message.member]
    loan.asked_at = now
    ends = minute_ends(fleet, now)
    sharing = sum(other.asked_at >= now - _GONE for other in fleet.loans.values())
    if ends - now < LAST:
        sharing = 1  # whoever asks has what nobody else will
    others, even = others_rate(fleet, now), even_rate(fleet, message)
    keep = kept(fleet, now) + kept_for_others(fleet, now)
    ahead = min(max(_AHEAD, _FEW * sharing / even), _FARTHEST)
    gap = _share(fleet, now, gap_of(fleet, now, message, ends), sharing, min(ahead, ends - now))
    # Where it goes slowly now it may soon go faster: that is looked at the sooner.
    ahead *= min(1.0, sharing / even / max(gap, LOOK))
    if ends - now < LAST:
        ahead = min(ahead, ends - now)
    if ends - now > 2 * _END:
        ahead = min(ahead, ends - now - _END)  # what is left for the end is lent then
    if others:
        ahead = min(ahead, _NEAR)
    last = min(ahead, word_left(fleet, now) - LOOK)
    slots: list[float] = []
    while True:
        wait = max(loan.bulk_at + gap - now, wait_for(fleet, now, message, keep)[0], 0.0)
        wait = max(wait, for_others(fleet, now, message, keep))
        if wait > last or len(slots) == message.want:
            break
        slots.append(_take(fleet, now, message, wait))
        loan.bulk_at = max(loan.bulk_at + gap, now + wait - (_MAKE_UP if others else 0.0))
    if slots:
        return slots, slots[-1]
    if math.isinf(wait):
        wait = _UNSURE
    if ends - now < LAST / 2:
        wait = ends - now + _EARLY  # a new minute begins
    if others:
        return [], min(max(wait, _AGAIN), _PAUSE, max(_LEAST, ends - now))
    return [], min(max(wait - _EARLY, _AGAIN), max(ahead, _EARLY), max(_LEAST, ends - now))


def _share(fleet: Fleet, now: float, gap: float, sharing: int, seconds: float) -> float:
    """Return the seconds between the calls of one of those who share, from those between all calls.

    What was lent to the others for the same time, maybe before they were so many, is left to them.
    """
    if gap <= 0:
        return 0.0
    seconds = max(LOOK, seconds)
    lent = (fleet.due(now + seconds) - fleet.due(now)) / seconds
    return 1.0 / max(min(1.0 / gap / sharing, 1.0 / gap - lent), _LEAST_PART / gap / sharing)
