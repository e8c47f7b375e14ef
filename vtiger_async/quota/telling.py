"""What a process tells a shared quota: calls made and given back, headers, refusals, its return."""

from __future__ import annotations

import math

from vtiger_async.quota.fleet import Fleet, Loan, Message
from vtiger_async.quota.spare import is_utc
from vtiger_async.quota.windows import MARGIN

__all__ = ["FIGURES", "LOAN", "learn"]

LOAN = 45.0
"""Seconds without a word from a borrower after which what it was lent counts as used."""
_MEMBER = 60.0
"""Seconds without a word after which a process is no member any more."""
_UNTOLD = 3.0
"""Seconds after its moment from which on a lent call is taken to be in the server's count."""
_RETURN = 30.0
"""Seconds after one process found the store again, by which the others have too."""
_CONFUSED = 90.0
"""Seconds back to which calls of the fleet, told late, may have been taken for other programs'."""
_LEAST_HOUR = 50
"""Calls; a refusal at fewer in the hour is not the hour's: no edition has less than 100."""
_SAME_RESET = 5.0
"""Seconds within which two resets are the same one: it is told in whole seconds, and late."""
_DAY = 86_400.0

FIGURES: dict[str, float] = {
    "margin": MARGIN, "loan": LOAN, "member": _MEMBER, "untold": _UNTOLD, "back": _RETURN,
    "confused": _CONFUSED, "least_hour": _LEAST_HOUR, "same_reset": _SAME_RESET,
}  # fmt: skip
"""The numbers above, for the script in Redis."""


def learn(fleet: Fleet, now: float, message: Message) -> None:
    """Take what a process tells into the state.

    Args:
        fleet: The state; it is changed.
        now: Unix seconds of whoever keeps the state.
        message: What the process says.
    """
    _settle(fleet, now, message)
    for window in fleet.windows:
        window.used(now, utc=is_utc(window, message))
    _heal(fleet, now, message)
    _block(fleet, now, message)
    _believe(fleet, now, message)


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
            if abs(ends_at - window.ends_at) <= _SAME_RESET:
                # Date has whole seconds, so each word puts the end too late: the least of them too.
                ends_at = min(ends_at, window.ends_at)
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
