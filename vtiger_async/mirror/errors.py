"""What can go wrong with a mirror, beside the calls."""

from __future__ import annotations

from vtiger_async.errors import VtigerError

__all__ = ["MirrorError", "SchemaDriftError", "SinkError"]


class MirrorError(VtigerError):
    """A mirror cannot go on."""


class SinkError(MirrorError):
    """The place where a mirror is kept cannot be used; the message says why, and what to do."""


class SinkBusyError(SinkError):
    """Somebody else has the place of a mirror open now, and may have left it later."""


class TableError(SinkError):
    """The place cannot hold one of the modules, and may hold the others; the message says why."""


class SchemaDriftError(MirrorError):
    """A module's fields are no longer those of its mirror, and `drift="fail"` was chosen."""
