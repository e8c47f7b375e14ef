"""The sandbox over real HTTP: in the test's own loop, and as a process of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from front_calls import REST, create_lead, eventually, writes
from typer.testing import CliRunner

from vtiger_async.cli.sandbox import app
from vtiger_async.editions import Limits
from vtiger_async.sandbox import ManualClock, Sandbox
from vtiger_async.sandbox.faults import FaultKind
from vtiger_async.sandbox.server import serve

ROOT = Path(__file__).parents[2]


def over_http(
    scenario: Callable[[Sandbox, httpx.AsyncClient], Awaitable[None]], **options: Any
) -> Sandbox:
    """Run a scenario against a served sandbox under asyncio, as uvicorn wants it."""
    options.setdefault("limits", False)
    timeout = options.pop("timeout", 5.0)
    with Sandbox(**options) as sandbox:

        async def run() -> None:
            async with (
                sandbox.serving() as url,
                httpx.AsyncClient(
                    base_url=url, auth=sandbox.credentials(), timeout=timeout
                ) as http,
            ):
                with anyio.fail_after(20):
                    await scenario(sandbox, http)

        anyio.run(run)
    return sandbox


class TestServing:
    """`Sandbox.serving()`."""

    def test_it_answers_as_in_process(self) -> None:
        """Envelope, type, reason phrase and quota headers are those in process."""

        async def scenario(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
            ok, no = await http.get(REST + "me"), await http.post(REST + "nosuchop")
            assert ok.json()["result"]["user_name"] == "admin"
            assert ok.headers["content-type"] == "text/json"
            assert ok.reason_phrase == "OK"
            assert (no.status_code, no.reason_phrase) == (400, "Unknown operation requested")
            assert no.headers["x-floodcontrol-remaining"] == "8"
            assert (await http.get("/__sandbox__/health")).json() == {"status": "ok"}

        over_http(scenario, limits=Limits(minute=10), clock=ManualClock())

    def test_the_reason_phrase_belongs_to_one_response(self) -> None:
        """On one connection each response has its own reason phrase."""

        async def scenario(_: Sandbox, http: httpx.AsyncClient) -> None:
            phrases = [
                (await http.get(REST + name)).reason_phrase for name in ("none", "me", "none")
            ]
            assert phrases == ["Unknown operation requested", "OK", "Unknown operation requested"]

        over_http(scenario)

    def test_what_is_not_http_gets_a_400(self) -> None:
        """Bytes that are no request are answered before any app sees them."""

        async def scenario(_: Sandbox, http: httpx.AsyncClient) -> None:
            async with await anyio.connect_tcp("127.0.0.1", http.base_url.port or 0) as stream:
                await stream.send(b"\x00\r\n\r\n")
                assert (await stream.receive()).startswith(b"HTTP/1.1 400 Bad Request")

        over_http(scenario)

    def test_files_are_uploaded(self) -> None:
        """A multipart form arrives with its file."""
        sizes: list[int] = []

        async def scenario(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
            sandbox.route("up", lambda call: sizes.append(len(call.files[0].content)))
            await http.post("/restapi/vtap/api/up", files={"filename": ("a", b"x" * 3_000_000)})

        over_http(scenario)
        assert sizes == [3_000_000]

    @pytest.mark.parametrize(
        ("kind", "error", "written"),
        [
            ("reset_before_commit", httpx.ReadError, 0),
            ("reset_after_commit", httpx.ReadError, 1),
            ("commit_then_drop", httpx.RemoteProtocolError, 1),
            ("cut", httpx.RemoteProtocolError, 1),
            ("no_answer", httpx.ReadTimeout, 0),
        ],
    )
    def test_faults_break_real_connections(
        self, kind: FaultKind, error: type[Exception], written: int
    ) -> None:
        """Each fault shows over a socket as it does in process, and the next call works."""

        async def scenario(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
            sandbox.faults.add(kind, operation="create", times=1)
            with pytest.raises(error):
                await create_lead(http)
            assert writes(sandbox) == written
            assert (await create_lead(http)).status_code == 200

        over_http(scenario, timeout=0.5)

    def test_a_slow_write_happens_after_the_client_has_gone(self) -> None:
        """Over a socket too a write goes on when its client has hung up."""

        async def scenario(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
            clock = sandbox.clock
            assert isinstance(clock, ManualClock)
            sandbox.faults.add("latency", operation="create", seconds=20)
            with pytest.raises(httpx.ReadTimeout):
                await create_lead(http, timeout=0.1)
            assert writes(sandbox) == 0
            clock.advance(20)
            await eventually(lambda: writes(sandbox) == 1)

        over_http(scenario, clock=ManualClock())

    def test_a_slow_drip_comes_whole(self) -> None:
        """A body in small pieces is whole at the end."""

        async def scenario(sandbox: Sandbox, http: httpx.AsyncClient) -> None:
            sandbox.faults.add("slow_drip", seconds=0.05)
            assert (await create_lead(http)).json()["success"] is True

        over_http(scenario)

    @pytest.mark.parametrize("kind", ["no_answer", "latency"])
    def test_it_stops_while_requests_hang(
        self, kind: FaultKind, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Leaving the block ends requests that are never answered, without a traceback."""

        async def run() -> None:
            with Sandbox(limits=False, clock=ManualClock()) as sandbox:
                sandbox.faults.add(kind)
                async with (
                    httpx.AsyncClient(auth=sandbox.credentials()) as http,
                    anyio.create_task_group() as group,
                    sandbox.serving() as url,
                ):
                    group.start_soon(ended, http, url + REST + "me")
                    await eventually(lambda: sandbox.ledger()["calls"])

        async def ended(http: httpx.AsyncClient, url: str) -> None:
            with pytest.raises(httpx.TransportError):
                await http.get(url)

        begun = time.monotonic()
        anyio.run(run)
        assert time.monotonic() - begun < 5
        assert not [record for record in caplog.records if record.exc_info]

    def test_a_taken_port_is_an_error(self) -> None:
        """Serving on a port that is taken raises OSError."""

        async def run(port: int) -> None:
            with Sandbox(limits=False) as sandbox:
                async with sandbox.serving(port=port):
                    pass

        with (
            socket.create_server(("127.0.0.1", 0)) as taken,
            pytest.raises(OSError, match="in use"),
        ):
            anyio.run(run, taken.getsockname()[1])


