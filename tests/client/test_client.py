"""The client as a whole: its constructor, its views, its event loop, and its end."""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import Any

import anyio
import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from over_http import calls, plant

from vtiger_async import (
    ConfigurationError,
    Limits,
    QuotaExhaustedError,
    RequestTimeoutError,
    RetryPolicy,
    VtigerClient,
)
from vtiger_async.sandbox import ManualClock, Sandbox

pytestmark = pytest.mark.anyio
KEY = "s3cr3tKEY"
URL = "acme.od2.vtiger.com"


def client(url: str = URL, username: str = "ada", key: str = KEY, **options: Any) -> VtigerClient:
    """A client that is not used."""
    return VtigerClient(url, username, key, **options)


class TestConstructor:
    """`VtigerClient(...)`."""

    def test_its_signature_is_the_contract(self) -> None:
        """Names, order, kinds and defaults are those that other programs are written against."""
        parameters = inspect.signature(VtigerClient).parameters.values()
        shown = [
            (p.name, p.default) for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        assert shown == [
            ("edition", None), ("users", None), ("boosters", 0), ("limits", None),
            ("max_in_flight", 8), ("timeout", 30.0), ("max_wait", 60.0), ("retry", RetryPolicy()),
            ("http_client", None), ("metadata_ttl", 3600), ("clock", None), ("validate", "auto"),
            ("strict", False), ("session_api", False), ("spread", "fast"), ("reserve", 0.0),
            ("quota", None), ("recorder", None),
        ]  # fmt: skip
        positional = [p for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
        assert [(p.name, p.default) for p in positional] == [
            (name, inspect.Parameter.empty) for name in ("url", "username", "access_key")
        ]

    def test_it_needs_no_event_loop(self) -> None:
        """It can be made at import time; its quota can be asked, and costs no call."""
        crm = client(edition="one-professional", users=5)
        assert crm.url == "https://acme.od2.vtiger.com"
        quota = crm.quota
        assert [(w.limit, w.used) for w in (quota.minute, quota.hour, quota.day)] == [
            (60, 0), (4000, 0), (9000, 0),
        ]  # fmt: skip
        assert (quota.in_flight, quota.waiting) == (0, 0)
        assert quota.at.tzinfo is not None

    @given(st.floats(1.7e9, 1.9e9))
    def test_what_may_go_now_is_not_to_come(self, moment: float) -> None:
        """A window with room gives the snapshot's own moment, however fine the clock's time is."""
        quota = client(edition="one-professional", users=5, clock=ManualClock(moment)).quota
        for window in (quota.minute, quota.hour, quota.day):
            assert window.next_at == quota.at.timestamp()

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"url": ""}, "url: it is empty"),
            ({"url": "http://acme.od2.vtiger.com"}, "plain http would send the access key"),
            ({"username": " "}, "username must not be empty"),
            ({"username": "a:b"}, "cannot hold a colon"),
            ({"key": ""}, "access_key must not be empty"),
            ({"max_in_flight": 0}, "max_in_flight is a whole number from 1"),
            ({"max_in_flight": 2.5}, "max_in_flight is a whole number from 1"),
            ({"max_in_flight": True}, "max_in_flight is a whole number from 1"),
            ({"timeout": 0}, "timeout is a number of seconds above 0"),
            ({"timeout": math.nan}, "timeout is a number of seconds above 0"),
            ({"max_wait": -1}, "max_wait is a number of seconds from 0"),
            ({"max_wait": math.nan}, "max_wait is a number of seconds from 0"),
            ({"metadata_ttl": -1}, "metadata_ttl is a number from 0"),
            ({"metadata_ttl": math.nan}, "metadata_ttl is a number from 0"),
            ({"users": -1}, "users is a number from 0"),
            ({"boosters": -1}, "boosters is a number of calls a day"),
            ({"edition": "gold"}, "unknown edition 'gold'"),
            ({"edition": "one-pilot"}, "One Pilot has no API"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, options: dict[str, Any], reason: str) -> None:
        """The error names the argument, before there is any call, and shows no key."""
        with pytest.raises(ConfigurationError, match=reason) as caught:
            client(**options)
        assert KEY not in str(caught.value)

    def test_limits_override_the_edition(self) -> None:
        """`limits=` wins; both policies of the day are possible."""
        crm = client(edition="one-growth", limits=Limits(minute=7, day_policy="utc"))
        assert (crm.quota.minute.limit, crm.quota.hour.limit) == (7, None)

    def test_the_environment_sets_it_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`from_env` reads five variables; arguments override them and may stand in for them."""
        for name, value in {
            "URL": URL, "USERNAME": "ada", "ACCESS_KEY": KEY, "EDITION": "one-growth", "USERS": "3",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"VTIGER_{name}", value)
        crm = VtigerClient.from_env()
        assert (crm.url, crm.quota.day.limit) == ("https://acme.od2.vtiger.com", 3600)
        assert VtigerClient.from_env(users=1, max_in_flight=2).quota.day.limit == 3200
        monkeypatch.delenv("VTIGER_URL")
        assert VtigerClient.from_env(url="localhost:8000").url == "http://localhost:8000"
        with pytest.raises(ConfigurationError, match="set VTIGER_URL in the environment"):
            VtigerClient.from_env()


class TestViews:
    """`with_options`."""

    async def test_a_view_shares_quota_connections_and_descriptions(self) -> None:
        """A call of the view is seen in the client's quota, and what it described is kept."""
        with Sandbox(limits=False) as sandbox:
            async with sandbox.client(limits=Limits(minute=10)) as crm:
                view = crm.with_options(
                    timeout=5.0, max_wait=1.0, retry=RetryPolicy(max_attempts=1)
                )
                assert type(view) is VtigerClient
                described = await view.describe("Contacts")
                assert await crm.describe("Contacts") is described
                assert crm.quota.minute.used == view.quota.minute.used == 1
                assert calls(sandbox) == 1

    @pytest.mark.virtual_time
    async def test_a_view_shares_the_slots(self) -> None:
        """With one slot, a call of the view waits for the client's."""
        with Sandbox(limits=False) as sandbox:
            sandbox.faults.add("latency", seconds=10.0)
            start = anyio.current_time()
            async with sandbox.client(max_in_flight=1) as crm, anyio.create_task_group() as group:
                group.start_soon(crm.me)
                group.start_soon(crm.with_options(max_wait=30.0).me)
                await anyio.sleep(5)
                assert (crm.quota.in_flight, crm.quota.waiting) == (1, 1)
            assert anyio.current_time() - start == pytest.approx(20.0, abs=0.1)

    @pytest.mark.virtual_time
    async def test_each_has_its_own_options(self) -> None:
        """Timeout, patience and retries of a view do not change the client's."""
        with Sandbox(limits=False) as sandbox:
            sandbox.faults.add("latency", seconds=10.0)
            async with sandbox.client(limits=Limits(minute=2)) as crm:
                hasty = crm.with_options(timeout=1.0, retry=RetryPolicy(max_attempts=1))
                with pytest.raises(RequestTimeoutError):
                    await hasty.me()
                await crm.me()
                with pytest.raises(QuotaExhaustedError):
                    await crm.with_options(max_wait=1.0).me()
                await crm.me()

    @pytest.mark.parametrize("options", [{"timeout": 0}, {"max_wait": -1.0}])
    def test_its_options_are_checked(self, options: dict[str, Any]) -> None:
        """A view refuses what the constructor refuses."""
        with pytest.raises(ConfigurationError, match="is a number of seconds"):
            client().with_options(**options)

    async def test_closing_a_view_does_nothing(self) -> None:
        """The client goes on; when it is closed, the view is closed too."""
        with Sandbox(limits=False) as sandbox:
            crm = sandbox.client()
            view = crm.with_options(max_wait=1.0)
            async with view:
                await view.me()
            await crm.me()
            await crm.aclose()
            with pytest.raises(ConfigurationError, match="this client is closed"):
                await view.me()


