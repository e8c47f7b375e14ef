"""Keys never show: not in reprs, logs, tracebacks or errors; nor do queries in the logs."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from typing import Any

import anyio
import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from vtiger_async import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    OutcomeUnknownError,
    RetryPolicy,
    VtigerClient,
    VtigerError,
)
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.server import serving

KEY = "s3cr3tKEY"
TOKEN = base64.b64encode(f"admin:{KEY}".encode()).decode()
PASTED = [KEY, TOKEN, TOKEN[6:-4]]


def shows_secret(text: str) -> bool:
    """Tell whether the key is in a text, plain or as Basic authentication has it."""
    return any(secret in text for secret in PASTED)


def shown(error: BaseException) -> str:
    """Everything that is printed of an error, its causes included."""
    return "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))


async def failing_calls(sandbox: Sandbox, url: str) -> list[VtigerError]:
    """Make calls that succeed, are repeated, and fail in all ways; return the errors."""
    errors: list[VtigerError] = []
    retry = RetryPolicy(base=0.0)
    wrong = KEY[::-1]
    async with (
        VtigerClient(url, "admin", KEY, retry=retry) as crm,
        VtigerClient(url, "admin", wrong) as stranger,
        VtigerClient("http://127.0.0.1:9", "admin", KEY, retry=retry) as nowhere,
    ):
        await crm.me()
        await crm.lookup("email", "ada.private@example.com")
        sandbox.faults.add("502", operation="me", times=1)
        await crm.me()
        sandbox.faults.add("commit_then_drop", operation="create", times=1)
        calls: list[Any] = [
            crm.create("Contacts", {"lastname": "Private", "assigned_user_id": "19x1"}),
            crm.retrieve("4x99999999"),
            stranger.me(),
            nowhere.me(),
        ]
        for call in calls:
            with pytest.raises(VtigerError) as caught:
                await call
            errors.append(caught.value)
            assert wrong not in shown(caught.value)
    return errors


class TestSecrets:
    """The access key."""

    def test_it_is_in_no_log_and_no_error(self, caplog: pytest.LogCaptureFixture) -> None:
        """With every logger at DEBUG, over real HTTP, neither the key nor its Basic form shows."""
        caplog.set_level(logging.DEBUG)
        for name in ("httpx", "httpcore", "vtiger_async"):
            caplog.set_level(logging.DEBUG, name)

        async def run(sandbox: Sandbox) -> list[VtigerError]:
            with anyio.fail_after(30):
                async with sandbox.serving() as url:
                    return await failing_calls(sandbox, url)

        with Sandbox(limits=False, access_key=KEY) as sandbox:
            errors = anyio.run(run, sandbox)
        kinds = [type(error) for error in errors]
        assert kinds[0] is OutcomeUnknownError
        assert kinds[2:] == [AuthenticationError, ConnectError]
        for error in errors:
            assert not shows_secret(shown(error))
            assert not shows_secret(shown(pickle.loads(pickle.dumps(error))))
        logged = [record.getMessage() for record in caplog.records]
        assert any("is sent again after" in line for line in logged)
        assert any(record.name.startswith("httpcore") for record in caplog.records)
        assert not shows_secret("\n".join(logged))
        assert not shows_secret(caplog.text)

    def test_queries_are_not_in_httpxs_log(self, caplog: pytest.LogCaptureFixture) -> None:
        """URLs are logged at INFO by httpx: what was asked for is cut off, the rest is kept."""
        caplog.set_level(logging.INFO)

        async def run(sandbox: Sandbox) -> None:
            async with (
                sandbox.client() as crm,
                httpx.AsyncClient(
                    transport=httpx.MockTransport(lambda _: httpx.Response(200))
                ) as other,
            ):
                await crm.lookup("email", "ada.private@example.com")
                await other.get("https://example.com/page?x=1")

        with Sandbox(limits=False) as sandbox:
            anyio.run(run, sandbox)
        assert "private" not in caplog.text
        assert "/restapi/v1/vtiger/default/lookup?..." in caplog.text
        assert "https://example.com/page?x=1" in caplog.text

    def test_it_is_in_no_repr(self) -> None:
        """The client and all that hangs on it can be printed."""
        crm = VtigerClient("acme.od2.vtiger.com", "admin", KEY, edition="one-growth")
        assert repr(crm) == "<VtigerClient admin at https://acme.od2.vtiger.com>"
        assert repr(crm.with_options(max_wait=1.0)) == repr(crm)
        parts: list[object] = [crm, crm.quota, crm.query("select * from Contacts;")]
        parts += [crm.sync("Contacts"), *vars(crm).values()]
        assert not shows_secret("".join(map(repr, parts)))

    @pytest.mark.parametrize(
        "options",
        [{"timeout": 0}, {"edition": "one-pilot"}, {"url": f"https://admin:{KEY}@acme.example"}],
    )
    def test_a_constructor_that_fails_does_not_show_it(self, options: dict[str, Any]) -> None:
        """The traceback of a wrong argument holds no key."""
        arguments = {"url": "acme.od2.vtiger.com", "username": "admin", "access_key": KEY}
        with pytest.raises(ConfigurationError) as caught:
            VtigerClient(**{**arguments, **options})
        assert not shows_secret(shown(caught.value))


async def calls_on_sessions(sandbox: Sandbox, url: str, *, options: Any) -> list[VtigerError]:
    """Make calls over webservice.php that succeed, are repeated, and fail; return the errors."""
    errors: list[VtigerError] = []
    retry = RetryPolicy(base=0.0)
    async with VtigerClient(
        url, "admin", KEY, session_api=True, retry=retry, timeout=1.0, **options
    ) as crm:
        await crm.create("Leads", {"lastname": "Private", "assigned_user_id": "19x1"})
        sandbox.end_sessions()
        await crm.query("select id from Leads;").all()
        sandbox.faults.add("502", operation="listtypes", times=1)
        sandbox.faults.add("no_answer", operation="describe")
        sandbox.faults.add("commit_then_drop", operation="create", times=1)
        await crm.list_types()
        calls: list[Any] = [
            crm.create("Leads", {"lastname": "Private", "assigned_user_id": "19x1"}),
            crm.retrieve("10x99999999"),
            crm.lookup("email", "ada.private@example.com"),
            crm.describe("Leads"),
        ]
        for call in calls:
            with pytest.raises(VtigerError) as caught:
                await call
            errors.append(caught.value)
        texts = [repr(part) for part in (crm, *vars(crm).values(), crm._core.sessions)]  # pyright: ignore[reportPrivateUsage]  # all that hangs on it
        assert not shows_secret("".join(texts))
        assert not any(name in "".join(texts) for name in session_names(sandbox))
    return errors


def session_names(sandbox: Sandbox) -> set[str]:
    """The names of all sessions that the sandbox has given out."""
    front: Any = sandbox._front  # pyright: ignore[reportPrivateUsage]  # nobody else may tell them
    names = {*front.sessions._sessions, *front.sessions._ended}
    assert names
    return names


class TestSessionNames:
    """The name of a session on webservice.php, which is as good as a key while it lives."""

    @pytest.mark.parametrize("injected", [False, True])
    def test_it_is_in_no_log_no_error_and_no_repr(
        self, caplog: pytest.LogCaptureFixture, *, injected: bool
    ) -> None:
        """With every logger at DEBUG, over real HTTP, neither the name nor the key shows."""
        caplog.set_level(logging.DEBUG)
        for name in ("httpx", "httpcore", "vtiger_async"):
            caplog.set_level(logging.DEBUG, name)

        async def run(sandbox: Sandbox) -> list[VtigerError]:
            async with sandbox.serving() as url, httpx.AsyncClient() as http:
                options = {"http_client": http} if injected else {}
                with anyio.fail_after(30):
                    return await calls_on_sessions(sandbox, url, options=options)

        with Sandbox(profile="oss-8.4", limits=False, records=0, access_key=KEY) as sandbox:
            errors = anyio.run(run, sandbox)
            names = session_names(sandbox)
        assert [type(error).__name__ for error in errors] == [
            "OutcomeUnknownError", "AccessDeniedError", "UnsupportedOperationError",
            "RequestTimeoutError",
        ]  # fmt: skip
        texts = [shown(error) + shown(pickle.loads(pickle.dumps(error))) for error in errors]
        texts += [caplog.text, *(record.getMessage() for record in caplog.records)]
        assert any("found its session lost" in text for text in texts)
        assert not any(name in text for name in names for text in texts)
        assert not any(map(shows_secret, texts))
        assert "private@" not in caplog.text

    @pytest.mark.parametrize("injected", [False, True])
    def test_neither_key_nor_cookie_goes_along(self, *, injected: bool) -> None:
        """No header of a call on a session has HTTP Basic or a cookie, whatever was set before."""
        seen: list[dict[bytes, bytes]] = []

        async def run(sandbox: Sandbox) -> None:
            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                async def with_cookie(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        message["headers"].append((b"set-cookie", b"PHPSESSID=abc; path=/"))
                    await send(message)

                seen.append(dict(scope["headers"]))
                await sandbox.app(scope, receive, with_cookie)

            async with (
                serving(app) as url,
                httpx.AsyncClient(auth=("a", "b"), cookies={"x": "y"}) as http,
                VtigerClient(
                    url, "admin", KEY, session_api=True, http_client=http if injected else None
                ) as crm,
            ):
                await crm.list_types()
                await crm.create("Leads", {"lastname": "x", "assigned_user_id": "19x1"})

        with Sandbox(limits=False, records=0, access_key=KEY) as sandbox:
            anyio.run(run, sandbox)
        assert len(seen) == 4
        assert not any(headers.keys() & {b"authorization", b"cookie"} for headers in seen)
