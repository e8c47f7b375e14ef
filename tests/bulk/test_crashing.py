"""Killed at random instants, over a faulty line: nothing is lost, and nothing is doubled.

The process is killed while it plans, and while it applies. `VTIGER_ASYNC_KILLS=300` runs so many
seeds.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest

from tests.bulk.crash_run import JOURNAL, REPORT
from tests.bulk.jobs import OWNER
from vtiger_async.bulk import job_info
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.reporting import CLOSED, outcomes_of, report_of
from vtiger_async.clock import ScaledClock
from vtiger_async.sandbox import Sandbox

Live: TypeAlias = Callable[[list[Any], float | None, bool], int]
ROOT = Path(__file__).resolve().parents[2]
SEEDS = int(os.environ.get("VTIGER_ASYNC_KILLS", "3"))
FACTOR = 300.0
ORGANISATIONS, PEOPLE, LEADS, MARKED, CHANGES = 60, 30, 15, 10, 20
AS_THEY_ARE, OTHERS = range(41, 46), range(46, 51)
"""The organisations that are there before the job, and those of them that it changes."""
BEFORE = ("planning", "planned", "damaged")
"""How far a journal is before the first write; damaged is one that holds nothing yet."""
ROWS = ORGANISATIONS + PEOPLE + LEADS + MARKED + 2 * CHANGES


def order_faults(sandbox: Sandbox) -> None:
    """Let 5 % of all calls lose their reply after the commit; and cut, refuse and fail others."""
    sandbox.faults.add("latency", seconds=3.0)
    sandbox.faults.add("commit_then_drop", probability=0.05)
    sandbox.faults.add("cut", probability=0.02)
    sandbox.faults.add("500", probability=0.02)
    sandbox.faults.add("502", probability=0.02, commit=True)
    sandbox.faults.add("503", probability=0.01, retry_after=10.0)
    sandbox.faults.add("reset_before_commit", probability=0.01)


def organisation(number: int) -> str:
    """Return the name of an organisation."""
    return f"Organisation {number:05}"


def parent_of(number: int) -> str:
    """Return whom an organisation belongs to: one of a later row, of an earlier one, or nobody."""
    if number <= 10:
        return organisation(number + 50)
    return organisation(number - 30) if number > 50 else ""


async def fill(sandbox: Sandbox) -> None:
    """Create what is there before the job."""
    async with sandbox.client() as crm:
        for number in (*AS_THEY_ARE, *OTHERS):
            phone = f"{number}" if number in AS_THEY_ARE else "none"
            fields = {"accountname": organisation(number), "phone": phone}
            await crm.create("Accounts", {**fields, "assigned_user_id": OWNER})
        for number in range(CHANGES):
            await crm.create("Vendors", {"vendorname": f"V{number}", "assigned_user_id": OWNER})
            await crm.create("Products", {"productname": f"P{number}", "assigned_user_id": OWNER})


def write_input(folder: Path) -> None:
    """Write the rows of all loads."""

    def write(name: str, header: str, rows: Iterable[tuple[str, ...]]) -> None:
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header.split())
            writer.writerows(rows)

    numbers = range(1, ORGANISATIONS + 1)
    names = [(organisation(n), f"{n}", parent_of(n)) for n in numbers]
    write("organisations", "accountname phone account_id", names)
    people = [(f"p{n}@example.com", f"Person {n}", organisation(n)) for n in range(1, PEOPLE + 1)]
    write("people", "email lastname employer", people)
    write("leads", "lastname", [(f"Lead {n}",) for n in range(LEADS)])
    write("marked", "lastname", [(f"Marked {n}",) for n in range(MARKED)])
    write("vendors", "vendorname phone", [(f"V{n}", f"0{n}") for n in range(CHANGES)])
    write("products", "productname", [(f"P{n}",) for n in range(CHANGES)])


@pytest.fixture(scope="module")
def nursery() -> Iterator[Live]:
    """Run the job in a new process, and return its exit status; it is killed after some seconds."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests/bulk/crash_run.py")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        source, sink = process.stdout, process.stdin
        assert source is not None
        assert sink is not None

        def live(arguments: list[Any], seconds: float | None, is_plan_only: bool) -> int:
            order = {"arguments": arguments, "seconds": seconds, "is_plan_only": is_plan_only}
            sink.write(f"{json.dumps(order)}\n")
            sink.flush()
            return int(source.readline())

        yield live


