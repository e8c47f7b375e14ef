"""How many calls are made, and for whom."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.reports import Tally
from vtiger_async.quota.events import Granted

__all__ = ["counting", "listening"]

_TALLY: ContextVar[Tally | None] = ContextVar("vtiger_async_mirror_tally", default=None)


@contextmanager
def counting(tally: Tally) -> Generator[None]:
    """Count in a tally the calls that this task makes in the block, and the tasks begun in it."""
    token = _TALLY.set(tally)
    try:
        yield
    finally:
        _TALLY.reset(token)


@contextmanager
def listening(crm: Crm) -> Generator[None]:
    """Listen to a client while the block runs: `counting` counts only then."""
    stop = crm.subscribe(_hear)
    try:
        yield
    finally:
        stop()


def _hear(event: object) -> None:
    # It is called in the task that makes the call.
    tally = _TALLY.get()
    if tally is not None and isinstance(event, Granted):
        tally.calls += 1
