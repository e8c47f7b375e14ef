"""What came of one round of a mirror."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import define, frozen

from vtiger_async.mirror.states import Phase

__all__ = ["MirrorReport", "ModuleReport"]


@define
class ModuleReport:
    """What came of one module; it grows while the round runs, and changes no more after that.

    Attributes:
        module: The module.
        phase: What is done next; None where it was never begun.
        upserts: Records that were written.
        deleted: Records of which the server told that they are deleted.
        vanished: Records that were found missing, by reconciliation or by difference.
        repaired: Records among `upserts` that only reconciliation found to be other, or missing.
        retrieved: Records that were retrieved for their line items, a call each.
        denied: Records that could not be retrieved: deleted meanwhile, or not for this user.
        unread: Values that their column cannot hold; they stand in `_extra`.
        calls: Calls that were made for it.
        reconciled: Calls among them that reconciliation made.
        drift: What has changed in the module's fields; empty if nothing.
        error: Why it is not at the head; None where it is.
        note: What the mirror of this module cannot see; empty if nothing.
    """

    module: str
    phase: Phase | None = None
    upserts: int = 0
    deleted: int = 0
    vanished: int = 0
    repaired: int = 0
    retrieved: int = 0
    denied: int = 0
    unread: int = 0
    calls: int = 0
    reconciled: int = 0
    drift: str = ""
    error: str | None = None
    note: str = ""


@frozen
class MirrorReport:
    """What came of one round.

    Attributes:
        modules: What came of each module, in the order in which they were given.
        started_at: When the round began (aware UTC).
        ended_at: When it ended (aware UTC).
        paused_until: When a call can be made again (aware UTC), where the quota ended the round;
            else None.
    """

    modules: Mapping[str, ModuleReport]
    started_at: datetime
    ended_at: datetime
    paused_until: datetime | None = None

    @property
    def is_whole(self) -> bool:
        """Whether every module is at the head."""
        return all(report.error is None for report in self.modules.values())

    @property
    def calls(self) -> int:
        """How many calls were made for modules."""
        return sum(report.calls for report in self.modules.values())

    @property
    def failed(self) -> Mapping[str, str]:
        """Why modules are not at the head, by module."""
        return {name: one.error for name, one in self.modules.items() if one.error is not None}
