"""`/webservice.php`: challenge, login, sessions, and which parameters are looked at."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import anyio
import httpx
import pytest

from tests.sandbox.front_calls import http_of
from vtiger_async.sandbox import ManualClock, Sandbox

pytestmark = pytest.mark.anyio

PATH = "/webservice.php"
PROFILES = pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])


async def ask(http: httpx.AsyncClient, **params: str) -> Any:
    """Send a GET, and return its body, which has HTTP 200."""
    reply = await http.get(PATH, params=params)
    assert reply.status_code == 200
    return reply.json()


async def tell(http: httpx.AsyncClient, **form: str) -> Any:
    """Send a POST, and return its body, which has HTTP 200."""
    reply = await http.post(PATH, data=form)
    assert reply.status_code == 200
    return reply.json()


def answer_to(token: str, key: str) -> str:
    return hashlib.md5((token + key).encode()).hexdigest()


async def log_in(sandbox: Sandbox, http: httpx.AsyncClient, user: str = "admin") -> Any:
    """Log in, and return the result."""
    challenge = await ask(http, operation="getchallenge", username=user)
    name, key = sandbox.credentials(user)
    right = answer_to(challenge["result"]["token"], key)
    body = await tell(http, operation="login", username=name, accessKey=right)
    assert body["success"], body
    return body["result"]


def error_of(body: Any) -> tuple[Any, str]:
    assert body["success"] is False
    return body["error"]["code"], body["error"]["message"]


@PROFILES
async def test_login_and_calls(profile: Any) -> None:
    """A login gives a session, by which reads and writes go, and a logout ends it."""
    with Sandbox(profile=profile, records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            known = await log_in(sandbox, http)
            session = known["sessionName"]
            assert (known["userId"], known["username"]) == ("19x1", "admin")
            element = json.dumps({"lastname": "Web", "assigned_user_id": "19x1"})
            made = await tell(
                http, operation="create", elementType="Leads", element=element, sessionName=session
            )
            found = await ask(
                http, operation="retrieve", id=made["result"]["id"], sessionName=session
            )
            assert found["result"]["lastname"] == "Web"
            kept = await tell(http, operation="extendsession", sessionName=session)
            assert kept["result"]["sessionName"] == session
            left = await tell(http, operation="logout", sessionName=session)
            assert left["result"] == {"message": "successfull"}
            gone = await ask(http, operation="listtypes", sessionName=session)
            assert error_of(gone)[0] == "INVALID_SESSIONID"


async def test_challenges() -> None:
    """A challenge wants a known user, and lives for 300 seconds or until the user's next one."""
    clock = ManualClock(1_800_000_000)
    with Sandbox(profile="oss-8.4", records=0, limits=False, clock=clock) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            unnamed = await ask(http, operation="getchallenge")
            unknown = await ask(http, operation="getchallenge", username="nobody")
            assert error_of(unnamed) == ("ACCESS_DENIED", "No username given")
            assert error_of(unknown) == ("ACCESS_DENIED", "username does not exists")
            key = sandbox.access_key
            first = (await ask(http, operation="getchallenge", username="admin"))["result"]
            assert first["expireTime"] - first["serverTime"] == 300
            second = (await ask(http, operation="getchallenge", username="admin"))["result"]
            outrun = await tell(
                http,
                operation="login",
                username="admin",
                accessKey=answer_to(first["token"], key),
            )
            assert error_of(outrun)[0] == "INVALID_USER_CREDENTIALS"
            clock.advance(300)
            late = await tell(
                http,
                operation="login",
                username="admin",
                accessKey=answer_to(second["token"], key),
            )
            assert error_of(late) == (
                "INVALID_AUTH_TOKEN",
                "Specified token is invalid or expired",
            )


