"""What a response's headers say of the quota.

They are read defensively: the vendor's "Vtiger CRM API Limits" article names them, Reset is Unix
seconds in all public code that reads it, and the article's own example is no date of this century.
So nothing here trusts a header to be sane.

From answer to answer more follows: whether the minute is fixed or slides, and what other programs
have called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from attrs import define, field, frozen

from vtiger_async.quota.windows import MARGIN, Counted

__all__ = ["NOTHING", "Evidence", "Observation", "read_headers", "reset_delay"]

_LONGEST_MINUTE = 120.0
"""Seconds; a minute's reset further away than this is nonsense."""
_LONGEST_WAIT = 86_400.0
_SAME_RESET = 1.6
"""Seconds within which two resets are the same one: it is told in whole seconds."""
_DRIFT = 0.01
"""Seconds a minute by which two clocks may move apart."""
_DAY_EDGE = 600.0
"""Seconds before calls leave a rolling day, from which on its Remaining shows no others."""
_SLIP = 10
"""Calls by which the day may seem to have grown back before others' old calls must have left it."""


@frozen
class Observation:
    """The headers' word on the quota; None where they say nothing usable.

    Attributes:
        minute_limit: Calls allowed a minute.
        minute_remaining: Calls left in this minute.
        reset_in: Seconds until the minute starts anew.
        day_limit: Calls allowed a day.
        day_remaining: Calls left in this day.
        retry_after: Seconds that the server asks to wait.
    """

    minute_limit: int | None = None
    minute_remaining: int | None = None
    reset_in: float | None = None
    day_limit: int | None = None
    day_remaining: int | None = None
    retry_after: float | None = None


NOTHING = Observation()
"""What a response without any header of the quota says."""


def read_headers(headers: Mapping[str, str], now: float) -> Observation:
    """Return what the headers say of the quota.

    Args:
        headers: The headers, their names in lower case.
        now: The client's wall time in Unix seconds, for a response that has no Date.
    """
    found = [name for name in headers if name.startswith(("x-floodcontrol", "x-ratelimit"))]
    if not found and "retry-after" not in headers:
        return NOTHING
    # Reset is on the server's clock, and so is Date: the difference needs no common clock.
    server_now = _http_date(headers.get("date")) or now
    return Observation(
        minute_limit=_count(headers, "x-floodcontrol-minutelimit", "x-floodcontrol-limit", least=1),
        minute_remaining=_count(headers, "x-floodcontrol-remaining"),
        reset_in=reset_delay(headers.get("x-floodcontrol-reset"), server_now),
        day_limit=_count(headers, "x-ratelimit-dailylimit", "x-ratelimit-limit", least=1),
        day_remaining=_count(headers, "x-ratelimit-remaining"),
        retry_after=_retry_after(headers.get("retry-after"), server_now),
    )


def reset_delay(value: str | None, server_now: float) -> float | None:
    """Return the seconds until a Reset: Unix seconds, milliseconds or a delta; None if nonsense.

    Args:
        value: The header's text.
        server_now: The server's wall time in Unix seconds.
    """
    number = _number(value)
    if number is None or number < 0:
        return None
    if number <= _LONGEST_MINUTE:
        return number
    for moment in (number, number / 1000.0):
        delay = moment - server_now
        if -_LONGEST_MINUTE <= delay <= _LONGEST_MINUTE:
            return max(0.0, delay)
    return None


def _retry_after(value: str | None, server_now: float) -> float | None:
    number = _number(value)
    if number is None:
        moment = _http_date(value)
        number = None if moment is None else moment - server_now
    if number is None or number > _LONGEST_WAIT:
        return None
    return max(0.0, number)


def _count(headers: Mapping[str, str], *names: str, least: int = 0) -> int | None:
    for name in names:
        number = _number(headers.get(name))
        if number is not None and number >= least:
            return int(number)
    return None


def _number(value: str | None) -> float | None:
    text = (value or "").strip()
    # Digits only: float() would also take "nan", "inf" and "1_000".
    whole, _, fraction = text.partition(".")
    if not text.isascii() or not whole.isdecimal() or len(text) > 20:
        return None
    return float(text) if not fraction or fraction.isdecimal() else None


def _http_date(value: str | None) -> float | None:
    if not value:
        return None
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None


@define
class Evidence:
    """What the answers tell together.

    Attributes:
        minute: The minute, with the calls known in it.
        day: The day.
        fixed: Whether the minute goes from one boundary to the next; None while unknown.
        ends_at: When the minute ends, by the newest answer; the next call leaves a sliding one.
        before: Calls of the day that were made before the first one here; None while unknown.
    """

    minute: Counted
    day: Counted
    fixed: bool | None = None
    ends_at: float = field(default=-math.inf, init=False)
    _whole: bool = field(default=False, init=False)
    before: int | None = field(default=None, init=False)

    def reset(self, ends_at: float) -> float:
        """Tell a fixed minute from a sliding one by how its reset moves; return the reset.

        Reset and Date are told in whole seconds, so the moment is taken to be up to a second too
        late. A fixed minute ends at the same second each time: the earliest one is the truest.

        Args:
            ends_at: The reset by the newest answer.
        """
        moved = ends_at - self.ends_at
        if abs(moved) <= _SAME_RESET:
            ends_at = ends_at if self.fixed is False else min(self.ends_at, ends_at)
        elif not math.isinf(moved):
            minutes = round(moved / 60.0)
            whole = abs(moved - 60.0 * minutes) <= _SAME_RESET
            # A sliding minute's reset may move by a whole minute by chance, but not twice.
            self.fixed = whole and (self.fixed is not False or self._whole)
            self._whole = whole
            if self.fixed:
                ends_at = min(ends_at, self.ends_at + minutes * (60.0 + _DRIFT))
        self.ends_at = ends_at
        return ends_at

    def of_minute(self, now: float, in_flight: int, seen: Observation) -> int:
        """Return how many calls of others show: what the minute has lost beyond what is known.

        Args:
            now: The moment of the answer.
            in_flight: Our calls that may be in it without being known here.
            seen: What it says.
        """
        minute = self.minute
        if minute.limit is None or seen.minute_remaining is None:
            return 0
        if self.fixed is False:
            known = minute.window.used(now) + minute.others.used(now)
        else:
            # The calls of this minute alone; where it is not known, its start may be told late.
            start = self.ends_at - 60.0 - 2 * MARGIN - (0.0 if self.fixed else 1.0)
            known = minute.since(now, start)
        return max(0, minute.limit - seen.minute_remaining - known - in_flight)

    def of_day(self, now: float, in_flight: int, seen: Observation) -> int:
        """Return those that the minute did not show: the day's Remaining never forgets so soon.

        Args:
            now: The moment of the answer.
            in_flight: Our calls that may be in it without being known here.
            seen: What it says.
        """
        if seen.day_limit is None or seen.day_remaining is None:
            return 0
        logs = (self.day.window, self.day.others)
        if any(log.used(now) and log.frees_at(now, 1) <= now + _DAY_EDGE for log in logs):
            self.before = None  # what leaves is known to five minutes only
            return 0
        known = sum(log.used(now) for log in logs)
        gap = seen.day_limit - seen.day_remaining - known - in_flight
        slip = _SLIP + in_flight if in_flight else 0
        if self.before is None:
            self.before = gap + in_flight  # they may not have been counted there
        elif gap < self.before - slip:
            self.before = gap
        return max(0, gap - self.before)
