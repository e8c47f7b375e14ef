"""The instance of the simulation: the sandbox's flood control, the other programs, and the load."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Protocol

from virtual import START, VirtualClock

from vtiger_async import Limits
from vtiger_async.sandbox.clock import HeldClock
from vtiger_async.sandbox.flood import Flood, HeaderForm
from vtiger_async.sandbox.windows import WindowKind

LATENCY = 0.2
"""Seconds that a call takes."""


@dataclass(frozen=True)
class Scenario:
    """One instance, and what happens on it.

    Attributes:
        limits: What the instance grants.
        kind: How its minute and hour move.
        hours: Virtual hours.
        others: Calls a minute of other programs, in bursts of 8 on average.
        interactive: Seconds between two interactive calls, on average.
        told: Whether the client is told the limits; else it has to learn them.
        header_form: How the quota shows in the response headers.
        garbled: Whether Remaining is any number.
        late: Seconds that an answer may take longer on its way back, so that they overtake.
        dated: Whether answers have a Date, as those of HTTP servers do.
        skew: Seconds by which the client's clock is ahead of the server's.
        seed: Where the random numbers come from.
        workers: Calls of the bulk backlog that are wanted at once.
    """

    limits: Limits
    kind: WindowKind = "fixed"
    hours: float = 2.0
    others: float = 0.0
    interactive: float = 20.0
    told: bool = True
    header_form: HeaderForm = field(default_factory=HeaderForm)
    garbled: bool = False
    late: float = 0.0
    dated: bool = True
    skew: float = 0.0
    seed: int = 1
    workers: int = 8

    @property
    def seconds(self) -> float:
        return self.hours * 3600.0

    @property
    def capacity(self) -> int:
        """How many calls the instance grants in that time, whoever makes them."""
        minute, hour, day = self.limits.minute, self.limits.hour, self.limits.day
        rooms = [math.inf]
        for limit, span in ((minute, 60.0), (hour, 3600.0), (day, 86_400.0)):
            if limit is not None:
                rooms.append(limit * math.ceil(self.seconds / span))
        return int(min(rooms))

    def flood(self) -> Flood:
        return Flood(
            self.limits,
            VirtualClock(),
            minute_window=self.kind,
            hour_window=self.kind,
            header_form=self.header_form,
            other_calls_per_minute=self.others,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Reply:
    """What a controller sees of an answer; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]


class Server(Protocol):
    """Answers a request after its latency."""

    flood: Flood

    async def send(self) -> Reply: ...


class Controller(Protocol):
    """Decides when a call goes; each call is made until it is granted."""

    async def call(self, *, bulk: bool) -> None: ...


class FloodServer:
    """The sandbox's flood control behind nothing but the latency."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.chance = random.Random(scenario.seed)
        self.flood = scenario.flood()
        self.flood.snapshot()  # the others begin now, whenever we make our first call

    async def send(self) -> Reply:
        await asyncio.sleep(LATENCY / 2)
        granted = self.flood.admit() is not None
        pairs = self.flood.headers(refused=not granted)
        headers = {name.decode(): value.decode() for name, value in pairs}
        if self.scenario.dated:
            headers["date"] = formatdate(VirtualClock().time(), usegmt=True)
        if self.scenario.garbled:
            for name in headers.keys() & {"x-floodcontrol-remaining", "x-ratelimit-remaining"}:
                headers[name] = str(self.chance.randrange(100))
        await asyncio.sleep(LATENCY / 2 + self.chance.uniform(0, self.scenario.late))
        return Reply(200 if granted else 429, headers)


@dataclass
class Outcome:
    """What a controller made of a scenario."""

    capacity: int
    granted: int
    refused: int
    others_granted: int
    others_refused: int
    others_refused_alone: int
    waits: list[float]

    @property
    def used(self) -> float:
        return (self.granted + self.others_granted) / self.capacity

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.granted + self.refused)

    @property
    def others_share(self) -> float:
        """The share of the others' calls that were refused because of us."""
        more = self.others_refused - self.others_refused_alone
        return max(0, more) / max(1, self.others_granted + self.others_refused)

    def wait(self, share: float) -> float:
        """Return the seconds within which that share of the interactive calls was answered."""
        ordered = sorted(self.waits)
        if not ordered:
            return math.nan
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def arrivals(scenario: Scenario) -> list[float]:
    """Return when the interactive calls come, in seconds from the start."""
    chance = random.Random(scenario.seed)
    at, found = 0.0, list[float]()
    while (at := at + scenario.interactive * chance.uniform(0.5, 1.5)) < scenario.seconds:
        found.append(at)
    return found


async def simulate(
    scenario: Scenario, server: Server, start: Callable[[Server], Awaitable[Controller]]
) -> Outcome:
    """Run a controller against an instance, with a bulk backlog that never ends."""
    controller = await start(server)
    waits: list[float] = []
    begun: dict[int, float] = {}
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def backlog() -> None:
        while True:
            await controller.call(bulk=True)

    async def interactive(number: int) -> None:
        begun[number] = loop.time()
        await controller.call(bulk=False)
        waits.append(loop.time() - begun.pop(number))

    async def people() -> None:
        for number, at in enumerate(arrivals(scenario)):
            await asyncio.sleep(at - loop.time())
            tasks.add(asyncio.create_task(interactive(number)))
        await asyncio.Event().wait()

    tasks |= {asyncio.create_task(backlog()) for _ in range(scenario.workers)}
    tasks.add(asyncio.create_task(people()))
    until = START + scenario.seconds - VirtualClock().time() - 1e-6
    done, _ = await asyncio.wait(tasks, timeout=until, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
    books = server.flood.snapshot()
    # Who still waits has waited at least that long; not counted, such a wait would look like none.
    waits += [loop.time() - moment for moment in begun.values() if loop.time() - moment > LATENCY]
    return Outcome(
        capacity=scenario.capacity,
        granted=books["granted"],
        refused=books["refused"],
        others_granted=books["others"]["granted"],
        others_refused=books["others"]["refused"],
        others_refused_alone=refused_alone(scenario),
        waits=waits,
    )


def refused_alone(scenario: Scenario) -> int:
    """Return how many calls of the others the instance refuses when we make none."""
    still = HeldClock(START)
    flood = Flood(
        scenario.limits,
        still,
        minute_window=scenario.kind,
        hour_window=scenario.kind,
        other_calls_per_minute=scenario.others,
        seed=scenario.seed,
    )
    flood.snapshot()
    still.now = START + scenario.seconds - 1e-6
    return int(flood.snapshot()["others"]["refused"])
