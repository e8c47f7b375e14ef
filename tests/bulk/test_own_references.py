"""References to records that the job itself makes."""

from __future__ import annotations

from typing import Any

import pytest
from planned import ADMIN, Desk
from referring import accounts, contacts

from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column

pytestmark = pytest.mark.anyio


class TestOwnJob:
    """References to records that the job itself makes."""

    async def test_parents_come_first(self, desk: Desk) -> None:
        """Whatever the order of the loads, what is referred to is made in an earlier turn."""
        (there,) = await desk.create("Accounts", {"accountname": "There"})
        children = [{"Name": "A", "Of": "new one"}, {"Name": "B", "Of": "There"}]
        parents = [{"Name": "New One"}, {"Name": "There", "Phone": "5"}]
        job = await desk.plan(contacts(children), accounts(parents))
        assert job.row(1).waits == {"account_id": (1, "new one")}
        assert "account_id" not in job.row(1).fields
        assert job.row(2).fields["account_id"] == there
        assert job.row(1, load=1).turn < job.row(1).turn
        assert job.links == []

    async def test_a_parent_that_is_rejected(self, desk: Desk) -> None:
        """What an earlier load does not make is missing."""
        parents = [{"Name": "New One", "Phone": "5" * 300}]
        job = await desk.plan(accounts(parents), contacts([{"Name": "A", "Of": "New One"}]))
        assert job.row(1).state == job.row(1, load=1).state == "rejected"

    async def test_a_parent_in_the_same_load(self, desk: Desk) -> None:
        """An earlier row is waited for; a later one needs a second pass."""
        rows = [
            {"Name": "Leaf", "Above": "Branch"},
            {"Name": "Root"},
            {"Name": "Branch", "Above": "ROOT"},
            {"Name": "Twig", "Above": "branch"},
        ]
        job = await desk.plan(accounts(rows))
        assert job.numbers == {"create": 4, "link": 1}
        (link,) = job.links
        assert (link.row, link.waits, link.fields) == (1, {"account_id": (0, "branch")}, {})
        assert job.row(1).waits == {}
        assert job.row(3).waits == {"account_id": (0, "root")}
        assert job.row(4).waits == {"account_id": (0, "branch")}
        assert job.row(2).turn < job.row(3).turn < job.row(4).turn < link.turn
        assert link.stored == {}

    async def test_a_parent_far_above(self, desk: Desk) -> None:
        """A row waits for one of an earlier window, too."""
        rows = [{"Name": f"Org {i}", "Above": "org 3" if i == 2100 else ""} for i in range(2101)]
        job = await desk.plan(accounts(rows))
        assert job.row(2101).waits == {"account_id": (0, "org 3")}
        assert job.links == []

    async def test_circles(self, desk: Desk) -> None:
        """Two rows that refer to each other, and one to itself, are linked at the end."""
        rows = [
            {"Name": "A", "Above": "B"},
            {"Name": "B", "Above": "A"},
            {"Name": "C", "Above": "C"},
        ]
        job = await desk.plan(accounts(rows))
        assert job.numbers == {"create": 3, "link": 2}
        assert [link.row for link in job.links] == [1, 3]
        assert job.row(2).waits == {"account_id": (0, "a")}

    async def test_modules_in_a_circle(self, desk: Desk) -> None:
        """A circle of modules is begun with the load that comes first, and linked at the end."""
        first = Load(
            rows=[{"Name": "P", "Of": "Ann"}],
            module="Potentials",
            key="potentialname",
            owner=ADMIN,
            constants={"closingdate": "2026-12-31", "sales_stage": "Prospecting"},
            mapping={"Name": "potentialname", "Of": Column("contact_id", by="lastname")},
        )
        second = Load(
            rows=[{"Name": "Ann", "Of": "Above"}],
            module="Contacts",
            key="lastname",
            owner=ADMIN,
            mapping={"Name": "lastname", "Of": Column("contact_id", by="lastname")},
        )
        job = await desk.plan(first, second)
        assert job.row(1).waits == {"contact_id": (1, "ann")}
        assert job.row(1, load=1).state == "rejected"
        assert "no row makes one" in job.row(1, load=1).reason[0]

    async def test_last_of_several(self, desk: Desk) -> None:
        """Where the last row of a key counts, what it refers to is linked at the end."""
        rows = [{"Name": "A"}, {"Name": "B", "Above": "A"}, {"Name": "a", "Phone": "1"}]
        job = await desk.plan(accounts(rows, repeats="last"))
        assert job.numbers == {"create": 2, "skipped": 1, "link": 1}
        assert job.row(3).action == "create"

    async def test_a_replaced_row_is_not_linked(self, desk: Desk) -> None:
        """The link of a row that a later one repeats is left out."""
        rows = [{"Name": "A", "Above": "B"}, {"Name": "B"}, {"Name": "A", "Above": ""}]
        job = await desk.plan(accounts(rows, repeats="last"))
        assert job.numbers == {"create": 2, "skipped": 1}
        assert [link.state for link in job.links] == ["skipped"]

    async def test_a_record_that_is_there_gets_a_link(self, desk: Desk) -> None:
        """Its step is unchanged, and the link knows the record and what it referred to."""
        root, there = await desk.create(
            "Accounts", {"accountname": "Root"}, {"accountname": "There"}
        )
        async with desk.sandbox.client() as crm:
            await crm.revise(there, {"account_id": root})
        rows = [{"Name": "There", "Above": "Later"}, {"Name": "Later"}]
        job = await desk.plan(accounts(rows))
        (link,) = job.links
        assert job.row(1).state == "unchanged"
        assert (link.record_id, link.old) == (there, {"account_id": root})

    @pytest.mark.parametrize(
        ("missing", "numbers"),
        [
            ("reject", {"rejected": 3, "create": 1}),
            ("empty", {"create": 4, "link": 2}),
            ("create", {"create": 5, "link": 3}),
        ],
    )
    async def test_missing_after_all(
        self, desk: Desk, missing: Any, numbers: dict[str, int]
    ) -> None:
        """A row that nobody makes is missing when all are planned; others may depend on it."""
        rows = [
            {"Name": "A", "Above": "B"},
            {"Name": "B", "Above": "C"},
            {"Name": "C", "Above": "Nowhere"},
            {"Name": "D"},
        ]
        job = await desk.plan(accounts(rows, missing=missing))
        assert job.numbers == numbers
        if missing == "reject":
            assert job.row(3).reason == [
                "account_id: column 'Above': 'Nowhere': no record has it, and no row makes one"
            ]
        if missing == "create":
            (extra,) = [step for step in job.steps if step.load == 1]
            assert extra.fields["accountname"] == "Nowhere"
            assert job.links[2].waits == {"account_id": (1, "nowhere")}
            assert extra.turn < job.links[2].turn

    async def test_a_reference_in_the_key(self, desk: Desk) -> None:
        """A key may hold a reference; one to a record that is not there yet is no lookup."""
        (there,) = await desk.create("Accounts", {"accountname": "There"})
        (moe,) = await desk.create("Contacts", {"lastname": "Moe", "account_id": there})
        children = [
            {"Name": "Moe", "Of": "There"},
            {"Name": "Moe", "Of": "New"},
            {"Name": "MOE", "Of": "new"},
        ]
        load = contacts(children, key=("account_id", "lastname"))
        job = await desk.plan(load, accounts([{"Name": "New"}]))
        assert (job.row(1).state, job.row(1).record_id) == ("unchanged", moe)
        assert job.row(2).action == "create"
        assert job.row(3).reason == ["repeats row 2"]

    async def test_a_key_that_comes_too_late(self, desk: Desk) -> None:
        """A key cannot hold what a later row makes."""
        load = accounts([{"Name": "A", "Above": "B"}, {"Name": "B"}], key=("accountname",))
        assert (await desk.plan(load)).numbers == {"create": 2, "link": 1}
        rows = [{"Name": "x", "Of": "Ann"}]
        mapping = {"Name": "lastname", "Of": Column("contact_id", by="lastname")}
        first = Load(
            rows=rows,
            module="Contacts",
            key=("lastname", "contact_id"),
            owner=ADMIN,
            mapping=mapping,
        )
        second = Load(rows=[{"lastname": "Ann"}], module="Contacts", key="lastname", owner=ADMIN)
        job = await desk.plan(first, second)
        assert "not before this row" in job.row(1).reason[0]
