"""`vtiger-async mirror`: rounds, status, what it costs, and how it ends."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli_runs import COMMAND, ROOT, run_here, served_here

from vtiger_async.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]


def create(sandbox: Sandbox, lastname: str) -> str:
    """Create a contact, and return its id."""
    element = {"lastname": lastname, "assigned_user_id": "19x1"}
    sent = {"elementType": "Contacts", "element": json.dumps(element)}
    made: Any = sandbox.engine.execute("create", sent, sandbox.engine.users["admin"])
    return str(made["id"])


def test_a_mirror_is_made_shown_and_brought_up_to_date(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounds tell what they wrote; status tells where it stands, without a call."""
    to = f"sqlite:///{tmp_path / 'crm.db'}"
    with served_here(monkeypatch, limits=False) as sandbox:
        first = create(sandbox, "First")
        create(sandbox, "Second")
        told = run_here(capsys, "mirror", "Contacts", "--to", to, "--explain")
        assert (told.code, told.rows[0]["records"]) == (0, 2)
        assert [row["module"] for row in told.rows] == ["Contacts", "(all)"]
        assert (told.rows[1]["seconds"], told.rows[1]["window"]) == (0, None)
        assert "3 calls spent to tell" in told.err
        made = run_here(capsys, "mirror", "Contacts", "--to", to)
        assert made.code == 0
        assert made.rows[0]["written"] >= 2  # what is new may come again with the first changes
        sandbox.engine.execute("delete", {"id": first}, sandbox.engine.users["admin"])
        again = run_here(capsys, "mirror", "Contacts", "--to", to)
        assert again.rows[0]["gone"] == 1
        calls = sandbox.ledger()["calls"]
        shown = run_here(capsys, "mirror", "status", "--to", to, "-o", "json")
        assert sandbox.ledger()["calls"] == calls
    (row,) = json.loads(shown.out)
    assert (row["module"], row["phase"], row["records"], row["tombstones"]) == (
        "Contacts",
        "deltas",
        1,
        1,
    )
    assert 0 <= row["lag_seconds"] < 60
    assert row["error"] is None


