"""`sandbox check`: a recording is sent to a fresh sandbox, and the differences are told."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Literal

import pytest

from vtiger_async import ApiError, VtigerClient
from vtiger_async.errors import ConfigurationError
from vtiger_async.recording import Recorder, read_recording
from vtiger_async.sandbox import ManualClock, Sandbox
from vtiger_async.sandbox.check import Report, check

pytestmark = pytest.mark.anyio

Profile = Literal["cloud", "oss-8.4"]


async def refused(crm: VtigerClient, operation: str, **params: str) -> None:
    """Make a call that is refused."""
    with pytest.raises(ApiError):
        await crm.call("GET", operation, params)


async def work(crm: VtigerClient) -> None:
    """Read and write a little of everything."""
    me = await crm.me()
    await crm.list_types()
    for module in ("Accounts", "Contacts", "Campaigns", "Users"):
        await crm.describe(module)
    await crm.related_types("Accounts")
    (contact,) = await crm.query("SELECT * FROM Contacts LIMIT 1;").all()
    await crm.retrieve(contact.id)
    await crm.call(
        "GET",
        "query",
        {"query": f"SELECT id FROM Contacts WHERE lastname = '{contact['lastname']}';"},
    )
    await crm.query("SELECT count(*) FROM Accounts;").count()
    page = await crm.sync_page("Contacts", 1, "application")
    assert page["more"]
    page = await crm.sync_page("Contacts", 1_790_000_010, "application")
    assert page["deleted"]
    await relations(crm)
    account = await crm.create("Accounts", {"accountname": "Gräf & Co", "assigned_user_id": me.id})
    person = await crm.create(
        "Contacts", {"lastname": "Gräf", "account_id": account.id, "assigned_user_id": me.id}
    )
    await crm.call(
        "GET",
        "retrieve_related",
        {"id": account.id, "relatedLabel": "Contacts", "relatedType": "Contacts"},
    )
    await crm.revise(person.id, {"phone": "0049 1234567"})
    await refused(crm, "query", query="SELECT nothing_such FROM Contacts;")
    await refused(crm, "retrieve", id="4x99999999")
    await crm.delete(person.id)
    await refused(crm, "retrieve", id=person.id)


async def relations(crm: VtigerClient) -> None:
    """Read what hangs together: images, files, tags, and records of a campaign."""
    pictured = await crm.query("SELECT * FROM Contacts ORDER BY id LIMIT 1;").all()
    found = await crm.retrieve(pictured[0].id)
    assert found["imageattachmentids"]
    await crm.tags_retrieve(found.id)
    (campaign,) = await crm.query("SELECT * FROM Campaigns ORDER BY id LIMIT 1;").all()
    params = {"query": "SELECT * FROM Contacts", "id": campaign.id, "relatedLabel": "Contacts"}
    assert await crm.call("GET", "query_related", params)


async def recording_of(path: Path, profile: Profile, user: str = "admin") -> dict[str, Any]:
    """Record the work on a sandbox with records of its own."""
    clock = ManualClock(1_790_000_000)
    with (
        Sandbox(profile=profile, seed=5, limits=False, clock=clock) as sandbox,
        Recorder(path, clock=clock) as recorder,
    ):
        async with sandbox.client() as crm:  # what went before, and only a sync tells
            gone = await crm.query("SELECT id FROM Contacts ORDER BY id DESC LIMIT 2;").all()
            clock.advance(60)
            await crm.delete(gone[0].id)
        async with sandbox.client(user, recorder=recorder) as crm:
            await work(crm)
    return read_recording(path)


def told(report: Report) -> list[str]:
    """All differences of a report, each on a line."""
    return [f"{i.name} {difference}" for i in report.differing for difference in i.differences]


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_a_recording_of_a_sandbox_agrees(tmp_path: Path, profile: Profile) -> None:
    """What was recorded of a sandbox with other records, another seed and time, agrees wholly."""
    recording = await recording_of(tmp_path / "x.json", profile)
    before = copy.deepcopy(recording)
    report = await check(recording)
    assert told(report) == []
    assert report.profile == profile
    assert report.shares[-1].counted == len(recording["exchanges"]) == len(report.checked)
    assert report.shares[-1].share == 1
    assert recording == before


async def test_line_items_are_put_there(tmp_path: Path) -> None:
    """The lines of a recorded document are in the sandbox, with their products and quantities."""
    with Sandbox(limits=False) as sandbox, Recorder(tmp_path / "x.json") as recorder:
        async with sandbox.client(recorder=recorder) as crm:
            await crm.list_types()
            for module in ("Invoice", "LineItem", "Products", "Services"):
                await crm.describe(module)
            (invoice,) = await crm.query("SELECT id FROM Invoice ORDER BY id LIMIT 1;").all()
            assert (await crm.retrieve(invoice.id))["LineItems"]
    lines = told(await check(read_recording(tmp_path / "x.json")))
    wrong = [line for line in lines if not line.startswith("retrieve_1 result.LineItems")]
    assert wrong == []
    for name in ("productid", "product_name", "quantity", "listprice", "entity_type"):
        assert not [line for line in lines if f"].{name}:" in line]


async def test_each_difference_has_its_path(tmp_path: Path) -> None:
    """A difference says where it is, what was recorded there, and what the sandbox answers."""
    recording = await recording_of(tmp_path / "x.json", "oss-8.4")
    by_name = {exchange["name"]: exchange["response"] for exchange in recording["exchanges"]}
    fields = by_name["describe_1"]["body"]["result"]["fields"]
    names = [item["name"] for item in fields]
    place = names.index("phone")
    fields[place]["type"]["name"] = "string"
    fields.append(dict(fields[place], name="cf_900"))
    by_name["retrieve_3"]["body"]["error"]["code"] = "RECORD_NOT_FOUND"
    by_name["retrieve_4"]["status"] = 404
    del by_name["create_1"]["body"]["result"]["website"]
    by_name["query_3"]["body"]["result"][0]["count"] = 7
    report = await check(recording)
    assert f'describe_1 result.fields[{place}].type.name: recorded "string", sandbox "phone"' in (
        told(report)
    )
    lines = "\n".join(told(report))
    assert f"describe_1 result.fields[{len(names)}]: recorded" in lines
    assert 'retrieve_3 error.code: recorded "RECORD_NOT_FOUND", sandbox "ACCESS_DENIED"' in lines
    assert "retrieve_4 status: recorded 404, sandbox 400" in lines
    assert 'create_1 result.website: recorded nothing, sandbox ""' in lines
    shares = {share.operation: (share.agreed, share.counted) for share in report.shares}
    assert shares["describe"] == (3, 4)
    assert shares["retrieve"] == (2, 4)
    assert 0 < report.shares[-1].share < 1


async def test_the_profile_makes_a_difference(tmp_path: Path) -> None:
    """A recording of the one profile differs from the other; the recording says which it is of."""
    recording = await recording_of(tmp_path / "x.json", "oss-8.4")
    assert recording["profile"] == "oss-8.4"
    assert (await check(recording, "cloud")).differing
    with pytest.raises(ConfigurationError, match="unknown profile"):
        await check(recording, "oss-7")


async def test_another_administrator_is_the_first_one_here(tmp_path: Path) -> None:
    """A user of another id and other prefixes takes the place of the sandbox's administrator."""
    recording = await recording_of(tmp_path / "x.json", "cloud")
    text = json.dumps(recording)
    for own, other in (("19x1", "77x4711"), ("4x", "41x"), ('"idPrefix": "4"', '"idPrefix": "41"')):
        text = text.replace(f'"{own}', f'"{other}') if own[0] != '"' else text.replace(own, other)
    text = text.replace('"idPrefix": "19"', '"idPrefix": "77"')
    assert told(await check(json.loads(text))) == []


