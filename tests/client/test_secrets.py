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
