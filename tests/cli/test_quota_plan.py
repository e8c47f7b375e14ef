"""`vtiger-async quota plan`: from an edition alone, and from an instance's answer."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest
from cli_runs import run_here, served_here

from vtiger_async import Limits, Plan
from vtiger_async.cli.quota_plan import share_of, told
from vtiger_async.quota.costs import span


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """No instance is set up."""
    for name in [name for name in os.environ if name.startswith("VTIGER_")]:
        monkeypatch.delenv(name)


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Return the plan of a run."""
    result = run_here(capsys, "quota", "plan", *arguments)
    assert result.code == 0, result.err
    (found,) = result.rows
    return found


@pytest.mark.parametrize(
    ("edition", "calls", "least", "most", "binds"),
    [
        ("one-professional", "600", 540, 660, ["minute"]),  # 60 a minute
        ("one-growth", "2000", 4000, 7300, ["minute", "hour", "minute", "hour"]),  # 1,000 an hour
        ("one-growth", "6400", 86_400, 100_000, None),  # 3,200 a day
    ],
)
def test_an_edition_is_enough(
    capsys: pytest.CaptureFixture[str],
    edition: str,
    calls: str,
    least: float,
    most: float,
    binds: list[str] | None,
) -> None:
    """By the edition alone, the limits that it grants say how long the calls take, and why."""
    found = planned(capsys, "-n", calls, "--edition", edition)
    assert least <= found["seconds"] <= most
    assert found["by"] == "the edition"
    assert sum(stretch["calls"] for stretch in found["binds"]) == int(calls)
    if binds is not None:
        assert [stretch["window"] for stretch in found["binds"]] == binds


def test_users_bring_more_of_a_day(capsys: pytest.CaptureFixture[str]) -> None:
    """The share of the day is that of the edition's calls for so many users."""
    few = planned(capsys, "-n", "660", "--edition", "one-professional", "--users", "1")
    many = planned(capsys, "-n", "660", "--edition", "one-professional", "--users", "11")
    assert (few["day_share"], many["day_share"]) == (0.1, 0.0524)


def test_an_even_spread_takes_longer(capsys: pytest.CaptureFixture[str]) -> None:
    """Evenly over the day, the day binds where the minute would."""
    job = ("--calls", "1000", "--edition", "one-professional", "--users", "5")
    fast, even = planned(capsys, *job), planned(capsys, *job, "--spread", "even")
    assert fast["seconds"] < 1100
    assert even["seconds"] == pytest.approx(1000 * 86_400 / 9000, rel=0.02)
    assert [stretch["window"] for stretch in even["binds"]] == ["day"]


def test_a_reserve_leaves_others_their_share(capsys: pytest.CaptureFixture[str]) -> None:
    """With a reserve, the day that is planned with is smaller by it."""
    job = ("--calls", "2160", "--edition", "one-professional", "--users", "2")
    assert planned(capsys, *job)["day_share"] == 0.3
    assert planned(capsys, *job, "--reserve", "50%")["day_share"] == 0.6


def test_an_instance_costs_one_call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an instance, one call tells what is left; with --no-call the edition alone counts."""
    with served_here(monkeypatch, limits=Limits(minute=10)) as sandbox:
        found = planned(capsys, "-n", "100")
        assert found["by"] == "one call's answer"
        assert 480 <= found["seconds"] <= 720
        alone = planned(capsys, "-n", "100", "--no-call", "--edition", "one-enterprise")
        assert alone["by"] == "the edition"
        assert alone["seconds"] < 90
        assert sum(sandbox.ledger()["calls"].values()) == 1


def test_without_limits_it_takes_no_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no limit is known, nothing binds."""
    with served_here(monkeypatch, limits=False):
        found = planned(capsys, "-n", "100")
    assert (found["seconds"], found["binds"], found["day_share"]) == (0, [], None)


def test_more_than_a_year_has_no_end() -> None:
    """What would take over a year is said to, and has no moment of its end."""
    found = told(Plan(9_000_000, math.inf, None, (), 1.0), "the edition")
    assert (found["takes"], found["seconds"], found["ends_at"]) == ("over a year", None, None)


def test_people_get_two_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table, the stretches stand below what the plan says in all."""
    out = run_here(
        capsys, "quota", "plan", "-n", "720", "--edition", "one-professional", "-o", "table"
    ).out
    assert "12 min" in out
    assert "10.9%" in out
    assert out.index("day_share") < out.index("binds")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-n", "10"), "nothing to plan by"),
        (("-n", "10", "--edition", "one-pilot"), "has no API"),
        (("-n", "10", "--edition", "two"), "unknown edition"),
        (("-n", "10", "--edition", "free", "--reserve", "100%"), "share of the day"),
        (("-n", "10", "--edition", "free", "--reserve", "some"), "share of the day"),
        (("-n", "-1", "--edition", "free"), "--calls"),
        (("--edition", "free"), "--calls"),
        (("-n", "10", "--url", "http://127.0.0.1:9"), "no user"),
    ],
)
def test_what_cannot_be_planned_is_2(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """What is missing or makes no sense ends with 2, and says so."""
    result = run_here(capsys, "quota", "plan", *arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


@pytest.mark.parametrize(
    ("text", "share"), [("20%", 0.2), ("0.2", 0.2), (" 0 ", 0.0), ("12.5%", 0.125)]
)
def test_a_share_is_per_cent_or_a_number(text: str, share: float) -> None:
    """Both forms of a share are read."""
    assert share_of(text) == share


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.2, "60 s"),
        (60, "1 min"),
        (3599, "1 h"),
        (3660, "1 h 1 min"),
        (47 * 3600, "47 h"),
        (48 * 3600, "2 d"),
        (53 * 3600 + 1, "2 d 6 h"),
    ],
)
def test_a_span_is_said_as_people_do(seconds: float, said: str) -> None:
    """Spans have at most two parts, and are never said too short."""
    assert span(seconds) == said
