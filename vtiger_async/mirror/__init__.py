"""Mirrors: modules of a CRM kept in a database, in files or in a stream, and nothing lost."""

from __future__ import annotations

from vtiger_async.mirror.batches import Batch, Gone, Upsert, Why
from vtiger_async.mirror.errors import (
    MirrorError,
    SchemaDriftError,
    SinkBusyError,
    SinkError,
    TableError,
)
from vtiger_async.mirror.events import Committed, Drifted, Failed, MirrorEvent, Paused
from vtiger_async.mirror.following import Follow
from vtiger_async.mirror.mirror import Mirror
from vtiger_async.mirror.options import OnDrift
from vtiger_async.mirror.reports import MirrorReport, ModuleReport
from vtiger_async.mirror.sink import Deletes, Look, ReadableSink, Sink
from vtiger_async.mirror.sinks import sink_of
from vtiger_async.mirror.states import ModuleState, Phase

__all__ = [
    "Batch",
    "Committed",
    "Deletes",
    "Drifted",
    "Failed",
    "Follow",
    "Gone",
    "Look",
    "Mirror",
    "MirrorError",
    "MirrorEvent",
    "MirrorReport",
    "ModuleReport",
    "ModuleState",
    "OnDrift",
    "Paused",
    "Phase",
    "ReadableSink",
    "SchemaDriftError",
    "Sink",
    "SinkBusyError",
    "SinkError",
    "TableError",
    "Upsert",
    "Why",
    "sink_of",
]
