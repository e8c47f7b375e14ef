"""References to records that an earlier step of the same job has made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.lines import put
from vtiger_async.bulk.steps import LoadInfo, Step

__all__ = ["resolve"]


def resolve(journal: Journal, loads: Sequence[LoadInfo], steps: Sequence[Step]) -> list[Step]:
    """Put the ids of records made by earlier steps into the fields that wait for them.

    It may be done again: what is waited for stays in the step. A link is given its row's record.

    Args:
        journal: The job's journal.
        loads: The job's loads.
        steps: Steps that are to be sent; each is changed in place.

    Returns:
        Those of them that are closed by it: a record that they need was not made.
    """
    wanted: defaultdict[int, set[str]] = defaultdict(set)
    for step in steps:
        for load, key in step.waits.values():
            wanted[load].add(key)
    made = {load: journal.with_keys(load, sorted(keys)) for load, keys in wanted.items()}
    links = [step for step in steps if step.action == "link" and step.record_id is None]
    mains = journal.of_rows([(step.load, step.row) for step in links])
    closed: list[Step] = []
    for step in steps:
        problems = _fill(step, loads[step.load], made)
        if step.action == "link" and step.record_id is None:
            main = mains.get((step.load, step.row))
            step.record_id = None if main is None else main.record_id
            if step.record_id is None:
                problems.append("the row's own record was not made")
        if problems:
            step.state, step.reason = "rejected", problems
            closed.append(step)
        elif not step.fields and step.action in ("link", "revise"):
            step.state = "unchanged"  # all that it waited for is left out
            closed.append(step)
    return closed


def _fill(step: Step, load: LoadInfo, made: dict[int, dict[str, Step]]) -> list[str]:
    problems: list[str] = []
    for name, (other, key) in step.waits.items():
        parent = made[other].get(key)
        record_id = None if parent is None else parent.record_id
        if record_id is not None and parent is not None and parent.action != "delete":
            put(step.fields, name, record_id)
        elif load.missing != "empty":
            problems.append(f"{name}: {_why(key, parent)}")
    return problems


def _why(key: str, parent: Step | None) -> str:
    shown = key.replace("\x1f", ", ")
    if parent is None:
        return f"no row of this job makes the record {shown!r}"
    if parent.action == "delete":
        return f"row {parent.row} of this job deletes the record {shown!r}"
    text = "; ".join(parent.reason) or f"it is {parent.state}"
    return f"row {parent.row}, which makes the record {shown!r}, came to nothing: {text}"
