"""The quota's arithmetic: headers, windows, and the ledger that combines them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async.editions import Limits
from vtiger_async.quota import Ledger
from vtiger_async.quota.headers import NOTHING, Observation, read_headers, reset_delay
from vtiger_async.quota.windows import RollingDay, SlidingWindow, UtcDay, Window

NOW = 1_790_000_000.0
DAY = 86_400.0


def test_headers_of_the_article_are_read() -> None:
    """The five headers of the vendor's article are read, Reset as Unix seconds."""
    seen = read_headers(
        {
            "x-floodcontrol-minutelimit": "60",
            "x-floodcontrol-remaining": "51",
            "x-floodcontrol-reset": str(int(NOW) + 20),
            "x-ratelimit-dailylimit": "1200",
            "x-ratelimit-remaining": "417",
        },
        NOW,
    )
    assert seen == Observation(60, 51, 20.0, 1200, 417, None)


def test_the_servers_date_settles_a_clock_that_is_off() -> None:
    """Reset is compared with the response's own Date, so a client's wrong clock does not matter."""
    headers = {
        "date": "Sun, 20 Sep 2026 12:00:00 GMT",
        "x-floodcontrol-remaining": "1",
        "x-floodcontrol-reset": "1789905630",
    }
    assert read_headers(headers, NOW - 5000).reset_in == 30.0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("-5", None),
        ("1_000", None),
        ("30", 30.0),
        ("0", 0.0),
        ("12.5", 12.5),
        ("1.2.3", None),
        (str(int(NOW) + 42), 42.0),
        (str((int(NOW) + 42) * 1000), 42.0),
        (str(int(NOW) - 30), 0.0),
        ("15349121212", None),
        ("99999999999999999999999", None),
        (str(int(NOW) + 4000), None),
    ],
)
def test_reset_in_any_form_is_a_short_delay_or_nothing(
    value: str | None, expected: float | None
) -> None:
    """Reset as seconds, milliseconds or a delta is a delay; nonsense is nothing."""
    assert reset_delay(value, NOW) == expected


@given(st.text() | st.integers().map(str) | st.floats().map(str))
def test_no_reset_can_stall_or_crash(value: str) -> None:
    """Whatever stands in a Reset header, the delay is none or from 0 to two minutes."""
    delay = reset_delay(value, NOW)
    assert delay is None or 0 <= delay <= 120


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        ("Mon, 21 Sep 2026 14:13:50 GMT", 30.0),
        ("Mon, 21 Sep 2020 14:13:50 GMT", 0.0),
        ("Mon, 99 Sep 2026 14:13:50 GMT", None),
        ("later", None),
        ("999999", None),
    ],
)
def test_retry_after_is_read_in_both_its_forms(value: str, expected: float | None) -> None:
    """Retry-After may be seconds or a date; more than a day is not believed."""
    assert read_headers({"retry-after": value}, NOW).retry_after == expected


def test_without_headers_nothing_is_seen() -> None:
    """A response without any header of the quota says nothing."""
    assert read_headers({"content-type": "text/json"}, NOW) is NOTHING


def test_a_limit_of_zero_is_not_believed() -> None:
    """A minute limit of 0 would end all calls; it is taken for nonsense."""
    assert read_headers({"x-floodcontrol-minutelimit": "0"}, NOW).minute_limit is None


def test_a_sliding_window_forgets_each_call_after_its_span() -> None:
    """A call counts for exactly the span after its answer."""
    window = SlidingWindow(60.0)
    window.add(NOW)
    window.add(NOW + 30)
    assert [window.used(NOW + t) for t in (30, 59.9, 60, 89.9, 90)] == [2, 2, 1, 1, 0]


def test_a_sliding_window_tells_when_calls_will_have_left() -> None:
    """The moment at which n of the counted calls have left is that of the n-th oldest."""
    window = SlidingWindow(60.0)
    for second in range(3):
        window.add(NOW + second)
    assert window.frees_at(NOW + 5, 2) == NOW + 61
    assert window.frees_at(NOW + 5, 0) == NOW + 5


def test_a_rolling_day_never_counts_too_little() -> None:
    """A call leaves the rolling day between 24 hours and 24 hours and 5 minutes after it."""
    window = RollingDay()
    window.add(NOW)
    assert window.used(NOW + DAY) == 1
    assert window.used(NOW + DAY + 300) == 0


def test_a_rolling_day_counts_calls_that_come_late_into_the_last_bucket() -> None:
    """A call whose time lies before the last one is counted all the same."""
    window = RollingDay()
    window.add(NOW)
    window.add(NOW - 400)
    assert window.used(NOW) == 2
    assert NOW + DAY < window.frees_at(NOW, 2) <= NOW + DAY + 300
    assert window.frees_at(NOW, 3) == NOW


