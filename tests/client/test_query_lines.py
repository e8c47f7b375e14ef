"""Queries of modules whose rows come joined with line items: each record comes once, in order."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from vtiger_async import Record, Select, select
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

WHOLE = select("Invoice")
ORDERS = [
    WHOLE,
    WHOLE.order_by("id", descending=True),
    WHOLE.order_by("subject"),
    WHOLE.order_by("subject", descending=True),
    WHOLE.order_by("invoicestatus", "subject", descending=True),
]


class World:
    """A sandbox with invoices of many line items."""

    def __init__(self, profile: ProfileName, seed: int, invoices: int) -> None:
        self.sandbox = Sandbox(profile=profile, limits=False, records=0)
        self.admin = self.sandbox.engine.users["admin"]
        self.draw = random.Random(seed)
        self.account = self.create("Accounts", accountname="Buyer")
        self.product = self.create("Products", productname="Bolt")
        self.subjects: dict[str, str] = {}
        for _ in range(invoices):
            self.invoice()

    def create(self, module: str, **fields: Any) -> str:
        element = json.dumps({"assigned_user_id": "19x1", **fields})
        params = {"elementType": module, "element": element}
        made: Any = self.sandbox.engine.execute("create", params, self.admin)
        return str(made["id"])

    def invoice(self) -> str:
        line = {"productid": self.product, "quantity": "1", "listprice": "1"}
        subject = f"{self.draw.randrange(40):03}"
        rid = self.create(
            "Invoice", subject=subject, account_id=self.account, invoicestatus="Created",
            bill_street="1", ship_street="1", productid=self.product,
            LineItems=[line] * self.draw.choice([1, 1, 2, 3, 7]),
        )  # fmt: skip
        self.subjects[rid] = subject
        return rid

    def rename(self, rid: str) -> None:
        element = json.dumps({"id": rid, "subject": f"{self.draw.randrange(40):03}"})
        self.sandbox.engine.execute("revise", {"element": element}, self.admin)

    def delete(self, rid: str) -> None:
        self.sandbox.engine.execute("delete", {"id": rid}, self.admin)
        del self.subjects[rid]


def check(world: World, statement: Select, found: list[Record]) -> None:
    """Check that each invoice is there once, in the statement's order."""
    ids = sorted(world.subjects, key=lambda rid: int(rid.partition("x")[2]))
    assert sorted(str(record.id) for record in found) == sorted(ids)
    if statement.order_fields in ((), ("id",)):
        assert [str(record.id) for record in found] == ids[:: -1 if statement.descending else 1]
    else:
        subjects = [record["subject"] for record in found]
        assert subjects == sorted(subjects, reverse=statement.descending)


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
@pytest.mark.parametrize("statement", ORDERS, ids=str)
async def test_each_invoice_comes_once_and_in_order(
    profile: ProfileName, statement: Select
) -> None:
    """Pages of `select *` hold fewer invoices than rows; all of them come, sorted, and once."""
    world = World(profile, 1, 90)
    async with world.sandbox.client() as crm:
        found = await crm.query(statement).all()
        check(world, statement, found)
        assert await crm.query(statement).count() == 90
        for offset, limit in ((0, 5), (7, 60), (85, 50)):
            cut = await crm.query(statement.offset(offset).limit(limit)).all()
            names = [record["subject"] for record in found[offset : offset + limit]]
            assert [record["subject"] for record in cut] == names
        first = await crm.query(statement).first()
        assert first is not None
        assert first["subject"] == found[0]["subject"]


@pytest.mark.parametrize("statement", ORDERS, ids=str)
@pytest.mark.parametrize("seed", range(4))
async def test_invoices_that_stay_come_once_whatever_is_written(
    statement: Select, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invoices created, changed and deleted between any two calls lose and repeat no other."""
    world = World("oss-8.4", seed, 80)
    still = set(world.subjects)
    execute: Any = world.sandbox.engine.execute
    writes = 0

    def disturbed(operation: str, params: Any, *rest: Any, **options: Any) -> Any:
        nonlocal writes
        result = execute(operation, params, *rest, **options)
        if operation == "query" and writes < 40:
            writes += 1
            victim = world.draw.choice(sorted(still))
            action = world.draw.choice(["create", "rename", "delete"])
            if action == "create":
                world.invoice()
            elif action == "rename":
                world.rename(victim)
            else:
                still.discard(victim)
                world.delete(victim)
        return result

    monkeypatch.setattr(world.sandbox.engine, "execute", disturbed)
    async with world.sandbox.client() as crm:
        given = [str(record.id) for record in await crm.query(statement).all()]
    assert len(given) == len(set(given))
    assert still <= set(given)
    assert writes > 2
