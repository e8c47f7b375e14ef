"""What the tests of streams share: a sandbox with writers on it, and consumers."""

from __future__ import annotations

import json
import random
from typing import Any, Literal

from documents import invoice_of

from vtiger_async import Limits
from vtiger_async.sandbox import Sandbox
from vtiger_async.streams import Delivery

NAMES = {"Contacts": "lastname", "Leads": "lastname", "Accounts": "accountname"}


class Writers:
    """A sandbox, and the truth about what was written to it."""

    def __init__(self, limits: Limits | Literal[False] = False) -> None:
        self.sandbox = Sandbox(limits=limits, records=0)
        self.engine = self.sandbox.engine
        self.alive: dict[str, str] = {}
        self._count = 0

    def run(self, operation: str, **params: Any) -> Any:
        sent = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
        return self.engine.execute(operation, sent, self.engine.users["admin"])

    def create(self, module: str = "Contacts", owner: str = "19x1") -> str:
        self._count += 1
        name = f"{module}{self._count}"
        element = {NAMES[module]: name, "assigned_user_id": owner}
        rid = str(self.run("create", elementType=module, element=element)["id"])
        self.alive[rid] = name
        return rid

    def invoice(self, account: str, lines: int) -> str:
        """Create an invoice, which is not among those alive."""
        named = {"productname": "P", "assigned_user_id": "19x1"}
        product = self.run("create", elementType="Products", element=named)["id"]
        element = invoice_of(account, product, [self.line(product, n) for n in range(lines)])
        return str(self.run("create", elementType="Invoice", element=element)["id"])

    def line(self, product: str, number: int) -> dict[str, str]:
        return {"productid": product, "quantity": str(number + 1), "listprice": "10"}

    def revise(self, rid: str) -> None:
        self._count += 1
        module = self.alive[rid].rstrip("0123456789")
        self.alive[rid] = f"{module}{self._count}"
        self.run("revise", element={"id": rid, NAMES[module]: self.alive[rid]})

    def delete(self, rid: str) -> None:
        self.run("delete", id=rid)
        del self.alive[rid]

    def write(self, draw: random.Random, modules: list[str]) -> None:
        """Make one write that is drawn."""
        action, alive = draw.random(), list(self.alive)
        if action < 0.5 or not alive:
            self.create(draw.choice(modules))
        elif action < 0.8:
            self.revise(draw.choice(alive))
        else:
            self.delete(draw.choice(alive))

    @property
    def calls(self) -> dict[str, int]:
        return dict(self.sandbox.ledger()["calls"])


class Copy:
    """A consumer's copy of the records, and what it was given."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.given: list[str] = []

    def apply(self, change: Delivery) -> None:
        if change.kind == "delete":
            assert change.record is None
            self.names.pop(change.id, None)
        else:
            assert change.record is not None
            self.names[str(change.id)] = change.record[NAMES[change.module]]
        self.given.append(str(change.id))
