"""What can be wrong with a stream of changes, beside the calls."""

from __future__ import annotations

from collections.abc import Mapping

from vtiger_async.errors import VtigerError

__all__ = ["CursorStoreError", "StreamError"]


class StreamError(VtigerError):
    """A stream cannot begin, cannot go on, or is used in a way that would lose changes.

    Attributes:
        errors: What made modules fail, by module, where that is the reason.
    """

    def __init__(self, message: str = "", errors: Mapping[str, VtigerError] | None = None) -> None:
        super().__init__(message)
        self.errors = dict(errors or {})


class CursorStoreError(StreamError):
    """The place where the cursors are kept cannot be used; the message says why."""
