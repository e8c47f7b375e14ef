"""The histories of test_mirror_histories.py, with mirrors that are kept for real and killed there.

`VTIGER_ASYNC_MIRROR_SINK_HISTORIES=2000` plays so many with each sink, half of them with Parquet;
`-rP` prints what they were.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from histories import Total, play
from real_places import place_of
from statements import telling

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

HISTORIES = int(os.environ.get("VTIGER_ASYNC_MIRROR_SINK_HISTORIES", "12"))
PARTS = 2


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Generator[Random]:
    """Worker threads in virtual time; and what their pauses are drawn from.

    Trio's mock clock jumps whenever all tasks wait, for a thread as well: how far would depend on
    the machine, and no seed would give the same history twice. So the event loop stands still while
    a thread works, which takes virtual time before and after. As ever, what was begun is finished.
    """
    chance = Random()

    async def run_sync(work: Callable[..., Any], *given: Any, **_: Any) -> Any:
        await anyio.lowlevel.checkpoint_if_cancelled()
        with anyio.CancelScope(shield=True):
            await anyio.sleep(chance.choice((0.0, 0.0, 0.01, 0.3)))
            try:
                return pool.submit(work, *given).result()
            finally:
                await anyio.sleep(chance.choice((0.0, 0.0, 0.01, 0.3)))

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
    with ThreadPoolExecutor(2) as pool:
        yield chance


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["duckdb", "postgresql", "sqlite", "parquet"])
async def test_what_is_kept_is_what_a_query_shows_after_any_history(
    kind: str, part: int, tmp_path: Path, request: pytest.FixtureRequest, threads: Random
) -> None:
    """A kill leaves a batch as a whole or not at all, and at rest each cell is the same."""
    total, count = Total(), 0
    many = HISTORIES // 2 if kind == "parquet" else HISTORIES  # whose files take their time
    for seed in range(part, many, PARTS):
        place = place_of(kind, tmp_path / f"history {seed}", request)
        threads.seed(seed)
        with telling(place.told, place.is_written):
            await play(seed, place, total)
        place.clear()
        count += 1
    assert total.kills + total.faults > 0
    did = ", ".join(f"{name} {number:,}" for name, number in sorted(total.did.items()))
    print(f"{kind}: {count} histories ({did}), {total.kills} kills, {total.faults} faults")  # noqa: T201 - what is asked for
