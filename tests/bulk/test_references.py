"""References and owners: what a text means, and what finding it out costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planned import ADMIN, Desk

from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = pytest.mark.anyio


def contacts(rows: Any, parent: Column | None = None, **options: Any) -> Load:
    """Return a load of contacts, each with an organisation."""
    mapping = {"Name": "lastname", "Of": parent or Column("account_id")}
    options = {"module": "Contacts", "owner": ADMIN, "mapping": mapping, **options}
    return Load(rows=rows, **options)


def accounts(rows: Any, **options: Any) -> Load:
    """Return a load of organisations, each with the one above it."""
    mapping = {"Name": "accountname", "Above": Column("account_id"), "Phone": "phone"}
    given = {"module": "Accounts", "owner": ADMIN, "key": "accountname", "mapping": mapping}
    return Load(rows=[{"Phone": "", "Above": "", **row} for row in rows], **{**given, **options})


class TestFinding:
    """Records that are there."""

    async def test_by_label(self, desk: Desk) -> None:
        """A name is looked up as the server compares it; an id costs nothing."""
        one, two = await desk.create("Accounts", {"accountname": "Öne"}, {"accountname": "O'Two"})
        rows = [
            {"Name": "A", "Of": "one"},
            {"Name": "B", "Of": "o'two "},
            {"Name": "C", "Of": two},
            {"Name": "D", "Of": ""},
        ]
        job = await desk.plan(contacts(rows))
        assert [step.fields.get("account_id") for step in job.steps] == [one, two, two, None]
        assert job.calls == {"describe": 2, "query": 1}

    async def test_a_hundred_names_are_one_call(self, desk: Desk) -> None:
        """A thousand rows with a hundred names cost one call, and the description of the other."""
        names = [f"Org {i}" for i in range(100)]
        ids = await desk.create("Accounts", *({"accountname": name} for name in names))
        rows = [{"Name": f"N{i}", "Of": names[i % 100]} for i in range(1000)]
        job = await desk.plan(contacts(rows))
        assert {step.fields["account_id"] for step in job.steps} == set(ids)
        assert job.calls == {"describe": 2, "query": 1}

    async def test_names_are_remembered(self, desk: Desk) -> None:
        """What was asked for in one window is not asked for in the next, found or not."""
        await desk.create("Accounts", {"accountname": "There"})
        rows = [{"Name": f"N{i}", "Of": "There" if i % 2 else "Nowhere"} for i in range(2500)]
        job = await desk.plan(contacts(rows))
        assert job.numbers == {"create": 1250, "rejected": 1250}
        assert job.calls == {"describe": 2, "query": 1}

    async def test_by_a_field(self, desk: Desk) -> None:
        """A column may say which field of the other module its texts are of."""
        one, _ = await desk.create(
            "Accounts", {"accountname": "A", "website": "a.example"}, {"accountname": "a.example"}
        )
        rows = [{"Name": "A", "Of": "A.example"}]
        job = await desk.plan(contacts(rows, Column("account_id", by="website")))
        assert job.row(1).fields["account_id"] == one

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_a_label_of_two_fields(self, tmp_path: Path, profile: ProfileName) -> None:
        """First and last name are found wherever the first one ends, or if there is none."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            people = [("Ann Mary", "Moe"), ("Ann", "Mary Noe"), ("", "Zoe Poe"), ("Ann", "Other")]
            ids = await desk.create(
                "Contacts", *({"firstname": first, "lastname": last} for first, last in people)
            )
            names = ["ann mary moe", "Ann Mary Noe", "Zoé Poe"]
            rows = [{"Name": f"P{i}", "Of": name} for i, name in enumerate(names)]
            load = Load(
                rows=rows,
                module="Contacts",
                owner=ADMIN,
                mapping={"Name": "lastname", "Of": Column("contact_id")},
            )
            job = await desk.plan(load)
            assert [step.fields["contact_id"] for step in job.steps] == ids[:3]
            asked = {"me": 1} if profile == "cloud" else {"me": 1, "retrieve": 1}
            assert job.calls == {"describe": 1, "query": 2, **asked}
            desk.close()

    async def test_several_modules(self, desk: Desk) -> None:
        """A reference that may be of two modules is looked for in both."""
        (product,) = await desk.create("Products", {"productname": "Hammer X"})
        (service,) = await desk.create("Services", {"servicename": "Cleaning X"})
        async with desk.sandbox.client() as crm:
            module = await crm.describe("Invoice")
        assert module.fields["productid"].type.refers_to == ("Products", "Services")
        (account,) = await desk.create("Accounts", {"accountname": "Buyer"})
        rows = [
            {"s": "One", "p": "hammer x", "q": "1", "x": "2.5"},
            {"s": "Two", "p": "Cleaning X", "q": "1", "x": "2.5"},
        ]
        load = Load(
            rows=rows,
            module="Invoice",
            owner=ADMIN,
            constants={"account_id": account, "bill_street": "S", "ship_street": "S"},
            mapping={
                "s": "subject",
                "p": "LineItems.productid",
                "q": "LineItems.quantity",
                "x": "LineItems.listprice",
            },
        )
        job = await desk.plan(load)
        found = [step.fields["LineItems"][0]["productid"] for step in job.steps]
        assert found == [product, service]


