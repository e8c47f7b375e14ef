"""The instance's own quota arithmetic: what it grants, what it refuses, what its headers say.

It is written apart from the client's, so that one bug cannot hide on both sides. What the vendor's
"Vtiger CRM API Limits" article leaves open can be chosen: whether the minute is fixed or sliding,
whether the day rolls or begins at 00:00 UTC, whether failed and refused calls are charged. The
default charges a failed call and not a refused one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from email.utils import formatdate
from itertools import cycle
from random import Random
from typing import Any, Literal

from attrs import frozen

from vtiger_async.clock import Clock
from vtiger_async.editions import Limits
from vtiger_async.sandbox.replies import HeaderList
from vtiger_async.sandbox.windows import FixedWindow, SlidingWindow, Window, WindowKind

__all__ = ["Flood", "HeaderForm", "OtherProgram"]

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_NONSENSE = (b"15349121212", b"soon", b"-1", b"", b"1e999", b"NaN")


@frozen
class HeaderForm:
    """How the quota shows in the response headers.

    Attributes:
        shown: Whether there are any.
        on_refusal: Whether a 429 has them too; the vendor's article does not say.
        reset: `X-FloodControl-Reset` as Unix seconds (what public clients expect), milliseconds,
            the seconds that are left, or nonsense. The first nonsense is the article's own typo.
        retry_after: Whether a 429 has the undocumented `Retry-After`, and in which of its forms.
    """

    shown: bool = True
    on_refusal: bool = True
    reset: Literal["unix", "milliseconds", "delta", "nonsense"] = "unix"
    retry_after: Literal["none", "seconds", "date"] = "none"


class OtherProgram:
    """A second program on the instance, that spends quota in bursts.

    Args:
        per_minute: Its calls a minute, on average; 0 for no such program. Up to about 300.
        random: Where its bursts come from.
    """

    _BURST = 8  # calls on average
    _GAP = 0.2  # seconds between the calls of one burst

    def __init__(self, per_minute: float, random: Random) -> None:
        self.per_minute = per_minute
        self._random = random
        self._next: float | None = None
        self._left = 0

    def due(self, now: float) -> Iterator[float]:
        """Yield the times of its calls since it was last asked, up to `now`; it starts now."""
        if not self.per_minute:
            return
        if self._next is None:
            self._next = now + self._pause()
        while self._next <= now:
            yield self._next
            self._left -= 1
            self._next += self._GAP if self._left > 0 else self._pause()

    def _pause(self) -> float:
        """Draw the size of the next burst, and return the seconds until it begins."""
        self._left = self._random.randint(1, 2 * self._BURST - 1)
        mean = max(self._BURST * 60.0 / self.per_minute - (self._BURST - 1) * self._GAP, 0.01)
        return self._random.expovariate(1.0 / mean)


class Flood:
    """The instance's flood control.

    Args:
        limits: What the instance grants; a limit of None is not held.
        clock: Whose wall time the windows follow.
        minute_window: How the minute moves; the vendor does not say, the Reset header suggests
            a fixed one.
        hour_window: How the hour moves, which no header shows.
        header_form: How the quota shows in the headers; may be set at any time.
        charge_failed: Whether a call that ends in an error is charged.
        charge_refused: Whether a call that is refused is charged.
        other_calls_per_minute: What a second program on the instance spends.
        seed: Where that program's bursts come from.

    Attributes:
        granted: Our calls that were let through.
        refused: Our calls that were answered 429.
        others_granted: The other program's calls that were let through.
        others_refused: The other program's calls that found no quota left.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        minute_window: WindowKind = "fixed",
        hour_window: WindowKind = "fixed",
        header_form: HeaderForm | None = None,
        charge_failed: bool = True,
        charge_refused: bool = False,
        other_calls_per_minute: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.limits = limits
        self.header_form = header_form or HeaderForm()
        self.charge_failed = charge_failed
        self.charge_refused = charge_refused
        self.other_calls_per_minute = other_calls_per_minute
        self._clock = clock
        self._kinds: tuple[WindowKind, WindowKind] = (minute_window, hour_window)
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget every call so far; the second program starts afresh with the same seed."""
        limits, (minute, hour) = self.limits, self._kinds
        day: WindowKind = "sliding" if limits.day_policy == "rolling" else "fixed"
        self._windows: dict[str, Window] = {
            name: FixedWindow(limit, span) if kind == "fixed" else SlidingWindow(limit, span)
            for name, limit, span, kind in (
                ("minute", limits.minute, _MINUTE, minute),
                ("hour", limits.hour, _HOUR, hour),
                ("day", limits.day, _DAY, day),
            )
            if limit is not None
        }
        self._others = OtherProgram(self.other_calls_per_minute, Random(self._seed))  # noqa: S311 - a simulation
        self._nonsense = cycle(_NONSENSE)
        self._now = 0.0
        self.granted = self.refused = self.others_granted = self.others_refused = 0

    def admit(self) -> float | None:
        """Charge one call; return when it was charged, or None where it is refused."""
        now = self._catch_up()
        if self._spend(now):
            self.granted += 1
            return now
        self.refused += 1
        return None

    def refund(self, charged_at: float) -> None:
        """Take back a call that failed, where failed calls are not charged."""
        for window in self._windows.values():
            window.refund(charged_at)

    def headers(self, *, refused: bool = False) -> HeaderList:
        """Return the headers of the response to the call that was admitted or refused last."""
        form, now = self.header_form, self._now
        found: HeaderList = []
        if form.shown and (form.on_refusal or not refused):
            if minute := self._windows.get("minute"):
                found += [
                    (b"x-floodcontrol-minutelimit", b"%d" % minute.limit),
                    (b"x-floodcontrol-remaining", b"%d" % _left(minute, now)),
                    (b"x-floodcontrol-reset", self._reset_value(minute.resets_at(now))),
                ]
            if day := self._windows.get("day"):
                found += [
                    (b"x-ratelimit-dailylimit", b"%d" % day.limit),
                    (b"x-ratelimit-remaining", b"%d" % _left(day, now)),
                ]
        if refused and form.retry_after != "none":
            found.append((b"retry-after", self._retry_after()))
        return found

    def snapshot(self) -> dict[str, Any]:
        """Return each window's limit, used, left and reset, and the counts, as JSON has them."""
        now = self._catch_up()
        windows = {
            name: {
                "limit": window.limit,
                "used": window.used(now),
                "left": _left(window, now),
                "resets_at": window.resets_at(now),
            }
            for name, window in self._windows.items()
        }
        return {
            "windows": windows,
            "granted": self.granted,
            "refused": self.refused,
            "others": {"granted": self.others_granted, "refused": self.others_refused},
        }

    def _catch_up(self) -> float:
        """Let the second program spend what it would have by now; return the time."""
        now = max(self._now, self._clock.time())
        for moment in self._others.due(now):
            if self._spend(moment):
                self.others_granted += 1
            else:
                self.others_refused += 1
        self._now = now
        return now

    def _spend(self, now: float) -> bool:
        windows = self._windows.values()
        room = all(window.used(now) < window.limit for window in windows)
        if room or self.charge_refused:
            for window in windows:
                window.charge(now)
        return room

    def _reset_value(self, at: float) -> bytes:
        form = self.header_form.reset
        if form == "nonsense":
            return next(self._nonsense)
        value = {"unix": at, "milliseconds": at * 1000, "delta": at - self._now}[form]
        return b"%d" % math.ceil(value)

    def _retry_after(self) -> bytes:
        full = [w for w in self._windows.values() if w.used(self._now) >= w.limit]
        opens = max(window.opens_at(self._now) for window in full)
        if self.header_form.retry_after == "date":
            return formatdate(math.ceil(opens), usegmt=True).encode()
        return b"%d" % math.ceil(opens - self._now)


def _left(window: Window, now: float) -> int:
    return max(0, window.limit - window.used(now))
