"""What a planned job will do, what it costs and how long it takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from vtiger_async.bulk.journal import Journal
from vtiger_async.quota.snapshot import Quota
from vtiger_async.quota.windows import WindowName

__all__ = ["Plan", "Rejection"]

_MINUTE = 60


@frozen
class Rejection:
    """A row that cannot be written.

    Attributes:
        load: Which of the job's loads it belongs to, from 0.
        row: Its number in the input, from 1.
        problems: Everything that is wrong with it.
    """

    load: int
    row: int
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return f"row {self.row}: {'; '.join(self.problems)}"


@frozen(kw_only=True)
class Plan:
    """What a job will do. Nothing of it is done yet, and the journal holds all of it.

    Attributes:
        journal: The journal.
        rows: Rows that were read.
        create: Records to be created; those too that rows refer to and that are missing.
        revise: Records to be changed.
        delete: Records to be deleted.
        link: Records that get a reference in a second pass, when what they refer to is there.
        unchanged: Rows whose record is as it should be.
        skipped: Rows that are left out as asked.
        rejected: Rows that cannot be written; see `rejections`.
        spent: Calls that the planning has made.
        calls: Calls that are still to be made, if no reply is lost.
        saved: Calls that are saved since one call creates several records.
        seconds: How long the calls take, as the quota stands; 0 where no limit is known, infinity
            where it is over a year.
        binds: The window of the quota that makes it take so long; None where none does.
        unmapped: For each load, the columns that are not loaded, with the reasons.
    """

    journal: Path
    rows: int = 0
    create: int = 0
    revise: int = 0
    delete: int = 0
    link: int = 0
    unchanged: int = 0
    skipped: int = 0
    rejected: int = 0
    spent: int = 0
    calls: int = 0
    saved: int = 0
    seconds: float = 0.0
    binds: WindowName | None = None
    unmapped: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, journal: Journal, quota: Quota, *, batch: int = 1) -> Plan:
        """Return the plan that a journal holds; it costs no call.

        Args:
            journal: The journal of a planned job.
            quota: The client's quota, for the time it takes.
            batch: Records that one call creates.
        """
        numbers: Counter[str] = Counter()
        creates: Counter[int] = Counter()
        for (load, action, state), count in journal.counts().items():
            if state == "planned":
                numbers[action] += count
                creates[load] += count if action == "create" else 0
            elif action != "link":
                numbers[state] += count
        made = sum(math.ceil(count / batch) for count in creates.values())
        saved = numbers["create"] - made
        calls = sum(numbers[name] for name in ("create", "revise", "delete", "link")) - saved
        forecast = quota.plan(calls)
        lengths: Counter[WindowName] = Counter()
        for stretch in forecast.stretches:
            lengths[stretch.window] += round((stretch.end - stretch.start).total_seconds())
        names = (
            "create", "revise", "delete", "link", "unchanged", "skipped", "rejected",
        )  # fmt: skip
        return cls(
            journal=journal.path,
            rows=journal.fact("rows") or 0,
            spent=journal.fact("calls") or 0,
            calls=calls,
            saved=saved,
            seconds=forecast.seconds,
            binds=lengths.most_common(1)[0][0] if lengths else None,
            unmapped=tuple(journal.fact("unmapped") or ()),
            **{name: numbers[name] for name in names},
        )

    def rejections(self, limit: int = 100) -> list[Rejection]:
        """Return the first rows that cannot be written, with the reasons.

        It opens the journal, and closes it again.

        Args:
            limit: At most so many.

        Raises:
            JournalInUseError: The job is being applied.
            JournalError: The journal is gone, or damaged.
        """
        journal = Journal.open(self.journal)
        try:
            steps = journal.steps(("rejected",), limit=limit)
        finally:
            journal.close()
        return [Rejection(step.load, step.row, tuple(step.reason)) for step in steps]

    def __str__(self) -> str:
        numbers = {
            "create": self.create, "revise": self.revise, "delete": self.delete,
            "link": self.link, "unchanged": self.unchanged, "skipped": self.skipped,
            "rejected": self.rejected,
        }  # fmt: skip
        parts = [f"{name} {count:,}" for name, count in numbers.items() if count]
        text = f"{', '.join(parts) or 'no rows'}; {_counted(self.calls + self.spent)}"
        if self.saved:
            text += f", {self.saved:,} saved by writing several records a call"
        if self.binds is not None:
            text += f"; {_duration(self.seconds)}; the {self.binds} binds"
        return text


def _counted(calls: int) -> str:
    return f"{calls:,} call{'' if calls == 1 else 's'}"


def _duration(seconds: float) -> str:
    """Return a time as people say it, in two units at most."""
    if math.isinf(seconds):
        return "more than a year"
    whole = math.ceil(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    days, rest = divmod(math.ceil(seconds / _MINUTE), 24 * 60)
    hours, minutes = divmod(rest, 60)
    if days:
        parts = [f"{days} d", f"{hours} h" if hours else ""]
    elif hours:
        parts = [f"{hours} h", f"{minutes} min" if minutes else ""]
    else:
        parts = [f"{minutes} min"]
    return " ".join(filter(None, parts))
