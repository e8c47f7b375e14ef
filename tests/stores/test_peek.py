"""What a store's state is shown as, without any store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from vtiger_async import SharedQuota, WindowUse
from vtiger_async.quota import Priority
from vtiger_async.quota.fleet import Fleet, Loan
from vtiger_async.stores.peek import AtWork, shared_quota

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = NOON.timestamp()
NOBODY: dict[Priority, int] = {"interactive": 0, "sync": 0, "bulk": 0}


def fleet_with(minute: int | None, calls: int, left: int | None = None, ends: float = 30) -> Fleet:
    """Return a store's state with so many calls in all windows, a second before noon."""
    fleet = Fleet()
    for tally, limit in zip(fleet.windows, (minute, 4000, 9000), strict=True):
        tally.limit = limit
        if calls:
            tally.add(NOW - 1, calls)
    fleet.windows[0].left, fleet.windows[0].ends_at = left, NOW + ends
    return fleet


def look(fleet: Fleet, now: float = NOW) -> SharedQuota:
    """Return what is shown of a state."""
    return shared_quota(fleet.dump(), now)


def test_headers_show_the_others() -> None:
    """Calls that the headers count and nobody of the fleet has made are missing from the rest."""
    found = look(fleet_with(60, 5, left=40))
    assert found.minute == WindowUse("minute", 60, 5, 40, NOW)
    assert found.hour == WindowUse("hour", 4000, 5, 3995, NOW)


def test_what_headers_said_ends() -> None:
    """After the minute that the headers spoke of, the fleet's own calls count."""
    minute = look(fleet_with(60, 5, left=40, ends=10), NOW + 20).minute
    assert (minute.used, minute.remaining) == (5, 55)


def test_headers_alone_are_enough() -> None:
    """Where no limit is known, what the headers leave is shown."""
    minute = look(fleet_with(None, 5, left=40)).minute
    assert (minute.limit, minute.remaining) == (None, 40)


def test_in_a_sliding_minute_the_others_count_as_seen() -> None:
    """Where no word of the headers holds, the others that have shown are taken off the rest."""
    fleet = fleet_with(60, 5)
    fleet.sliding = True
    fleet.others.add(NOW - 30, 20)
    fleet.others.add(NOW - 90, 7)
    assert look(fleet).minute.remaining == 35


def test_calls_on_loan_are_used() -> None:
    """What a process may still make is not there for another."""
    fleet = fleet_with(60, 5)
    fleet.loans["one"] = Loan(heard_at=NOW, slots=[NOW, NOW + 3])
    found = look(fleet)
    assert (found.minute.used, found.minute.remaining, found.fleet.lent) == (7, 53, 1)


def test_a_used_up_window_says_when() -> None:
    """The next call goes when one has left the window, or when the headers' word ends."""
    minute = look(fleet_with(5, 5)).minute
    assert minute.remaining == 0
    assert 59 <= minute.next_at - NOW <= 60
    assert look(fleet_with(5, 5, left=0, ends=300)).minute.next_at == NOW + 300


def test_a_limit_of_nothing_is_asked_again_after_its_span() -> None:
    """Where nothing was called and nothing is left, the window's length is the wait."""
    assert look(fleet_with(0, 0)).minute.next_at == NOW + 60


def test_a_429_holds_all_back() -> None:
    """After a refusal the window it was blamed on says until when nobody calls."""
    fleet = fleet_with(60, 5)
    fleet.blamed, fleet.blocked_until = "hour", NOW + 90
    found = look(fleet)
    assert (found.minute.next_at, found.hour.next_at) == (NOW, NOW + 90)


def test_processes_that_have_gone_do_not_count() -> None:
    """Who was not heard of for a minute is no process any more, and has no bulk calls."""
    fleet = fleet_with(60, 5)
    fleet.loans["one"] = Loan(heard_at=NOW, queues=[2, 0, 5])
    fleet.loans["two"] = Loan(heard_at=NOW - 50, asked_at=NOW - 2, slots=[NOW - 1, NOW + 2])
    fleet.loans["three"] = Loan(heard_at=NOW - 70, asked_at=NOW - 70, queues=[0, 0, 9])
    fleet.urgent.add(NOW - 5, 9)
    fleet.others.add(NOW - 5, 20)
    fleet.born = NOW - 300
    found = look(fleet)
    assert found.fleet == AtWork(2, 1, 1, {"interactive": 2, "sync": 0, "bulk": 5}, 4.5)
    assert found.others_per_minute == 4


def test_a_store_that_nobody_has_called_with_is_empty() -> None:
    """There are no calls, no limits and no processes."""
    found = shared_quota(None, NOW)
    assert found.at == NOON
    assert found.minute == WindowUse("minute", None, 0, None, NOW)
    assert found.fleet == AtWork(0, 0, 0, NOBODY, 0.0)


def test_a_look_is_never_earlier_than_the_last_word() -> None:
    """Where the clock was set back, it is shown as it was when the store was last told."""
    fleet = fleet_with(60, 5)
    fleet.at = NOW
    assert look(fleet, NOW - 3600) == look(fleet)


@pytest.mark.parametrize("kept", [[], {}, {"version": 99}, {"version": 1}])
def test_what_cannot_be_read_is_one_kind_of_error(kept: Any) -> None:
    """A state of another version or form is no traceback."""
    with pytest.raises(ValueError, match=r"another version|cannot be read"):
        shared_quota(kept, NOW)
