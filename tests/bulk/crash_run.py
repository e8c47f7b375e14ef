"""The process that is killed: it plans a job and applies it, over real HTTP. See test_crashing.py.

Run it as `python crash_run.py URL ACCESS_KEY FOLDER FACTOR EPOCH`. It prints `go` when it begins,
and at the end one line of JSON. A job that is planned is resumed; else planning begins, again if
need be.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from attrs import asdict

from vtiger_async import VtigerClient
from vtiger_async.bulk import Load, job_info
from vtiger_async.clock import ScaledClock
from vtiger_async.errors import VtigerError

JOURNAL = "job.vtjob"
PLANNINGS = 5


def loads(folder: Path) -> list[Load]:
    """Return the loads whose rows test_crashing.py has written; children before their parents."""

    def load(name: str, module: str, key: str | None, **options: Any) -> Load:
        return Load(rows=folder / f"{name}.csv", module=module, key=key, **options)

    employer = {"email": "email", "lastname": "lastname", "employer": "account_id"}
    return [
        load("people", "Contacts", "email", owner="me", mapping=employer),
        load("organisations", "Accounts", "accountname", owner="me"),
        load("leads", "Leads", None, owner="me"),
        load("marked", "Leads", None, owner="me", mark="designation"),
        load("vendors", "Vendors", "vendorname", mode="revise"),
        load("products", "Products", "productname", mode="delete"),
    ]


async def main(url: str, access_key: str, folder: str, factor: str, epoch: str) -> None:
    """Bring the job to its end."""
    clock = ScaledClock(float(factor), epoch=float(epoch))
    path = Path(folder) / JOURNAL
    async with VtigerClient(url, "admin", access_key, clock=clock) as crm:
        sys.stdout.write("go\n")
        sys.stdout.flush()
        if not path.exists() or job_info(path).state == "planning":
            await plan(crm, path)
        async with crm.bulk.apply(path) as job:
            report = await job.run()
    sys.stdout.write(json.dumps(asdict(report), default=str))


async def plan(crm: VtigerClient, path: Path) -> None:
    """Plan the job; a call that has failed four times ends a planning, and it is begun again."""
    for left in reversed(range(PLANNINGS)):
        try:
            await crm.bulk.plan(loads(path.parent), journal=path)
        except VtigerError:
            if not left:
                raise
        else:
            return


if __name__ == "__main__":
    url, access_key, folder, factor, epoch = sys.argv[1:]
    anyio.run(main, url, access_key, folder, factor, epoch)