class TestDoubt:
    """None, or several."""

    async def test_missing_is_rejected(self, desk: Desk) -> None:
        """The row is rejected, and the column is named."""
        job = await desk.plan(contacts([{"Name": "A", "Of": "Nowhere"}]))
        assert job.row(1).state == "rejected"
        assert job.row(1).reason == ["account_id: column 'Of': 'Nowhere': no record has it"]

    async def test_missing_is_left_out(self, desk: Desk) -> None:
        """With "empty" the record is written without."""
        job = await desk.plan(contacts([{"Name": "A", "Of": "Nowhere"}], missing="empty"))
        assert job.row(1).action == "create"
        assert "account_id" not in job.row(1).fields

    async def test_missing_is_created_once(self, desk: Desk) -> None:
        """With "create" one record is planned for each text, in an earlier turn."""
        rows = [{"Name": f"N{i}", "Of": ("Acme", "ÀCME ", "Other")[i % 3]} for i in range(2200)]
        job = await desk.plan(contacts(rows, missing="create", key="lastname"))
        extras = [step for step in job.steps if step.load == 1]
        assert [(one.row, one.action, one.fields) for one in extras] == [
            (0, "create", {"accountname": "Acme", "assigned_user_id": ADMIN}),
            (0, "create", {"accountname": "Other", "assigned_user_id": ADMIN}),
        ]
        assert job.row(2).waits == {"account_id": (1, "acme")}
        assert {step.turn for step in extras} == {0}
        assert job.row(2).turn == 1
        assert [(one.module, one.mode, one.key) for one in job.journal.loads] == [
            ("Contacts", "upsert", ("lastname",)),
            ("Accounts", "create", ("accountname",)),
        ]

    async def test_created_by_a_field(self, desk: Desk) -> None:
        """The text goes into the field by which it was looked for, if that is all it needs."""
        mapping = {"Name": "lastname", "Of": Column("account_id", by="phone")}
        load = contacts([{"Name": "A", "Of": "555"}], missing="create", mapping=mapping)
        job = await desk.plan(load)
        assert "cannot be created without accountname" in job.row(1).reason[0]
        mapping = {"Name": "lastname", "Of": Column("account_id", by="accountname")}
        load = contacts([{"Name": "A", "Of": "555"}], missing="create", mapping=mapping)
        job = await desk.plan(load)
        assert job.row(1).waits == {"account_id": (1, "555")}

    async def test_a_name_that_cannot_be_stored(self, desk: Desk) -> None:
        """A record is not created of a text that would be cut."""
        rows = [{"Name": "A", "Of": "x" * 200}]
        job = await desk.plan(contacts(rows, missing="create"))
        assert "200 characters" in job.row(1).reason[0]

    async def test_no_user_is_created(self, desk: Desk) -> None:
        """An owner who is missing is not invented."""
        mapping = {"Name": "lastname", "Who": Column("assigned_user_id")}
        rows = [{"Name": "A", "Who": "Nobody"}]
        load = Load(rows=rows, module="Contacts", mapping=mapping, missing="create")
        job = await desk.plan(load)
        assert "no record is created of what may be of several" in job.row(1).reason[0]

    async def test_what_cannot_be_created(self, desk: Desk) -> None:
        """A record that needs more than its name and an owner is not invented."""
        rows = [{"Name": "A", "Of": "A deal", "Who": "Ann Moe"}]
        mapping = {"Name": "subject", "Of": Column("potential_id"), "Who": Column("contact_id")}
        options = {"constants": await invoice(desk), "missing": "create"}
        job = await desk.plan(
            Load(rows=rows, module="Quotes", owner=ADMIN, mapping=mapping, **options)
        )
        first, second = job.row(1).reason
        assert "cannot be created without closingdate, sales_stage" in first
        assert "a label of Contacts has several parts" in second

    @pytest.mark.parametrize(("ambiguous", "place"), [("first", 0), ("newest", -1)])
    async def test_several(self, desk: Desk, ambiguous: Any, place: int) -> None:
        """The first or the newest counts, if asked for."""
        ids = await desk.create("Products", *({"productname": "Twice"} for _ in range(3)))
        rows = [{"Title": "A", "Of": "twice"}]
        mapping = {"Title": "ticket_title", "Of": Column("product_id")}
        constants = {"ticketstatus": "Open"}
        load = Load(rows=rows, module="HelpDesk", owner=ADMIN, mapping=mapping, constants=constants)
        job = await desk.plan(load)
        (reason,) = job.row(1).reason
        assert f"3 records: {', '.join(ids)}" in reason
        load = Load(
            rows=rows,
            module="HelpDesk",
            owner=ADMIN,
            mapping=mapping,
            constants=constants,
            ambiguous=ambiguous,
        )
        job = await desk.plan(load)
        assert job.row(1).fields["product_id"] == ids[place]

    async def test_nothing_tells_the_module(self, desk: Desk) -> None:
        """A field that no module has is told before a row is read."""
        with pytest.raises(MappingError, match="Accounts has no field 'nothing' to find by"):
            await desk.plan(contacts([], Column("account_id", by="nothing")))


