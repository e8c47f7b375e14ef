"""The REST front: paths, credentials, parameters, files, envelopes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from front_calls import REST, create_lead, http_of, writes

from vtiger_async.editions import Limits
from vtiger_async.errors import ConfigurationError
from vtiger_async.sandbox import Call, Fault, HeaderForm, ManualClock, Sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without limits on a clock that stands still."""
    with Sandbox(limits=False, clock=ManualClock()) as made:
        yield made


@pytest.fixture
def seen(sandbox: Sandbox) -> list[Call]:
    """The calls that came to the route `echo`."""
    calls: list[Call] = []
    sandbox.route("echo", calls.append)
    return calls


class TestEnvelopes:
    """What an answer looks like."""

    async def test_a_success(self, sandbox: Sandbox) -> None:
        """A success is 200, of the type text/json, with success and result."""
        async with http_of(sandbox) as http:
            found = await http.get(REST + "me")
        assert (found.status_code, found.reason_phrase) == (200, "OK")
        assert found.headers["content-type"] == "text/json"
        assert found.json()["success"] is True
        assert found.json()["result"]["user_name"] == "admin"

    async def test_a_failure(self, sandbox: Sandbox) -> None:
        """A failure is 400 with code and message, the message also as the reason phrase."""
        async with http_of(sandbox) as http:
            found = await http.post(REST + "nosuchop")
        assert (found.status_code, found.reason_phrase) == (400, "Unknown operation requested")
        assert found.json() == {
            "success": False,
            "error": {"code": "UNKNOWN_OPERATION", "message": "Unknown operation requested"},
        }

    async def test_a_reason_phrase_is_one_line_whatever_the_message_holds(
        self, sandbox: Sandbox
    ) -> None:
        """Line breaks in a message cannot forge headers."""

        def handler(_call: Call) -> object:
            raise Fault("ODD", "one\r\ntwo: " + "é" * 300)

        sandbox.route("odd", handler)
        async with http_of(sandbox) as http:
            found = await http.get("/restapi/vtap/api/odd")
        phrase = found.extensions["reason_phrase"]
        assert phrase.startswith(b"one two: ")
        assert len(phrase) <= 200

    async def test_the_case_of_an_operation_does_not_matter(self, sandbox: Sandbox) -> None:
        """LISTTYPES and EDITIONLIMITS are served, and counted under their own names."""
        async with http_of(sandbox) as http:
            assert (await http.get(REST + "LISTTYPES")).status_code == 200
            await http.get(REST + "EDITIONLIMITS", params={"serviceName": "WEBSERVICE_LIMIT"})
        assert sandbox.ledger()["calls"] == {"listtypes": 1, "editionLimits": 1}

    @pytest.mark.parametrize("path", ["/", "/index.php", REST, REST + "me/too"])
    async def test_other_paths_are_a_web_servers_404(self, sandbox: Sandbox, path: str) -> None:
        """What is no path of Vtiger's API gets an HTML page and costs nothing."""
        async with http_of(sandbox) as http:
            found = await http.get(path)
        assert found.status_code == 404
        assert found.headers["content-type"].startswith("text/html")
        assert sandbox.flood.granted == 0

    async def test_a_url_too_long_is_refused_by_the_web_server(self, sandbox: Sandbox) -> None:
        """More than 8,190 bytes of URL are answered 414, by a page without quota headers."""
        async with http_of(sandbox) as http:
            fits = await http.get(REST + "me", params={"x": "y" * (8190 - len(REST) - 4)})
            found = await http.get(REST + "me", params={"x": "y" * (8190 - len(REST) - 3)})
        assert fits.status_code == 200
        assert found.status_code == 414
        assert sandbox.ledger()["calls"] == {"me": 1}


class TestCredentials:
    """Who may call."""

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "Basic",
            "Basic !!!",
            "Basic /w==",
            "Basic YWRtaW4=",
            "Basic YWRtaW46d3Jvbmc=",
            "Basic bm9ib2R5Ong=",
            "Bearer x",
        ],
    )
    async def test_wrong_credentials_are_401(self, sandbox: Sandbox, header: str | None) -> None:
        """No, malformed, and wrong credentials get the measured 401."""
        headers = {} if header is None else {"authorization": header}
        async with http_of(sandbox, auth=None) as http:
            found = await http.get(REST + "me", headers=headers)
        assert found.status_code == 401
        assert found.reason_phrase == "Invalid authentication information"
        assert found.headers["www-authenticate"] == 'Basic realm="Vtiger restapi"'
        assert found.json()["error"] == {
            "code": "ACCESS_DENIED",
            "message": "Invalid authentication information",
        }

    @pytest.mark.parametrize("user", ["admin", "sales", "guest"])
    async def test_each_user_has_credentials(self, sandbox: Sandbox, user: str) -> None:
        """The sandbox's own credentials open it."""
        async with http_of(sandbox, user) as http:
            assert (await http.get(REST + "me")).json()["result"]["user_name"] == user

    async def test_an_inactive_user_may_not_call(self, sandbox: Sandbox) -> None:
        """The user `inactive` is refused with the right key."""
        async with http_of(sandbox, "inactive") as http:
            assert (await http.get(REST + "me")).status_code == 401

    async def test_the_access_key_can_be_chosen(self) -> None:
        """The access key that is given is admin's."""
        with Sandbox(limits=False, access_key="chosen") as sandbox:
            assert sandbox.access_key == "chosen"
            assert sandbox.credentials() == ("admin", "chosen")


