"""The quota that several processes share: what is kept, and what they say to each other.

A process asks for some calls at a time, a loan, and is told for each the moment from which on it
may be made. In the same message it tells what became of the last ones. Calls that are lent count
like calls in flight until they are settled, returned, or until their borrower has been silent for
too long: then they count as made. So whatever a process does or whenever it dies, no window is ever
lent more than it allows.

`lending.py` has the rules. Neither knows a database or a clock: times are Unix seconds of whoever
keeps the state; what goes in and out are spans, so that the clocks of the processes need not agree.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

from attrs import asdict, define, evolve, field, frozen

from vtiger_async.quota import Priority
from vtiger_async.quota.windows import WindowName

__all__ = ["VERSION", "Fleet", "Loan", "Message", "Reply", "Tally"]

VERSION = 1
"""Of what is kept. A store that holds another one is not touched."""
_DAY = 86_400.0
_MARGIN = 0.1
"""Seconds by which a window is taken to be longer: clocks tick in steps."""


@frozen
class Message:
    """What a process tells and asks.

    Attributes:
        member: The process; any name that no other has. Empty for one that only looks.
        want: Calls that it could make now; 0 where it only tells.
        priority: For whom.
        waiting: How many of them wait already; the others are expected.
        used: Calls lent to it that were answered: how many seconds ago, and how many.
        extra: Calls that the store does not know of: made without a loan, while it could not be
            reached, or forgotten by it.
        unused: Calls lent to it that it gives back.
        alone: Where it has just been without the store: how many processes it knew of, else 0.
        seen: The newest headers: seconds since their call left, the minute's limit and remaining,
            seconds to its reset, the day's limit and remaining; None where they do not tell.
        refused: Seconds that everyone waits for a 429, and the window that it is blamed on.
        limits: Calls a minute, an hour and a day that it was set up with; None where unknown.
        utc: Whether the day begins at 00:00 UTC.
        even: Whether bulk is spread over the day.
        reserve: The share of the day that is left to other programs.
    """

    member: str
    want: int = 0
    priority: Priority = "interactive"
    waiting: int = 1
    used: tuple[tuple[float, int], ...] = ()
    extra: tuple[tuple[float, int], ...] = ()
    unused: int = 0
    alone: int = 0
    seen: tuple[float, int | None, int | None, float | None, int | None, int | None] | None = None
    refused: tuple[float, WindowName] | None = None
    limits: tuple[int | None, int | None, int | None] = (None, None, None)
    utc: bool = False
    even: bool = False
    reserve: float = 0.0


@frozen
class Reply:
    """What a process may do.

    Attributes:
        slots: The calls that it may make: for each, in how many seconds, at the earliest.
        ask_in: Seconds after which to ask for more.
        free_in: Seconds until a call has room, as far as the windows tell.
        window: The window that says so.
        probing: Whether the answer to the next call is to be told at once.
        members: Processes that share the quota.
        used: Calls that count in minute, hour and day, those on loan included.
        limits: The limits as they are known to the fleet.
        born: When the state began, on its own clock: another moment is another state, which has
            forgotten what was called before.
    """

    slots: tuple[float, ...]
    ask_in: float
    free_in: float
    window: WindowName
    probing: bool
    members: int
    used: tuple[int, int, int]
    limits: tuple[int | None, int | None, int | None]
    born: float

    @property
    def lent(self) -> int:
        """How many calls it may make."""
        return len(self.slots)


@define
class Tally:
    """Calls of a window, counted in steps; each leaves when the youngest of its step does.

    Attributes:
        name: The window.
        span: Its seconds.
        step: The seconds of a step.
        limit: Calls that it allows; None where unknown.
        told: The limit that the processes were set up with.
        counts: The steps that have calls, by number, the oldest first, and how many.
        left: Calls that may still be lent by the headers' word.
        sent_at: When the call that the word came with was sent.
        ends_at: When it says nothing any more.
    """

    name: WindowName
    span: float
    step: float
    limit: int | None = None
    told: int | None = None
    counts: list[list[int]] = field(factory=list[list[int]])
    left: int | None = None
    sent_at: float = 0.0
    ends_at: float = 0.0

    def used(self, now: float, *, utc: bool = False) -> int:
        """Return how many calls count, and forget those that do not."""
        while self.counts and self.leaves(0, utc=utc) <= now:
            del self.counts[0]
        return self.total()

    def total(self) -> int:
        """Return how many calls are counted; `used` has forgotten those that do not count."""
        return sum(count for _, count in self.counts)

    def leaves(self, index: int, *, utc: bool = False) -> float:
        """Return when the calls of one step leave."""
        ends = (self.counts[index][0] + 1) * self.step
        return math.ceil(ends / _DAY) * _DAY if utc else ends + self.span + _MARGIN

    def add(self, at: float, calls: int) -> None:
        """Count calls that were made at a moment, which may lie some time back."""
        step = math.floor(at / self.step)
        index = len(self.counts)
        while index and self.counts[index - 1][0] > step:
            index -= 1
        if index and self.counts[index - 1][0] == step:
            self.counts[index - 1][1] += calls
        else:
            self.counts.insert(index, [step, calls])

    def since(self, moment: float) -> int:
        """Return how many calls are in steps that ended later than a moment."""
        return sum(count for step, count in self.counts if (step + 1) * self.step > moment)

    def leaving(self, now: float, seconds: float, *, utc: bool = False) -> int:
        """Return how many of the calls counted will have left after so long."""
        gone = 0
        for index, (_, count) in enumerate(self.counts):
            if self.leaves(index, utc=utc) > now + seconds:
                break
            gone += count
        return gone

    def take(self, calls: int) -> int:
        """Forget so many calls, the youngest first, and return how many there were."""
        taken = 0
        while self.counts and taken < calls:
            part = min(self.counts[-1][1], calls - taken)
            self.counts[-1][1] -= part
            taken += part
            if not self.counts[-1][1]:
                self.counts.pop()
        return taken

    def frees_in(self, now: float, excess: float, *, utc: bool = False) -> float:
        """Return the seconds until so many of the calls counted have left; else infinity."""
        for index, (_, count) in enumerate(self.counts):
            excess -= count
            if excess <= 0:
                return self.leaves(index, utc=utc) - now
        return math.inf


@define
class Loan:
    """What one process was lent, and has not told of yet.

    Attributes:
        heard_at: When it was last heard of.
        asked_at: When it last asked for bulk calls.
        bulk_at: The moment of the last one that it was lent.
        slots: For each call, the moment from which on it may be made; the earliest first.
        queues: How many calls of each class waited on when it last asked for that class.
    """

    heard_at: float = 0.0
    asked_at: float = 0.0
    bulk_at: float = 0.0
    slots: list[float] = field(factory=list[float])
    queues: list[int] = field(factory=lambda: [0, 0, 0])


def _windows() -> list[Tally]:
    return [Tally("minute", 60.0, 0.25), Tally("hour", 3600.0, 15.0), Tally("day", _DAY, 300.0)]


@define
class Fleet:
    """All that is kept of one instance's quota.

    Attributes:
        version: Of this form.
        at: When it was last changed.
        born: When it was first changed.
        windows: Minute, hour and day.
        loans: What each process was lent.
        urgent: The interactive calls of the last two minutes.
        others: Calls of other programs that have shown in the last quarter of an hour.
        sliding: Whether the server's minute seems to slide.
        whole: Whether its reset moved by whole minutes when it last did.
        reset_at: When the minute ended by the last word on it.
        blocked_until: When calls may go again after a 429.
        blamed: The window that the 429 was blamed on.
        doubted_at: When an hour's limit that was learned is to be raised; 0 where none was.
        passed: Calls lent to interactive callers since others had their turn.
        probes: Calls lent since the headers' word ended.
        probed_at: When the last of them was lent.
        heard: Whether answers have come.
        healing: Until when processes may still be without the store.
        expected: How many of them there were.
        back: Those that have come back.
    """

    version: int = VERSION
    at: float = 0.0
    born: float = 0.0
    windows: list[Tally] = field(factory=_windows)
    loans: dict[str, Loan] = field(factory=dict[str, Loan])
    urgent: Tally = field(factory=lambda: Tally("minute", 120.0, 5.0))
    others: Tally = field(factory=lambda: Tally("minute", 900.0, 1.0))
    sliding: bool = False
    whole: bool = False
    reset_at: float = 0.0
    blocked_until: float = 0.0
    blamed: WindowName = "minute"
    doubted_at: float = 0.0
    passed: int = 0
    probes: int = 0
    probed_at: float = 0.0
    heard: bool = False
    healing: float = 0.0
    expected: int = 0
    back: list[str] = field(factory=list[str])

    def dump(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        kept = asdict(self, recurse=False)
        kept["loans"] = {name: asdict(loan, recurse=False) for name, loan in self.loans.items()}
        kept["windows"] = [asdict(window, recurse=False) for window in self.windows]
        for name in ("urgent", "others"):
            kept[name] = asdict(kept[name], recurse=False)
        return kept

    @classmethod
    def load(cls, kept: dict[str, Any] | None) -> Fleet:
        """Return what `dump` gave, or an empty one for None.

        Raises:
            ValueError: It was kept by another version.
        """
        if kept is None:
            return cls()
        if kept.get("version") != VERSION:
            raise ValueError("the quota was kept by another version of vtiger-async")
        windows = [Tally(**window) for window in kept["windows"]]
        urgent, others = Tally(**kept["urgent"]), Tally(**kept["others"])
        loans = {name: Loan(**loan) for name, loan in kept["loans"].items()}
        return evolve(cls(**kept), windows=windows, loans=loans, urgent=urgent, others=others)

    def out(self) -> int:
        """Return how many calls are on loan."""
        return sum(len(loan.slots) for loan in self.loans.values())

    def due(self, moment: float) -> int:
        """Return how many calls are on loan that could be made by a moment."""
        return sum(bisect_right(loan.slots, moment) for loan in self.loans.values())
