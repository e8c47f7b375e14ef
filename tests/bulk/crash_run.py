"""The process that is killed: it applies a journal over real HTTP. See test_crashing.py.

Run it as `python crash_run.py URL ACCESS_KEY JOURNAL FACTOR EPOCH`. It prints `go` when it begins,
and at the end one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import anyio
from attrs import asdict

from vtiger_async import VtigerClient
from vtiger_async.bulk.applying import Job
from vtiger_async.bulk.journal import Journal
from vtiger_async.clock import ScaledClock


async def main(url: str, access_key: str, path: str, factor: str, epoch: str) -> None:
    """Apply the journal to its end."""
    clock = ScaledClock(float(factor), epoch=float(epoch))
    journal = Journal.open(Path(path))
    async with VtigerClient(url, "admin", access_key, clock=clock) as crm:
        sys.stdout.write("go\n")
        sys.stdout.flush()
        report = await Job(crm, clock, journal).run()
    sys.stdout.write(json.dumps(asdict(report), default=str))


if __name__ == "__main__":
    url, access_key, path, factor, epoch = sys.argv[1:]
    anyio.run(main, url, access_key, path, factor, epoch)
