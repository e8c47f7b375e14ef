"""When a job holds back: the quota is used up for long, or the instance cannot be reached."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define, field

from vtiger_async.bulk.calling import Door, Reply, words
from vtiger_async.bulk.events import JobEvent, Paused, Resumed, Unreachable
from vtiger_async.clock import Clock
from vtiger_async.errors import QuotaExhaustedError, RateLimitError, VtigerError

__all__ = ["Hold"]

_PAUSE: Final = 600.0
"""Seconds; a longer wait is told."""
_LOOK: Final = 900.0
"""Seconds after which a pause looks at the quota again: other programs may have left more of it."""
_SOON: Final = 2.0
"""Seconds after which it looks again where calls are still under way."""
_FREE: Final = 2
"""Failures in a row after which nothing is waited for: replies are lost now and then."""
_LEAST, _MOST = 1.0, 60.0
"""Seconds; the first wait after more failures, which doubles, and the longest."""


@define(eq=False)
class Hold:
    """Says when the next call may be intended, and waits for it.

    Attributes:
        door: Where the calls go in.
        clock: The time.
        tell: Is called with each event.
        end: Is called where the job is to end: with None for a pause that is not waited for, or
            with what made it end.
        stop_on_pause: Whether the job ends where it would pause.
        patience: Seconds of failures after which the job ends.
    """

    door: Door
    clock: Clock
    tell: Callable[[JobEvent], object]
    end: Callable[[Exception | None], None]
    stop_on_pause: bool
    patience: float
    _until: float = field(default=-math.inf, init=False)
    _is_told: bool = field(default=False, init=False)
    _told_at: float = field(default=-math.inf, init=False)
    _failures: int = field(default=0, init=False)
    _first_at: float = field(default=0.0, init=False)
    _cut_at: float = field(default=-math.inf, init=False)

    @property
    def delay(self) -> float:
        """Seconds until a call may be intended; 0 or less where it may be at once."""
        delay = self._until - self.clock.time()
        if delay > 0 or not self.door.is_slow:
            return delay
        return self._of_quota()[0]

    def _of_quota(self) -> tuple[float, str]:
        """Return how long the windows leave no room, and which does not."""
        quota = self.door.crm.quota
        last = max((quota.minute, quota.hour, quota.day), key=lambda window: window.next_at)
        return last.next_at - quota.at.timestamp(), last.name

    async def wait(self) -> None:
        """Wait until a call may be intended."""
        while (delay := self.delay) > 0:
            if self._until <= self.clock.time() and delay > _PAUSE:
                delay = self._pause(delay, self._of_quota()[1])
            await self.clock.sleep(min(delay, _LOOK))
        if self._failures > _FREE:  # one call at a time tries whether it works again
            self._until = self.clock.time() + self._back_off

    def heed(self, reply: Reply, began_at: float) -> None:
        """Note what came of a call.

        Args:
            reply: What came of it.
            began_at: When it was intended.
        """
        error = reply.error
        if isinstance(error, QuotaExhaustedError):
            self._exhausted(error)
        elif reply.kind in ("done", "refused"):
            self._answered(began_at)
        elif error is not None and reply.kind == "fatal":
            self.end(error)
        elif error is not None and not isinstance(error, RateLimitError):
            self._failed(error, began_at)

    @property
    def _back_off(self) -> float:
        return min(_MOST, _LEAST * 2.0 ** min(10, self._failures - _FREE - 1))

    def _exhausted(self, error: QuotaExhaustedError) -> None:
        delay, window = error.wait, error.window
        if delay <= 0:
            # Not the windows, but what is kept for others: it is theirs until the window has room.
            quota = self.door.crm.quota
            used = (quota.minute, quota.hour, quota.day)
            known = [one for one in used if one.limit and one.remaining is not None]
            if not known:
                return  # no slot came free: others have calls under way
            least = min(known, key=lambda one: (one.remaining or 0) / (one.limit or 1))
            window, ends_at = least.name, quota.plan((least.remaining or 0) + 1).ends_at
            delay = _LOOK if ends_at is None else (ends_at - quota.at).total_seconds()
        self._until = self.clock.time() + self._pause(delay, window)

    def _pause(self, delay: float, window: str) -> float:
        """Tell of a pause, once; return after how many seconds to look again."""
        if self.door.crm.quota.in_flight:
            return _SOON  # they are counted twice, here and by the server: their answers may tell
        if not self._is_told:
            self._is_told, self._told_at = True, self.clock.time()
            self.door.is_paused = True
            at = self._now()
            self.tell(Paused(at, at + timedelta(seconds=delay), window))
        if self.stop_on_pause:
            self.end(None)
        return min(delay, _LOOK)

    def _failed(self, error: VtigerError, began_at: float) -> None:
        now = self.clock.time()
        if began_at < self._cut_at:
            return  # those that were under way together count once
        self._cut_at = now
        if not self._failures:
            self._first_at = now
        self._failures += 1
        if self._failures <= _FREE:
            return
        if now - self._first_at > self.patience:
            self.end(error)
            return
        self._until = max(self._until, now + self._back_off)
        if not self._is_told:
            self._is_told, self._told_at = True, now
            at = self._now()
            self.tell(Unreachable(at, at + timedelta(seconds=self._back_off), words(error)))

    def _answered(self, began_at: float) -> None:
        if self._failures > _FREE:
            self._until = -math.inf
        self._failures = 0
        if self._is_told and began_at > self._told_at:
            self._is_told = self.door.is_paused = False
            self.tell(Resumed(self._now()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.time(), UTC)
