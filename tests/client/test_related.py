"""Related records: any condition, order and limit, inside of the relation, each record once."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from vtiger_async import F, InvalidArgumentError, InvalidIdError, Record, Select, parse, select
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

FIELDS = ("title", "department")


class World:
    """A sandbox with an organisation, its contacts, and others that would match as well."""

    def __init__(self, profile: ProfileName = "cloud") -> None:
        self.sandbox = Sandbox(profile=profile, limits=False, records=0)
        self.admin = self.sandbox.engine.users["admin"]
        self.account = self.create("Accounts", accountname="Acme")
        self.rows: dict[str, dict[str, str]] = {}

    def create(self, module: str, owner: str = "19x5", **fields: str) -> str:
        element = json.dumps({"assigned_user_id": owner, **fields})
        params = {"elementType": module, "element": element}
        made: Any = self.sandbox.engine.execute("create", params, self.admin)
        return str(made["id"])

    def fill(self, draw: random.Random, size: int, hidden: float = 0.0) -> None:
        """Relate so many contacts, in runs that `sales` may see or not, among strangers."""
        is_hidden = False
        for number in range(size):
            if number % 40 == 0:
                is_hidden = draw.random() < hidden
            fields = {name: f"{name[0]}{draw.randrange(6)}" for name in FIELDS}
            fields["email"] = f"c{number}@example.com"
            owner = "19x1" if is_hidden else "19x5"
            rid = self.create("Contacts", owner, lastname="x", account_id=self.account, **fields)
            if not is_hidden:
                self.rows[rid] = fields
            if draw.random() < 0.2:
                self.create("Contacts", lastname="stranger", **fields)

    @property
    def calls(self) -> int:
        return sum(self.sandbox.ledger()["calls"].values())


def drawn_condition(draw: random.Random) -> tuple[Any, Any]:
    """Return a condition, and the function that says the same."""
    name = draw.choice(FIELDS)
    value = f"{name[0]}{draw.randrange(6)}"
    others = [f"{name[0]}{number}" for number in draw.sample(range(6), 3)]
    return draw.choice(
        [
            (F[name] == value, lambda row: row[name] == value),
            (F[name] != value, lambda row: row[name] != value),
            (F[name] < value, lambda row: row[name] < value),
            (F[name].in_(others), lambda row: row[name] in others),
            (F[name].startswith(name[0]), lambda _: True),
        ]
    )


def drawn_where(draw: random.Random) -> tuple[list[Any], Any]:
    """Return conditions of the form a & b | c & d | ..., and what says the same."""
    groups = [
        [drawn_condition(draw) for _ in range(draw.randrange(1, 3))]
        for _ in range(draw.randrange(4))
    ]
    whole: Any = None
    for group in groups:
        one: Any = group[0][0]
        for condition, _ in group[1:]:
            one = one & condition
        whole = one if whole is None else whole | one

    def holds(row: dict[str, str]) -> bool:
        return not groups or any(all(test(row) for _, test in group) for group in groups)

    return ([] if whole is None else [whole]), holds


ORDERS: list[tuple[tuple[str, ...], bool]] = [
    ((), False),
    (("id",), True),
    (("title",), False),
    (("title",), True),
    (("title", "department"), False),
    (("title", "department"), True),
]


def sorted_rows(
    rows: dict[str, dict[str, str]], order: tuple[str, ...], *, descending: bool
) -> list[tuple[str, ...]]:
    """Return the values of the order's fields of some records, in that order."""
    if order in ((), ("id",)):
        ids = sorted(rows, key=lambda rid: int(rid.partition("x")[2]), reverse=descending)
        return [(rid,) for rid in ids]
    values = [tuple(row[name] for name in order) for row in rows.values()]
    values.sort(key=lambda value: value[-1], reverse=descending)
    return sorted(values, key=lambda value: value[:-1])


def shown(records: list[Record], order: tuple[str, ...]) -> list[tuple[str, ...]]:
    names = order or ("id",)
    return [tuple(str(record[name]) for name in names) for record in records]


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
@pytest.mark.parametrize("user", ["admin", "sales"])
@pytest.mark.parametrize("seed", range(5))
async def test_any_statement_holds_inside_the_relation(
    profile: ProfileName, user: str, seed: int
) -> None:
    """Any condition, order, limit and offset give what they say, of the related, each once."""
    draw = random.Random(f"{seed} {profile} {user}")
    world = World(profile)
    world.fill(draw, draw.choice([0, 1, 99, 100, 101, draw.randrange(350), 350]),
               0.5 if user == "sales" else 0.0)  # fmt: skip
    async with world.sandbox.client(user) as crm:
        for order, descending in ORDERS:
            where, holds = drawn_where(draw)
            statement = select("Contacts", *FIELDS).where(*where)
            statement = statement.order_by(*order, descending=descending)
            matching = {rid: row for rid, row in world.rows.items() if holds(row)}
            expected = sorted_rows(matching, order, descending=descending)
            found = await crm.query_related(statement, world.account, "Contacts").all()
            assert shown(found, order) == expected, str(statement)
            assert {str(record.id) for record in found} == set(matching)
            skip, limit = draw.randrange(150), draw.randrange(1, 150)
            cut = crm.query_related(statement.offset(skip).limit(limit), world.account, "Contacts")
            assert shown(await cut.all(), order) == expected[skip : skip + limit], str(statement)
            assert await cut.count() == len(expected[skip : skip + limit])
            first = await crm.query_related(statement, world.account, "Contacts").first()
            assert shown([first] if first else [], order) == expected[:1]


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
@pytest.mark.parametrize("user", ["admin", "sales"])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250, 350])
async def test_all_related_records_come_whoever_asks(
    profile: ProfileName, user: str, size: int
) -> None:
    """retrieve_related gives all that the user sees, where whole pages are hidden too."""
    draw = random.Random(f"{size} {user}")
    world = World(profile)
    world.fill(draw, size, 0.7 if user == "sales" else 0.0)
    async with world.sandbox.client(user) as crm:
        related = crm.retrieve_related(world.account, "Contacts", "Contacts")
        found = [str(record.id) for record in await related.all()]
        assert sorted(found) == sorted(world.rows)
        assert await related.count() == len(found)
        first = await related.first()
        assert (first is None) is (not found)


