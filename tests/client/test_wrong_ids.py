"""Ids of other modules in conditions: the server looks at their numbers alone, the client not."""

from __future__ import annotations

import pytest
from asking import WAYS, ask

from vtiger_async import F, InvalidArgumentError, InvalidIdError, parse, select
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES, ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

ALONE = "the server looks at the number alone"


async def world(profile: ProfileName) -> tuple[Sandbox, str, str]:
    """Return a sandbox, a contact's id, and the id of the account it belongs to."""
    sandbox = Sandbox(profile=profile, limits=False, records=0)
    async with sandbox.client() as crm:
        account = await crm.create("Accounts", {"accountname": "A", "assigned_user_id": "19x1"})
        for name in ("One", "Two"):
            contact = await crm.create(
                "Contacts",
                {"lastname": name, "account_id": account.id, "assigned_user_id": "19x1"},
            )
    return sandbox, str(contact.id), str(account.id)


def moved(record_id: str) -> str:
    """Return the number of an id under a prefix that no module has."""
    return f"99x{record_id.partition('x')[2]}"


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("way", WAYS)
async def test_records_of_another_id_are_not_given(profile: ProfileName, way: str) -> None:
    """Where an id's prefix is wrong, records that the server finds by its number are an error."""
    sandbox, contact, account = await world(profile)
    for wrong in (
        F.id == moved(contact),
        F.id.in_([contact, moved(contact)]),
        F.account_id == moved(account),
        F.account_id != moved(account).replace("x", "x9"),
        F.assigned_user_id == "99x1",
        (F.account_id == moved(account)) | (F.lastname == "Two"),
    ):
        for fields in ((), ("lastname",)):
            async with sandbox.client() as crm:
                with pytest.raises(InvalidArgumentError, match=ALONE):
                    await ask(crm, select("Contacts", *fields).where(wrong), way)


async def test_a_query_that_found_wrong_records_gives_none_later() -> None:
    """The error comes again instead of the rest, and then before any call."""
    sandbox, _, account = await world("cloud")
    async with sandbox.client() as crm:
        query = crm.query(select("Contacts", "lastname").where(F.account_id == moved(account)))
        for _ in range(2):
            with pytest.raises(InvalidArgumentError, match=ALONE):
                await anext(query)
        spent = sandbox.ledger()["calls"]
        await crm.describe("Accounts")
        again = select("Contacts").where(F.account_id == moved(account))
        with pytest.raises(InvalidArgumentError, match="not to what 99x"):
            await crm.query(again).all()
        assert sandbox.ledger()["calls"] == {**spent, "describe": spent["describe"] + 1}


@pytest.mark.parametrize("profile", PROFILES)
async def test_right_ids_cost_nothing_more(profile: ProfileName) -> None:
    """References that equal what they should are proven by the records: no describe is spent."""
    sandbox, contact, account = await world(profile)
    async with sandbox.client() as crm:
        spent = sandbox.ledger()["calls"].get("query", 0)
        rows = await crm.query(
            select("Contacts", "lastname").where(F.account_id == account).limit(2)
        ).all()
        assert [set(row) for row in rows] == [{"lastname", "id"}] * 2
        assert await crm.query(select("Contacts").where(F.id == contact).limit(1)).all()
        calls = sandbox.ledger()["calls"]
    assert calls["query"] - spent == 2
    assert "describe" not in calls


async def test_text_that_looks_like_an_id_is_text() -> None:
    """A text field may hold what looks like an id, and alternatives may show another of them."""
    sandbox = Sandbox(limits=False, records=0)
    async with sandbox.client() as crm:
        for size in ("2x4", "3x4"):
            await crm.create(
                "Contacts", {"lastname": "x", "title": size, "assigned_user_id": "19x1"}
            )
        either = (F.title == "2x4") | (F.lastname == "x")
        found = await crm.query(select("Contacts", "title").where(either)).all()
        assert sorted(record["title"] for record in found) == ["2x4", "3x4"]
        assert await crm.query(select("Contacts").where(F.title != "2x4")).count() == 1


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("account_id = ' '", "= ' '"),
        ("account_id = 5", "= 5"),
        ("account_id in ('3x1','5')", "IN"),
        ("assigned_user_id = 0", "= 0"),
    ],
)
async def test_what_is_no_id_is_told(profile: ProfileName, condition: str, told: str) -> None:
    """What a reference cannot equal is refused by the server, with the condition and a remedy."""
    sandbox, _, _ = await world(profile)
    text = f"select id from Contacts where lastname != 'x' and {condition};"
    async with sandbox.client() as crm:
        with pytest.raises(InvalidIdError, match=f"{told}.*4x0 finds a reference"):
            await crm.query(text).all()
        await crm.describe("Contacts")
        spent = sandbox.ledger()["calls"]
        with pytest.raises(InvalidArgumentError, match="holds record ids, and"):
            await crm.query(text).all()
        assert sandbox.ledger()["calls"] == spent
        with pytest.raises(InvalidIdError, match=f": {condition.split()[0]} {told}"):
            await crm.call("GET", "query", {"query": text})


@pytest.mark.parametrize("profile", PROFILES)
async def test_an_empty_reference_is_found_by_number_0(profile: ProfileName) -> None:
    """The prefix of what a reference refers to, with 0, finds records that refer to nothing."""
    sandbox, _, account = await world(profile)
    async with sandbox.client() as crm:
        lonely = await crm.create("Contacts", {"lastname": "x", "assigned_user_id": "19x1"})
        nothing = f"{account.partition('x')[0]}x0"
        await crm.describe("Contacts")
        found = await crm.query(select("Contacts").where(F.account_id == nothing)).all()
        assert [record.id for record in found] == [lonely.id]


async def test_related_records_of_another_id_are_not_given() -> None:
    """Inside a relation the same holds."""
    sandbox, _, account = await world("oss-8.4")
    text = f"select lastname from Contacts where account_id = '{moved(account)}' order by birthday"
    async with sandbox.client() as crm:
        with pytest.raises(InvalidArgumentError, match=ALONE):
            await crm.query_related(text, account, "Contacts").all()
    async with sandbox.client() as crm:
        with pytest.raises(InvalidArgumentError, match=ALONE):
            await crm.query_related(text, account, "Contacts").count()
        assert await crm.query_related(parse("select * from Contacts;"), account, "Contacts").all()
