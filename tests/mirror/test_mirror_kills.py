"""A mirror's process killed for real, over HTTP, while somebody writes: nothing is lost.

`VTIGER_ASYNC_MIRROR_KILLS=100` runs so many seeds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import anyio
import anyio.to_thread
import pytest
from histories import Writers
from mirrored import World, same

from vtiger_async.clock import ScaledClock

ROOT = Path(__file__).resolve().parents[2]
SEEDS = int(os.environ.get("VTIGER_ASYNC_MIRROR_KILLS", "2"))
FACTOR = 100.0


def live(arguments: list[str], seconds: float | None) -> str:
    """Run the process, kill it after so many seconds if any, and return the last line it wrote."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests/mirror/history_run.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        if seconds is not None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
        rest = process.stdout.read()
    assert seconds is not None or process.returncode == 0, process.returncode
    return (first + rest).strip().splitlines()[-1] if first + rest else ""


async def killed_and_resumed(seed: int, path: Path) -> None:
    """Mirror a CRM that is written to; kill the process at times, and compare in the end."""
    chance, clock = Random(seed), ScaledClock(FACTOR)
    modules = ["Contacts", "Leads", "Accounts"]
    world = World(profile=("cloud", "oss-8.4")[seed % 2], seed=seed, clock=clock)
    writers = Writers(world, chance, modules)
    for _ in range(300):
        writers.write()
    for kind in ("500", "502", "cut", "commit_then_drop"):
        world.sandbox.faults.add(kind, probability=0.04)

    async def write() -> None:
        while not writers.are_done:
            writers.some()
            await anyio.sleep(0.02)

    async with world.sandbox.serving() as url, world.sandbox.client() as crm:
        to = f"sqlite:///{path}"
        who = [url, *world.sandbox.credentials(), to, f"{FACTOR}", f"{clock.epoch!r}", *modules]
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            for _ in range(3):
                seconds = chance.uniform(0.0, chance.choice((0.1, 0.3, 0.8)))
                await anyio.to_thread.run_sync(live, who, seconds)
            writers.are_done = True
        world.sandbox.faults.clear()
        assert await anyio.to_thread.run_sync(live, who, None) == "True {}"
        await same(crm, path, *modules)
    world.sandbox.close()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_killed_mirror_goes_on_and_has_lost_nothing(seed: int, tmp_path: Path) -> None:
    """Three kills at any instant, and one run to the end: each cell is what a query shows."""
    anyio.run(killed_and_resumed, seed, tmp_path / "crm.db")
