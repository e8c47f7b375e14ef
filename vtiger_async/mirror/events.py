"""What a mirror tells while it runs, as values."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from attrs import frozen

from vtiger_async.mirror.states import Phase

__all__ = ["Committed", "Drifted", "Failed", "MirrorEvent", "Paused"]


@frozen
class Committed:
    """A batch was written, and would be there after a crash.

    Attributes:
        at: When (aware UTC).
        module: The module.
        phase: What was done: snapshot, deltas or difference.
        upserts: How many records it wrote.
        gone: How many it marked as gone, or removed.
    """

    at: datetime
    module: str
    phase: Phase
    upserts: int
    gone: int


@frozen
class Drifted:
    """The fields of a module are not those of its table any more.

    Attributes:
        at: When that was seen (aware UTC).
        module: The module.
        drift: What has changed, in words.
    """

    at: datetime
    module: str
    drift: str


@frozen
class Failed:
    """A module could not be brought up to date; the others go on.

    Attributes:
        at: When (aware UTC).
        module: The module.
        error: Why.
    """

    at: datetime
    module: str
    error: str


@frozen
class Paused:
    """The quota is used up for long; what was written stays.

    Attributes:
        at: When (aware UTC).
        module: The module whose call could not be made.
        window: The window that binds: `"day"`, `"hour"`, ...
        until: When a call can be made again (aware UTC).
    """

    at: datetime
    module: str
    window: str
    until: datetime


MirrorEvent: TypeAlias = Committed | Drifted | Failed | Paused
"""Any of them."""
