"""Keys of every kind, as rows have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from planned import ADMIN, Desk, accounts

from vtiger_async.bulk.load import Load
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = pytest.mark.anyio


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
