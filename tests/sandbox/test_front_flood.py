"""The instance's quota arithmetic and its headers."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async.editions import DayPolicy, Limits
from vtiger_async.sandbox import Flood, HeaderForm, ManualClock
from vtiger_async.sandbox.flood import OtherProgram
from vtiger_async.sandbox.windows import FixedWindow, SlidingWindow, WindowKind

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp()
STEPS = st.lists(st.floats(0, 40), max_size=80)


def flood(start: float = NINE, **options: Any) -> tuple[Flood, ManualClock]:
    """A flood control of three calls a minute, five an hour and eight a day."""
    clock = ManualClock(start)
    limits = options.pop("limits", Limits(minute=3, hour=5, day=8))
    return Flood(limits, clock, **options), clock


def burst(control: Flood, calls: int) -> int:
    """Make calls at once, and return how many were granted."""
    return sum(control.admit() is not None for _ in range(calls))


def headers_after(control: Flood, *, refused: bool = False) -> dict[str, str]:
    """The headers of the last call."""
    return {k.decode(): v.decode() for k, v in control.headers(refused=refused)}


class TestWindows:
    """How many calls count, and until when."""

    def test_a_fixed_minute_grants_its_limit_and_begins_anew_on_the_minute(self) -> None:
        """A fixed minute is full after its limit, and empty on the next full minute."""
        control, clock = flood(NINE + 59, limits=Limits(minute=3))
        assert burst(control, 5) == 3
        clock.advance(1)
        assert burst(control, 5) == 3

    def test_a_sliding_minute_grants_again_when_a_call_leaves_it(self) -> None:
        """A sliding minute grants the next call 60 s after the oldest one, and one only."""
        control, clock = flood(NINE + 59, limits=Limits(minute=3), minute_window="sliding")
        burst(control, 1)
        clock.advance(20)
        assert burst(control, 5) == 2
        clock.advance(39.9)
        assert burst(control, 5) == 0
        clock.advance(0.1)
        assert burst(control, 5) == 1

    def test_the_hour_binds_and_no_header_shows_it(self) -> None:
        """A full hour refuses calls while the minute and the day have calls left."""
        control, clock = flood()
        burst(control, 3)
        clock.advance(60)
        assert burst(control, 3) == 2
        shown = headers_after(control, refused=True)
        assert shown["x-floodcontrol-remaining"] == "1"
        assert shown["x-ratelimit-remaining"] == "3"
        assert not any("hour" in name for name in shown)

    @pytest.mark.parametrize(("kind", "granted"), [("fixed", 3), ("sliding", 0)])
    def test_the_hour_moves_as_told(self, kind: WindowKind, granted: int) -> None:
        """At the full hour a fixed hour is empty, and a sliding one still full."""
        control, clock = flood(NINE + 3480, hour_window=kind)
        assert burst(control, 3) == 3
        clock.advance(60)
        assert burst(control, 3) == 2
        clock.advance(60)
        assert burst(control, 3) == granted

    @pytest.mark.parametrize(("policy", "granted"), [("rolling", 0), ("utc", 1)])
    def test_the_day_rolls_or_begins_at_midnight(self, policy: DayPolicy, granted: int) -> None:
        """A rolling day is still full a minute later; a UTC day is empty after 00:00."""
        midnight = datetime(2026, 1, 6, tzinfo=UTC).timestamp()
        control, clock = flood(midnight - 30, limits=Limits(day=2, day_policy=policy))
        assert burst(control, 3) == 2
        clock.advance(60)
        assert burst(control, 1) == granted

    def test_a_clock_that_goes_back_opens_no_window_again(self) -> None:
        """Wall time that is set back does not grant a minute twice."""
        control, clock = flood(limits=Limits(minute=3))
        burst(control, 3)
        clock._now -= 120
        assert burst(control, 1) == 0

    @given(steps=STEPS, limit=st.integers(1, 6))
    def test_no_60_seconds_hold_more_than_a_sliding_limit(
        self, steps: list[float], limit: int
    ) -> None:
        """However calls come, any 60 s hold at most the limit of granted ones."""
        control, clock = flood(limits=Limits(minute=limit), minute_window="sliding")
        granted: list[float] = []
        for step in steps:
            clock.advance(step)
            if (at := control.admit()) is not None:
                granted.append(at)
        for at in granted:
            assert sum(at <= other < at + 60 for other in granted) <= limit

    @given(steps=STEPS, limit=st.integers(1, 6))
    def test_no_minute_of_the_clock_holds_more_than_a_fixed_limit(
        self, steps: list[float], limit: int
    ) -> None:
        """However calls come, a full minute holds at most the limit, and refuses only when full."""
        control, clock = flood(limits=Limits(minute=limit))
        minutes: dict[int, int] = {}
        for step in steps:
            clock.advance(step)
            minute = int(clock.time() // 60)
            room = minutes.get(minute, 0) < limit
            assert (control.admit() is not None) == room
            minutes[minute] = minutes.get(minute, 0) + room
        assert all(count <= limit for count in minutes.values())

    @given(steps=STEPS, kind=st.sampled_from([FixedWindow, SlidingWindow]))
    def test_a_full_window_grants_at_the_time_it_says(
        self, steps: list[float], kind: type[FixedWindow | SlidingWindow]
    ) -> None:
        """A call at exactly `opens_at` is granted, and none before."""
        window, now = kind(3, 60.0), NINE
        for step in steps:
            now += step
            if window.used(now) >= window.limit:
                opens = window.opens_at(now)
                assert now < opens
                now = opens
                assert window.used(now) < window.limit
            window.charge(now)


class TestCharging:
    """Which calls count."""

    @pytest.mark.parametrize("kind", ["fixed", "sliding"])
    def test_a_refund_takes_a_call_back(self, kind: WindowKind) -> None:
        """A call that is taken back leaves room for another, in every window."""
        control, _ = flood(minute_window=kind, hour_window=kind)
        at = control.admit()
        assert at is not None
        control.refund(at)
        assert {w["used"] for w in control.snapshot()["windows"].values()} == {0}

    @pytest.mark.parametrize("kind", ["fixed", "sliding"])
    def test_a_refund_after_the_window_changes_nothing(self, kind: WindowKind) -> None:
        """A call whose minute is over is not taken from the next one."""
        control, clock = flood(limits=Limits(minute=3), minute_window=kind)
        at = control.admit()
        assert at is not None
        clock.advance(90)
        control.admit()
        control.refund(at)
        assert control.snapshot()["windows"]["minute"]["used"] == 1

    def test_a_refused_call_costs_nothing_by_default(self) -> None:
        """Hammering a full minute does not fill the hour."""
        control, clock = flood()
        burst(control, 50)
        clock.advance(60)
        assert burst(control, 50) == 2
        assert (control.granted, control.refused) == (5, 95)

    def test_a_refused_call_costs_where_told(self) -> None:
        """With charge_refused a full sliding minute stays full for who hammers on."""
        control, clock = flood(
            limits=Limits(minute=3), minute_window="sliding", charge_refused=True
        )
        for _ in range(90):
            control.admit()
            clock.advance(1)
        assert control.granted == 3
        assert headers_after(control)["x-floodcontrol-remaining"] == "0"


class TestHeaders:
    """What the responses say."""

    def test_every_header_of_the_vendors_article(self) -> None:
        """The minute's limit, rest and reset and the day's limit and rest are told."""
        control, clock = flood()
        clock.advance(1.5)
        control.admit()
        assert headers_after(control) == {
            "x-floodcontrol-minutelimit": "3",
            "x-floodcontrol-remaining": "2",
            "x-floodcontrol-reset": str(int(NINE) + 60),
            "x-ratelimit-dailylimit": "8",
            "x-ratelimit-remaining": "7",
        }

    def test_a_sliding_minute_resets_when_the_oldest_call_leaves(self) -> None:
        """Under a sliding minute Reset is 60 s after the oldest call."""
        control, clock = flood(minute_window="sliding")
        control.admit()
        clock.advance(20)
        control.admit()
        assert headers_after(control)["x-floodcontrol-reset"] == str(int(NINE) + 60)

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            ("unix", str(int(NINE) + 60)),
            ("milliseconds", str(int(NINE + 60) * 1000)),
            ("delta", "50"),
        ],
    )
    def test_reset_has_the_form_that_is_asked_for(self, form: Any, value: str) -> None:
        """Reset comes as Unix seconds, as milliseconds or as what is left."""
        control, clock = flood(header_form=HeaderForm(reset=form))
        clock.advance(10)
        control.admit()
        assert headers_after(control)["x-floodcontrol-reset"] == value

    def test_nonsense_varies(self) -> None:
        """A nonsensical Reset is another one each time, the article's own typo first."""
        control, _ = flood(header_form=HeaderForm(reset="nonsense"))
        found = [headers_after(control)["x-floodcontrol-reset"] for _ in range(6)]
        assert found[0] == "15349121212"
        assert len(set(found)) == 6

    def test_headers_may_be_absent_altogether_or_on_a_429(self) -> None:
        """Headers are left out where they are switched off."""
        control, _ = flood(header_form=HeaderForm(shown=False))
        control.admit()
        assert headers_after(control) == {}
        control.header_form = HeaderForm(on_refusal=False)
        assert headers_after(control) != {}
        assert headers_after(control, refused=True) == {}

    def test_without_limits_there_are_no_headers(self) -> None:
        """An instance without limits says nothing of them, and refuses nothing."""
        control, _ = flood(limits=Limits())
        assert burst(control, 1000) == 1000
        assert headers_after(control) == {}

    def test_retry_after_tells_when_the_binding_window_opens(self) -> None:
        """Retry-After counts to the latest opening among the full windows, in both forms."""
        control, clock = flood(header_form=HeaderForm(retry_after="seconds"))
        clock.advance(10)
        burst(control, 4)
        assert headers_after(control, refused=True)["retry-after"] == "50"
        clock.advance(60)
        burst(control, 3)
        assert headers_after(control, refused=True)["retry-after"] == str(3600 - 70)
        control.header_form = HeaderForm(retry_after="date")
        date = headers_after(control, refused=True)["retry-after"]
        assert parsedate_to_datetime(date).timestamp() == NINE + 3600


