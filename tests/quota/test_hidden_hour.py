"""The hour's limit that nobody told: supposed from the minute's, tried, and learned."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest

from vtiger_async.clock import SystemClock
from vtiger_async.editions import EDITIONS, Limits, hours_with
from vtiger_async.quota import Ledger
from vtiger_async.quota.headers import NOTHING, Observation
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

NOW = 1_790_002_800.0 // 3600 * 3600
"""A full hour."""
DAY = 86_400.0


class FromFullHour(SystemClock):
    """Virtual time that begins at a full hour, whatever the real time is."""

    __slots__ = ()

    def time(self) -> float:
        return NOW + anyio.current_time()


def seen(minute: int | None, before: int = 0) -> Observation:
    """Return headers that tell this limit a minute, and a day with so many calls made."""
    return Observation(minute, day_limit=9000, day_remaining=8999 - before)


def spend(ledger: Ledger, now: float, observation: Observation = NOTHING) -> None:
    """Make one call that is answered at once."""
    ledger.grant(now)
    ledger.settle(now, now, observation)


def hour_of(ledger: Ledger, now: float) -> int | None:
    """Return the hour's limit as it stands."""
    return ledger.uses(now)[1].limit


def refuse(ledger: Ledger, now: float) -> None:
    """Make one call that is refused while the minute has calls left."""
    spend(ledger, now)
    ledger.refuse(now, Observation(minute_remaining=7), 0.0)
    ledger.accept()


def keep(ledger: Ledger, start: float, end: float, calls: int) -> None:
    """Make so many calls an hour, evenly, from a moment to another."""
    gap = 3600.0 / calls
    for number in range(1, round((end - start) / gap) + 1):
        spend(ledger, start + number * gap)


@pytest.mark.parametrize(
    ("minute", "hours"),
    [(20, (100,)), (30, (1000,)), (60, (2500, 4000)), (90, (4000, 5000)), (59, ()), (0, ())],
)
def test_the_hours_of_a_minute_are_those_of_its_editions(
    minute: int, hours: tuple[int, ...]
) -> None:
    """Editions that share a minute's limit are listed with their hours, the least first."""
    assert hours_with(minute) == hours


@pytest.mark.parametrize("edition", [known for known in EDITIONS.values() if known.has_api])
def test_no_edition_has_less_than_the_hour_that_is_supposed(edition: Any) -> None:
    """The header that tells an edition's minute makes its hour supposed, or a smaller one."""
    ledger = Ledger(Limits())
    spend(ledger, NOW, seen(edition.minute))
    supposed = hour_of(ledger, NOW)
    assert supposed is not None
    assert supposed <= edition.hour


@pytest.mark.parametrize(
    ("limits", "observation", "hour"),
    [
        (Limits(hour=700), seen(30), 700),
        (Limits(minute=30), seen(30), None),
        (Limits(minute=30), seen(60), None),
        (Limits(day=500), seen(30), 1000),
        (Limits(), seen(33), None),
        (Limits(), seen(None), None),
        (Limits(), NOTHING, None),
    ],
)
def test_nothing_is_supposed_where_the_user_told_or_no_header_does(
    limits: Limits, observation: Observation, hour: int | None
) -> None:
    """Limits a minute or an hour that were given stand; without the header nothing is limited."""
    ledger = Ledger(limits)
    spend(ledger, NOW, observation)
    assert hour_of(ledger, NOW) == hour


def test_another_edition_is_another_hour() -> None:
    """When the minute's limit changes, the hour is supposed anew, and not while it stays."""
    ledger = Ledger(Limits())
    for minute, hour in ((30, 1000), (30, 1000), (75, 3000), (77, None)):
        spend(ledger, NOW, seen(minute))
        assert hour_of(ledger, NOW) == hour


