"""`create_once` of the fleet's example, against a real Redis and the sandbox: one record a job."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
from once import BEGUN, create_once
from redis.asyncio import Redis
from servers import redis as redis_server

from vtiger_async import Limits, MandatoryFieldError, VtigerClient
from vtiger_async.sandbox import Sandbox

KEY = "siccode"
ATTEMPT, GRACE = 0.6, 0.3
"""Seconds of an attempt, and so many more until its lease ends."""


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis server."""
    server, url = redis_server(tmp_path_factory.mktemp("redis"))
    yield url
    server.stop(signal.SIGKILL)


Test = Callable[["Once"], Awaitable[None]]


class Once:
    """A sandbox with a client, and Redis."""

    def __init__(self, sandbox: Sandbox, crm: VtigerClient, redis: Redis) -> None:
        self.sandbox, self.crm, self.redis = sandbox, crm, redis
        self.owner = next(iter(sandbox.engine.users.values())).id

    async def create(self, job: str, **values: Any) -> str:
        """Do a job."""
        given = {"accountname": "Acme", "assigned_user_id": self.owner} | values
        return await create_once(
            self.crm,
            self.redis,
            job,
            "Accounts",
            given,
            key_field=KEY,
            attempt=ATTEMPT,
            grace=GRACE,
        )

    def made(self, job: str) -> int:
        """Return how many records a job has made."""
        sql = f'SELECT COUNT(*) FROM Accounts WHERE "{KEY}" = ?'
        return int(self.sandbox.engine.store.rows(sql, (job,))[0][0])

    @property
    def calls(self) -> dict[str, int]:
        """The calls that came."""
        return self.sandbox.ledger()["calls"]


def run(redis_url: str, test: Test, limits: Any = False, **options: Any) -> None:
    """Run a test with its own sandbox, and an empty Redis."""

    async def main() -> None:
        sandbox = Sandbox(limits=limits, records=0)
        async with (
            sandbox.client(**options) as crm,
            Redis.from_url(redis_url, decode_responses=True) as redis,
        ):
            await redis.flushall()
            await test(Once(sandbox, crm, redis))

    asyncio.run(main())


def test_a_fresh_job_costs_one_call(redis_url: str) -> None:
    """Nothing is looked for where nothing was sent, and a job that is done costs nothing."""

    async def test(once: Once) -> None:
        first = await once.create("a:1")
        assert await once.create("a:1") == first
        assert once.calls == {"create": 1}
        assert not await once.redis.exists("vtiger-job:a:1:lease")

    run(redis_url, test)


@pytest.mark.parametrize(
    ("fault", "creates"), [("commit_then_drop", 1), ("reset_before_commit", 2)]
)
def test_a_lost_reply_is_looked_for(redis_url: str, fault: Any, creates: int) -> None:
    """After an unknown outcome the record is looked for, and made only if it is not there.

    It is looked for when the lease has ended, and not before: the server may be at it still.
    """

    async def test(once: Once) -> None:
        once.sandbox.faults.add(fault, operation="create", times=1)
        began = anyio.current_time()
        await once.create("b:1")
        assert anyio.current_time() - began >= ATTEMPT + GRACE
        assert once.made("b:1") == 1
        assert (once.calls["query"], once.calls["create"]) == (1, creates)

    run(redis_url, test)


def test_a_slow_server_is_given_its_time(redis_url: str) -> None:
    """An attempt that is cut off while the server executes it makes no second record."""

    async def test(once: Once) -> None:
        once.sandbox.faults.add("latency", operation="create", times=1, seconds=0.75)
        async with once.sandbox.serving() as url:
            username, key = once.sandbox.credentials()
            async with VtigerClient(url, username, key) as once.crm:
                await once.create("c:1")
        assert once.made("c:1") == 1

    run(redis_url, test)


def test_two_deliveries_at_once_make_one_record(redis_url: str) -> None:
    """A job that is delivered twice at the same time is done by one of them."""

    async def test(once: Once) -> None:
        once.sandbox.faults.add("latency", operation="create", seconds=0.3)
        found = await asyncio.gather(*(once.create("d:1") for _ in range(4)))
        assert len(set(found)) == 1
        assert once.calls == {"create": 1}

    run(redis_url, test)


def test_what_a_killed_worker_has_made_is_found(redis_url: str) -> None:
    """A note that something may have been sent leads to the record."""

    async def test(once: Once) -> None:
        made = await once.create("e:1")
        await once.redis.set("vtiger-job:e:1", BEGUN)
        assert await once.create("e:1") == made
        assert once.calls == {"create": 1, "query": 1}

    run(redis_url, test)


def test_a_refusal_by_the_quota_leaves_no_note(redis_url: str) -> None:
    """What the quota refuses was not sent: it is waited for, and not looked for."""

    async def test(once: Once) -> None:
        await once.crm.me()
        job = asyncio.create_task(once.create("f:1"))
        await anyio.sleep(0.3)
        assert not await once.redis.exists("vtiger-job:f:1", "vtiger-job:f:1:lease")
        job.cancel()
        assert once.calls == {"me": 1}

    run(redis_url, test, Limits(minute=1), max_wait=0)


def test_what_vtiger_refuses_ends_the_job(redis_url: str) -> None:
    """An error that would come again is raised, and the lease is given back at once."""

    async def test(once: Once) -> None:
        with pytest.raises(MandatoryFieldError):
            await once.create("g:1", accountname="")
        assert not await once.redis.exists("vtiger-job:g:1:lease")

    run(redis_url, test)