class TestSnapshot:
    """What the sandbox itself knows."""

    def test_it_tells_every_window_the_hidden_hour_too(self) -> None:
        """The snapshot has limit, use, rest and reset of each window."""
        control, _ = flood()
        burst(control, 4)
        found = control.snapshot()
        assert found["windows"]["hour"] == {
            "limit": 5,
            "used": 3,
            "left": 2,
            "resets_at": NINE + 3600,
        }
        assert (found["granted"], found["refused"]) == (3, 1)

    def test_an_unused_sliding_window_resets_a_span_from_now(self) -> None:
        """A sliding window without calls would be empty again after its span at the latest."""
        window = SlidingWindow(3, 60.0)
        assert window.resets_at(NINE) == NINE + 60

    def test_reset_forgets_everything(self) -> None:
        """After a reset the instance is as new."""
        control, _ = flood(other_calls_per_minute=30)
        fresh = control.snapshot()
        burst(control, 4)
        control.reset()
        assert control.snapshot() == fresh


class TestOtherProgram:
    """The second program on the instance."""

    def test_it_spends_its_rate_in_bursts(self) -> None:
        """Over hours the second program makes the calls a minute it was given, in bursts."""
        program = OtherProgram(25, Random(1))
        assert list(program.due(NINE)) == []
        calls = list(program.due(NINE + 10 * 3600))
        assert len(calls) / 600 == pytest.approx(25, rel=0.1)
        gaps = [later - earlier for earlier, later in pairwise(calls)]
        assert sum(gap < 0.5 for gap in gaps) > 0.7 * len(gaps)

    def test_it_is_the_same_for_the_same_seed(self) -> None:
        """Two runs from one seed spend at the same moments."""
        runs: list[list[float]] = []
        for seed in (7, 7, 8):
            program = OtherProgram(25, Random(seed))
            list(program.due(NINE))
            runs.append(list(program.due(NINE + 3600)))
        assert runs[0] == runs[1] != runs[2]

    def test_its_calls_make_remaining_fall(self) -> None:
        """What the second program spends is missing from Remaining."""
        control, clock = flood(limits=Limits(day=1000), other_calls_per_minute=60)
        control.admit()
        clock.advance(600)
        control.admit()
        assert control.others_granted > 300
        left = int(headers_after(control)["x-ratelimit-remaining"])
        assert left == 1000 - 2 - control.others_granted

    def test_it_is_refused_too(self) -> None:
        """The second program finds the quota empty when it is."""
        control, clock = flood(limits=Limits(day=100), other_calls_per_minute=60)
        burst(control, 90)
        clock.advance(600)
        control.admit()
        assert control.others_granted == 10
        assert control.others_refused > 300
