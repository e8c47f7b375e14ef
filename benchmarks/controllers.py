"""What programs put before an API with limits: the controllers that the governor stands beside."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from instance import Reply, Server
from virtual import VirtualClock

FIRST, LONGEST = 1.0, 60.0
"""Seconds; the bounds of the exponential back-off that every one of them has after a 429."""


class BackOff:
    """Exponential back-off with full jitter, and nothing else."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.chance = random.Random(7)

    async def before(self) -> None:
        """Wait until a call may go."""

    def after(self, reply: Reply) -> None:
        """Learn from an answer."""

    async def call(self, *, bulk: bool) -> None:
        failures = 0
        while True:
            await self.before()
            reply = await self.server.send()
            self.after(reply)
            if reply.status != 429:
                return
            await asyncio.sleep(self.chance.uniform(0, min(LONGEST, FIRST * 2.0**failures)))
            failures += 1


class Aiolimiter(BackOff):
    """`aiolimiter.AsyncLimiter(60, 60)`: a leaky bucket that lets 60 through at once."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.limiter: Any = import_module("aiolimiter").AsyncLimiter(
            server.flood.limits.minute or 60, 60.0
        )

    async def before(self) -> None:
        await self.limiter.acquire()


class LimitsLibrary(BackOff):
    """`limits`: a moving window of 60 a minute, asked again when it says that there is room."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        limits = import_module("limits")
        strategies = import_module("limits.strategies")
        storage = import_module("limits.storage.memory")
        loop = asyncio.get_running_loop()

        class Time:
            """What the library's modules take for the module `time`."""

            time = staticmethod(loop.time)

        self.now = loop.time
        for module in (storage, strategies):
            module.__dict__["time"] = Time  # the library has no clock to give
        self.item: Any = limits.parse(f"{server.flood.limits.minute or 60}/minute")
        self.limiter = strategies.MovingWindowRateLimiter(storage.MemoryStorage())

    async def before(self) -> None:
        while not self.limiter.hit(self.item, "crm"):
            reset = self.limiter.get_window_stats(self.item, "crm").reset_time
            await asyncio.sleep(max(0.05, reset - self.now()))


class Gcra(BackOff):
    """GCRA with a burst of one: calls at equal distances."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.gap = 60.0 / (server.flood.limits.minute or 60)
        self.next = 0.0

    async def before(self) -> None:
        now = asyncio.get_running_loop().time()
        self.next = max(self.next, now) + self.gap
        await asyncio.sleep(self.next - self.gap - now)


class Rated(BackOff):
    """Calls at equal distances of a rate that answers change."""

    rate = 1.0

    async def before(self) -> None:
        loop = asyncio.get_running_loop()
        self.next = max(getattr(self, "next", 0.0), loop.time())
        start = self.next
        self.next += 1.0 / self.rate
        await asyncio.sleep(start - loop.time())


class Aimd(Rated):
    """A rate that grows by a little and is cut to the half on a 429."""

    cut_at = -1.0

    def after(self, reply: Reply) -> None:
        now = asyncio.get_running_loop().time()
        if reply.status != 429:
            self.rate = min(10.0, self.rate + 0.01 / self.rate)
        elif now - self.cut_at >= 1.0:  # once for the calls that were under way together
            self.rate, self.cut_at = max(0.05, self.rate / 2), now


class Cubic(Rated):
    """The rate of botocore's adaptive mode: CUBIC growth, cut to 0.7 on a 429."""

    SCALE, CUT = 0.4, 0.7

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.throttled_at = 0.0
        self.most = 1.0

    def after(self, reply: Reply) -> None:
        now = asyncio.get_running_loop().time()
        if reply.status == 429:
            self.most, self.throttled_at = self.rate, now
            self.rate = max(0.5, self.rate * self.CUT)
        else:
            flat = (self.most * (1 - self.CUT) / self.SCALE) ** (1 / 3)
            grown = self.SCALE * (now - self.throttled_at - flat) ** 3 + self.most
            self.rate = min(max(0.5, grown), 2 * self.rate, 40.0)


class SleepAtFive(BackOff):
    """What people write: sleep until Reset when Remaining is 5 or less."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.until = 0.0

    async def before(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self.until - loop.time()))

    def after(self, reply: Reply) -> None:
        remaining = reply.headers.get("x-floodcontrol-remaining")
        if remaining is not None and int(remaining) <= 5:
            wait = int(reply.headers["x-floodcontrol-reset"]) - VirtualClock().time()
            self.until = asyncio.get_running_loop().time() + wait


def starting(kind: type[BackOff]) -> Callable[[Server], Awaitable[BackOff]]:
    """Return what starts a controller once the event loop runs."""

    async def start(server: Server) -> BackOff:
        return kind(server)

    return start


BASELINES: dict[str, type[BackOff]] = {
    "back-off with jitter only": BackOff,
    "aiolimiter (60 at once)": Aiolimiter,
    "limits (moving window)": LimitsLibrary,
    "GCRA, 1/s, burst 1": Gcra,
    "botocore adaptive (CUBIC)": Cubic,
    "AIMD": Aimd,
    "sleep when Remaining <= 5": SleepAtFive,
}
"""The rows of the table but the governor's."""
