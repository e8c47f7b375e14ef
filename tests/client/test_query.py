"""Queries to their end: every record exactly once, whatever happens while they run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from vtiger_async import (
    AccessDeniedError,
    F,
    InvalidArgumentError,
    Query,
    QuerySyntaxError,
    Record,
    RetryPolicy,
    Select,
    ServerError,
    VtigerClient,
    parse,
    select,
)
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Crm:
    """A sandbox with a number of contacts, and the writes of somebody else on it."""

    def __init__(self, contacts: int = 0) -> None:
        self.sandbox = Sandbox(limits=False, records=0)
        self.engine = self.sandbox.engine
        self.admin = self.engine.users["admin"]
        self.ids = [self.create(f"Name {number % 7}", number) for number in range(contacts)]

    def create(self, lastname: str, number: int = 0, owner: str = "19x1") -> str:
        element = {
            "lastname": lastname,
            "firstname": f"{number:05}",
            "assigned_user_id": owner,
            "email": f"c{number}@example.com",
        }
        made: Any = self.engine.execute(
            "create", {"elementType": "Contacts", "element": json.dumps(element)}, self.admin
        )
        return str(made["id"])

    def revise(self, record_id: str, **fields: str) -> None:
        element = json.dumps({"id": record_id, **fields})
        self.engine.execute("revise", {"element": element}, self.admin)

    def delete(self, record_id: str) -> None:
        self.engine.execute("delete", {"id": record_id}, self.admin)

    @property
    def calls(self) -> int:
        return int(self.sandbox.ledger()["calls"].get("query", 0))

    def client(self, **options: Any) -> VtigerClient:
        return self.sandbox.client(**options)


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
    """The first page that is empty is followed by one `me`, and no other ever is."""
    world = Crm(3)
    async with world.client() as crm:
        nobody = select("Contacts").where(F.lastname == "Nobody")
        assert len(await crm.query(select("Contacts")).all()) == 3
        assert await crm.query(nobody).all() == []
        assert await crm.with_options(timeout=9).query(nobody).first() is None
    assert world.sandbox.ledger()["calls"] == {"query": 4, "me": 1}


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
    """first() asks for one record; it gives None where there is none, which me proves once."""
    world = Crm(5)
    async with world.client() as crm:
        first = await crm.query(select("Contacts")).first()
        assert first is not None
        assert first.id == world.ids[0]
        assert await crm.query(select("Contacts").where(F.lastname == "Nobody")).first() is None
        assert await crm.query(select("Contacts").limit(0)).first() is None
    assert world.sandbox.ledger()["calls"] == {"query": 2, "me": 1}


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


@pytest.mark.parametrize("at", [0, 1, 99, 100, 101, 250, 319, 320])
@pytest.mark.parametrize(
    "statement",
    [
        select("Contacts"),
        select("Contacts").order_by("id", descending=True),
        select("Contacts").order_by("lastname"),
        select("Contacts").order_by("lastname", descending=True),
        select("Contacts").limit(280),
        select("Contacts").where(F.email.in_([f"c{n}@example.com" for n in range(900)])),
    ],
    ids=["keyset", "down", "ordered", "ordered down", "limited", "cut"],
)
async def test_a_query_goes_on_from_its_token(at: int, statement: Select) -> None:
    """Interrupted after any record, the rest is given by a new query with the token."""
    world = Crm(320)
    async with world.client() as crm:
        whole = [record.id async for record in crm.query(statement)]
        query = crm.query(statement)
        begun = [(await anext(query)).id for _ in range(min(at, len(whole)))]
        token = query.resume_token
        rest = [record.id async for record in crm.query(statement, resume=token)]
    assert sorted(begun + rest) == sorted(whole)
    assert len(begun + rest) == len(whole)


async def test_a_keyset_token_is_short_whatever_was_read() -> None:
    """A token of a query by id does not grow with the records."""
    world = Crm(320)
    async with world.client() as crm:
        query = crm.query(select("Contacts"))
        for _ in range(310):
            await anext(query)
        assert len(query.resume_token) < 150


async def test_tokens_of_other_statements_and_nonsense_are_refused() -> None:
    """A token belongs to one statement; anything else is no token."""
    world = Crm(3)
    async with world.client() as crm:
        token = crm.query(select("Contacts")).resume_token
        with pytest.raises(InvalidArgumentError, match="another statement"):
            crm.query(select("Contacts").where(F.lastname == "x"), resume=token)
        for nonsense in ("", "x", "!!!", token[:-4]):
            with pytest.raises(InvalidArgumentError, match="not a resume token"):
                crm.query(select("Contacts"), resume=nonsense)


async def test_pages_and_records_can_be_mixed() -> None:
    """pages() goes on where the iteration over records stands, and back."""
    world = Crm(150)
    async with world.client() as crm:
        query = crm.query(select("Contacts"))
        first = await anext(query)
        pages = [page async for page in query.pages()]
        assert [len(page) for page in pages] == [99, 50]
        assert [first.id] + [record.id for page in pages for record in page] == world.ids
        with pytest.raises(StopAsyncIteration):
            await anext(query)


async def test_prefetch_reads_ahead_and_gives_the_same() -> None:
    """With prefetch the next pages are asked for while the records are worked on."""
    world = Crm(330)
    async with world.client() as crm, crm.query(select("Contacts")).prefetch(2) as records:
        assert [record.id async for record in records] == world.ids


async def test_prefetch_can_be_left_early() -> None:
    """Leaving the block ends the reading ahead, and the slots are free again."""
    world = Crm(330)
    async with world.client() as crm:
        async with crm.query(select("Contacts")).prefetch(1) as records:
            assert (await anext(records)).id == world.ids[0]
        assert crm.quota.in_flight == 0


async def test_prefetch_raises_errors_as_they_are() -> None:
    """Errors of the reading, and of the block, come out without a group around them."""
    world = Crm(1)
    async with world.client() as crm:
        with pytest.raises(AccessDeniedError):
            async with crm.query(select("Contacts", "nofield")).prefetch() as records:
                await anext(records)
        with pytest.raises(ZeroDivisionError):
            async with crm.query(select("Contacts")).prefetch():
                raise ZeroDivisionError
        with pytest.raises(InvalidArgumentError, match="from 1"):
            async with crm.query(select("Contacts")).prefetch(0):
                pass


@pytest.mark.parametrize("statement", [select("Contacts"), select("Contacts").order_by("lastname")])
async def test_what_was_read_ahead_is_not_lost(statement: Select) -> None:
    """After leaving prefetch early, the query and its token go on behind the last record given."""
    world = Crm(450)
    async with world.client() as crm:
        query = crm.query(statement)
        found: list[Record] = []
        async with query.prefetch(2) as records:
            async for record in records:
                found.append(record)
                if len(found) == 110:
                    await anyio.sleep(10)  # until all that may be is read ahead
                    break
        token = query.resume_token
        async with query.prefetch(1) as records:
            rest = [record async for record in records]
        resumed = await crm.query(statement, resume=token).all()
    assert {r.id for r in (*found, *rest)} == {r.id for r in (*found, *resumed)} == set(world.ids)
    assert len(found) + len(rest) == len(found) + len(resumed) == 450


async def test_between_two_pages_of_prefetch_the_token_is_right() -> None:
    """A token taken after a page's last record leaves out what is only read ahead."""
    world = Crm(350)
    async with world.client() as crm:
        query = crm.query(select("Contacts"))
        async with query.prefetch(2) as records:
            found = [await anext(records) for _ in range(100)]
            await anyio.sleep(10)
            rest = await crm.query(select("Contacts"), resume=query.resume_token).all()
    assert [record.id for record in (*found, *rest)] == world.ids


