"""Time, in one small protocol: wall time for stamps, monotonic time for waits, and a sleep.

Nothing else in the package asks the system for the time. The default clock goes through anyio, so
trio's MockClock governs it: days of quota pass in milliseconds in a test.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol, runtime_checkable

import anyio
import anyio.lowlevel

__all__ = ["Clock", "ScaledClock", "SystemClock"]

_ANCHOR: anyio.lowlevel.RunVar[float] = anyio.lowlevel.RunVar("vtiger_async_anchor")
"""Wall time less the event loop's time; each loop counts from another moment."""


@runtime_checkable
class Clock(Protocol):
    """What the client and the sandbox need of time. All values are seconds."""

    def time(self) -> float:
        """Return the wall time in Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Return a time that never goes back; only differences mean something."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of this clock have passed."""
        ...


class SystemClock:
    """Real time, or whatever the event loop takes for it.

    Inside an event loop the wall time is anchored once per loop and then moves with the loop's own
    clock, so that a virtual loop clock moves it too. Outside one it is the system's.
    """

    __slots__ = ()

    def time(self) -> float:
        """Return the wall time in Unix seconds."""
        try:
            now = anyio.current_time()
        except Exception:  # noqa: BLE001 - no event loop runs here; each backend says so differently
            return time.time()
        try:
            anchor = _ANCHOR.get()
        except LookupError:
            anchor = time.time() - now
            _ANCHOR.set(anchor)
        return anchor + now

    def monotonic(self) -> float:
        """Return the event loop's time."""
        try:
            # A tenth of what anyio's detour costs; it is asked twice for each call.
            return asyncio.get_running_loop().time()
        except RuntimeError:
            return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds`."""
        await anyio.sleep(max(0.0, seconds))


class ScaledClock:
    """A clock that runs `factor` times as fast as real time: at 60, an hour passes in a minute.

    For demonstrations, and for tests with real processes: give the same factor and epoch to the
    client and to the sandbox, and both live in the same accelerated time.

    Args:
        factor: How many of its seconds pass in a real one; above 0.
        epoch: The Unix time at which scaled and real time agree; now, if not given.
    """

    __slots__ = ("_wall", "epoch", "factor")

    def __init__(self, factor: float, *, epoch: float | None = None) -> None:
        if not factor > 0:
            msg = f"a clock's factor is above 0, not {factor!r}"
            raise ValueError(msg)
        self.factor = float(factor)
        # The wall is looked at once: a step of the system's clock would be multiplied.
        self._wall = time.time() - time.monotonic()
        self.epoch = time.time() if epoch is None else float(epoch)

    def __repr__(self) -> str:
        return f"ScaledClock({self.factor:g}, epoch={self.epoch!r})"

    def time(self) -> float:
        """Return the scaled wall time in Unix seconds."""
        return self.epoch + (self._wall + time.monotonic() - self.epoch) * self.factor

    def monotonic(self) -> float:
        """Return the scaled monotonic time."""
        return anyio.current_time() * self.factor

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` of scaled time have passed."""
        await anyio.sleep(max(0.0, seconds) / self.factor)
