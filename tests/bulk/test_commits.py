"""Group commit: many tasks, one transaction, and no outcome before it is durable."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from tests.bulk.jobs import accounts, planned
from vtiger_async.bulk.commits import Commits
from vtiger_async.bulk.errors import JournalError
from vtiger_async.bulk.steps import Step

pytestmark = pytest.mark.anyio


async def test_tasks_that_wait_share_a_transaction(tmp_path: Path) -> None:
    """What a hundred tasks write at once costs one wait for the disk, or two."""
    journal = planned(tmp_path / "job.journal", accounts(100))
    statements: list[str] = []
    journal._database.set_trace_callback(statements.append)
    commits = Commits(journal, lambda: {"calls": 7})
    steps = journal.steps()
    for step in steps:
        step.state = "sent"
    async with anyio.create_task_group() as group:
        for step in steps:
            group.start_soon(commits.write, [step])
    assert statements.count("COMMIT") <= 2
    assert journal.counts() == {(0, "create", "sent"): 100}
    assert journal.fact("calls") == 7
    journal.close()


async def test_a_failure_reaches_each_task_of_its_group(tmp_path: Path) -> None:
    """Who waited for a transaction that failed is told; the next may succeed."""
    journal = planned(tmp_path / "job.journal", accounts(9))
    commits = Commits(journal)
    steps = journal.steps()
    journal._database.execute("PRAGMA query_only = 1")
    failed: list[int] = []

    async def write(step: Step) -> None:
        step.state = "done"
        try:
            await commits.write([step])
        except JournalError:
            failed.append(step.id)

    async with anyio.create_task_group() as group:
        for step in steps:
            group.start_soon(write, step)
    assert sorted(failed) == list(range(1, 10))
    journal._database.execute("PRAGMA query_only = 0")
    await commits.write(steps)
    assert journal.counts() == {(0, "create", "done"): 9}
    journal.close()


async def test_a_write_that_has_begun_is_not_cut_off(tmp_path: Path) -> None:
    """Cancellation waits for the transaction that is being written."""
    journal = planned(tmp_path / "job.journal", accounts(300))
    commits = Commits(journal)
    steps = journal.steps()
    for step in steps:
        step.state = "done"
    with anyio.CancelScope() as scope:
        scope.cancel()
        with anyio.CancelScope(shield=True):
            await commits.write(steps)
    assert journal.counts() == {(0, "create", "done"): 300}
    journal.close()
