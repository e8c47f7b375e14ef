"""Faults on order: what the client sees, and what really happened."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest
from front_calls import REST, create_lead, http_of, writes

from vtiger_async.editions import Limits
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.sandbox import Faults, ManualClock, Sandbox
from vtiger_async.sandbox.faults import KINDS, FaultKind

pytestmark = pytest.mark.anyio


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with headers, and more calls than a test makes."""
    with Sandbox(limits=Limits(minute=1000, day=1000), clock=ManualClock()) as made:
        yield made


class TestReplies:
    """Faults that still answer."""

    @pytest.mark.parametrize("kind", ["429", "500", "502", "503", "504"])
    async def test_an_error_status_without_a_write(self, sandbox: Sandbox, kind: FaultKind) -> None:
        """An error status leaves the record unwritten."""
        sandbox.faults.add(kind, operation="create", times=1)
        async with http_of(sandbox) as http:
            assert (await create_lead(http)).status_code == int(kind)
            assert writes(sandbox) == 0
            assert (await create_lead(http)).status_code == 200

    @pytest.mark.parametrize("kind", ["500", "502", "503", "504", "html", "empty", "no_answer"])
    async def test_an_error_after_the_write(self, sandbox: Sandbox, kind: FaultKind) -> None:
        """With commit=True the record is written, and the client learns nothing of it."""
        sandbox.faults.add(kind, commit=True)
        async with http_of(sandbox, timeout=0.01) as http:
            try:
                found = (await create_lead(http)).text
            except httpx.ReadTimeout:
                found = ""
        assert "Lovelace" not in found
        assert writes(sandbox) == 1

    @pytest.mark.parametrize(
        ("kind", "carried"), [("429", True), ("500", True), ("502", False), ("504", False)]
    )
    async def test_quota_headers_come_from_the_crm_and_not_from_a_proxy(
        self, sandbox: Sandbox, kind: FaultKind, *, carried: bool
    ) -> None:
        """A 429 or 500 carries quota headers; a proxy's 502, 503 or 504 has none, and is HTML."""
        sandbox.faults.add(kind)
        async with http_of(sandbox) as http:
            found = await http.get(REST + "me")
        assert ("x-floodcontrol-remaining" in found.headers) is carried
        assert found.headers["content-type"] == ("text/json" if carried else "text/html")

    @pytest.mark.parametrize("kind", ["429", "503"])
    async def test_retry_after_in_whole_seconds(self, sandbox: Sandbox, kind: FaultKind) -> None:
        """A 429 or 503 tells when to come back, where it is asked to."""
        sandbox.faults.add(kind, retry_after=2.5)
        async with http_of(sandbox) as http:
            assert (await http.get(REST + "me")).headers["retry-after"] == "3"

    async def test_a_429_on_order_is_not_charged(self, sandbox: Sandbox) -> None:
        """A 429 on order costs no quota, as one of the flood control costs none."""
        sandbox.faults.add("429", times=1)
        async with http_of(sandbox) as http:
            await http.get(REST + "me")
        assert sandbox.flood.snapshot()["windows"]["day"]["used"] == 0

    async def test_an_html_page_may_be_a_200(self, sandbox: Sandbox) -> None:
        """A page in place of JSON comes with 200, or with the status it is given."""
        sandbox.faults.add("html", times=1)
        sandbox.faults.add("html", times=1, status=403)
        async with http_of(sandbox) as http:
            answers = [await http.get(REST + "me") for _ in range(3)]
        assert [found.status_code for found in answers] == [200, 403, 200]
        assert answers[0].text.startswith("<html>")
        assert answers[2].json()["success"] is True

    async def test_an_empty_body_may_hide_a_write(self, sandbox: Sandbox) -> None:
        """A PHP fatal error is 500 with no body, and has written by default."""
        sandbox.faults.add("empty", times=1)
        sandbox.faults.add("empty", times=1, status=200, commit=False)
        async with http_of(sandbox) as http:
            fatal, silent = await create_lead(http), await create_lead(http)
        assert (fatal.status_code, fatal.content) == (500, b"")
        assert (silent.status_code, silent.content) == (200, b"")
        assert writes(sandbox) == 1

    async def test_php_warnings_stand_before_the_json(self, sandbox: Sandbox) -> None:
        """The reply is whole behind the warnings, and its length is right."""
        sandbox.faults.add("php_warnings")
        async with http_of(sandbox) as http:
            found = await create_lead(http)
        assert found.text.startswith("<br />\n<b>Warning</b>")
        assert int(found.headers["content-length"]) == len(found.content)
        true = json.loads(found.text[found.text.index('{"success"') :])
        assert true["result"]["lastname"] == "Lovelace"


class TestLostReplies:
    """Faults that leave the client without a reply."""

    @pytest.mark.parametrize(
        ("kind", "error", "written"),
        [
            ("refuse", httpx.ConnectError, 0),
            ("reset_before_commit", httpx.ReadError, 0),
            ("reset_after_commit", httpx.ReadError, 1),
            ("commit_then_drop", httpx.RemoteProtocolError, 1),
            ("cut", httpx.RemoteProtocolError, 1),
            ("no_answer", httpx.ReadTimeout, 0),
        ],
    )
    async def test_what_is_seen_and_what_happened(
        self, sandbox: Sandbox, kind: FaultKind, error: type[Exception], written: int
    ) -> None:
        """Each fault raises httpx's own error for it, and writes or does not."""
        sandbox.faults.add(kind, operation="create", times=1)
        async with http_of(sandbox, timeout=0.01) as http:
            with pytest.raises(error):
                await create_lead(http)
            assert writes(sandbox) == written
            assert (await create_lead(http)).status_code == 200
        assert writes(sandbox) == written + 1


