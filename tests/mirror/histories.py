"""Seeded histories: a CRM that people write to, while a mirror of it runs, fails and is killed."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Protocol

import anyio
import httpx
import trio
from attrs import define, field
from crm_writers import PAUSES, Interleaved, LoopClock, Writers
from kept import Model, plain
from mirrored import CutError, Held, World, there
from naive_loop import Naive

from vtiger_async import VtigerClient
from vtiger_async.mirror import Deletes, Mirror

FAULTS = ("500", "502", "503", "cut", "reset_before_commit", "commit_then_drop", "no_answer",
          "html", "empty")  # fmt: skip
HOUR, DAY = 3600.0, 86_400.0


@define
class Total:
    """What came of many histories.

    Attributes:
        did: What the writers did.
        kills: How often mirrors were killed.
        faults: How many calls went wrong.
        naive: What the naive loop, never killed, has missed.
        killed: What the naive loop, killed as mirrors are, has missed.
        with_losses: In how many histories either of them has missed something.
    """

    did: Counter[str] = field(factory=Counter[str])
    kills: int = 0
    faults: int = 0
    naive: Counter[str] = field(factory=Counter[str])
    killed: Counter[str] = field(factory=Counter[str])
    with_losses: Counter[str] = field(factory=Counter[str])

    def add(self, writers: Writers, naive: Counter[str], killed: Counter[str]) -> None:
        """Count a history."""
        self.did += writers.did
        self.naive += naive
        self.killed += killed
        self.with_losses += Counter(naive=bool(+naive), killed=bool(+killed))


class Place(Protocol):
    """Where a mirror is kept, whatever becomes of the processes that write to it."""

    @property
    def steps(self) -> int:
        """How many steps a process takes before its end is likely."""
        ...

    def begin(self, deletes: Deletes, end_at: int | None = None) -> Any:
        """Return the sink of another process, which is killed at a step if one is given."""
        ...

    def cut(self) -> None:
        """Kill the process."""
        ...

    def ended(self) -> None:
        """Hold what a process has left against what it was given."""
        ...

    def kept(self, module: str) -> Model:
        """Return what is there of a module."""
        ...


class Killer(trio.abc.Instrument):
    """Cancels a scope at the n-th step that any task makes: a process ends at any await.

    Args:
        scope: The scope.
        at: The step.
        cut: Is called just before.
    """

    def __init__(self, scope: anyio.CancelScope, at: int, cut: Callable[[], object]) -> None:
        self._scope = scope
        self._left = at
        self._cut = cut

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._cut()
            self._scope.cancel()


async def until_killed(work: Callable[[], Any], at: int, cut: Callable[[], object]) -> bool:
    """Do some work, end it at a step of its tasks, and return whether it came so far."""
    with anyio.CancelScope() as scope:
        killer = Killer(scope, at, cut)
        trio.lowlevel.add_instrument(killer)
        try:
            await work()
        finally:
            trio.lowlevel.remove_instrument(killer)
    return scope.cancel_called


def make_repeatable(seed: int) -> None:
    """Let the same seed give the same history: also in which order tasks go on, and back-offs."""
    random.seed(seed)
    scheduler = vars(sys.modules["trio._core._run"])  # as hypothesis does it; there is no other way
    scheduler["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    scheduler["_r"].seed(seed)


def order_faults(world: World, chance: Random) -> None:
    """Let some calls of most histories go wrong, each in its own way."""
    if chance.random() < 0.7:
        for kind in chance.sample(FAULTS, 3):
            world.sandbox.faults.add(kind, probability=chance.choice((0.02, 0.1, 0.3)))  # type: ignore[arg-type]  # of KINDS


async def play(seed: int, place: Place, total: Total, *, beside_naive: bool = False) -> None:
    """Play one history to its end, and hold the mirror against the CRM.

    Args:
        seed: What is drawn, and what kind of CRM, user and mirror it is.
        place: Where the mirror is kept.
        total: What is counted.
        beside_naive: Whether the naive loop is run, too.
    """
    chance = Random(seed)
    make_repeatable(seed)
    user = "sales" if seed % 4 == 3 else "admin"
    deletes: Deletes = "delete" if seed % 3 == 2 else "tombstone"
    modules: list[str] = chance.sample(["Contacts", "Accounts", "Leads"], 2)
    if user == "admin" and seed % 5 == 0:
        modules[0] = "Invoice"
    world = World(profile=("cloud", "oss-8.4")[seed % 2], seed=seed, clock=LoopClock())
    writers = Writers(world, chance, modules)
    many = 230 if seed % 16 == 1 else 30
    for _ in range(chance.choice((0, 5, 20, many))):
        writers.write()
    order_faults(world, chance)
    # Who sees all is told all: there must be nothing for reconciliation to find.
    budget = None if user == "admin" else 2000

    def mirror_of(crm: VtigerClient) -> Callable[[Any], Mirror]:
        return partial(crm.mirror, modules, reconcile=budget)

    loops = [Naive(writers, user, is_killed=one) for one in (False, True) if beside_naive]
    async with httpx.AsyncClient(transport=Interleaved(world.sandbox, writers)) as http:
        crm = world.sandbox.client(user, http_client=http)
        for _ in range(chance.randrange(2, 5)):
            if chance.random() < 0.3:
                crm = world.sandbox.client(user, http_client=http)
            total.kills += await live(mirror_of(crm), place, deletes, chance)
            for loop in loops:
                loop.poll(modules)
            is_long = chance.random() < (0.1 if budget is None else 0.6)
            writers.some(20 if is_long else 3)
            await anyio.sleep(3 * HOUR if is_long else chance.choice((*PAUSES, 7.0)))
        total.faults += sum(rule.fired for rule in world.sandbox.faults.rules)
        writers.are_done = True
        world.sandbox.faults.clear()
        await anyio.sleep(chance.choice((0.0, 1.0, 400.0)))
        await come_to_rest(mirror_of(crm)(place.begin(deletes)), user)
        if user != "admin" and not loops:  # which would be shown again what they have missed
            writers.give_back()
            assert (await mirror_of(crm)(place.begin(deletes))).is_whole
        place.ended()
        found = await differences(crm, place, modules)
        assert not found, f"seed {seed}: {found}"
        for loop in loops:
            loop.poll(modules, is_last=True)
        losses = [Counter[str](), Counter[str]()]
        for module in modules if loops else ():
            shown = {str(row.id): row.fields async for row in crm.query(f"SELECT * FROM {module};")}
            for loss, loop in zip(losses, loops, strict=True):
                loss += loop.losses(module, shown)
    total.add(writers, *losses)
    world.sandbox.close()


async def live(
    mirror_of: Callable[[Any], Mirror], place: Place, deletes: Deletes, chance: Random
) -> bool:
    """Run a mirror until it is at the head, or its process ends at any moment; tell which.

    Some are killed at a step of a commit, some at any await, and some only cancelled, as by Ctrl-C:
    those close their sink.
    """
    at_step = chance.random() < 0.3
    sink = place.begin(deletes, chance.randrange(1, place.steps) if at_step else None)
    mirror = mirror_of(sink)
    steps = int(chance.choice((30, 300, 3000)) * chance.random()) + 1
    cut = place.cut if chance.random() < 0.7 else lambda: None
    is_killed = False
    try:
        if at_step:
            await mirror
        else:
            is_killed = await until_killed(mirror.run, steps, cut)
    except CutError:
        is_killed = True
    if is_killed:
        place.ended()
    return is_killed


async def come_to_rest(mirror: Mirror, user: str) -> None:
    """Bring a mirror to the head once nobody writes; without an administrator's rights, look."""
    report = await mirror
    assert report.is_whole, report.failed
    for _ in range(1 if user != "admin" else 0):
        await anyio.sleep(DAY)
        report = await mirror
        assert report.is_whole, report.failed


