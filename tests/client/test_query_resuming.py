"""Queries that stop and go on: tokens, pages, reading ahead, and tasks that share one."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest
from contacts import Crm

from vtiger_async import (
    AccessDeniedError,
    F,
    InvalidArgumentError,
    Query,
    Record,
    Select,
    ServerError,
    select,
)

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


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