class TestParameters:
    """How PHP reads a request."""

    async def test_a_form_a_url_and_a_multipart_form_say_the_same(self, sandbox: Sandbox) -> None:
        """A write may come as a form, in the URL, or as multipart."""
        element = json.dumps({"lastname": "Lovelace", "assigned_user_id": "19x1"})
        fields = {"elementType": "Leads", "element": element}
        async with http_of(sandbox) as http:
            answers = [
                await http.post(REST + "create", data=fields),
                await http.post(REST + "create", params=fields),
                await http.post(
                    REST + "create", files={name: (None, text) for name, text in fields.items()}
                ),
            ]
        assert [found.json()["result"]["lastname"] for found in answers] == ["Lovelace"] * 3
        assert writes(sandbox) == 3

    async def test_a_json_body_is_not_read(self, sandbox: Sandbox) -> None:
        """A JSON body counts as no parameters at all."""
        async with http_of(sandbox) as http:
            body = {"elementType": "Leads", "element": {"lastname": "x"}}
            found = await http.post(REST + "create", json=body)
        assert found.status_code == 400
        assert writes(sandbox) == 0

    async def test_php_reads_the_last_value_and_lists_with_brackets(
        self, sandbox: Sandbox, seen: list[Call]
    ) -> None:
        """A name twice has its last value, `name[]` is a list, and a form wins over the URL."""
        async with http_of(sandbox) as http:
            await http.post(
                "/restapi/vtap/api/echo?a=1&a=2&b[]=x&b[]=y&c=url&e=",
                content="c=form&d=%C3%A9+%F0%9F%98%80",
                headers={"content-type": "application/x-www-form-urlencoded; charset=UTF-8"},
            )
        assert seen[0].params == {"a": "2", "b": ["x", "y"], "c": "form", "e": "", "d": "é 😀"}

    async def test_a_body_may_come_in_pieces(self, sandbox: Sandbox, seen: list[Call]) -> None:
        """A body that comes in several messages is read whole."""
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": b"a=1", "more_body": True},
            {"type": "http.request", "body": b"2&b=", "more_body": True},
            {"type": "http.request", "body": b"3"},
        ]
        sent: list[Any] = []
        user, key = sandbox.credentials()
        basic = b"Basic " + base64.b64encode(f"{user}:{key}".encode())
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/restapi/vtap/api/echo",
            "query_string": b"",
            "headers": [
                (b"content-type", b"application/x-www-form-urlencoded"),
                (b"authorization", basic),
            ],
        }

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await sandbox.app(scope, receive, send)
        assert sent[0]["status"] == 200
        assert seen[0].params == {"a": "12", "b": "3"}

    async def test_files_come_with_name_type_and_bytes(
        self, sandbox: Sandbox, seen: list[Call]
    ) -> None:
        """Multipart parts with a file name are files, of any size, beside the fields."""
        large = bytes(range(256)) * 8192
        async with http_of(sandbox) as http:
            await http.post(
                "/restapi/vtap/api/echo",
                data={"elementType": "Documents"},
                files=[
                    ("filename", ("é.txt", b"hello", "text/plain")),
                    ("imagename[]", ("big.bin", large, "application/octet-stream")),
                ],
            )
        call = seen[0]
        assert call.params == {"elementType": "Documents"}
        assert [(file.name, file.content_type) for file in call.files] == [
            ("é.txt", "text/plain"),
            ("big.bin", "application/octet-stream"),
        ]
        assert call.files[1].content == large

    @pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
    async def test_a_malformed_multipart_form_has_no_fields(
        self, sandbox: Sandbox, seen: list[Call], kind: str
    ) -> None:
        """Like PHP, the sandbox reads nothing from a form that is no form."""
        async with http_of(sandbox) as http:
            await http.post(
                "/restapi/vtap/api/echo", content=b"nothing of it", headers={"content-type": kind}
            )
        assert seen[0].params == {}
        assert seen[0].files == ()


