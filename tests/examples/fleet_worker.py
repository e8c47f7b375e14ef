"""A worker of the example's fleet for the test: its clock runs as fast as the sandbox's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import tasks
from taskiq import TaskiqEvents, TaskiqState

from vtiger_async import ScaledClock
from vtiger_async.quota.events import Granted, QuotaEvent

tasks.OPTIONS["clock"] = ScaledClock(
    float(os.environ["FLEET_FACTOR"]), epoch=float(os.environ["FLEET_EPOCH"])
)
broker = tasks.broker
broker.consumer_name = os.environ["FLEET_NAME"]


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def listen(state: TaskiqState) -> None:
    """Note the moment of each call, for the test to know when one is under way."""
    path = Path(os.environ["FLEET_MOMENTS"])

    def note(event: QuotaEvent) -> None:
        if isinstance(event, Granted):
            with path.open("a", encoding="utf-8") as moments:
                moments.write(f"{time.time()}\n")

    state.crm.subscribe(note)