class TestSelection:
    """Which calls are struck."""

    async def test_only_the_operation_that_is_named(self, sandbox: Sandbox) -> None:
        """A fault for one operation leaves the others alone; the case of the name is free."""
        rule = sandbox.faults.add("500", operation="CREATE")
        async with http_of(sandbox) as http:
            assert (await http.get(REST + "me")).status_code == 200
            assert (await create_lead(http)).status_code == 500
        assert (rule.seen, rule.fired) == (1, 1)

    async def test_a_route_is_named_with_its_path(self, sandbox: Sandbox) -> None:
        """A fault can strike a registered route."""
        sandbox.route("a/b", lambda _call: None)
        sandbox.faults.add("500", operation="vtap/a/b")
        async with http_of(sandbox) as http:
            assert (await http.get("/restapi/vtap/api/a/b")).status_code == 500

    def test_after_and_times(self) -> None:
        """A fault lets some calls pass, strikes some, and is then spent."""
        faults = Faults()
        faults.add("500", after=2, times=3)
        assert [faults.take("me")[1] is not None for _ in range(7)] == [
            *[False] * 2,
            *[True] * 3,
            *[False] * 2,
        ]

    def test_probability_is_seeded(self) -> None:
        """The same seed strikes the same calls, another one others; about the share asked for."""

        def struck(seed: int) -> list[bool]:
            faults = Faults(seed)
            faults.add("500", probability=0.3)
            return [faults.take("me")[1] is not None for _ in range(400)]

        assert struck(1) == struck(1) != struck(2)
        assert sum(struck(1)) / 400 == pytest.approx(0.3, abs=0.07)

    def test_the_first_fault_that_strikes_wins_and_latency_adds_up(self) -> None:
        """One fault distorts a reply; latencies come on top of it, and of each other."""
        faults = Faults()
        faults.add("latency", seconds=1)
        first = faults.add("500", times=1)
        second = faults.add("cut")
        faults.add("latency", seconds=0.5)
        assert faults.take("me") == (1.5, first)
        assert faults.take("me") == (1.5, second)
        assert second.seen == 1

    def test_a_fault_can_be_taken_off(self) -> None:
        """remove() takes one fault off, clear() all of them."""
        faults = Faults()
        first, second = faults.add("500"), faults.add("cut")
        assert faults.remove(first.number)
        assert not faults.remove(first.number)
        assert faults.take("me")[1] is second
        faults.clear()
        assert faults.take("me") == (0.0, None)

    async def test_a_refused_call_uses_up_no_fault(self) -> None:
        """The flood control stands before the faults."""
        with Sandbox(limits=Limits(minute=1), clock=ManualClock()) as sandbox:
            async with http_of(sandbox) as http:
                await http.get(REST + "me")
                rule = sandbox.faults.add("500", times=1)
                assert (await http.get(REST + "me")).status_code == 429
        assert rule.seen == 0


class TestOptions:
    """What can be ordered."""

    def test_the_table_of_kinds_is_the_type(self) -> None:
        """Every kind of the type is in the table, and no other."""
        assert set(KINDS) == set(get_args(FaultKind))

    @pytest.mark.parametrize(
        ("kind", "options", "message"),
        [
            ("explode", {}, "no fault 'explode'; known are latency"),
            ("cut", {"seconds": 1}, "'cut' takes no seconds"),
            ("commit_then_drop", {"commit": False}, "takes no commit"),
            ("429", {"commit": True}, "takes no commit"),
            ("500", {"times": 0}, "times is from 1"),
            ("500", {"times": 1.5}, "times is no float"),
            ("500", {"after": -1}, "after is from 0"),
            ("500", {"probability": 1.1}, "probability is from 0 to 1"),
            ("500", {"probability": float("nan")}, "probability"),
            ("500", {"commit": 1}, "commit is no int"),
            ("latency", {"seconds": -1}, "seconds is from 0"),
            ("latency", {"seconds": "1"}, "seconds is no str"),
            ("html", {"status": 99}, "status is from 200"),
            ("429", {"retry_after": True}, "retry_after is no bool"),
        ],
    )
    def test_an_option_that_does_nothing_or_makes_no_sense_is_refused(
        self, kind: Any, options: dict[str, Any], message: str
    ) -> None:
        """A wrong order is refused when it is made, in one sentence."""
        faults = Faults()
        with pytest.raises(InvalidArgumentError, match=message):
            faults.add(kind, **options)
        assert faults.rules == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_can_be_ordered_with_its_defaults(self, kind: FaultKind) -> None:
        """Each kind works without options, and its rule is JSON."""
        rule = Faults().add(kind)
        assert json.loads(json.dumps(rule.to_json()))["kind"] == kind
