"""A file of organisations through all modes, over HTTP, under an edition's limits.

`VTIGER_ASYNC_ORGANISATIONS=FILE` takes another file than a part of the bundled one, and a clock
that goes forty times as fast as real time, which one machine can follow. `-s` shows the figures.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import anyio

import vtiger_async.cli
from tests.bulk.jobs import dump
from vtiger_async import VtigerClient
from vtiger_async.bulk import Report
from vtiger_async.bulk.options import Mode
from vtiger_async.clock import ScaledClock
from vtiger_async.sandbox import Sandbox

BUNDLED = Path(vtiger_async.cli.__file__).with_name("organisations.csv")
GIVEN = os.environ.get("VTIGER_ASYNC_ORGANISATIONS")
FACTOR = 40.0 if GIVEN else 1000.0
ROWS = None if GIVEN else 90
COLUMNS = {
    "Organization Name": "accountname",
    "Website": "website",
    "Billing Country": "bill_country",
    "State": "bill_state",
    "Domains": "description",
}
WRITES = ("create", "revise", "delete")
CHANGED = 5
"""One row of so many is changed."""
Row = dict[str, str]


def rows_of(file: Path, most: int | None) -> Iterator[Row]:
    """Return rows; of a part every third twice, the second time with another name's case."""
    with file.open(newline="", encoding="utf-8") as lines:
        for number, row in enumerate(islice(csv.DictReader(lines), most)):
            yield row
            if most is not None and number % 3 == 0:
                yield {**row, "Organization Name": row["Organization Name"].upper()}


class Modes:
    """One instance and a client of it, and a job after the other."""

    def __init__(self, sandbox: Sandbox, crm: VtigerClient, folder: Path) -> None:
        self.sandbox = sandbox
        self.crm = crm
        self.folder = folder
        self.writes: Counter[str] = Counter()
        self.calls = 0

    async def load(self, mode: Mode, rows: list[Row]) -> Report:
        """Run a job, and note what it has called, as the instance counted it."""
        clock, before = self.sandbox.clock, Counter(self.sandbox.ledger()["calls"])
        began_at = clock.time()
        report = await self.crm.bulk.load(
            rows, module="Accounts", key="accountname", mode=mode, owner="me", mapping=COLUMNS,
            journal=self.folder / f"{len(list(self.folder.iterdir()))}.vtjob",
        )  # fmt: skip
        made = Counter(self.sandbox.ledger()["calls"]) - before
        self.writes = Counter({name: made[name] for name in WRITES if made[name]})
        self.calls = made.total()
        hours = (clock.time() - began_at) / 3600
        sys.stdout.write(f"{mode}: {self.calls:,} calls in {hours:.2f} h; {report}\n")
        assert report.calls == self.calls
        assert report.rows == len(rows)
        return report


async def through_all_modes(file: Path, folder: Path) -> None:
    """Create, find unchanged, change, change back, and delete."""
    rows = list(rows_of(file, ROWS))
    others = [
        {**row, "Billing Country": row["Billing Country"].swapcase()}  # as long as before
        if number % CHANGED == 0
        else row
        for number, row in enumerate(rows)
    ]
    lookups = -(-len(rows) // 100)
    with Sandbox("one-enterprise", users=20, records=0, clock=ScaledClock(FACTOR)) as sandbox:
        async with (
            sandbox.serving() as url,
            VtigerClient(url, "admin", sandbox.access_key, clock=sandbox.clock) as crm,
        ):
            modes = Modes(sandbox, crm, folder)
            created = await modes.load("create", rows)
            assert modes.writes == {"create": created.created}
            assert created.created == len(dump(sandbox, "Accounts")) > 0
            assert created.created + created.skipped + created.rejected == len(rows)
            before = dump(sandbox, "Accounts")

            again = await modes.load("upsert", rows)
            assert modes.writes == {}
            assert modes.calls <= lookups + 1
            assert again.unchanged == created.created

            changed = await modes.load("upsert", others)
            assert modes.writes == {"revise": changed.revised}
            assert 0 < changed.revised <= -(-len(rows) // CHANGED)
            assert changed.revised + changed.unchanged == created.created

            back = await modes.load("revise", rows)
            assert modes.writes == {"revise": changed.revised} == {"revise": back.revised}
            assert dump(sandbox, "Accounts") == before

            assert (await modes.load("create", rows)).skipped == created.created + created.skipped
            assert modes.writes == {}
            assert modes.calls <= lookups + 1

            deleted = await modes.load("delete", rows)
            assert modes.writes == {"delete": deleted.deleted}
            assert deleted.deleted == created.created
            assert dump(sandbox, "Accounts") == []

            gone = await modes.load("delete", rows)
            assert modes.writes == {}
            assert modes.calls <= lookups + 1
            assert gone.deleted == 0
            sys.stdout.write(f"{sandbox.ledger()['refused']} calls were refused\n")


def test_all_modes(tmp_path: Path) -> None:
    """Each mode makes the calls that are needed, and a job that is run again makes no write."""
    anyio.run(through_all_modes, Path(GIVEN) if GIVEN else BUNDLED, tmp_path)
