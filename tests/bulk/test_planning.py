"""Planning: what becomes of rows, and what finding that out costs."""

from __future__ import annotations

import gc
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from planned import ADMIN, Desk

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
WHOLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "organisations.csv"
"""Ten thousand organisations, which are not part of the project; they may lie beside it."""
COLUMNS = {
    "Organization Name": "accountname",
    "Website": "website",
    "Billing Country": "bill_country",
    "State": "bill_state",
    "Domains": "description",
}
BY_NOTHING = Column("account_id", by="nothing")


def accounts(rows: Any, **options: Any) -> Load:
    """Return a load of organisations by their name."""
    options = {"module": "Accounts", "key": "accountname", "owner": ADMIN, **options}
    return Load(rows=rows, **options)


def named(count: int) -> list[dict[str, str]]:
    """Return rows of new organisations."""
    return [{"accountname": f"New {i}", "phone": f"{i}"} for i in range(count)]


class TestCalls:
    """What planning costs."""

    async def test_a_thousand_new_rows(self, desk: Desk) -> None:
        """A thousand rows of new records cost a description and ten lookups."""
        job = await desk.plan(accounts(named(1000)))
        assert job.numbers == {"create": 1000}
        assert job.calls == {"describe": 1, "query": 10}

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_a_thousand_unchanged_rows(self, tmp_path: Path, profile: ProfileName) -> None:
        """A thousand rows whose records are as they should be cost the same, and no write."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            rows = named(200)
            await desk.create("Accounts", *rows)
            job = await desk.plan(accounts([*rows, *named(1000)[200:]]))
            assert job.numbers == {"unchanged": 200, "create": 800}
            assert job.calls == {"describe": 1, "query": 10}
            desk.close()

    async def test_a_key_that_is_not_unique(self, desk: Desk) -> None:
        """It costs one call more, which asks whether the user sees all records."""
        job = await desk.plan(accounts(named(1000), key="phone"))
        assert job.calls == {"describe": 1, "query": 10, "me": 1}

    async def test_no_key(self, desk: Desk) -> None:
        """Rows without a key are all created, and only the description is asked for."""
        job = await desk.plan(accounts(named(300), key=None))
        assert job.numbers == {"create": 300}
        assert job.calls == {"describe": 1}
        assert {step.key for step in job.steps} == {None}

    async def test_me_is_asked_once(self, desk: Desk) -> None:
        """The owner "me" is one call."""
        job = await desk.plan(accounts(named(100), owner="me"))
        assert job.calls == {"describe": 1, "query": 1, "me": 1}
        assert job.row(1).fields["assigned_user_id"] == ADMIN

    async def test_repeats_do_not_cost_lookups(self, desk: Desk) -> None:
        """Repeats within a window and across windows leave every lookup full."""
        rows = [row for row in named(2000) for _ in range(2)]
        job = await desk.plan(accounts([*rows, *named(2000)]))
        assert job.numbers == {"create": 2000, "skipped": 4000}
        assert job.calls == {"describe": 1, "query": 20}

    async def test_ids_of_owners_cost_nothing(self, desk: Desk) -> None:
        """A column that holds ids asks for no description of users."""
        rows = [{**row, "assigned_user_id": ADMIN} for row in named(10)]
        job = await desk.plan(accounts(rows, owner=None))
        assert job.calls == {"describe": 1, "query": 1}

    @pytest.mark.skipif(not WHOLE.exists(), reason="the file is not part of the project")
    def test_ten_thousand_organisations(self, desk: Desk) -> None:
        """They cost 103 calls, on an empty instance and, with nothing to write, on a filled one."""
        anyio.run(self.plan_twice, desk)

    async def plan_twice(self, desk: Desk) -> None:
        """Plan the whole file, create its records, and plan it again."""
        load = accounts(WHOLE, owner="me", mapping=COLUMNS)
        job = await desk.plan(load)
        counts = job.journal.counts()
        new = [step.fields for step in job.steps if step.state == "planned"]
        assert sum(counts.values()) == 10_251
        assert counts[0, "none", "skipped"] == 85
        assert counts[0, "create", "planned"] == len(new) > 10_000
        desk.fill("Accounts", new)
        again = await desk.plan(load)
        assert again.journal.counts() == {
            **{kind: count for kind, count in counts.items() if kind[2] != "planned"},
            (0, "none", "unchanged"): len(new),
        }
        assert [sum(one.calls.values()) for one in (job, again)] == [103, 103]

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_the_bundled_organisations(self, tmp_path: Path, profile: ProfileName) -> None:
        """They are created once; with the file planned again, nothing is to be done."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            load = accounts(BUNDLED, owner="me", mapping=COLUMNS)
            job = await desk.plan(load)
            new = [step.fields for step in job.steps if step.state == "planned"]
            assert sum(job.calls.values()) == 2 + -(-len(new) // 100)
            async with sandbox.client() as crm:
                for fields in new:
                    await crm.create("Accounts", fields)
            again = await desk.plan(load)
            others = {name: count for name, count in job.numbers.items() if name != "create"}
            assert again.numbers == {**others, "unchanged": len(new)}
            desk.close()


class TestModes:
    """`create`, `upsert`, `revise`, `delete`."""

    async def test_upsert(self, desk: Desk) -> None:
        """A new row is created, a changed one revises what has changed, another is unchanged."""
        same, other = await desk.create(
            "Accounts",
            {"accountname": "Same", "phone": "1", "employees": "12"},
            {"accountname": "Other", "phone": "2", "website": "w.example"},
        )
        rows = [
            {"accountname": "same ", "phone": "1", "website": "", "employees": "12"},
            {"accountname": "Other", "phone": "3", "website": "w.example", "employees": ""},
            {"accountname": "New", "phone": "", "website": "n.example", "employees": "7"},
        ]
        job = await desk.plan(accounts(rows))
        assert job.row(1).record_id == same
        assert (job.row(1).action, job.row(1).fields) == ("revise", {"accountname": "same"})
        assert (job.row(2).action, job.row(2).record_id) == ("revise", other)
        assert (job.row(2).fields, job.row(2).old) == ({"phone": "3"}, {"phone": "2"})
        assert job.row(3).action == "create"
        assert job.row(3).fields == {
            "assigned_user_id": ADMIN,
            "accountname": "New",
            "website": "n.example",
            "employees": "7",
        }
        assert job.row(3).raw == rows[2]
        assert job.row(3).key == "new"

    async def test_create_with_a_key(self, desk: Desk) -> None:
        """A row whose key is there is skipped, and says which record has it."""
        (there,) = await desk.create("Accounts", {"accountname": "Old"})
        job = await desk.plan(accounts([{"accountname": "OLD"}, *named(1)], mode="create"))
        assert job.row(1).reason == [f"a record with this key is there: {there}"]
        assert job.numbers == {"skipped": 1, "create": 1}

    async def test_revise(self, desk: Desk) -> None:
        """A row whose key is not there is skipped; mandatory fields are not wanted."""
        await desk.create("Accounts", {"accountname": "Old"})
        rows = [{"accountname": "old", "phone": "5"}, {"accountname": "Nobody", "phone": "5"}]
        job = await desk.plan(accounts(rows, mode="revise", owner=None))
        assert job.row(1).fields == {"accountname": "old", "phone": "5"}
        assert job.row(2).reason == ["no record has this key"]

    async def test_delete(self, desk: Desk) -> None:
        """Only the key says anything: what else the row holds is not looked at."""
        (there,) = await desk.create("Accounts", {"accountname": "Old"})
        rows = [{"accountname": "old", "employees": "many"}, {"accountname": "Nobody"}]
        job = await desk.plan(accounts(rows, mode="delete", owner=None))
        step = job.row(1)
        assert (step.action, step.record_id, step.fields) == ("delete", there, {})
        assert job.row(2).reason == ["no record has this key"]

    async def test_by_id(self, desk: Desk) -> None:
        """With the id for a key records are changed, and none can be created."""
        (there,) = await desk.create("Accounts", {"accountname": "Old"})
        rows = [
            {"id": there, "accountname": "New name"},
            {"id": "3x999999", "accountname": "Nobody"},
            {"id": "4x1", "accountname": "A contact's"},
            {"id": "five", "accountname": "No id"},
        ]
        job = await desk.plan(accounts(rows, key="id"))
        assert job.row(1).fields == {"accountname": "New name"}
        assert [job.row(number).state for number in (2, 3, 4)] == ["rejected"] * 3
        assert "there is no such record" in job.row(2).reason[0]
        assert job.calls == {"describe": 1, "query": 1}

    async def test_what_is_cleared(self, desk: Desk) -> None:
        """With nulls="clear" an empty cell empties a field of a record; of a new one, nothing."""
        await desk.create("Accounts", {"accountname": "Old", "phone": "1", "website": "w.example"})
        rows = [
            {"accountname": "Old", "phone": "", "fax": "", "assigned_user_id": ADMIN},
            {"accountname": "New", "phone": "", "fax": "", "assigned_user_id": ""},
        ]
        job = await desk.plan(accounts(rows, nulls="clear"))
        assert (job.row(1).fields, job.row(1).old) == ({"phone": None}, {"phone": "1"})
        assert job.row(2).fields == {"assigned_user_id": ADMIN, "accountname": "New"}

    async def test_a_mandatory_field_is_not_cleared(self, desk: Desk) -> None:
        """The row is rejected where the record is there, and where it would be created too."""
        await desk.create("Accounts", {"accountname": "Old"})
        rows = [{"accountname": "Old", "assigned_user_id": ""}]
        job = await desk.plan(accounts(rows, nulls="clear"))
        assert "mandatory, and cannot be empty" in job.row(1).reason[0]
        job = await desk.plan(accounts(rows, nulls="clear", owner=None))
        assert job.numbers == {"rejected": 1}

    async def test_only_a_new_record_lacks_something(self, desk: Desk) -> None:
        """A row without what a new record needs can change one that is there."""
        await desk.create("Contacts", {"lastname": "Moe", "email": "moe@example.com"})
        rows = [
            {"lastname": "", "email": "MOE@example.com", "phone": "1"},
            {"lastname": "", "email": "noe@example.com", "phone": "1"},
        ]
        job = await desk.plan(Load(rows=rows, module="Contacts", key="email", owner=ADMIN))
        assert job.row(1).action == "revise"
        assert job.row(2).reason == [
            "lastname: column 'lastname': it is mandatory, and is missing: give it a value"
        ]

    async def test_a_mark(self, desk: Desk) -> None:
        """Without a key a field can hold what no other row has."""
        load = accounts(named(2), key=None, mark="description")
        job = await desk.plan(load)
        assert job.row(2).fields["description"] == "job7:0:2"
        assert job.row(2).key == "job7:0:2"
        assert job.journal.loads[0].mark == "description"


class TestRepeats:
    """Several rows with one key."""

    ROWS = (
        {"accountname": "Ünlü", "phone": "1"},
        {"accountname": "unlu ", "phone": "2"},
        {"accountname": "Other", "phone": "3"},
        {"accountname": "UNLU", "phone": "4"},
    )

    async def test_first(self, desk: Desk) -> None:
        """The later ones are skipped, and name the row that counts."""
        job = await desk.plan(accounts(self.ROWS))
        assert job.numbers == {"create": 2, "skipped": 2}
        assert job.row(4).reason == ["repeats row 1"]

    async def test_reject(self, desk: Desk) -> None:
        """The later ones are rejected."""
        job = await desk.plan(accounts(self.ROWS, repeats="reject"))
        assert job.numbers == {"create": 2, "rejected": 2}
        assert job.row(2).reason == ["accountname: repeats row 1"]

    async def test_last(self, desk: Desk) -> None:
        """The earlier ones are skipped, and name the row that repeats them."""
        job = await desk.plan(accounts(self.ROWS, repeats="last"))
        assert job.numbers == {"create": 2, "skipped": 2}
        assert job.row(1).reason == ["row 2 repeats it"]
        assert job.row(2).reason == ["row 4 repeats it"]
        assert job.row(4).fields["phone"] == "4"

    @pytest.mark.parametrize("repeats", ["first", "last", "reject"])
    async def test_across_windows(self, desk: Desk, repeats: Any) -> None:
        """A row repeats one that was read long before it."""
        rows = [
            {"accountname": "A", "phone": "1"},
            *named(1500),
            {"accountname": "a", "phone": "2"},
        ]
        job = await desk.plan(accounts(rows, repeats=repeats))
        first, last = job.row(1), job.row(1502)
        if repeats == "last":
            assert (first.state, first.action, first.reason) == (
                "skipped", "none", ["row 1502 repeats it"],
            )  # fmt: skip
            assert last.action == "create"
        else:
            assert (first.action, first.state) == ("create", "planned")
            assert last.state == ("skipped" if repeats == "first" else "rejected")
            assert job.calls == {"describe": 1, "query": 16}

    async def test_what_is_rejected_does_not_count(self, desk: Desk) -> None:
        """A row whose key an earlier row has that is rejected takes its place."""
        rows = [{"accountname": "A", "employees": "many"}, {"accountname": "A", "employees": "5"}]
        job = await desk.plan(accounts(rows))
        assert [job.row(1).state, job.row(2).action] == ["rejected", "create"]

    async def test_two_loads_of_one_module(self, desk: Desk) -> None:
        """Rows of two loads with one key are the same record."""
        job = await desk.plan(accounts([{"accountname": "A"}]), accounts([{"accountname": "a"}]))
        assert job.row(1, load=1).reason == ["repeats row 1 of load 1"]


class TestKeys:
    """Keys of every kind."""

    NAMES = (
        "Öl & Gas",
        "O'Neil",
        'The "Best" Co.',
        "back\\slash\\",
        "quote' and \\' both",
        "100 % _ sure",
        "松下電器",
        "A &amp; B",
        "x" * 100,
    )

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_they_are_found_again(self, tmp_path: Path, profile: ProfileName) -> None:
        """Whatever stands in a name, its record is found, and nothing is written twice."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            rows = [{"accountname": name} for name in self.NAMES]
            first = await desk.plan(accounts(rows))
            async with sandbox.client() as crm:
                for step in first.steps:
                    await crm.create("Accounts", step.fields)
            again = await desk.plan(accounts(rows))
            shouted = await desk.plan(
                accounts([{"accountname": n.upper()} for n in self.NAMES[:3]])
            )
            assert first.numbers == {"create": len(self.NAMES)}
            assert again.numbers == {"unchanged": len(self.NAMES)}
            assert shouted.numbers == {"revise": 3}
            desk.close()

    async def test_long_keys(self, desk: Desk) -> None:
        """Keys too long for one URL are asked for in as few calls as hold them."""
        rows = [{"accountname": f"{'é' * 90}{i:05}"} for i in range(100)]
        job = await desk.plan(accounts(rows))
        assert job.numbers == {"create": 100}
        assert 10 <= job.calls["query"] <= 11

    async def test_an_empty_key(self, desk: Desk) -> None:
        """A row without a key is rejected before anything is asked."""
        rows = [{"email": "", "lastname": "Moe"}, {"email": "  ", "lastname": "Noe"}]
        job = await desk.plan(Load(rows=rows, module="Contacts", key="email", owner=ADMIN))
        assert [step.reason for step in job.steps] == [
            ["email: the key is empty: give it a value"]
        ] * 2
        assert job.calls == {"describe": 1}

    @pytest.mark.parametrize(
        ("ambiguous", "state", "place"),
        [("reject", "rejected", None), ("first", "planned", 0), ("newest", "planned", -1)],
    )
    async def test_several_records_of_a_key(
        self, desk: Desk, ambiguous: Any, state: str, place: int | None
    ) -> None:
        """More than a page of records has the key: one of them, or none, as asked."""
        ids = await desk.create(
            "Accounts", *({"accountname": f"Org {i}", "phone": "1"} for i in range(120))
        )
        rows = [{"phone": "1", "website": "w.example", "accountname": "Name"}]
        job = await desk.plan(accounts(rows, key="phone", ambiguous=ambiguous))
        assert job.row(1).state == state
        assert job.row(1).record_id == (None if place is None else ids[place])
        if place is None:
            shown = ", ".join(ids[:3])
            assert job.row(1).reason == [f"phone: 120 records have this key: {shown}, ..."]

    async def test_two_fields(self, desk: Desk) -> None:
        """A key of two fields is one call a hundred."""
        await desk.create("Contacts", {"firstname": "Ann", "lastname": "Moe", "phone": "1"})
        rows = [{"firstname": "ANN", "lastname": "Moe", "phone": "1"}]
        rows += [{"firstname": f"F{i}", "lastname": f"L{i}", "phone": "1"} for i in range(99)]
        load = Load(rows=rows, module="Contacts", key=("firstname", "lastname"), owner=ADMIN)
        job = await desk.plan(load)
        assert job.numbers == {"revise": 1, "create": 99}
        assert job.row(1).fields == {"firstname": "ANN"}
        assert job.calls == {"describe": 1, "me": 1, "query": 1}

    @pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
    async def test_a_restricted_user(self, tmp_path: Path, profile: ProfileName) -> None:
        """Of a user who does not see all, a lookup is read to its proven end."""
        with Sandbox(limits=False, profile=profile) as sandbox:
            desk = Desk(tmp_path, sandbox)
            await self.restricted(desk)
            desk.close()

    async def restricted(self, desk: Desk) -> None:
        """Plan as a user who does not see all."""
        async with desk.sandbox.client("sales") as crm:
            own = (await crm.me()).id
            fields = {"lastname": "Moe", "email": "moe@example.com", "assigned_user_id": own}
            mine = await crm.create("Contacts", fields)
        await desk.create("Contacts", {"lastname": "Noe", "email": "noe@example.com"})
        rows = [
            {"lastname": "Moe", "email": "moe@example.com", "phone": "2"},
            {"lastname": "Noe", "email": "noe@example.com", "phone": "2"},
        ]
        load = Load(rows=rows, module="Contacts", key="email", owner="me")
        job = await desk.plan(load, user="sales")
        assert (job.row(1).action, job.row(1).record_id) == ("revise", mine.id)
        assert job.row(2).action in ("create", "revise")
        assert job.row(2).fields.get("assigned_user_id", own) == own


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


def test_memory_does_not_grow(desk: Desk) -> None:
    """What planning holds after two thousand rows is no more than after one thousand."""
    rows = ({"accountname": f"Org {i}", "phone": str(i)} for i in range(2_000))
    of_planning = tracemalloc.Filter(True, "*/vtiger_async/bulk/*", all_frames=True)
    held: dict[int, int] = {}

    def look(count: int) -> None:
        if count in (1_000, 2_000):
            gc.collect()
            snapshot = tracemalloc.take_snapshot().filter_traces([of_planning])
            held[count] = sum(trace.size for trace in snapshot.statistics("filename"))

    tracemalloc.start(2)
    try:
        anyio.run(partial(desk.plan, accounts(rows), progress=look))
    finally:
        tracemalloc.stop()
    assert held[2_000] < held[1_000] + 20_000
