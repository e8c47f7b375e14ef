"""References and owners: what a text means, and what finding it out costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from planned import ADMIN, Desk
from referring import contacts

from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.access import User
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = pytest.mark.anyio


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

    async def test_what_is_not_shown_is_not_looked_into(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of several modules those that are shown are looked into; without any it is an error."""
        fields = {"lastname": "Whole", "assigned_user_id": "19x5"}
        (there,) = await desk.create("Contacts", fields)
        engine = desk.sandbox.engine

        def hiding(modules: frozenset[str]) -> dict[str, User]:
            sales = evolve(engine.users["sales"], hidden_modules=modules)
            return {**engine.users, "sales": sales}

        rows = [{"Name": "P", "Of": "Whole"}]
        for by in (None, "lastname"):
            of = Column("linktoaccountscontacts", by=by)
            load = Load(
                rows=rows, module="Project", owner="me", mapping={"Name": "projectname", "Of": of}
            )
            hidden = frozenset({"Users", "Accounts"})
            monkeypatch.setattr(engine, "_users", hiding(hidden))
            job = await desk.plan(load, user="sales")
            assert job.row(1).fields["linktoaccountscontacts"] == there
            assert job.calls["describe"] == 3
            monkeypatch.setattr(engine, "_users", hiding(hidden | {"Contacts"}))
            with pytest.raises(
                MappingError, match=r"column 'Of': .*give ids, leave the column out"
            ):
                await desk.plan(load, user="sales")

    async def test_who_may_not_see_users(self, desk: Desk) -> None:
        """A restricted user finds himself and the groups, and nobody else."""
        rows = [{"Name": f"N{i}", "Who": who} for i, who in enumerate(("sales", "guest"))]
        mapping = {"Name": "lastname", "Who": Column("assigned_user_id")}
        load = Load(rows=rows, module="Contacts", mapping=mapping)
        job = await desk.plan(load, user="sales")
        assert job.row(1).fields["assigned_user_id"] == "19x5"
        assert job.row(2).state == "rejected"
