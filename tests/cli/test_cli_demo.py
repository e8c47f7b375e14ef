"""The demo: its input, its run, its report, and whether a false claim is caught."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve
from cli_runs import run_here, run_on_terminal
from hypothesis import given
from hypothesis import strategies as st

import vtiger_async.sandbox
from vtiger_async import EDITIONS, Limits, ScaledClock
from vtiger_async.cli.demo import run_demo, speed_for
from vtiger_async.cli.demo_report import LABELS, Run, check, hours, report, time_for
from vtiger_async.cli.organisations import Organisations, folded, read_organisations
from vtiger_async.client.core import Quota
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.quota.ledger import WindowUse
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.faults import FaultKind

HEADER = "Organization Name,Website,Billing Country,State,Domains"
FAST = ("--speed", "6000")


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


class TestEstimate:
    """What the limits alone demand."""

    @pytest.mark.parametrize(
        ("calls", "limits", "expected"),
        [
            (60, Limits(minute=60), (0, "none")),
            (61, Limits(minute=60), (60, "minute")),
            (1001, Limits(minute=30, hour=1000, day=4000), (3600, "hour")),
            (9001, Limits(minute=60, hour=4000, day=9000), (86400, "day")),
            (500, Limits(), (0, "none")),
            (0, Limits(minute=1), (0, "none")),
        ],
    )
    def test_the_binding_window_is_named(
        self, calls: int, limits: Limits, expected: tuple[float, str]
    ) -> None:
        """So many calls take as long as the tightest window wants, and it is named."""
        assert time_for(calls, limits) == expected

    @given(st.integers(1, 300), st.integers(1, 9), st.integers(5, 40))
    def test_no_window_ever_holds_more_than_its_limit(
        self, calls: int, minute: int, hour: int
    ) -> None:
        """One call more never makes it shorter, and each window alone is a lower bound."""
        limits = Limits(minute=minute, hour=hour)
        least = time_for(calls, limits)[0]
        assert least >= (calls - 1) // minute * 60
        assert least >= (calls - 1) // hour * 3600
        assert time_for(calls + 1, limits)[0] >= least

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0:00"), (1, "0:01"), (60, "0:01"), (3601, "1:01"), (90000, "25:00")],
    )
    def test_hours_round_up(self, seconds: float, text: str) -> None:
        """A part of a minute counts as one."""
        assert hours(seconds) == text

    @pytest.mark.parametrize("edition", [name for name, row in EDITIONS.items() if row.has_api])
    @pytest.mark.parametrize("rows", [400, 2000, 10_000])
    def test_the_default_speed_ends_in_time(self, edition: str, rows: int) -> None:
        """By default a few hundred rows take seconds, and no number of rows hours."""
        limits = EDITIONS[edition].limits(5)
        least, _ = time_for(int(rows * 1.12), limits)
        assert least / speed_for(rows, limits) <= 62
        if rows == 400 and edition != "free":
            assert least / speed_for(rows, limits) <= 15

    def test_without_a_known_limit_there_is_a_speed_too(self) -> None:
        """Where no limit is known, time runs as if it were the usual one."""
        assert speed_for(10, Limits()) == 150


def use(name: Any, used: int, remaining: int | None) -> WindowUse:
    """Return a window as the client sees it."""
    return WindowUse(name=name, limit=10, used=used, remaining=remaining, next_at=0.0)


@pytest.fixture
def run() -> Run:
    """A run in which all went well, as the client saw it: three created, one of them deleted."""
    quota = Quota(
        use("minute", 9, 1), use("hour", 9, None), use("day", 9, 1), 0, 0, datetime.now(UTC)
    )
    ids = ["3x1", "3x2", "3x3"]
    return Run(
        created={key: {"accountname": key} for key in ids},
        read=[{"id": key, "accountname": key} for key in ids],
        changed=["3x1"],
        deleted=["3x3"],
        upserts=["3x1", "3x2"],
        deletes=["3x3"],
        quota=quota,
        seconds=60.0,
    )


@pytest.fixture
def books() -> dict[str, Any]:
    """The instance's own books of that run."""
    written = [
        ("create", "3x1"),
        ("create", "3x2"),
        ("create", "3x3"),
        ("revise", "3x1"),
        ("delete", "3x3"),
    ]
    return {
        "writes": [
            {"operation": o, "module": "Accounts", "id": key, "time": ""} for o, key in written
        ],
        "calls": {"me": 1, "create": 3, "query": 2, "revise": 1, "delete": 1, "sync": 1},
        "statuses": {"200": 9},
        "granted": 9,
        "refused": 0,
        "windows": {name: {"left": 1} for name in ("minute", "hour", "day")},
    }


