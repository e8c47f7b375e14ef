"""What becomes of rows: the modes, and rows that repeat a key."""

from __future__ import annotations

from typing import Any

import pytest
from planned import ADMIN, Desk, accounts, named

from vtiger_async.bulk.load import Load

pytestmark = pytest.mark.anyio


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
