"""People who write to a CRM, between and during the calls of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from random import Random
from typing import Any

import anyio
import httpx
from attrs import define, field
from mirrored import World

from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.answers import Fault

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

    def give_back(self) -> None:
        """Give all records to the seller, who has not seen some of them any more."""
        for module in self.modules:
            for rid in self.ids.get(module, ()):
                self._do("reassign", module, rid, {"assigned_user_id": "19x5"})

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
        fields: dict[str, Any] = {"description": f"{self.chance.random()}"}
        if module == "Invoice" and self.chance.random() < 0.6:
            (line, *_) = self.world.run("retrieve", id=rid)["LineItems"]
            line = {name: line[name] for name in ("productid", "listprice")}
            numbers = range(1, self.chance.randrange(2, 5))
            fields["LineItems"] = [{**line, "quantity": f"{number}"} for number in numbers]
        # The open source stores new lines, and then fails.
        with suppress(Fault) if "LineItems" in fields else nullcontext():
            self._do("revise", module, rid, fields)

    def _owner(self) -> dict[str, str]:
        return {"assigned_user_id": self.chance.choice(OWNERS)}

    def _do(self, what: str, module: str, rid: str, fields: Mapping[str, Any]) -> None:
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
