"""Virtual time for asyncio: the event loop jumps over every wait.

asyncio and not trio, whose MockClock the tests use, since one of the libraries that are measured
knows asyncio alone.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_790_002_800.0 // 86_400 * 86_400
"""Unix seconds at which every simulation begins: at a boundary of day, hour and minute."""


class _Jumping(selectors.SelectSelector):
    """Never waits for what nobody sends: it tells the loop's clock to jump instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits, and no timer is set")
        # A step of the loop takes a little time too, or a wait that rounding has made too short to
        # move the clock would never end.
        self.now += timeout + 1e-6
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while nothing can run."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


class VirtualClock:
    """The clock that belongs to it, for the client and for the instance.

    Args:
        skew: Seconds by which its wall time is ahead.
    """

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def time(self) -> float:
        return START + self.skew + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time that begins at 0."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
