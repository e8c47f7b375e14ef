"""What a job tells while it runs, besides what comes of its rows."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from attrs import frozen

__all__ = ["JobEvent", "Paused", "Resumed", "Unreachable"]


@frozen
class Paused:
    """A window of the quota is used up for longer than some minutes; told once for a pause.

    Attributes:
        at: When (aware UTC).
        until: When the job goes on (aware UTC), as far as the windows tell.
        window: The window that binds: `"minute"`, `"hour"` or `"day"`.
    """

    at: datetime
    until: datetime
    window: str


@frozen
class Unreachable:
    """The instance does not answer, or fails at every call; told once until it answers again.

    Attributes:
        at: When (aware UTC).
        until: When it is tried again (aware UTC).
        reason: What went wrong.
    """

    at: datetime
    until: datetime
    reason: str


@frozen
class Resumed:
    """A call was answered after a pause, or after the instance could not be reached.

    Attributes:
        at: When (aware UTC).
    """

    at: datetime


JobEvent: TypeAlias = Paused | Unreachable | Resumed
"""Any of the events."""
