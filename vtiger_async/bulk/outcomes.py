"""What came of a row, and of all rows of a job."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from vtiger_async.types import RecordId

__all__ = [
    "Created",
    "Deleted",
    "Failed",
    "Outcome",
    "Rejected",
    "Report",
    "Revised",
    "Skipped",
    "Unchanged",
    "Unknown",
]


@frozen(kw_only=True)
class _Row:
    """Which row it was.

    Attributes:
        row: Its number in the input, from 1.
        module: The module.
        key: The row's key, as it is compared; None where there is none.
    """

    row: int
    module: str
    key: str | None = None


@frozen(kw_only=True)
class Created(_Row):
    """A record was created.

    Attributes:
        record_id: Its id.
        changes: What was stored other than it was sent, in words.
        settled: Whether the reply was lost, and the record was found by its key.
    """

    record_id: RecordId
    changes: tuple[str, ...] = ()
    settled: bool = False


@frozen(kw_only=True)
class Revised(_Row):
    """A record was changed.

    Attributes:
        record_id: Its id.
        fields: The fields that were sent: those that differed.
        changes: What was stored other than it was sent, in words.
        settled: Whether the reply was lost, and the record was found to be as it should be.
    """

    record_id: RecordId
    fields: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    settled: bool = False


@frozen(kw_only=True)
class Deleted(_Row):
    """A record was deleted.

    Attributes:
        record_id: Its id.
        settled: Whether the reply was lost, and the record was found to be gone.
    """

    record_id: RecordId
    settled: bool = False


@frozen(kw_only=True)
class Unchanged(_Row):
    """The record is as the row has it already: no call was made.

    Attributes:
        record_id: Its id.
    """

    record_id: RecordId


@frozen(kw_only=True)
class Skipped(_Row):
    """The row was left out as asked: a repeat, a record that is there (or not) in this mode.

    Attributes:
        reason: Why.
    """

    reason: str


@frozen(kw_only=True)
class Rejected(_Row):
    """The row cannot be written: no call was made.

    Attributes:
        problems: Everything that is wrong with it, in words.
    """

    problems: tuple[str, ...]


@frozen(kw_only=True)
class Failed(_Row):
    """Vtiger refused the row.

    Attributes:
        reason: What it said.
    """

    reason: str


@frozen(kw_only=True)
class Unknown(_Row):
    """A create was sent, its reply was lost, and nothing tells whether it happened.

    It is not sent again, by no later run of the job either.

    Attributes:
        reason: What went wrong.
    """

    reason: str


Outcome: TypeAlias = Created | Revised | Deleted | Unchanged | Skipped | Rejected | Failed | Unknown
"""What came of a row."""


@define
class Report:
    """What came of a job.

    Attributes:
        created: Rows that became new records.
        revised: Rows that changed a record.
        deleted: Rows that deleted one.
        unchanged: Rows whose record was as it should be.
        skipped: Rows that were left out as asked.
        rejected: Rows that cannot be written.
        failed: Rows that Vtiger refused.
        unknown: Rows of which nobody can tell.
        open: Rows for which something is still to be done.
        calls: Calls that were made, those of planning too.
        seconds: How long it took, on the client's clock; of this run, where it was resumed.
        journal: The journal; None where it was of use for nothing more, and is deleted.
        files: The result files by what they hold: `"success"`, `"error"`, `"unprocessed"`.
    """

    created: int = 0
    revised: int = 0
    deleted: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0
    failed: int = 0
    unknown: int = 0
    open: int = 0
    calls: int = 0
    seconds: float = 0.0
    journal: Path | None = None
    files: dict[str, Path] = field(factory=dict[str, Path])

    @property
    def rows(self) -> int:
        """All rows of the input."""
        return sum(self._numbers().values())

    @property
    def is_whole(self) -> bool:
        """Whether every row is as it should be now: none was rejected, refused, or is unknown."""
        return not (self.rejected or self.failed or self.unknown or self.open)

    def count(self, outcome: Outcome) -> None:
        """Count what came of one row."""
        name = type(outcome).__name__.lower()
        setattr(self, name, getattr(self, name) + 1)

    def _numbers(self) -> Counter[str]:
        names = (
            "created", "revised", "deleted", "unchanged", "skipped", "rejected", "failed",
            "unknown", "open",
        )  # fmt: skip
        return Counter({name: getattr(self, name) for name in names})

    def __str__(self) -> str:
        parts = [f"{name} {count:,}" for name, count in self._numbers().items() if count]
        return f"{', '.join(parts) or 'no rows'}; {self.calls:,} call{'s' * (self.calls != 1)}"
