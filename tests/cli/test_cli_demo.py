"""The demo: its input, and its run."""

from __future__ import annotations

import csv
import json
import math
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import pytest
from cli_runs import run_here, run_on_terminal
from hypothesis import given
from hypothesis import strategies as st

import vtiger_async.sandbox
from vtiger_async import Limits, ScaledClock
from vtiger_async.bulk.keys import folded
from vtiger_async.cli.demo import run_demo
from vtiger_async.cli.demo_report import LABELS, check, time_for
from vtiger_async.cli.organisations import read_organisations
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.faults import FaultKind

HEADER = "Organization Name,Website,Billing Country,State,Domains"
FAST = ("--speed", "6000")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def csv_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write an input file."""
    path = folder / "in.csv"
    path.write_bytes(text.encode(encoding))
    return path


class TestInput:
    """What is read of a file."""

    def test_headers_become_fields(self, tmp_path: Path) -> None:
        """Columns are taken by their headers; empty cells and unknown columns are left out."""
        path = csv_file(
            tmp_path, f'{HEADER},Rank\n"A, ""B"" & Ç",https://a.example,Peru,,a.example,7\n'
        )
        found = read_organisations(path, None)
        assert found.rows == (
            {
                "accountname": 'A, "B" & Ç',
                "website": "https://a.example",
                "bill_country": "Peru",
                "description": "a.example",
            },
        )
        assert found.unknown == ("Rank",)

    def test_repeats_and_nameless_rows_are_counted_and_left_out(self, tmp_path: Path) -> None:
        """A name that differs in case, accents or trailing spaces alone is the same to Vtiger."""
        names = ("Öl", "ol", "OL ", "Oil", "", "Ol-")
        path = csv_file(
            tmp_path, "name,city\n" + "".join(f"{name},x\n" for name in names), "utf-8-sig"
        )
        found = read_organisations(path, None)
        assert [row["accountname"] for row in found.rows] == ["Öl", "Oil", "Ol-"]
        assert (found.total, found.repeated, found.unnamed) == (6, 2, 1)

    def test_only_the_first_rows_are_read(self, tmp_path: Path) -> None:
        """The limit counts rows of the file; blank lines are none."""
        found = read_organisations(csv_file(tmp_path, "Name\nA\n\nB\nC\n"), 2)
        assert [row["accountname"] for row in found.rows] == ["A", "B"]

    @pytest.mark.parametrize(
        ("text", "encoding", "says"),
        [
            ("Country\nPeru\n", "utf-8", "no column holds the organisation's name"),
            ("", "utf-8", "no column holds"),
            ("Name\nÖl\n", "latin-1", "not CSV in UTF-8"),
            (f"Name\n{'x' * 200_000}\n", "utf-8", "field larger than"),
        ],
    )
    def test_another_file_is_refused(
        self, tmp_path: Path, text: str, encoding: str, says: str
    ) -> None:
        """A file without names, in another encoding, or that is no CSV, is refused by name."""
        with pytest.raises(InvalidArgumentError, match=f"in.csv.*{says}"):
            read_organisations(csv_file(tmp_path, text, encoding), None)

    def test_the_bundled_file_is_like_real_ones(self) -> None:
        """It has some hundreds of rows, with quotes, commas, accents, other scripts, repeats."""
        text = (files("vtiger_async.cli") / "organisations.csv").read_text(encoding="utf-8")
        names = [row["Organization Name"] for row in csv.DictReader(text.splitlines())]
        found = read_organisations(None, None)
        assert found.total == len(names)
        assert 300 <= found.total <= 500
        assert found.repeated >= 10
        assert not found.unknown
        for sign in ('"', ",", "'", "&", "ö", "Œ", "松"):
            assert any(sign in ",".join(row.values()) for row in found.rows), sign
        assert max(map(len, names)) <= 100

    @given(st.text())
    def test_folding_is_stable(self, name: str) -> None:
        """Folding a name again and again comes to rest."""
        assert folded(folded(folded(name))) == folded(folded(name))


class TestCommand:
    """`vtiger-async demo`."""

    def test_it_does_the_main_job(self, capsys: pytest.CaptureFixture[str]) -> None:
        """All rows but the repeats are created, found again, changed, deleted and followed."""
        result = run_here(capsys, "demo", "-o", "json", *FAST)
        assert result.code == 0, result.err
        found = json.loads(result.out)
        assert set(found) == set(LABELS)
        rows = found["rows"] - found["duplicates"]
        lookups = math.ceil(rows / 100)
        assert found["created"] == found["read_back"] == rows
        assert (found["changed"], found["deleted"]) == (math.ceil(rows / 20), math.ceil(rows / 40))
        assert found["upserts"] == rows - found["deleted"]
        assert found["deletes"] == found["deleted"]
        assert found["refused"] == found["lost"] == found["doubled"] == found["failed"] == 0
        assert found["claims"] == "10 of 10 true"
        assert found["again_unchanged"] == rows
        assert found["again_calls"] in (
            lookups,
            lookups + 1,
        )  # what the module is may have to be asked anew
        calls = rows + lookups + 1
        assert f"plan: create {rows}; {calls} calls; 7 min; the minute binds" in result.err
        assert f"{rows} organisations cost {calls} calls, which\nare 7 minutes" in README
        assert f"again costs {lookups} calls and writes nothing" in README
        assert f"the same again: unchanged {rows}; {found['again_calls']} calls" in result.err
        assert 1.0 < found["calls_per_row"] < 1.3
        assert found["binding_window"] == "minute"
        assert found["instance_seconds"] >= found["least_seconds"] == 420

    def test_the_same_seed_spends_the_same_calls(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What is created and chosen does not depend on the speed."""
        out = [
            json.loads(
                run_here(capsys, "demo", "--rows", "30", "--seed", "4", "--speed", speed).out
            )
            for speed in ("4000", "9000")
        ]
        assert out[0]["calls"] - out[1]["calls"] in (-1, 0, 1)  # the sync may look once more
        assert {**out[0], **out[1]}["created"] == out[0]["created"]

    def test_another_file_and_edition(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """--input takes a file, whose other columns are told of; names in the CRM are revised."""
        rows = "Acme Consulting Ltd,https://acme.example,,,,1\nNew One,,,,,2\n"
        path = csv_file(tmp_path, f"{HEADER},Rank\n{rows}")
        result = run_here(
            capsys, "demo", "--input", str(path), "--edition", "one-growth", "--users", "1", *FAST
        )
        assert result.code == 0, result.err
        (found,) = result.rows
        assert (found["existing"], found["created"]) == (1, 1)
        assert (found["changed"], found["deleted"]) == (1, 0)
        assert (found["upserts"], found["again_unchanged"]) == (2, 2)
        assert "plan: create 1, revise 1; 4 calls" in result.err
        assert found["edition"] == "one-growth"
        assert found["day_left"] == 3200 - found["calls"]
        assert "not imported: the columns Rank" in result.err

    def test_people_get_words_and_hours(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With -o table the report has words for names, and times in hours and minutes."""
        result = run_here(capsys, "demo", "--rows", "61", "-o", "table", *FAST)
        assert result.code == 0
        assert "Calls per row" in result.out
        assert "0:01 h" in result.out

    def test_a_terminal_sees_bars_and_a_table(self) -> None:
        """On a terminal the progress is a bar, and the report a table with words."""
        result = run_on_terminal("demo", "--rows", "20", *FAST)
        assert result.code == 0
        assert "20/20" in result.out
        assert "Calls per row" in result.out
        assert "0:00 h" in result.out

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("--edition", "one-pilot"), "no API"),
            (("--edition", "nothing"), "one-growth"),
            (("--input", "no/such.csv"), "no/such.csv"),
            (("--speed", "0"), "speed"),
        ],
    )
    def test_what_cannot_run_is_a_usage_error(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], says: str
    ) -> None:
        """An edition without API, a file that is not there, a clock that stands: 2."""
        result = run_here(capsys, "demo", *arguments)
        assert result.code == 2
        assert says in " ".join(result.err.split())

    @pytest.mark.parametrize("kind", ["commit_then_drop", "500"])
    def test_lost_replies_are_settled(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: FaultKind
    ) -> None:
        """Creates whose reply was lost are looked up by their key: each row is there once."""
        monkeypatch.setattr(vtiger_async.sandbox, "Sandbox", faulty(kind, "create"))
        result = run_here(capsys, "demo", "--rows", "20", "-o", "json", *FAST)
        assert result.code == 0, result.err
        found = json.loads(result.out)
        assert found["created"] == found["rows"] - found["duplicates"]
        assert found["failed"] == found["lost"] == found["doubled"] == 0

    def test_a_row_that_fails_again_and_again_is_told(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A row is not sent for ever: it is told with the reason; the same import creates it."""
        monkeypatch.setattr(vtiger_async.sandbox, "Sandbox", faulty("500", "create", times=5))
        result = run_here(capsys, "demo", "--rows", "2", "-o", "json", *FAST)
        assert result.code == 3
        found = json.loads(result.out)
        assert (found["created"], found["failed"], found["again_unchanged"]) == (2, 1, 1)
        assert "each of 5 calls failed and did nothing" in result.err
        assert "1 of 2 rows were not imported: 0 rejected before a call, 1 refused" in result.err

    def test_a_false_claim_is_told(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A claim that the instance's books do not bear out is named, and ends with 1."""
        monkeypatch.setattr(vtiger_async.sandbox, "Sandbox", faulty("429", "sync"))
        result = run_here(capsys, "demo", "--rows", "20", "-o", "json", *FAST)
        assert result.code == 1
        assert "false claim: no call was refused" in result.err

    def test_rows_that_would_be_cut_are_rejected(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        """No call is made for them; they are counted by field, and the first told of."""
        rows = "".join(f"Long {number},,Peru,{'x' * 31},\n" for number in range(7))
        path = csv_file(tmp_path, f"{HEADER}\nShort,,,x,\n{rows}")
        result = run_here(capsys, "demo", "--input", str(path), "-o", "json", *FAST)
        assert result.code == 3
        found = json.loads(result.out)
        assert (found["created"], found["rejected"]) == (1, 7)
        assert "plan: create 1, rejected 7; 3 calls" in result.err
        assert "rejected before a call is spent on them: 7 rows, for bill_state 7" in result.err
        assert result.err.count("31 characters, of which 30 would be stored") == 5
        assert "and 2 more" in result.err
        says = "7 of 8 rows were not imported: 7 rejected before a call, 0 refused by Vtiger"
        assert says in result.err

    def test_without_the_sandbox_it_says_what_to_install(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the extra `sandbox` it ends with 2, and names it."""
        monkeypatch.setitem(sys.modules, "vtiger_async.sandbox", None)
        result = run_here(capsys, "demo", "--rows", "1")
        assert result.code == 2
        assert "vtiger-async[sandbox]" in result.err


def faulty(kind: FaultKind, operation: str, times: int = 2) -> type[Sandbox]:
    """Return a sandbox some of whose calls go wrong, the first one not."""

    class Faulty(Sandbox):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            self.faults.add(kind, operation=operation, after=1, times=times)

    return Faulty


def test_a_sliding_minute_draws_no_refusal() -> None:
    """The job draws no 429 from an instance with sliding windows either."""
    organisations = read_organisations(None, 200)
    limits = Limits(minute=30, hour=1000, day=5000)

    def advance(phase: str, total: int | None = None) -> None:
        """Show nothing."""

    with Sandbox(
        limits=limits, clock=ScaledClock(3000), minute_window="sliding", hour_window="sliding"
    ) as sandbox:
        run = anyio.run(run_demo, sandbox, organisations, limits, 0, advance)
        assert not [claim for claim in check(run, sandbox.ledger()) if claim.faults]
        assert sandbox.flood.refused == 0
    assert run.seconds >= time_for(sum(1 for _ in run.created), limits)[0]
