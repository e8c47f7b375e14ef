"""Four processes that share a quota, against the sandbox over HTTP on a clock that runs fast."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream
from attrs import frozen

from vtiger_async import Limits, ScaledClock
from vtiger_async.sandbox import Sandbox

HERE = Path(__file__).parent
FACTOR = 8.0
LIMITS = Limits(minute=180, hour=12_000, day=90_000)
BEGIN, COUNTED, DOWN, END = 27.0, (1, 3), (181.0, 217.0), 248.0
"""The second of the first minute at which calls begin; the minutes whose use is counted; the
seconds from which to which the store fails; and when the calls end."""
HEALED = 234.0
"""The second by which all processes have found the store again."""


@frozen
class Run:
    """What came of it: the sandbox's own books, and what each process told.

    Attributes:
        refused: Calls that the sandbox refused.
        moments: The seconds since the start at which it granted one.
        workers: What each process told at the end.
    """

    refused: int
    moments: list[float]
    workers: list[dict[str, Any]]

    def most_in_a_minute(self) -> int:
        """Return the most calls within any sixty seconds before the store failed."""
        window: deque[float] = deque()
        most = 0
        for moment in self.moments:
            if moment < DOWN[0]:
                window.append(moment)
                while window[0] <= moment - 60.0:
                    window.popleft()
                most = max(most, len(window))
        return most

    def minutes(self) -> list[int]:
        """Return the calls of each minute, the last one a part."""
        counts = Counter(int(moment // 60.0) for moment in self.moments)
        return [counts[minute] for minute in range(math.ceil(END / 60.0))]

    def used(self) -> float:
        """Return the share that was used of the whole minutes before the store failed."""
        assert LIMITS.minute is not None
        minutes = self.minutes()[slice(*COUNTED)]
        return sum(minutes) / (len(minutes) * LIMITS.minute)

    def waits(self) -> list[float]:
        """Return the seconds that interactive calls waited before the store failed, sorted."""
        return sorted(
            wait for worker in self.workers for at, wait in worker["waits"] if at < DOWN[0]
        )

    def exchanges(self) -> float:
        """Return how often the store was asked for one call, before it failed."""
        calls = sum(moment < DOWN[0] for moment in self.moments)
        return sum(worker["exchanges"] for worker in self.workers) / calls

    def is_prompt(self) -> bool:
        """Tell whether nearly all was used, also after the outage, and interactive calls soon."""
        assert LIMITS.minute is not None
        waits = self.waits()
        late = sum(moment >= HEALED for moment in self.moments)
        return (
            self.used() >= 0.95
            and waits[len(waits) // 2] <= 1.0
            and waits[-1] <= 8.0
            and late >= 0.5 * LIMITS.minute * (END - HEALED) / 60.0
        )

    def __str__(self) -> str:
        waits = self.waits()
        return (
            f"used {self.used():.3f} of {self.minutes()}, refused {self.refused}, most in 60 s "
            f"{self.most_in_a_minute()}, exchanges a call {self.exchanges():.2f}, interactive "
            f"waits p50 {waits[len(waits) // 2]:.2f} max {waits[-1]:.2f} of {len(waits)}, "
            f"{sum(moment >= HEALED for moment in self.moments)} after the outage, "
            f"{[(w['bulk'], w['interactive']) for w in self.workers]}"
        )


def run_fleet(
    store: str,
    address: str,
    fail: Callable[[], Awaitable[object]],
    heal: Callable[[], Awaitable[object]],
    offsets: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0),
) -> Run:
    """Run the processes, and let the store fail and heal meanwhile.

    Args:
        store: Its public name.
        address: Its one argument.
        fail: What makes it fail.
        heal: What makes it work again.
        offsets: For each process, the seconds by which its wall clock is off.
    """
    return anyio.run(_run, store, address, fail, heal, offsets)


async def _run(
    store: str,
    address: str,
    fail: Callable[[], Awaitable[object]],
    heal: Callable[[], Awaitable[object]],
    offsets: tuple[float, ...],
) -> Run:
    command = [sys.executable, str(HERE / "quota_worker.py"), store, address]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    workers = [await anyio.open_process(command, env=environment) for _ in offsets]
    outs = [BufferedByteReceiveStream(_stream(worker.stdout)) for worker in workers]
    for out in outs:
        assert await out.receive_until(b"\n", 100) == b"ready"
    now = time.time()
    clock = ScaledClock(FACTOR, epoch=now + (now - BEGIN) % 60.0 / (FACTOR - 1.0))
    start = clock.time() - clock.time() % 60.0
    with Sandbox(limits=LIMITS, clock=clock, records=0) as sandbox:
        moments: list[float] = []
        admit = sandbox.flood.admit

        def noting() -> float | None:
            at = admit()
            if at is not None:
                moments.append(at - start)
            return at

        headers = sandbox.flood.headers

        def dated(*, refused: bool = False) -> list[tuple[bytes, bytes]]:
            date = formatdate(clock.time(), usegmt=True).encode()
            return [*headers(refused=refused), (b"date", date)]

        sandbox.flood.admit = noting  # type: ignore[method-assign] # the books, by the moment
        # As any web server does: by it clients whose clock is wrong understand Reset.
        sandbox.flood.headers = dated  # type: ignore[method-assign]
        username, access_key = sandbox.credentials()
        async with sandbox.serving() as url:
            for worker, offset in zip(workers, offsets, strict=True):
                settings = {
                    "url": url, "username": username, "access_key": access_key,
                    "factor": FACTOR, "epoch": clock.epoch, "start": start,
                    "minute": LIMITS.minute, "hour": LIMITS.hour, "day": LIMITS.day,
                    "until": start + END, "down": start + DOWN[0],
                    "offset": offset,
                }  # fmt: skip
                assert worker.stdin is not None
                await worker.stdin.send(json.dumps(settings).encode() + b"\n")
            await clock.sleep(start + DOWN[0] - clock.time())
            await fail()
            await clock.sleep(start + DOWN[1] - clock.time())
            await heal()
            told = [json.loads(await out.receive_until(b"\n", 1_000_000)) for out in outs]
            for worker in workers:
                assert await worker.wait() == 0
                await worker.aclose()
        return Run(sandbox.flood.refused, moments, told)


def _stream(stream: anyio.abc.ByteReceiveStream | None) -> anyio.abc.ByteReceiveStream:
    assert stream is not None
    return stream


def check(fleet: Callable[[], Run]) -> None:
    """Hold a fleet to the promises: nothing refused, no window exceeded, nearly all used at once.

    Through an outage it is the server's windows that are not exceeded: it refuses nothing. Before
    there is more: no sixty seconds whatever have more calls than a minute.

    How much is used, and how soon, hangs on the machine, too: where it was busy with other things,
    the fleet runs once more. What must never happen must not happen in either run.
    """
    run = fleet()
    _check_limits(run)
    if not run.is_prompt():
        run = fleet()
        _check_limits(run)
    assert run.is_prompt(), run


def _check_limits(run: Run) -> None:
    assert LIMITS.minute is not None
    assert run.refused == 0, run
    assert run.most_in_a_minute() <= LIMITS.minute, run
    assert run.exchanges() <= 0.35, run
    for worker in run.workers:
        assert min(worker["bulk"]) > 0, run  # before the outage, and after it
        assert min(worker["interactive"]) > 0, run
        assert len(worker["warnings"]) == 1, worker["warnings"]
