"""The pages of a sync with their cursors, and the server's time as answers tell it."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import httpx
import pytest
from sync_server import START, contact, page, scripted

from vtiger_async import InvalidArgumentError, VtigerClient
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.clock import ManualClock

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_each_page_comes_with_the_cursor_behind_it() -> None:
    """A sync from a page's cursor gives what came behind that page, and no more."""
    first = page([contact(1, START), contact(2, START)], START, more=True)
    last = page([contact(3, START + 50)], START + 50, deleted=("4x9",))
    async with scripted([], [first, last]) as crm:
        pages = [one async for one in crm.sync("Contacts").pages()]
    assert [[change.id for change in one.changes] for one in pages] == [
        ["4x1", "4x2"],
        ["4x9", "4x3"],
    ]
    assert [one.at_head for one in pages] == [False, True]
    asked: list[int] = []
    async with scripted(asked, [last]) as crm:
        again = crm.sync("Contacts", since=pages[0].cursor)
        assert [change.id async for change in again] == ["4x9", "4x3"]
    async with scripted(asked, [last]) as crm:
        again = crm.sync("Contacts", since=pages[1].cursor)
        assert [change.id async for change in again] == []


async def test_a_page_that_was_begun_is_given_to_its_end() -> None:
    """What is left of it comes first; a page without news is a page all the same."""
    first = page([contact(1, START), contact(2, START), contact(3, START)], START, more=True)
    async with scripted([], [first, page([], START)]) as crm:
        sync = crm.sync("Contacts")
        assert (await anext(sync)).id == "4x1"
        pages = [one async for one in sync.pages()]
    assert [[change.id for change in one.changes] for one in pages] == [["4x2", "4x3"], []]
    assert pages[-1].cursor == sync.cursor


async def test_following_pages_go_on_behind_the_head() -> None:
    """After `follow` the pages have no end."""
    pages = [page([contact(1, START)], START), page([contact(2, START + 99)], START + 99)]
    async with scripted([], pages) as crm:
        sync = crm.sync("Contacts").follow(every=5)
        begun_at = anyio.current_time()
        given = sync.pages()
        assert [change.id for change in (await anext(given)).changes] == ["4x1"]
        assert [change.id for change in (await anext(given)).changes] == ["4x2"]
        assert anyio.current_time() - begun_at == pytest.approx(5)
    with pytest.raises(InvalidArgumentError):
        crm.sync("Contacts").follow(0)


async def test_a_server_tells_its_time() -> None:
    """It is that of the last answer, by the sandbox's own clock, in process and over sessions."""
    clock = ManualClock()
    sandbox = Sandbox(limits=False, records=0, clock=clock)
    for session_api in (False, True):
        async with sandbox.client(session_api=session_api) as crm:
            assert crm.server_time is None
            await crm.me()
            assert crm.server_time == datetime.fromtimestamp(int(clock.time()), UTC)
            clock.advance(3600.4)
            await crm.list_types()
            assert crm.server_time == datetime.fromtimestamp(int(clock.time()), UTC)


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("Mon, 05 Jan 2026 09:00:00 GMT", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 09:00:00 -0000", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("Mon, 05 Jan 2026 11:00:00 +0200", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("soon", None),
        ("Mon, 35 Jan 2026 09:00:00 GMT", None),
        (None, None),
    ],
)
async def test_a_date_of_any_form_is_read_or_left(date: str | None, told: datetime | None) -> None:
    """What is no date tells no time."""

    def answer(_: httpx.Request) -> httpx.Response:
        headers = {} if date is None else {"Date": date}
        return httpx.Response(200, headers=headers, json={"success": True, "result": []})

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    async with VtigerClient("localhost", "u", "k", http_client=http) as crm:
        await crm.call("GET", "listtypes")
        assert crm.server_time == told
    await http.aclose()
