"""The editions: the vendor's table, the limits of an instance, and the edition without API."""

from __future__ import annotations

import re
from typing import Any

import pytest

from vtiger_async.editions import EDITIONS, Edition, Limits, edition_named, limits_of
from vtiger_async.errors import ConfigurationError


def test_the_vendors_example_comes_out() -> None:
    """Professional with 2 users and no booster has 7,200 calls a day."""
    assert limits_of("one-professional", users=2) == Limits(minute=60, hour=4000, day=7200)


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("one-pilot", (0, 0, 0, 0, 0)),
        ("one-growth", (3000, 200, 24000, 1000, 30)),
        ("one-professional", (6000, 600, 72000, 4000, 60)),
        ("one-enterprise", (6000, 1000, 120000, 5000, 90)),
        ("one-ai", (6000, 1000, 120000, 5000, 90)),
        ("free", (3000, 100, 4000, 100, 20)),
        ("starter", (3000, 200, 27000, 1000, 30)),
        ("exclusive", (3000, 200, 27000, 1000, 30)),
        ("sales-professional", (6000, 400, 54000, 2000, 45)),
        ("helpdesk-professional", (6000, 400, 54000, 2000, 45)),
        ("all-in-one-professional", (6000, 600, 78000, 2500, 60)),
        ("enterprise", (6000, 800, 102000, 3000, 75)),
        ("enterprise-plus", (6000, 1000, 126000, 4000, 90)),
    ],
)
def test_the_table_is_the_vendors(name: str, numbers: tuple[int, ...]) -> None:
    """Each edition has the numbers of the vendor's page, and the date of that page."""
    row = EDITIONS[name]
    assert numbers == (row.free_day, row.user_day, row.ceiling_day, row.hour, row.minute)
    assert re.fullmatch(r"20\d\d(-\d\d)?", row.as_of)
    assert row.name == name


def test_no_other_edition_is_in_the_table() -> None:
    """The table has thirteen editions, one of them without API."""
    assert len(EDITIONS) == 13
    assert [name for name, row in EDITIONS.items() if not row.has_api] == ["one-pilot"]


@pytest.mark.parametrize(
    ("users", "boosters", "day"),
    [(None, 0, 6600), (0, 0, 6000), (5, 0, 9000), (5, 10_000, 19_000), (110, 0, 72_000),
     (1000, 0, 72_000), (5, 10**9, 72_000)],
)  # fmt: skip
def test_the_day_grows_up_to_the_ceiling(users: int | None, boosters: int, day: int) -> None:
    """Users and boosters add up to the ceiling; unknown users count as one."""
    assert limits_of("one-professional", users=users, boosters=boosters).day == day


@pytest.mark.parametrize(
    "name", ["one-professional", "One Professional", "ONE_PROFESSIONAL", " one  professional "]
)
def test_names_are_found_as_people_write_them(name: str) -> None:
    """Case, spaces, hyphens and underscores do not matter."""
    assert edition_named(name) is EDITIONS["one-professional"]


def test_an_unknown_edition_is_refused_with_those_known() -> None:
    """The error lists the editions, and the two ways without one."""
    with pytest.raises(ConfigurationError, match="unknown edition 'gold': known are one-pilot, "):
        limits_of("gold")
    with pytest.raises(ConfigurationError, match="learned from the response headers"):
        edition_named("")


@pytest.mark.parametrize("limits", [None, Limits(minute=60)])
def test_the_edition_without_api_is_refused(limits: Limits | None) -> None:
    """One Pilot has no API; limits of one's own do not change that."""
    with pytest.raises(ConfigurationError, match=r"One Pilot has no API: its limit is 0 calls"):
        limits_of("one-pilot", limits=limits)


def test_without_an_edition_nothing_is_assumed() -> None:
    """The limits are then those given, or none: the headers teach them."""
    assert limits_of(None, users=5) == Limits(None, None, None, "rolling")
    own = Limits(minute=10, day_policy="utc")
    assert limits_of(None, limits=own) is own


def test_own_limits_override_the_editions() -> None:
    """`limits=` wins over `edition=`, whose name must still be right."""
    own = Limits(minute=10)
    assert limits_of("one-growth", users=3, limits=own) is own
    with pytest.raises(ConfigurationError, match="unknown edition"):
        limits_of("gold", limits=own)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"users": -1}, "users is a number from 0, not -1"),
        ({"boosters": -5}, "boosters is a number of calls a day from 0, not -5"),
    ],
)
def test_negative_numbers_are_refused(options: dict[str, Any], reason: str) -> None:
    """Fewer than no users make no sense, with an edition or without."""
    for edition in (None, "one-growth"):
        with pytest.raises(ConfigurationError, match=reason):
            limits_of(edition, **options)


@pytest.mark.parametrize("window", ["minute", "hour", "day"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "60", True])
def test_limits_that_no_call_passes_are_refused(window: str, value: Any) -> None:
    """A limit is a whole number from 1, or None; the error names the window."""
    with pytest.raises(ConfigurationError, match=f"limits: {window} is a whole number"):
        Limits(**{window: value})


def test_an_unknown_day_policy_is_refused() -> None:
    """The day rolls, or is that of UTC."""
    with pytest.raises(ConfigurationError, match="day_policy is 'rolling' or 'utc', not 'local'"):
        Limits(day_policy="local")  # type: ignore[arg-type]


def test_an_edition_tells_the_limits_under_either_policy() -> None:
    """The policy of the day goes into the limits; the numbers are the same."""
    edition = Edition("x", "X", "2026", 100, 10, 1000, 50, 5)
    assert edition.limits(3, 20, "utc") == Limits(5, 50, 150, "utc")
