"""`vtiger-async quota show`: over HTTP to a sandbox, and from a store without a call."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from cli_runs import KEY, Instance, run_apart, run_here, run_on_terminal, served_here
from servers import free_port, postgres, redis

from vtiger_async import Limits, SQLiteQuota, VtigerClient
from vtiger_async.cli.quota_store import told_on_stderr
from vtiger_async.sandbox import Sandbox
from vtiger_async.stores.peek import AtWork


class Served:
    """A sandbox in this process, on real time, over HTTP."""

    def __init__(self, sandbox: Sandbox, portal: BlockingPortal, url: str) -> None:
        self.sandbox, self.portal, self.url = sandbox, portal, url

    def calls(self) -> int:
        """Return how many calls have come."""
        return sum(self.sandbox.ledger()["calls"].values())

    def call_elsewhere(self, times: int) -> None:
        """Make calls as another program that knows of no store."""

        async def calls() -> None:
            async with self.sandbox.client() as crm:
                for _ in range(times):
                    await crm.me()

        self.portal.call(calls)


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A sandbox with the limits of One Professional, and the environment set up for it."""
    for name in [name for name in os.environ if name.startswith("VTIGER_")]:
        monkeypatch.delenv(name)
    with (
        Sandbox(records=0, access_key=KEY) as sandbox,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(sandbox.serving()) as url,
    ):
        for name, value in Instance(url).environment.items():
            monkeypatch.setenv(name, value)
        yield Served(sandbox, portal, url)


