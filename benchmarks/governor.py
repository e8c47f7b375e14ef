"""The governor beside what programs put before an API with limits, in virtual time and one run.

A bulk backlog is run eight at a time and an interactive call comes about every 20 s; a call takes
0.2 s. The instance grants 60 a minute, which the headers show, and 2,500 an hour, which they do
not. Alone, or with other programs that make 25 calls a minute in bursts. What is driven is the
sandbox's flood control; the client is ours from `call()` down to where the HTTP library would send.

    python benchmarks/governor.py [--part NAME] [--hours N] [--seed N] [--seeds N]
                                  [--only governor] [--sandbox]

Parts, all but the last of which run where none is named:

- `controllers`: every controller, under fixed and sliding windows, alone and with others
- `minute`: the governor where the minute is what binds
- `clocks`: the governor with a clock that is a minute off
- `headers`: the governor where headers are absent, late and out of order, or wrong
- `editions`: the governor alone on every edition over 24 hours, told its limits and told nothing

"Refused" is the share of our calls answered 429, "others refused" the share of the others' calls
refused because of us, "p50" and "p99" the seconds from an interactive call to its answer. Below the
controllers stand bounds: what the interactive calls do by themselves, and what controllers reach
that know more than any can (`bounds.py`).

With `--seeds N` each figure is the mean of N runs, and the worst one stands behind it.

Needs `aiolimiter` and `limits`; a row whose library is missing says so.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import mean

import httpx
from bounds import Clairvoyant, Watcher
from controllers import BASELINES, starting
from instance import LATENCY, Controller, FloodServer, Outcome, Reply, Scenario, Server, simulate
from ours import governor
from virtual import VirtualClock, run

from vtiger_async import Limits
from vtiger_async.editions import EDITIONS
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.flood import HeaderForm
from vtiger_async.sandbox.windows import WindowKind

KINDS: tuple[WindowKind, ...] = ("fixed", "sliding")
MANY = 1000
"""Users enough for the ceiling of the day."""
LIMITS = Limits(minute=60, hour=2500, day=78_000)
MINUTE_BINDS = Limits(minute=60, hour=4000, day=78_000)
OTHERS = 25.0
OURS = "vtiger_async"
LEAST = "bound: interactive calls alone"
BOUNDS: dict[str, type[Clairvoyant | Watcher]] = {
    "bound: knows all calls in advance": Clairvoyant,
    "bound: sees all calls at once": Watcher,
}
HEAD = ("used", "refused", "others refused", "p50 s", "p99 s")


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
        self.flood.snapshot()
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
        if bound := BOUNDS.get(name):

            async def begin(server: Server) -> Controller:
                return bound(scenario, server)

            return await simulate(scenario, server, begin)
        kind = BASELINES.get(name)
        return await simulate(scenario, server, starting(kind) if kind else governor(scenario))

    return run(main())


class Table:
    """Prints a table, a row for each controller or scenario.

    Args:
        title: What stands above it.
        seeds: The seeds over which each figure is averaged.
        whole: Whether the whole sandbox is driven.
    """

    def __init__(self, title: str, seeds: Iterable[int], *, whole: bool = False) -> None:
        self.seeds, self.whole = list(seeds), whole
        print(f"\n{title}\n")
        self._print(("", *HEAD))
        print("| --- |" + " ---: |" * len(HEAD), flush=True)

    def row(self, text: str, name: str, scenario: Scenario) -> None:
        """Run a controller on a scenario with every seed, and print what came out."""
        if name == LEAST:
            scenario = replace(scenario, workers=0)
        try:
            found = [
                outcome(name, replace(scenario, seed=seed), whole=self.whole) for seed in self.seeds
            ]
        except ModuleNotFoundError as error:
            self._print((text, f"not installed: {error.name}", *[""] * (len(HEAD) - 1)))
            return
        others = self._cell([o.others_share for o in found], "{:.2%}", max)
        self._print(
            (
                text,
                self._cell([o.used for o in found], "{:.1%}", min),
                self._cell([o.refused_share for o in found], "{:.2%}", max),
                others if scenario.others else "-",
                self._cell([o.wait(0.5) for o in found], "{:.2f}", max),
                self._cell([o.wait(0.99) for o in found], "{:.2f}", max),
            )
        )

    @staticmethod
    def _cell(values: list[float], form: str, worst: Callable[[list[float]], float]) -> str:
        text = form.format(mean(values))
        return text if len(values) == 1 else f"{text} ({form.format(worst(values))})"

    @staticmethod
    def _print(texts: Iterable[str]) -> None:
        print("| " + " | ".join(texts) + " |", flush=True)


def controllers(options: argparse.Namespace, seeds: list[int]) -> None:
    """Every controller on the instance of the docstring, and the bounds."""
    for kind in KINDS:
        for others in (0.0, OTHERS):
            scenario = Scenario(LIMITS, kind=kind, hours=options.hours or 2.0, others=others)
            company = f"others make {others:.0f} calls a minute" if others else "alone"
            table = Table(f"{kind} minute and hour, {company}", seeds, whole=options.sandbox)
            names = [OURS, LEAST] if options.only else [*BASELINES, OURS, LEAST]
            if others and not options.sandbox:  # its calls are counted at another moment
                names += [name for name in BOUNDS if kind == "sliding" or BOUNDS[name] != Watcher]
            for name in names:
                table.row(name, name, scenario)


def minute(options: argparse.Namespace, seeds: list[int]) -> None:
    """The governor where 60 a minute bind before 4,000 an hour."""
    table = Table("60 a minute bind before 4,000 an hour", seeds)
    for kind in KINDS:
        for told in (True, False):
            scenario = Scenario(MINUTE_BINDS, kind=kind, hours=options.hours or 2.0, told=told)
            table.row(f"{OURS}, {kind}, {'told' if told else 'not told'}", OURS, scenario)


def clocks(options: argparse.Namespace, seeds: list[int]) -> None:
    """The governor with a clock that is a minute off."""
    for kind in KINDS:
        table = Table(f"{kind} minute and hour, the client's clock is off", seeds)
        for others in (0.0, OTHERS):
            for skew in (60.0, -60.0):
                for dated in (True, False):
                    scenario = Scenario(
                        LIMITS, kind, options.hours or 2.0, others, skew=skew, dated=dated
                    )
                    text = f"{OURS}, {'others' if others else 'alone'}, {skew:+.0f} s"
                    table.row(text if dated else f"{text}, no Date", OURS, scenario)


HEADERS: dict[str, dict[str, object]] = {
    "absent": {"header_form": HeaderForm(shown=False)},
    "not on a 429": {"header_form": HeaderForm(on_refusal=False)},
    "up to 3 s late, out of order": {"late": 3.0},
    "Reset in milliseconds": {"header_form": HeaderForm(reset="milliseconds")},
    "Reset as a delta": {"header_form": HeaderForm(reset="delta")},
    "Reset is nonsense": {"header_form": HeaderForm(reset="nonsense")},
    "Remaining is any number": {"garbled": True},
}


def headers(options: argparse.Namespace, seeds: list[int]) -> None:
    """The governor where headers are absent, late and out of order, or wrong."""
    for kind in KINDS:
        for others in (0.0, OTHERS):
            company = "others" if others else "alone"
            table = Table(f"{kind} minute and hour, {company}, the headers are", seeds)
            for text, form in HEADERS.items():
                scenario = replace(Scenario(LIMITS, kind, options.hours or 2.0, others), **form)
                table.row(f"{OURS}, {text}", OURS, scenario)


def editions(options: argparse.Namespace, seeds: list[int]) -> None:
    """The governor alone on every edition with an API, told its limits, and told nothing."""
    for kind in KINDS:
        for told in (True, False):
            text = "told" if told else "to be learned"
            table = Table(f"{kind} minute and hour, alone, limits {text}", seeds)
            for edition in EDITIONS.values():
                if edition.has_api:
                    limits = edition.limits(users=MANY)
                    most = min(edition.minute, edition.hour / 60.0, (limits.day or 0) / 1440.0)
                    pause = 20.0 * 2500 / 60 / most
                    hours = options.hours or 24.0
                    scenario = Scenario(limits, kind, hours, interactive=pause, told=told)
                    table.row(f"{OURS}, {edition.title}", OURS, scenario)
    print(
        "\nA limit that no header shows is learned from a refusal alone: where the hour binds and\n"
        "is not told, one refusal is the least that any controller has. An hour below that of\n"
        "every edition with that minute runs dry once: nobody can keep calls of it before that."
    )


PARTS: dict[str, Callable[[argparse.Namespace, list[int]], None]] = {
    "controllers": controllers,
    "minute": minute,
    "clocks": clocks,
    "headers": headers,
    "editions": editions,
}


def main() -> None:
    """Run the parts that are asked for."""
    parser = argparse.ArgumentParser(description="Control algorithms in virtual time.")
    parser.add_argument("--part", choices=PARTS, action="append", help="all but editions")
    parser.add_argument("--hours", type=float, help="virtual hours (2; of editions 24)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (1)")
    parser.add_argument("--seeds", type=int, default=1, help="runs with seeds from there on (1)")
    parser.add_argument("--only", choices=["governor"], help="leave the other controllers out")
    parser.add_argument("--sandbox", action="store_true", help="drive the whole sandbox")
    options = parser.parse_args()
    if options.hours is not None and not (options.hours > 0 and math.isfinite(options.hours)):
        parser.error("--hours is a number above 0")
    if options.seeds < 1:
        parser.error("--seeds is a number from 1 on")
    seeds = list(range(options.seed, options.seed + options.seeds))
    for name in options.part or [part for part in PARTS if part != "editions"]:
        PARTS[name](options, seeds)


if __name__ == "__main__":
    main()
