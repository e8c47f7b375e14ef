"""What was measured of the wire, where no other test says so; over HTTP, without our client."""

from __future__ import annotations

import json
from typing import Any

import anyio
import httpx
import pytest

from tests.sandbox.front_calls import REST, create_lead, http_of
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


def empty(profile: Any) -> Sandbox:
    """A sandbox without records."""
    return Sandbox(profile=profile, records=0, limits=False)


async def write(http: httpx.AsyncClient, operation: str, **element: str) -> httpx.Response:
    """Send an element."""
    form = {"elementType": "Accounts", "element": json.dumps(element)}
    return await http.post(REST + operation, data=form)


async def test_a_json_body_is_denied(profile: str) -> None:
    """A body of JSON is not read: the operation is denied for want of a module."""
    with empty(profile) as sandbox:
        async with http_of(sandbox) as http:
            element = {"lastname": "x", "assigned_user_id": "19x1"}
            reply = await http.post(
                REST + "create", json={"elementType": "Leads", "element": element}
            )
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "ACCESS_DENIED")
        assert sandbox.ledger()["writes"] == []


async def test_results_of_every_kind(profile: str) -> None:
    """Null, an empty list for an empty map, and a success within a success."""
    with empty(profile) as sandbox:
        async with http_of(sandbox) as http:
            lead = (await create_lead(http)).json()["result"]["id"]
            entities = {"Accounts": {"create": True, "name": "Accounts"}}
            element = json.dumps({"leadId": lead, "entities": entities})
            converted = await http.post(REST + "convertlead", data={"element": element})
            assert converted.json() == {"success": True, "result": None}
            none = await http.get(REST + "relatedtypes", params={"elementType": "Users"})
            assert none.json()["result"]["information"] == []
            values = json.dumps({"fieldname": "leadsource", "values": ["Fair"]})
            form = {"elementType": "Leads", "element": values}
            added = (await http.post(REST + "add_picklist", data=form)).json()
            assert (added["success"], added["result"]["success"]) == (True, True)
            assert isinstance(added["result"]["result"]["id0"], int)
            edit = {"fieldname": "leadsource", "current_value": "Fair", "new_value": "Show"}
            form = {"elementType": "Leads", "element": json.dumps(edit)}
            edited = (await http.post(REST + "edit_picklist", data=form)).json()
            assert edited["success"] is True


async def test_a_duplicate_is_the_integer_0(profile: str) -> None:
    """Of eight creates of one name at the same time, one is stored and seven are duplicates."""
    with empty(profile) as sandbox:
        async with http_of(sandbox) as http:
            replies: list[Any] = []

            async def send() -> None:
                fields = {"accountname": "Twin", "assigned_user_id": "19x1"}
                replies.append((await write(http, "create", **fields)).json())

            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(send)
        refused = [reply["error"] for reply in replies if not reply["success"]]
        assert refused == [{"code": 0, "message": "Duplicate(s) detected!"}] * 7
        assert len(sandbox.ledger()["writes"]) == 1


async def test_parallel_changes_of_different_fields_are_all_kept(profile: str) -> None:
    """Twenty revises of one record at the same time, each of a field: none is lost."""
    fields = ("phone", "website", "fax", "tickersymbol", "otherphone")
    with empty(profile) as sandbox:
        async with http_of(sandbox) as http:
            made = await write(http, "create", accountname="A", assigned_user_id="19x1")
            record_id = made.json()["result"]["id"]

            async def send(name: str, value: str) -> None:
                reply = await write(http, "revise", id=record_id, **{name: value})
                assert reply.json()["success"]

            for turn in range(4):
                async with anyio.create_task_group() as group:
                    for name in fields:
                        group.start_soon(send, name, f"{name} {turn}")
            found = (await http.get(REST + "retrieve", params={"id": record_id})).json()["result"]
        assert [found[name] for name in fields] == [f"{name} 3" for name in fields]


async def test_a_fatal_error_may_have_written(profile: str) -> None:
    """HTTP 500 with an empty body, and the record is there."""
    with empty(profile) as sandbox:
        sandbox.faults.add("empty", operation="create", times=1)
        async with http_of(sandbox) as http:
            reply = await create_lead(http)
        assert (reply.status_code, reply.content) == (500, b"")
        assert len(sandbox.ledger()["writes"]) == 1


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("describe", {"elementType": "Contact"}),
        ("query", {"query": "select id from Contacts where nofield = 'x';"}),
        ("query", {"query": "select nofield from Contacts;"}),
        ("retrieve", {"id": "4x999"}),
        ("retrieve", {"id": ""}),
    ],
)
async def test_access_denied_is_the_answer_to_much(
    profile: str, operation: str, params: dict[str, str]
) -> None:
    """A typo in a module or a field, and a record that is missing, are ACCESS_DENIED."""
    with empty(profile) as sandbox:
        async with http_of(sandbox) as http:
            reply = await http.get(REST + operation, params=params)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "ACCESS_DENIED")


async def test_an_internal_error_with_400_is_the_callers(profile: str) -> None:
    """A literal, a date and JSON that are wrong: it comes again however often it is sent."""
    with empty(profile) as sandbox:
        async with http_of(sandbox) as http:
            literal = {"query": 'select id from Contacts where lastname = "x";'}
            date = json.dumps({"lastname": "x", "assigned_user_id": "19x1", "birthday": "some day"})
            for _ in range(2):
                for reply in (
                    await http.get(REST + "query", params=literal),
                    await http.post(
                        REST + "create", data={"elementType": "Contacts", "element": date}
                    ),
                    await http.post(
                        REST + "create", data={"elementType": "Contacts", "element": "{"}
                    ),
                ):
                    error = reply.json()["error"]
                    assert (reply.status_code, error["code"]) == (400, "INTERNAL_SERVER_ERROR")


@pytest.mark.virtual_time
async def test_basic_authentication_has_no_lock(profile: str) -> None:
    """A slow call holds up no other call of the same user."""
    with empty(profile) as sandbox:
        sandbox.faults.add("latency", operation="describe", seconds=3.0)
        async with http_of(sandbox) as http:
            order: list[str] = []

            async def ask(operation: str, **params: str) -> None:
                await http.get(REST + operation, params=params)
                order.append(operation)

            async with anyio.create_task_group() as group:
                group.start_soon(lambda: ask("describe", elementType="Leads"))
                await anyio.wait_all_tasks_blocked()
                group.start_soon(ask, "me")
        assert order == ["me", "describe"]
