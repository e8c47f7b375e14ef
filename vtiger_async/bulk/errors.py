"""What can be wrong with a bulk job as a whole; what is wrong with a row is one of its outcomes."""

from __future__ import annotations

from vtiger_async.errors import VtigerError

__all__ = ["BulkError", "JournalError", "JournalInUseError", "MappingError", "SourceError"]


class BulkError(VtigerError):
    """A job cannot begin, or cannot go on; what was done stands in its journal."""


class MappingError(BulkError):
    """The columns do not fit the module; no row was read."""


class SourceError(BulkError):
    """The input cannot be read, or is not what the job was planned from."""


class JournalError(BulkError):
    """The journal cannot be used; no call was spent that it does not know of."""


class JournalInUseError(JournalError):
    """Another job has the journal open."""
