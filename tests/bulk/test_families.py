"""Loads of several modules, from the plan to the CRM: parents, circles, lines, what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from planned import ADMIN

from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column
from vtiger_async.bulk.outcomes import Created, Skipped
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = pytest.mark.anyio


def loads() -> list[Load]:
    """Return children before their parents, and every kind of reference."""
    contacts = Load(
        rows=[
            {"Name": "Moe", "Of": "leaf"},
            {"Name": "Noe", "Of": "Nowhere"},
            {"Name": "Poe", "Of": "nowhere"},
        ],
        module="Contacts",
        key="lastname",
        owner=ADMIN,
        missing="create",
        mapping={"Name": "lastname", "Of": "account_id"},
    )
    rows = [
        {"No": "I1", "For": "Root", "P": "hammer z", "Q": "2", "X": "3"},
        {"No": "I1", "For": "", "P": "Hammer Z", "Q": "5", "X": "1"},
    ]
    invoices = Load(
        rows=rows,
        module="Invoice",
        key="subject",
        owner=ADMIN,
        constants={"bill_street": "S", "ship_street": "S"},
        mapping={
            "No": "subject",
            "For": "account_id",
            "P": "LineItems.productid",
            "Q": "LineItems.quantity",
            "X": "LineItems.listprice",
        },
    )
    rows = [
        {"Name": "Leaf", "Above": "Branch"},
        {"Name": "Root", "Above": ""},
        {"Name": "Branch", "Above": "ROOT"},
        {"Name": "Self", "Above": "self"},
    ]
    accounts = Load(
        rows=rows,
        module="Accounts",
        key="accountname",
        owner=ADMIN,
        mapping={"Name": "accountname", "Above": Column("account_id")},
    )
    products = Load(
        rows=[{"productname": "Hammer Z"}], module="Products", key="productname", owner=ADMIN
    )
    return [contacts, invoices, accounts, products]


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_a_family_is_loaded_once(tmp_path: Path, profile: ProfileName) -> None:
    """Everything refers to what it should; loaded again, nothing is written."""
    with Sandbox(limits=False, profile=profile) as sandbox:
        async with sandbox.client() as crm:
            plan = await crm.bulk.plan(loads(), journal=tmp_path / "first")
            assert (plan.create, plan.link, plan.skipped, plan.rejected) == (10, 2, 1, 0)
            async with crm.bulk.apply(plan) as job:
                outcomes = [outcome async for outcome in job]
            made = {one.key: one.record_id for one in outcomes if isinstance(one, Created)}
            assert len(made) == 10
            assert len([one for one in outcomes if isinstance(one, Skipped)]) == 1
            parents = {
                key: (await crm.retrieve(made[key]))["account_id"]
                for key in ("leaf", "branch", "self", "moe", "noe", "poe", "i1")
            }
            assert parents == {
                "leaf": made["branch"],
                "branch": made["root"],
                "self": made["self"],
                "moe": made["leaf"],
                "noe": made["nowhere"],
                "poe": made["nowhere"],
                "i1": made["root"],
            }
            lines = (await crm.retrieve(made["i1"])).line_items
            assert [(line.productid, int(line.quantity)) for line in lines] == [
                (made["hammer z"], 2),
                (made["hammer z"], 5),
            ]
            again = await crm.bulk.plan(loads(), journal=tmp_path / "second")
            assert (again.unchanged, again.skipped, again.calls) == (9, 1, 0)
