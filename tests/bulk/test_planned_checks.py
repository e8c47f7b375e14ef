"""What is wrong with rows, and with loads before a row is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from planned import ADMIN, Desk, accounts, named

import vtiger_async.cli
from vtiger_async import InvalidArgumentError
from vtiger_async.bulk.deciding import Decisions
from vtiger_async.bulk.drafts import Draft
from vtiger_async.bulk.errors import MappingError, SourceError
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column
from vtiger_async.bulk.pages import Pages
from vtiger_async.bulk.preparing import prepare
from vtiger_async.bulk.references import References
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName
from vtiger_async.sandbox.schema_picklists import DEPENDENCIES

pytestmark = pytest.mark.anyio

BUNDLED = Path(vtiger_async.cli.__file__).with_name("organisations.csv")
BY_NOTHING = Column("account_id", by="nothing")


class TestChecks:
    """What is wrong with rows."""

    async def test_every_problem_of_a_row(self, desk: Desk) -> None:
        """All of them are told at once, and the row costs no lookup."""
        rows = [
            {"accountname": "A", "employees": "many", "email1": "nobody", "industry": "Nonsense"},
            {"accountname": "B", "employees": "1", "email1": "b@example.com", "industry": ""},
        ]
        job = await desk.plan(accounts(rows))
        assert len(job.row(1).reason) == 3
        assert job.row(1).raw == rows[0]
        assert job.row(2).action == "create"

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_picklists_that_depend(self, tmp_path: Path, profile: ProfileName) -> None:
        """What does not go together is rejected; each ordered pair of picklists is one call."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            async with sandbox.client() as crm:
                fields = (await crm.describe("HelpDesk")).fields
            severities = [one.value for one in fields["ticketseverities"].type.picklist_values]
            category = fields["ticketcategories"].type.picklist_values[0].value
            depends = DEPENDENCIES["HelpDesk", "ticketcategories", "ticketseverities"]
            allowed = depends[category]
            wrong = next(one for one in severities if one not in allowed)
            rows = [
                {"title": "A", "ticketcategories": category, "ticketseverities": allowed[0]},
                {"title": "B", "ticketcategories": category, "ticketseverities": wrong},
            ]
            load = Load(
                rows=rows,
                module="HelpDesk",
                owner=ADMIN,
                constants={"ticketstatus": "Open", "ticketpriorities": "Low"},
                mapping={
                    "title": "ticket_title",
                    "ticketcategories": "ticketcategories",
                    "ticketseverities": "ticketseverities",
                },
            )
            job = await desk.plan(load)
            assert [step.state for step in job.steps] == ["planned", "rejected"]
            assert "does not go with ticketcategories" in job.row(2).reason[0]
            assert job.calls["picklist_dependency"] == 11
            desk.close()

    async def test_half_a_character(self, desk: Desk) -> None:
        """A text that cannot be sent rejects its row, whatever it is for, and ends no job."""
        half = "x\ud800"
        rows: list[dict[str, Any]] = [
            {"accountname": half, "account_id": "", "phone": ""},
            {"accountname": "A", "account_id": half, "phone": ""},
            {"accountname": "B", "account_id": "", "phone": half},
            {"accountname": "C", "account_id": "", "phone": b"bytes"},
            {"accountname": "D", "account_id": "", "phone": ""},
        ]
        job = await desk.plan(accounts(rows, missing="create"))
        assert job.numbers == {"rejected": 4, "create": 1}
        assert job.row(2).raw["account_id"] == half

    async def test_what_no_check_knows(self, desk: Desk) -> None:
        """A value of a type that is not checked rejects its row if it cannot be sent."""
        async with desk.sandbox.client() as crm:
            module = await crm.describe("Contacts")
        assert module.fields["imagename"].type.name == "image"
        rows: list[dict[str, Any]] = [
            {"lastname": "A", "imagename": object()},
            {"lastname": "B", "imagename": "x"},
        ]
        job = await desk.plan(Load(rows=rows, module="Contacts", owner=ADMIN))
        assert job.row(1).state == "rejected"

    async def test_progress(self, desk: Desk) -> None:
        """The rows that were read are told after each window, and at the end."""
        told: list[int] = []
        await desk.plan(accounts(named(2300)), progress=told.append)
        assert told == [1000, 2000, 2300]

    async def test_the_facts_of_the_journal(self, desk: Desk) -> None:
        """It knows the loads, the file, and the columns that became nothing."""
        job = await desk.plan(accounts(BUNDLED, mapping={"Organization Name": "accountname"}))
        (info,) = job.journal.loads
        assert (info.module, info.mode, info.key) == ("Accounts", "upsert", ("accountname",))
        assert info.columns[0] == "Organization Name"
        assert info.source == "organisations.csv"
        assert info.fingerprint is not None
        assert info.fingerprint.startswith("sha256:")
        (unmapped,) = job.journal.fact("unmapped")
        assert unmapped["Website"] == "the mapping does not name it"


