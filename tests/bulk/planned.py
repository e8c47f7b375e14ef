"""What the tests of planning share: a job is planned, and its steps and calls are looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.planning import plan_job
from vtiger_async.bulk.steps import State, Step
from vtiger_async.sandbox import Sandbox

__all__ = ["ADMIN", "Desk", "Planned", "accounts", "counted", "named"]

ADMIN = "19x1"
STATES = get_args(State)


def accounts(rows: Any, **options: Any) -> Load:
    """Return a load of organisations by their name."""
    options = {"module": "Accounts", "key": "accountname", "owner": ADMIN, **options}
    return Load(rows=rows, **options)


def named(count: int) -> list[dict[str, str]]:
    """Return rows of new organisations."""
    return [{"accountname": f"New {i}", "phone": f"{i}"} for i in range(count)]


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


class Desk:
    """An instance, and a place for journals.

    Args:
        folder: Where the journals go.
        sandbox: The instance.
    """

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        self._journals: list[Journal] = []

    async def plan(self, *loads: Load, user: str = "admin", **options: Any) -> Planned:
        """Plan a job with a client of its own, which knows nothing yet."""
        path = self.folder / f"job{len(self._journals)}.sqlite"
        journal = Journal.create(path, instance=self.sandbox.url, job="job7", created_at=0.0)
        self._journals.append(journal)
        with counted(self.sandbox) as calls:
            async with self.sandbox.client(user) as crm:
                await plan_job(crm, self.sandbox.clock, loads, journal, **options)
        assert journal.fact("calls") == sum(calls.values())
        assert journal.state == "planned"
        return Planned(journal, calls)

    async def create(self, module: str, *records: dict[str, Any]) -> list[str]:
        """Create records of the administrator, and return their ids."""
        async with self.sandbox.client() as crm:
            given = [{"assigned_user_id": ADMIN, **fields} for fields in records]
            return [str((await crm.create(module, fields)).id) for fields in given]

    def fill(self, module: str, records: Iterable[dict[str, Any]]) -> None:
        """Create records without a client, which is faster."""
        engine = self.sandbox.engine
        for fields in records:
            params = {"elementType": module, "element": json.dumps(fields)}
            engine.execute("create", params, engine.users["admin"])

    def close(self) -> None:
        """Close the journals."""
        for journal in self._journals:
            journal.close()