class TestTwoClients:
    """What clients of one loop do not share."""

    async def test_they_share_nothing(self) -> None:
        """Quota, descriptions, key and end are each client's own."""
        with Sandbox(limits=False) as sandbox:
            one = sandbox.client(limits=Limits(minute=10))
            async with sandbox.client("guest", limits=Limits(minute=20)) as two:
                async with one:
                    assert (await one.describe("Contacts")).createable is True
                    assert (await two.describe("Contacts")).createable is False
                assert (one.quota.minute.remaining, two.quota.minute.remaining) == (9, 19)
                assert (await two.me()).user_name == "guest"


class TestEventLoops:
    """One client lives on one event loop."""

    @pytest.mark.parametrize("second", [asyncio.run, trio.run])
    def test_a_second_loop_is_refused_with_the_reason(self, second: Any) -> None:
        """Its connections live on the first; the error says so, and what to do."""
        with Sandbox(limits=False) as sandbox:
            crm = sandbox.client()

            async def use() -> None:
                await crm.me()

            async def use_again() -> None:
                for call in (crm.me(), crm.describe("Contacts"), crm.call("GET", "me")):
                    with pytest.raises(ConfigurationError, match="one client per event loop"):
                        await call
                with pytest.raises(ConfigurationError, match="first used on another event loop"):
                    await crm.query("select * from Contacts;").first()

            asyncio.run(use())
            second(use_again) if second is trio.run else second(use_again())
            assert calls(sandbox) == 1

    def test_it_cannot_be_closed_on_a_second_loop(self) -> None:
        """Closing there says the same, and does not hide it behind an error of its own."""
        with Sandbox(limits=False) as sandbox:
            crm = sandbox.client()

            async def use() -> None:
                await crm.me()

            async def use_again() -> None:
                with pytest.raises(ConfigurationError, match="one client per event loop"):
                    async with crm:
                        await crm.me()

            asyncio.run(use())
            asyncio.run(use_again())


