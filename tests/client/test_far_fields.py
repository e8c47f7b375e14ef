"""Orders by fields of tables that the server reads only where one of their fields is asked for."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from vtiger_async import F, Record, Select, VtigerClient, parse, select
from vtiger_async.client.projection import as_sent
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES, ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

SIZE = 230
ORDERS = [
    select("Contacts", "id").order_by("birthday"),
    select("Contacts", "lastname").order_by("birthday", descending=True),
    select("Contacts", "lastname").order_by("birthday").limit(120).offset(7),
    select("Contacts", "lastname").order_by("birthday", descending=True).limit(110).offset(7),
    select("Contacts", "lastname").order_by("mailingcity", "birthday"),
    select("Contacts", "lastname").order_by("mailingcity", "birthday", descending=True),
    select("Contacts", "lastname").where(F.lastname.startswith("N")).order_by("birthday"),
]


class World:
    """A sandbox with contacts of several cities and birthdays, some hidden from `sales`."""

    def __init__(self, profile: ProfileName) -> None:
        self.sandbox = Sandbox(profile=profile, limits=False, records=0)
        draw = random.Random(profile)
        self.account = self.create("Accounts", accountname="A", assigned_user_id="19x1")
        self.rows = {
            self.create("Contacts", **fields): fields
            for fields in (
                {
                    "lastname": f"N{number}",
                    "account_id": self.account,
                    "birthday": f"19{draw.randrange(50, 99)}-01-{draw.randrange(1, 29):02}",
                    "mailingcity": draw.choice(["Bern", "Lyon", "Riga"]),
                    "assigned_user_id": draw.choice(["19x5", "19x5", "19x1"]),
                }
                for number in range(SIZE)
            )
        }

    def create(self, module: str, **fields: str) -> str:
        params = {"elementType": module, "element": json.dumps(fields)}
        made: Any = self.sandbox.engine.execute(
            "create", params, self.sandbox.engine.users["admin"]
        )
        return str(made["id"])

    def keys(self, statement: Select, user: str) -> list[list[str]]:
        """Return the values that the records of a statement are sorted by, in its order."""
        seen = [
            row
            for row in self.rows.values()
            if user == "admin" or row["assigned_user_id"] == "19x5"
        ]
        keys = [[row[name] for name in statement.order_fields] for row in seen]
        keys.sort(key=lambda key: key[-1], reverse=statement.descending)
        keys.sort(key=lambda key: key[:-1])
        offset = statement.offset_by or 0
        return keys[offset:][: statement.limit_to]


def keys_of(world: World, statement: Select, found: list[Record]) -> list[list[str]]:
    return [[world.rows[record.id][name] for name in statement.order_fields] for record in found]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("user", ["admin", "sales"])
@pytest.mark.parametrize("statement", ORDERS, ids=str)
async def test_an_order_by_any_field_gives_every_record(
    profile: ProfileName, user: str, statement: Select
) -> None:
    """Fields to sort by need not be selected; records hold what was asked for, and the id."""
    world = World(profile)
    wanted = world.keys(statement, user)
    async with world.sandbox.client(user) as crm:
        found = await crm.query(statement).all()
        assert keys_of(world, statement, found) == wanted
        assert {frozenset(record) for record in found} == {frozenset({*statement.fields, "id"})}
        assert await crm.query(statement).count() == len(wanted)
        first = await crm.query(statement).first()
        assert first is not None
        assert keys_of(world, statement, [first]) == wanted[:1]
        assert set(first) == {*statement.fields, "id"}
        typed = await crm.query(statement.limit(3)).typed().all()
        assert [set(record) for record in typed] == [{*statement.fields, "id"}] * 3


async def pages_of(crm: VtigerClient, statement: Select, token: str | None) -> list[Record]:
    query = crm.query(statement, resume=token)
    return [record async for page in query.pages() for record in page]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("statement", ORDERS[:4], ids=str)
async def test_such_a_reading_goes_on_from_its_token(
    profile: ProfileName, statement: Select
) -> None:
    """A token from the middle of a page goes on there, by pages too."""
    world = World(profile)
    async with world.sandbox.client() as crm:
        query = crm.query(statement)
        begun = [await anext(query) for _ in range(50)]
        rest = await pages_of(crm, statement, query.resume_token)
    assert keys_of(world, statement, begun + rest) == world.keys(statement, "admin")
    assert {frozenset(record) for record in begun + rest} == {frozenset({*statement.fields, "id"})}


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("statement", ORDERS, ids=str)
async def test_the_related_records_are_sorted_so_too(
    profile: ProfileName, statement: Select
) -> None:
    """Inside a relation, and over alternatives, the same holds."""
    world = World(profile)
    either = statement.where((F.mailingcity != "Oslo") | (F.lastname == "N1"))
    async with world.sandbox.client() as crm:
        for one in (statement, either):
            found = await crm.query_related(one, world.account, "Contacts").all()
            assert keys_of(world, one, found) == world.keys(one, "admin")
            fields = {frozenset(record) for record in found}
            assert fields == {frozenset({*one.fields, "id"})}


def test_what_is_sent_selects_what_it_needs() -> None:
    """Fields to sort by, and those that equal ids, are selected; `...from` is never last."""
    for text, sent in [
        ("select id from A order by x, y desc;", "SELECT id, x, y FROM A ORDER BY x, y DESC;"),
        ("select x from A order by id, x;", "SELECT x FROM A ORDER BY id, x;"),
        ("select x from A order by c_from;", "SELECT x, c_from, id FROM A ORDER BY c_from;"),
        ("select x from A where r = '4x1';", "SELECT x, r FROM A WHERE r = '4x1';"),
        ("select x from A where r != '4x1';", "SELECT x FROM A WHERE r != '4x1';"),
        ("select * from A order by x;", "SELECT * FROM A ORDER BY x;"),
        ("select count(*) from A where r = '4x1';", "SELECT count(*) FROM A WHERE r = '4x1';"),
    ]:
        assert str(as_sent(parse(text))) == sent
