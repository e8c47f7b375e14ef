"""A TOML file that describes several inputs of one import."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from cli_runs import Instance, run_here
from import_runs import imported, nothing_but, one

from vtiger_async.cli.imports_toml import read_loads
from vtiger_async.errors import InvalidArgumentError

JOB = """\
[[load]]
file = "people.csv"
module = "Contacts"
key = ["email"]
map = "people.map.toml"
owner = "me"
set = { leadsource = "Trade Show" }

[[load]]
file = "orgs.csv"
module = "Accounts"
key = "accountname"
owner = "me"
"""
MAP = """\
[columns]
Name = "lastname"
Mail = "email"

[columns.Employer]
field = "account_id"
by = "accountname"
"""


@pytest.fixture(scope="module")
def served(roomy: Instance) -> Instance:
    """The instance of these tests is one that refuses no call."""
    return roomy


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job with two inputs, children first."""
    (tmp_path / "orgs.csv").write_text("Organization Name\nAlpha\nBeta\n", encoding="utf-8")
    people = "Name,Mail,Employer\nAda,ada@example.com,Alpha\nBob,bob@example.com,Gamma\n"
    (tmp_path / "people.csv").write_text(people, encoding="utf-8")
    (tmp_path / "people.map.toml").write_text(MAP, encoding="utf-8")
    path = tmp_path / "job.toml"
    path.write_text(JOB, encoding="utf-8")
    return path


def test_several_inputs_are_one_job(
    instance: Instance, capsys: pytest.CaptureFixture[str], job: Path
) -> None:
    """Parents come before children, whatever their order; each row is told with its module."""
    planned = imported(capsys, "plan", job)
    assert planned.code == 3
    assert nothing_but(one(planned), ("rows", "create", "rejected")) == {
        "rows": 4, "create": 3, "rejected": 1,
    }  # fmt: skip
    (rejected,) = one(planned)["rejections"]
    assert nothing_but(rejected, ("load", "module", "row")) == {
        "load": 1, "module": "Contacts", "row": 2,
    }  # fmt: skip
    result = imported(capsys, "apply", one(planned)["journal"])
    assert result.code == 3
    assert one(result)["created"] == 3
    assert Path(one(result)["Contacts.error_file"]).name == "people.error.csv"
    (ada,) = run_here(capsys, "query", "SELECT account_id, leadsource FROM Contacts;").rows
    (alpha,) = run_here(capsys, "query", "SELECT id FROM Accounts WHERE accountname='Alpha';").rows
    assert (ada["account_id"], ada["leadsource"]) == (alpha["id"], "Trade Show")


def test_options_on_the_command_line_are_refused(
    instance: Instance, capsys: pytest.CaptureFixture[str], job: Path
) -> None:
    """A file that describes its inputs takes no options for them, and no call is made."""
    result = imported(
        capsys, "plan", job, "-m", "Accounts", "--set", "a=b", "--save-map", job.parent / "m.toml"
    )
    assert result.code == 2
    assert "--module, --set, --save-map" in result.err
    assert instance.calls() == {}


def test_paths_are_beside_the_file_and_numbers_are_exact(job: Path) -> None:
    """Files are looked for where the description lies; numbers keep their digits."""
    job.write_text(JOB.replace('"Trade Show"', "0.10"), encoding="utf-8")
    people, orgs = read_loads(job)
    assert people.path == job.parent / "people.csv"
    assert people.mapping == job.parent / "people.map.toml"
    assert people.constants == {"leadsource": Decimal("0.10")}
    assert (orgs.key, orgs.mode, people.mode) == (("accountname",), "upsert", "upsert")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[load", "job.toml is not TOML"),
        ("", "names no input"),
        ("load = 3", "names no input"),
        ("load = [3]", "names no input"),
        ("modules = 1", "'modules' is not known"),
        ('[[load]]\nmodule = "A"', "load 1: file is missing"),
        ('[[load]]\nfile = "orgs.csv"', "load 1: module is missing"),
        ('[[load]]\nfile = "orgs.csv"\nmodul = "A"', "load 1: modul: not known"),
        ('[[load]]\nfile = "orgs.csv"\nmodule = 3', "load 1: module: text is wanted, not 3"),
        ('[[load]]\nfile = "orgs.csv"\nmodule = "A"\nkey = [3]', "load 1: key: a list of"),
        ('[[load]]\nfile = "orgs.csv"\nmodule = "A"\nset = "b=c"', "load 1: set: a table"),
        ('[[load]]\nfile = "none.csv"\nmodule = "A"', "load 1: file: "),
        ('[[load]]\nfile = "orgs.csv"\nmodule = "A"\nmode = "all"', "load 1: mode is one of"),
        (f'{JOB}[[load]]\nfile = "orgs.csv"\nmodule = "A"\nmode = "upsert"', "load 3: A: mode"),
    ],
)
def test_what_is_wrong_is_named(job: Path, text: str, says: str) -> None:
    """The load and the key that is wrong are named."""
    job.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidArgumentError) as raised:
        read_loads(job)
    assert says in str(raised.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """What the system says is told."""
    with pytest.raises(InvalidArgumentError, match=r"none\.toml cannot be read"):
        read_loads(tmp_path / "none.toml")