class TestTheEnd:
    """Closing."""

    async def test_calls_that_wait_do_not_outlive_the_client(self) -> None:
        """A call under way is answered; one that waits for its slot is refused, not sent."""
        with Sandbox(limits=False) as sandbox:
            sandbox.faults.add("latency", seconds=0.3)
            crm = sandbox.client(max_in_flight=1)
            outcomes: list[str] = []

            async def call() -> None:
                try:
                    outcomes.append((await crm.me()).user_name)
                except ConfigurationError as error:
                    outcomes.append(str(error))

            async with anyio.create_task_group() as group:
                group.start_soon(call)
                await anyio.sleep(0.05)
                group.start_soon(call)
                await anyio.sleep(0.05)
                await crm.aclose()
            assert outcomes[0] == "admin"
            assert "this client was closed before the call could be sent" in outcomes[1]
            assert calls(sandbox) == 1

    async def test_a_closed_client_is_refused(self) -> None:
        """Every call says that the client is closed; closing twice does nothing."""
        with Sandbox(limits=False) as sandbox:
            async with sandbox.client() as crm:
                await crm.describe("Contacts")
            await crm.aclose()
            for call in (crm.me(), crm.describe("Contacts"), crm.call("GET", "me")):
                with pytest.raises(ConfigurationError, match="this client is closed"):
                    await call
            assert calls(sandbox) == 1

    async def test_a_client_that_was_never_used_closes(self) -> None:
        """There is nothing to close, and no error."""
        async with client():
            pass

    async def test_an_injected_http_client_stays_open(self) -> None:
        """It belongs to whoever made it."""
        with Sandbox(limits=False) as sandbox:
            async with httpx.AsyncClient(transport=sandbox.transport()) as http:
                async with sandbox.client(http_client=http) as crm:
                    await crm.me()
                assert not http.is_closed


async def test_the_clock_is_the_one_given() -> None:
    """Quota follows `clock=`: a minute later by it, a minute's quota is back."""
    clock = ManualClock()
    with Sandbox(limits=False, clock=clock) as sandbox:
        async with sandbox.client(limits=Limits(minute=1), max_wait=0.0) as crm:
            await crm.me()
            with pytest.raises(QuotaExhaustedError) as refused:
                await crm.me()
            assert refused.value.window == "minute"
            assert refused.value.wait == pytest.approx(60.0, abs=1.0)
            assert refused.value.resets_at == crm.quota.at.fromtimestamp(
                clock.time() + refused.value.wait, crm.quota.at.tzinfo
            )
            clock.advance(61.0)
            await crm.me()


async def test_errors_learn_the_module_from_descriptions() -> None:
    """Once a module is described, an error about a record of it names the module."""
    with Sandbox(limits=False) as sandbox:
        rid = plant(sandbox, "Contacts", lastname="Ada")
        async with sandbox.client() as crm:
            assert (await crm.retrieve(rid)).module is None
            await crm.describe("Contacts")
            assert (await crm.retrieve(rid)).module == "Contacts"