def test_a_supposed_hour_is_raised_a_little_and_then_met() -> None:
    """After an hour a fortieth more is tried; refused there, the supposed hour holds for a day."""
    ledger = Ledger(Limits())
    spend(ledger, NOW, seen(30))
    assert hour_of(ledger, NOW + 3599) == 1000
    keep(ledger, NOW, NOW + 3600, 1000)
    assert hour_of(ledger, NOW + 3600) == 1026
    keep(ledger, NOW + 3600, NOW + 7000, 1020)
    refuse(ledger, NOW + 7000)
    assert hour_of(ledger, NOW + 7000) == 1000
    spend(ledger, NOW + 7000 + DAY - 1)
    assert hour_of(ledger, NOW + 7000 + DAY - 1) == 1000
    spend(ledger, NOW + 7000 + DAY)
    assert hour_of(ledger, NOW + 7000 + DAY) == 1026


def test_it_takes_a_whole_hour_beyond_it_to_disprove_a_limit() -> None:
    """While the count of an hour has not stayed above the limit for an hour, none is supposed."""
    ledger = Ledger(Limits())
    spend(ledger, NOW, seen(20))
    keep(ledger, NOW, NOW + 7200, 100)
    assert hour_of(ledger, NOW + 7200) == 103
    keep(ledger, NOW + 7200, NOW + 7200 + 3500, 102)
    keep(ledger, NOW + 7200 + 3500, NOW + 7200 + 7000, 100)
    assert hour_of(ledger, NOW + 7200 + 7000) == 103


def test_an_hour_beyond_a_supposed_one_leads_to_the_next_edition_and_on() -> None:
    """Beyond 4,000 an hour 5,000 is supposed, a fortieth more tried, and then an eighth more."""
    ledger = Ledger(Limits())
    spend(ledger, NOW, seen(90))
    found: list[int | None] = []
    for turn in range(10):
        start, calls = NOW + 3600 * turn, hour_of(ledger, NOW) or 0
        keep(ledger, start, start + 3600, min(calls - 2, 5400))
        found.append(hour_of(ledger, NOW))
    assert sorted({limit or 0 for limit in found}) == [4101, 5000, 5126, 5766, 6486]
    assert found[-2:] == [6486, 6486]  # beyond what 90 a minute can reach there is nothing to try


def test_what_came_before_the_first_call_is_out_of_the_count_an_hour_later() -> None:
    """Refused where an earlier run had used the hour, the count is a limit for that hour alone."""
    ledger = Ledger(Limits())
    for second in range(200):
        spend(ledger, NOW + second, seen(30, 800 + second))
    refuse(ledger, NOW + 200)
    assert hour_of(ledger, NOW + 200) == 200
    spend(ledger, NOW + 200 + 3599)
    assert hour_of(ledger, NOW + 200 + 3599) == 200
    spend(ledger, NOW + 200 + 3600)
    assert hour_of(ledger, NOW + 200 + 3600) == 1000


def test_a_lower_hour_is_known_from_one_refusal_where_the_day_began_here() -> None:
    """Where the day shows no call from before, the count at the refusal holds for a day."""
    ledger = Ledger(Limits())
    for second in range(200):
        spend(ledger, NOW + second, seen(30, second))
    refuse(ledger, NOW + 200)
    spend(ledger, NOW + 200 + 3 * 3600)
    assert hour_of(ledger, NOW + 200 + 3 * 3600) == 200


@pytest.mark.parametrize("window", ["fixed", "sliding"])
async def test_people_find_room_while_an_untold_hour_is_used_up(window: Any) -> None:
    """Two hours of bulk at an hour that nobody told: one refusal, and people wait once at most."""
    limits = Limits(minute=20, hour=100)
    sandbox = Sandbox(
        records=0, clock=FromFullHour(), limits=limits, minute_window=window, hour_window=window
    )
    sandbox.faults.add("latency", seconds=0.2)
    waits: list[float] = []
    async with sandbox.client(limits=Limits(), max_wait=math.inf) as crm:

        async def people() -> None:
            for _ in range(24):
                await anyio.sleep(300)
                start = anyio.current_time()
                await crm.me()
                waits.append(anyio.current_time() - start)

        async def work() -> None:
            while True:
                await crm.with_options(priority="bulk").me()

        with anyio.move_on_after(7500):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(work)
                group.start_soon(people)
    books = sandbox.ledger()
    assert books["refused"] == 1
    assert books["granted"] >= 0.95 * 200
    assert sum(wait > 1 for wait in waits) <= 1
    assert max(waits) < 150
