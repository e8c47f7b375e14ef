"""How many calls are made and for whom, and until when none can be made."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from vtiger_async.errors import QuotaExhaustedError
from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.reports import ModuleReport
from vtiger_async.quota.events import Granted
from vtiger_async.quota.snapshot import Quota

__all__ = ["counting", "listening", "paused"]

_LOOK = 900.0
"""Seconds after which it is tried again where nobody tells when a call can be made."""

_REPORT: ContextVar[ModuleReport | None] = ContextVar("vtiger_async_mirror_report", default=None)


@contextmanager
def counting(report: ModuleReport) -> Generator[None]:
    """Count in a report the calls that this task makes in the block, and the tasks begun in it."""
    token = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(token)


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
    report = _REPORT.get()
    if report is not None and isinstance(event, Granted):
        report.calls += 1


def paused(error: QuotaExhaustedError, quota: Quota, now: float) -> tuple[str, float]:
    """Return which window has no room for a call, and until when (Unix seconds).

    Where no window is used up, what is left of one is kept for calls that somebody waits for: then
    it is theirs until the window has room again.

    Args:
        error: The refusal.
        quota: The quota as it stands.
        now: The moment.
    """
    if error.wait > 0:
        return error.window, now + error.wait
    used = [one for one in (quota.minute, quota.hour, quota.day) if one.limit]
    known = [one for one in used if one.remaining is not None]
    if not known:
        return error.window, now + _LOOK
    least = min(known, key=lambda one: (one.remaining or 0) / (one.limit or 1))
    ends_at = quota.plan((least.remaining or 0) + 1).ends_at
    return least.name, now + _LOOK if ends_at is None else max(now + 1.0, ends_at.timestamp())
