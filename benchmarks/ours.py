"""The client of this package in the simulation: its own pipeline, over a stub or the sandbox."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable
from typing import Any

from instance import Scenario, Server
from virtual import VirtualClock

from vtiger_async import Limits, RetryPolicy, VtigerClient
from vtiger_async.transport.admission import Ticket
from vtiger_async.wire.decode import Answer

BODY = b'{"success":true,"result":{"id":"19x1"}}'


class Stub:
    """Stands for the HTTP library: what it sends reaches the flood control and nothing else."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def send(self, request: object, seconds: float, ticket: Ticket) -> Answer:
        ticket.sent = True
        reply = await self.server.send()
        return Answer(reply.status, "", dict(reply.headers), BODY)

    async def aclose(self) -> None:
        """Close nothing."""


class Governed:
    """The client, with one view for each priority."""

    def __init__(self, client: VtigerClient) -> None:
        patient = RetryPolicy(max_attempts=1000)
        self.client = client.with_options(max_wait=math.inf, retry=patient)
        self.bulk = self.client.with_options(priority="bulk")

    async def call(self, *, bulk: bool) -> None:
        await (self.bulk if bulk else self.client).call("GET", "me")


def governor(scenario: Scenario, **options: Any) -> Callable[[Server], Awaitable[Governed]]:
    """Return what starts the client against the scenario's instance."""

    async def start(server: Server) -> Governed:
        limits = scenario.limits if scenario.told else Limits(day_policy=scenario.limits.day_policy)
        client = VtigerClient(
            "https://crm.example",
            "jo",
            "key",
            limits=limits,
            clock=VirtualClock(scenario.skew),
            **options,
        )
        client._core.pipeline.chance = random.Random(scenario.seed).random
        client._core.pipeline.http = Stub(server)  # type: ignore[assignment]
        return Governed(client)

    return start
