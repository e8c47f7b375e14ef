"""The result files: whole, complete, and the errors ready to be loaded again."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from tests.bulk.jobs import ACCOUNTS, LEADS, account, planned
from vtiger_async.bulk.errors import BulkError
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.reporting import outcomes_of, report_of
from vtiger_async.bulk.results import write_results
from vtiger_async.bulk.steps import LoadInfo, State, Step


def row(number: int, state: State, action: str = "create", **values: object) -> Step:
    """Return a step in a state, with what was read for it."""
    step = account(number)
    step.state, step.record_id = state, f"3x{number}"
    step.raw = {"Name": f'Or"g, {number}', "Größe": "1;5", **values}
    step.reason = [f"reason {number}", "and more"]
    step.action = action  # type: ignore[assignment]  # given by the tests
    return step


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal with rows in each state."""
    steps = [
        row(1, "done"), row(2, "done", "revise"), row(3, "done", "delete"),
        row(4, "unchanged", "none"), row(5, "skipped", "none"), row(6, "rejected", "none"),
        row(7, "failed"), row(8, "lost"), row(9, "planned"), row(10, "sent"), row(11, "unknown"),
    ]  # fmt: skip
    load = evolve(ACCOUNTS, columns=("Name", "Größe"), source="orgs.csv")
    made = planned(tmp_path / "job.journal", steps, [load])
    yield made
    made.close()


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_is_in_one_file(journal: Journal, tmp_path: Path) -> None:
    """Rows are told apart by what came of them, with the input's columns as they were."""
    files = write_results(journal)
    assert files == {
        kind: tmp_path / f"orgs.{kind}.csv"
        for kind in ("success", "error", "unknown", "unprocessed")
    }
    assert [(one["id"], one["outcome"]) for one in read(files["success"])] == [
        ("3x1", "created"),
        ("3x2", "revised"),
        ("3x3", "deleted"),
        ("3x4", "unchanged"),
        ("", "skipped: reason 5; and more"),
    ]
    assert read(files["error"]) == [
        {"Name": f'Or"g, {n}', "Größe": "1;5", "import_error": f"reason {n}; and more"}
        for n in (6, 7)
    ]
    assert read(files["unknown"])[0]["import_unknown"] == "reason 8; and more"
    assert read(files["unprocessed"]) == [
        {"Name": f'Or"g, {n}', "Größe": "1;5"} for n in (9, 10, 11)
    ]
    assert sum(len(read(path)) for path in files.values()) == report_of(journal).rows == 11


def test_files_without_rows_are_not_there(journal: Journal, tmp_path: Path) -> None:
    """A file of an earlier run whose rows are all done by now is removed."""
    write_results(journal)
    steps = journal.steps(("failed", "lost", "rejected", "planned", "sent", "unknown"))
    for step in steps:
        step.state = "done"
    journal.write(steps)
    assert set(write_results(journal)) == {"success"}
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["orgs.success.csv"]


def test_nothing_is_left_half_written(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure in the midst leaves the files of the run before, and no others."""
    files = write_results(journal)
    before = {path: path.read_bytes() for path in files.values()}

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BulkError, match="No space"):
        write_results(journal)
    assert {path: path.read_bytes() for path in files.values()} == before
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_a_folder_that_is_not_there_is_told(journal: Journal, tmp_path: Path) -> None:
    """A file that cannot be made is an error of the job, with its path."""
    with pytest.raises(BulkError, match="missing"):
        write_results(journal, tmp_path / "missing")


def test_files_are_the_owners_alone(journal: Journal) -> None:
    """What the input held is readable by nobody else."""
    for path in write_results(journal).values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_names_tell_the_loads_apart(tmp_path: Path) -> None:
    """Each load has its files: named after its input, or after the journal and the module."""
    (tmp_path / "in").mkdir()
    loads = [
        evolve(ACCOUNTS, source=str(tmp_path / "in" / "a.b.csv")),
        evolve(LEADS, columns=()),
        LoadInfo("Leads", "create"),
    ]
    steps = []
    for load in range(3):
        step = row(1, "done", tags=["x"])
        step.load = load
        steps.append(step)
    journal = planned(tmp_path / "job.journal", steps, loads)
    files = write_results(journal)
    assert files == {
        "Accounts.success": tmp_path / "in" / "a.b.success.csv",
        "Leads.success": tmp_path / "job.Leads.2.success.csv",
        "3.Leads.success": tmp_path / "job.Leads.3.success.csv",
    }
    assert read(files["Leads.success"])[0]["tags"] == '["x"]'
    elsewhere = write_results(journal, tmp_path)
    assert elsewhere["Accounts.success"] == tmp_path / "a.b.success.csv"


def test_a_column_of_the_input_is_not_overwritten(tmp_path: Path) -> None:
    """An input with the column `id` keeps it; the reasons of an earlier run are replaced."""
    load = evolve(ACCOUNTS, columns=("id", "import_error"))
    steps = [
        row(1, "done", id="mine", import_error="old"),
        row(2, "failed", id="mine", import_error="old"),
    ]
    files = write_results(planned(tmp_path / "job.journal", steps, [load]))
    assert read(files["success"]) == [{"id": "mine", "_id": "3x1", "outcome": "created"}]
    assert read(files["error"]) == [{"id": "mine", "import_error": "reason 2; and more"}]


def test_outcomes_are_read_again_from_the_journal(journal: Journal) -> None:
    """What came of all runs can be told at any time; open rows are left out."""
    assert [one.row for one in outcomes_of(journal)] == list(range(1, 9))
    report = report_of(journal)
    assert (report.created, report.unknown, report.open, report.is_whole) == (1, 1, 3, False)
