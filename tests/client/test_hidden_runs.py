"""Long runs of records that a user may not see: nothing behind them is lost, in any order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from vtiger_async import InvalidArgumentError, Record, Select, select
from vtiger_async.client import ordering
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES, ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

BY_NAME = select("Contacts", "lastname").order_by("lastname")
ORDERED = [
    BY_NAME,
    BY_NAME.order_by("lastname", descending=True),
    BY_NAME.limit(40),
    BY_NAME.limit(30).offset(5),
    BY_NAME.order_by("lastname", descending=True).limit(35).offset(3),
    BY_NAME.order_by("lastname", descending=True).limit(150),
]


def world(*sizes: int, profile: ProfileName = "cloud") -> tuple[Sandbox, list[str]]:
    """Return a sandbox with runs of contacts by turns seen and hidden, and the names seen.

    Their names and their ids ascend together.
    """
    sandbox = Sandbox(profile=profile, limits=False, records=0)
    admin, seen, number = sandbox.engine.users["admin"], list[str](), 0
    for place, size in enumerate(sizes):
        for _ in range(size):
            number += 1
            element = {
                "lastname": f"{number:05}", "assigned_user_id": "19x1" if place % 2 else "19x5"
            }  # fmt: skip
            params = {"elementType": "Contacts", "element": json.dumps(element)}
            sandbox.engine.execute("create", params, admin)
            if not place % 2:
                seen.append(element["lastname"])
    return sandbox, seen


def without_count(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make count(*) give nothing, as on some servers."""
    execute: Callable[..., Any] = sandbox.engine.execute

    def broken(operation: str, params: Any, *rest: Any, **options: Any) -> Any:
        counts = operation == "query" and "count(*)" in params["query"]
        return [] if counts else execute(operation, params, *rest, **options)

    monkeypatch.setattr(sandbox.engine, "execute", broken)


def expected(statement: Select, seen: list[str]) -> list[str]:
    names = seen[::-1] if statement.descending else seen
    return names[statement.offset_by or 0 :][: statement.limit_to]


def names(records: list[Record]) -> list[str]:
    return [record["lastname"] for record in records]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("session_api", [False, True])
@pytest.mark.parametrize("statement", [select("Contacts", "lastname"), BY_NAME], ids=str)
async def test_a_hidden_window_behind_a_short_page_ends_nothing(
    profile: ProfileName, session_api: bool, statement: Select
) -> None:
    """120 records, 180 hidden ones and 130 more are 250, over REST and over sessions."""
    sandbox, seen = world(120, 180, 130, profile=profile)
    async with sandbox.client("sales", session_api=session_api) as crm:
        found = await crm.query(statement).all()
        assert names(found) == seen
        assert len(found) == 250
        assert await crm.query(statement).count() == 250


@pytest.mark.parametrize("counts", [True, False])
async def test_an_order_is_kept_behind_thousands(
    counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind 2,300 hidden records an order, a limit and an offset are exact, counted or not."""
    sandbox, seen = world(20, 2300, 30)
    if not counts:
        without_count(sandbox, monkeypatch)
    for statement in ORDERED:
        async with sandbox.client("sales") as crm:
            found = await crm.query(statement).all()
            assert names(found) == expected(statement, seen)


@pytest.mark.parametrize(
    "statement",
    [
        select("Contacts", "lastname").order_by(*by, descending=down)
        for by, down in [((), False), (("id",), True)]
    ],
    ids=str,
)
async def test_where_count_gives_nothing_the_other_end_tells(
    statement: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By id, any number of hidden records is passed while one is seen at the other end."""
    sandbox, seen = world(20, 2300, 30)
    without_count(sandbox, monkeypatch)
    async with sandbox.client("sales") as crm:
        found = await crm.query(statement).all()
    assert names(found) == expected(statement, seen)


async def test_what_no_order_can_reach_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind more than is looked behind, a part is refused, and a whole ends with the rest."""
    sandbox, seen = world(20, 2600, 30)
    monkeypatch.setattr(ordering, "_LONGEST_RUN", 2500)
    for statement in ORDERED:
        async with sandbox.client("sales") as crm:
            if statement.limit_to is None:
                found = await crm.query(statement).all()
                assert sorted(names(found)) == seen
            else:
                with pytest.raises(InvalidArgumentError, match="hidden from this user"):
                    await crm.query(statement).all()


async def test_a_count_that_counts_hidden_records_ends_an_order_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where count(*) tells of records that nobody shows, the ids prove the end."""
    sandbox, seen = world(30, 2300)
    execute: Callable[..., Any] = sandbox.engine.execute
    admin = sandbox.engine.users["admin"]

    def counting(operation: str, params: Any, user: Any, *rest: Any, **options: Any) -> Any:
        counts = operation == "query" and "count(*)" in params["query"]
        return execute(operation, params, admin if counts else user, *rest, **options)

    monkeypatch.setattr(sandbox.engine, "execute", counting)
    async with sandbox.client("sales") as crm:
        assert names(await crm.query(BY_NAME.limit(50)).all()) == seen
