"""Servers that answer in other ways than the manual says, and what the client makes of it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from vtiger_async import (
    InvalidArgumentError,
    InvalidResponseError,
    RecordId,
    RetryPolicy,
    ServerError,
    SilentChangeError,
    UnsupportedOperationError,
    VtigerClient,
)

pytestmark = pytest.mark.anyio
Answer = Callable[[str, httpx.Request], Any]


@asynccontextmanager
async def answering(answer: Answer) -> AsyncGenerator[VtigerClient]:
    """A client of a server that answers each operation with a result, or a whole response."""

    def handle(request: httpx.Request) -> httpx.Response:
        found = answer(request.url.path.rpartition("/")[2], request)
        if isinstance(found, httpx.Response):
            return found
        return httpx.Response(200, json={"success": True, "result": found})

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http,
        VtigerClient("acme.od1.vtiger.com", "ada", "key", http_client=http) as crm,
    ):
        yield crm


def failure(code: str, status: int = 400) -> httpx.Response:
    """A failure in Vtiger's form."""
    error = {"code": code, "message": "no"}
    return httpx.Response(status, json={"success": False, "error": error})


class TestTagsDelete:
    """The two names of one operation."""

    @pytest.mark.parametrize("status", [400, 404])
    async def test_a_server_with_the_other_name_is_asked_by_it(self, status: int) -> None:
        """`tags_delete` is tried where `tag_delete` is unknown, and remembered, views included."""
        names: list[str] = []
        forms: list[str] = []

        def answer(name: str, request: httpx.Request) -> Any:
            names.append(name)
            forms.append(request.content.decode())
            return failure("UNKNOWN_OPERATION", status) if name == "tag_delete" else {}

        async with answering(answer) as crm:
            await crm.tags_delete("4x1", ["a"])
            await crm.with_options(max_wait=1.0).tags_delete("4x1", delete_all=True)
        assert names == ["tag_delete", "tags_delete", "tags_delete"]
        assert forms == [
            "id=4x1&tags=%5B%22a%22%5D&delete_all=0",
            "id=4x1&tags=%5B%22a%22%5D&delete_all=0",
            "id=4x1&delete_all=1",
        ]

    async def test_a_server_with_neither_is_told(self) -> None:
        """Where both names are unknown, the error is that of the server, each time."""
        names: list[str] = []

        def answer(name: str, _: httpx.Request) -> Any:
            names.append(name)
            return failure("UNKNOWN_OPERATION")

        async with answering(answer) as crm:
            for _ in range(2):
                with pytest.raises(UnsupportedOperationError):
                    await crm.tags_delete("4x1", ["a"])
        assert names == ["tag_delete", "tags_delete"] * 2

    async def test_a_name_that_stops_working_is_told(self) -> None:
        """Once the second name was found, it alone is asked."""
        known = True

        def answer(name: str, _: httpx.Request) -> Any:
            return {} if name == "tags_delete" and known else failure("UNKNOWN_OPERATION")

        async with answering(answer) as crm:
            await crm.tags_delete("4x1", ["a"])
            known = False
            with pytest.raises(UnsupportedOperationError):
                await crm.tags_delete("4x1", ["a"])


@pytest.mark.parametrize(
    ("result", "tags"),
    [
        ({"tags": ["a", "b"]}, ["a", "b"]),
        ({"tags": {"0": "a", "3": "b"}}, ["a", "b"]),
        ({"tags": []}, []),
        ({"tags": None}, []),
        ({}, []),
        (["a", 5], ["a", "5"]),
        (None, []),
    ],
)
async def test_tags_come_in_several_forms(result: Any, tags: list[str]) -> None:
    """A map with gaps, a bare list and nothing are read as lists of tags."""
    async with answering(lambda _name, _request: result) as crm:
        assert await crm.tags_retrieve("4x1") == tags


@pytest.mark.parametrize(
    ("result", "made"),
    [
        ({"Accounts": "3x1", "Contacts": "4x2"}, {"Accounts": "3x1", "Contacts": "4x2"}),
        ({"Accounts": "", "Contacts": "4x2"}, {"Contacts": "4x2"}),
        (None, {}),
        ([], {}),
    ],
)
async def test_convert_lead_tells_the_ids_that_came(result: Any, made: dict[str, str]) -> None:
    """Null, an empty map of PHP, and an empty id are no ids."""
    async with answering(lambda _name, _request: result) as crm:
        found = await crm.convert_lead("2x1", {"Accounts": {}})
        assert found == made
        assert all(type(rid) is RecordId for rid in found.values())


@pytest.mark.parametrize(("result", "clear"), [("P1", "P1"), ("", ""), (None, None), (5, "5")])
async def test_decrypt_gives_text_or_none(result: Any, clear: str | None) -> None:
    """A clear value is text; null is None."""
    async with answering(lambda _name, _request: result) as crm:
        assert await crm.decrypt("4x1", "cf_1") == clear


@pytest.mark.parametrize(
    ("result", "numbers"),
    [({"id0": 4, "id1": "5"}, (4, 5)), ({"id0": None}, ()), (["success", True], ()), (None, ())],
)
async def test_add_picklist_gives_the_numbers_that_came(
    result: Any, numbers: tuple[int, ...]
) -> None:
    """Numbers come as numbers or text; where none are sent, there are none."""
    nested = {"success": True, "result": result}
    async with answering(lambda _name, _request: nested) as crm:
        assert await crm.add_picklist("Leads", "x", ["a"]) == numbers


