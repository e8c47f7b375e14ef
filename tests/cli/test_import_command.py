"""`vtiger-async import`: plans, runs, resumes, undoes and lists bulk jobs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from cli_runs import Instance, run_here, run_on_terminal
from import_runs import KEYED, imported, names, nothing_but, one, rows_file, stored

from vtiger_async.bulk import JournalInUseError, MappingError, SourceError
from vtiger_async.cli.exits import ExitCode, exit_code_of


@pytest.fixture(scope="module")
def served(roomy: Instance) -> Instance:
    """The instance of these tests is one that refuses no call."""
    return roomy


Capture = pytest.CaptureFixture[str]
WRITES = {"create", "revise", "delete"}


class TestPlan:
    """What `import plan` tells, and what it leaves alone."""

    def test_it_tells_what_is_to_be_done_and_writes_nothing(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """The numbers, the columns left out and the rejected rows are told; 3 says some are."""
        path = rows_file(
            tmp_path,
            *names(3),
            "import 0001,9",
            ",7",
            header="Organization Name,Phone,Rank",
        )
        result = imported(capsys, "plan", path, *KEYED)
        assert result.code == 3
        found = one(result)
        numbers = ("rows", "create", "skipped", "rejected", "calls", "calls_made", "day_share")
        assert nothing_but(found, numbers) == {
            "rows": 5, "create": 3, "skipped": 1, "rejected": 1, "calls": 3, "calls_made": 3,
            "day_share": None,
        }  # fmt: skip
        assert found["journal"] == str(tmp_path / "orgs.csv.1.vtjob")
        (left_out,) = found["unmapped"]
        assert (left_out["load"], left_out["column"]) == (1, "Rank")
        (rejected,) = found["rejections"]
        assert (rejected["module"], rejected["row"]) == ("Accounts", 5)
        assert "accountname" in rejected["rejected"]
        assert not WRITES & instance.calls().keys()
        assert sum(instance.calls().values()) == 3

    def test_the_command_to_go_on_with_does_it(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """The line that it ends with, given to a shell, applies the plan."""
        folder = tmp_path / "two words"
        folder.mkdir()
        planned = imported(capsys, "plan", rows_file(folder, *names(2)), *KEYED)
        assert planned.code == 0
        program, *words = shlex.split(planned.err.splitlines()[-1].removeprefix("to go on: "))
        assert program == "vtiger-async"
        assert run_here(capsys, *words).code == 0
        assert stored(capsys) == {"Import 0001": "01", "Import 0002": "02"}

    def test_people_get_tables(self, instance: Instance, capsys: Capture, tmp_path: Path) -> None:
        """With -o table the plan, the columns and the rejected rows stand in tables, escaped."""
        path = rows_file(tmp_path, "A,1,x\x1b[31m", header="Organization Name,Phone,Employees")
        result = imported(capsys, "plan", path, *KEYED, "-o", "table")
        assert result.code == 3
        assert "day_share" in result.out
        assert "\\x1b[31m" in result.out
        assert "\x1b[31m" not in result.out

    def test_many_rejections_are_not_all_shown(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """Of thirty rejected rows the first twenty are shown, and the number is told."""
        result = imported(capsys, "plan", rows_file(tmp_path, *[",1"] * 30), *KEYED)
        assert len(one(result)["rejections"]) == 20
        assert "rejected: 30 rows, of which the first 20 are shown" in result.err

    def test_the_mapping_is_saved_and_used(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """--save-map writes what was found out, at no call; --map takes it, as it was edited."""
        path = rows_file(tmp_path, "Import 0001,1", header="Organization Name,Telly")
        saved = tmp_path / "map.toml"
        result = imported(capsys, "plan", path, *KEYED, "--save-map", saved)
        assert result.code == 0
        assert instance.calls()["describe"] == 1
        text = saved.read_text("utf-8")
        assert "Telly = false" in text
        edited = text.splitlines()
        edited = ['Telly = "phone"' if one.startswith("Telly") else one for one in edited]
        saved.write_text("\n".join(edited), encoding="utf-8")
        again = imported(
            capsys, "run", path, *KEYED, "--map", saved, "--journal", tmp_path / "other.vtjob"
        )
        assert again.code == 0, again.err
        assert stored(capsys) == {"Import 0001": "1"}
        refused = imported(capsys, "plan", path, *KEYED, "--save-map", saved)
        assert refused.code == 2
        assert "is there already" in refused.err
        nowhere = imported(
            capsys, "plan", path, *KEYED, "--save-map", tmp_path / "no" / "map.toml",
            "--journal", tmp_path / "third.vtjob",
        )  # fmt: skip
        assert nowhere.code == 2
        assert "cannot be written" in nowhere.err

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ((), "--module"),
            (("-m", "Accounts", "--mode", "upsert"), "key"),
            (("-m", "Accounts", "--mode", "replace"), "replace"),
            (("-m", "Accounts", "--set", "industry"), "name=value"),
            (("-m", "Accounts", "-k", "accountname", "--mark", "phone"), "mark"),
            (("-m", "Accounts", "--map", "no/such.toml"), "no/such.toml"),
        ],
    )
    def test_options_that_make_no_sense_cost_nothing(
        self,
        instance: Instance,
        capsys: Capture,
        tmp_path: Path,
        options: tuple[str, ...],
        says: str,
    ) -> None:
        """They end with 2, before a call is made, and leave no journal."""
        result = imported(capsys, "plan", rows_file(tmp_path, "A,1"), *options)
        assert result.code == 2
        assert says in " ".join(result.err.split())
        assert instance.calls() == {}
        assert not list(tmp_path.glob("*.vtjob"))

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (("-m", "Accounts", "-k", "nothing"), "nothing"),
            (("-m", "Accounts", "-k", "accountname", "--owner", "Nobody At All"), "Nobody"),
            (("-m", "Accounts", "-k", "accountname", "--encoding", "ascii"), "ascii"),
        ],
    )
    def test_what_does_not_fit_is_a_usage_error(
        self,
        instance: Instance,
        capsys: Capture,
        tmp_path: Path,
        options: tuple[str, ...],
        says: str,
    ) -> None:
        """A mapping or a file that cannot be used ends with 2, and leaves no journal."""
        result = imported(capsys, "plan", rows_file(tmp_path, "Ä,1"), *options)
        assert result.code == 2
        assert says in result.err
        assert not list(tmp_path.glob("*.vtjob"))


class TestRun:
    """`import run` and `import apply`."""

    def test_a_file_is_loaded_once(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """The rows are records then, 0 says so; a second run finds nothing to do."""
        path = rows_file(tmp_path, *names(12))
        first = imported(capsys, "run", path, *KEYED)
        assert first.code == 0
        assert nothing_but(one(first), ("rows", "created", "open", "calls")) == {
            "rows": 12, "created": 12, "open": 0, "calls": 15,
        }  # fmt: skip
        assert "create 12; 15 calls" in first.err
        assert one(first)["success_file"] == str(tmp_path / "orgs.success.csv")
        assert Path(one(first)["success_file"]).read_text("utf-8").count("Import") == 12
        second = imported(capsys, "run", path, *KEYED)
        assert second.code == 0
        assert nothing_but(one(second), ("unchanged", "created", "calls")) == {
            "unchanged": 12, "created": 0, "calls": 3,
        }  # fmt: skip
        assert instance.calls()["create"] == 12
        assert len(stored(capsys)) == 12

    def test_rows_that_are_not_as_they_should_be_are_told(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """Rejected and refused rows end with 3, and stand in the error file with the reason."""
        path = rows_file(tmp_path, "Import 0001,1", "Import 0001,2", ",3")
        result = imported(capsys, "run", path, "-m", "Accounts", "--owner", "me")
        assert result.code == 3
        assert nothing_but(one(result), ("created", "failed", "rejected")) == {
            "created": 1, "failed": 1, "rejected": 1,
        }  # fmt: skip
        errors = Path(one(result)["error_file"]).read_text("utf-8")
        assert "Import 0001,2" in errors
        assert f"error: {one(result)['error_file']}" in result.err

    def test_the_options_reach_the_load(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """Mode, repeats, nulls, constants, format, delimiter and encoding do what they say."""
        path = tmp_path / "orgs.data"
        path.write_bytes("accountname;phone\nImport Ä;1\nImport Ä;2\nImport B;\n".encode("latin-1"))
        options = (
            "--format", "csv", "--delimiter", ";", "--encoding", "latin-1",
            "--set", "industry=Education", "--set", "bill_city=Köln",
        )  # fmt: skip
        first = imported(capsys, "run", path, *KEYED, *options, "--repeats", "last")
        assert first.code == 0, first.err
        assert stored(capsys) == {"Import Ä": "2", "Import B": ""}
        statement = "SELECT industry FROM Accounts WHERE bill_city = 'Köln';"
        assert {row["industry"] for row in run_here(capsys, "query", statement).rows} == {
            "Education"
        }
        path.write_text("accountname;phone\nImport Ä;\nImport C;1\n", encoding="latin-1")
        more = ("--mode", "revise", "--nulls", "clear", "--repeats", "reject")
        second = imported(capsys, "run", path, *KEYED, *options, *more)
        assert nothing_but(one(second), ("revised", "skipped", "created")) == {
            "revised": 1, "skipped": 1, "created": 0,
        }  # fmt: skip
        assert stored(capsys) == {"Import Ä": "", "Import B": ""}

    def test_a_terminal_sees_how_far_it_is(self, instance: Instance, tmp_path: Path) -> None:
        """On a terminal rows, calls and the quota's windows are drawn; the report is a table."""
        instance.order("latency", operation="create", seconds=0.7)
        path = rows_file(tmp_path, *names(12))
        result = run_on_terminal("import", "run", str(path), *KEYED, **instance.environment)
        assert result.code == 0, result.out
        assert "applying: " in result.out
        assert "of 12 rows" in result.out
        assert "12 to go" in result.out
        assert "minute" in result.out
        assert "created" in result.out

    def test_a_changed_input_is_refused_unless_it_may_be(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """The planned rows are loaded where --changed-input ignore says so."""
        path = rows_file(tmp_path, *names(2))
        journal = one(imported(capsys, "plan", path, *KEYED))["journal"]
        rows_file(tmp_path, *names(5))
        refused = imported(capsys, "apply", journal)
        assert refused.code == 2
        assert "has changed" in refused.err
        assert imported(capsys, "apply", journal, "--changed-input", "ignore").code == 0
        assert len(stored(capsys)) == 2

    def test_a_wrong_key_is_4(
        self,
        instance: Instance,
        capsys: Capture,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A job whose user is refused ends with 4, and says how to go on; nothing is lost."""
        journal = one(imported(capsys, "plan", rows_file(tmp_path, *names(2)), *KEYED))["journal"]
        with monkeypatch.context() as patch:
            patch.setenv("VTIGER_ACCESS_KEY", "wr0ng-key")
            result = imported(capsys, "apply", journal)
        assert result.code == 4
        assert f"to go on: vtiger-async import resume {journal}" in result.err
        assert imported(capsys, "resume", journal).code == 0
        assert len(stored(capsys)) == 2

    def test_a_pause_can_end_it_with_5(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """--stop-on-pause ends where the quota is used up for long; `resume` goes on."""
        path = rows_file(tmp_path, *names(30))
        instance.order("429", operation="create", after=10, times=1, retry_after=7200)
        result = imported(capsys, "run", path, *KEYED, "--stop-on-pause")
        assert result.code == 5, result.err
        assert "stopped: the quota of the" in result.err
        assert one(result)["open"] > 0
        assert "to go on: vtiger-async import resume" in result.err
        left = one(result)["unprocessed_file"]
        assert Path(left).read_text("utf-8").count("Import") == one(result)["open"]
        again = imported(capsys, "resume", one(result)["journal"])
        assert again.code == 0
        assert len(stored(capsys)) == 30

    def test_an_instance_that_is_not_there_is_7(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """A plan that cannot reach the instance ends with 7, and leaves no journal."""
        path = rows_file(tmp_path, *names(2))
        result = imported(capsys, "plan", path, *KEYED, "--url", "http://127.0.0.1:9")
        assert result.code == 7
        assert not list(tmp_path.glob("*.vtjob"))


class TestResume:
    """Which job `import resume` goes on with."""

    def test_the_only_unfinished_one_is_found(
        self,
        instance: Instance,
        capsys: Capture,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Without a name it is the one in this folder; none, and several, are told with names."""
        monkeypatch.chdir(tmp_path)
        none = imported(capsys, "resume")
        assert none.code == 2
        assert "no job is unfinished here" in none.err
        path = rows_file(tmp_path, *names(2))
        imported(capsys, "plan", path, *KEYED)
        imported(capsys, "plan", path, *KEYED, "--journal", "other.vtjob")
        several = imported(capsys, "resume")
        assert several.code == 2
        assert "orgs.csv.1.vtjob (planned), other.vtjob (planned)" in several.err
        (tmp_path / "other.vtjob").unlink()
        assert imported(capsys, "resume").code == 0
        done = imported(capsys, "resume")
        assert done.code == 2
        assert "orgs.csv.1.vtjob (done)" in done.err

    def test_the_plan_of_an_input_is_made_once(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """While a job for a file is not at its end, no other is begun for it."""
        path = rows_file(tmp_path, *names(1))
        imported(capsys, "plan", path, *KEYED)
        again = imported(capsys, "run", path, *KEYED)
        assert again.code == 2
        assert "orgs.csv.1.vtjob" in again.err


class TestUndo:
    """`import undo`."""

    def test_it_deletes_and_restores(
        self, instance: Instance, capsys: Capture, tmp_path: Path
    ) -> None:
        """What was created is gone, what was changed is as before; without --yes it asks."""
        path = rows_file(tmp_path, *names(1))
        assert imported(capsys, "run", path, *KEYED).code == 0
        before = stored(capsys)
        rows_file(tmp_path, "Import 0001,77", *names(2, first=2))
        journal = one(imported(capsys, "run", path, *KEYED))["journal"]
        assert stored(capsys)["Import 0001"] == "77"
        asked = imported(capsys, "undo", journal)
        assert asked.code == 2
        assert "delete 2 records, and restore 1" in asked.err
        result = imported(capsys, "undo", journal, "--yes")
        assert result.code == 0
        assert nothing_but(one(result), ("deleted", "restored", "reasons")) == {
            "deleted": 2, "restored": 1, "reasons": [],
        }  # fmt: skip
        assert stored(capsys) == before

    @pytest.mark.parametrize("chosen", ["jsonl", "table"])
    def test_what_somebody_has_changed_is_left_alone(
        self, instance: Instance, capsys: Capture, tmp_path: Path, chosen: str
    ) -> None:
        """A record that was changed since is told with the reason, and 3 says so."""
        path = rows_file(tmp_path, *names(2))
        journal = one(imported(capsys, "run", path, *KEYED))["journal"]
        statement = "SELECT id FROM Accounts WHERE accountname = 'Import 0002';"
        (record,) = run_here(capsys, "query", statement).rows
        run_here(capsys, "revise", record["id"], "phone=mine")
        result = imported(capsys, "undo", journal, "--yes", "-o", chosen)
        assert result.code == 3
        assert "phone" in result.out
        assert stored(capsys) == {"Import 0002": "mine"}

    @pytest.mark.parametrize(("typed", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 2)])
    def test_a_terminal_is_asked(
        self,
        instance: Instance,
        capsys: Capture,
        tmp_path: Path,
        typed: str,
        code: int,
        left: int,
    ) -> None:
        """On a terminal it tells what it would do, and does it after a y only."""
        journal = one(imported(capsys, "run", rows_file(tmp_path, *names(2)), *KEYED))["journal"]
        result = run_on_terminal("import", "undo", journal, typed=typed, **instance.environment)
        assert result.code == code, result.out
        assert "delete 2 records, and restore 0?" in result.out
        assert len(stored(capsys)) == left


class TestLooking:
    """`import jobs` and `import report`, for which no connection is needed."""

    @pytest.fixture(autouse=True)
    def _without_connection(
        self, instance: Instance, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A job that is done, one that is planned, and no way to the instance."""
        path = rows_file(tmp_path, *names(3), ",1")
        imported(capsys, "run", path, *KEYED)
        imported(capsys, "plan", path, *KEYED)
        (tmp_path / "bad.vtjob").write_text("nothing of the kind", encoding="utf-8")
        monkeypatch.delenv("VTIGER_URL")
        monkeypatch.delenv("VTIGER_ACCESS_KEY")

    def test_the_jobs_of_a_folder_are_listed(self, capsys: Capture, tmp_path: Path) -> None:
        """Each stands with its state and numbers; one that is damaged says why."""
        result = imported(capsys, "jobs", tmp_path)
        assert result.code == 0
        bad, first, second = result.rows
        assert bad["state"] == "damaged"
        assert "bad.vtjob" in bad["fault"]
        assert (first["journal"], first["state"]) == ("orgs.csv.1.vtjob", "done")
        assert nothing_but(first, ("modules", "open", "done", "unchanged", "not_done")) == {
            "modules": ["Accounts"], "open": 0, "done": 3, "unchanged": 0, "not_done": 1,
        }  # fmt: skip
        assert (second["state"], second["unchanged"], second["not_done"]) == ("planned", 3, 1)

    def test_a_report_is_shown_and_written(self, capsys: Capture, tmp_path: Path) -> None:
        """It says what came of the rows, and writes them into files where asked."""
        folder = tmp_path / "results"
        folder.mkdir()
        result = imported(capsys, "report", tmp_path / "orgs.csv.1.vtjob", "--files", folder)
        assert result.code == 3
        assert nothing_but(one(result), ("created", "rejected")) == {"created": 3, "rejected": 1}
        assert {path.name for path in folder.iterdir()} == {"orgs.success.csv", "orgs.error.csv"}
        assert imported(capsys, "report", tmp_path / "bad.vtjob").code == 2
        assert imported(capsys, "report", tmp_path / "none.vtjob").code == 2


@pytest.mark.parametrize("kind", [MappingError, SourceError, JournalInUseError])
def test_what_is_wrong_with_a_job_is_a_usage_error(kind: type[MappingError]) -> None:
    """Faults of mappings, inputs and journals are 2."""
    assert exit_code_of(kind("no")) is ExitCode.USAGE
