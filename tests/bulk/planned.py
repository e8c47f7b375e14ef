"""What the tests of planning share: a job is planned, and its steps and calls are looked at."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, get_args

from vtiger_async import VtigerClient
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.planning import plan_job
from vtiger_async.bulk.steps import State, Step
from vtiger_async.sandbox import Sandbox

__all__ = ["ADMIN", "Planned", "counted", "planned"]

ADMIN = "19x1"
STATES = get_args(State)
_NUMBERS = count(1)


class Planned:
    """A planned job."""

    def __init__(self, journal: Journal, calls: dict[str, int]) -> None:
        self.journal = journal
        self.calls = calls
        """What was called, by operation, as the instance counted it."""

    @property
    def steps(self) -> list[Step]:
        """All steps, in order."""
        steps: list[Step] = []
        while page := self.journal.steps(STATES, after=steps[-1].id if steps else 0):
            steps += page
        return steps

    def row(self, number: int, load: int = 0) -> Step:
        """The step of one row."""
        found = [one for one in self.steps if (one.load, one.row) == (load, number)]
        return next(one for one in found if one.action != "link")

    @property
    def links(self) -> list[Step]:
        """The steps of the second pass."""
        return [one for one in self.steps if one.action == "link"]

    @property
    def numbers(self) -> dict[str, int]:
        """How many steps there are of each kind; links that are left out do not count."""
        found = [one for one in self.steps if one.action != "link" or one.state == "planned"]
        names = (one.action if one.state == "planned" else one.state for one in found)
        return dict(Counter(names))


@contextmanager
def counted(sandbox: Sandbox) -> Iterator[dict[str, int]]:
    """Fill a mapping with what is called within the block, by operation."""
    before = dict(sandbox.ledger()["calls"])
    calls: dict[str, int] = {}
    yield calls
    after = sandbox.ledger()["calls"]
    made = {name: number - before.get(name, 0) for name, number in after.items()}
    calls.update({name: number for name, number in made.items() if number})


async def planned(
    sandbox: Sandbox, crm: VtigerClient, *loads: Load, path: Path | None = None, **options: Any
) -> Planned:
    """Plan a job with a fresh client, so that no description is kept from before."""
    folder = path or Path(tempfile.mkdtemp())
    journal = Journal.create(
        folder / f"job{next(_NUMBERS)}", instance=crm.url, job="job7", created_at=0.0
    )
    with counted(sandbox) as calls:
        await plan_job(crm, sandbox.clock, loads, journal, **options)
    assert journal.fact("calls") == sum(calls.values())
    assert journal.state == "planned"
    return Planned(journal, calls)