async def differences(crm: VtigerClient, place: Place, modules: Sequence[str]) -> list[str]:
    """Return in words where a mirror is not what a query shows, cell by cell."""
    found: list[str] = []
    for module in modules:
        kept = place.kept(module)
        shown = {rid: as_kept(row, kept) for rid, row in (await there(crm, module)).items()}
        held = {rid: as_kept(row, kept) for rid, row in with_lines(kept).items()}
        found += [f"{module} {rid} is missing" for rid in sorted(shown.keys() - held.keys())]
        found += [f"{module} {rid} is too much" for rid in sorted(held.keys() - shown.keys())]
        for rid in sorted(shown.keys() & held.keys()):
            for name, value in shown[rid].items():
                if held[rid][name] != value:
                    found.append(f"{module} {rid} {name}: {held[rid][name]!r}, not {value!r}")
    return found


def with_lines(kept: Model) -> Held:
    """Return the rows that are there, as `mirrored.there` returns those of the CRM."""
    found = {rid: dict(row) for rid, row in kept.rows.items() if row["_deleted_at"] is None}
    if kept.state is not None and kept.state.lines is not None:
        for row in found.values():
            row["lines"] = []
        for line in sorted(kept.lines.values(), key=lambda one: int(one["position"])):
            if line["parent_id"] in found:
                found[line["parent_id"]]["lines"].append(line)
    return found


def as_kept(row: dict[str, Any], kept: Model) -> dict[str, Any]:
    """Return a row, with its lines, in which equal values are equal."""
    assert kept.state is not None
    cells = plain(row, kept.state.table)
    if kept.state.lines is not None:
        cells["lines"] = [plain(line, kept.state.lines) for line in row["lines"]]
    return cells