@pytest.mark.parametrize("result", [{"0": {"id": "4x1"}, "2": {"id": "4x5"}}, [{"id": "4x1"}] * 2])
async def test_lists_with_gaps_are_read(result: Any) -> None:
    """PHP sends a list with gaps as a map."""
    async with answering(lambda _name, _request: result) as crm:
        assert len(await crm.lookup("email", "a@b.c")) == 2


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        (lambda crm: crm.me(), "me"),
        (lambda crm: crm.create("Contacts", {"lastname": "x"}), "create"),
        (lambda crm: crm.retrieve("4x1"), "retrieve"),
        (lambda crm: crm.revise("4x1", {"lastname": "x"}), "revise"),
        (lambda crm: crm.query("select * from Contacts;").all(), "query"),
        (lambda crm: crm.lookup("email", "a@b.c"), "lookup"),
        (lambda crm: crm.describe("Contacts"), "describe"),
        (lambda crm: crm.list_types(), "listtypes"),
        (lambda crm: crm.tags_retrieve("4x1"), "tags_retrieve"),
        (lambda crm: crm.sync_page("Contacts", 1, "user"), "sync"),
        (lambda crm: crm.files_retrieve("4x1"), "files_retrieve"),
        (lambda crm: crm.retrieve_related("4x1", "x", "Contacts").all(), "retrieve_related"),
    ],
)
async def test_a_result_of_another_kind_is_told(call: Any, operation: str) -> None:
    """Text where a record or a list should be is an InvalidResponseError of that operation."""
    async with answering(lambda _name, _request: "text") as crm:
        with pytest.raises(InvalidResponseError) as caught:
            await call(crm)
        assert caught.value.operation == operation


async def test_a_conversion_that_did_nothing_is_told() -> None:
    """Null may mean success or nothing: a lead that queries still find is not converted."""
    results: dict[str, Any] = {"convertlead": None, "query": [{"id": "2x1"}]}
    async with answering(lambda name, _request: results[name]) as crm:
        with pytest.raises(SilentChangeError, match="the lead is not converted"):
            await crm.convert_lead("2x1", {"Accounts": {}})


async def test_a_file_that_came_incomplete_is_told() -> None:
    """The size that the server states is compared with what came."""
    file = {"fileid": "9", "filename": "x", "filetype": "a/b", "filesize": 5}
    file["filecontents"] = "aGVsbA=="
    async with answering(lambda _name, _request: [file]) as crm:
        with pytest.raises(InvalidResponseError, match="4 bytes came of a file that has 5"):
            await crm.files_retrieve("7x9")


async def test_an_id_that_is_none_is_the_servers_fault() -> None:
    """A malformed id from the server is no InvalidIdError, which would blame the caller."""
    async with answering(lambda _name, _request: {"Contacts": "42"}) as crm:
        with pytest.raises(InvalidResponseError, match="the ids came in a form that cannot"):
            await crm.convert_lead("2x1", {"Contacts": {}})


async def test_a_module_without_a_prefix_tells_no_records_module() -> None:
    """A description without idPrefix is read, and nothing is concluded from it."""
    described = {"name": "Contacts", "label": "Contacts", "idPrefix": ""}
    results = {"describe": described, "retrieve": {"id": "4x1"}}
    async with answering(lambda name, _request: results[name]) as crm:
        assert (await crm.describe("Contacts")).id_prefix == ""
        assert (await crm.retrieve("4x1")).module is None


async def test_a_post_sends_a_form_and_no_query() -> None:
    """Data never stands in the URL of a POST, where it would end in access logs."""
    seen: list[httpx.Request] = []

    def answer(_: str, request: httpx.Request) -> Any:
        seen.append(request)
        return {"id": "4x1"}

    async with answering(answer) as crm:
        await crm.create("Contacts", {"lastname": "Ä"})
        await crm.retrieve("4x1")
        await crm.list_types(["grid", "email"])
    post, get, listed = seen
    assert str(post.url) == "https://acme.od1.vtiger.com/restapi/v1/vtiger/default/create"
    assert post.headers["content-type"] == "application/x-www-form-urlencoded"
    form = httpx.QueryParams(post.content.decode())
    assert form["elementType"] == "Contacts"
    assert json.loads(form["element"]) == {"lastname": "Ä"}
    assert (get.url.query, get.content) == (b"id=4x1", b"")
    assert listed.url.query == b"fieldTypeList%5B%5D=grid&fieldTypeList%5B%5D=email"


async def test_a_read_survives_a_failing_server() -> None:
    """A read is sent again where the server failed; the error tells of the earlier attempts."""
    async with answering(lambda _name, _request: httpx.Response(502)) as crm:
        with pytest.raises(ServerError, match=r"me: .*HTTP 502.*attempt 2") as caught:
            await crm.with_options(retry=RetryPolicy(max_attempts=2, base=0.0)).me()
        assert [error.status for error in caught.value.attempts] == [502]


async def test_an_answer_without_ids_teaches_nothing() -> None:
    """`me` and rows without an id are taken as they are, and tell no module's prefix."""

    def answer(name: str, request: httpx.Request) -> Any:
        return {"user_name": "ada"} if name == "me" else [{"lastname": "Ada"}]

    async with answering(answer) as crm:
        assert (await crm.me()).user_name == "ada"
        with pytest.raises(InvalidResponseError, match="the id None, which is none"):
            await crm.query("select lastname from Contacts;").first()
        with pytest.raises(InvalidArgumentError, match="the module of 4x1 must be known"):
            await crm.with_options(validate=True).revise("4x1", {"lastname": "Ada"})


async def test_an_answer_of_an_id_alone_is_no_echo() -> None:
    """A server that does not say what it stored is not suspected of having changed it."""
    async with answering(lambda name, request: {"id": "4x1"}) as crm:
        record = await crm.create("Contacts", {"lastname": "Ada", "assigned_user_id": "19x1"})
        assert dict(record) == {"id": "4x1"}
