"""What can go wrong with an export, beside the calls."""

from __future__ import annotations

from vtiger_async.errors import VtigerError

__all__ = ["ExportError"]


class ExportError(VtigerError):
    """A file cannot be written, is there already, or is being written by another export."""
