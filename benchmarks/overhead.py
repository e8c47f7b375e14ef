"""What a call costs: CPU time of the client beside bare httpx and json, on the same loopback.

Both sides run in this process, turn about and in alternating order, with the same content and a
pool of the same size; the server runs in another process. The ratio is taken within each round, and
the table shows its median. It fails where a median is above 1.10.

    python benchmarks/overhead.py [--rounds N] [--calls N] [--markdown]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from loopback import CONTACT, PAGE, PREFIX, WRITTEN

from vtiger_async import Limits, VtigerClient, select

MOST = 1.10
IN_FLIGHT = (1, 8, 32)
OPERATIONS = ("create", "retrieve", f"page of {PAGE}")
KEY = ("admin", "a-key-of-the-loopback")
FIELDS = {name: CONTACT[name] for name in WRITTEN}
RECORD = f"{PREFIX}x1042"

Worker = Callable[[int], Coroutine[Any, Any, None]]
"""Makes so many calls, one after the other."""


@dataclass
class Row:
    """What one operation cost, in microseconds a call: a pair, httpx and ours, for each round."""

    operation: str
    in_flight: int
    pairs: list[tuple[float, float]]

    @property
    def ratios(self) -> list[float]:
        return [ours / httpx for httpx, ours in self.pairs]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def cells(self) -> tuple[str, ...]:
        """Return the medians as text; the quartiles tell how steady the ratio was."""
        costs = [f"{statistics.median(side):.0f}" for side in zip(*self.pairs, strict=True)]
        ordered, quarter = sorted(self.ratios), len(self.pairs) // 4
        spread = f"{ordered[quarter]:.2f} to {ordered[-1 - quarter]:.2f}"
        return (self.operation, str(self.in_flight), *costs, f"{self.ratio:.2f}", spread)


def bare(client: httpx.AsyncClient, base: str) -> dict[str, Worker]:
    """Return the loops that a user writes with httpx alone."""
    url = f"{base}/restapi/v1/vtiger/default"

    async def create(calls: int) -> None:
        for _ in range(calls):
            response = await client.post(
                f"{url}/create", data={"elementType": "Contacts", "element": json.dumps(FIELDS)}
            )
            assert response.json()["result"]["id"] == RECORD

    async def retrieve(calls: int) -> None:
        for _ in range(calls):
            response = await client.get(f"{url}/retrieve", params={"id": RECORD})
            assert response.json()["result"]["id"] == RECORD

    async def pages(calls: int) -> None:
        where = ""
        for _ in range(calls):
            query = f"SELECT * FROM Contacts{where} ORDER BY id LIMIT {PAGE};"
            response = await client.get(f"{url}/query", params={"query": query})
            page = response.json()["result"]
            assert len(page) == PAGE
            where = f" WHERE id > '{page[-1]['id']}'"

    return dict(zip(OPERATIONS, (create, retrieve, pages), strict=True))


def ours(client: VtigerClient) -> dict[str, Worker]:
    """Return the same loops with the client."""

    async def create(calls: int) -> None:
        for _ in range(calls):
            record = await client.create("Contacts", FIELDS)
            assert record["id"] == RECORD

    async def retrieve(calls: int) -> None:
        for _ in range(calls):
            record = await client.retrieve(RECORD)
            assert record["id"] == RECORD

    async def pages(calls: int) -> None:
        reading = client.query(select("Contacts")).pages()
        for _ in range(calls):
            assert len(await anext(reading)) == PAGE

    return dict(zip(OPERATIONS, (create, retrieve, pages), strict=True))


async def check_same(client: httpx.AsyncClient, base: str, one: Worker, other: Worker) -> None:
    """Fail if the two do not send the same content."""

    async def sent_by(worker: Worker) -> tuple[str, str, dict[str, Any]]:
        await worker(2)
        verb, target, body = (await client.get(f"{base}/sent")).json()
        parts = urlsplit(target)
        content: dict[str, Any] = dict(parse_qsl(body or parts.query, strict_parsing=True))
        if "element" in content:
            content["element"] = json.loads(content["element"])
        return verb, parts.path, content

    first, second = await sent_by(one), await sent_by(other)
    if first != second:
        sys.exit(f"the two sides send different content: {first} and {second}")


async def cost(worker: Worker, calls: int, in_flight: int) -> float:
    """Return the CPU microseconds of one call."""
    each = max(1, calls // in_flight)
    gc.collect()
    start = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker(each))
    return (time.process_time() - start) / (each * in_flight) * 1e6


async def measure(base: str, in_flight: int, rounds: int, calls: int) -> list[Row]:
    """Measure all operations with so many calls in flight, the two sides turn about."""
    pool = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    rows: list[Row] = []
    async with (
        httpx.AsyncClient(auth=KEY, limits=pool, timeout=30.0) as http,
        VtigerClient(base, *KEY, limits=Limits(), max_in_flight=in_flight) as crm,
    ):
        sides = bare(http, base), ours(crm)
        for operation in OPERATIONS:
            workers = [side[operation] for side in sides]
            await check_same(http, base, *workers)
            pairs: list[tuple[float, float]] = []
            for turn in range(rounds + 1):
                costs = [0.0, 0.0]
                # A B B A, then B A A B: what slows the machine for a while slows both sides.
                for i in (0, 1, 1, 0) if turn % 2 else (1, 0, 0, 1):
                    costs[i] += await cost(workers[i], calls, in_flight) / 2
                pairs.append((costs[0], costs[1]))
            # The first round opens connections and fills caches: it does not count.
            rows.append(Row(operation, in_flight, pairs[1:]))
    return rows


@contextmanager
def server() -> Generator[str]:
    """Run the server in a process of its own, and give its address."""
    command = [sys.executable, str(Path(__file__).with_name("loopback.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def table(rows: list[Row], *, markdown: bool) -> str:
    """Return the rows as text for a terminal, or as Markdown."""
    head = ("operation", "in flight", "httpx us", "vtiger_async us", "ratio", "quartiles")
    lines = [head, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        [text.rjust(width) if i else text.ljust(width) for i, (text, width) in enumerate(pairs)]
        for pairs in (zip(line, widths, strict=True) for line in lines)
    ]
    if not markdown:
        return "\n".join("  ".join(line) for line in padded)
    padded.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 is wanted")
    return number


def main() -> None:
    """Measure, print the table, and fail where the client costs too much."""
    parser = argparse.ArgumentParser(description="CPU per call beside bare httpx and json.")
    parser.add_argument("--rounds", type=positive, default=15, help="pairs of measurements (15)")
    parser.add_argument(
        "--calls", type=positive, default=128, help="calls in a row, made twice a round (128)"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    options = parser.parse_args()
    rows: list[Row] = []
    with server() as base:
        for in_flight in IN_FLIGHT:
            rows += asyncio.run(measure(base, in_flight, options.rounds, options.calls))
    rows.sort(key=lambda row: OPERATIONS.index(row.operation))
    print(table(rows, markdown=options.markdown))
    over = [f"{row.operation} at {row.in_flight}" for row in rows if row.ratio > MOST]
    if over:
        sys.exit(f"the client costs more than {MOST:.2f} times bare httpx: {', '.join(over)}")


if __name__ == "__main__":
    main()
