"""Bulk jobs: rows into the CRM, planned, exact, resumable, undoable.

```python
plan = await crm.bulk.plan("organisations.csv", module="Accounts", key="accountname", owner="me")
print(plan)
async for outcome in crm.bulk.apply(plan):
    ...
```

A row is effectively written once where its load has a key, and at most once where it has none.
"""

from __future__ import annotations

from vtiger_async.bulk.applying import Job
from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import (
    BulkError,
    JournalError,
    JournalInUseError,
    MappingError,
    PlanUnfinishedError,
    SourceError,
)
from vtiger_async.bulk.events import JobEvent, Paused, Resumed, Unreachable
from vtiger_async.bulk.finding import JobInfo, find_jobs, job_info
from vtiger_async.bulk.jobs import Bulk, LoadOptions
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import FieldMapping
from vtiger_async.bulk.outcomes import (
    Created,
    Deleted,
    Failed,
    Outcome,
    Rejected,
    Report,
    Revised,
    Skipped,
    Unchanged,
    Unknown,
)
from vtiger_async.bulk.plan import Plan, Rejection
from vtiger_async.bulk.strategy import MultiWrite
from vtiger_async.bulk.undoing import UndoReport

__all__ = [
    "Bulk",
    "BulkError",
    "Column",
    "Created",
    "Deleted",
    "Failed",
    "FieldMapping",
    "Job",
    "JobEvent",
    "JobInfo",
    "JournalError",
    "JournalInUseError",
    "Load",
    "LoadOptions",
    "MappingError",
    "MultiWrite",
    "Outcome",
    "Paused",
    "Plan",
    "PlanUnfinishedError",
    "Rejected",
    "Rejection",
    "Report",
    "Resumed",
    "Revised",
    "Skipped",
    "SourceError",
    "Unchanged",
    "UndoReport",
    "Unknown",
    "Unreachable",
    "find_jobs",
    "job_info",
]