async def invoice(desk: Desk) -> dict[str, Any]:
    """Return what a document needs beside its subject."""
    (account,) = await desk.create("Accounts", {"accountname": "Buyer"})
    (product,) = await desk.create("Products", {"productname": "Hammer X"})
    return {
        "account_id": account,
        "bill_street": "S",
        "ship_street": "S",
        "quotestage": "Created",
        "LineItems.productid": product,
        "LineItems.quantity": "1",
        "LineItems.listprice": "2",
    }


class TestOwners:
    """Users and groups."""

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_by_name(self, tmp_path: Path, profile: ProfileName) -> None:
        """By the name of the login, by first and last name, and by the group's name."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            names = ["SALES", "Sam Sales", "marketing group", "19x6", "ina inactive", "Nobody"]
            rows = [{"Name": f"N{i}", "Who": name} for i, name in enumerate(names)]
            mapping = {"Name": "lastname", "Who": Column("assigned_user_id")}
            job = await desk.plan(Load(rows=rows, module="Contacts", mapping=mapping))
            owners = [step.fields.get("assigned_user_id") for step in job.steps]
            assert owners == ["19x5", "19x5", "20x3", "19x6", None, None]
            assert "no user or group" in job.row(6).reason[0]
            assert job.calls["describe"] == 3
            desk.close()

    async def test_the_owner_of_a_load(self, desk: Desk) -> None:
        """A name stands for the owner of all new records."""
        rows = [{"Name": "A", "Of": ""}]
        for name, owner in (("sam sales", "19x5"), ("Marketing Group", "20x3"), ("19x6", "19x6")):
            job = await desk.plan(contacts(rows, owner=name))
            assert job.row(1).fields["assigned_user_id"] == owner

    async def test_who_may_not_see_users(self, desk: Desk) -> None:
        """A restricted user finds himself and the groups, and nobody else."""
        rows = [{"Name": f"N{i}", "Who": who} for i, who in enumerate(("sales", "guest"))]
        mapping = {"Name": "lastname", "Who": Column("assigned_user_id")}
        load = Load(rows=rows, module="Contacts", mapping=mapping)
        job = await desk.plan(load, user="sales")
        assert job.row(1).fields["assigned_user_id"] == "19x5"
        assert job.row(2).state == "rejected"


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
