"""Seeded histories: a CRM that people write to, while a mirror of it runs, fails and is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import anyio
import httpx
import trio
from attrs import define, field
from mirrored import CutError, Held, World, there

from vtiger_async.mirror import Batch, Deletes, Look, ModuleState
from vtiger_async.sandbox import Sandbox
from vtiger_async.types import RecordId

OWNERS = ("19x1", "19x5", "20x2")
"""The administrator, the seller who sees only some contacts, and a group."""
PAUSES = (0.0, 0.0, 0.0, 0.01, 0.3, 1.2)
"""Seconds between two things that happen: most of them share a second with others."""


class LoopClock:
    """The event loop's virtual time, counted from one moment: the same in each run."""

    def time(self) -> float:
        return 1767603600.0 + anyio.current_time()

    def monotonic(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(max(0.0, seconds))


@define
class Writers:
    """People who write to a CRM.

    Attributes:
        world: The CRM.
        chance: What they do.
        modules: Where they write.
        ids: The records that they know of, by module.
        are_done: Whether they have stopped.
        did: What they have done.
    """

    world: World
    chance: Random
    modules: Sequence[str]
    ids: dict[str, list[str]] = field(factory=dict[str, list[str]])
    are_done: bool = False
    did: Counter[str] = field(factory=Counter[str])

    def some(self, most: int = 3) -> None:
        """Write nothing, once or some times."""
        if not self.are_done and self.chance.random() < 0.5:
            for _ in range(self.chance.randrange(most + 1)):
                self.write()

    def write(self) -> None:
        """Write once: create, change, give to another owner, convert or delete."""
        module = self.chance.choice(self.modules)
        known = self.ids.setdefault(module, [])
        draw = self.chance.random()
        if draw < 0.4 or not known:
            known.append(self._create(module))
        elif draw < 0.7:
            self._revise(module, self.chance.choice(known))
        elif draw < 0.82:
            self._do("reassign", module, self.chance.choice(known), self._owner())
        elif draw < 0.9 and module == "Leads":
            self._convert(known.pop(self.chance.randrange(len(known))))
        else:
            self.did["delete"] += 1
            self.world.delete(known.pop(self.chance.randrange(len(known))))

    def _create(self, module: str) -> str:
        self.did["create"] += 1
        if module == "Invoice":
            return self.world.invoice(*range(1, self.chance.randrange(2, 4)))
        text = f"{self.chance.random()}"
        names = {"Accounts": {"accountname": text}}
        rid = self.world.create(module, **names.get(module, {}), **self._owner())
        self._appear_late(module, rid)
        return rid

    def _revise(self, module: str, rid: str) -> None:
        self._do("revise", module, rid, {"description": f"{self.chance.random()}"})

    def _owner(self) -> dict[str, str]:
        return {"assigned_user_id": self.chance.choice(OWNERS)}

    def _do(self, what: str, module: str, rid: str, fields: Mapping[str, str]) -> None:
        self.did[what] += 1
        self.world.revise(rid, **fields)
        self._appear_late(module, rid)

    def _appear_late(self, module: str, rid: str) -> None:
        """Let some writes have taken long: they carry an earlier time than when they appear."""
        if module != "Invoice" and self.chance.random() < 0.06:
            self.did["late"] += 1
            earlier = f"-{self.chance.randrange(1, 4)} seconds"
            self.world.silently(
                f"UPDATE {module} SET modifiedtime = datetime(modifiedtime, ?) WHERE n = ?",
                earlier,
                int(rid.partition("x")[2]),
            )

    def _convert(self, lead: str) -> None:
        self.did["convert"] += 1
        text = f"{self.chance.random()}"
        entities = {
            "Contacts": {"create": True, "name": "Contacts", "lastname": text},
            "Accounts": {"create": True, "name": "Accounts", "accountname": text},
        }
        sent = {"leadId": lead, "assignedTo": self.chance.choice(OWNERS[:2]), "entities": entities}
        self.world.run("convertlead", element=sent)


class Interleaved(httpx.AsyncBaseTransport):
    """A line on which somebody writes right before each call, and right behind it."""

    def __init__(self, sandbox: Sandbox, writers: Writers) -> None:
        self._inner = sandbox.transport()
        self._writers = writers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        writers = self._writers
        writers.some()
        await anyio.sleep(writers.chance.choice(PAUSES))
        response = await self._inner.handle_async_request(request)
        writers.some()
        return response


@define
class Store:
    """What a `MemorySink` has committed: it outlives the sink, as a file does.

    Attributes:
        instance: Whose mirror it is.
        states: Where modules stand.
        rows: Rows by module and id.
        lines: Rows of line items by module and id.
    """

    instance: str | None = None
    states: dict[str, ModuleState] = field(factory=dict[str, ModuleState])
    rows: dict[str, dict[str, dict[str, Any]]] = field(factory=dict[str, Held])
    lines: dict[str, dict[str, list[dict[str, Any]]]] = field(
        factory=dict[str, dict[str, list[dict[str, Any]]]]
    )

    def held(self, module: str) -> Held:
        """Return the rows that are there, as `mirrored.there` returns those of the CRM."""
        state, found = self.states[module], Held()
        for rid, cells in self.rows[module].items():
            if cells["_deleted_at"] is None:
                found[rid] = dict(cells)
                if state.lines is not None:
                    found[rid]["lines"] = self.lines[module].get(rid, [])
        return found


class MemorySink:
    """A sink by the book that keeps a mirror in memory, and can end the process at any commit.

    Args:
        store: What was committed before.
        deletes: What becomes of rows of what is gone.
        end_at: The step at which the process ends; commits have two, before and behind them.
    """

    def __init__(self, store: Store, deletes: Deletes, end_at: int | None = None) -> None:
        self.store = store
        self.deletes: Deletes = deletes
        self._left = -1 if end_at is None else end_at

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise CutError

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        assert self.store.instance in (None, instance)
        self.store.instance = instance
        return dict(self.store.states)

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        assert before == self.store.states.get(state.module)
        self._step()
        self.store.states[state.module] = state
        self.store.rows.setdefault(state.module, {})
        self.store.lines.setdefault(state.module, {})
        self._step()

    async def commit(self, batch: Batch) -> None:
        await anyio.lowlevel.checkpoint()
        self._step()
        state = batch.state
        rows, lines = self.store.rows[state.module], self.store.lines[state.module]
        names = [column.name for column in state.table.columns]
        assert len({one.id for one in batch.upserts}) == len(batch.upserts)
        for one in batch.upserts:
            rows[one.id] = dict(zip(names, one.row, strict=True))
            if one.lines is not None and state.lines is not None:
                of_lines = [column.name for column in state.lines.columns]
                lines[one.id] = [dict(zip(of_lines, line, strict=True)) for line in one.lines]
        for one in batch.gone:
            if self.deletes == "delete":
                rows.pop(one.id, None)
                lines.pop(one.id, None)
            elif one.id in rows and rows[one.id]["_deleted_at"] is None:
                rows[one.id] |= {"_deleted_at": one.at, "_deleted_as": one.why}
        self.store.states[state.module] = state
        self._step()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        pass

    def _within(self, module: str, above: int, up_to: int) -> list[tuple[int, str, str]]:
        return sorted(
            (cells["_number"], rid, cells["_hash"])
            for rid, cells in self.store.rows[module].items()
            if cells["_deleted_at"] is None and above < cells["_number"] <= up_to
        )

    async def hashes(self, module: str, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        rows = self.store.rows[module]
        return {
            rid: rows[rid]["_hash"]
            for rid in ids
            if rid in rows and rows[rid]["_deleted_at"] is None
        }

    async def count(self, module: str, above: int, up_to: int) -> int:
        return len(self._within(module, above, up_to))

    async def highest(self, module: str) -> int:
        return max((one[0] for one in self._within(module, 0, 2**62)), default=0)

    async def ids(
        self, module: str, above: int, up_to: int, most: int
    ) -> Sequence[tuple[RecordId, str]]:
        return [(RecordId(rid), mark) for _, rid, mark in self._within(module, above, up_to)[:most]]

    async def look(self) -> Look:
        return Look(self.store.instance, dict(self.store.states), {})


class Killer(trio.abc.Instrument):
    """Cancels a scope at the n-th step that any task makes: a process ends at any await."""

    def __init__(self, scope: anyio.CancelScope, at: int) -> None:
        self._scope = scope
        self._left = at

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= 1
        if self._left == 0:
            self._scope.cancel()


async def until_killed(work: Callable[[], Any], at: int) -> bool:
    """Do some work, end it at a step of its tasks, and return whether that came first."""
    with anyio.CancelScope() as scope:
        killer = Killer(scope, at)
        trio.lowlevel.add_instrument(killer)
        try:
            await work()
        finally:
            trio.lowlevel.remove_instrument(killer)
    return scope.cancelled_caught


@define
class Naive:
    """The loop that people write: `since = page["lastModifiedTime"]`, kept apart from the rows.

    Attributes:
        writers: Who writes meanwhile.
        user: Whose key it has.
        is_killed: Whether it is killed at times, between the cursor and the rows of a page.
        since: The cursors, by module.
        rows: Rows by module and id.
    """

    writers: Writers
    user: str
    is_killed: bool
    since: dict[str, str] = field(factory=dict[str, str])
    rows: dict[str, dict[str, dict[str, Any]]] = field(factory=dict[str, Held])

    def poll(self, modules: Sequence[str], *, is_last: bool = False) -> None:
        """Read changes up to the head, unless it is killed before."""
        scope = "application" if self.user == "admin" else "userandgroup"
        for module in modules:
            more = True
            while more:
                page = self.writers.world.run(
                    "sync",
                    self.user,
                    elementType=module,
                    modifiedTime=self.since.get(module, "1"),
                    syncType=scope,
                )
                before, self.since[module] = self.since.get(module), str(page["lastModifiedTime"])
                if self.is_killed and not is_last and self.writers.chance.random() < 0.15:
                    return
                rows = self.rows.setdefault(module, {})
                for record in page["updated"]:
                    rows[record["id"]] = record
                for rid in page["deleted"]:
                    rows.pop(rid, None)
                more = bool(page["more"]) and before != self.since[module]
                self.writers.some()

    def losses(self, module: str, shown: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
        """Return what it has missed: records, changes and deletes.

        Args:
            module: The module.
            shown: The records that a query shows.
        """
        rows = self.rows.get(module, {})
        both = rows.keys() & shown.keys()
        return Counter(
            records=len(shown.keys() - rows.keys()),
            changes=sum(
                any(shown[rid].get(name, value) != value for name, value in rows[rid].items())
                for rid in both
            ),
            deletes=len(rows.keys() - shown.keys()),
        )


async def differences(crm: Any, store: Store, modules: Sequence[str]) -> list[str]:
    """Return in words where a mirror is not what a query shows, cell by cell."""
    found: list[str] = []
    for module in modules:
        shown, held = await there(crm, module), store.held(module)
        found += [f"{module} {rid} is missing" for rid in sorted(shown.keys() - held.keys())]
        found += [f"{module} {rid} is too much" for rid in sorted(held.keys() - shown.keys())]
        for rid in sorted(shown.keys() & held.keys()):
            for name, value in shown[rid].items():
                if held[rid][name] != value:
                    found.append(f"{module} {rid} {name}: {held[rid][name]!r}, not {value!r}")
    return found
