"""The fleet of docs/examples: real workers, a real Redis, and a worker that is killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, field
from redis.asyncio import Redis
from servers import redis as redis_server

from vtiger_async import Limits, RedisQuota, ScaledClock
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.store import column

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/fleet"
FACTOR = 15.0
JOBS = 75
KEY = "siccode"
SECONDS = 120.0
"""Real seconds after which the test gives up; it takes a sixth of them."""


@define
class Fleet:
    """What a test of the fleet works with."""

    sandbox: Sandbox
    redis: Redis
    environment: dict[str, str]
    workers: dict[str, subprocess.Popen[bytes]] = field(factory=dict)
    logs: list[Path] = field(factory=list)

    def told(self) -> str:
        """Return what the workers have told."""
        return "\n".join(f"{log.stem}: {log.read_text('utf-8')}" for log in self.logs)

    def start(self, name: str, folder: Path) -> None:
        """Start a worker, in a process group of its own."""
        command = [sys.executable, "-m", "taskiq", "worker", "fleet_worker:broker"]
        options = ["--workers", "1", "--max-async-tasks", "4", "--log-level", "WARNING"]
        log = folder / f"{name}.log"
        self.logs.append(log)
        moments = str(self.moments(name, folder))
        with log.open("wb") as out:
            self.workers[name] = subprocess.Popen(
                [*command, *options],
                env=self.environment | {"FLEET_NAME": name, "FLEET_MOMENTS": moments},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill a worker with all of its processes."""
        worker = self.workers.pop(name)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(20)

    def keys(self) -> Counter[str]:
        """Return how many records there are for each job, by the sandbox's own books."""
        rows = self.sandbox.engine.store.rows(f"SELECT {column(KEY)} FROM Accounts")
        return Counter(str(key) for (key,) in rows)

    def moments(self, name: str, folder: Path) -> Path:
        """Return the file in which a worker notes the moments of its calls."""
        return folder / f"{name}.moments"

    def calls_aged(self, name: str, folder: Path, least: float, most: float) -> int:
        """Return how many calls of a worker went so many seconds ago."""
        path = self.moments(name, folder)
        lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
        return sum(least <= time.time() - float(line) <= most for line in lines)

    async def held(self, name: str) -> set[str]:
        """Return the jobs that were delivered to a worker and are not done."""
        entries = await self.redis.xpending_range(
            "vtiger-jobs", "vtiger-workers", "-", "+", 100, consumername=name
        )
        jobs: set[str] = set()
        for entry in entries:
            at = entry["message_id"]
            found: Any = await self.redis.xrange("vtiger-jobs", at, at)
            data = json.loads(found[0][1][b"data"])
            if data["task_name"].endswith(":write"):
                jobs.add(data["args"][0])
        return jobs

    async def states(self) -> Counter[str]:
        """Return how many jobs have begun, and how many are done."""
        states: Counter[str] = Counter()
        async for name in self.redis.scan_iter("vtiger-job:*"):
            if not name.endswith(b":lease"):
                states["begun" if await self.redis.get(name) == b"begun" else "done"] += 1
        return states


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a Redis server."""
    server, url = redis_server(tmp_path)
    yield url
    server.stop(signal.SIGKILL)


@asynccontextmanager
async def a_fleet(redis_url: str) -> AsyncIterator[Fleet]:
    """Serve a sandbox whose minutes last four seconds, and stop what is left at the end."""
    epoch = time.time()
    clock = ScaledClock(FACTOR, epoch=epoch)
    limits = Limits(minute=60, hour=4000, day=9000)
    with Sandbox(limits=limits, clock=clock, records=0) as sandbox:
        username, access_key = sandbox.credentials()
        async with sandbox.serving() as url, Redis.from_url(redis_url) as redis:
            kept = {name: value for name, value in os.environ.items() if "VTIGER_" not in name}
            paths = (ROOT, EXAMPLE, Path(__file__).parent)
            environment = kept | {
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "VTIGER_URL": url,
                "VTIGER_USERNAME": username,
                "VTIGER_ACCESS_KEY": access_key,
                "FLEET_REDIS": redis_url,
                "FLEET_KEY_FIELD": KEY,
                "FLEET_WAIT": "75",
                "FLEET_ATTEMPT": "4",
                "FLEET_GRACE": "3",
                "FLEET_IDLE": "3",
                "FLEET_FACTOR": str(FACTOR),
                "FLEET_EPOCH": repr(epoch),
            }
            fleet = Fleet(sandbox, redis, environment)
            try:
                yield fleet
            finally:
                for name in list(fleet.workers):
                    fleet.kill(name)


def test_every_job_is_done_once_though_a_worker_is_killed(redis_url: str, tmp_path: Path) -> None:
    """Three workers share the quota, and one is killed while the server executes its calls.

    Its jobs are delivered again, the records are found by their keys, and none is made twice. No
    call is refused, and more calls are made than one minute allows.
    """

    async def main() -> None:
        async with a_fleet(redis_url) as fleet:
            # It takes the server a second: what is under way is executed though its worker is dead.
            fleet.sandbox.faults.add("latency", operation="create", seconds=FACTOR)
            lost: set[str] = set()
            jobs = await queue(fleet, tmp_path)
            for name in ("one", "two", "three"):
                fleet.start(name, tmp_path)
            with anyio.move_on_after(SECONDS) as scope:
                lost = await kill_in_the_midst(fleet, "one", tmp_path)
                await finished(fleet)
            assert not scope.cancelled_caught, f"{await fleet.states()}\n{fleet.told()}"
            assert fleet.keys() == Counter(jobs)
            calls = fleet.sandbox.ledger()["calls"]
            assert calls["create"] == JOBS
            assert calls["query"] >= len(lost)
            await check_quota(fleet, redis_url)
            assert "Traceback" not in fleet.told()

    asyncio.run(main())


async def finished(fleet: Fleet) -> None:
    """Wait until every job is done, and no worker holds one, the killed one neither."""
    while True:
        held = [await fleet.held(name) for name in ("one", "two", "three")]
        if (await fleet.states())["done"] == JOBS and not any(held):
            return
        await anyio.sleep(0.1)


async def queue(fleet: Fleet, folder: Path) -> list[str]:
    """Queue the jobs by the example's own command, and return their keys."""
    path = folder / "accounts.csv"
    owner = next(iter(fleet.sandbox.engine.users.values())).id
    rows = [f"Company {number},{owner}" for number in range(2, JOBS + 2)]
    path.write_text("\n".join(["accountname,assigned_user_id", *rows]) + "\n", encoding="utf-8")
    command = [sys.executable, str(EXAMPLE / "enqueue.py"), str(path), "Accounts"]
    done = await anyio.run_process(command, env=fleet.environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [f"accounts:{number}" for number in range(2, JOBS + 2)]


async def kill_in_the_midst(fleet: Fleet, name: str, folder: Path) -> set[str]:
    """Kill a worker while its calls are under way; return the jobs whose records came after that.

    Nobody knows of them: they are executed by a server to which nobody listens any more. So late,
    the queue is empty before they are delivered again: nothing new has the broker look for them.
    """
    while True:
        await anyio.sleep(0.02)
        late = sum(fleet.keys().values()) > JOBS * 3 // 5
        if late and fleet.calls_aged(name, folder, 0.3, 0.8):
            break
    fleet.kill(name)
    before = fleet.keys()
    await anyio.sleep(1.5)
    lost = await unnoted(fleet, name) - before.keys()
    assert lost, "no call of it was under way"
    return lost


async def unnoted(fleet: Fleet, name: str) -> set[str]:
    """Return the jobs of a worker whose records are there while the job has but begun."""
    made = fleet.keys()
    return {
        job
        for job in await fleet.held(name)
        if job in made and await fleet.redis.get(f"vtiger-job:{job}") == b"begun"
    }


async def check_quota(fleet: Fleet, redis_url: str) -> None:
    """The sandbox has refused nothing, and the store has counted every call."""
    flood = fleet.sandbox.flood
    made = sum(fleet.sandbox.ledger()["calls"].values())
    assert flood.refused == 0
    assert made > 60
    kept = await RedisQuota(redis_url).peek(fleet.environment["VTIGER_URL"])
    assert kept.day.used >= made
