"""The rules of a shared quota, without any store."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtiger_async.quota import Priority
from vtiger_async.quota.fleet import Fleet, Message, Reply
from vtiger_async.quota.lending import LOAN, exchange

NOW = 1_790_000_040.0
LIMITS = (6, 20, 40)


def told(calls: int, left: int, reset: float) -> Message:
    """Return what a process says whose calls were answered with headers."""
    return Message("a", used=((0.0, calls),), seen=(0.0, 60, left, reset, None, None))


def known() -> Fleet:
    """Return a state whose server shows no headers, so that nothing is probed."""
    return Fleet(heard=True)


step = st.tuples(
    st.floats(0, 40),
    st.sampled_from("abcd"),
    st.integers(0, 8),
    st.sampled_from(["interactive", "sync", "bulk"]),
    st.sampled_from(["use", "use", "return", "vanish"]),
)


def most_in(moments: list[float], span: float) -> int:
    """Return the most moments that lie within a span, its start excluded."""
    moments = sorted(moments)
    return max((sum(start - span < at <= start for at in moments) for start in moments), default=0)


@given(st.lists(step, max_size=80))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_no_window_is_lent_more_than_it_allows(
    steps: list[tuple[float, str, int, Priority, str]],
) -> None:
    """Whatever processes ask, use, return or die with, no window ever has more than its limit."""
    fleet, now = known(), NOW
    made: list[float] = []
    hands: dict[str, list[float]] = {}
    names = dict(zip("abcd", "abcd", strict=True))
    for number, (pause, process, want, priority, fate) in enumerate(steps):
        now += pause
        held = hands.pop(process, [])
        ready = [slot for slot in held if slot <= now]
        message = Message(names[process], want, priority, limits=LIMITS)
        if fate == "use":
            # Each was made at its moment, or at the last one before this message.
            moments = [slot if index % 2 else now for index, slot in enumerate(ready)]
            made += moments
            used = tuple((now - at, 1) for at in moments)
            message = evolve(message, used=used)
        elif fate == "return":
            message = evolve(message, unused=len(ready))
        else:
            # It dies: its calls are made, nothing is told of them, and another one comes instead.
            made += held
            held = []
            names[process] = f"{process}{number}"
            message = evolve(message, member=names[process])
        fleet = Fleet.load(json.loads(json.dumps(fleet.dump())))
        reply = exchange(fleet, now, message)
        later = [slot for slot in held if slot > now]
        hands[process] = sorted([*later, *(now + slot for slot in reply.slots)])
    for limit, span in zip(LIMITS, (60.0, 3600.0, 86_400.0), strict=True):
        assert most_in(made, span) <= limit


def take_all(fleet: Fleet, now: float, member: str) -> int:
    """Borrow until nothing more is lent, and return how much that was."""
    taken = 0
    while lent := ask(fleet, now, member, 60, "interactive").lent:
        taken += lent
    return taken


def ask(fleet: Fleet, now: float, member: str, want: int, priority: Priority) -> Reply:
    """Ask for calls."""
    return exchange(fleet, now, Message(member, want, priority, limits=(60, None, None)))


def test_a_borrower_that_falls_silent_has_used_its_loan() -> None:
    """Calls lent to a process that dies count from the end of the loan on."""
    fleet = known()
    lent = ask(fleet, NOW, "a", 8, "interactive").lent
    assert ask(fleet, NOW + 1, "b", 0, "interactive").used[0] == lent == 8
    assert ask(fleet, NOW + LOAN + 59, "b", 0, "interactive").used[0] == 8
    assert ask(fleet, NOW + LOAN + 61, "b", 0, "interactive").used[0] == 0


def test_what_is_given_back_can_be_lent_again() -> None:
    """Calls that are returned unused cost nothing."""
    fleet = known()
    assert take_all(fleet, NOW, "a") == 60
    assert ask(fleet, NOW, "b", 1, "interactive").lent == 0
    exchange(fleet, NOW, Message("a", unused=60))
    assert ask(fleet, NOW + 1, "b", 1, "interactive").lent == 1


def run_bulk(
    fleet: Fleet, seconds: int, persons: int = 0
) -> tuple[dict[str, int], list[float], list[float]]:
    """Let four processes want all the bulk calls there are, and persons call now and then.

    Returns:
        How many calls each process made, all moments, and how long each interactive call waited.
    """
    got: dict[str, int] = dict.fromkeys("abcd", 0)
    due = dict.fromkeys("abcd", NOW)
    hands: dict[str, list[float]] = {name: [] for name in "abcd"}
    moments: list[float] = []
    waits: list[float] = []
    for tick in range(seconds * 10):
        now = NOW + tick * 0.1
        for member, hand in hands.items():
            made = [slot for slot in hand if slot <= now]
            hand[:] = [slot for slot in hand if slot > now]
            got[member] += len(made)
            moments += [now] * len(made)
            if made:
                exchange(fleet, now, Message(member, used=((0.0, len(made)),)))
            if not hand and now >= due[member]:
                reply = ask(fleet, now, member, 64, "bulk")
                due[member] = now + reply.ask_in
                hand += [now + slot for slot in reply.slots]
        if persons and tick % persons == 7:
            reply = ask(fleet, now, "e", 1, "interactive")
            waits.append(reply.slots[0] if reply.lent else reply.ask_in)
            exchange(fleet, now, Message("e", used=((0.0, reply.lent),)))
            moments += [now] * reply.lent
    return got, moments, waits


def test_bulk_is_shared_evenly() -> None:
    """Processes that all want bulk calls get equal shares, and as many in all as allowed."""
    got, moments, _ = run_bulk(known(), 600)
    assert sum(got.values()) >= 0.95 * 600
    assert most_in(moments, 60.0) <= 60
    assert min(got.values()) >= 0.8 * max(got.values())


def test_interactive_finds_room_while_bulk_runs() -> None:
    """From the first minute on interactive calls go at once, and bulk has the rest."""
    got, moments, waits = run_bulk(known(), 600, persons=60)
    assert sorted(waits)[-len(waits) // 20] <= 1.0
    assert max(waits) <= 12.0
    assert sum(got.values()) + len(waits) >= 0.95 * 600
    assert most_in(moments, 60.0) <= 60


def test_bulk_costs_few_messages() -> None:
    """A loan of bulk calls is for many seconds of its pace."""
    fleet = known()
    first = ask(fleet, NOW, "a", 64, "bulk")
    assert first.lent >= 20
    assert first.slots[0] == 0.0
    assert first.slots[-1] >= 20.0
    gaps = [b - a for a, b in pairwise(first.slots)]
    assert min(gaps) >= 0.6


def beside_others(seconds: int, *, sliding: bool) -> tuple[int, int, int, int]:
    """Let four processes want bulk calls beside a program that makes 24 a minute, in bursts.

    Returns:
        Our calls, those refused, the refused ones of the other program, and all that were granted.
    """
    fleet, chance, burst = known(), random.Random(7), 0
    due, hands = dict.fromkeys("abcd", NOW), {name: list[float]() for name in "abcd"}
    log: list[float] = []
    made = refused = theirs_refused = 0

    def left(now: float) -> int:
        return 60 - sum(at > now - 60 if sliding else at // 60 == now // 60 for at in log)

    for tick in range(seconds * 5):
        now = NOW + tick * 0.2
        burst = max(0, burst - 1) or chance.randint(1, 15) * (chance.random() < 0.011)
        if burst:
            theirs_refused += left(now) <= 0
            log += [now] * (left(now) > 0)
        for member, hand in hands.items():
            if hand and hand[0] <= now:
                made, refused = made + (left(now) > 0), refused + (left(now) <= 0)
                log += [now] * (left(now) > 0)
                leaves = min((at for at in log if at > now - 60), default=now) + 60 - now
                seen = (0.0, 60, left(now), leaves if sliding else 60 - now % 60, None, None)
                exchange(fleet, now, Message(member, used=((0.0, 1),), seen=seen))
                hand.pop(0)
            if not hand and now >= due[member]:
                message = Message(member, 64, "bulk", limits=(60, 2500, None))
                reply = exchange(fleet, now, message)
                due[member] = now + reply.ask_in
                hand += [now + slot for slot in reply.slots]
    return made, refused, theirs_refused, len(log)


@pytest.mark.parametrize(("sliding", "ours", "theirs"), [(False, 5, 20), (True, 15, 120)])
def test_bulk_leaves_room_for_other_programs(sliding: bool, ours: int, theirs: int) -> None:
    """Bursts of another program find room in the minute, and the hour is enough for all."""
    made, refused, theirs_refused, granted = beside_others(3600, sliding=sliding)
    assert refused <= ours
    assert theirs_refused <= theirs
    assert 0.93 * 2500 <= granted <= 2500
    assert made >= 900


def test_a_lower_class_is_not_starved() -> None:
    """After twenty calls of a higher class, one goes to a lower one that waits."""
    fleet, bulk = known(), 0
    take_all(fleet, NOW, "c")
    for tick in range(1, 1200):
        now = NOW + tick * 0.5
        exchange(fleet, now, Message("c", used=((0.0, 60),)))
        for member, priority in (("a", "interactive"), ("b", "bulk")):
            lent = ask(fleet, now, member, 1, priority).lent  # type: ignore[arg-type] # two of three
            bulk += lent if member == "b" else 0
            exchange(fleet, now, Message(member, used=((0.0, lent),)))
    assert bulk >= 600 * 0.04


def test_the_headers_word_binds_and_its_end_is_asked_about() -> None:
    """Nothing is lent beyond Remaining, and after its minute two calls ask, not more."""
    fleet = Fleet()
    assert take_all(fleet, NOW, "a") == 2  # nothing is known yet
    exchange(fleet, NOW + 0.5, told(2, left=3, reset=30.0))
    assert take_all(fleet, NOW + 1, "a") == 3
    reply = ask(fleet, NOW + 2, "b", 8, "interactive")
    assert reply.lent == 0
    exchange(fleet, NOW + 3, told(3, left=0, reset=27.5))
    for second in range(4, 30, 2):
        assert ask(fleet, NOW + second, "b", 8, "interactive").lent == 0
    reply = ask(fleet, NOW + 34, "b", 8, "interactive")
    assert (reply.lent, reply.probing) == (2, True)
    assert ask(fleet, NOW + 34, "a", 8, "interactive").lent == 0


def test_a_429_stops_everyone_and_teaches_the_hour() -> None:
    """After a refusal that no header explains all wait, and the count becomes the hour's limit."""
    fleet = known()
    take_all(fleet, NOW, "a")
    exchange(fleet, NOW, Message("a", used=((0.0, 60),), refused=(60.0, "hour")))
    reply = ask(fleet, NOW + 1, "b", 1, "interactive")
    assert (reply.lent, reply.window, reply.limits[1]) == (0, "hour", 59)
    assert 3600 <= reply.free_in <= 3620


