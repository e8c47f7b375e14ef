"""How dates and times are read from what is written into them, as PHP and MySQL do (measured)."""

from __future__ import annotations

import re
from datetime import date, datetime

from vtiger_async.sandbox.answers import Fault

__all__ = ["stored_moment"]

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ](\d{2}:\d{2}(?::\d{2})?).*)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})")
_NO_DAY = "0000-00-00"
_FORMS = ("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y")


def stored_moment(text: str, *, with_time: bool, lenient: bool) -> str | None:
    """Return the form in which a date or a time is stored; None for none.

    Args:
        text: What was written.
        with_time: Whether the field holds a time, too.
        lenient: Whether a single word that is no date is stored as none, as Vtiger 8.4 does; else
            it is refused, as text of several words always is.

    Raises:
        Fault: INTERNAL_SERVER_ERROR for text that is no date.
    """
    if not text.strip():
        return None
    first, *others = text.split(" ")
    if lenient and not with_time and (not others or not others[0]):
        return _one_word(first)  # what stands behind two spaces is passed over
    text = text.strip()
    day, clock = _read(text)
    if day is None:
        raise Fault("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")
    if not with_time:
        return day
    clock = clock or "00:00:00"
    return f"{day} {clock if len(clock) == 8 else clock + ':00'}"


def _one_word(text: str) -> str | None:
    """Return a day as the CRM takes it apart: by its separators, nothing being no date."""
    found = _YEAR_FIRST.fullmatch(text)
    if found and found[4]:
        return None  # an ISO time, of which MySQL is given too much
    day, _ = _read(text)
    return None if found is None and day == _NO_DAY else day


def _read(text: str) -> tuple[str | None, str | None]:
    """Return the day and the time of day; a day that no month has is 0000-00-00."""
    found = _YEAR_FIRST.fullmatch(text)
    if found:
        return _day(found[1], found[2], found[3]), found[4]
    found = _DAY_FIRST.fullmatch(text)
    if found:
        year = found[3] if len(found[3]) == 4 else f"20{found[3]}"
        return _day(year, found[2], found[1]), None
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).date().isoformat(), None
        except ValueError:
            continue
    return None, None


def _day(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return _NO_DAY
