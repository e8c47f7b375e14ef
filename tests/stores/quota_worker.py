"""One process of a fleet: it calls a sandbox over HTTP, its quota shared through a store."""

from __future__ import annotations

import json
import math
import sys
import warnings
from typing import Any

import anyio

import vtiger_async
from vtiger_async import Limits, ScaledClock, SharedQuotaWarning, VtigerClient
from vtiger_async.quota.events import Waited

PERSON = 35.0
"""Seconds from one interactive call to the next."""


class OffClock(ScaledClock):
    """A clock whose wall time is wrong.

    Args:
        factor: How many of its seconds pass in a real one.
        epoch: As for any other clock of the fleet.
        offset: The seconds by which it is wrong.
    """

    def __init__(self, factor: float, epoch: float, offset: float) -> None:
        super().__init__(factor, epoch=epoch)
        self.offset = offset

    def time(self) -> float:
        """Return the wall time, wrong by the offset."""
        return super().time() + self.offset


async def main(settings: dict[str, Any], store: Any) -> dict[str, Any]:
    """Make calls of two classes until the time is over, and return what came of it."""
    clock = OffClock(settings["factor"], settings["epoch"], settings["offset"])
    begun = clock.monotonic() - (clock.time() - clock.offset - settings["start"])
    told: dict[str, Any] = {"bulk": [0, 0], "interactive": [0, 0], "waits": [], "exchanges": 0}
    down = settings["down"] - settings["start"]

    def now() -> float:
        return clock.monotonic() - begun

    def note(event: object) -> None:
        if isinstance(event, Waited) and event.priority == "interactive":
            told["waits"].append((now() - event.seconds, event.seconds))

    async with VtigerClient(
        settings["url"],
        settings["username"],
        settings["access_key"],
        limits=Limits(settings["minute"], settings["hour"], settings["day"]),
        clock=clock,
        max_wait=math.inf,
        quota=store,
    ) as crm:
        crm.subscribe(note)
        bulk = crm.with_options(priority="bulk")

        async def load() -> None:
            while True:
                await bulk.me()
                told["bulk"][now() > down] += 1

        async def person() -> None:
            while True:
                await clock.sleep(PERSON)
                await crm.me()
                told["interactive"][now() > down] += 1

        async def count() -> None:
            await clock.sleep(down - now())
            told["exchanges"] = crm._core.pipeline.admission.ledger.exchanges  # type: ignore[attr-defined]

        left = (settings["until"] - settings["start"] - now()) / settings["factor"]
        with anyio.move_on_after(left):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(load)
                group.start_soon(person)
                group.start_soon(count)
    return told


if __name__ == "__main__":
    shared = getattr(vtiger_async, sys.argv[1])(sys.argv[2])
    VtigerClient("http://127.0.0.1:1", "nobody", "no-key", quota=shared)  # all is loaded by now
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SharedQuotaWarning)
        result = anyio.run(main, json.loads(sys.stdin.readline()), shared)
    result["warnings"] = [str(w.message) for w in caught]
    sys.stdout.write(json.dumps(result) + "\n")
