"""What `vtiger-async import` writes on stdout: plans, reports, and the jobs of a folder."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from vtiger_async.bulk import JobInfo, Plan, PlanUnfinishedError, Report, UndoReport
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.reporting import report_of
from vtiger_async.bulk.results import write_results
from vtiger_async.bulk.steps import OPEN, JobState
from vtiger_async.cli.exits import ExitCode, note
from vtiger_async.cli.output import Format, Output
from vtiger_async.cli.quota_view import moment
from vtiger_async.quota.costs import span
from vtiger_async.quota.plan import Plan as QuotaPlan

__all__ = [
    "Standing",
    "command",
    "exit_code_for",
    "job_row",
    "show_plan",
    "show_report",
    "show_undo",
    "standing_at",
    "write_files",
]

_SHOWN: Final = 20
"""Rejected rows that a plan shows."""


def command(*words: str | Path) -> str:
    """Return a command line of ours, as a shell takes it."""
    return shlex.join(["vtiger-async", "import", *map(str, words)])


def show_plan(out: Output, plan: Plan, forecast: QuotaPlan) -> None:
    """Write a plan, the first rows that are rejected, and how to go on.

    Args:
        out: Where to.
        plan: The plan.
        forecast: How long its calls take.
    """
    names = ("rows", "create", "revise", "delete", "link", "unchanged", "skipped", "rejected")
    endless = math.isinf(forecast.seconds)
    share = forecast.day_share
    is_table = out.format is Format.TABLE
    found: dict[str, Any] = {name: getattr(plan, name) for name in names}
    found |= {
        "calls": plan.calls,
        "takes": "over a year" if endless else span(forecast.seconds),
        "seconds": None if endless else round(forecast.seconds, 1),
        "ends_at": moment(forecast.ends_at),
        "binds": plan.binds,
        "day_share": share if share is None else f"{share:.1%}" if is_table else round(share, 4),
        "calls_made": plan.spent,
        "journal": str(plan.journal),
    }
    unmapped, rejections = _unmapped(plan), _rejections(plan.journal)
    if is_table:
        out.record(found)
        for rows in (unmapped, rejections):
            if rows:
                out.value(rows)
    else:
        out.record({**found, "unmapped": unmapped, "rejections": rejections})
    if plan.rejected > len(rejections):
        note(f"rejected: {plan.rejected:,} rows, of which the first {len(rejections)} are shown")
    note(f"to go on: {command('apply', plan.journal)}")


def _unmapped(plan: Plan) -> list[dict[str, Any]]:
    return [
        {"load": number, "column": column, "not_loaded": reason}
        for number, reasons in enumerate(plan.unmapped, 1)
        for column, reason in reasons.items()
    ]


def _rejections(path: Path) -> list[dict[str, Any]]:
    with closing(Journal.open(path)) as journal:
        loads = journal.loads
        return [
            {
                "load": step.load + 1,
                "module": loads[step.load].module,
                "row": step.row,
                "rejected": "; ".join(step.reason),
            }
            for step in journal.steps(("rejected",), limit=_SHOWN)
        ]


@frozen
class Standing:
    """How far a job is.

    Attributes:
        state: The journal's state.
        steps: Calls that are still to be made, if no reply is lost.
        report: What came of the rows so far.
    """

    state: JobState
    steps: int
    report: Report


def standing_at(path: Path) -> Standing:
    """Return how far a job is.

    Args:
        path: Its journal.

    Raises:
        JournalError: The journal cannot be used.
    """
    with closing(Journal.open(path)) as journal:
        if journal.state == "planning":
            raise PlanUnfinishedError.of(path)
        report = report_of(journal)
        counts = journal.counts().items()
        steps = sum(count for (_, _, state), count in counts if state in OPEN)
        return Standing(journal.state, steps, report)


def write_files(path: Path, folder: Path | None = None) -> dict[str, Path]:
    """Write the result files of a job, and return them by what they hold.

    Args:
        path: Its journal.
        folder: Where; if not given, beside the journal.

    Raises:
        JournalError: The journal cannot be used.
        BulkError: A file cannot be written.
    """
    with closing(Journal.open(path)) as journal:
        return write_results(journal, folder)


def show_report(out: Output, report: Report) -> None:
    """Write what came of a job.

    Args:
        out: Where to.
        report: What came of it.
    """
    names = (
        "rows", "created", "revised", "deleted", "unchanged", "skipped", "rejected", "failed",
        "unknown", "open", "calls",
    )  # fmt: skip
    found: dict[str, Any] = {name: getattr(report, name) for name in names}
    if report.seconds:
        found["seconds"] = round(report.seconds, 1)
    found["journal"] = str(report.journal)
    found |= {f"{kind}_file": str(path) for kind, path in report.files.items()}
    out.record(found)


def show_undo(out: Output, report: UndoReport) -> None:
    """Write what came of an undo.

    Args:
        out: Where to.
        report: What came of it.
    """
    names = ("deleted", "restored", "refused", "failed", "unknown", "calls")
    found: dict[str, Any] = {name: getattr(report, name) for name in names}
    reasons = [{"record": where, "reason": why} for where, why in report.reasons.items()]
    if out.format is not Format.TABLE:
        out.record({**found, "reasons": reasons})
        return
    out.record(found)
    if reasons:
        out.value(reasons)


def exit_code_for(report: Report | UndoReport) -> ExitCode:
    """Return whether all is as it should be, or a part of it."""
    return ExitCode.OK if report.is_whole else ExitCode.PARTLY


def job_row(info: JobInfo) -> Mapping[str, Any]:
    """Return one line about a job.

    Args:
        info: What its journal tells.
    """
    counts = dict(info.counts)
    planned_at = info.created_at
    return {
        "journal": info.path.name,
        "state": info.state,
        "planned_at": planned_at and moment(datetime.fromtimestamp(planned_at, UTC)),
        "modules": list(dict.fromkeys(load.module for load in info.loads)),
        "open": _sum(counts, ("create", "revise", "delete", "link")),
        "done": _sum(counts, ("done",)),
        "unchanged": _sum(counts, ("unchanged", "skipped")),
        "not_done": _sum(counts, ("rejected", "failed", "lost")),
        "instance": info.instance,
        "fault": info.fault,
    }


def _sum(counts: Mapping[str, int], names: Sequence[str]) -> int:
    return sum(counts.get(name, 0) for name in names)
