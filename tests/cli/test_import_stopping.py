"""Ctrl-C at `vtiger-async import`: once in good order, twice at once; what is seen meanwhile."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cli_runs import COMMAND, KEY, ROOT, Instance, clean_environment
from import_runs import KEYED, imported, names, one, rows_file, stored

from vtiger_async import ScaledClock, VtigerClient
from vtiger_async.bulk import Created, Paused, Rejected, Report, Resumed, Unreachable
from vtiger_async.bulk.journal import Journal
from vtiger_async.cli.exits import ExitCode
from vtiger_async.cli.imports_progress import Display, Progress
from vtiger_async.cli.imports_run import Ending
from vtiger_async.cli.imports_stopping import attended
from vtiger_async.sandbox import Sandbox
from vtiger_async.types import RecordId

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def served(roomy: Instance) -> Instance:
    """The instance of these tests is one that refuses no call."""
    return roomy


@contextmanager
def process(instance: Instance, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command under `import` as a process of its own."""
    with subprocess.Popen(
        [*COMMAND, "import", *map(str, arguments)],
        cwd=ROOT,
        env=clean_environment(instance.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def until_called(
    instance: Instance, running: subprocess.Popen[str], operation: str, times: int
) -> None:
    """Wait until the process has called an operation so often."""
    patience = time.monotonic() + 30
    while instance.calls().get(operation, 0) < times:
        assert time.monotonic() < patience, instance.calls()
        with suppress(subprocess.TimeoutExpired):
            running.wait(0.05)


def test_once_it_drains_and_says_how_to_go_on(
    instance: Instance, capsys: Capture, tmp_path: Path
) -> None:
    """Calls under way come to their end, the exit code is 130, and no row is lost or doubled."""
    instance.order("latency", operation="create", seconds=0.2)
    path = rows_file(tmp_path, *names(100))
    with process(instance, "run", path, *KEYED) as running:
        until_called(instance, running, "create", 10)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    journal = tmp_path / "orgs.csv.1.vtjob"
    assert "interrupted: calls under way come to their end" in err
    assert f"to go on: vtiger-async import resume {journal}" in err
    found = json.loads(out)
    assert found["open"] > 0
    assert found["created"] == instance.calls()["create"]
    with closing(Journal.open(journal)) as kept:
        assert {state for _, _, state in kept.counts()} == {"done", "planned"}
    instance.order("latency", operation="create", seconds=0.0)
    assert one(imported(capsys, "resume", journal))["created"] == 100
    assert len(stored(capsys)) == 100
    assert instance.calls()["create"] == 100


def test_twice_it_stops_at_once(instance: Instance, capsys: Capture, tmp_path: Path) -> None:
    """Calls that take long are not waited for; what came of them is looked up by the next run."""
    instance.order("latency", operation="create", after=8, seconds=60.0)
    path = rows_file(tmp_path, *names(30))
    journal = tmp_path / "orgs.csv.1.vtjob"
    with process(instance, "run", path, *KEYED) as running:
        until_called(instance, running, "create", 16)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        for line in running.stderr:
            if "once more stops at once" in line:
                break
        began_at = time.monotonic()
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert time.monotonic() - began_at < 15
    assert running.returncode == 130
    assert err.splitlines()[-1] == "error: interrupted"  # early versions of anyio tell more before
    with closing(Journal.open(journal)) as kept:
        states = {state: count for (_, _, state), count in kept.counts().items()}
    assert states.get("sent", 0) + states.get("unknown", 0) == 8
    assert one(imported(capsys, "report", journal))["open"] == 22

    async def resume() -> Report:
        clock = ScaledClock(300)  # it waits for a minute before it looks for what was under way
        async with VtigerClient(instance.url, "admin", KEY, clock=clock) as crm:
            return await crm.bulk.apply(journal).run()

    delete_faults(instance)
    assert anyio.run(resume).created == 30
    assert len(stored(capsys)) == 30


def delete_faults(instance: Instance) -> None:
    """Take all faults back."""
    assert httpx.delete(f"{instance.url}/__sandbox__/faults").status_code < 300


def test_a_plan_that_is_interrupted_leaves_nothing(instance: Instance, tmp_path: Path) -> None:
    """Ctrl-C while it plans ends with 130, and with no journal."""
    instance.order("latency", operation="describe", seconds=60.0)
    with process(instance, "plan", rows_file(tmp_path, *names(3)), *KEYED) as running:
        until_called(instance, running, "describe", 1)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert err == "error: interrupted: nothing was written to the CRM, and there is no plan\n"
    assert not list(tmp_path.glob("*.vtjob*"))


def test_an_undo_that_is_interrupted_goes_on(
    instance: Instance, capsys: Capture, tmp_path: Path
) -> None:
    """SIGTERM ends it with 130 and names the command; the same command undoes the rest."""
    journal = one(imported(capsys, "run", rows_file(tmp_path, *names(60)), *KEYED))["journal"]
    instance.order("latency", operation="delete", seconds=0.3)
    with process(instance, "undo", journal, "--yes") as running:
        until_called(instance, running, "delete", 8)
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert f"vtiger-async import undo {journal}" in err
    delete_faults(instance)
    assert 0 < len(stored(capsys)) < 60
    assert imported(capsys, "undo", journal, "--yes").code == 0
    assert stored(capsys) == {}


def test_where_signals_cannot_be_waited_for_the_work_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Windows asyncio cannot; then Ctrl-C is what it is everywhere, and nothing else changes."""

    def refused(*_: object) -> Any:
        raise NotImplementedError

    async def work() -> int:
        return 7

    monkeypatch.setattr(anyio, "open_signal_receiver", refused)
    assert anyio.run(attended, work, print, print, 60.0) == 7


class TestProgress:
    """What is told of how far a job is."""

    def test_a_new_job_is_told_of_the_rows_that_planning_closed(self) -> None:
        """They are counted as they come; calls are left for the others only."""
        report = Report(rejected=2, open=8)
        progress = Progress.of(report, 9, is_new=True)
        assert (progress.rows, progress.done, progress.left) == (10, 0, 9)
        progress.count(Rejected(row=1, module="Accounts", problems=("no",)))
        progress.count(Created(row=2, module="Accounts", record_id=RecordId("3x1")))
        progress.calls = 4
        assert (progress.done, progress.left) == (2, 7)
        assert str(progress) == "2 of 10 rows: rejected 1, created 1; "

    def test_a_job_that_goes_on_begins_where_it_was(self) -> None:
        """Rows of earlier runs are counted from the beginning."""
        progress = Progress.of(Report(created=5, rejected=1, open=4), 4, is_new=False)
        assert (progress.done, progress.left) == (6, 4)

    def test_the_time_left_is_the_longer_of_quota_and_pace(self) -> None:
        """A slow instance takes longer than the quota demands; a few calls tell no pace."""
        progress = Progress(rows=100, steps=100, open=100)
        assert progress.seconds_left(5.0) == 5.0
        progress.look(0.0)
        progress.calls = 5
        progress.look(10.0)
        assert progress.seconds_left(5.0) == 5.0
        progress.calls, progress.open = 50, 50
        progress.look(100.0)
        assert progress.seconds_left(5.0) == 100.0
        assert progress.seconds_left(500.0) == 500.0
        progress.look(300.0)  # nothing for minutes: the quota alone tells
        assert progress.seconds_left(5.0) == 5.0

    def test_elsewhere_than_on_a_terminal_it_is_a_line(self, capsys: Capture) -> None:
        """Rows, calls, what is left and how long; nothing is said of a time that nothing tells."""
        with Sandbox() as sandbox:
            display = Display(sandbox.client(), "applying")
            display.look()
            display.progress = Progress(rows=40, steps=30, open=30)
            display.look()
            display.progress = Progress(rows=90_000_000, steps=80_000_000, open=80_000_000)
            display.progress.look(0.0)
        told = capsys.readouterr().err.splitlines()
        assert told == ["applying: 0 calls", "applying: 0 of 40 rows; 0 calls, 30 to go"]

    def test_pauses_are_told(self, capsys: Capture) -> None:
        """A pause with its window and end, an instance that fails with the reason, and the end."""
        at, until = datetime(2026, 1, 1, 20, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)

        async def heed(sandbox: Sandbox) -> None:
            ending = Ending(Display(sandbox.client(), "applying"), "the command")
            ending.heed(Paused(at, until, "day"))
            ending.heed(Resumed(until))
            ending.heed(Unreachable(at, until, "no\x1b[31m way"))
            assert ending.code is None
            ending.stop_on_pause = True
            ending.heed(Paused(at, until, "hour"))
            assert ending.code is ExitCode.QUOTA

        with Sandbox() as sandbox:
            anyio.run(heed, sandbox)
        assert capsys.readouterr().err.splitlines() == [
            "paused: the quota of the day is used up; on it goes at 2026-01-02T00:00:00+00:00",
            "on it goes",
            "the instance fails, and is tried again: no\\x1b[31m way",
            "stopped: the quota of the hour is used up until 2026-01-02T00:00:00+00:00",
        ]