class TestServe:
    """`serve()`, which the command runs."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_it_and_the_handlers_are_put_back(self, number: signal.Signals) -> None:
        """It prints its line, answers, stops on a signal, and leaves no handler behind."""
        before = signal.getsignal(number)
        out = io.StringIO()

        async def run() -> None:
            with Sandbox(limits=False) as sandbox:
                async with anyio.create_task_group() as group:
                    group.start_soon(serve, sandbox.app, sandbox.credentials(), "127.0.0.1", 0, out)
                    await eventually(out.getvalue)
                    line = json.loads(out.getvalue())
                    auth = (line["username"], line["access_key"])
                    async with httpx.AsyncClient(auth=auth) as http:
                        assert (await http.get(line["url"] + REST + "me")).status_code == 200
                    signal.raise_signal(number)

        anyio.run(run)
        assert signal.getsignal(number) is before
        assert out.getvalue().count("\n") == 1


@contextmanager
def serve_command(*options: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """Run `sandbox serve`, and yield the process and the line it printed."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        "from vtiger_async.cli.sandbox import app; app()",
    ]
    with subprocess.Popen(
        [*command, "serve", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def stop(process: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    """Stop a process by a signal; return the rest of its output, when it has ended with 0."""
    process.send_signal(number)
    out, err = process.communicate(timeout=15)
    assert process.returncode == 0, err
    return out, err


class TestServeCommand:
    """`vtiger-async sandbox serve`."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_prints_one_line_answers_and_stops(self, number: signal.Signals) -> None:
        """The one line on stdout opens the sandbox; a signal ends it with 0 and in silence."""
        with serve_command("--edition", "one-growth", "--access-key", "secret") as (process, line):
            assert set(line) == {"url", "username", "access_key"}
            assert (line["username"], line["access_key"]) == ("admin", "secret")
            auth = (line["username"], line["access_key"])
            with httpx.Client(base_url=line["url"], auth=auth) as http:
                found = http.get(REST + "me")
                assert found.json()["result"]["user_name"] == "admin"
                assert found.headers["x-floodcontrol-minutelimit"] == "30"
                http.post("/__sandbox__/faults", json={"kind": "reset_before_commit", "times": 1})
                with pytest.raises(httpx.ReadError):
                    http.get(REST + "me")
                assert http.get("/__sandbox__/ledger").json()["calls"] == {"me": 2}
            assert stop(process, number) == ("", "")

    def test_its_time_can_run_fast_or_by_hand(self) -> None:
        """--speed scales the time; at 0 the clock moves only when it is told to."""
        with serve_command("--speed", "60") as (process, line):
            assert httpx.get(line["url"] + "/__sandbox__/clock").json()["factor"] == 60
            stop(process, signal.SIGTERM)
        with serve_command("--speed", "0", "--minute-window", "sliding") as (process, line):
            url = line["url"] + "/__sandbox__/clock"
            before = httpx.get(url).json()["time"]
            assert httpx.post(url, json={"advance": 3600}).json()["time"] == before + 3600
            stop(process, signal.SIGTERM)

    def test_its_store_outlives_it(self, tmp_path: Path) -> None:
        """With --store the records are there again after a restart; the key may be in the env."""
        store = ("--store", str(tmp_path / "crm.db"), "--records", "0")
        env = {"VTIGER_ACCESS_KEY": "from-env"}
        element = json.dumps({"lastname": "Kept", "assigned_user_id": "19x1"})
        with serve_command(*store, **env) as (process, line):
            auth = ("admin", "from-env")
            made = httpx.post(
                line["url"] + REST + "create",
                data={"elementType": "Leads", "element": element},
                auth=auth,
            ).json()["result"]
            stop(process, signal.SIGTERM)
        with serve_command(*store, **env) as (process, line):
            found = httpx.get(
                line["url"] + REST + "retrieve", params={"id": made["id"]}, auth=auth
            ).json()
            assert found["result"]["lastname"] == "Kept"
            stop(process, signal.SIGTERM)

    def test_a_wrong_edition_is_a_usage_error(self) -> None:
        """An edition that is unknown ends with 2, and names those that are known."""
        found = CliRunner().invoke(app, ["serve", "--edition", "one-nothing"])
        assert found.exit_code == 2
        assert "one-growth" in " ".join(found.output.split())

    @pytest.mark.parametrize("speed", ["0", "1", "60"])
    def test_a_taken_port_is_said(self, speed: str) -> None:
        """A port that is taken ends with 1 and one sentence on stderr."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            found = CliRunner().invoke(app, ["serve", "--port", port, "--speed", speed])
        assert found.exit_code == 1
        assert f"cannot listen on 127.0.0.1:{port}" in found.output

    def test_without_the_extra_it_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where uvicorn is missing the command ends with 2, and says which extra brings it."""
        monkeypatch.setitem(sys.modules, "vtiger_async.sandbox.server", None)
        found = CliRunner().invoke(app, ["serve"])
        assert found.exit_code == 2
        assert "vtiger-async[sandbox]" in found.output