async def killed_and_resumed(seed: int, folder: Path, live: Live) -> dict[str, Any]:
    """Run a job whose process is killed some times; return what the last life reported."""
    chance = random.Random(seed)
    clock = ScaledClock(FACTOR)
    write_input(folder)
    with Sandbox(limits=False, records=0, seed=seed, clock=clock) as sandbox:
        await fill(sandbox)
        before = standing(sandbox)
        order_faults(sandbox)
        async with sandbox.serving() as url:
            arguments = [url, sandbox.access_key, str(folder), FACTOR, clock.epoch]

            async def run(seconds: float | None, *, is_plan_only: bool = False) -> None:
                status = await anyio.to_thread.run_sync(live, arguments, seconds, is_plan_only)
                assert seconds is not None or status == 0
                path = folder / JOURNAL
                if not path.exists() or job_info(path).state in BEFORE:
                    assert standing(sandbox) == before  # planning has written nothing

            for _ in range(chance.randint(0, 2)):
                await run(chance.uniform(0.0, 1.0))
            await run(None, is_plan_only=True)
            for _ in range(chance.randint(1, 3)):
                await run(chance.uniform(0.0, chance.choice((0.2, 0.5, 1.5))))
            await run(None)
        check(sandbox, folder / JOURNAL)
    return json.loads((folder / REPORT).read_text("utf-8"))


def texts(sandbox: Sandbox, module: str, field: str) -> Counter[str | None]:
    """Return how many records of a module have which text."""
    rows = sandbox.engine.store.rows(f"SELECT {field} FROM {module} WHERE row_state = 0")
    return Counter(row[0] for row in rows)


def standing(sandbox: Sandbox) -> list[Counter[str | None]]:
    """Return what of the store the job changes."""
    fields = ("accountname", "phone"), ("email",), ("lastname",), ("phone",), ("productname",)
    modules = "Accounts", "Contacts", "Leads", "Vendors", "Products"
    return [
        texts(sandbox, module, name)
        for module, names in zip(modules, fields, strict=True)
        for name in names
    ]


def check(sandbox: Sandbox, path: Path) -> None:
    """Compare the instance's store with the rows, and the journal with both."""
    store = sandbox.engine.store
    numbers = range(1, ORGANISATIONS + 1)
    assert texts(sandbox, "Accounts", "accountname") == Counter(map(organisation, numbers))
    assert texts(sandbox, "Accounts", "phone") == Counter(map(str, numbers))
    emails = Counter(f"p{n}@example.com" for n in range(1, PEOPLE + 1))
    assert texts(sandbox, "Contacts", "email") == emails
    ids = dict(store.rows("SELECT n, accountname FROM Accounts WHERE row_state = 0"))

    def named(reference: str | None) -> str:
        return ids[int(reference.partition("x")[2])] if reference else ""

    query = "SELECT {}, account_id FROM {} WHERE row_state = 0"
    parents = [
        (name, named(one)) for name, one in store.rows(query.format("accountname", "Accounts"))
    ]
    assert sorted(parents) == sorted((organisation(n), parent_of(n)) for n in numbers)
    employers = [(name, named(one)) for name, one in store.rows(query.format("email", "Contacts"))]
    people = [(f"p{n}@example.com", organisation(n)) for n in range(1, PEOPLE + 1)]
    assert sorted(employers) == sorted(people)
    assert texts(sandbox, "Vendors", "phone") == Counter(f"0{n}" for n in range(CHANGES))
    assert texts(sandbox, "Products", "productname") == Counter()
    leads = texts(sandbox, "Leads", "lastname")
    assert set(leads.values()) <= {1}
    assert {f"Marked {n}" for n in range(MARKED)} <= set(leads)
    journal = Journal.open(path)
    outcomes = list(outcomes_of(journal))
    report = report_of(journal)
    steps = journal.steps(CLOSED, load=2)
    journal.close()
    assert len(outcomes) == report.rows == ROWS
    assert report.open == report.failed == report.rejected == report.skipped == 0
    assert report.deleted == CHANGES
    assert report.unchanged == len(AS_THEY_ARE)
    assert report.revised == CHANGES + len(OTHERS)
    known = {step.fields["lastname"] for step in steps if step.state == "done"}
    assert known <= set(leads)
    assert len(known) + report.unknown == LEADS


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_jobs_lose_and_double_nothing(seed: int, tmp_path: Path, nursery: Live) -> None:
    """Each row is done exactly once; without a key at most once, and told where it is not known."""
    report = anyio.run(killed_and_resumed, seed, tmp_path, nursery)
    assert report["open"] == 0