def whole(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Return the JSON object that a run shows."""
    result = run_here(capsys, "quota", *arguments, "--json")
    assert result.code == 0, result.err
    (found,) = result.rows
    return found


def window(found: dict[str, Any], name: str) -> dict[str, Any]:
    """Return one window of a picture."""
    return next(window for window in found["windows"] if window["window"] == name)


class TestWithACall:
    """What one answer tells."""

    def test_others_show(self, real: Served, capsys: pytest.CaptureFixture[str]) -> None:
        """One call shows what other programs have taken of minute and day, and of a known hour."""
        real.call_elsewhere(3)
        found = whole(capsys, "--edition", "one-professional")
        assert real.calls() == 4
        assert found["source"] == "answer"
        for name, limit in (("minute", 60), ("day", 9000)):
            part = window(found, name)
            assert (part["limit"], part["used"], part["others"]) == (limit, 1, 3)
            assert part["remaining"] == limit - 4
        assert window(found, "hour")["limit"] == 4000
        assert found["fleet"] is None

    def test_an_empty_window_says_when(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where nothing is left, the moment of the next call lies ahead."""
        with served_here(monkeypatch, limits=Limits(minute=1)):
            found = whole(capsys)
        minute = window(found, "minute")
        assert minute["remaining"] == 0
        assert minute["next_call_at"] > found["at"]

    def test_show_is_the_default(self, real: Served, capsys: pytest.CaptureFixture[str]) -> None:
        """`quota` and `quota show` are the same, and each costs one call."""
        default, named = run_here(capsys, "quota"), run_here(capsys, "quota", "show")
        assert [row["window"] for row in default.rows] == ["minute", "hour", "day"]
        assert [list(row) for row in default.rows] == [list(row) for row in named.rows]
        assert real.calls() == 2

    def test_an_instance_without_limits_has_none(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where no header speaks of a quota, only the own calls are known."""
        with served_here(monkeypatch, limits=False):
            found = whole(capsys)
        assert {part["remaining"] for part in found["windows"]} == {None}
        assert {part["used"] for part in found["windows"]} == {1}


class TestWithoutACall:
    """What a shared store tells."""

    def test_the_store_tells_for_nothing(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """Commands that share a file count together, and a look at it costs no call and no key."""
        store = f"sqlite://{tmp_path}/quota.db"
        assert window(whole(capsys, "--no-call", "--quota-store", store), "day")["used"] == 0
        for _ in range(2):
            assert run_here(capsys, "whoami", "--quota-store", store).code == 0
        os.environ["VTIGER_QUOTA"] = store
        key = os.environ.pop("VTIGER_ACCESS_KEY")
        try:
            found = whole(capsys, "--no-call")
        finally:
            del os.environ["VTIGER_QUOTA"]
            os.environ["VTIGER_ACCESS_KEY"] = key
        assert real.calls() == 2
        assert found["source"] == "store"
        assert [part["used"] for part in found["windows"]] == [2, 2, 2]
        assert window(found, "day")["remaining"] == 8998

    def test_a_call_is_told_to_the_store_first(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """With a store and a call, the picture holds the call, and others' calls beside it."""
        real.call_elsewhere(2)
        found = whole(capsys, "--quota-store", f"sqlite://{tmp_path}/quota.db")
        minute = window(found, "minute")
        assert (minute["used"], minute["others"], minute["remaining"]) == (1, 2, 57)

    @pytest.mark.parametrize("kind", [redis, postgres])
    def test_servers_tell_the_same(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: Any
    ) -> None:
        """What Redis and PostgreSQL keep is shown like what a file keeps; its password never."""
        server, url = kind(tmp_path)
        try:
            empty = whole(capsys, "--no-call", "--quota-store", url)
            run_here(capsys, "whoami", "--quota-store", url)
            found = whole(capsys, "--no-call", "--quota-store", url)
        finally:
            server.stop(signal.SIGKILL)
        assert [part["used"] for part in empty["windows"]] == [0, 0, 0]
        assert [part["used"] for part in found["windows"]] == [1, 1, 1]
        assert [part["limit"] for part in found["windows"]] == [60, None, 9000]
        gone = run_here(capsys, "quota", "--no-call", "--quota-store", url)
        assert gone.code == 7
        assert gone.err.startswith("error: the store cannot be used: ")
        assert "s3cret-word" not in gone.err

    def test_it_shows_who_waits(self, real: Served, tmp_path: Path) -> None:
        """A process with more bulk calls than room is shown, and so are those that wait."""
        store = SQLiteQuota(str(tmp_path / "quota.db"))

        async def main() -> AtWork:
            found = AtWork(0, 0, 0, {}, 0.0)
            async with VtigerClient(
                real.url, "admin", KEY, limits=Limits(minute=60), quota=store, max_wait=math.inf
            ) as crm:
                await crm.me()
                bulk = crm.with_options(priority="bulk")
                async with anyio.create_task_group() as group:
                    for _ in range(70):
                        group.start_soon(bulk.me)
                    with anyio.fail_after(20):
                        while not (found.lent and found.waiting["bulk"]):
                            await anyio.sleep(0.05)
                            found = (await store.peek(real.url)).fleet
                    group.cancel_scope.cancel()
            return found

        found = anyio.run(main)
        assert (found.processes, found.with_bulk) == (1, 1)
        assert found.lent >= 1
        assert found.waiting["bulk"] >= 1
        assert found.waiting["interactive"] == found.waiting["sync"] == 0
        assert found.interactive_per_minute == 0.5

    def test_a_failing_store_is_one_line(
        self, real: Served, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A command whose store cannot be reached goes on with a share, and says so once."""
        store = f"redis://:s3cret-word@127.0.0.1:{free_port()}/0"
        result = run_here(capsys, "whoami", "--edition", "one-enterprise", "--quota-store", store)
        assert result.code == 0
        assert result.err.count("\n") == 1
        assert result.err.startswith("warning: the store of the shared quota cannot be used")
        assert "s3cret-word" not in result.err

    def test_a_file_that_is_none_is_7(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """A file that holds something else ends with 7, without a traceback."""
        path = tmp_path / "quota.db"
        path.write_text("no database, but long enough to look at" * 9)
        result = run_here(capsys, "quota", "--no-call", "--quota-store", f"sqlite://{path}")
        assert result.code == 7
        assert real.calls() == 0


def test_other_warnings_stay_what_they_are(tmp_path: Path) -> None:
    """Only what the store warns of becomes a line on stderr."""
    store = SQLiteQuota(str(tmp_path / "quota.db"))
    with warnings.catch_warnings(record=True) as caught, told_on_stderr(store):
        warnings.simplefilter("always")
        warnings.warn("something else", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["something else"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--no-call",), "nobody else knows"),
        (("--interval", "2"), "go with --watch"),
        (("--call-every", "2"), "go with --watch"),
        (("--json", "-o", "csv"), "give one of them"),
        (("--watch", "-o", "json"), "-o jsonl, or --json"),
        (
            ("--no-call", "--watch", "--call-every", "2", "--quota-store", "sqlite:q.db"),
            "--no-call makes none",
        ),
        (("--quota-store", "mysql://u:s3cret@host/db"), "wants a URL of sqlite, redis"),
        (("--quota-store", "sqlite://quota.db"), "after sqlite: comes a path"),
        (("--quota-store", "sqlite:"), "the path of a file"),
        (("--quota-store", "redis://h:s3cret"), "wants a URL of redis"),
        (("--url", "", "--no-call", "--quota-store", "sqlite:q.db"), "no instance"),
        (("--url", "", "--watch", "--quota-store", "sqlite:q.db"), "no instance"),
    ],
)
def test_what_makes_no_sense_is_2(
    instance: Instance, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Options that contradict each other, or name no store, end with 2 before a call is spent."""
    result = run_here(capsys, "quota", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert "s3cret" not in result.err
    assert instance.calls() == {}


@contextmanager
def interrupt_when(ready: Callable[[], object], least: float = 0.0) -> Iterator[None]:
    """Send Ctrl-C to this process once something holds, and so many seconds have passed."""
    done = threading.Event()

    def wait() -> None:
        done.wait(least)
        while not done.is_set() and not ready():
            done.wait(0.05)
        if not done.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class TestWatch:
    """The picture that follows."""

    def test_a_pipe_gets_a_line_for_each_look(
        self, real: Served, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Watching without a store makes one call, and Ctrl-C ends it with 130."""
        with interrupt_when(real.calls, 1.0):
            result = run_here(capsys, "quota", "--watch", "--interval", "0.1")
        assert result.code == 130
        assert real.calls() == 1
        assert len(result.rows) >= 3
        assert {window(row, "minute")["used"] for row in result.rows} == {1}
        assert all(row["forecast"]["per_minute"] == 1 for row in result.rows)

    def test_calls_are_made_where_asked_for(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """With --call-every the calls of the watch, and others' meanwhile, show in the store."""
        store = f"sqlite://{tmp_path}/quota.db"
        watching = ("--watch", "--interval", "0.1", "--call-every", "1", "--quota-store", store)
        with interrupt_when(lambda: real.calls() >= 2):
            assert run_here(capsys, "quota", "show", *watching).code == 130
        assert window(whole(capsys, "--no-call", "--quota-store", store), "day")["used"] >= 2

    def test_a_store_is_watched_without_calls(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """With a store, watching makes no call at all."""
        store = f"sqlite://{tmp_path}/quota.db"
        run_here(capsys, "whoami", "--quota-store", store)
        with interrupt_when(lambda: True, 1.0):
            result = run_here(capsys, "quota", "--watch", "--quota-store", store)
        assert result.code == 130
        assert real.calls() == 1
        assert {row["source"] for row in result.rows} == {"store"}
        assert {row["fleet"]["processes"] for row in result.rows} == {1}

    def test_a_store_that_goes_away_is_waited_for(
        self, real: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """A store that fails later ends nothing: the last picture stays."""
        server, url = redis(tmp_path)
        run_here(capsys, "whoami", "--quota-store", url)
        stop = threading.Timer(0.7, server.stop)
        stop.start()
        watching = ("--watch", "--interval", "0.1", "--json", "--quota-store", url)
        with interrupt_when(lambda: server.process is None, 1.5):
            result = run_here(capsys, "quota", *watching)
        stop.join()
        assert result.code == 130
        assert result.rows[-1]["fleet"]["processes"] == 1
        assert len(result.rows) >= 3

    def test_a_terminal_gets_bars(self, real: Served) -> None:
        """On a terminal there is a bar for each window, what comes, and how many calls it cost."""
        result = run_on_terminal(
            "quota", "--watch", "--interval", "3", "--edition", "one-professional",
            typed="\x03", after="makes more\x1b[0m", **Instance(real.url).environment,
        )  # fmt: skip
        assert result.code == 130, result.out
        assert "█" in result.out
        assert "59 of 60 left" in result.out
        assert "3999 of 4000 left" in result.out
        assert "1 call made" in result.out
        assert real.calls() == 1


def test_the_help_tells_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """The group's help names its commands, and that of show says what it costs."""
    group = run_here(capsys, "quota", "--help").out
    assert "Without a command: show" in group
    assert "plan" in group
    assert "It costs one call" in run_here(capsys, "quota", "show", "--help").out


def test_rows_for_programs_hold_all_windows(instance: Instance) -> None:
    """As another process, into a pipe, each window is one JSON line."""
    result = run_apart("quota", **instance.environment)
    assert [json.loads(line)["window"] for line in result.out.splitlines()] == [
        "minute",
        "hour",
        "day",
    ]
