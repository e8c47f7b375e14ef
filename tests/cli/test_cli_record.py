"""`vtiger-async record`, `tour` and `sandbox check`."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from cli_runs import KEY, Instance, run_apart, run_here, run_on_terminal, serving

from vtiger_async.cli.exits import ExitCode
from vtiger_async.cli.record_tour import MOST_CALLS
from vtiger_async.recording import read_recording


def test_a_command_is_recorded(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The command runs as ever, with its own output; the file holds its calls and descriptions."""
    file = tmp_path / "exchanges.json"
    statement = "SELECT lastname, email FROM Contacts LIMIT 2;"
    result = run_here(capsys, "record", "--out", str(file), "--", "query", statement, "-o", "json")
    assert result.code == ExitCode.OK
    rows = json.loads(result.out)
    assert len(rows) == 2
    assert f"exchanges are in {file}" in result.err
    assert instance.calls() == {"query": 1, "describe": 1}
    names = [exchange["name"] for exchange in read_recording(file)["exchanges"]]
    assert names == ["query_1", "describe_1"]
    text = file.read_text("utf-8")
    assert KEY not in text
    assert not [row["email"] for row in rows if row["email"] and row["email"] in text]


def test_the_exit_code_is_the_commands(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A command that fails is recorded too, and its exit code is kept."""
    file = tmp_path / "exchanges.json"
    result = run_here(capsys, "record", "--out", str(file), "get", "4x99999999")
    assert result.code == ExitCode.ERROR
    (exchange,) = read_recording(file)["exchanges"]
    assert exchange["response"]["body"]["error"]["code"] == "ACCESS_DENIED"
    assert instance.calls() == {"retrieve": 1}


@pytest.mark.parametrize("command", ["demo", "sandbox", "record"])
def test_what_makes_no_calls_is_not_recorded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    """A command without an instance is refused, and leaves no file."""
    file = tmp_path / "exchanges.json"
    result = run_here(capsys, "record", "--out", str(file), command)
    assert (result.code, file.exists()) == (ExitCode.USAGE, False)


def test_nothing_is_written_without_an_answer(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where no call was made there is no file; a folder that is not there is refused first."""
    file = tmp_path / "exchanges.json"
    result = run_here(capsys, "record", "--out", str(file), "query", "SELECT x FROM;")
    assert (result.code, file.exists()) == (ExitCode.USAGE, False)
    nowhere = str(tmp_path / "nowhere" / "x.json")
    result = run_here(capsys, "record", "--out", nowhere, "whoami")
    assert result.code == ExitCode.USAGE
    assert "cannot be written" in result.err
    assert instance.calls() == {}


def test_the_tour_asks_before_it_spends(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without a terminal the tour wants --yes; it says how many calls it makes, and makes none."""
    file = tmp_path / "exchanges.json"
    result = run_apart("record", "--out", str(file), **instance.environment)
    assert (result.code, file.exists()) == (ExitCode.USAGE, False)
    assert f"up to {MOST_CALLS} calls" in result.err
    answered = run_on_terminal("record", "--out", str(file), typed="n\n", **instance.environment)
    assert answered.code == ExitCode.ERROR
    assert "no call was made" in answered.out
    assert not file.exists()
    assert instance.calls() == {}


def test_the_tour_keeps_its_word_and_agrees(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The tour writes nothing and keeps to its number of calls; the sandbox agrees with itself."""
    file = tmp_path / "exchanges.json"
    result = run_here(capsys, "record", "--out", str(file), "--yes")
    assert result.code == ExitCode.OK
    (told,) = result.rows
    made = instance.calls()
    assert told["calls"] == sum(made.values()) <= MOST_CALLS
    assert told["calls"] >= MOST_CALLS - 2
    assert not made.keys() & {"create", "update", "revise", "delete", "add_related"}
    checked = run_here(capsys, "sandbox", "check", str(file))
    assert checked.out.splitlines()[-1].startswith("all ")
    assert "100.0%" in checked.out.splitlines()[-1]
    assert checked.code == ExitCode.OK


def test_yes_holds_for_a_tour_that_is_named(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """`record --yes tour` asks no more than `record --yes` does."""
    file = tmp_path / "exchanges.json"
    result = run_here(capsys, "record", "--out", str(file), "--yes", "tour")
    assert (result.code, file.exists()) == (ExitCode.OK, True)


def test_check_tells_the_differences(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A difference is told with its path, the shares by operation, and the exit code is 1."""
    file = tmp_path / "exchanges.json"
    run_here(capsys, "record", "--out", str(file), "describe", "Contacts")
    recording = json.loads(file.read_text("utf-8"))
    described = recording["exchanges"][0]["response"]["body"]["result"]
    described["fields"][3]["type"]["name"] = "telex"
    for number in range(20):
        described["fields"].append({"name": f"cf_{number}"})
    recording["exchanges"].append(recording["exchanges"][0] | {"name": "over"})
    recording["exchanges"][1]["response"] = {"status": 429, "reason": "", "body": {}}
    file.write_text(json.dumps(recording))
    result = run_here(capsys, "sandbox", "check", str(file))
    assert result.code == ExitCode.ERROR
    first, last, skipped, *differences = result.out.splitlines()
    assert first.split() == ["describe", "0", "of", "1", "0.0%"]
    assert last.split() == ["all", "0", "of", "1", "0.0%"]
    assert skipped.startswith("1 not compared")
    assert differences[1] == "describe describe_1"
    assert differences[2].startswith('  result.fields[3].type.name: recorded "telex", sandbox "')
    assert differences[-1] == "  and 11 more: --all shows them"
    result = run_here(capsys, "sandbox", "check", str(file), "--all")
    assert sum("cf_" in line for line in result.out.splitlines()) == 20


def test_check_refuses_what_is_no_recording(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file that is no recording is refused as an argument that cannot be used."""
    file = tmp_path / "x.json"
    file.write_text("{}")
    result = run_here(capsys, "sandbox", "check", str(file))
    assert result.code == ExitCode.USAGE
    assert "x.json has the format None" in result.err


def test_serve_has_the_profile_that_was_asked_for() -> None:
    """`sandbox serve --profile oss-8.4` answers over HTTP as that one does, not as the Cloud."""
    with serving("--profile", "oss-8.4") as instance:
        rest = f"{instance.url}/restapi/v1/vtiger/default/"
        me = httpx.get(rest + "me", auth=("admin", KEY))
        assert me.headers["content-type"] == "application/json; charset=UTF-8"
        assert len(me.json()["result"]) == 5
        limits = httpx.get(rest + "editionLimits", auth=("admin", KEY))
        assert limits.status_code == 404
        assert limits.json()["error"]["code"] == "OPERATION_NOT_SUPPORTED"
    with serving() as instance:
        me = httpx.get(f"{instance.url}/restapi/v1/vtiger/default/me", auth=("admin", KEY))
        assert me.headers["content-type"] == "text/json"
        assert len(me.json()["result"]) > 5


def test_serve_refuses_an_unknown_profile(capsys: pytest.CaptureFixture[str]) -> None:
    """A profile that does not exist is refused, with the names of those that do."""
    result = run_here(capsys, "sandbox", "serve", "--profile", "oss-7")
    assert result.code == ExitCode.USAGE
    assert "oss-8.4" in result.err
