"""Queries to their end: every record exactly once, whatever happens while they run."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from contacts import Crm

from vtiger_async import (
    F,
    InvalidArgumentError,
    QuerySyntaxError,
    Record,
    RetryPolicy,
    Select,
    VtigerClient,
    parse,
    select,
)
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def read_while(
    crm: VtigerClient, statement: Select, disturb: Callable[[int], None]
) -> list[Record]:
    """Read a statement, and call `disturb` between its pages."""
    records: list[Record] = []
    number = 0
    async for page in crm.query(statement).pages():
        records += page
        disturb(number)
        number += 1
    return records


async def test_all_pages_are_read_by_keyset() -> None:
    """250 records are given in the order of their ids, for four calls: three pages and the end."""
    world = Crm(250)
    async with world.client() as crm:
        found = [record.id async for record in crm.query(select("Contacts", "lastname"))]
    assert found == world.ids
    assert world.calls == 4


async def test_an_administrator_is_recognised_once_and_pays_nothing_more() -> None:
    """The first page that is empty is followed by one `me` and one describe, no other ever is."""
    world = Crm(3)
    async with world.client() as crm:
        nobody = select("Contacts").where(F.lastname == "Nobody")
        assert len(await crm.query(select("Contacts")).all()) == 3
        assert await crm.query(nobody).all() == []
        assert await crm.with_options(timeout=9).query(nobody).first() is None
    assert world.sandbox.ledger()["calls"] == {"query": 4, "me": 1, "describe": 1}


async def test_an_empty_result_of_anyone_else_is_proven() -> None:
    """Of a user who does not see everything, each empty page is followed by one count(*)."""
    world = Crm(3)
    async with world.sandbox.client("sales") as crm:
        assert await crm.query(select("Contacts")).all() == []
        assert await crm.query(select("Contacts")).all() == []
    assert world.sandbox.ledger()["calls"] == {"query": 4, "me": 1}


@pytest.mark.parametrize(("user", "calls"), [("admin", 1), ("sales", 2)])
async def test_the_open_source_tells_an_administrator_by_the_own_record(
    user: str, calls: int
) -> None:
    """Where `me` says nothing of it, only an administrator can retrieve the own user record."""
    sandbox = Sandbox(profile="oss-8.4", limits=False, records=0)
    async with sandbox.client(user) as crm:
        for _ in range(2):
            await crm.me()
            assert await crm.query(select("Contacts")).all() == []
    assert sandbox.ledger()["calls"] == {"query": 2 * calls, "me": 3, "retrieve": 1}


async def test_where_nobody_tells_who_is_an_administrator_every_end_is_proven() -> None:
    """A server whose `me` fails is asked once, and then each end is counted."""
    world = Crm(3)
    world.sandbox.faults.add("500", operation="me", times=1)
    async with world.client(retry=RetryPolicy(max_attempts=1)) as crm:
        for _ in range(2):
            assert len(await crm.query(select("Contacts")).all()) == 3
    assert world.sandbox.ledger()["calls"] == {"query": 6, "me": 1}


async def test_a_restricted_user_who_is_known_is_never_cut_short() -> None:
    """After `me` has told so, a wholly hidden window behind a full page does not end the query."""
    world = Crm(500)
    for record_id in world.ids[:100] + world.ids[200:450:3] + world.ids[480:]:
        world.revise(record_id, assigned_user_id="19x5")
    async with world.sandbox.client("sales") as crm:
        await crm.me()
        found = [record.id async for record in crm.query(select("Contacts", "lastname"))]
    assert found == world.ids[:100] + world.ids[200:450:3] + world.ids[480:]


@pytest.mark.parametrize(
    "statement",
    [
        select("Contacts"),
        select("Contacts").order_by("id", descending=True),
        select("Contacts").order_by("lastname"),
        select("Contacts").order_by("lastname", descending=True),
        select("Contacts").order_by("lastname", "firstname", descending=True),
    ],
    ids=str,
)
async def test_pages_that_a_user_may_not_see_do_not_end_the_reading(statement: Select) -> None:
    """Whole pages are filtered away for a restricted user, and what stands behind them is read."""
    world = Crm(250)
    mine = [world.create("Mine", number, "19x5") for number in range(30)]
    for number in range(320):
        world.create("Theirs", number)
    mine += [world.create("Mine", number, "19x5") for number in range(120)]
    world.create("Theirs", 1)
    async with world.sandbox.client("sales") as crm:
        found = [str(record.id) async for record in crm.query(statement)]
        first = await crm.query(statement).first()
    assert sorted(found) == sorted(mine)
    assert first is not None
    assert first.id in mine


async def test_a_count_of_hidden_rows_too_does_not_read_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where count(*) goes on counting what is hidden, the reading ends all the same."""
    world = Crm(130)
    monkeypatch.setattr(world.engine, "execute", _hidden_beyond(world, 50))
    async with world.client() as crm:
        for statement in (select("Contacts"), select("Contacts").order_by("lastname")):
            found = [str(record.id) async for record in crm.query(statement)]
            assert sorted(found) == world.ids[:50]


