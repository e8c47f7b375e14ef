"""Queries of users who see only some records: pages are hidden, and each record comes once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from vtiger_async import F, Record, Select, VtigerClient, select
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES, ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

ORDERS = [
    select("Contacts", "firstname"),
    select("Contacts", "firstname").order_by("id", descending=True),
    select("Contacts", "firstname").order_by("firstname"),
    select("Contacts", "firstname").order_by("firstname", descending=True),
    select("Contacts", "lastname", "firstname").order_by("lastname", "firstname", descending=True),
]


class World:
    """A sandbox whose contacts belong to the user `sales`, or are hidden from that user."""

    def __init__(self, profile: ProfileName = "cloud", *, in_sql: bool = False) -> None:
        self.sandbox = Sandbox(profile=profile, limits=False, records=0)
        engine = self.sandbox.engine
        engine.profile = evolve(engine.profile, rights_in_sql=in_sql)
        self.admin = self.sandbox.engine.users["admin"]
        self.ids: list[str] = []
        self.mine: dict[str, str] = {}

    def create(self, *, mine: bool, firstname: str = "x", **fields: Any) -> str:
        owner = "19x5" if mine else "19x1"
        element = {
            "lastname": "Name", "firstname": firstname, "assigned_user_id": owner, **fields
        }  # fmt: skip
        made: Any = self.sandbox.engine.execute(
            "create", {"elementType": "Contacts", "element": json.dumps(element)}, self.admin
        )
        self.ids.append(made["id"])
        if mine:
            self.mine[made["id"]] = made["firstname"]
        return str(made["id"])

    def revise(self, rid: str, **fields: str) -> None:
        element = json.dumps({"id": rid, **fields})
        self.sandbox.engine.execute("revise", {"element": element}, self.admin)

    def delete(self, rid: str) -> None:
        self.sandbox.engine.execute("delete", {"id": rid}, self.admin)
        self.mine.pop(rid, None)

    def runs(self, draw: random.Random, *sizes: int) -> None:
        """Create runs of records by turns hidden and seen."""
        for place, size in enumerate(sizes):
            for _ in range(size):
                name = f"{draw.randrange(5)}" if draw.random() < 0.5 else f"{draw.randrange(1000)}"
                self.create(mine=place % 2 == 1, firstname=name)

    @property
    def calls(self) -> int:
        return sum(self.sandbox.ledger()["calls"].values())

    def in_order(self, statement: Select) -> list[str]:
        """Return what the user sees, in the statement's order; equal values by id."""
        ids = sorted(self.mine, key=lambda rid: int(rid.partition("x")[2]))
        if "firstname" in statement.order_fields:
            return sorted(ids, key=self.mine.__getitem__, reverse=statement.descending)
        return ids[::-1] if statement.descending else ids


def assert_order(world: World, statement: Select, found: list[Record]) -> None:
    """Check that the records are those in the sandbox, once each, and sorted."""
    assert sorted(str(record.id) for record in found) == sorted(world.mine)
    if statement.order_fields in ((), ("id",)):
        assert [str(record.id) for record in found] == world.in_order(statement)
    else:
        names = [record["firstname"] for record in found]
        assert names == sorted(names, reverse=statement.descending)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("statement", ORDERS, ids=str)
@pytest.mark.parametrize(
    ("seed", "in_sql"), [*((n, False) for n in range(6)), (6, True), (7, True)]
)
async def test_windows_of_hidden_records_hide_nothing_else(
    profile: ProfileName, statement: Select, seed: int, in_sql: bool
) -> None:
    """Runs of up to 350 hidden records, anywhere, leave the rest complete, sorted, and once."""
    draw = random.Random(f"{seed} {statement}")
    world = World(profile, in_sql=in_sql)
    sizes = [draw.choice([0, 1, 99, 100, 101, draw.randrange(350)]) for _ in range(5)]
    world.runs(draw, *sizes)
    async with world.sandbox.client("sales") as crm:
        found = await crm.query(statement).all()
        assert_order(world, statement, found)
        assert await crm.query(statement).count() == len(found)
        first = await crm.query(statement).first()
        assert (first is None) is (not found)
        assert first is None or first["firstname"] == found[0]["firstname"]