async def test_the_last_of_what_the_server_hides_is_found() -> None:
    """The 150 first related records are hidden, and the one behind them comes."""
    world = World()
    for _ in range(150):
        world.create("Contacts", "19x1", lastname="x", account_id=world.account)
    last = world.create("Contacts", "19x5", lastname="x", account_id=world.account)
    async with world.sandbox.client("sales") as crm:
        found = await crm.retrieve_related(world.account, "Contacts", "Contacts").all()
    assert [record.id for record in found] == [last]


async def test_what_an_order_over_alternatives_costs() -> None:
    """Few matching ids are named, and read in order; many are picked from the whole relation."""
    world = World()
    world.fill(random.Random(1), 500)
    either = (F.title == "t1") | (F.department == "d1")
    async with world.sandbox.client() as crm:
        await crm.me()
        statement = select("Contacts", "email").where(either).order_by("email").limit(5)
        before = world.calls
        await crm.query_related(statement, world.account, "Contacts").all()
        assert world.calls - before <= 6
        long = ((F.title != "t1") | (F.department != "d1")) & (F.email != "no")
        many = select("Contacts", "email").where(long).order_by("email")
        found = await crm.query_related(many, world.account, "Contacts").all()
    emails = [str(record["email"]) for record in found]
    matching = [
        row["email"]
        for row in world.rows.values()
        if row["title"] != "t1" or row["department"] != "d1"
    ]
    assert emails == sorted(matching)


async def test_alternatives_of_one_field_are_one_statement() -> None:
    """`a = 'x' or a = 'y'` is sent as IN: no alternative costs a call of its own."""
    world = World()
    world.fill(random.Random(1), 30)
    text = "select id from Contacts where title = 't1' or title = 't2' order by email"
    async with world.sandbox.client() as crm:
        await crm.me()
        found = await crm.query_related(text, world.account, "Contacts").all()
    assert len(found) == sum(row["title"] in ("t1", "t2") for row in world.rows.values())
    assert world.sandbox.ledger()["calls"]["query_related"] == 2


async def test_a_long_list_is_ordered_too() -> None:
    """What is too long for one URL is read in the order asked for, with its limit."""
    world = World()
    world.fill(random.Random(1), 120)
    wanted = [f"c{number}@example.com" for number in range(700)]
    statement = select("Contacts", "email").where(F.email.in_(wanted)).order_by("email")
    async with world.sandbox.client() as crm:
        related = crm.query_related(statement.limit(40).offset(3), world.account, "Contacts")
        found = [str(record["email"]) for record in await related.all()]
        assert await related.count() == 40
    assert found == sorted(row["email"] for row in world.rows.values())[3:43]


async def test_a_count_is_awaited() -> None:
    """A count(*) of related records has no records, and a count."""
    world = World()
    world.fill(random.Random(1), 30)
    async with world.sandbox.client() as crm:
        related = crm.query_related("select count(*) from Contacts", world.account, "Contacts")
        assert await related.count() == 30
        with pytest.raises(InvalidArgumentError, match="await the count"):
            await related.all()
        nothing = crm.query_related(select("Contacts").limit(0), world.account, "Contacts")
        assert (await nothing.first(), await nothing.all()) == (None, [])


@pytest.mark.parametrize("statement", [
    select("Contacts").order_by("emial"),
    parse("select * from Contacts where assigned_user_id = '5';"),
])  # fmt: skip
async def test_no_related_record_is_no_proof_where_the_statement_is_at_fault(
    statement: Select,
) -> None:
    """An unknown field in ORDER BY, or a reference without prefix, is told and not passed over."""
    world = World()
    world.fill(random.Random(1), 3)
    async with world.sandbox.client() as crm:
        related = crm.query_related(statement, world.account, "Contacts")
        with pytest.raises(InvalidArgumentError, match=r"emial.*did you mean 'email'|'5'"):
            await related.all()
        with pytest.raises(InvalidArgumentError):
            await related.count()
        with pytest.raises(InvalidIdError):
            crm.query_related("select * from Contacts where id = 5", world.account, "Contacts")
