"""The receiver of webhooks, over HTTP: who may wake the stream, and what comes of it."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from writers import Writers

from vtiger_async import InvalidArgumentError
from vtiger_async.sandbox.server import serving
from vtiger_async.streams import Changes, MemoryCursors
from vtiger_async.streams.webhooks import webhook_app

pytestmark = pytest.mark.anyio
TOKEN = "t0ken-of-sixteen-characters"
RIGHT = {"token": TOKEN}


class Woken:
    """What a webhook wakes, which notes it."""

    modules = ("Contacts", "Leads")

    def __init__(self) -> None:
        self.woken: list[tuple[tuple[str, ...], float]] = []

    def wake(self, *modules: str, gap: float = 5.0) -> None:
        self.woken.append((modules, gap))


def client(woken: Woken, largest: int = 1000) -> httpx.AsyncClient:
    app = webhook_app(woken, token=TOKEN, gap=3, largest=largest)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver")


async def endless(parts: int) -> AsyncIterator[bytes]:
    for _ in range(parts):
        yield b"x" * 100


async def test_a_webhook_wakes_its_module_or_all() -> None:
    """What is posted with the token is taken for a hint; what it says does not matter."""
    woken = Woken()
    async with client(woken) as http:
        for path, content in [
            ("/Contacts", b'{"id": "4x1"}'),
            ("/", b"\xff no JSON"),
            ("/Leads", b""),
        ]:
            answer = await http.post(path, content=content, headers=RIGHT)
            assert (answer.status_code, answer.content) == (202, b"")
        assert (await http.post("/", content=endless(10), headers=RIGHT)).status_code == 202
    assert woken.woken == [(("Contacts",), 3), ((), 3), (("Leads",), 3), ((), 3)]


async def test_what_may_not_wake_it_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """401, 404, 405 and 413: nobody is woken, and nothing secret is answered or logged."""
    woken = Woken()
    with caplog.at_level(logging.DEBUG):
        async with client(woken) as http:
            answers = {
                "no token": await http.post("/Contacts"),
                "another": await http.post("/Contacts", headers={"token": TOKEN[:-1] + "x"}),
                "longer": await http.post("/", headers={"token": TOKEN * 2}),
                "no ASCII": await http.post("/", headers=[(b"token", "tökèn".encode())]),
                "nothing is read": await http.post("/", content=b"x" * 2000),
                "no module": await http.post("/Accounts", headers=RIGHT),
                "no path": await http.post("/Contacts/", headers=RIGHT),
                "read": await http.get("/Contacts", headers=RIGHT),
                "put": await http.put("/", headers=RIGHT),
                "large": await http.post("/", content=b"x" * 1001, headers=RIGHT),
            }
    statuses = {case: answer.status_code for case, answer in answers.items()}
    assert list(statuses.values()) == [401] * 5 + [404] * 2 + [405] * 2 + [413]
    assert woken.woken == []
    assert TOKEN not in "".join(answer.text for answer in answers.values()) + caplog.text


@pytest.mark.parametrize("token", ["", "short", "t" * 15, "ö" * 20, f" {'t' * 20}"])
def test_a_token_that_is_easily_guessed_is_refused(token: str) -> None:
    """It has 16 characters at least, in ASCII; the message does not show it."""
    with pytest.raises(InvalidArgumentError, match="16 characters") as caught:
        webhook_app(Woken(), token=token)
    assert not token or token.strip() not in str(caught.value)


@pytest.mark.parametrize(("gap", "largest"), [(-1, 1), (float("nan"), 1), (1, -1), (1, 1.5)])
def test_other_arguments_that_make_no_sense_are_refused(gap: float, largest: int) -> None:
    """A gap and a size below 0, or none, are errors."""
    with pytest.raises(InvalidArgumentError, match="from 0"):
        webhook_app(Woken(), token=TOKEN, gap=gap, largest=largest)


def test_a_burst_over_http_is_one_look() -> None:
    """Over a real server: 30 webhooks lead to one look, and the stream gives what it finds."""
    anyio.run(burst)


async def burst() -> None:
    writers, seen, found = Writers(), list[str](), [anyio.Event(), anyio.Event()]
    begun = anyio.current_time()

    async def consume(changes: Changes) -> None:
        async for change in changes:
            async with change.ack():
                seen.append(str(change.id))
                found[len(seen) - 1].set()

    ids = [writers.create()]
    async with (
        writers.sandbox.client() as crm,
        crm.changes(["Contacts"], MemoryCursors(), every=3600) as changes,
        serving(webhook_app(changes, token=TOKEN, gap=0.5, largest=1000)) as url,
        httpx.AsyncClient(base_url=url, headers=RIGHT) as http,
        anyio.create_task_group() as group,
    ):
        group.start_soon(consume, changes)
        with anyio.fail_after(60):
            await found[0].wait()
            large = await http.post("/", content=endless(11))  # whose length no header tells
            assert large.status_code == 413
            ids.append(writers.create())
            for _ in range(30):
                assert (await http.post("/Contacts")).status_code == 202
            await found[1].wait()
        group.cancel_scope.cancel()
    assert seen == ids
    assert writers.calls["sync"] <= 2 + (anyio.current_time() - begun) / 0.5


def test_without_the_extra_the_error_names_it() -> None:
    """Where Starlette is missing, the message says what to install."""
    code = (
        "import sys; sys.modules['starlette'] = None; sys.modules['starlette.requests'] = None\n"
        "import vtiger_async.streams.webhooks"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "vtiger-async[webhooks]" in result.stderr.splitlines()[-1]