def _hidden_beyond(world: Crm, seen: int) -> Callable[..., Any]:
    """Return a sandbox's `execute` that hides all contacts but the first, and counts them all."""
    execute: Callable[..., Any] = world.engine.execute
    visible = set(world.ids[:seen])

    def filtered(operation: str, params: Any, *rest: Any, **options: Any) -> Any:
        result = execute(operation, params, *rest, **options)
        if operation == "query" and "count(*)" not in params["query"]:
            return [row for row in result if row["id"] in visible]
        return result

    return filtered


async def test_text_is_a_query_too() -> None:
    """A statement may be given as text, with its trailing `;`."""
    world = Crm(3)
    async with world.client() as crm:
        records = await crm.query("SELECT lastname FROM Contacts WHERE lastname = 'Name 1';").all()
    assert [record["lastname"] for record in records] == ["Name 1"]
    assert records[0].module == "Contacts"


@pytest.mark.parametrize("text", ["select * from Contacts", "select * from Contacts where;", ""])
async def test_text_that_is_no_query_costs_no_call(text: str) -> None:
    """A statement that is not VTQL is refused before a call is spent."""
    world = Crm()
    async with world.client() as crm:
        with pytest.raises(QuerySyntaxError):
            crm.query(text)
    assert world.calls == 0


async def test_the_users_limit_holds_across_pages() -> None:
    """LIMIT 130 gives 130 records for two calls; LIMIT 0 costs none."""
    world = Crm(250)
    async with world.client() as crm:
        assert [r.id async for r in crm.query(select("Contacts").limit(130))] == world.ids[:130]
        assert world.calls == 2
        assert await crm.query(select("Contacts").limit(0)).all() == []
        assert world.calls == 2


async def test_the_users_offset_holds_across_pages() -> None:
    """LIMIT 20,150 gives the 21st to the 170th record."""
    world = Crm(250)
    async with world.client() as crm:
        found = [r.id async for r in crm.query("SELECT * FROM Contacts LIMIT 20,150;")]
    assert found == world.ids[20:170]


async def test_descending_ids_are_paged_downwards() -> None:
    """ORDER BY id DESC gives all records from the last to the first."""
    world = Crm(230)
    async with world.client() as crm:
        statement = select("Contacts").order_by("id", descending=True)
        assert [r.id async for r in crm.query(statement)] == world.ids[::-1]


@pytest.mark.parametrize("descending", [False, True])
async def test_another_order_is_honoured_across_pages(*, descending: bool) -> None:
    """ORDER BY a field with few values gives each record once, sorted, over all pages."""
    world = Crm(330)
    async with world.client() as crm:
        statement = select("Contacts", "lastname").order_by("lastname", descending=descending)
        records = await crm.query(statement).all()
    names = [record["lastname"] for record in records]
    assert sorted(record.id for record in records) == sorted(map(type(records[0].id), world.ids))
    assert names == sorted(names, reverse=descending)


async def test_one_ordered_page_needs_no_second_look() -> None:
    """An ordered result of one page costs two calls: the page, and the end."""
    world = Crm(50)
    async with world.client() as crm:
        assert len(await crm.query(select("Contacts").order_by("lastname")).all()) == 50
    assert world.calls == 2


async def test_the_top_of_an_order_costs_one_call() -> None:
    """ORDER BY with a LIMIT of one page is one call."""
    world = Crm(250)
    async with world.client() as crm:
        statement = select("Contacts").order_by("firstname", descending=True).limit(10)
        found = [record.id async for record in crm.query(statement)]
    assert found == world.ids[:-11:-1]
    assert world.calls == 1


