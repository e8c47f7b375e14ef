"""Reconciliation: what no feed of changes tells is found by looking, within a budget of calls."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from attrs import evolve, frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.mirror.comparing import END, Comparison
from vtiger_async.mirror.states import ModuleState
from vtiger_async.mirror.work import Work, is_readable
from vtiger_async.quota.snapshot import Quota

__all__ = ["Budget", "reconcile"]

_DAY: Final = 86_400.0
_TURNS: Final = 24.0
"""How often a day a module is looked at, at most."""
_LEAF: Final = 200
"""Records of a range in which they are compared, and not counted any further."""
_FORM: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", re.ASCII)


@frozen
class Budget:
    """How many calls a day go into reconciliation.

    Attributes:
        calls: The number, or None.
        share: The share of the day's limit, where that was asked for.
    """

    calls: float | None = None
    share: float | None = None

    @classmethod
    def of(cls, given: str | int | None) -> Budget:
        """Return the budget that a user gives: `"5%"`, a number of calls a day, or None for none.

        Raises:
            InvalidArgumentError: It is nothing of that.
        """
        if given is None:
            return cls(calls=0)
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
            return cls(calls=given)
        text = str(given).strip()
        if found := _FORM.fullmatch(text):
            share = float(found[1]) / 100
            if share <= 1:
                return cls(share=share)
        if text.isascii() and text.isdecimal() and len(text) <= 9:
            return cls(calls=int(text))
        raise InvalidArgumentError(
            f"reconcile is a share of the day's calls, as '5%', or a number of calls a day, not "
            f"{given!r}"
        )

    def a_day(self, quota: Quota) -> float | None:
        """Return the calls a day; None where they are a share of a limit that nobody has told."""
        if self.share is None:
            return self.calls
        limit = quota.day.limit
        return None if limit is None else limit * self.share


async def reconcile(work: Work, a_day: float) -> None:
    """Find what changes do not tell, once the mirror is at the head.

    First counts are compared, of all records and then of ever smaller ranges of ids where they
    differ; where few are left, records are compared, a hundred for each call. What is left of the
    budget goes on comparing records where it ended the last time. The budget adds up while nothing
    runs, to that of a day at the most; to settle counts that differ, that can be spent at once.

    Args:
        work: The work on the module.
        a_day: The calls a day that are this module's.
    """
    now = work.clock.time()
    credit_from = work.state.credit_from
    if a_day < 1 or credit_from is None or not is_readable(work.sink):
        return
    credit_from = max(credit_from, now - _DAY)
    credit = a_day * (now - credit_from) / _DAY
    if credit < max(1.0, a_day / _TURNS):
        return
    begun_at, upserts = work.report.calls, work.report.upserts

    def used() -> int:
        return work.report.calls - begun_at

    def state(number: int | None = None) -> ModuleState:
        spent_until = credit_from + used() / a_day * _DAY
        checked = work.state.checked if number is None else number
        return evolve(work.state, credit_from=spent_until, checked=checked)

    try:
        counting = Comparison(work, work.sink, lambda _: state())
        if await _settle(work, counting, int(a_day), used) and used() < credit:
            walking = Comparison(work, work.sink, state)
            await _go_round(work, walking, lambda: used() < credit)
    finally:
        work.report.reconciled += used()
        work.report.repaired += work.report.upserts - upserts
    # What is left was not needed: all records have been compared.
    await work.commit(evolve(state(), credit_from=max(now, credit_from + used() / a_day * _DAY)))


async def _settle(work: Work, comparison: Comparison, most: int, used: Callable[[], int]) -> bool:
    """Compare counts, and records where those differ; return whether that came to its end.

    Args:
        work: The work on the module.
        comparison: What compares.
        most: The most calls.
        used: Tells how many were made.
    """
    sink = work.sink
    if not is_readable(sink):
        return False
    all_there = await comparison.count(0, END)
    ranges = [] if all_there is None else [(0, END, all_there)]
    while ranges:
        above, up_to, there = ranges.pop()
        here = await sink.count(work.name, above, up_to)
        if here == there:
            continue
        if used() >= most:
            return False
        top = await sink.highest(work.name)
        is_leaf = max(here, there) <= _LEAF or up_to - above <= _LEAF
        if is_leaf or not here or not there or above >= top:
            found = comparison.found
            if not await comparison.walk(above, up_to, lambda: used() < most):
                return False
            if comparison.found == found:
                return True  # the server counts what it does not show: counts tell nothing here
            continue
        middle = top if top < up_to else (above + up_to) // 2
        lower = await comparison.count(above, middle)
        if lower is None:
            return True
        ranges += [(middle, up_to, max(0, there - lower)), (above, middle, lower)]
    return True


async def _go_round(work: Work, comparison: Comparison, go_on: Callable[[], bool]) -> None:
    """Compare records from where that ended the last time, and once around at the most."""
    start = work.state.checked
    if not await comparison.walk(start, END, go_on):
        return
    await work.commit(evolve(work.state, checked=0))
    if start > 0 and go_on() and await comparison.walk(0, start, go_on):
        await work.commit(evolve(work.state, checked=0))