def test_a_utc_day_starts_anew_at_midnight() -> None:
    """The UTC day forgets all its calls at 00:00 UTC."""
    window = UtcDay()
    midnight = (NOW // DAY + 1) * DAY
    window.add(midnight - 1)
    window.add(midnight - 1)
    assert window.frees_at(midnight - 1, 1) == midnight
    assert window.used(midnight - 1) == 2
    assert window.used(midnight) == 0
    assert window.frees_at(midnight, 1) == midnight


@given(
    st.sampled_from([lambda: SlidingWindow(60.0), RollingDay, UtcDay]),
    st.lists(st.floats(0, 40_000), max_size=60),
)
def test_windows_tell_the_truth_about_when_they_free(make: type, gaps: list[float]) -> None:
    """At the moment that frees_at names, at least that many calls have left."""
    window: Window = make()
    now = NOW
    for gap in gaps:
        now += gap
        window.add(now)
    used = window.used(now)
    for calls in range(1, used + 1):
        moment = window.frees_at(now, calls)
        assert moment >= now
    if used:
        assert window.used(window.frees_at(now, used) + 0.001) == 0


def test_the_minute_limit_holds_over_any_sixty_seconds() -> None:
    """The next call after a full minute waits until the first one has left the window."""
    ledger = Ledger(Limits(minute=3))
    for second in range(3):
        assert ledger.next_grant(NOW + second).until <= NOW + second
        ledger.grant(NOW + second)
        ledger.settle(NOW + second, NOW + second, NOTHING)
    delay = ledger.next_grant(NOW + 3)
    assert (delay.window, delay.until) == ("minute", pytest.approx(NOW + 60.1))


def test_calls_in_flight_count_against_the_windows() -> None:
    """A call that is under way has taken its place in every window."""
    ledger = Ledger(Limits(minute=2))
    ledger.grant(NOW)
    ledger.grant(NOW)
    assert ledger.next_grant(NOW).until > NOW
    ledger.give_back(NOW)
    assert ledger.next_grant(NOW).until <= NOW


def test_the_hour_binds_before_the_minute_where_it_is_smaller() -> None:
    """One Growth grants 30 a minute but 1,000 an hour: the hour is named when it binds."""
    ledger = Ledger(Limits(minute=30, hour=4, day=9))
    for call in range(4):
        ledger.grant(NOW + call)
        ledger.settle(NOW + call, NOW + call, NOTHING)
    delay = ledger.next_grant(NOW + 10)
    assert (delay.window, delay.until) == ("hour", pytest.approx(NOW + 3600.1))


def test_a_place_far_back_in_the_queue_waits_whole_windows() -> None:
    """The n-th waiter's moment is estimated over as many windows as it takes."""
    ledger = Ledger(Limits(minute=10))
    assert ledger.next_grant(NOW, 10).until <= NOW
    assert ledger.next_grant(NOW, 11).until == pytest.approx(NOW + 60.1)
    assert ledger.next_grant(NOW, 35).until == pytest.approx(NOW + 180.1)


def test_the_headers_word_lowers_the_view_at_once() -> None:
    """When others have used the minute, Remaining 0 closes it until Reset."""
    ledger = Ledger(Limits(minute=60))
    ledger.grant(NOW)
    ledger.settle(NOW + 0.2, NOW, Observation(minute_limit=60, minute_remaining=0, reset_in=20.0))
    delay = ledger.next_grant(NOW + 1)
    assert (delay.window, delay.until) == ("minute", pytest.approx(NOW + 20.3))


def test_calls_granted_since_the_header_are_taken_off_it() -> None:
    """Remaining 2 grants two more calls, not more."""
    ledger = Ledger(Limits())
    ledger.grant(NOW)
    ledger.settle(NOW, NOW, Observation(minute_remaining=2, reset_in=30.0))
    ledger.grant(NOW)
    assert ledger.next_grant(NOW).until <= NOW
    ledger.grant(NOW)
    assert ledger.next_grant(NOW).until > NOW
    ledger.give_back(NOW)
    assert ledger.next_grant(NOW).until <= NOW


def test_an_answer_that_comes_late_does_not_raise_the_view() -> None:
    """The answer of the call that was sent last is believed, whatever order answers come in."""
    ledger = Ledger(Limits())
    ledger.grant(NOW)
    ledger.grant(NOW + 1)
    ledger.settle(NOW + 2, NOW + 1, Observation(minute_remaining=0, reset_in=30.0))
    ledger.settle(NOW + 3, NOW, Observation(minute_remaining=9, reset_in=30.0))
    assert ledger.next_grant(NOW + 3).until > NOW + 3


def test_after_reset_two_calls_ask_before_the_rest_goes() -> None:
    """When the minute a header spoke of is over, two calls at a time find out what holds."""
    ledger = Ledger(Limits())
    ledger.grant(NOW)
    ledger.settle(NOW, NOW, Observation(minute_remaining=50, reset_in=10.0))
    assert not ledger.probing(NOW)
    ledger.grant(NOW + 11)
    assert not ledger.probing(NOW + 11)
    ledger.grant(NOW + 11)
    assert ledger.probing(NOW + 11)
    ledger.settle(NOW + 12, NOW + 11, Observation(minute_remaining=50, reset_in=50.0))
    assert not ledger.probing(NOW + 12)


def test_a_day_that_others_used_up_closes_until_it_is_asked_about_again() -> None:
    """Daily Remaining 0 closes a rolling day for fifteen minutes, a UTC day until midnight."""
    seen = Observation(day_limit=9000, day_remaining=0)
    rolling, utc = Ledger(Limits()), Ledger(Limits(day_policy="utc"))
    for ledger in (rolling, utc):
        ledger.grant(NOW)
        ledger.settle(NOW, NOW, seen)
    assert rolling.next_grant(NOW) == rolling.next_grant(NOW + 899)
    assert rolling.next_grant(NOW).window == "day"
    assert rolling.next_grant(NOW).until == NOW + 900
    assert utc.next_grant(NOW).until == pytest.approx((NOW // DAY + 1) * DAY, abs=1)


def test_headers_replace_the_limits_of_the_edition() -> None:
    """What the headers say of a limit wins over the table."""
    ledger = Ledger(Limits(minute=60, day=9000))
    ledger.grant(NOW)
    ledger.settle(NOW, NOW, Observation(minute_limit=45, day_limit=7200))
    minute, hour, day = ledger.uses(NOW)
    assert (minute.limit, hour.limit, day.limit) == (45, None, 7200)


@pytest.mark.parametrize(
    ("seen", "window", "wait"),
    [
        (Observation(minute_remaining=0, reset_in=12.0), "minute", 12.0),
        (Observation(minute_remaining=0), "minute", 60.0),
        (Observation(minute_remaining=7), "hour", 60.0),
        (Observation(), "hour", 60.0),
        (Observation(day_remaining=0), "day", 900.0),
        (Observation(minute_remaining=0, reset_in=50.0, retry_after=3.0), "minute", 3.0),
    ],
)
def test_a_429_closes_the_window_that_it_speaks_of(
    seen: Observation, window: str, wait: float
) -> None:
    """A 429 waits for Reset, for Retry-After, or long where a hidden limit must be the cause."""
    ledger = Ledger(Limits())
    assert ledger.refuse(NOW, seen, 1.5) == pytest.approx(wait + 1.5)
    delay = ledger.next_grant(NOW)
    assert (delay.window, delay.until) == (window, pytest.approx(NOW + wait + 1.5))
    used = {use.name: use for use in ledger.uses(NOW)}
    assert used[delay.window].next_at == pytest.approx(delay.until)


def test_unexplained_429s_wait_longer_each_time_up_to_fifteen_minutes() -> None:
    """Hidden limits are met with 60 s, doubling up to 900 s; a granted call starts anew."""
    ledger = Ledger(Limits())
    moment, waits = NOW, []
    for _ in range(6):
        waits.append(round(ledger.refuse(moment, NOTHING, 0.0)))
        moment += waits[-1]
    assert waits == [60, 120, 240, 480, 900, 900]
    ledger.accept()
    assert round(ledger.refuse(moment, NOTHING, 0.0)) == 60


def test_the_snapshot_shows_what_is_used_and_left() -> None:
    """A window shows its limit, the own calls in it, and the lower of own count and header."""
    ledger = Ledger(Limits(minute=60, hour=None, day=9000))
    ledger.grant(NOW)
    ledger.settle(NOW, NOW, Observation(minute_remaining=5, reset_in=30.0, day_remaining=100))
    ledger.grant(NOW)
    minute, hour, day = ledger.uses(NOW)
    assert (minute.used, minute.remaining) == (1, 4)
    assert (hour.used, hour.remaining, hour.limit) == (1, None, None)
    assert (day.used, day.remaining) == (1, 99)
    ledger.settle(NOW, NOW, Observation(minute_remaining=0, reset_in=30.0))
    assert ledger.uses(NOW)[0].next_at == pytest.approx(NOW + 30.1)


@given(
    st.integers(1, 8),
    st.integers(1, 20),
    st.lists(st.tuples(st.floats(0, 40), st.booleans(), st.booleans()), max_size=120),
)
def test_no_history_grants_more_than_the_windows_allow(
    minute: int, hour: int, steps: list[tuple[float, bool, bool]]
) -> None:
    """However calls arrive, come back or are given back, no 60 s and no hour see too many."""
    ledger = Ledger(Limits(minute=minute, hour=hour))
    now, answered, waiting = NOW, [], 0
    for gap, wants, returns in steps:
        now += gap
        if wants and ledger.next_grant(now).until <= now:
            ledger.grant(now)
            waiting += 1
        if waiting and returns:
            waiting -= 1
            ledger.settle(now, now, NOTHING)
            answered.append(now)
    for end in answered:
        for span, limit in ((60.0, minute), (3600.0, hour)):
            inside = sum(1 for moment in answered if end - span < moment <= end)
            assert inside <= limit
    assert ledger.in_flight == waiting
    assert not math.isnan(ledger.next_grant(now).until)
