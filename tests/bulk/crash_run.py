"""The processes that are killed: each plans a job, or resumes it, over real HTTP.

Run by test_crashing.py, as a process that has imported all and forks one for each line it reads:
JSON with `arguments`, those of `main`, and `seconds`, after which the new process gets SIGKILL;
null for never; and whether it is to plan only. It answers with the process's exit status.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from attrs import asdict

from vtiger_async import VtigerClient
from vtiger_async.bulk import Load, job_info
from vtiger_async.clock import ScaledClock
from vtiger_async.errors import VtigerError

JOURNAL, REPORT = "job.vtjob", "report.json"
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


async def main(
    url: str, access_key: str, folder: str, factor: float, epoch: float, *, is_plan_only: bool
) -> None:
    """Bring the job to its end, and write its report; or to the end of its planning.

    A job that is planned is resumed; else planning begins, again if need be.
    """
    clock = ScaledClock(factor, epoch=epoch)
    path = Path(folder) / JOURNAL
    async with VtigerClient(url, "admin", access_key, clock=clock) as crm:
        if not path.exists() or job_info(path).state in ("planning", "damaged"):
            await plan(crm, path)
        if is_plan_only:
            return
        async with crm.bulk.apply(path) as job:
            report = await job.run()
    (path.parent / REPORT).write_text(json.dumps(asdict(report), default=str), encoding="utf-8")


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


def live(arguments: list[Any], seconds: float | None, *, is_plan_only: bool = False) -> int:
    """Run a job in a process of its own, kill it after so many seconds, and return its status."""
    ended, held = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(ended)
        status = 1
        try:
            anyio.run(partial(main, *arguments, is_plan_only=is_plan_only))
            status = 0
        except Exception:  # noqa: BLE001 - told, and it must not go on as its parent
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(held)
    select.select([ended], [], [], seconds)  # it ends with the process
    os.close(ended)
    if seconds is not None:
        os.kill(pid, signal.SIGKILL)  # not waited for yet, so nobody else has the number
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{live(**json.loads(line))}\n")
        sys.stdout.flush()
