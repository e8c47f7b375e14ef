"""One process of a fleet: it calls a sandbox over HTTP, its quota shared through a store."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from typing import Any

import anyio

from vtiger_async import ScaledClock, VtigerClient
from vtiger_async.editions import Limits
from vtiger_async.stores import SharedQuotaWarning


def store_of(name: str, address: str) -> Any:
    """Return the store by its public name."""
    import vtiger_async

    return getattr(vtiger_async, name)(address)


async def main(settings: dict[str, Any]) -> None:
    """Make calls of two classes until the time is over, and print the counts."""
    clock = ScaledClock(settings["factor"], epoch=settings["epoch"])
    counts = {"bulk": 0, "interactive": 0, "refused": 0, "waits": []}
    limits = Limits(minute=settings["minute"], hour=settings["hour"], day=settings["day"])
    async with VtigerClient(
        settings["url"],
        settings["username"],
        settings["access_key"],
        limits=limits,
        clock=clock,
        max_wait=math.inf,
        quota=store_of(settings["store"], settings["address"]),
    ) as crm:
        crm.subscribe(lambda event: note(counts, event))
        bulk = crm.with_options(priority="bulk")

        async def load() -> None:
            while True:
                await bulk.me()
                counts["bulk"] += 1

        async def person() -> None:
            while True:
                await clock.sleep(25.0)
                began = clock.monotonic()
                await crm.me()
                counts["waits"].append(round(clock.monotonic() - began, 2))
                counts["interactive"] += 1

        with anyio.move_on_after(max(0.0, settings["until"] - time.time())):
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(load)
                group.start_soon(person)
    sys.stdout.write(json.dumps(counts) + "\n")


def note(counts: dict[str, Any], event: Any) -> None:
    """Count the refusals by the server."""
    counts["refused"] += type(event).__name__ == "Throttled"


if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SharedQuotaWarning)
        anyio.run(main, json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps([str(w.message) for w in caught]) + "\n")
