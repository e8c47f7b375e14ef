"""What a response's headers say of the quota.

They are read defensively: the vendor's "Vtiger CRM API Limits" article names them, Reset is Unix
seconds in all public code that reads it, and the article's own example is no date of this century.
So nothing here trusts a header to be sane.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from attrs import frozen

__all__ = ["NOTHING", "Observation", "read_headers", "reset_delay"]

_LONGEST_MINUTE = 120.0
"""Seconds; a minute's reset further away than this is nonsense."""
_LONGEST_WAIT = 86_400.0


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