def test_a_module_that_fails_is_told_by_the_exit_code(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are brought up to date, and the exit code is 3."""
    with served_here(monkeypatch, limits=False) as sandbox:
        create(sandbox, "First")
        to = f"sqlite:///{tmp_path / 'crm.db'}"
        done = run_here(capsys, "mirror", "Contacts", "Nonsense", "--to", to)
    assert done.code == 3
    assert [bool(row["error"]) for row in done.rows] == [False, True]
    assert "Nonsense" in done.err


@pytest.mark.parametrize(
    "wrong",
    [
        ("Contacts", "--to", "nowhere"),
        ("Contacts", "--to", "sqlite:///x.db", "--follow", "--every", "soon"),
        ("Contacts", "--to", "sqlite:///x.db", "--every", "60s"),
        ("Contacts", "--to", "sqlite:///x.db", "--state", "state.json"),
        ("Contacts", "--to", "sqlite:///x.db", "--reconcile", "much"),
        ("Contacts", "--to", "singer:-", "--state", "nothing-there.json"),
        ("status", "--to", "sqlite:///nothing-there.db"),
        ("status", "--to", "singer:-"),
    ],
)
def test_what_makes_no_sense_costs_no_call(
    wrong: tuple[str, ...], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with exit code 2 before a call is spent."""
    with served_here(monkeypatch, limits=False) as sandbox:
        assert run_here(capsys, "mirror", *wrong).code == 2
        assert sandbox.ledger()["calls"] == {}


def test_a_place_that_cannot_be_used_costs_no_call(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is no database is refused with exit code 2, by a round and by status."""
    (tmp_path / "notes.txt").write_text("not a database, " * 100)
    to = f"sqlite:///{tmp_path / 'notes.txt'}"
    with served_here(monkeypatch, limits=False) as sandbox:
        done = run_here(capsys, "mirror", "Contacts", "--to", to)
        assert (done.code, done.out) == (2, "")
        assert "notes.txt" in done.err
        assert run_here(capsys, "mirror", "status", "--to", to).code == 2
        assert sandbox.ledger()["calls"] == {}


def test_lines_of_documents_are_left_out_on_request(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --no-line-items no table of lines is made."""
    to = f"sqlite:///{tmp_path / 'crm.db'}"
    with served_here(monkeypatch, limits=False):
        assert run_here(capsys, "mirror", "Invoice", "--to", to, "--no-line-items").code == 0
    with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "Invoice" in names
    assert "Invoice_LineItems" not in names


def test_status_shows_the_modules_that_are_asked_for(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was never begun is shown as that; of documents it tells whether lines are kept."""
    to = f"sqlite:///{tmp_path / 'crm.db'}"
    with served_here(monkeypatch, limits=False):
        run_here(capsys, "mirror", "Contacts", "Invoice", "--to", to, "--no-line-items")
        run_here(capsys, "mirror", "Quotes", "--to", to)
        shown = run_here(capsys, "mirror", "status", "Quotes", "Invoice", "Leads", "--to", to)
    rows = {row["module"]: row for row in shown.rows}
    assert [(name, row["line_items"]) for name, row in rows.items()] == [
        ("Quotes", True),
        ("Invoice", False),
        ("Leads", None),
    ]
    assert "never begun" in rows["Leads"]["error"]
    assert rows["Invoice"]["error"] is None


def test_the_state_of_a_stream_is_shown(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file that holds it; a file that holds something else is named."""
    file = tmp_path / "state.json"
    with served_here(monkeypatch, limits=False):
        run_here(capsys, "mirror", "Contacts", "--to", f"singer:///{tmp_path / 'out.jsonl'}")
    last = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[-1])
    file.write_text(json.dumps(last["value"]))
    shown = run_here(capsys, "mirror", "status", "--to", "singer:-", "--state", str(file))
    assert [(row["module"], row["phase"]) for row in shown.rows] == [("Contacts", "deltas")]
    file.write_text('{"a": 1}')
    wrong = run_here(capsys, "mirror", "status", "--to", "singer:-", "--state", str(file))
    assert (wrong.code, "state.json: the state is none" in wrong.err) == (2, True)


def test_what_has_drifted_is_told_once_and_the_way_out_with_a_failure(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module's name stands there once, and the message names what --drift can be."""
    to = f"sqlite:///{tmp_path / 'crm.db'}"
    with served_here(monkeypatch, limits=False):
        run_here(capsys, "mirror", "Contacts", "--to", to)
        with closing(sqlite3.connect(tmp_path / "crm.db")) as database:
            database.execute("ALTER TABLE Contacts DROP COLUMN phone")
        failed = run_here(capsys, "mirror", "Contacts", "--to", to, "--drift", "fail")
    assert failed.code == 3
    (line,) = failed.err.splitlines()
    assert line.startswith("Contacts: its fields are others")
    assert "added: phone" in line
    assert "'evolve'" in line


def test_standard_output_is_the_data_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With singer:- each line is a message; the last state, given back, goes on from there."""
    with served_here(monkeypatch, limits=False) as sandbox:
        create(sandbox, "First")
        file = tmp_path / "state.json"

        def lines(*more: str) -> list[dict[str, object]]:
            done = subprocess.run(
                [*COMMAND, "mirror", "Contacts", "--to", "singer:-", *more],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            return [json.loads(line) for line in done.stdout.splitlines()]

        first = lines()
        assert {str(line["type"]) for line in first} == {"SCHEMA", "RECORD", "STATE"}
        file.write_text(json.dumps(first[-1]["value"]))
        assert "RECORD" not in {str(line["type"]) for line in lines("--state", str(file))}


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_ctrl_c_ends_following_in_good_order(
    scheme: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between rounds others can read the place; then it ends with 130, and what was written stands.

    A file of DuckDB can be opened by one process only, so it is closed between rounds.
    """
    with served_here(monkeypatch, limits=False) as sandbox:
        create(sandbox, "First")
        to = f"{scheme}:///{tmp_path / 'crm.db'}"
        with subprocess.Popen(
            [*COMMAND, "mirror", "Contacts", "--to", to, "--follow", "--every", "1h"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        ) as running:
            assert running.stdout is not None
            assert json.loads(running.stdout.readline())["written"] >= 1
            shown = run_here(capsys, "mirror", "status", "--to", to)
            assert (shown.code, shown.rows[0]["records"]) == (0, 1)
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=30)
        assert running.returncode == 130
        assert "the same command goes on" in err
