"""What a bulk job costs beside the bare client that makes the same calls, and how memory grows.

Each size runs in a process of its own, against a stub in place of the HTTP library that answers at
once: what is measured is the client and the job, without a network. The rows are new: each costs
its share of a lookup of a hundred keys, and one create.

    PYTHONPATH=. python benchmarks/bulk.py --rows 10000 100000 1000000
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import anyio

from vtiger_async import F, VtigerClient, select
from vtiger_async.transport.admission import Ticket
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer

MODULE, KEY, OWNER = "Accounts", "accountname", "19x1"
WORKERS = 8


class Stub:
    """Answers at once: a description, no record to any question, and an id to each create."""

    def __init__(self, description: bytes) -> None:
        self.description = description
        self.made = 0
        self.calls = 0

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        ticket.sent = True
        self.calls += 1
        operation = request.url.partition("?")[0].rpartition("/")[2]
        if operation == "describe":
            return Answer(200, "", {}, self.description)
        if operation == "query":
            return Answer(200, "", {}, b'{"success":true,"result":[]}')
        self.made += 1
        element = json.loads(parse_qs((request.body or b"").decode("ascii"))["element"][0])
        element |= {"id": f"11x{self.made}", "modifiedtime": "2026-01-01 00:00:00"}
        body = json.dumps({"success": True, "result": element}).encode()
        return Answer(200, "", {}, body)

    async def aclose(self) -> None:
        """Close nothing."""


def description() -> bytes:
    """Return the sandbox's description of the module, as it comes over the wire."""
    from vtiger_async.sandbox import Sandbox  # not in the children

    with Sandbox(limits=False) as sandbox:

        async def ask() -> object:
            async with sandbox.client() as crm:
                return await crm.call("GET", "describe", {"elementType": MODULE})

        return json.dumps({"success": True, "result": anyio.run(ask)}).encode()


def rows(count: int) -> Iterator[dict[str, str]]:
    for number in range(count):
        yield {
            "accountname": f"Organisation {number:07}",
            "website": f"https://organisation-{number}.example",
            "bill_city": "Springfield",
            "bill_country": "Utopia",
            "phone": f"+1 555 {number:07}",
        }


async def bare(crm: VtigerClient, count: int) -> dict[str, float]:
    """Ask for a hundred keys, create the hundred records, eight at once; nothing is kept."""
    await crm.describe(MODULE)
    began = time.perf_counter()
    queue = rows(count)
    hundred: list[dict[str, str]] = []

    async def worker(part: Iterator[dict[str, str]]) -> None:
        for row in part:
            await crm.create(MODULE, {**row, "assigned_user_id": OWNER})

    while hundred := [row for _, row in zip(range(100), queue, strict=False)]:
        names = [row[KEY] for row in hundred]
        statement = select(MODULE, "id", *hundred[0]).where(F[KEY].in_(names)).limit(100)
        await crm.call("GET", "query", {"query": str(statement)})
        async with anyio.create_task_group() as group:
            shared = iter(hundred)
            for _ in range(WORKERS):
                group.start_soon(worker, shared)
    return {"apply": time.perf_counter() - began}


async def job(crm: VtigerClient, count: int) -> dict[str, float]:
    """Plan and apply."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "rows.vtjob"
        began = time.perf_counter()
        plan = await crm.bulk.plan(
            rows(count), module=MODULE, key=KEY, owner=OWNER, journal=journal
        )
        planned = time.perf_counter()
        async with crm.bulk.apply(plan) as running:
            report = await running.run()
        assert report.created == count, report
        return {
            "plan": planned - began,
            "apply": time.perf_counter() - planned,
            "journal_mb": journal.stat().st_size / 1e6,
        }


KINDS = {"bare": bare, "job": job}


def child(kind: str, count: int, described: Path) -> None:
    """Run one of them, and print what it took."""
    stub = Stub(described.read_bytes())

    async def main() -> None:
        crm = VtigerClient("https://crm.example", "jo", "key", validate=False)
        crm._core.pipeline.http = stub  # type: ignore[assignment]
        async with crm:
            began = time.process_time()
            found = await KINDS[kind](crm, count)
            found["cpu"] = time.process_time() - began
        found["calls"] = stub.calls
        found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))

    anyio.run(main)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--described", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.rows[0], options.described)
        return
    with tempfile.TemporaryDirectory() as folder:
        described = Path(folder) / "describe.json"
        described.write_bytes(description())  # here: the sandbox would count in a child's memory
        print(
            "| rows | | us/row to plan | us/row to apply | cpu us/row | rows/s | of bare | calls "
            "| peak MB | MB more per 1,000 rows | journal MB |"
        )
        print("| ---: | --- |" + " ---: |" * 9)
        before: dict[str, tuple[int, float]] = {}
        for count in options.rows:
            bare_rate = 0.0
            for kind in KINDS:
                command = [sys.executable, __file__, "--child", kind, "--rows", str(count)]
                command += ["--described", str(described)]
                text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found: dict[str, float] = json.loads(text)
                rate = count / (found.get("plan", 0.0) + found["apply"])
                bare_rate = bare_rate or rate
                slope = "-"
                if kind in before:
                    less, least = before[kind]
                    slope = f"{(found['peak_mb'] - least) / (count - less) * 1000:.4f}"
                before[kind] = count, found["peak_mb"]
                cells = (
                    f"{count:,}", kind, f"{found.get('plan', 0.0) / count * 1e6:.0f}",
                    f"{found['apply'] / count * 1e6:.0f}", f"{found['cpu'] / count * 1e6:.0f}",
                    f"{rate:,.0f}", f"{rate / bare_rate:.0%}", f"{found['calls']:,.0f}",
                    f"{found['peak_mb']:.1f}", slope,
                    f"{found.get('journal_mb', 0.0):.0f}",
                )  # fmt: skip
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