@pytest.mark.parametrize("statement", ORDERS, ids=str)
@pytest.mark.parametrize(("offset", "limit"), [(0, 7), (40, 30), (130, 150), (399, 5), (0, 400)])
@pytest.mark.parametrize("in_sql", [False, True])
async def test_limit_and_offset_count_what_is_seen(
    statement: Select, offset: int, limit: int, in_sql: bool
) -> None:
    """LIMIT and offset count the records that the user sees, whatever is hidden between them."""
    draw = random.Random(3)
    world = World(in_sql=in_sql)
    world.runs(draw, 120, 90, 30, 60, 210, 150)
    cut = statement.offset(offset).limit(limit)
    async with world.sandbox.client("sales") as crm:
        whole = [record["firstname"] for record in await crm.query(statement).all()]
        found = [record["firstname"] for record in await crm.query(cut).all()]
        assert found == whole[offset : offset + limit]
        assert await crm.query(cut).count() == len(found)


@pytest.mark.parametrize("statement", ORDERS, ids=str)
@pytest.mark.parametrize("at", [0, 1, 30, 100, 101, 200])
async def test_a_reading_between_hidden_records_goes_on_from_its_token(
    statement: Select, at: int
) -> None:
    """Interrupted anywhere, with an offset, the rest is given by another query, once each."""
    world = World()
    world.runs(random.Random(4), 150, 60, 120, 160, 130, 40, 10)
    cut = statement.offset(20)
    async with world.sandbox.client("sales") as crm:
        whole = [record.id for record in await crm.query(cut).all()]
        query = crm.query(cut)
        begun = [(await anext(query)).id for _ in range(at)]
        rest = [record.id for record in await crm.query(cut, resume=query.resume_token).all()]
    assert sorted(begun + rest) == sorted(whole)
    assert len(whole) == 240


async def read_while(
    crm: VtigerClient, statement: Select, disturb: Callable[[], None]
) -> list[Record]:
    """Read a statement, and call `disturb` after each page."""
    records: list[Record] = []
    async for page in crm.query(statement).pages():
        records += page
        disturb()
    return records


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("statement", ORDERS, ids=str)
@pytest.mark.parametrize(
    ("seed", "in_sql"), [*((n, False) for n in range(4)), (4, True), (5, True)]
)
async def test_writes_of_others_lose_and_repeat_nothing(
    profile: ProfileName, statement: Select, seed: int, in_sql: bool
) -> None:
    """Records that are seen throughout come once, whatever is written between any two calls."""
    draw = random.Random(seed)
    world = World(profile, in_sql=in_sql)
    world.runs(draw, draw.randrange(200), 90, draw.randrange(250), 110, draw.randrange(200))
    still = set(world.mine)
    everyone = sorted(still)
    numbers = [rid for rid in world.ids if rid not in still]
    execute: Callable[..., Any] = world.sandbox.engine.execute
    count = 0

    def disturbed(operation: str, params: Any, user: Any, *rest: Any, **options: Any) -> Any:
        nonlocal count
        result = execute(operation, params, user, *rest, **options)
        if operation == "query" and user is not world.admin and count < 60:
            count += 1
            for _ in range(3):
                action = draw.choice(["create", "hide", "rename", "delete", "delete hidden"])
                victim = draw.choice(everyone)
                if action == "create":
                    world.create(mine=draw.random() < 0.5, firstname=f"{draw.randrange(5)}")
                elif action == "rename" and victim in still:
                    world.revise(victim, firstname=f"{draw.randrange(1000)}")
                elif action == "hide" and victim in still:
                    still.discard(victim)
                    world.revise(victim, assigned_user_id="19x1")
                elif action == "delete" and victim in still:
                    still.discard(victim)
                    world.delete(victim)
                elif action == "delete hidden" and numbers:
                    world.delete(numbers.pop(draw.randrange(len(numbers))))
        return result

    world.sandbox.engine.execute = disturbed  # type: ignore[method-assign]  # writes in between
    async with world.sandbox.client("sales") as crm:
        given = [str(record.id) for record in await crm.query(statement).all()]
    assert len(given) == len(set(given))
    assert still <= set(given)
    assert count > 2


