"""What came of an undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.steps import Step

__all__ = ["UndoReport", "undo_report_of"]

_SHOWN: Final = 100
"""Rows whose reason a report has."""


@define
class UndoReport:
    """What came of an undo.

    Attributes:
        deleted: Records that the job had created, and that are deleted now.
        restored: Records that have their old values again.
        refused: Records that were left alone: somebody has changed them since, or the job had
            deleted them.
        failed: Records for which Vtiger refused it.
        unknown: Rows of which nobody can tell whether the job has created a record.
        calls: Calls that were made.
        reasons: Why records were left alone, or Vtiger refused: by row, the first hundred.
    """

    deleted: int = 0
    restored: int = 0
    refused: int = 0
    failed: int = 0
    unknown: int = 0
    calls: int = 0
    reasons: dict[str, str] = field(factory=dict[str, str])

    @property
    def is_whole(self) -> bool:
        """Whether everything is as it was before the job."""
        return not (self.refused or self.failed or self.unknown)


def undo_report_of(journal: Journal, calls: int = 0) -> UndoReport:
    """Return what came of the undo of a job so far, in all its runs.

    Args:
        journal: The job's journal.
        calls: The calls that were made.
    """
    report = UndoReport(calls=calls)
    modules = [load.module for load in journal.loads]
    after = 0
    while steps := journal.steps(("done", "lost"), after=after):
        after = steps[-1].id
        for step in steps:
            if step.state == "lost":
                report.unknown += 1
            elif step.undo == "done" and step.action != "link":
                name = "deleted" if step.action == "create" else "restored"
                setattr(report, name, getattr(report, name) + 1)
            elif step.undo in ("refused", "failed"):
                setattr(report, step.undo, getattr(report, step.undo) + 1)
                if len(report.reasons) < _SHOWN:
                    report.reasons[_where(step, modules)] = "; ".join(step.reason)
    return report


def _where(step: Step, modules: Sequence[str]) -> str:
    module = modules[step.load]
    of_load = f" of load {step.load + 1}" if modules.count(module) > 1 else ""
    return f"{module} row {step.row}{of_load}"