def false_claims(run: Run, books: Mapping[str, Any]) -> list[str]:
    """Return the texts of the claims that are false."""
    return [claim.text for claim in check(run, books) if claim.faults]


def write(operation: str, key: str) -> dict[str, str]:
    """Return an entry of the instance's ledger."""
    return {"operation": operation, "module": "Accounts", "id": key, "time": ""}


class TestClaims:
    """Each claim is found false when it is."""

    def test_a_true_run_has_none(self, run: Run, books: dict[str, Any]) -> None:
        """Where the books agree, no claim is false."""
        assert not false_claims(run, books)

    @pytest.mark.parametrize(
        ("spoil", "claim"),
        [
            (lambda r, b: b["writes"].append(write("create", "3x9")), "every row was created once"),
            (lambda r, b: b["writes"].append(write("create", "3x1")), "every row was created once"),
            (lambda r, b: b["writes"].pop(0), "every row was created once"),
            (lambda r, b: r.read.pop(), "read back once"),
            (lambda r, b: r.read.append(r.read[0]), "read back once"),
            (lambda r, b: r.changed.clear(), "was to be changed"),
            (lambda r, b: b["writes"].append(write("revise", "3x1")), "was to be changed"),
            (lambda r, b: b["writes"].pop(), "was to be deleted"),
            (lambda r, b: r.upserts.pop(), "new and changed record once"),
            (lambda r, b: r.upserts.append("3x1"), "new and changed record once"),
            (lambda r, b: r.deletes.clear(), "deleted record once"),
            (lambda r, b: b.update(refused=1), "HTTP 429"),
            (lambda r, b: b["statuses"].update({"429": 1}), "HTTP 429"),
            (lambda r, b: b.update(granted=8), "the client counted"),
            (lambda r, b: b["calls"].update(me=2), "the client counted"),
            (lambda r, b: b["windows"]["minute"].update(left=0), "no more quota"),
            (lambda r, b: b["windows"]["day"].update(left=0), "no more quota"),
        ],
    )
    def test_each_is_found_false(
        self,
        run: Run,
        books: dict[str, Any],
        spoil: Callable[[Run, dict[str, Any]], None],
        claim: str,
    ) -> None:
        """One thing that is not as claimed makes exactly that claim false."""
        spoil(run, books)
        found = false_claims(run, books)
        assert len(found) == 1
        assert claim in found[0]

    def test_a_run_of_more_than_a_day_needs_no_equal_count(
        self, run: Run, books: dict[str, Any]
    ) -> None:
        """After a day the client's count has lost its oldest calls, rightly."""
        run.seconds = 90_000.0
        assert run.quota is not None
        run.quota = evolve(run.quota, day=use("day", 3, 1))
        assert not false_claims(run, books)

    def test_the_report_counts_what_was_lost_and_doubled(
        self, run: Run, books: dict[str, Any]
    ) -> None:
        """A record without its write is lost; a write or a row too many is doubled."""
        organisations = Organisations("in.csv", (), 3, 0, 0, ())

        def of(run: Run) -> dict[str, Any]:
            claims = check(run, books)
            return report(run, organisations, "one-growth", Limits(minute=5), books, claims)

        good = of(run)
        assert (good["lost"], good["doubled"], good["claims"]) == (0, 0, "9 of 9 true")
        assert (good["calls"], good["calls_per_row"]) == (9, 3.0)
        assert (good["least_seconds"], good["binding_window"]) == (60, "minute")
        run.read[0] = {"id": "3x1", "accountname": "3x"}
        run.read[1] = run.read[2]
        books["writes"].append(write("create", "3x9"))
        bad = of(run)
        assert (bad["lost"], bad["doubled"], bad["stored_differently"]) == (1, 2, 1)
        assert bad["claims"] == "7 of 9 true"