async def test_an_ordered_limit_and_offset_hold_across_pages() -> None:
    """ORDER BY with LIMIT 10,220 gives the 11th to the 230th record of that order."""
    world = Crm(250)
    async with world.client() as crm:
        statement = select("Contacts").order_by("firstname").limit(220).offset(10)
        assert [r.id async for r in crm.query(statement)] == world.ids[10:230]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    ("order", "descending"),
    [((), False), (("id",), True), (("lastname",), False), (("lastname",), True)],
)
async def test_records_that_exist_throughout_are_given_exactly_once(
    seed: int, order: tuple[str, ...], *, descending: bool
) -> None:
    """Records created, changed and deleted between pages neither lose nor repeat another one."""
    world = Crm(320)
    draw = random.Random(seed)
    gone: set[str] = set()
    changed: set[str] = set()

    def disturb(page: int) -> None:
        if page > 8:
            return
        for _ in range(6):
            action = draw.choice(["create", "revise", "delete", "delete"])
            victim = draw.choice(world.ids)
            if action == "create":
                world.create(f"Name {draw.randrange(7)}")
            elif victim in gone:
                continue
            elif action == "delete":
                world.delete(victim)
                gone.add(victim)
            else:
                world.revise(victim, lastname=f"Name {draw.randrange(7)}")
                changed.add(victim)

    async with world.client() as crm:
        statement = select("Contacts").order_by(*order, descending=descending)
        records = await read_while(crm, statement, disturb)
    given = [str(record.id) for record in records]
    assert len(given) == len(set(given))
    assert set(world.ids) - gone <= set(given)


async def test_an_order_in_a_module_without_modified_time_is_exact_too() -> None:
    """Where changes cannot be asked for, all records are looked at again."""
    world = Crm(0)
    async with world.client() as crm:
        statement = select("Groups").order_by("groupname")
        groups = await crm.query(statement).all()
    assert len({group.id for group in groups}) == len(groups) > 0


async def test_line_items_joined_into_pages_do_not_end_a_query_early() -> None:
    """`select *` on Invoice gives short pages; every invoice comes exactly once."""
    sandbox = Sandbox(limits=False)
    async with sandbox.client() as crm:
        expected = [r.id async for r in crm.query(select("Invoice", "subject"))]
        found = [r.id async for r in crm.query(select("Invoice"))]
    assert len(expected) > 5
    assert found == expected


async def test_the_first_record_costs_one_call() -> None:
    """first() asks for one record; None is proven once, by me and the module's description."""
    world = Crm(5)
    async with world.client() as crm:
        first = await crm.query(select("Contacts")).first()
        assert first is not None
        assert first.id == world.ids[0]
        assert await crm.query(select("Contacts").where(F.lastname == "Nobody")).first() is None
        assert await crm.query(select("Contacts").limit(0)).first() is None
    assert world.sandbox.ledger()["calls"] == {"query": 2, "me": 1, "describe": 1}


async def test_count_costs_one_call_and_heeds_limit_and_offset() -> None:
    """count() is a count(*); the statement's LIMIT and offset are heeded afterwards."""
    world = Crm(250)
    async with world.client() as crm:
        assert await crm.query(select("Contacts")).count() == 250
        assert world.calls == 1
        assert await crm.query(select("Contacts").limit(120)).count() == 120
        assert await crm.query("SELECT * FROM Contacts LIMIT 200,120;").count() == 50
        assert await crm.query("SELECT count(*) FROM Contacts;").count() == 250


async def test_a_count_has_no_records() -> None:
    """Iterating over a count(*) is refused with the way to do it."""
    world = Crm()
    async with world.client() as crm:
        query = crm.query("SELECT count(*) FROM Contacts;")
        with pytest.raises(InvalidArgumentError, match=r"await query.count\(\)"):
            await query.all()
        with pytest.raises(InvalidArgumentError):
            query.pages()
    assert world.calls == 0


async def test_a_long_in_list_is_cut_and_each_record_comes_once() -> None:
    """An IN list of thousands of values is sent in statements that fit into a URL."""
    world = Crm(300)
    names = [f"c{number}@example.com" for number in range(3000)]
    async with world.client() as crm:
        query = crm.query(select("Contacts", "email").where(F.email.in_(names)))
        found = await query.all()
        assert [record.id for record in found] == world.ids
        assert await crm.query(query.statement).count() == 300
        assert len(await crm.query(query.statement.limit(7)).all()) == 7


async def test_a_long_statement_with_an_order_is_refused_before_a_call() -> None:
    """What cannot be cut without losing its order is refused, with what to do."""
    world = Crm()
    names = [f"c{number}@example.com" for number in range(3000)]
    async with world.client() as crm:
        statement = select("Contacts").where(F.email.in_(names)).order_by("lastname")
        with pytest.raises(InvalidArgumentError, match="too long"):
            crm.query(statement)
    assert world.calls == 0


async def test_a_module_in_the_wrong_case_costs_no_call() -> None:
    """`contacts` is refused with the right name."""
    world = Crm()
    async with world.client() as crm:
        with pytest.raises(InvalidArgumentError, match="Contacts, not contacts"):
            crm.query(parse("SELECT * FROM contacts;"))
        assert "Contacts" in repr(crm.query(select("Contacts")))
    assert world.calls == 0