@pytest.mark.parametrize("statement", ORDERS[:2], ids=str)
async def test_a_long_hidden_run_costs_few_calls(statement: Select) -> None:
    """Behind 1,500 hidden records the next is found by counting: some 20 calls."""
    world = World()
    world.runs(random.Random(1), 0, 20, 1500, 20)
    async with world.sandbox.client("sales") as crm:
        found = await crm.query(statement).all()
    assert [record.id for record in found] == world.in_order(statement)
    assert world.calls < 25


async def test_what_names_its_ids_needs_no_proof() -> None:
    """A statement of up to 100 ids cannot match more than one page: it costs one call."""
    world = World()
    world.runs(random.Random(1), 150, 20)
    wanted = F["id"].in_(list(world.mine))
    async with world.sandbox.client("sales") as crm:
        assert len(await crm.query(select("Contacts").where(wanted)).all()) == 20
    assert world.calls == 1


@pytest.mark.parametrize("statement", ORDERS, ids=str)
async def test_where_count_gives_nothing_hidden_records_are_passed_too(
    statement: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On servers whose count(*) is an empty list, runs of hidden records end no reading."""
    world = World()
    world.runs(random.Random(2), 230, 40, 310, 60, 120)
    execute: Callable[..., Any] = world.sandbox.engine.execute

    def broken(operation: str, params: Any, *rest: Any, **options: Any) -> Any:
        counts = operation == "query" and "count(*)" in params["query"]
        return [] if counts else execute(operation, params, *rest, **options)

    monkeypatch.setattr(world.sandbox.engine, "execute", broken)
    async with world.sandbox.client("sales") as crm:
        assert_order(world, statement, await crm.query(statement).all())
        assert await crm.query(statement).count() == 100
        nobody = statement.where(F.lastname == "Nobody")
        assert await crm.query(nobody).all() == []
    async with world.sandbox.client() as crm:
        assert await crm.query(statement).count() == 760
        assert len(await crm.query(statement).all()) == 760


async def test_a_count_that_counts_hidden_records_ends_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where count(*) tells of records that are never shown, a reading ends after some ranges."""
    world = World()
    world.runs(random.Random(2), 0, 30, 260)
    execute: Callable[..., Any] = world.sandbox.engine.execute

    def counting(operation: str, params: Any, user: Any, *rest: Any, **options: Any) -> Any:
        counts = operation == "query" and "count(*)" in params["query"]
        return execute(operation, params, world.admin if counts else user, *rest, **options)

    monkeypatch.setattr(world.sandbox.engine, "execute", counting)
    async with world.sandbox.client("sales") as crm:
        for statement in ORDERS:
            assert_order(world, statement, await crm.query(statement).all())


@pytest.mark.parametrize("statement", ORDERS[:2], ids=str)
async def test_records_that_vanish_while_they_are_looked_for_end_the_search(
    statement: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What count(*) told of and somebody deleted is not looked for without end."""
    world = World()
    world.runs(random.Random(2), 0, 0, 300, 1, 120)
    execute: Callable[..., Any] = world.sandbox.engine.execute

    def vanishing(operation: str, params: Any, *rest: Any, **options: Any) -> Any:
        result = execute(operation, params, *rest, **options)
        if operation == "query" and "count(*)" in params["query"] and world.mine:
            world.delete(next(iter(world.mine)))
        return result

    monkeypatch.setattr(world.sandbox.engine, "execute", vanishing)
    async with world.sandbox.client("sales") as crm:
        assert await crm.query(statement).all() == []
    assert world.calls < 60
