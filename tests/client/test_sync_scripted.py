"""Sync from servers that answer oddly: no change lost, none repeated, and an end to it."""

from __future__ import annotations

from typing import Any

import pytest
from sync_server import START, contact, page, scripted

from vtiger_async import InvalidResponseError

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_ids_in_updated_are_fetched_a_hundred_to_a_call() -> None:
    """Where the server sends ids, as the manual says, the records are queried in batches."""
    asked: list[int] = []
    queried: list[str] = []
    rows = [contact(number, START) for number in (7, 8)]
    pages = [page(["4x7", "4x8"], START)]
    async with scripted(asked, pages, queried, rows) as crm:
        changes = [change async for change in crm.sync("Contacts", since=START - 1000)]
    assert [change.id for change in changes] == ["4x7", "4x8"]
    assert "id IN ('4x7', '4x8')" in queried[0].replace("','", "', '")


async def test_an_empty_page_with_more_is_not_the_end() -> None:
    """`updated: []` with `more: true` is legal, and the next page is asked for."""
    asked: list[int] = []
    pages = [page([], START, more=True), page([contact(1, START + 5)], START + 5)]
    async with scripted(asked, pages) as crm:
        changes = [change async for change in crm.sync("Contacts", since=START - 1000)]
    assert [change.id for change in changes] == ["4x1"]
    assert asked == [START - 1001, START]


async def test_phps_forms_of_lists_are_read() -> None:
    """A list with gaps comes as a map, an empty map as a list, a time as text."""
    asked: list[int] = []
    updated = {"0": contact(1, START), "2": contact(3, START)}
    pages = [page(updated, str(START), deleted={"1": "4x9"})]
    async with scripted(asked, pages) as crm:
        changes = [change async for change in crm.sync("Contacts", since=START - 10)]
    assert [(change.kind, change.id) for change in changes] == [
        ("delete", "4x9"),
        ("upsert", "4x1"),
        ("upsert", "4x3"),
    ]


async def test_a_server_that_cuts_within_a_second_loses_nothing() -> None:
    """A page of 200 that ends within a second is followed by a query for that second."""
    asked: list[int] = []
    queried: list[str] = []
    everything = [contact(number, START) for number in range(1, 251)]
    pages = [
        page(everything[:200], START, more=True),
        page(everything[:200], START, more=True),
        page([contact(300, START + 9)], START + 9),
    ]
    async with scripted(asked, pages, queried, everything[:100]) as crm:
        changes = [change async for change in crm.sync("Contacts", since=START - 50)]
    assert asked == [START - 51, START - 1, START]
    assert "modifiedtime = '" in queried[0]
    assert [change.id for change in changes] == [r["id"] for r in everything[:200]] + ["4x300"]


async def test_a_server_that_never_advances_is_not_asked_for_ever() -> None:
    """`more: true` with the same time and nothing in the page ends the reading."""
    asked: list[int] = []
    async with scripted(asked, [page([], START, more=True)] * 50) as crm:
        assert [c async for c in crm.sync("Contacts", since=START + 1)] == []
    assert len(asked) <= 2


async def test_a_page_that_stands_still_with_records_is_got_past() -> None:
    """`more: true` with records and an unchanged time: their second is queried, then passed."""
    asked: list[int] = []
    queried: list[str] = []
    pages = [
        page([contact(1, START + 3)], START, more=True),
        page([contact(2, START + 9)], START + 9),
    ]
    rows = [contact(1, START + 3), contact(5, START + 3)]
    async with scripted(asked, pages, queried, rows) as crm:
        changes = [change async for change in crm.sync("Contacts", since=START + 1)]
    assert asked == [START, START + 3]
    assert [change.id for change in changes] == ["4x1", "4x5", "4x2"]


async def test_times_that_cannot_be_read_do_not_lose_a_record() -> None:
    """A record without a readable modifiedtime is given, and the stream goes on."""
    asked: list[int] = []
    odd = {"id": "4x1", "lastname": "Odd", "modifiedtime": "01-31-2026"}
    async with scripted(asked, [page([odd], "soon")]) as crm:
        changes = [change async for change in crm.sync("Contacts", since=START)]
    assert [change.id for change in changes] == ["4x1"]


@pytest.mark.parametrize("result", [None, [], {"updated": []}, "x"])
async def test_a_result_that_is_no_page_is_an_error(result: Any) -> None:
    """A sync answer of another form is an InvalidResponseError of that operation."""
    async with scripted([], [result]) as crm:
        with pytest.raises(InvalidResponseError) as caught:
            await anext(crm.sync("Contacts"))
    assert caught.value.operation == "sync"