async def test_lost_sessions() -> None:
    """A call without session, on one that was idle, or after a restart, is told so."""
    clock = ManualClock(1_800_000_000)
    with Sandbox(profile="oss-8.4", records=0, limits=False, clock=clock) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            bare = await ask(http, operation="listtypes")
            assert error_of(bare) == ("AUTHENTICATION_REQUIRED", "Authencation required")
            session = (await log_in(sandbox, http))["sessionName"]
            clock.advance(1801)
            idle = await ask(http, operation="listtypes", sessionName=session)
            assert error_of(idle)[0] == "INVALID_SESSIONID"
            session = (await log_in(sandbox, http))["sessionName"]
            sandbox.end_sessions()
            lost = await ask(http, operation="listtypes", sessionName=session)
            assert error_of(lost)[0] == "INVALID_SESSIONID"


async def test_an_inactive_user_is_refused() -> None:
    """An inactive user may ask for a challenge, and is refused at login."""
    with Sandbox(records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            token = (await ask(http, operation="getchallenge", username="inactive"))["result"]
            right = answer_to(token["token"], sandbox.credentials("inactive")[1])
            body = await tell(http, operation="login", username="inactive", accessKey=right)
            assert error_of(body)[0] == "AUTHENTICATION_REQUIRED"


@PROFILES
async def test_where_parameters_are_looked_for(profile: Any) -> None:
    """A read looks at the URL only and a write at the form only, whatever the verb."""
    with Sandbox(profile=profile, records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            session = (await log_in(sandbox, http))["sessionName"]
            element = json.dumps({"lastname": "x"})
            get = await http.get(
                PATH,
                params={
                    "operation": "create",
                    "elementType": "Leads",
                    "element": element,
                    "sessionName": session,
                },
            )
            assert get.status_code == 200
            assert error_of(get.json())[0] == "ACCESS_DENIED"
            post = await tell(http, operation="describe", elementType="Leads", sessionName=session)
            assert error_of(post)[0] == "ACCESS_DENIED"
            mixed = await http.post(
                PATH,
                params={"elementType": "Leads"},
                data={"operation": "describe", "sessionName": session},
            )
            assert mixed.json()["result"]["name"] == "Leads"
            assert sandbox.ledger()["writes"] == []


async def test_fatal_errors() -> None:
    """What PHP does not catch is HTTP 500 with an empty body, on the open source."""
    with Sandbox(profile="oss-8.4", records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            session = (await log_in(sandbox, http))["sessionName"]
            for form in ({"operation": "nosuch"}, {"operation": "create", "elementType": "Leads"}):
                reply = await http.post(PATH, data={**form, "sessionName": session})
                assert (reply.status_code, reply.content) == (500, b"")
            sync = {"operation": "sync", "elementType": "Leads", "modifiedTime": "1"}
            reply = await http.get(PATH, params={**sync, "sessionName": session})
            assert (reply.status_code, reply.content) == (500, b"")


@pytest.mark.parametrize(
    "code", ["AUTHENTICATION_REQUIRED", "INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"]
)
async def test_sessions_end_on_order(code: str) -> None:
    """The control endpoint ends all sessions, with any of the four codes; a new login is fine."""
    with Sandbox(profile="oss-8.4", records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            session = (await log_in(sandbox, http))["sessionName"]
            ended = await http.delete("/__sandbox__/sessions", params={"code": code})
            assert (ended.status_code, ended.json()) == (200, [])
            for _ in range(2):
                gone = await ask(http, operation="listtypes", sessionName=session)
                assert error_of(gone)[0] == code
            session = (await log_in(sandbox, http))["sessionName"]
            assert (await ask(http, operation="listtypes", sessionName=session))["success"]
            wrong = await http.delete("/__sandbox__/sessions", params={"code": "LOST"})
            assert (wrong.status_code, "SESSION_EXPIRED" in wrong.text) == (400, True)


async def test_an_unknown_operation_fails_before_the_session_is_looked_at() -> None:
    """The open source breaks off at it even without a session; a known one asks for a session."""
    with Sandbox(profile="oss-8.4", records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            reply = await http.get(PATH, params={"operation": "nosuch"})
            assert (reply.status_code, reply.content) == (500, b"")
            known = await ask(http, operation="listtypes")
            assert error_of(known)[0] == "AUTHENTICATION_REQUIRED"


async def test_lists_are_json() -> None:
    """A parameter that PHP makes an array of breaks the open source; JSON is understood."""
    with Sandbox(profile="oss-8.4", records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            session = (await log_in(sandbox, http))["sessionName"]
            asked = {"operation": "listtypes", "sessionName": session}
            array = await http.get(PATH, params={**asked, "fieldTypeList[]": "email"})
            assert (array.status_code, array.content) == (500, b"")
            found = await ask(http, **asked, fieldTypeList='["email"]')
            assert "Contacts" in found["result"]["types"]
            assert "Currency" not in found["result"]["types"]


async def test_parallel_logins_race() -> None:
    """Of logins whose challenges were asked for together, the last one's is good."""
    with Sandbox(profile="oss-8.4", records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            asked = [await ask(http, operation="getchallenge", username="admin") for _ in range(10)]
            answers = [
                await tell(
                    http,
                    operation="login",
                    username="admin",
                    accessKey=answer_to(challenge["result"]["token"], sandbox.access_key),
                )
                for challenge in asked
            ]
            assert [answer["success"] for answer in answers] == [False] * 9 + [True]


@pytest.mark.virtual_time
async def test_a_session_is_held_by_a_call_that_nobody_waits_for() -> None:
    """PHP goes on when the client hangs up, and the next call of the session waits for it."""
    with Sandbox(records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None, timeout=60) as http:
            session = (await log_in(sandbox, http))["sessionName"]
            sandbox.faults.add("latency", operation="query", seconds=10.0)
            start = anyio.current_time()
            with anyio.move_on_after(1):
                await ask(
                    http, operation="query", query="select id from Leads;", sessionName=session
                )
            await ask(http, operation="listtypes", sessionName=session)
            assert 9.9 < anyio.current_time() - start < 10.5


@pytest.mark.virtual_time
async def test_requests_of_one_session_wait_for_each_other() -> None:
    """A slow call holds up the other calls of its session, and none of another session."""
    with Sandbox(records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None, timeout=60) as http:
            one = (await log_in(sandbox, http))["sessionName"]
            other = (await log_in(sandbox, http))["sessionName"]
            sandbox.faults.add("latency", operation="query", seconds=3.0)
            ended: dict[str, float] = {}
            start = anyio.current_time()

            async def call(label: str, **params: str) -> None:
                await ask(http, **params)
                ended[label] = anyio.current_time() - start

            async with anyio.create_task_group() as group:
                group.start_soon(
                    lambda: call(
                        "slow",
                        operation="query",
                        query="select id from Leads;",
                        sessionName=one,
                    )
                )
                await anyio.sleep(0.01)
                group.start_soon(lambda: call("same", operation="listtypes", sessionName=one))
                group.start_soon(lambda: call("other", operation="listtypes", sessionName=other))
            assert ended["same"] >= 3.0
            assert ended["other"] < 1.0


async def test_what_extends_no_session() -> None:
    """On an open source a session is extended by POST only, and the name `null` is no name."""
    with Sandbox(profile="oss-8.4", records=0, limits=False) as sandbox:
        async with http_of(sandbox, auth=None) as http:
            session = (await log_in(sandbox, http))["sessionName"]
            by_get = await ask(http, operation="extendsession", sessionName=session)
            assert error_of(by_get)[0] == "AUTHENTICATION_REQUIRED"
            without = await tell(http, operation="extendsession")
            assert error_of(without) == ("AUTHENTICATION_FAILURE", "Authencation Failed")
            unnamed = await ask(http, operation="listtypes", sessionName="null")
            assert error_of(unnamed)[0] == "AUTHENTICATION_REQUIRED"
