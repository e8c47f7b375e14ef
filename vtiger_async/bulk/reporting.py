"""From the steps of a journal to the outcomes of rows, and to the report of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from vtiger_async.bulk.journal import Journal
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
from vtiger_async.bulk.steps import OPEN, LoadInfo, State, Step
from vtiger_async.types import RecordId

__all__ = ["CLOSED", "outcome_of", "outcomes_of", "report_of", "rows_of"]

CLOSED: tuple[State, ...] = ("done", "failed", "unchanged", "skipped", "rejected", "lost")
"""The states of a step for which nothing is to be done any more."""
_DONE: dict[str, str] = {"create": "created", "revise": "revised", "delete": "deleted"}
_COUNTED: dict[str, str] = {
    "unchanged": "unchanged", "skipped": "skipped", "rejected": "rejected", "failed": "failed",
    "lost": "unknown", **dict.fromkeys(OPEN, "open"),
}  # fmt: skip
"""What a step counts as in a report: by its action where it is done, else by its state."""


def outcome_of(step: Step, load: LoadInfo, link: Step | None = None) -> Outcome | None:
    """Return what came of a row.

    Args:
        step: The row's step.
        load: Its load.
        link: What was to be done for the row in a second pass, if anything was.

    Returns:
        The outcome; None where something is still to be done for the row.
    """
    if step.state in OPEN or (link is not None and link.state in OPEN):
        return None
    outcome = _outcome(step, load)
    if link is None or not isinstance(outcome, Created | Revised | Unchanged):
        return outcome
    if link.state == "done":
        changes = () if isinstance(outcome, Unchanged) else outcome.changes
        all_changes = (*changes, *link.reason)
        if isinstance(outcome, Created):
            return evolve(outcome, changes=all_changes)
        names = outcome.fields if isinstance(outcome, Revised) else ()
        sent = tuple(dict.fromkeys((*names, *link.fields, *link.waits)))
        return Revised(
            row=outcome.row, module=outcome.module, key=outcome.key, record_id=outcome.record_id,
            fields=sent, changes=all_changes, settled=link.settled,
        )  # fmt: skip
    if link.state in ("failed", "rejected"):
        verb = "was created" if isinstance(outcome, Created) else "is there"
        text = f"the record {outcome.record_id} {verb}, but: {'; '.join(link.reason)}"
        return Failed(row=outcome.row, module=outcome.module, key=outcome.key, reason=text)
    return outcome


def _outcome(step: Step, load: LoadInfo) -> Outcome:
    row, module, key = step.row, load.module, step.key
    reason = "; ".join(step.reason)
    rid = RecordId(step.record_id or "0x0")
    match step.state, step.action:
        case "done", "create":
            return Created(
                row=row, module=module, key=key, record_id=rid,
                changes=tuple(step.reason), settled=step.settled,
            )  # fmt: skip
        case "done", "delete":
            return Deleted(row=row, module=module, key=key, record_id=rid, settled=step.settled)
        case "done", _:
            return Revised(
                row=row, module=module, key=key, record_id=rid,
                fields=tuple(dict.fromkeys((*step.fields, *step.waits))),
                changes=tuple(step.reason), settled=step.settled,
            )  # fmt: skip
        case "unchanged", _:
            return Unchanged(row=row, module=module, key=key, record_id=rid)
        case "skipped", _:
            return Skipped(row=row, module=module, key=key, reason=reason)
        case "rejected", _:
            return Rejected(row=row, module=module, key=key, problems=tuple(step.reason))
        case "lost", _:
            return Unknown(row=row, module=module, key=key, reason=reason)
        case _:
            return Failed(row=row, module=module, key=key, reason=reason)


def rows_of(journal: Journal, load: int | None = None) -> Iterator[tuple[Step, Step | None]]:
    """Yield each row's step with its link, in the order of the journal and in constant memory.

    Args:
        journal: The journal.
        load: Only the rows of this load.
    """
    has_links = any(action == "link" for _, action, _ in journal.counts())
    after = 0
    while steps := journal.steps((*CLOSED, *OPEN), load=load, after=after):
        after = steps[-1].id
        mains = [step for step in steps if step.action != "link"]
        rows = [(step.load, step.row) for step in mains]
        links = journal.of_rows(rows, links=True) if has_links else {}
        for step in mains:
            yield step, links.get((step.load, step.row))


def outcomes_of(journal: Journal) -> Iterator[Outcome]:
    """Yield what came of each row so far, also in earlier runs; rows still to be done are left out.

    Args:
        journal: The job's journal.
    """
    loads: Sequence[LoadInfo] = journal.loads
    for step, link in rows_of(journal):
        outcome = outcome_of(step, loads[step.load], link)
        if outcome is not None:
            yield outcome


def report_of(journal: Journal) -> Report:
    """Return what came of a job so far, in all its runs.

    Args:
        journal: The job's journal.
    """
    report = Report(calls=journal.fact("calls") or 0, journal=journal.path)
    counts = journal.counts()
    for (_, action, state), count in counts.items():
        if action != "link":
            name = _COUNTED.get(state) or _DONE[action]
            setattr(report, name, getattr(report, name) + count)
    if any(action == "link" for _, action, _ in counts):
        _count_links(journal, report)
    return report


def _count_links(journal: Journal, report: Report) -> None:
    """Count each row that has a link as what both came to."""
    loads = journal.loads
    for turn in journal.turns():
        after = 0
        while links := journal.steps((*CLOSED, *OPEN), turn=turn, after=after):
            after = links[-1].id
            links = [step for step in links if step.action == "link"]
            mains = journal.of_rows([(step.load, step.row) for step in links])
            for link in links:
                main = mains.get((link.load, link.row))
                if main is None:
                    continue
                alone = _name(outcome_of(main, loads[main.load]))
                both = _name(outcome_of(main, loads[main.load], link))
                setattr(report, alone, getattr(report, alone) - 1)
                setattr(report, both, getattr(report, both) + 1)


def _name(outcome: Outcome | None) -> str:
    return "open" if outcome is None else type(outcome).__name__.lower()
