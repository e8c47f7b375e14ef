"""The commands that speak to an instance, over HTTP to a sandbox in another process."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from cli_runs import KEY, Instance, run_apart, run_here, served_here

CONTACTS = "SELECT lastname, email FROM Contacts;"


def test_whoami_shows_the_user_and_no_secret(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoami shows the user's fields, and none that holds a key or a password."""
    result = run_here(capsys, "whoami")
    assert result.code == 0
    assert result.rows[0]["user_name"] == "admin"
    assert not [name for name in result.rows[0] if "key" in name or "password" in name]
    assert KEY not in result.out + result.err


def test_quota_shows_what_the_answers_tell(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quota spends one call and shows the windows; without an edition the hour is supposed."""
    result = run_here(capsys, "quota")
    minute, hour, day = result.rows
    assert (minute["window"], minute["limit"]) == ("minute", 60)
    assert 0 <= minute["remaining"] <= 59
    assert (hour["limit"], hour["remaining"]) == (2500, 2499)
    assert day["limit"] == 9000
    assert instance.calls() == {"me": 1}


@pytest.mark.parametrize("by_option", [True, False])
def test_the_commands_can_call_over_sessions(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, by_option: bool
) -> None:
    """--session-api, or VTIGER_SESSION_API=1, goes over webservice.php."""
    # In this process: the clock of `instance` runs so fast that a challenge is too old at once.
    with served_here(monkeypatch, limits=False) as sandbox:
        if not by_option:
            monkeypatch.setenv("VTIGER_SESSION_API", "1")
        result = run_here(capsys, "whoami", *(["--session-api"] if by_option else []))
        assert (result.code, result.rows[0]["user_name"]) == (0, "admin")
        assert sandbox.ledger()["calls"] == {"getchallenge": 1, "login": 1}


def test_quota_knows_the_edition_from_the_options(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """--edition and --users win over the environment, and bring the hour's limit."""
    os.environ["VTIGER_EDITION"] = "one-growth"
    result = run_here(capsys, "quota", "--edition", "one-enterprise", "--users", "2")
    assert [row["limit"] for row in result.rows] == [60, 5000, 9000]
    del os.environ["VTIGER_EDITION"]


def test_modules_lists_names_and_labels(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """Modules lists every module with what users call it."""
    rows = {row["name"]: row for row in run_here(capsys, "modules").rows}
    assert rows["HelpDesk"]["label"] == "Tickets"
    assert rows["Contacts"]["is_entity"] is True


def test_describe_lists_the_fields(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """Describe lists a module's fields with type, duties, and what may stand in them."""
    rows = {row["name"]: row for row in run_here(capsys, "describe", "Contacts").rows}
    assert rows["lastname"]["mandatory"] is True
    assert rows["account_id"]["refers_to"] == ["Accounts"]
    assert "Other" in rows["leadsource"]["values"]


def test_query_reads_past_the_page(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """Query streams the records of all pages, each once."""
    rows = run_here(capsys, "query", CONTACTS).rows
    count = run_here(capsys, "query", "SELECT count(*) FROM Contacts;").rows
    assert count == [{"count": len(rows)}]
    assert len({row["id"] for row in rows}) == len(rows) > 300
    assert set(rows[0]) == {"id", "lastname", "email"}


@pytest.mark.parametrize(
    ("statement", "limit", "expected"),
    [(CONTACTS, "3", 3), ("SELECT id FROM Contacts LIMIT 2;", "3", 2), (CONTACTS, "0", 0)],
)
def test_query_keeps_to_the_smaller_limit(
    instance: Instance,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    limit: str,
    expected: int,
) -> None:
    """--limit cuts the result, and never widens the statement's own LIMIT."""
    assert len(run_here(capsys, "query", statement, "--limit", limit).rows) == expected


def test_query_says_how_to_go_on(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """A query that the quota stops ends with 5 and a token, with which it goes on without loss."""
    whole = [row["id"] for row in run_here(capsys, "query", CONTACTS).rows]
    instance.order("429", operation="query", after=2, times=1, retry_after=900)
    stopped = run_here(capsys, "query", CONTACTS)
    assert stopped.code == 5
    assert len(stopped.rows) == 200
    token = stopped.err.split("--resume ")[1].split()[0]
    rest = run_here(capsys, "query", CONTACTS, "--resume", token)
    assert [row["id"] for row in (*stopped.rows, *rest.rows)] == whole


def test_a_stopped_query_leaves_whole_json(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -o json, what was read before an error is still one valid document."""
    instance.order("429", operation="query", after=1, times=1, retry_after=900)
    stopped = run_here(capsys, "query", CONTACTS, "-o", "json")
    assert stopped.code == 5
    assert len(json.loads(stopped.out)) == 100


def test_a_wrong_statement_is_shown_with_a_caret(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """A statement that is no VTQL ends with 2, the fault under a caret, before a call is spent."""
    result = run_here(capsys, "query", "SELECT * FROM Contacts WHERE email <> 'x';")
    assert result.code == 2
    line, text, caret = result.err.splitlines()
    assert line.startswith("error: line 1, column 36:")
    assert text.index("<>") == caret.index("^")
    assert instance.calls() == {}


def test_a_record_lives_and_dies(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """create, get, revise, update and delete do what they say, and show the record."""

    def only(*arguments: str) -> dict[str, str]:
        result = run_here(capsys, *arguments)
        assert result.code == 0, result.err
        (row,) = result.rows
        return row

    made = only("create", "Leads", "lastname=Ünal", "description=a=b", "assigned_user_id=19x1")
    record_id = made["id"]
    assert (made["lastname"], made["description"]) == ("Ünal", "a=b")
    assert only("get", record_id)["label"] == "Ünal"
    revised = only("revise", record_id, "company=Näh & Co", "description=")
    assert (revised["company"], revised["description"]) == ("Näh & Co", "")
    updated = only("update", record_id, "lastname=Üstün", "assigned_user_id=19x1")
    assert (updated["lastname"], updated["company"]) == ("Üstün", "Näh & Co")
    assert only("delete", record_id, "--yes") == {"id": record_id, "deleted": True}
    gone = run_here(capsys, "get", record_id)
    assert gone.code == 1
    assert gone.err.startswith(f"error: retrieve {record_id}: ACCESS_DENIED")


def test_fields_may_come_as_json(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """--json FILE gives fields with their types; an argument wins over it."""
    path = tmp_path / "lead.json"
    fields = {"lastname": "File", "assigned_user_id": "19x1", "annualrevenue": 12.5}
    path.write_text(json.dumps(fields), encoding="utf-8")
    (made,) = run_here(capsys, "create", "Leads", "lastname=Argument", "--json", str(path)).rows
    assert made["lastname"] == "Argument"
    assert made["annualrevenue"] == "12.50000000"


def test_key_and_fields_may_share_standard_input(instance: Instance) -> None:
    """--key-stdin takes the first line, and --json - the rest."""
    address = {"VTIGER_URL": instance.url, "VTIGER_USERNAME": "admin"}
    stdin = f'{KEY}\n{{"lastname": "Stdin",\n "assigned_user_id": "19x1"}}\n'
    result = run_apart("create", "Leads", "--json", "-", "--key-stdin", stdin=stdin, **address)
    assert result.code == 0, result.err
    assert result.rows[0]["lastname"] == "Stdin"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "Leads", "lastname"), "'lastname' is not of the form name=value"),
        (("create", "Leads", "=x"), "'=x' is not of the form"),
        (("create", "Leads", "a=1", "a=2"), "a is given twice"),
        (("create", "Leads"), "no fields"),
        (("create", "leads", "lastname=x"), "Leads, not leads"),
        (("revise", "42", "lastname=x"), "'42' is not a record id"),
        (("create", "Leads", "--json", "no/such/file"), "no/such/file: No such file"),
        (("call", "PUT", "me"), "GET and POST"),
        (("delete", "4x1"), "give --yes"),
        (("whoami", "--edition", "one-pilot"), "no API"),
        (("whoami", "--url", "http://crm.example"), "plain http"),
    ],
)
def test_what_cannot_be_sent_costs_no_call(
    instance: Instance, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
) -> None:
    """What is wrong before sending ends with 2 and one line, and the instance hears nothing."""
    result = run_here(capsys, *arguments)
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert says in result.err
    assert not result.out
    assert instance.calls() == {}


@pytest.mark.parametrize(("text", "says"), [("[1]", "no JSON object"), ("{", "is not JSON")])
def test_json_must_be_an_object(
    instance: Instance, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, says: str
) -> None:
    """A file with other JSON, or none, is refused by name."""
    path = tmp_path / "fields.json"
    path.write_text(text, encoding="utf-8")
    result = run_here(capsys, "create", "Leads", "--json", str(path))
    assert result.code == 2
    assert says in result.err
    assert "fields.json" in result.err


def test_call_makes_any_call(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """Call sends what it is given, and shows the result raw; a user's secrets are not in it."""
    (described,) = run_here(capsys, "call", "get", "describe", "elementType=Leads").rows
    assert described["idPrefix"] == "2"
    listed = run_here(
        capsys, "call", "GET", "query", "query=SELECT lastname FROM Leads LIMIT 2;"
    ).rows
    assert [sorted(row) for row in listed] == [["id", "lastname"]] * 2
    (user,) = run_here(capsys, "call", "GET", "retrieve", "id=19x1").rows
    assert user["user_name"] == "admin"
    assert "accesskey" not in user
    assert "user_password" not in user


@pytest.mark.parametrize(
    ("output", "expected"),
    [("jsonl", '"X"\n'), ("json", '"X"\n'), ("csv", "result\nX\n"), ("table", "X\n")],
)
def test_call_shows_what_is_no_record(
    instance: Instance, capsys: pytest.CaptureFixture[str], output: str, expected: str
) -> None:
    """A result that is neither object nor list is shown as it is, in each format."""
    (made,) = run_here(capsys, "create", "Leads", "lastname=X", "assigned_user_id=19x1").rows
    result = run_here(
        capsys, "call", "GET", "decrypt", f"id={made['id']}", "fieldname=lastname", "-o", output
    )
    assert result.code == 0, result.err
    assert result.out == expected


def test_every_format_holds_the_same(
    instance: Instance, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON, JSON lines and CSV hold the same records."""

    def out(output: str) -> str:
        return run_here(capsys, "query", CONTACTS, "--limit", "120", "-o", output).out

    lines = [json.loads(line) for line in out("jsonl").splitlines()]
    assert json.loads(out("json")) == lines
    assert list(csv.DictReader(io.StringIO(out("csv")))) == lines
    table = out("table")
    assert all(row["lastname"] in table and row["id"] in table for row in lines)


def test_verbose_tells_of_the_quota(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """-v tells on stderr what is left and what was sent again; the data stays alone on stdout."""
    instance.order("502", operation="me", times=1)
    result = run_here(capsys, "whoami", "-v")
    assert len(result.rows) == 1
    again, left = result.err.splitlines()
    assert "is sent again after: " in again
    assert left.startswith("left of the quota: ")
    assert not run_here(capsys, "whoami").err