class TestRoutes:
    """Routes registered in Python."""

    async def test_a_route_answers_in_the_envelope(self, sandbox: Sandbox) -> None:
        """A handler's result comes back as result; it sees verb, parameters, body and headers."""

        def many(call: Call) -> object:
            rows = json.loads(call.body)
            return [f"{call.verb} {row} {call.params['tag']} {call.headers['x-t']}" for row in rows]

        sandbox.route("/acme/many/", many)
        async with http_of(sandbox) as http:
            found = await http.post(
                "/restapi/vtap/api/acme/many?tag=t", json=["a", "b"], headers={"x-t": "h"}
            )
        assert found.json()["result"] == ["POST a t h", "POST b t h"]
        assert sandbox.ledger()["calls"] == {"vtap/acme/many": 1}

    async def test_a_route_wants_credentials_and_to_exist(self, sandbox: Sandbox) -> None:
        """Without credentials a route is 401; one that nobody registered is 404."""
        async with http_of(sandbox) as http:
            assert (await http.get("/restapi/vtap/api/none")).status_code == 404
        async with http_of(sandbox, auth=None) as http:
            assert (await http.get("/restapi/vtap/api/none")).status_code == 401


class TestClient:
    """`Sandbox.client()`."""

    async def test_it_is_a_client_in_the_sandboxs_time(self, sandbox: Sandbox) -> None:
        """The client calls this sandbox as the user it is for, with the options it is given."""
        sandbox.route("sum", lambda call: sum(int(str(n)) for n in call.params.values()))
        async with sandbox.client("sales", max_in_flight=2) as crm:
            me = await crm.me()
            assert me["user_name"] == "sales"
            path = "/restapi/vtap/api/sum"
            assert await crm.call("POST", path, {"a": 1, "b": 2}) == 3
        assert sandbox.ledger()["calls"] == {"me": 1, "vtap/sum": 1}


class TestQuota:
    """The flood control on the way."""

    async def test_headers_on_every_response_and_then_a_429(self) -> None:
        """Successes and failures count and carry the headers; over the limit comes a 429."""
        limits = Limits(minute=3, day=100)
        with Sandbox(limits=limits, clock=ManualClock()) as sandbox:
            async with http_of(sandbox) as http:
                answers = [await http.get(REST + op) for op in ("me", "none", "me", "me")]
            assert [found.status_code for found in answers] == [200, 400, 200, 429]
            left = [found.headers["x-floodcontrol-remaining"] for found in answers]
            assert left == ["2", "1", "0", "0"]
            assert answers[3].json()["error"]["code"] == "TOO_MANY_REQUESTS"
            assert answers[3].reason_phrase == "API request limit exceeded"
            assert sandbox.ledger()["statuses"] == {"200": 2, "400": 1, "429": 1}

    async def test_failed_calls_may_cost_nothing(self) -> None:
        """With charge_failed=False only successes are charged."""
        with Sandbox(limits=Limits(minute=3), clock=ManualClock(), charge_failed=False) as sandbox:
            async with http_of(sandbox) as http:
                for _ in range(5):
                    assert (await http.get(REST + "none")).status_code == 400
                assert (await http.get(REST + "me")).status_code == 200
            assert sandbox.flood.snapshot()["windows"]["minute"]["used"] == 1

    async def test_the_editions_limits_hold(self) -> None:
        """Edition, users and day policy give the limits; Growth has 30 a minute."""
        with Sandbox("one-growth", users=10, day_policy="utc", clock=ManualClock()) as sandbox:
            assert sandbox.flood.limits == Limits(30, 1000, 5000, "utc")
            async with http_of(sandbox) as http:
                found = await http.get(REST + "me")
        assert found.headers["x-floodcontrol-minutelimit"] == "30"
        assert found.headers["x-ratelimit-dailylimit"] == "5000"

    async def test_an_edition_without_api_is_refused(self) -> None:
        """There is no sandbox of One Pilot."""
        with pytest.raises(ConfigurationError, match="One Pilot"):
            Sandbox("one-pilot")

    async def test_header_forms_are_passed_on(self) -> None:
        """header_form reaches the responses."""
        form = HeaderForm(retry_after="seconds")
        with Sandbox(limits=Limits(minute=1), clock=ManualClock(), header_form=form) as sandbox:
            async with http_of(sandbox) as http:
                await http.get(REST + "me")
                assert (await http.get(REST + "me")).headers["retry-after"] == "60"

    async def test_a_reset_goes_back_to_the_start(self) -> None:
        """After reset() records, quota, counts and faults are as at first; routes stay."""
        with Sandbox(limits=Limits(minute=5), clock=ManualClock()) as sandbox:
            start = sandbox.ledger()
            sandbox.route("r", lambda _call: 1)
            sandbox.faults.add("500", operation="me")
            async with http_of(sandbox) as http:
                await create_lead(http)
                await http.get(REST + "me")
                assert writes(sandbox) == 1
                sandbox.reset()
                assert sandbox.ledger() == start
                assert (await http.get(REST + "me")).status_code == 200
                assert (await http.get("/restapi/vtap/api/r")).json()["result"] == 1
