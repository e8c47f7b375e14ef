"""What a mirror costs beside what it stands between, and how its memory grows.

Four ways take turns for each size, each in a process of its own: a bare loop that fetches the same
pages with the same client and keeps nothing; the mirror into DuckDB, and that into SQLite; and
DuckDB alone, which loads the same records from a file of JSON into the same columns. CPU seconds
count where the machine does other things, too.

A stub in place of the HTTP library answers at once, so that neither network nor server is measured.
With `--sandbox` the sandbox holds the records, in a process and a file of its own, and is asked
over HTTP: its time is most of what then passes.

    PYTHONPATH=. python benchmarks/mirror.py --records 100000 300000 1000000
    PYTHONPATH=. python benchmarks/mirror.py --records 1000000 --sandbox
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
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.to_thread

from vtiger_async import VtigerClient, select
from vtiger_async.mirror import Committed, MirrorEvent
from vtiger_async.transport.admission import Ticket
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer

MODULE = "Accounts"
AFTER = re.compile(r"id > '?\d+x(\d+)").search
MARKS = (1_000, 10_000, 100_000, 300_000)
"""After how many records the memory is looked at, on the way to the last one."""
Peaks = dict[int, float]
SYNC = {"updated": [], "deleted": [], "lastModifiedTime": 1_790_000_000, "more": False}


def peak_mb() -> float:
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Records:
    """Records as the server sends them: one that the sandbox made, with another number in each."""

    def __init__(self, made: dict[str, str]) -> None:
        fields = {name: value.replace("%", "%%") for name, value in made.items()}
        prefix = made["id"].partition("x")[0]
        fields |= {"id": f"{prefix}x%(n)d", "accountname": "Organisation %(n)07d"}
        fields |= {"phone": "+1 555 %(n)07d", "website": "https://organisation-%(n)d.example"}
        fields |= {"createdtime": "2026-%(month)02d-11 10:00:00", "annual_revenue": "%(n)d.5000"}
        self._form = json.dumps(fields)

    def text(self, number: int) -> str:
        """Return one of them as JSON."""
        return self._form % {"n": number, "month": number // 1000 % 12 + 1}


class Stub:
    """Answers at once: a description, pages by id, and no changes."""

    def __init__(self, known: dict[str, Any], count: int) -> None:
        self.known, self.count = known, count
        self.records = Records(known["record"])

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        ticket.sent = True
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
        numbers = range(begin, min(begin + 100, self.count + 1))
        return "[" + ",".join(map(self.records.text, numbers)) + "]"

    async def aclose(self) -> None:
        """Close nothing."""


class Counted:
    """Counts the calls that pass on their way to HTTP, or to the stub."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        self.calls += 1
        answer: Answer = await self.inner.send(request, seconds, ticket)
        return answer

    async def aclose(self) -> None:
        """Close what is counted."""
        await self.inner.aclose()


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


def fill(count: int, known: dict[str, Any], path: Path) -> None:
    """Write the records into a sandbox's file."""
    from vtiger_async.sandbox import Sandbox
    from vtiger_async.sandbox.schema import SCHEMA
    from vtiger_async.sandbox.store import LIVE

    records, module = Records(known["record"]), SCHEMA.modules[MODULE]
    with Sandbox(limits=False, records=0, store=path) as sandbox:
        store = sandbox.engine.store
        rows = (
            (number, LIVE, *(record.get(field.name) for field in module.stored))
            for number in range(1, count + 1)
            for record in [json.loads(records.text(number))]
        )
        with store.writing():
            store.run(f"DELETE FROM {MODULE}")
            store.insert_many(module, rows)


async def serve(path: Path) -> None:
    """Serve a sandbox's file until standard input ends; print where, and who may ask."""
    from vtiger_async.sandbox import Sandbox

    with Sandbox(limits=False, records=0, store=path) as sandbox:
        async with sandbox.serving() as url:
            print(json.dumps([url, *sandbox.credentials()]), flush=True)
            await anyio.to_thread.run_sync(sys.stdin.read)


async def bare(crm: VtigerClient, count: int, folder: Path, peaks: Peaks) -> None:
    """Fetch the pages, and keep nothing."""
    seen = 0
    async for page in crm.query(select(MODULE)).pages():
        seen += len(page)
        look(peaks, seen)
    assert seen == count, seen


async def mirrored(crm: VtigerClient, count: int, to: str, peaks: Peaks) -> None:
    """Mirror the module."""
    seen = 0

    def listen(event: MirrorEvent) -> None:
        nonlocal seen
        if isinstance(event, Committed):
            seen += event.upserts
            look(peaks, seen)

    report = await crm.mirror([MODULE], to=to, on_event=listen)
    assert not report.failed, report
    assert seen == count, seen


