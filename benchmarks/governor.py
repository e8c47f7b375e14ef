"""The governor beside what programs put before an API with limits, in virtual time and one run.

A bulk backlog is run eight at a time and an interactive call comes about every 20 s; a call takes
0.2 s. The instance grants 60 a minute, which the headers show, and 2,500 an hour, which they do
not. Alone, or with other programs that make 25 calls a minute in bursts. What is driven is the
sandbox's flood control; the client is ours from `call()` down to where the HTTP library would send.

    python benchmarks/governor.py [--hours N] [--seed N] [--only governor] [--sandbox]
    python benchmarks/governor.py --editions [--hours 24]

The last row has no bulk at all: what is refused there comes from interactive calls that are sent
when they come. It is no strict bound for a controller that knows the others' calls in advance.

Needs `aiolimiter` and `limits`; a row whose library is missing says so.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import httpx
from controllers import BASELINES, starting
from instance import LATENCY, FloodServer, Outcome, Reply, Scenario, Server, simulate
from ours import governor
from virtual import VirtualClock, run

from vtiger_async import Limits
from vtiger_async.editions import EDITIONS
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.windows import WindowKind

KINDS: tuple[WindowKind, ...] = ("fixed", "sliding")
MANY = 1000
"""Users enough for the ceiling of the day."""
LIMITS = Limits(minute=60, hour=2500, day=78_000)
OTHERS = 25.0
OURS = "vtiger_async"
LEAST = "interactive calls alone"
HEAD = ("controller", "used", "refused", "others refused", "p50 s", "p99 s")


class SandboxServer:
    """The whole sandbox, in process over httpx, in place of its flood control alone."""

    def __init__(self, scenario: Scenario) -> None:
        sandbox = Sandbox(
            limits=scenario.limits,
            records=0,
            clock=VirtualClock(),
            seed=scenario.seed,
            minute_window=scenario.kind,
            hour_window=scenario.kind,
            other_calls_per_minute=scenario.others,
        )
        sandbox.faults.add("latency", seconds=LATENCY)
        self.flood = sandbox.flood
        self._url = f"{sandbox.url}/restapi/v1/vtiger/default/me"
        self._client = httpx.AsyncClient(
            transport=sandbox.transport(), auth=sandbox.credentials(), timeout=None
        )

    async def send(self) -> Reply:
        response = await self._client.get(self._url)
        return Reply(response.status_code, dict(response.headers))


def outcome(name: str, scenario: Scenario, *, whole: bool) -> Outcome:
    """Run one controller against one instance."""

    async def main() -> Outcome:
        server: Server = SandboxServer(scenario) if whole else FloodServer(scenario)
        kind = BASELINES.get(name)
        start = governor(scenario) if kind is None else starting(kind)
        return await simulate(scenario, server, start)

    return run(main())


def cells(name: str, scenario: Scenario, *, whole: bool) -> tuple[str, ...]:
    """Return one row of the table."""
    if name == LEAST:
        scenario = replace(scenario, workers=0)
    try:
        found = outcome(name, scenario, whole=whole)
    except ModuleNotFoundError as error:
        return (name, f"not installed: {error.name}", *[""] * (len(HEAD) - 2))
    return (
        name,
        f"{found.used:.1%}",
        f"{found.refused_share:.2%}",
        f"{found.others_share:.2%}" if scenario.others else "-",
        f"{found.wait(0.5):.2f}",
        f"{found.wait(0.99):.2f}",
    )


def main() -> None:
    """Run every controller on every instance, and print a table for each instance."""
    parser = argparse.ArgumentParser(description="Control algorithms in virtual time.")
    parser.add_argument("--hours", type=float, default=2.0, help="virtual hours (2)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (1)")
    parser.add_argument("--only", choices=["governor"], help="leave the other controllers out")
    parser.add_argument("--sandbox", action="store_true", help="drive the whole sandbox")
    parser.add_argument("--editions", action="store_true", help="the governor on every edition")
    options = parser.parse_args()
    if not (options.hours > 0 and math.isfinite(options.hours)):
        parser.error("--hours is a number above 0")
    if options.editions:
        by_edition(options.hours, options.seed)
        return
    names = [OURS, LEAST] if options.only else [*BASELINES, OURS, LEAST]
    for kind in KINDS:
        for others in (0.0, OTHERS):
            scenario = Scenario(
                LIMITS, kind=kind, hours=options.hours, others=others, seed=options.seed
            )
            company = f"others make {others:.0f} calls a minute" if others else "alone"
            heading(f"{kind} minute and hour, {company}")
            for name in names:
                row(cells(name, scenario, whole=options.sandbox))


def by_edition(hours: float, seed: int) -> None:
    """Run the governor alone on every edition with an API, told its limits, and told nothing."""
    for kind in KINDS:
        for told in (True, False):
            heading(f"{kind} minute and hour, alone, limits {'told' if told else 'to be learned'}")
            for edition in EDITIONS.values():
                if edition.has_api:
                    limits = edition.limits(users=MANY)
                    most = min(edition.minute, edition.hour / 60.0, (limits.day or 0) / 1440.0)
                    scenario = Scenario(
                        limits,
                        kind=kind,
                        hours=hours,
                        interactive=20.0 * 2500 / 60 / most,
                        told=told,
                        seed=seed,
                    )
                    name, *others = cells(OURS, scenario, whole=False)
                    row((f"{name}, {edition.title}", *others))


def heading(text: str) -> None:
    print(f"\n{text}\n")
    row(HEAD)
    print("| --- |" + " ---: |" * (len(HEAD) - 1))


def row(texts: tuple[str, ...]) -> None:
    print("| " + " | ".join(texts) + " |", flush=True)


if __name__ == "__main__":
    main()