class TestRefusals:
    """What is refused before a row is read."""

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"key": "nothing"}, "the key 'nothing' is no field"),
            ({"key": "fax"}, "nothing gives the key 'fax' a value"),
            ({"key": ("id", "phone")}, "id is a key by itself|nothing gives the key 'id'"),
            ({"owner": None}, "give owner='me'"),
            ({"owner": "Nobody"}, "the owner 'Nobody' is no user or group"),
            ({"key": None, "mark": "employees"}, "no text field"),
            ({"key": None, "mark": "accountname"}, "gets a value from the rows"),
            ({"mapping": {"phone": "phone"}, "key": "phone"}, "accountname: mandatory"),
            ({"mapping": {"accountname": "accountname", "phone": BY_NOTHING}},
             "has no field 'nothing' to find by"),
            ({"constants": {"phone": "1"}}, "phone gets its value from"),
            ({"module": "Invoice", "constants": {"LineItems": [{"productid": "6x1"}]},
              "mapping": {"accountname": "subject"}, "key": "subject"},
             "LineItems cannot be a constant"),
            ({"module": "Contacts", "mapping": {"accountname": "imagename"}, "key": "imagename"},
             "imagename cannot be a key: its type is image"),
            ({"module": "Contacts", "mapping": {"accountname": "id"}, "key": "id",
              "mode": "create"}, "id is a key by itself"),
        ],
    )  # fmt: skip
    async def test_what_does_not_fit(
        self, desk: Desk, options: dict[str, Any], message: str
    ) -> None:
        """A load that does not fit its module is a MappingError."""
        with pytest.raises(MappingError, match=message):
            await desk.plan(accounts(named(3), **options))

    async def test_rights(self, desk: Desk) -> None:
        """Who may not write is told before a row is read."""
        with pytest.raises(MappingError, match="this user has no right to"):
            await desk.plan(accounts(named(3)), user="guest")

    async def test_a_module_that_is_not_shown(self, desk: Desk) -> None:
        """It is named, with what to do; Vtiger itself says the same of a name that is misspelt."""
        for name, user in (("Invoice", "sales"), ("Acounts", "admin")):
            load = Load(rows=[{"subject": "A"}], module=name, key="subject")
            with pytest.raises(MappingError, match=f"the module '{name}' is not shown") as caught:
                await desk.plan(load, user=user)
            assert "check the name, or have an administrator give the right" in str(caught.value)

    async def test_rights_to_one_of_two(self, desk: Desk) -> None:
        """Where only changing is allowed, a row that would be a new record is rejected."""
        (there,) = await desk.create("Accounts", {"accountname": "Old", "phone": "1"})
        rows = [{"accountname": "Old", "phone": "2"}, {"accountname": "New", "phone": "2"}]
        for allowed, rejected in (("createable", 1), ("updateable", 2)):
            async with desk.sandbox.client() as crm:
                module = evolve(await crm.describe("Accounts"), createable=False, updateable=False)
                module = evolve(module, **{allowed: True})
                pages = Pages(crm)
                references = References(crm, pages)
                references.modules["Accounts"] = module
                prepared = await prepare(crm, accounts(rows), 0, references, pages)
                decisions = Decisions(crm, prepared, 0)
                record = await crm.retrieve(there)
                for number, row in enumerate(rows, 1):
                    draft = Draft.of(number, row, prepared.converter.convert(row))
                    step = await decisions.step(draft, [record] if number == 1 else [])
                    assert (step.state == "rejected") is (number == rejected)

    async def test_an_input_that_is_none(self, desk: Desk, tmp_path: Path) -> None:
        """A file that is not there is a SourceError."""
        with pytest.raises(SourceError):
            await desk.plan(accounts(tmp_path / "nothing.csv"))

    def test_modes_that_need_a_key(self) -> None:
        """To change what is there, it has to be found."""
        with pytest.raises(InvalidArgumentError, match="finds records by their key"):
            Load(rows=[], module="Accounts", mode="revise")
