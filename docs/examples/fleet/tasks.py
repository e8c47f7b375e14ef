"""A fleet of workers that write to one Vtiger: taskiq, its Redis stream broker, one shared quota.

    taskiq worker tasks:broker --workers 4 --max-async-tasks 8

The connection is read from VTIGER_URL, VTIGER_USERNAME, VTIGER_ACCESS_KEY and VTIGER_EDITION.
"""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from typing import Any

from once import create_once
from redis.asyncio import Redis
from redis.exceptions import RedisError
from taskiq import Context, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_redis import RedisStreamBroker

from vtiger_async import RedisQuota, VtigerClient

REDIS = os.environ.get("FLEET_REDIS", "redis://localhost:6379/0")
KEY_FIELD = os.environ.get("FLEET_KEY_FIELD", "cf_job_key")
"""A text field of the modules that are written, for the job's key."""
WAIT = float(os.environ.get("FLEET_WAIT", "60"))
"""Seconds that a call waits for quota, before the job gives its lease to nobody and waits on."""
ATTEMPT = float(os.environ.get("FLEET_ATTEMPT", "120"))
"""Seconds that an attempt may take: WAIT, and what the call itself takes."""
GRACE = float(os.environ.get("FLEET_GRACE", "30"))
"""Seconds for which Vtiger may still execute what a killed worker has sent."""
IDLE = float(os.environ.get("FLEET_IDLE", "60"))
"""Seconds without a sign from a worker after which its jobs are another's."""
OPTIONS: dict[str, Any] = {}
"""Further arguments of the client."""

QUEUE, GROUP = "vtiger-jobs", "vtiger-workers"
log = logging.getLogger("fleet")

broker = RedisStreamBroker(
    REDIS,
    queue_name=QUEUE,
    consumer_group_name=GROUP,
    consumer_id="0",  # jobs that were queued before the first worker came count, too
    xread_count=1,  # take no more than can be worked on: the rest is for other workers
    idle_timeout=int(IDLE * 1000),
)


@broker.task
async def write(
    job: str, module: str, values: dict[str, Any], context: Context = TaskiqDepends()
) -> str:
    """Create the record of a job, once; return its id."""
    return await create_once(
        context.state.bulk,
        context.state.redis,
        job,
        module,
        values,
        key_field=KEY_FIELD,
        attempt=ATTEMPT,
        grace=GRACE,
    )


@broker.task
async def nudge() -> None:
    """Do nothing: a message that comes has the broker look for those that were left behind."""


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start(state: TaskiqState) -> None:
    """Open what the jobs of this process share."""
    state.redis = Redis.from_url(REDIS, decode_responses=True)
    state.crm = VtigerClient.from_env(quota=RedisQuota(REDIS), **OPTIONS)
    state.bulk = state.crm.with_options(priority="bulk", max_wait=WAIT)
    state.keeper = asyncio.create_task(keep(state.redis))


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop(state: TaskiqState) -> None:
    """Close it; what was lent of the quota goes back."""
    state.keeper.cancel()
    with suppress(asyncio.CancelledError):
        await state.keeper
    await state.crm.aclose()
    await state.redis.aclose()


async def keep(redis: Redis) -> None:
    """Keep this worker's jobs its own while it lives, and have those of dead ones delivered.

    A job may wait for hours where the day is used up, so idleness alone does not tell that its
    worker is dead. And the broker looks for idle messages after it has read a new one only: where
    the queue is empty, a nudge is that new one.
    """
    idle = int(IDLE * 1000)
    while True:
        await asyncio.sleep(IDLE / 4)
        try:
            mine = await redis.xpending_range(
                QUEUE, GROUP, "-", "+", 1000, consumername=broker.consumer_name
            )
            if mine:
                ids: list[Any] = [entry["message_id"] for entry in mine]
                await redis.xclaim(QUEUE, GROUP, broker.consumer_name, 0, ids, justid=True)
            if await redis.xpending_range(QUEUE, GROUP, "-", "+", 1, idle=idle):
                await nudge.kiq()
        except RedisError as error:
            log.warning("no sign of life could be given: %s", type(error).__name__)