def test_a_learned_hour_is_doubted_in_time() -> None:
    """After an hour the learned limit is raised by a tenth, up to what the processes were told."""
    fleet = known()
    for minute in range(2):
        now = NOW + 61 * minute
        message = Message("a", 60, waiting=60, limits=(60, 125, None))
        lent = exchange(fleet, now, message).lent
        exchange(fleet, now, Message("a", used=((0.0, lent),)))
    refused = Message("a", refused=(60.0, "hour"))
    assert exchange(fleet, NOW + 61, refused).limits[1] == 119
    assert ask(fleet, NOW + 3000, "a", 0, "bulk").limits[1] == 119
    assert ask(fleet, NOW + 3700, "a", 0, "bulk").limits[1] == 125
    assert fleet.doubted_at == 0.0


def test_calls_of_other_programs_count_once() -> None:
    """What the minute's Remaining has lost beyond all known calls counts in hour and day, once."""
    fleet = known()
    for member in "ab":
        exchange(fleet, NOW, Message(member, 5, waiting=5, limits=(60, 500, None)))
    # Ten are known; both have seen the server count 17, and one later 20.
    for moment, member, left in ((1.0, "a", 43), (1.1, "b", 43), (2.0, "a", 40)):
        used = ((0.0, 5),) if moment < 2 else ()
        seen = (0.5, 60, left, 40.0 - moment, None, None)
        reply = exchange(fleet, NOW + moment, Message(member, used=used, seen=seen))
    assert reply.used == (10, 20, 20)


