"""The demo's report: what the limits demand, and whether a false claim is caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async import EDITIONS, Limits
from vtiger_async.bulk import Report
from vtiger_async.cli.demo import speed_for
from vtiger_async.cli.demo_report import Run, check, hours, report, time_for
from vtiger_async.cli.organisations import Organisations
from vtiger_async.quota import WindowUse
from vtiger_async.quota.snapshot import Quota


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
        again=Report(unchanged=3, calls=1),
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


def changed_again(run: Run, books: dict[str, Any]) -> None:
    """Have the same import again change a record that was stored as it was sent."""
    run.again = Report(unchanged=2, revised=1, calls=2)
    run.revised.append("3x2")
    books["writes"].append(write("revise", "3x2"))


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
            (lambda r, b: setattr(r.again, "unchanged", 2), "the same import again"),
            (lambda r, b: setattr(r.again, "created", 1), "the same import again"),
            (changed_again, "the same import again"),
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

    def test_what_is_stored_otherwise_may_be_changed_again(
        self, run: Run, books: dict[str, Any]
    ) -> None:
        """A record that is not stored as it was sent differs in the same import again."""
        changed_again(run, books)
        run.read[1] = {"id": "3x2", "accountname": "3x"}
        assert not false_claims(run, books)

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
        assert (good["lost"], good["doubled"], good["claims"]) == (0, 0, "10 of 10 true")
        assert (good["calls"], good["calls_per_row"]) == (9, 3.0)
        assert (good["least_seconds"], good["binding_window"]) == (60, "minute")
        run.read[0] = {"id": "3x1", "accountname": "3x"}
        run.read[1] = run.read[2]
        books["writes"].append(write("create", "3x9"))
        bad = of(run)
        assert (bad["lost"], bad["doubled"], bad["stored_differently"]) == (1, 2, 1)
        assert bad["claims"] == "8 of 10 true"
