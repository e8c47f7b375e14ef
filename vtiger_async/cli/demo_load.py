"""The demo's import: a bulk job, planned and applied; then the same import again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from vtiger_async.bulk import (
    Created,
    Failed,
    LoadOptions,
    Outcome,
    Plan,
    Rejected,
    Revised,
    Unchanged,
    Unknown,
)
from vtiger_async.cli.demo_report import Run
from vtiger_async.cli.exits import note
from vtiger_async.client import VtigerClient

__all__ = ["MODULE", "Advance", "load"]

MODULE: Final = "Accounts"
"""The module that the rows are loaded into."""
_SHOWN: Final = 5
"""Rows that are shown of those that are not imported."""


class Advance(Protocol):
    """Shows progress."""

    def __call__(self, phase: str, total: int | None = None) -> None:
        """Note one step more of a phase, or with a total its begin."""
        ...


async def load(
    crm: VtigerClient, rows: Sequence[dict[str, str]], owner: str, run: Run, advance: Advance
) -> None:
    """Load rows by a bulk job, and load them again; say what is planned, and what came of it.

    Args:
        crm: The client.
        rows: Fields by name.
        owner: Whose the records are.
        run: What the client sees goes in here.
        advance: Shows progress.
    """

    def heed(outcome: Outcome) -> None:
        if isinstance(outcome, Rejected):
            return
        advance("import")
        if isinstance(outcome, Unchanged | Revised):
            run.existing += 1
        elif isinstance(outcome, Failed | Unknown):
            run.failed += 1
            if run.failed <= _SHOWN:
                note(f"{_name(rows, outcome.row)}: {outcome.reason}")
        keep(outcome)

    def keep(outcome: Outcome) -> None:
        if isinstance(outcome, Created):
            run.created[outcome.record_id] = rows[outcome.row - 1]
        elif isinstance(outcome, Revised):
            run.revised.append(outcome.record_id)

    options = LoadOptions(module=MODULE, key="accountname", owner=owner)
    with TemporaryDirectory() as folder:  # the journals are of use for this run only
        plan = await crm.bulk.plan(rows, journal=Path(folder) / "first.vtjob", **options)
        note(f"plan: {plan}")
        run.rejected = plan.rejected
        _tell_rejected(plan, rows)
        advance("import", plan.rows - plan.rejected)
        async with crm.bulk.apply(plan) as job:
            await job.run(heed)
        run.again = await crm.bulk.load(
            rows, journal=Path(folder) / "again.vtjob", on_outcome=keep, **options
        )
        note(f"the same again: {run.again}")


def _tell_rejected(plan: Plan, rows: Sequence[Mapping[str, str]]) -> None:
    """Say how many rows cannot be stored as they are, what is wrong with them, and the first."""
    rejections = plan.rejections(plan.rejected)
    if not rejections:
        return
    counts = Counter(problem.partition(":")[0] for one in rejections for problem in one.problems)
    fields = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    note(f"rejected before a call is spent on them: {len(rejections):,} rows, for {fields}")
    for one in rejections[:_SHOWN]:
        note(f"{_name(rows, one.row)}: {'; '.join(one.problems)}")
    if len(rejections) > _SHOWN:
        note(f"and {len(rejections) - _SHOWN:,} more")


def _name(rows: Sequence[Mapping[str, str]], row: int) -> str:
    return rows[row - 1]["accountname"]