class TestCommand:
    """`vtiger-async demo`."""

    def test_it_does_the_main_job(self, capsys: pytest.CaptureFixture[str]) -> None:
        """All rows but the repeats are created, found again, changed, deleted and followed."""
        result = run_here(capsys, "demo", "--rows", "120", "-o", "json", *FAST)
        assert result.code == 0, result.err
        found = json.loads(result.out)
        assert set(found) == set(LABELS)
        rows = found["rows"] - found["duplicates"]
        assert found["rows"] == 120
        assert found["created"] == found["read_back"] == rows
        assert (found["changed"], found["deleted"]) == (math.ceil(rows / 20), math.ceil(rows / 40))
        assert found["upserts"] == rows - found["deleted"]
        assert found["deletes"] == found["deleted"]
        assert found["refused"] == found["lost"] == found["doubled"] == found["failed"] == 0
        assert found["claims"] == "9 of 9 true"
        assert 1.0 < found["calls_per_row"] < 1.3
        assert found["binding_window"] == "minute"
        assert found["instance_seconds"] >= found["least_seconds"] == 120

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
        """--input takes a file, whose other columns are told of; names in the CRM are counted."""
        path = csv_file(tmp_path, f"{HEADER},Rank\nAcme Consulting Ltd,,,,,1\nNew One,,,,,2\n")
        result = run_here(
            capsys, "demo", "--input", str(path), "--edition", "one-growth", "--users", "1", *FAST
        )
        assert result.code == 0, result.err
        (found,) = result.rows
        assert (found["existing"], found["created"]) == (1, 1)
        assert (found["changed"], found["deleted"]) == (1, 0)
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

    @pytest.mark.parametrize(
        ("kind", "options", "code", "says"),
        [
            ("commit_then_drop", {"operation": "create"}, 1, "false claim: every row was created"),
            ("500", {"operation": "create"}, 3, "2 rows were not created"),
            ("429", {"operation": "query"}, 1, "false claim: no call was refused"),
        ],
    )
    def test_what_goes_wrong_is_told(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        kind: FaultKind,
        options: dict[str, Any],
        code: int,
        says: str,
    ) -> None:
        """A false claim ends with 1 and is named; rows that failed, and are known to, with 3."""

        class Faulty(Sandbox):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self.faults.add(kind, after=1, times=2, **options)

        monkeypatch.setattr(vtiger_async.sandbox, "Sandbox", Faulty)
        result = run_here(capsys, "demo", "--rows", "20", "-o", "json", *FAST)
        assert result.code == code, result.err
        assert says in result.err
        found = json.loads(result.out)
        assert found["failed"] == (0 if kind == "429" else 2)
        assert found["doubled"] == (2 if kind == "commit_then_drop" else 0)

    def test_many_failures_are_not_all_shown(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first failures are shown with the row's name; the others are counted."""

        class Down(Sandbox):
            def __init__(self, *arguments: Any, **named: Any) -> None:
                super().__init__(*arguments, **named)
                self.faults.add("500", operation="create")

        monkeypatch.setattr(vtiger_async.sandbox, "Sandbox", Down)
        result = run_here(capsys, "demo", "--rows", "20", *FAST)
        assert result.code == 3
        assert result.err.count("its reply was lost") == 5
        assert result.rows[0]["created"] == 0

    def test_without_the_sandbox_it_says_what_to_install(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the extra `sandbox` it ends with 2, and names it."""
        monkeypatch.setitem(sys.modules, "vtiger_async.sandbox", None)
        result = run_here(capsys, "demo", "--rows", "1")
        assert result.code == 2
        assert "vtiger-async[sandbox]" in result.err


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
        assert not false_claims(run, sandbox.ledger())
        assert sandbox.flood.refused == 0
    assert run.seconds >= time_for(sum(1 for _ in run.created), limits)[0]