async def test_the_login_of_another_person_agrees(tmp_path: Path) -> None:
    """What the answer to a login tells of a person, who is another here, is not compared."""
    file = tmp_path / "exchanges.json"
    with Recorder(file) as recorder:
        sandbox = Sandbox(profile="oss-8.4", limits=False)
        async with sandbox.client(recorder=recorder, session_api=True) as crm:
            await crm.describe("Users")
    recording = read_recording(file)
    report = await check(recording)
    assert told(report) == []
    (login,) = (e for e in recording["exchanges"] if e["operation"] == "login")
    assert login["response"]["body"]["result"]["last_name"] != "Administrator"
    login["response"]["body"]["result"]["is_admin"] = "maybe"
    assert len(told(await check(recording))) == 1


async def test_refusals_of_the_quota_do_not_count() -> None:
    """What the quota or a gateway refused, and what a tenant built, is not sent again."""
    request = {"method": "GET", "user": "ada", "params": {}}
    paths = {
        "/restapi/v1/vtiger/default/me": (429, 502),
        "/restapi/vtap/api/orders": (200,),
    }
    exchanges: list[Any] = [
        {
            "name": "x",
            "operation": "me",
            "request": request | {"path": path},
            "response": {"status": status, "reason": "", "body": {"__raw__": ""}},
        }
        for path, statuses in paths.items()
        for status in statuses
    ]
    report = await check({"exchanges": exchanges})
    assert (report.checked, report.skipped) == ((), 3)
    assert report.shares[-1].share == 1


async def test_the_other_form_is_read(tmp_path: Path) -> None:
    """A folder with a list of exchanges for each operation can be checked, too."""
    recording = await recording_of(tmp_path / "x.json", "oss-8.4")
    folder = tmp_path / "folder"
    folder.mkdir()
    for exchange in recording["exchanges"]:
        exchange["request"]["user"] = "admin"
    for operation in ("describe", "listtypes", "relatedtypes"):
        found = [dict(e) for e in recording["exchanges"] if e["operation"] == operation]
        for exchange in found:
            del exchange["operation"], exchange["at"]
        (folder / f"{operation}.json").write_text(json.dumps(found))
    report = await check(read_recording(folder), "oss-8.4")
    assert [share.operation for share in report.shares] == [
        "describe",
        "listtypes",
        "relatedtypes",
        "all",
    ]
    assert told(report) == []


async def test_sessions_are_replayed() -> None:
    """A recording of webservice.php is sent with a session of the sandbox's own."""
    params: Any
    exchanges: list[Any] = []
    for operation, params, result in (
        ("login", {"username": "ada", "accessKey": "SESSION"}, None),
        ("extendsession", {"sessionName": "SESSION"}, {"sessionName": "SESSION"}),
        ("logout", {"sessionName": "SESSION"}, {"message": "successfull"}),
        ("retrieve", {"sessionName": "gone", "id": "3x1"}, {}),
    ):
        body: Any = {"success": True, "result": result}
        if operation == "retrieve":
            body = {"success": False, "error": {"code": "INVALID_SESSIONID", "message": "?"}}
        exchanges.append(
            {
                "name": operation,
                "operation": operation,
                "request": {
                    "method": "POST",
                    "path": "/webservice.php",
                    "user": "ada",
                    "params": {"operation": operation} | params,
                },
                "response": {"status": 200, "reason": "OK", "body": body},
            }
        )
    recording = {"exchanges": exchanges, "users": {"ada": {"id": None, "admin": None}}}
    report = await check(recording, "oss-8.4")
    lines = "\n".join(told(report))
    assert "extendsession result.sessionName" not in lines
    assert "logout" not in lines
    assert "retrieve error.message" in lines
    assert "retrieve error.code" not in lines
