"""Where journals lie: next to the input, numbered, and found again."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from attrs import frozen

from vtiger_async.bulk.errors import JournalError, JournalInUseError
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.steps import OPEN, JobState, LoadInfo

__all__ = ["SUFFIX", "JobInfo", "find_jobs", "new_journal"]

SUFFIX = ".vtjob"
"""What the names of journals end with."""


@frozen
class JobInfo:
    """A journal that was found.

    Attributes:
        path: Its file.
        job: The job's name; None where another process has the file open.
        state: How far it is; `"running"` where another process has it open.
        instance: The instance it belongs to.
        created_at: When it was planned, in Unix seconds.
        loads: What it loads.
        counts: Rows by what came of them or is to be done.
        fault: Why the file cannot be used, if so.
    """

    path: Path
    job: str | None = None
    state: JobState | str = "running"
    instance: str | None = None
    created_at: float | None = None
    loads: tuple[LoadInfo, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    fault: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether something of it is still to be done."""
        return self.state in ("planned", "applying", "undoing")


def new_journal(
    loads: Sequence[Load], path: Path | None, *, instance: str, created_at: float
) -> Journal:
    """Return a new journal for a job.

    Args:
        loads: What is loaded; the journal lies next to the first input that is a file.
        path: Where it is to lie, if elsewhere. Where neither tells, it lies among the temporary
            files.
        instance: The instance's base URL.
        created_at: Unix seconds.

    Raises:
        JournalError: An earlier job for the same input is not at its end, or there is a file.
    """
    job = uuid.uuid4().hex[:12]
    if path is None:
        path = _free_path(next((load.path for load in loads if load.path), None), job)
    return Journal.create(path, instance=instance, job=job, created_at=created_at)


def _free_path(source: Path | None, job: str) -> Path:
    if source is None:
        return Path(tempfile.gettempdir()) / f"vtiger-async-{job}{SUFFIX}"
    number, unfinished = 1, None
    for info in find_jobs(source.parent):
        stem, _, count = info.path.name.removesuffix(SUFFIX).rpartition(".")
        if stem != source.name or not count.isdecimal():
            continue
        if info.state == "running" or info.is_open:
            raise JournalError(
                f"{info.path} is a job for {source.name} that is not at its end: resume it, or "
                "delete the file"
            )
        if info.state == "planning":
            unfinished = info.path
        number = max(number, int(count) + 1)
    return unfinished or source.with_name(f"{source.name}.{number}{SUFFIX}")


def find_jobs(folder: Path) -> list[JobInfo]:
    """Return the jobs whose journals lie in a folder, by name."""
    return [job_info(path) for path in sorted(folder.glob(f"*{SUFFIX}")) if path.is_file()]


def job_info(path: Path) -> JobInfo:
    """Return what a journal tells of its job; it is not changed."""
    try:
        with closing(Journal.open(path)) as journal:
            counts: dict[str, int] = {}
            for (_, action, state), count in journal.counts().items():
                name = action if state in OPEN else state
                counts[name] = counts.get(name, 0) + count
            return JobInfo(
                path=path,
                job=journal.fact("job"),
                state=journal.state,
                instance=journal.fact("instance"),
                created_at=journal.fact("created_at"),
                loads=tuple(journal.loads),
                counts=tuple(counts.items()),
            )
    except JournalInUseError:
        return JobInfo(path=path)
    except JournalError as error:
        return JobInfo(path=path, state="damaged", fault=str(error))
