"""What the door costs: CPU of one call's admission, beside limiters that programs use, in one run.

Ours holds three windows, reads no headers here but takes their word, and counts the calls in
flight; the others hold one window of one process. All have room, so nobody waits.

    python benchmarks/admission.py [--rounds N] [--calls N]

Needs `aiolimiter` and `limits`; a row whose library is missing says so.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib import import_module

from vtiger_async import Limits, SystemClock
from vtiger_async.quota import Ledger, Priority
from vtiger_async.quota.headers import NOTHING, Observation
from vtiger_async.transport.admission import Admission

PLENTY = 10**9
HEADERS = Observation(PLENTY, PLENTY - 1, 60.0, 1440 * PLENTY, 1440 * PLENTY - 1)
Work = Callable[[int], Awaitable[None]]
"""Admits so many calls, one after the other."""


def ours(limits: Limits, seen: Observation, priority: Priority = "interactive") -> Work:
    admission = Admission(Ledger(limits), SystemClock(), 8)

    async def work(calls: int) -> None:
        for _ in range(calls):
            ticket = await admission.enter(math.inf, priority=priority)
            ticket.sent = True
            admission.leave(ticket, seen)

    return work


def semaphore() -> Work:
    slots = asyncio.Semaphore(8)

    async def work(calls: int) -> None:
        for _ in range(calls):
            async with slots:
                pass

    return work


def aiolimiter() -> Work:
    limiter = import_module("aiolimiter").AsyncLimiter(PLENTY, 60.0)

    async def work(calls: int) -> None:
        for _ in range(calls):
            await limiter.acquire()

    return work


def limits_library() -> Work:
    limits, strategies = import_module("limits"), import_module("limits.strategies")
    item = limits.parse(f"{PLENTY}/minute")
    limiter = strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())

    async def work(calls: int) -> None:
        for _ in range(calls):
            limiter.hit(item, "crm")

    return work


LIMITED = Limits(PLENTY, 60 * PLENTY, 1440 * PLENTY)
ROWS: dict[str, Callable[[], Work]] = {
    "vtiger_async, no limits known": lambda: ours(Limits(), NOTHING),
    "vtiger_async, three windows and headers": lambda: ours(LIMITED, HEADERS),
    "vtiger_async, the same for bulk": lambda: ours(LIMITED, HEADERS, "bulk"),
    "asyncio.Semaphore": semaphore,
    "aiolimiter": aiolimiter,
    "limits (fixed window)": limits_library,
}


async def cost(work: Work, calls: int) -> float:
    """Return the CPU microseconds of one call."""
    start = time.process_time()
    await work(calls)
    return (time.process_time() - start) / calls * 1e6


async def measure(rounds: int, calls: int) -> None:
    """Measure all rows turn about, and print the medians."""
    found: dict[str, list[float]] = {name: [] for name in ROWS}
    for _ in range(rounds):
        for name, make in ROWS.items():
            try:
                found[name].append(await cost(make(), calls))
            except ModuleNotFoundError:
                continue
    print("| admission | us a call |\n| --- | ---: |")
    for name, costs in found.items():
        print(f"| {name} | {f'{statistics.median(costs):.1f}' if costs else 'not installed'} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU of one call's admission.")
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each row (9)")
    parser.add_argument("--calls", type=int, default=2000, help="calls in a row (2000)")
    options = parser.parse_args()
    asyncio.run(measure(max(1, options.rounds), max(1, options.calls)))


if __name__ == "__main__":
    main()
