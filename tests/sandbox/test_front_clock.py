"""The clock that moves by hand."""

from __future__ import annotations

import anyio
import pytest

from vtiger_async.clock import Clock
from vtiger_async.sandbox import ManualClock

pytestmark = pytest.mark.anyio


async def test_it_is_a_clock_that_stands_still() -> None:
    """A manual clock is a Clock, and shows the same time until it is moved."""
    clock = ManualClock(1_000.0)
    assert isinstance(clock, Clock)
    assert (clock.time(), clock.monotonic()) == (1_000.0, 0.0)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (1_002.5, 2.5)
    assert "1002.5" in repr(clock)


async def test_sleepers_wake_when_their_time_has_come() -> None:
    """Moving the clock wakes those whose time has come, and no others."""
    clock = ManualClock()
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with anyio.create_task_group() as group:
        for seconds in (30, 10, 20):
            group.start_soon(sleeper, seconds)
        await anyio.wait_all_tasks_blocked()
        clock.advance(20)
        await anyio.wait_all_tasks_blocked()
        assert sorted(woken) == [10, 20]
        clock.advance(10)
    assert woken[-1] == 30


async def test_a_sleep_of_nothing_only_lets_others_run() -> None:
    """Sleeping no time at all returns without the clock being moved."""
    clock = ManualClock()
    with anyio.fail_after(5):
        await clock.sleep(0)
        await clock.sleep(-1)
    assert clock.monotonic() == 0


@pytest.mark.parametrize("seconds", [-1, float("nan")])
async def test_it_does_not_go_back(seconds: float) -> None:
    """A clock cannot be moved back, or to nowhere."""
    with pytest.raises(ValueError, match="go back"):
        ManualClock().advance(seconds)
