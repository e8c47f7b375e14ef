"""What a mirror costs beside what it stands between, and how its memory grows.

Four ways take turns for each size, each in a process of its own: a bare loop that fetches the same
pages with the same client and keeps nothing; the mirror into DuckDB, and that into SQLite; and
DuckDB alone, which loads the same records from a file of JSON into the same columns. A stub in
place of the HTTP library answers at once, so no network is measured. CPU seconds count where the
machine does other things, too.

    PYTHONPATH=. python benchmarks/mirror.py --records 100000 300000 1000000
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio

from vtiger_async import VtigerClient, select
from vtiger_async.transport.admission import Ticket
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer

MODULE, PREFIX = "Accounts", 11
AFTER = re.compile(r"id > '?\d+x(\d+)").search
MARKS = (1_000, 10_000, 100_000, 300_000)
"""After how many records the memory is looked at, on the way to the last one."""
SYNC = {"updated": [], "deleted": [], "lastModifiedTime": 1_790_000_000, "more": False}


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Records:
    """Records as the server sends them: one that the sandbox made, with another number in each."""

    def __init__(self, made: dict[str, str]) -> None:
        fields = {name: value.replace("%", "%%") for name, value in made.items()}
        fields |= {"id": f"{PREFIX}x%(n)d", "accountname": "Organisation %(n)07d"}
        fields |= {"phone": "+1 555 %(n)07d", "website": "https://organisation-%(n)d.example"}
        fields |= {"createdtime": "2026-%(month)02d-11 10:00:00", "annual_revenue": "%(n)d.5000"}
        self._form = json.dumps(fields)

    def text(self, number: int) -> str:
        """Return one of them as JSON."""
        return self._form % {"n": number, "month": number // 1000 % 12 + 1}


class Stub:
    """Answers at once: a description, pages by id, and no changes."""

    def __init__(self, known: dict[str, Any], count: int) -> None:
        self.known, self.count, self.calls = known, count, 0
        self.records = Records(known["record"])
        self.peaks: dict[int, float] = {}

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        ticket.sent = True
        self.calls += 1
        url = urlsplit(request.url)
        operation = url.path.rpartition("/")[2]
        if operation == "query":
            result = self._page(parse_qs(url.query)["query"][0])
        else:
            known = {"describe": self.known["describe"], "me": self.known["me"], "sync": SYNC}
            result = json.dumps(known[operation])
        body = f'{{"success":true,"result":{result}}}'.encode()
        return Answer(200, "", {"date": "Sun, 22 Nov 2026 12:00:00 GMT"}, body)

    def _page(self, statement: str) -> str:
        after = AFTER(statement)
        begin = int(after[1]) + 1 if after else 1
        if begin - 1 in MARKS:
            self.peaks[begin - 1] = peak_mb()
        numbers = range(begin, min(begin + 100, self.count + 1))
        return "[" + ",".join(map(self.records.text, numbers)) + "]"

    async def aclose(self) -> None:
        """Close nothing."""


def learnt() -> dict[str, Any]:
    """Return what the sandbox says of the module and of the user, and one record of it."""
    from vtiger_async.mirror.sinks.duckdb import DuckDBSink
    from vtiger_async.sandbox import Sandbox  # not in the children: it would count in their memory
    from vtiger_async.tables.describing import OWN, table_of

    with Sandbox(limits=False) as sandbox:

        async def ask() -> dict[str, Any]:
            async with sandbox.client() as crm:
                rows = await crm.call("GET", "query", {"query": f"select * from {MODULE} limit 1;"})
                table = table_of(await crm.describe(MODULE))
                types = DuckDBSink("any").database.types
                return {
                    "columns": {
                        one.name: types[one.kind] for one in table.columns if one not in OWN
                    },
                    "describe": await crm.call("GET", "describe", {"elementType": MODULE}),
                    "me": await crm.call("GET", "me"),
                    "record": rows[0],  # type: ignore[index] # a list of records
                }

        return anyio.run(ask)


async def bare(crm: VtigerClient, count: int, folder: Path) -> None:
    """Fetch the pages, and keep nothing."""
    seen = 0
    async for page in crm.query(select(MODULE)).pages():
        seen += len(page)
    assert seen == count, seen


async def mirror(crm: VtigerClient, count: int, folder: Path) -> None:
    """Mirror the module into an empty DuckDB file."""
    target = folder / "crm.duckdb"
    report = await crm.mirror([MODULE], to=f"duckdb:///{target}")
    assert not report.failed, report


async def mirror_sqlite(crm: VtigerClient, count: int, folder: Path) -> None:
    """Mirror the module into an empty SQLite file."""
    report = await crm.mirror([MODULE], to=f"sqlite:///{folder / 'crm.sqlite'}")
    assert not report.failed, report


def load(stub: Stub, folder: Path) -> Callable[[], None]:
    """Return what lets DuckDB load the same records from a file of JSON."""
    import duckdb

    types: dict[str, str] = stub.known["columns"]
    texts = dict.fromkeys(types, "VARCHAR")  # as the server sends them
    parts = ", ".join(
        f"string_split({name}, ' |##| ') AS {name}"
        if kind == "VARCHAR[]"
        else f"TRY_CAST(nullif({name}, '') AS {kind}) AS {name}"
        for name, kind in types.items()
    )
    lines = folder / "records.json"
    with lines.open("w") as file:
        file.writelines(stub.records.text(one) + "\n" for one in range(1, stub.count + 1))

    def run() -> None:
        with duckdb.connect(str(folder / "own.duckdb")) as connection:
            connection.execute(
                f"CREATE TABLE t AS SELECT {parts} FROM read_json('{lines}', columns = {texts})"
            )
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (stub.count,)

    return run


KINDS = {"bare": bare, "mirror": mirror, "mirror to SQLite": mirror_sqlite, "duckdb": None}


def child(kind: str, count: int, known: Path, folder: Path) -> None:
    """Run one of them, and print what it took."""
    stub = Stub(json.loads(known.read_bytes()), count)
    work = KINDS[kind]

    async def through_a_client() -> None:
        assert work is not None
        crm = VtigerClient("https://crm.example", "jo", "key", validate=False)
        crm._core.pipeline.http = stub  # type: ignore[assignment]
        async with crm:
            await work(crm, count, folder)

    run = load(stub, folder) if work is None else lambda: anyio.run(through_a_client)
    began, cpu = time.perf_counter(), time.process_time()
    run()
    files = [one for one in folder.iterdir() if one.is_file()]
    found = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "calls": stub.calls,
        "peaks": {**stub.peaks, count: peak_mb()},
        "file_mb": sum(one.stat().st_size for one in files if one.suffix != ".json") / 1e6,
    }
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--known", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.records[0], options.known, options.folder)
        return
    print("| records | | seconds | records/s | CPU us/record | calls | peak MB | file MB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | --- | ---: |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "known.json"
        known.write_text(json.dumps(learnt()))
        for count in options.records:
            for kind in KINDS:
                with tempfile.TemporaryDirectory(dir=folder) as own:
                    command = [sys.executable, __file__, "--child", kind, "--known", str(known)]
                    command += ["--records", str(count), "--folder", own]
                    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                found: dict[str, Any] = json.loads(run.stdout)
                peaks = [f"{size:.0f} at {int(at):,}" for at, size in found["peaks"].items()]
                cells = (
                    f"{count:,}", kind, f"{found['seconds']:.1f}",
                    f"{count / found['seconds']:,.0f}", f"{found['cpu'] / count * 1e6:.0f}",
                    f"{found['calls']:,.0f}", ", ".join(peaks), f"{found['file_mb']:.0f}",
                )  # fmt: skip
                print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
