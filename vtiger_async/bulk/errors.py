"""What can be wrong with a bulk job as a whole; what is wrong with a row is one of its outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from vtiger_async.errors import VtigerError

__all__ = [
    "BulkError",
    "JournalError",
    "JournalInUseError",
    "MappingError",
    "PlanUnfinishedError",
    "SourceError",
]


class BulkError(VtigerError):
    """A job cannot begin, or cannot go on; what was done stands in its journal."""


class MappingError(BulkError):
    """The rows do not fit the module, or what this user sees of it; nothing was written."""


class SourceError(BulkError):
    """The input cannot be read, or is not what the job was planned from."""


class JournalError(BulkError):
    """The journal cannot be used; no call was spent that it does not know of."""


class JournalInUseError(JournalError):
    """Another job has the journal open."""


class PlanUnfinishedError(JournalError):
    """The planning of the job was cut short: nothing was written to the CRM, and it begins again.

    A new plan may take the journal's place; the file need not be deleted.
    """

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the error for a journal."""
        return cls(
            f"{path}: planning was not finished, and nothing was written to the CRM: plan again"
        )
