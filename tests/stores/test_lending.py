"""The rules of a shared quota, without any store."""

from __future__ import annotations

import json

from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtiger_async.quota import Priority
from vtiger_async.quota.fleet import Fleet, Message, Reply
from vtiger_async.quota.lending import LOAN, exchange

NOW = 1_790_000_040.0
LIMITS = (6, 20, 40)


def told(calls: int, age: float = 0.0, left: int = 60) -> Message:
    """Return what a process says whose calls were answered with headers."""
    return Message("a", used=((age, calls),), seen=(age, 60, left, 30.0, None, None))


def known() -> Fleet:
    """Return a state whose server shows no headers, so that nothing is probed."""
    return Fleet(heard=True)


step = st.tuples(
    st.floats(0, 40),
    st.sampled_from("abcd"),
    st.integers(0, 8),
    st.sampled_from(["interactive", "sync", "bulk"]),
    st.sampled_from(["use", "return", "vanish"]),
    st.floats(0, LOAN),
)


def most_in(moments: list[float], span: float) -> int:
    """Return the most moments that lie within a span, its start excluded."""
    moments = sorted(moments)
    return max((sum(start - span < at <= start for at in moments) for start in moments), default=0)


@given(st.lists(step, max_size=80))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_no_window_is_lent_more_than_it_allows(
    steps: list[tuple[float, str, int, Priority, str, float]],
) -> None:
    """Whatever processes ask, use, return or die with, no window ever has more than its limit."""
    fleet, now = known(), NOW
    made: list[float] = []
    hands: dict[str, tuple[int, float, str]] = {}
    for pause, member, want, priority, fate, late in steps:
        now += pause
        message = Message(member, want, priority, limits=LIMITS)
        calls, at, told_as = hands.pop(member, (0, now, "vanish"))
        if told_as == "use":
            message = evolve(message, used=((max(0.0, now - at), calls),))
        elif told_as == "return":
            message = evolve(message, unused=calls)
        fleet = Fleet.load(json.loads(json.dumps(fleet.dump())))
        lent = exchange(fleet, now, message).lent
        # Used calls are made before the loan ends, and before they are told of.
        at = now if fate == "use" else now + late
        made += [at] * lent * (fate != "return")
        hands[member] = (lent, at, fate)
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


def test_bulk_takes_turns() -> None:
    """Processes that all want bulk calls get them in turn, and as many in all as allowed."""
    fleet, got = known(), dict.fromkeys("abcd", 0)
    due = dict.fromkeys("abcd", NOW)
    for tick in range(6000):
        now = NOW + tick * 0.1
        for member in "abcd":
            if now >= due[member]:
                reply = ask(fleet, now, member, 8, "bulk")
                due[member] = now + (0.5 if reply.lent else reply.ask_in)
                got[member] += reply.lent
                exchange(fleet, now, Message(member, used=((0.0, reply.lent),)))
    assert 0.95 * 600 <= sum(got.values()) <= 660
    assert min(got.values()) >= 0.6 * max(got.values())


def test_interactive_finds_room_while_bulk_runs() -> None:
    """Once interactive calls have been seen, the next ones wait about a second at the most."""
    fleet, waited, longest = known(), 0, 0
    for tick in range(6000):
        now = NOW + tick * 0.1
        lent = ask(fleet, now, "a", 8, "bulk").lent
        exchange(fleet, now, Message("a", used=((0.0, lent),)))
        if tick % 100 == 0 or waited:
            lent = ask(fleet, now, "b", 1, "interactive").lent
            waited = 0 if lent else waited + 1
            longest = max(longest, waited if tick > 1200 else 0)
            exchange(fleet, now, Message("b", used=((0.0, lent),)))
    assert longest <= 12


def test_a_lower_class_is_not_starved() -> None:
    """After twenty calls of a higher class, one goes to a lower one that waits."""
    fleet, bulk = known(), 0
    take_all(fleet, NOW, "c")
    for tick in range(1, 3000):
        now = NOW + tick * 0.5
        exchange(fleet, now, Message("c", used=((0.0, 60),)))
        for member, priority in (("a", "interactive"), ("b", "bulk")):
            lent = ask(fleet, now, member, 1, priority).lent  # type: ignore[arg-type] # two of three
            bulk += lent if member == "b" else 0
            exchange(fleet, now, Message(member, used=((0.0, lent),)))
    assert bulk >= 1500 / 60 * 60 * 0.04


def test_the_headers_word_binds_and_its_end_is_asked_about() -> None:
    """Nothing is lent beyond Remaining, and after its minute two calls ask, not more."""
    fleet = Fleet()
    assert take_all(fleet, NOW, "a") == 2  # nothing is known yet
    exchange(fleet, NOW + 0.5, told(2, left=3))
    assert take_all(fleet, NOW + 1, "a") == 3
    reply = ask(fleet, NOW + 2, "b", 8, "interactive")
    assert reply.lent == 0
    exchange(fleet, NOW + 3, told(3, left=0))
    for second in range(4, 30, 2):
        assert ask(fleet, NOW + second, "b", 8, "interactive").lent == 0
    reply = ask(fleet, NOW + 34, "b", 8, "interactive")
    assert (reply.lent, reply.probing) == (1, True)
    assert take_all(fleet, NOW + 34, "b") == 1
    assert ask(fleet, NOW + 34, "a", 8, "interactive").lent == 0


def test_a_429_stops_everyone_and_teaches_the_hour() -> None:
    """After a refusal that no header explains all wait, and the count becomes the hour's limit."""
    fleet = known()
    ask(fleet, NOW, "a", 11, "interactive")
    exchange(fleet, NOW, Message("a", used=((0.0, 11),), refused=(60.0, "hour")))
    reply = ask(fleet, NOW + 1, "b", 1, "interactive")
    assert (reply.lent, reply.window, reply.limits[1]) == (0, "hour", 10)
    assert 3600 <= reply.free_in <= 3620


def test_a_clock_that_goes_back_a_little_stands_still() -> None:
    """A step back of the keeper's clock frees nothing and breaks nothing."""
    fleet = known()
    assert take_all(fleet, NOW, "a") == 60
    assert ask(fleet, NOW - 20, "b", 1, "interactive").lent == 0
    assert fleet.at == NOW
