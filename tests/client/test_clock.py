"""The clocks: real, virtual, and scaled time."""

from __future__ import annotations

import time

import anyio
import pytest
import trio
from trio.testing import MockClock

from vtiger_async.clock import Clock, ScaledClock, SystemClock

YEAR = 365 * 86_400.0


@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(2)])
def test_both_are_clocks(clock: object) -> None:
    """Each has the three methods of the protocol."""
    assert isinstance(clock, Clock)


def test_outside_of_a_loop_it_is_the_systems_time() -> None:
    """The wall time can be asked without an event loop."""
    assert abs(SystemClock().time() - time.time()) < 5


@pytest.mark.anyio
async def test_inside_a_loop_it_is_the_systems_time_too() -> None:
    """The wall time agrees with the system's, and both times move on together."""
    clock = SystemClock()
    assert abs(clock.time() - time.time()) < 5
    wall, steady = clock.time(), clock.monotonic()
    await clock.sleep(0.01)
    assert clock.monotonic() - steady >= 0.009
    assert clock.time() - wall == pytest.approx(clock.monotonic() - steady, abs=0.05)


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_virtual_time_governs_it() -> None:
    """On a virtual loop clock a year passes at once, on the wall and between two moments."""
    clock = SystemClock()
    wall, steady, real = clock.time(), clock.monotonic(), time.monotonic()
    await clock.sleep(YEAR)
    assert clock.time() - wall == pytest.approx(YEAR, abs=0.001)
    assert clock.monotonic() - steady == pytest.approx(YEAR, abs=0.001)
    assert time.monotonic() - real < 5


def test_one_clock_serves_several_loops() -> None:
    """Loops count from different moments; the wall time is right on each."""
    clock = SystemClock()

    async def asked() -> float:
        return clock.time()

    for moments in (0.0, 5000.0):
        virtual = MockClock()
        virtual.jump(moments)
        assert abs(trio.run(asked, clock=virtual) - time.time()) < 5
    assert abs(anyio.run(asked) - time.time()) < 5


@pytest.mark.anyio
@pytest.mark.parametrize("clock", [SystemClock(), ScaledClock(10)])
async def test_a_sleep_into_the_past_returns_at_once(clock: Clock) -> None:
    """Negative seconds are none."""
    with anyio.fail_after(5):
        await clock.sleep(-1.0)


class TestScaledClock:
    """`ScaledClock`."""

    @pytest.mark.anyio
    @pytest.mark.virtual_time
    async def test_an_hour_passes_in_a_minute(self) -> None:
        """At factor 60 a sleep of an hour takes a minute of the loop, and counts as an hour."""
        clock = ScaledClock(60)
        loop, steady = anyio.current_time(), clock.monotonic()
        await clock.sleep(3600)
        assert anyio.current_time() - loop == pytest.approx(60, abs=0.001)
        assert clock.monotonic() - steady == pytest.approx(3600, abs=0.06)

    def test_two_with_one_epoch_agree(self) -> None:
        """Two processes with the same factor and epoch live in the same time."""
        epoch = time.time() - 1000.0
        one, two = ScaledClock(60, epoch=epoch), ScaledClock(60, epoch=epoch)
        assert one.time() == pytest.approx(two.time(), abs=60)
        assert one.time() - epoch == pytest.approx(60_000, abs=300)

    def test_it_starts_at_the_present(self) -> None:
        """Without an epoch, scaled and real time agree at first."""
        assert abs(ScaledClock(60).time() - time.time()) < 60

    @pytest.mark.parametrize("factor", [0, -1, float("nan")])
    def test_a_factor_that_stops_time_is_refused(self, factor: float) -> None:
        """The factor is above 0."""
        with pytest.raises(ValueError, match="a clock's factor is above 0"):
            ScaledClock(factor)

    def test_it_says_what_it_is(self) -> None:
        """The repr can be typed in."""
        assert repr(ScaledClock(60, epoch=1.5)) == "ScaledClock(60, epoch=1.5)"
