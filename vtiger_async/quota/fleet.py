"""The quota that several processes share: what is kept, and what they say to each other.

A process asks for some calls at a time, a loan, and tells in the same message what became of the
last ones. Calls that are lent count like calls in flight until they are settled, returned, or until
their borrower has been silent for too long: then they count as made. So whatever a process does or
whenever it dies, no window is ever lent more than it allows.

`lending.py` has the rules. Neither knows a database or a clock: times are Unix seconds of whoever
keeps the state; what goes in and out are spans, so that the clocks of the processes need not agree.
"""

from __future__ import annotations

import math
from typing import Any

from attrs import asdict, define, evolve, field, frozen

from vtiger_async.quota import Priority
from vtiger_async.quota.windows import WindowName

__all__ = ["Fleet", "Message", "Reply", "Tally"]

_DAY = 86_400.0
_MARGIN = 0.1


@frozen
class Message:
    """What a process tells and asks.

    Attributes:
        member: The process; any name that no other has.
        want: Calls that it could make now; 0 where it only tells.
        priority: For whom.
        waiting: How many of them wait already; the others are expected.
        used: Calls lent to it that were answered: how many seconds ago, and how many.
        extra: Calls that it made without a loan, while the store could not be reached.
        unused: Calls lent to it that it gives back.
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
        lent: Calls that it may make.
        ask_in: Seconds after which to ask again, if that was nothing.
        free_in: Seconds until a call has room, as far as the windows tell.
        window: The window that says so.
        probing: Whether the answer to the next call is to be told at once.
        members: Processes that share the quota.
        used: Calls that count in minute, hour and day, those on loan included.
        limits: The limits as they are known to the fleet.
    """

    lent: int
    ask_in: float
    free_in: float
    window: WindowName
    probing: bool
    members: int
    used: tuple[int, int, int]
    limits: tuple[int | None, int | None, int | None]


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

    def frees_in(self, now: float, excess: int, *, utc: bool = False) -> float:
        """Return the seconds until so many of the calls counted have left; 0 if not so many do."""
        for index, (_, count) in enumerate(self.counts):
            excess -= count
            if excess <= 0:
                return self.leaves(index, utc=utc) - now
        return 0.0


def _windows() -> list[Tally]:
    return [Tally("minute", 60.0, 0.25), Tally("hour", 3600.0, 15.0), Tally("day", _DAY, 300.0)]


@define
class Fleet:
    """All that is kept of one instance's quota.

    Attributes:
        at: When it was last changed.
        born: When it was first changed.
        windows: Minute, hour and day.
        loans: By process: calls on loan, and when it was last heard of.
        queue: The processes that wait: class, name, and until when their place is kept.
        urgent: The interactive calls of the last two minutes.
        blocked_until: When calls may go again after a 429.
        blamed: The window that the 429 was blamed on.
        paced_at: When the next bulk calls may be lent.
        passed: Calls lent since a lower class had its turn.
        probes: Calls lent since the headers' word ended.
        probed_at: When the last of them was lent.
        heard: Whether answers have come.
    """

    at: float = 0.0
    born: float = 0.0
    windows: list[Tally] = field(factory=_windows)
    loans: dict[str, list[float]] = field(factory=dict[str, "list[float]"])
    queue: list[list[Any]] = field(factory=list["list[Any]"])
    urgent: Tally = field(factory=lambda: Tally("minute", 120.0, 5.0))
    blocked_until: float = 0.0
    blamed: WindowName = "minute"
    paced_at: float = 0.0
    passed: int = 0
    probes: int = 0
    probed_at: float = 0.0
    heard: bool = False

    def dump(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def load(cls, kept: dict[str, Any] | None) -> Fleet:
        """Return what `dump` gave, or an empty one for None."""
        if kept is None:
            return cls()
        windows = [Tally(**window) for window in kept["windows"]]
        return evolve(cls(**kept), windows=windows, urgent=Tally(**kept["urgent"]))

    def out(self) -> int:
        """Return how many calls are on loan."""
        return int(sum(loan[0] for loan in self.loans.values()))
