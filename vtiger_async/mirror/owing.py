"""Documents of which the server tells no line items: which they are, and when they are asked again.

Open-source Vtiger answers `retrieve` with HTTP 500 for some documents as long as they are what they
are (measured on 8.4: one whose `create` with the tax type `individual` has failed). Queries and
syncs tell of them all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from attrs import evolve, frozen

from vtiger_async.errors import ServerError

__all__ = ["MOST", "Owed", "due", "is_broken", "note_of", "settled"]

MOST: Final = 1000
"""Documents of one module; where more cannot be retrieved, it is the server that fails."""
_AT_ONCE: Final = 10
_EACH_ROUND: Final = 3
"""Failures after which a document is asked for less often than in each round."""
_DAY: Final = 86_400.0


@frozen
class Owed:
    """A document that is kept without its line items, or with earlier ones.

    Attributes:
        id: Its id.
        failures: How often it could not be retrieved, one after the other.
        due_at: When it is asked for again (Unix seconds).
    """

    id: str
    failures: int
    due_at: float


def is_broken(error: Exception) -> bool:
    """Tell whether an error may be that of one document, and not of the server as a whole."""
    return isinstance(error, ServerError) and error.status == 500


def settled(
    owed: Sequence[Owed], failed: Collection[str], done: Collection[str], now: float
) -> tuple[Owed, ...]:
    """Return what is owed after some documents were asked for.

    Args:
        owed: What was owed.
        failed: The documents that could not be retrieved.
        done: Those that were asked for, or are gone: they are not owed, unless they have failed.
        now: The moment (Unix seconds).
    """
    before = {one.id: one for one in owed}
    again = {one: _after_failure(before.get(one, Owed(one, 0, now)), now) for one in failed}
    left = {one: kept for one, kept in before.items() if one not in done}
    return tuple({**left, **again}.values())


def _after_failure(owed: Owed, now: float) -> Owed:
    failures = owed.failures + 1
    wait = 0.0 if failures <= _EACH_ROUND else min(_DAY, 60.0 * 2.0 ** min(failures, 20))
    return evolve(owed, failures=failures, due_at=now + wait)


def due(owed: Sequence[Owed], now: float) -> list[str]:
    """Return the ids of the documents that are asked for now, the longest due first."""
    some = sorted((one for one in owed if one.due_at <= now), key=lambda one: one.due_at)
    return [one.id for one in some[:_AT_ONCE]]


def note_of(owed: Sequence[Owed]) -> str:
    """Return what is said of documents that could not be retrieved; empty where none is."""
    if not owed:
        return ""
    some = ", ".join(one.id for one in owed[:5]) + (", ..." if len(owed) > 5 else "")
    return (
        f"line items missing, or from before, since the server fails at these documents (HTTP 500 "
        f"at retrieve): {some}"
    )
