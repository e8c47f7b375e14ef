"""A mirror's process killed for real, over HTTP, while somebody writes: nothing is lost.

`VTIGER_ASYNC_MIRROR_KILLS=50` runs so many seeds, over all sinks; `-rP` prints how each ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import anyio
import anyio.to_thread
import pytest
from crm_writers import Writers
from histories import differences
from mirrored import World
from places import Place
from real_places import place_of

from vtiger_async.clock import ScaledClock

ROOT = Path(__file__).resolve().parents[2]
SEEDS = int(os.environ.get("VTIGER_ASYNC_MIRROR_KILLS", "4"))
SINKS = ("duckdb", "postgresql", "jsonl", "sqlite", "parquet")
FACTOR = 100.0


def live(arguments: list[str], seconds: float | None) -> str:
    """Run the process, and kill it after so many seconds if any.

    Returns the last line that it wrote, or that it has killed itself, or was killed.
    """
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
            if process.poll() == -signal.SIGKILL:
                return "at a step"
            process.kill()
        rest = process.stdout.read()
    assert process.returncode in (0, -signal.SIGKILL), process.returncode
    return "at a moment" if process.returncode else (first + rest).splitlines()[-1]


def end_of(chance: Random) -> tuple[str, float]:
    """Return how a process ends: at or within a step of its sink, or after so many seconds."""
    if chance.random() < 0.6:
        step = chance.randrange(1, chance.choice((20, 60, 200)))
        return f"{step}:{chance.choice((0.0, 0.0, 0.0003, 0.001, 0.003))}", 20.0
    return "-", chance.uniform(0.0, chance.choice((0.1, 0.3, 0.8)))


async def killed_and_resumed(seed: int, place: Place) -> list[str]:
    """Mirror a CRM that is written to; kill the process at times, and compare in the end.

    Returns how each process ended.
    """
    chance, clock = Random(seed), ScaledClock(FACTOR)
    modules = ["Contacts", "Leads", "Accounts", "Invoice"]
    world = World(profile=("cloud", "oss-8.4")[seed % 2], seed=seed, clock=clock)
    writers, ends = Writers(world, chance, modules), list[str]()
    for _ in range(300):
        writers.write()
    for kind in ("500", "502", "cut", "commit_then_drop"):
        world.sandbox.faults.add(kind, probability=0.04)

    async def write() -> None:
        while not writers.are_done:
            writers.some()
            await anyio.sleep(0.02)

    async with world.sandbox.serving() as url, world.sandbox.client() as crm:
        who = [url, *world.sandbox.credentials(), place.url, f"{FACTOR}", f"{clock.epoch!r}"]
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            for _ in range(3):
                kill, seconds = end_of(chance)
                ends.append(await anyio.to_thread.run_sync(live, [*who, kill, *modules], seconds))
            writers.are_done = True
        world.sandbox.faults.clear()
        assert await anyio.to_thread.run_sync(live, [*who, "-", *modules], None) == "True {}"
        assert await differences(crm, place, modules) == []
    world.sandbox.close()
    return ends


@pytest.mark.parametrize(("sink", "seed"), [(SINKS[seed % 5], seed) for seed in range(SEEDS)])
def test_a_killed_mirror_goes_on_and_has_lost_nothing(
    sink: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Three kills at any instant, and one run to the end: each cell is what a query shows."""
    place = place_of(sink, tmp_path / f"killed {seed}", request)
    ends = anyio.run(killed_and_resumed, seed, place)
    print(f"{sink}, seed {seed}: killed {', '.join(ends)}")  # noqa: T201 - what is asked for