async def test_tasks_can_share_one_query() -> None:
    """Tasks that take from one query get each record once between them."""
    world = Crm(250)
    found: list[str] = []

    async def take(query: Query) -> None:
        async for record in query:
            found.append(record.id)
            await anyio.lowlevel.checkpoint()

    async with world.client() as crm, anyio.create_task_group() as group:
        query = crm.query(select("Contacts"))
        for _ in range(3):
            group.start_soon(take, query)
    assert sorted(found) == world.ids


async def test_an_error_in_the_middle_can_be_resumed_from() -> None:
    """When a page fails for good, the records before it are given, and the token leads on."""
    world = Crm(250)
    world.sandbox.faults.add("500", operation="query", after=1, times=4)
    async with world.client() as crm:
        query = crm.query(select("Contacts"))
        found = [await anext(query) for _ in range(100)]
        with pytest.raises(ServerError):
            await anext(query)
        found += [r async for r in crm.query(select("Contacts"), resume=query.resume_token)]
    assert [record.id for record in found] == world.ids


async def test_a_module_in_the_wrong_case_costs_no_call() -> None:
    """`contacts` is refused with the right name."""
    world = Crm()
    async with world.client() as crm:
        with pytest.raises(InvalidArgumentError, match="Contacts, not contacts"):
            crm.query(parse("SELECT * FROM contacts;"))
        assert "Contacts" in repr(crm.query(select("Contacts")))
    assert world.calls == 0
