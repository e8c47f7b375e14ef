"""`vtiger-async export`: files, exit codes, and Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cli_runs import COMMAND, ROOT, Instance, clean_environment, run_here

from vtiger_async.cli.exports import show_report
from vtiger_async.cli.output import Format, Output
from vtiger_async.exports import ExportReport

Capture = pytest.CaptureFixture[str]


def test_a_module_becomes_a_file(instance: Instance, capsys: Capture, tmp_path: Path) -> None:
    """The report is the command's data; stderr is for people."""
    path = tmp_path / "accounts.jsonl"
    done = run_here(capsys, "export", "Accounts", "--to", str(path))
    (report,) = done.rows
    assert done.code == 0
    assert report.pop("seconds") >= 0
    assert report == {
        "file": str(path), "module": "Accounts", "records": 300, "calls": 6, "runs": 1,
    }  # fmt: skip
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len({row["id"] for row in rows}) == 300
    assert instance.calls() == {"describe": 1, "me": 1, "query": 4}


def test_a_statement_becomes_a_file(instance: Instance, capsys: Capture, tmp_path: Path) -> None:
    """With its fields for columns."""
    path = tmp_path / "three.csv"
    statement = "SELECT lastname FROM Contacts ORDER BY id LIMIT 3;"
    assert run_here(capsys, "export", statement, "--to", str(path)).code == 0
    header, *rows = path.read_text("utf-8").splitlines()
    assert header == "id,lastname,_extra"
    assert len(rows) == 3


def test_explain_only_tells(instance: Instance, capsys: Capture, tmp_path: Path) -> None:
    """What it would cost is the command's data; no file is made."""
    path = tmp_path / "contacts.csv"
    done = run_here(capsys, "export", "Contacts", "--to", str(path), "--explain")
    (cost,) = done.rows
    assert done.code == 0
    assert cost.pop("seconds") >= 0
    assert cost.pop("note").startswith("if the user is an administrator")
    assert cost.pop("window") in (None, "minute")
    assert cost == {"module": "Contacts", "calls": 5, "records": 400, "spent": 1}
    assert "Contacts: 5 calls for 400 records" in done.err
    assert instance.calls() == {"query": 1}
    assert [*tmp_path.iterdir()] == []


def test_what_cannot_be_carried_out_spends_no_call(
    instance: Instance, capsys: Capture, tmp_path: Path
) -> None:
    """An unknown suffix, a file that is there, a statement that is none: exit code 2."""
    there = tmp_path / "there.csv"
    there.write_text("mine")
    for what, to in (("Leads", "leads.xlsx"), ("Leads", "there.csv"), ("SELECT x", "x.csv")):
        assert run_here(capsys, "export", what, "--to", str(tmp_path / to)).code == 2
    assert instance.calls() == {}
    assert there.read_text() == "mine"
    assert run_here(capsys, "export", "Leads", "--to", str(there), "--overwrite").code == 0
    assert there.read_text("utf-8").startswith("id,")


def test_a_failure_says_how_to_go_on(instance: Instance, capsys: Capture, tmp_path: Path) -> None:
    """The same command: it then has the pages that were read already."""
    arguments = ("export", "Contacts", "--to", str(tmp_path / "some.jsonl"))
    instance.order("503", operation="query", after=2, retry_after=80_000.0)
    failed = run_here(capsys, *arguments)
    assert failed.code == 7
    assert "to go on, give the same command again" in failed.err
    instance.reset()
    again = run_here(capsys, *arguments)
    (report,) = again.rows
    assert (report["records"], report["runs"]) == (400, 2)
    assert instance.calls()["query"] == 3


def test_what_fails_at_once_leaves_nothing(
    instance: Instance, capsys: Capture, tmp_path: Path
) -> None:
    """There is nothing to go on with, and no word of it."""
    failed = run_here(capsys, "export", "Nonsense", "--to", str(tmp_path / "x.csv"))
    assert failed.code == 1
    assert "go on" not in failed.err
    assert instance.calls()["describe"] == 1
    assert [*tmp_path.iterdir()] == []


def test_ctrl_c_leaves_what_the_same_command_goes_on_with(
    instance: Instance, capsys: Capture, tmp_path: Path
) -> None:
    """Exit code 130, one line that says so, and no page is lost."""
    path = tmp_path / "some.csv"
    command = ["export", "Contacts", "--to", str(path)]
    instance.order("latency", operation="query", seconds=600_000.0, after=2)  # 6 s at its speed
    with subprocess.Popen(
        [*COMMAND, *command],
        cwd=ROOT,
        env=clean_environment(instance.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        patience = time.monotonic() + 30
        while instance.calls().get("query", 0) < 3:
            assert time.monotonic() < patience
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted: to go on, give the same command again" in err
    instance.reset()
    (report,) = run_here(capsys, *command).rows
    assert (report["records"], report["runs"]) == (400, 2)
    assert instance.calls()["query"] == 3


def test_values_that_do_not_fit_are_told(capsys: Capture, tmp_path: Path) -> None:
    """How many of which field, on stderr; the data is the report."""
    report = ExportReport(
        tmp_path / "x.csv", "Leads", records=9, calls=3, seconds=1.25, unread={"cf_1": 2, "cf_2": 1}
    )
    out = Output(Format.JSON, sys.stdout)
    show_report(out, report)
    captured = capsys.readouterr()
    assert captured.err == "not of their field's type, and kept in _extra: cf_1 2, cf_2 1\n"
    assert json.loads(captured.out)["records"] == 9