async def mirror(crm: VtigerClient, count: int, folder: Path, peaks: Peaks) -> None:
    """Mirror the module into an empty DuckDB file."""
    await mirrored(crm, count, f"duckdb:///{folder / 'crm.duckdb'}", peaks)


async def mirror_sqlite(crm: VtigerClient, count: int, folder: Path, peaks: Peaks) -> None:
    """Mirror the module into an empty SQLite file."""
    await mirrored(crm, count, f"sqlite:///{folder / 'crm.sqlite'}", peaks)


def look(peaks: Peaks, seen: int) -> None:
    """Note the memory after so many records."""
    for mark in MARKS:
        if seen >= mark and mark not in peaks:
            peaks[mark] = peak_mb()


def load(known: dict[str, Any], count: int, folder: Path) -> Callable[[], None]:
    """Return what lets DuckDB load the same records from a file of JSON."""
    import duckdb

    types: dict[str, str] = known["columns"]
    records = Records(known["record"])
    texts = dict.fromkeys(types, "VARCHAR")  # as the server sends them
    parts = ", ".join(
        f"string_split({name}, ' |##| ') AS {name}"
        if kind == "VARCHAR[]"
        else f"TRY_CAST(nullif({name}, '') AS {kind}) AS {name}"
        for name, kind in types.items()
    )
    lines = folder / "records.json"
    with lines.open("w") as file:
        file.writelines(records.text(one) + "\n" for one in range(1, count + 1))

    def run() -> None:
        with duckdb.connect(str(folder / "own.duckdb")) as connection:
            connection.execute(
                f"CREATE TABLE t AS SELECT {parts} FROM read_json('{lines}', columns = {texts})"
            )
            assert connection.execute("SELECT count(*) FROM t").fetchone() == (count,)

    return run


KINDS = {"bare": bare, "mirror": mirror, "mirror to SQLite": mirror_sqlite, "duckdb": None}


def child(kind: str, count: int, known: dict[str, Any], folder: Path, at: list[str]) -> None:
    """Run one of them, and print what it took."""
    work, peaks, calls = KINDS[kind], Peaks(), 0

    async def through_a_client() -> None:
        assert work is not None
        nonlocal calls
        url, user, key = at or ("https://crm.example", "jo", "key")
        crm = VtigerClient(url, user, key, validate=False)
        counted = Counted(crm._core.pipeline.http if at else Stub(known, count))
        crm._core.pipeline.http = counted  # type: ignore[assignment]
        async with crm:
            await work(crm, count, folder, peaks)
        calls = counted.calls

    run = load(known, count, folder) if work is None else lambda: anyio.run(through_a_client)
    began, cpu = time.perf_counter(), time.process_time()
    run()
    files = [one for one in folder.iterdir() if one.is_file()]
    found = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "calls": calls,
        "peaks": {**peaks, count: peak_mb()},
        "file_mb": sum(one.stat().st_size for one in files if one.suffix != ".json") / 1e6,
    }
    print(json.dumps(found))


@contextmanager
def serving(known: Path, count: int, folder: Path) -> Generator[list[str]]:
    """Serve so many records from a sandbox in another process; yield where, and who may ask."""
    path = folder / "sandbox.db"
    fill(count, json.loads(known.read_bytes()), path)
    command = [sys.executable, __file__, "--serve", str(path)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield json.loads(server.stdout.readline())
        server.stdin.close()


def row(kind: str, count: int, known: Path, folder: Path, at: list[str]) -> str:
    """Run one of them in a process of its own, and return what it took as a row."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        command = [sys.executable, __file__, "--child", kind, "--known", str(known)]
        command += ["--records", str(count), "--folder", own, "--at", *at]
        run = subprocess.run(command, check=True, stdout=PIPE, text=True)
    found: dict[str, Any] = json.loads(run.stdout)
    peaks = [f"{size:.0f} at {int(at):,}" for at, size in found["peaks"].items()]
    cells = (
        f"{count:,}", kind, f"{found['seconds']:.1f}", f"{count / found['seconds']:,.0f}",
        f"{found['cpu'] / count * 1e6:.0f}", f"{found['calls']:,.0f}", ", ".join(peaks),
        f"{found['file_mb']:.0f}",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--sandbox", action="store_true", help="ask the sandbox over HTTP")
    parser.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--known", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--at", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        anyio.run(serve, options.serve)
        return
    if options.child:
        known = json.loads(options.known.read_bytes())
        child(options.child, options.records[0], known, options.folder, options.at)
        return
    print("| records | | seconds | records/s | CPU us/record | calls | peak MB | file MB |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | --- | ---: |", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = folder / "known.json"
        known.write_text(json.dumps(learnt()))
        for count in options.records:
            with ExitStack() as stack:
                at: list[str] = []
                if options.sandbox:
                    at = stack.enter_context(serving(known, count, folder))
                for kind in KINDS:
                    print(row(kind, count, known, folder, at), flush=True)


if __name__ == "__main__":
    main()
