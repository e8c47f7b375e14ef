"""Create a record exactly once, however often its job is delivered and whoever is killed.

Vtiger has no idempotency key: a create that is sent twice makes two records, and a lost reply says
nothing. So a job has a key of its own, which is written into a text field of the record; and Redis
holds how far the job has come:

    vtiger-job:KEY         absent: never sent; "begun": perhaps sent; else the record's id
    vtiger-job:KEY:lease   held while somebody tries, and by itself for as long as what was sent
                           can still be executed after that
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import anyio
from redis.asyncio import Redis
from redis.asyncio.lock import Lock
from redis.exceptions import RedisError

from vtiger_async import (
    ConnectError,
    DuplicateRecordError,
    F,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    TransportError,
    VtigerClient,
    VtigerError,
    select,
)

BEGUN = "begun"
KEPT = 30 * 86_400
"""Seconds for which it is remembered that a job is done."""

log = logging.getLogger("fleet")


async def create_once(
    crm: VtigerClient,
    redis: Redis,
    job: str,
    module: str,
    values: Mapping[str, Any],
    *,
    key_field: str,
    attempt: float,
    grace: float,
) -> str:
    """Return the id of a job's record, which is made by this or an earlier attempt, but once.

    It tries until it is done: what may pass (no quota, no network, a failing server) is waited for.

    Args:
        crm: The client; its `max_wait` and `timeout` together are shorter than `attempt`.
        redis: Where the job's state is kept; it decodes what it reads.
        job: The job's key: the same for every delivery, and no other job's.
        module: The record's module.
        values: Its fields.
        key_field: A text field that holds the key; best one that is unique in Vtiger.
        attempt: Seconds that one attempt may take.
        grace: Seconds for which a request may go on in the server after nobody waits for it.

    Raises:
        ApiError: Vtiger says no, and would do so again.
    """
    state = f"vtiger-job:{job}"
    while True:
        lease = redis.lock(f"{state}:lease", timeout=attempt + grace, sleep=0.2)
        try:
            # It comes when nobody tries, and when what a dead worker has sent is surely over.
            await lease.acquire()
            with anyio.fail_after(attempt):
                record_id = await _attempt(crm, redis, state, job, module, values, key_field)
        except (OutcomeUnknownError, TimeoutError):
            log.warning("%s: the outcome is unknown; looked for when the lease has ended", job)
            continue
        except QuotaExhaustedError as refused:
            pause = refused.wait
        except RateLimitError as refused:
            pause = refused.retry_after or 10.0
        except (ServerError, TransportError, RedisError) as error:
            log.warning("%s: %s; again in 10 s", job, type(error).__name__)
            pause = 10.0
        except VtigerError:
            await _release(lease)
            raise
        else:
            await _release(lease)
            return record_id
        # Where this is not reached, as in a cancelled job, the lease ends by itself, in time.
        await _release(lease)
        await anyio.sleep(pause)


async def _attempt(
    crm: VtigerClient,
    redis: Redis,
    state: str,
    job: str,
    module: str,
    values: Mapping[str, Any],
    key_field: str,
) -> str:
    known = await redis.get(state)
    if known is not None and known != BEGUN:
        return str(known)
    record_id = None
    if known == BEGUN:  # by an attempt that did not end: it may have made the record
        record_id = await _look(crm, module, key_field, job)
    if record_id is None:
        await redis.set(state, BEGUN)  # before it is sent: a fresh job costs one call, not two
        try:
            record_id = (await crm.create(module, {**values, key_field: job})).id
        except DuplicateRecordError:  # where Vtiger keeps the key unique, it knows
            record_id = await _look(crm, module, key_field, job)
            if record_id is None:
                raise
        except (QuotaExhaustedError, RateLimitError, ConnectError):
            await redis.delete(state)  # it was not executed: next time there is nothing to look for
            raise
    await redis.set(state, record_id, ex=KEPT)
    return record_id


async def _look(crm: VtigerClient, module: str, key_field: str, job: str) -> str | None:
    found = await crm.query(select(module, "id").where(F[key_field] == job)).all()
    if len(found) > 1:
        log.error("%s: %d records have this key", job, len(found))
    return found[0].id if found else None


async def _release(lease: Lock) -> None:
    try:
        await lease.release()
    except RedisError as error:  # it ends by itself
        log.warning("a lease could not be given back: %s", type(error).__name__)
