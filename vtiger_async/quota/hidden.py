"""The hour's limit, which no header shows: supposed, learned from a refusal, and tried anew.

The header that tells the minute's limit tells the edition too, nearly, and so the hour's. An
instance may have another, and editions that share a minute differ in the hour: so the least is
supposed, and what is supposed or was learned is tried. In an hour with boundaries nothing but its
end tells whether the calls of a whole hour are all: until then a call too many is granted, and what
is refused then is missing until that end. So a limit is first raised by so little that a refusal
costs the last minutes of one hour, and further only where a whole hour of calls beyond it passed.
"""

from __future__ import annotations

import math
import sys

from attrs import define, field

from vtiger_async.editions import hours_with
from vtiger_async.quota.headers import Observation
from vtiger_async.quota.windows import Counted, SlidingWindow, View

__all__ = ["HiddenLimit"]

_HIDDEN_FIRST, _HIDDEN_MOST = 60.0, 900.0
"""Seconds to wait on a 429 that no header explains: 60, doubling up to 15 minutes."""
_LEAST_HOUR = 50
"""Calls; a refusal at fewer in the hour is not the hour's: no edition has less than 100, of which
other programs may have had some."""
_DOUBT, _DOUBT_KNOWN, _RAISED = 3600.0, 86_400.0, 60.0
"""Seconds after which a limit is raised: one that is supposed, or where calls that nothing showed
may have been in the count; where every call of that hour was known; and once it is being raised
where nothing else is known."""
_LOOK, _STEP = 40, 8
"""The part of the limit by which it is first raised to be tried: a little more than bulk leaves
free. The part by which it is raised for each hour that passed beyond it: a limit that is met then
is met in the last seven minutes of an hour."""


def _look(limit: int) -> int:
    return limit + limit // _LOOK + 1


@define
class HiddenLimit:
    """What is known of the hour's limit, whose value `hour.limit` is.

    Attributes:
        hour: The hour, with the calls known in it.
        told: The limit that the user told; it is never gone beyond.
    """

    hour: Counted
    told: int | None
    _supposed: tuple[int, ...] = field(default=(), init=False)
    _is_known: bool = field(default=False, init=False)
    _tried: int | None = field(default=None, init=False)
    _doubted_at: float = field(default=math.inf, init=False)
    _raise: int = field(default=1, init=False)
    _learned_at: float = field(default=-math.inf, init=False)
    _suspected: int = field(default=0, init=False)
    _refusals: int = field(default=0, init=False)
    _refused: SlidingWindow = field(factory=lambda: SlidingWindow(3600.0), init=False)

    def suppose(self, now: float, minute: int) -> None:
        """Take the least hour of the editions that have this limit a minute; none if none has it.

        Args:
            now: The moment.
            minute: Calls a minute, as a header tells them for the first time.
        """
        self._supposed = hours_with(minute)
        self.hour.limit = self._supposed[0] if self._supposed else None
        self._hold(now, _DOUBT, known=True)

    def _hold(self, now: float, seconds: float, *, known: bool) -> None:
        """Keep to the limit for so long; `known` if nothing but a larger one can be the truth."""
        self._is_known, self._tried, self._raise = known, None, 1
        self._doubted_at = now + seconds

    def answered(self, now: float, sent_at: float) -> None:
        """Note a call that came back, before it is counted.

        Args:
            now: The moment of the answer.
            sent_at: When the call was granted.
        """
        if self.hour.limit is None:
            return
        if sent_at < self._learned_at:
            self.hour.limit += 1  # it was under way when the limit was met, and was granted
        if self._tried is not None and self.hour.used(now) <= self._tried:
            self._doubted_at = now + _DOUBT  # it takes a whole hour beyond a limit to disprove it
        if now >= self._doubted_at:
            self.hour.limit = self._raised(now, self.hour.limit)

    def _raised(self, now: float, limit: int) -> int:
        if self._is_known:
            if self._tried is None or limit in self._supposed:
                higher = _look(limit)
            else:
                further = (hour for hour in self._supposed if hour > limit)
                higher = next(further, limit + limit // _STEP)
            self._tried, self._doubted_at = limit, now + _DOUBT
        elif self._supposed:
            # Calls from before the first one here have left by now.
            self._hold(now, _DOUBT, known=True)
            higher = self._supposed[0]
        else:
            # Others may have used a part of what was granted when it was learned, and gone since.
            higher = limit + self._raise
            self._raise = min(2 * self._raise, max(1, higher // 10))
            self._doubted_at = now + _RAISED
        if self.told is not None and higher >= self.told:
            self._tried, self._doubted_at = None, math.inf
        return min(higher, self.told or sys.maxsize)

    def accept(self) -> None:
        """Note that a call was not refused: the next unexplained 429 counts as the first."""
        self._refusals = 0

    def refuse(self, now: float) -> None:
        """Count a refused call, whatever window it was about."""
        self._refused.add(now)
        self._refusals += 1

    def learn(self, now: float, seen: Observation, minute: View | None, *, whole: bool) -> float:
        """Take the count of the last hour for the limit that no header shows; return the wait.

        A refusal that does not say that the minute has calls left may be the minute's: that is
        waited for first, and where it did not help, the count at the first refusal is taken.

        Args:
            now: The moment of the refusal.
            seen: What its headers say.
            minute: The headers' word on the minute before.
            whole: Whether every call of the hour is known.
        """
        known = self.hour.used(now) - self._refused.used(now)
        sure = seen.minute_remaining is not None
        if not sure and self._refusals == 1:
            self._suspected = known
            return _HIDDEN_FIRST if minute is None else min(60.0, max(0.0, minute.ends_at - now))
        known = known if sure else min(known, self._suspected)
        if self._refusals == (1 if sure else 2) and known >= _LEAST_HOUR:
            if self._tried is not None and known <= _look(self._tried):
                known = min(known, self._tried)  # the last hour's calls are not all of that hour
            self.hour.limit = min(known, self.hour.limit or known)
            self._learned_at = now
            self._hold(now, _DOUBT_KNOWN if whole else _DOUBT, known=whole)
        return min(_HIDDEN_MOST, _HIDDEN_FIRST * 2.0 ** (self._refusals - 1))
