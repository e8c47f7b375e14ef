"""Killed at random instants, over a faulty line: nothing is lost, and nothing is doubled.

`VTIGER_ASYNC_KILLS=300` runs so many seeds.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.bulk.jobs import OWNER, account, lead, planned
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.reporting import outcomes_of, report_of
from vtiger_async.bulk.steps import LoadInfo, Step
from vtiger_async.clock import ScaledClock
from vtiger_async.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
SEEDS = int(os.environ.get("VTIGER_ASYNC_KILLS", "3"))
FACTOR = 300.0
LOADS = (
    LoadInfo("Accounts", "upsert", ("accountname",)),
    LoadInfo("Contacts", "upsert", ("email",)),
    LoadInfo("Leads", "create"),
    LoadInfo("Vendors", "revise", ("id",)),
    LoadInfo("Products", "delete", ("id",)),
)
ORGANISATIONS, PEOPLE, LEADS, CHANGES = 60, 30, 15, 20


def order_faults(sandbox: Sandbox) -> None:
    """Let 5 % of all calls lose their reply after the commit; and cut, refuse and fail others."""
    sandbox.faults.add("latency", seconds=3.0)
    sandbox.faults.add("commit_then_drop", probability=0.05)
    sandbox.faults.add("cut", probability=0.02)
    sandbox.faults.add("500", probability=0.02)
    sandbox.faults.add("502", probability=0.02, commit=True)
    sandbox.faults.add("503", probability=0.01, retry_after=10.0)
    sandbox.faults.add("reset_before_commit", probability=0.01)


async def records_of(sandbox: Sandbox) -> tuple[list[str], list[str]]:
    """Create what is to be changed and deleted; return the ids."""
    async with sandbox.client() as crm:
        vendors = [
            await crm.create("Vendors", {"vendorname": f"V{n}", "assigned_user_id": OWNER})
            for n in range(CHANGES)
        ]
        products = [
            await crm.create("Products", {"productname": f"P{n}", "assigned_user_id": OWNER})
            for n in range(CHANGES)
        ]
    return [str(one.id) for one in vendors], [str(one.id) for one in products]


def steps_of(vendors: list[str], products: list[str]) -> list[Step]:
    """Return parents, children, links, changes, deletes, and creates without a key."""
    steps = [account(row) for row in range(1, ORGANISATIONS + 1)]
    for row in range(1, PEOPLE + 1):
        email = f"p{row}@example.com"
        fields = {"lastname": f"Person {row}", "email": email, "assigned_user_id": OWNER}
        waits = {"account_id": (0, f"organisation {row:05}")}
        steps.append(Step(1, row, "create", turn=1, key=email, fields=fields, waits=waits))
        waits = {"account_id": (0, f"organisation {row:05}")}
        steps.append(Step(0, row + 30, "link", turn=2, waits=waits))
    steps += [lead(row, 2) for row in range(1, LEADS + 1)]
    for row, (vendor, product) in enumerate(zip(vendors, products, strict=True), 1):
        steps.append(Step(3, row, "revise", record_id=vendor, fields={"phone": f"0{row}"}))
        steps.append(Step(4, row, "delete", record_id=product))
    return steps


def live(arguments: list[str], seconds: float | None) -> str:
    """Run the process, kill it after so many seconds if any, and return the last line it wrote."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests/bulk/crash_run.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if seconds is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
        rest = process.stdout.read()
    assert seconds is not None or process.returncode == 0, process.returncode
    return (first + rest).strip().splitlines()[-1] if first + rest else ""


async def killed_and_resumed(seed: int, path: Path) -> dict[str, Any]:
    """Apply a job whose process is killed some times; return what the last life reported."""
    chance = random.Random(seed)
    clock = ScaledClock(FACTOR)
    with Sandbox(limits=False, records=0, seed=seed, clock=clock) as sandbox:
        vendors, products = await records_of(sandbox)
        order_faults(sandbox)
        async with sandbox.serving() as url:
            planned(path, steps_of(vendors, products), LOADS, url).close()
            arguments = [url, sandbox.access_key, str(path), f"{FACTOR}", f"{clock.epoch!r}"]
            for _ in range(chance.randint(1, 4)):
                seconds = chance.uniform(0.0, chance.choice((0.2, 0.5, 1.5)))
                await anyio.to_thread.run_sync(live, arguments, seconds)
            report = json.loads(await anyio.to_thread.run_sync(live, arguments, None))
        check(sandbox, path, products)
    return report


def check(sandbox: Sandbox, path: Path, products: list[str]) -> None:
    """Compare the instance's store with the rows, and the journal with both."""

    def texts(module: str, field: str) -> Counter[str]:
        rows = sandbox.engine.store.rows(f"SELECT {field} FROM {module} WHERE row_state = 0")
        return Counter(row[0] for row in rows)

    store = sandbox.engine.store
    names = [f"Organisation {row:05}" for row in range(1, ORGANISATIONS + 1)]
    assert texts("Accounts", "accountname") == Counter(names)
    assert texts("Contacts", "email") == Counter(f"p{n}@example.com" for n in range(1, PEOPLE + 1))
    assert texts("Contacts", "account_id")[None] == 0  # type: ignore[index]  # no child without its parent
    linked = store.rows("SELECT count(*) FROM Accounts WHERE account_id IS NOT NULL")
    assert linked == [(PEOPLE,)]
    assert texts("Vendors", "phone") == Counter(f"0{n}" for n in range(1, CHANGES + 1))
    assert texts("Products", "productname") == Counter()
    leads = texts("Leads", "lastname")
    assert set(leads.values()) <= {1}
    journal = Journal.open(path)
    outcomes = list(outcomes_of(journal))
    report = report_of(journal)
    journal.close()
    assert Counter((one.module, one.row) for one in outcomes).most_common(1)[0][1] == 1
    assert len(outcomes) == report.rows == ORGANISATIONS + PEOPLE + LEADS + 2 * CHANGES
    assert report.open == report.failed == report.rejected == 0
    assert (report.revised, report.deleted) == (CHANGES, CHANGES)
    known = {f"Lead {one.row:05}" for one in outcomes if type(one).__name__ == "Created"
             and one.module == "Leads"}  # fmt: skip
    assert known <= set(leads)
    assert len(known) + report.unknown == LEADS


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_jobs_lose_and_double_nothing(seed: int, tmp_path: Path) -> None:
    """Each row is done exactly once; without a key at most once, and told where it is not known."""
    report = anyio.run(killed_and_resumed, seed, tmp_path / "job.journal")
    assert report["open"] == 0
