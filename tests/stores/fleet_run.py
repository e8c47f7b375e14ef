"""Four processes that share a quota, against the sandbox over HTTP on a clock that runs fast."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from attrs import frozen

from vtiger_async import Limits, ScaledClock
from vtiger_async.sandbox import Sandbox

HERE = Path(__file__).parent
FACTOR = 15.0
LIMITS = Limits(minute=60, hour=4000, day=9000)


@frozen
class Run:
    """What came of it: the sandbox's own books, and each process's counts and warnings."""

    refused: int
    moments: list[float]
    counts: list[dict[str, Any]]
    warnings: list[list[str]]

    def most_in_a_minute(self) -> int:
        """Return the most calls that the sandbox granted within any sixty seconds."""
        window: deque[float] = deque()
        most = 0
        for moment in self.moments:
            window.append(moment)
            while window[0] <= moment - 60.0:
                window.popleft()
            most = max(most, len(window))
        return most

    def used(self) -> float:
        """Return the share that was used of the minutes between the first and the last begun."""
        minutes = Counter(int(moment // 60.0) for moment in self.moments)
        whole = range(min(minutes) + 1, max(minutes))
        return sum(minutes[minute] for minute in whole) / (60.0 * len(whole))


def run_fleet(
    store: str,
    address: str,
    seconds: float,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
    workers: int = 4,
) -> Run:
    """Run the processes for some real seconds, and something else meanwhile."""
    return anyio.run(_run, store, address, seconds, meanwhile, workers)


async def _run(
    store: str,
    address: str,
    seconds: float,
    meanwhile: Callable[[], Awaitable[None]] | None,
    workers: int,
) -> Run:
    epoch = time.time()
    clock = ScaledClock(FACTOR, epoch=epoch)
    with Sandbox(limits=LIMITS, clock=clock, records=0) as sandbox:
        moments: list[float] = []
        admit = sandbox.flood.admit

        def noting() -> float | None:
            at = admit()
            if at is not None:
                moments.append(at)
            return at

        sandbox.flood.admit = noting  # type: ignore[method-assign] # the books, by the moment
        username, access_key = sandbox.credentials()
        async with sandbox.serving() as url:
            settings = {
                "url": url, "username": username, "access_key": access_key, "factor": FACTOR,
                "epoch": epoch, "store": store, "address": address, "minute": LIMITS.minute,
                "hour": LIMITS.hour, "day": LIMITS.day, "until": time.time() + seconds,
            }  # fmt: skip
            outs: list[bytes] = []
            async with anyio.create_task_group() as group:
                for _ in range(workers):
                    group.start_soon(_worker, settings, outs)
                if meanwhile is not None:
                    await meanwhile()
        lines = [out.decode().splitlines() for out in outs]
        counts = [json.loads(first) for first, _ in lines]
        return Run(sandbox.flood.refused, moments, counts, [json.loads(last) for _, last in lines])


async def _worker(settings: dict[str, Any], outs: list[bytes]) -> None:
    command = [sys.executable, str(HERE / "quota_worker.py"), json.dumps(settings)]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    result = await anyio.run_process(command, env=environment, check=False)
    assert result.returncode == 0, result.stderr.decode()
    outs.append(result.stdout)


def check(run: Run, *, used: float = 0.95, outage: bool = False) -> None:
    """Hold a run to the promises: no window exceeded, none refused, nearly all used, all served.

    Through an outage it is the server's windows that are not exceeded: it refuses nothing. Without
    one there is more: no sixty seconds whatever have more calls than a minute.
    """
    assert run.refused == 0
    assert outage or run.most_in_a_minute() <= 60
    assert run.used() >= used, Counter(int(m // 60.0) for m in run.moments)
    for counts in run.counts:
        assert counts["bulk"] > 0
        assert counts["interactive"] > 0
