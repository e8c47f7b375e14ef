"""What a reading will cost: calls, seconds, and the window that makes it wait."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from vtiger_async.quota.plan import Plan
from vtiger_async.quota.windows import WindowName

__all__ = ["HIDDEN", "Cost", "cost_of", "span"]

HIDDEN: Final = "or more: it takes calls to look behind records that this user may not see"
"""What a Cost says of a user who is no administrator: nobody can count these calls."""


@frozen
class Cost:
    """What a reading will cost, as `explain()` tells it; `print()` shows it on one line.

    Calls that fail and are made again are not in it, nor what is written meanwhile.

    Attributes:
        what: What is read: a module, or several.
        calls: The calls that are still to be made.
        records: The records that will come; None where no count(*) tells.
        seconds: How long the calls take at the quota as it stands; 0 where no limit is known,
            infinity where it is over a year.
        window: The window that binds for the longest time; None where none does.
        spent: The calls that were made to tell this.
        note: What the numbers leave out; empty if nothing.
        parts: The same of each module, where there are several.
    """

    what: str
    calls: int
    records: int | None
    seconds: float
    window: WindowName | None
    spent: int = 0
    note: str = ""
    parts: tuple[Cost, ...] = ()

    def __str__(self) -> str:
        of = "" if self.records is None else f" for {_many(self.records, 'record')}"
        takes = "over a year" if math.isinf(self.seconds) else f"about {span(self.seconds)}"
        binds = "" if self.window is None else f", the {self.window} binds"
        note = f" ({self.note})" if self.note else ""
        return (
            f"{self.what}: {_many(self.calls, 'call')}{of}, {takes}{binds}; "
            f"{_many(self.spent, 'call')} spent to tell{note}"
        )


def cost_of(
    what: str,
    calls: int,
    records: int | None,
    plan: Callable[[int], Plan],
    *,
    spent: int = 0,
    note: str = "",
    parts: Sequence[Cost] = (),
) -> Cost:
    """Return what so many calls cost.

    Args:
        what: What is read.
        calls: The calls.
        records: The records that will come, if that is known.
        plan: Tells how long so many calls take: `crm.quota.plan`.
        spent: The calls that were made to know it.
        note: What the numbers leave out.
        parts: The same of each module.
    """
    found = plan(calls)
    longest = max(found.stretches, key=lambda one: one.end - one.start, default=None)
    window = None if longest is None else longest.window
    return Cost(what, calls, records, found.seconds, window, spent, note, tuple(parts))


def span(seconds: float) -> str:
    """Return seconds as people say them: `"45 s"`, `"12 min"`, `"3 h 5 min"`, `"2 d 4 h"`.

    Minutes and hours are rounded up.
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(hours + (rest > 0), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
