"""Journals written by hand, for the tests of what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import asdict

from vtiger_async import VtigerClient
from vtiger_async.bulk.applying import Job
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.keys import folded
from vtiger_async.bulk.outcomes import Outcome
from vtiger_async.bulk.steps import LoadInfo, Step
from vtiger_async.quota.events import Granted
from vtiger_async.sandbox import Sandbox

OWNER = "19x1"
ACCOUNTS = LoadInfo("Accounts", "upsert", ("accountname",), ("Name",))
LEADS = LoadInfo("Leads", "create", (), ("Name",))


def planned(
    path: Path,
    steps: Iterable[Step],
    loads: Sequence[LoadInfo] = (ACCOUNTS,),
    instance: str = Sandbox.url,
) -> Journal:
    """Return the journal of a job that is planned."""
    journal = Journal.create(path, instance=instance, job="job", created_at=0.0)
    journal.add(steps)
    journal.keep(loads=[asdict(load) for load in loads], state="planned")
    return journal


def account(row: int, name: str | None = None, **fields: Any) -> Step:
    """Return a step that creates an organisation."""
    name = name or f"Organisation {row:05}"
    sent = {"accountname": name, "assigned_user_id": OWNER, **fields}
    return Step(0, row, "create", key=folded(name), fields=sent, raw={"Name": name})


def accounts(count: int) -> list[Step]:
    """Return steps that create so many organisations."""
    return [account(row) for row in range(1, count + 1)]


def lead(row: int, load: int = 0) -> Step:
    """Return a step that creates a lead, which has no key."""
    sent = {"lastname": f"Lead {row:05}", "assigned_user_id": OWNER}
    return Step(load, row, "create", fields=sent, raw={"Name": f"Lead {row:05}"})


async def outcomes(job: Job) -> list[Outcome]:
    """Return all that a job yields."""
    return [outcome async for outcome in job]


def job_of(sandbox: Sandbox, crm: VtigerClient, journal: Journal, **options: Any) -> Job:
    """Return the job of a journal, on the sandbox's clock."""
    return Job(crm, sandbox.clock, journal, **options)


def names_in(sandbox: Sandbox, module: str = "Accounts", field: str = "accountname") -> list[str]:
    """Return what the living records of a module have in a field, in their order."""
    rows = sandbox.engine.store.rows(f'SELECT "{field}" FROM {module} WHERE row_state = 0')
    return [row[0] for row in rows]


@contextmanager
def ending_after(crm: VtigerClient, calls: int, end: Callable[[], object]) -> Generator[None]:
    """Call `end` when so many calls of the client were granted, and once only."""
    seen = 0

    def hear(event: object) -> None:
        nonlocal seen
        seen += isinstance(event, Granted)
        if seen == calls:
            end()

    forget = crm.subscribe(hear)
    try:
        yield
    finally:
        forget()


def dump(sandbox: Sandbox, module: str, without: Sequence[str] = ("modifiedtime",)) -> list[Any]:
    """Return a module's living records as they are stored, without some fields."""
    store = sandbox.engine.store
    names = [row[1] for row in store.rows(f"PRAGMA table_info({module})")]
    rows = store.rows(f"SELECT * FROM {module} WHERE row_state = 0 ORDER BY n")
    return [
        {name: value for name, value in zip(names, row, strict=True) if name not in without}
        for row in rows
    ]