def test_calls_made_without_the_store_are_not_taken_for_others() -> None:
    """What was seen as another program's before a process told that it was its own counts once."""
    fleet = known()
    seen = (0.5, 60, 50, 40.0, None, None)
    assert exchange(fleet, NOW, Message("a", seen=seen)).used == (0, 10, 10)
    back = Message("b", extra=((5.0, 8),), alone=2)
    assert exchange(fleet, NOW + 1, back).used == (8, 10, 10)


def test_who_comes_back_first_leaves_room_for_the_others() -> None:
    """After an outage the minute is not lent whole until all who were there have come back."""
    fleet = known()
    back = Message("a", 60, waiting=60, alone=4, limits=(60, None, None))
    assert exchange(fleet, NOW, back).lent == 60 - 34
    for member in "bcd":
        exchange(fleet, NOW + 1, Message(member, alone=4))
    assert take_all(fleet, NOW + 1, "a") == 34


def test_sliding_minutes_are_told_by_their_reset() -> None:
    """A reset that moves by no whole minute is a sliding one's: nothing is asked at its end."""
    fleet = known()
    for second in (0, 7, 19):
        message = Message("a", limits=(60, None, None), seen=(0.0, 60, 30, 50.0, None, None))
        exchange(fleet, NOW + second, message)
    assert fleet.sliding
    assert fleet.others.total() == 30
    assert take_all(fleet, NOW + 19, "b") == 30
    assert not ask(fleet, NOW + 70, "b", 1, "interactive").probing
    for second in (90, 150, 210):
        message = Message("a", seen=(0.0, 60, 30, 50.0, None, None))
        exchange(fleet, NOW + second, message)
    assert not fleet.sliding


def test_one_that_only_looks_borrows_nothing() -> None:
    """A message without a name is answered, and makes nobody a member."""
    fleet = known()
    reply = exchange(fleet, NOW, Message("", 5))
    assert (reply.lent, reply.members) == (0, 0)


def test_what_another_version_kept_is_refused() -> None:
    """A state with another version is not read: its numbers may mean something else."""
    kept = Fleet().dump()
    kept["version"] = 0
    with pytest.raises(ValueError, match="another version"):
        Fleet.load(kept)


def test_a_clock_that_goes_back_a_little_stands_still() -> None:
    """A step back of the keeper's clock frees nothing and breaks nothing."""
    fleet = known()
    assert take_all(fleet, NOW, "a") == 60
    assert ask(fleet, NOW - 20, "b", 1, "interactive").lent == 0
    assert fleet.at == NOW
