"""What a process has not told its store yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from attrs import define, evolve, field

from vtiger_async.quota.headers import NOTHING, Observation

__all__ = ["Calls", "Untold", "enter"]

_MOST, _FINE, _COARSE = 500, 0.25, 300.0
"""Entries of calls that are kept as they are; the seconds of a step whose calls are one entry, and
of one where there are more entries."""

Calls: TypeAlias = list[tuple[float, int]]
"""Moments, and how many calls were answered then."""


@define
class Untold:
    """What is to be told with the next message; all moments are on the process's own clock.

    Attributes:
        used: Calls lent by the store.
        extra: Calls that the store does not know of.
        unused: Calls that are given back.
        seen: The newest headers, and when their call was granted; their reset is a moment here.
        refused_at: When the server last refused a call.
    """

    used: Calls = field(factory=list["tuple[float, int]"])
    extra: Calls = field(factory=list["tuple[float, int]"])
    unused: int = 0
    seen: tuple[float, Observation] | None = None
    refused_at: float | None = None

    def see(self, now: float, sent_at: float, seen: Observation) -> None:
        """Keep what an answer's headers say, if its call was sent later than that of the last ones.

        Args:
            now: The moment.
            sent_at: When the call was granted.
            seen: What the headers say.
        """
        if seen is NOTHING or (self.seen is not None and sent_at < self.seen[0]):
            return
        if seen.reset_in is not None:
            seen = evolve(seen, reset_in=now + seen.reset_in)
        self.seen = (sent_at, seen)

    def before(self, later: Untold) -> Untold:
        """Return this, which could not be told, with what has come since."""
        return Untold(
            used=self.used + later.used,
            extra=self.extra + later.extra,
            unused=self.unused + later.unused,
            seen=later.seen or self.seen,
            refused_at=later.refused_at or self.refused_at,
        )

    def as_spans(self, now: float) -> dict[str, Any]:
        """Return the parts of a message that tell it, moments as the seconds since then."""
        seen = None
        if self.seen is not None:
            sent_at, word = self.seen
            reset_in = None if word.reset_in is None else max(0.0, word.reset_in - now)
            seen = (
                now - sent_at, word.minute_limit, word.minute_remaining, reset_in,
                word.day_limit, word.day_remaining,
            )  # fmt: skip
        return {
            "used": tuple((max(0.0, now - at), calls) for at, calls in self.used),
            "extra": tuple((max(0.0, now - at), calls) for at, calls in self.extra),
            "unused": self.unused,
            "seen": seen,
        }


def enter(log: Calls, moments: Iterable[float], close: float = _FINE) -> None:
    """Enter calls into a log; those of a step are one entry, at its last; of a long log the more.

    Args:
        log: The log; it is changed.
        moments: When the calls were answered, the earliest first.
        close: The seconds of a step.
    """
    for at in moments:
        if log and at // close == log[-1][0] // close:
            log[-1] = (at, log[-1][1] + 1)
        else:
            log.append((at, 1))
    if len(log) > _MOST:
        merged: dict[int, tuple[float, int]] = {}
        for at, calls in log:
            step = int(at // _COARSE)
            merged[step] = (at, merged.get(step, (at, 0))[1] + calls)
        log[:] = merged.values()
