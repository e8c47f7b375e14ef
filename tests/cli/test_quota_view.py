"""What the bars show, and what comes of a pace."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from vtiger_async.cli.quota_bars import Bars
from vtiger_async.cli.quota_view import Forecast, Pace, Picture, Standing
from vtiger_async.cli.quota_watch import shown_on
from vtiger_async.stores.peek import AtWork

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def standing(
    window: str, limit: int | None, used: int, others: int | None = 0, wait: float = 0.0
) -> Standing:
    """Return a window in which calls were made."""
    left = None if limit is None else max(0, limit - used - (others or 0))
    return Standing(window, limit, used, others, left, NOON + timedelta(seconds=wait))  # type: ignore[arg-type]


def picture(seconds: float, *windows: Standing) -> Picture:
    """Return a picture, so many seconds after noon."""
    return Picture(NOON + timedelta(seconds=seconds), "answer", windows)


def watched(per_minute: int, minutes: int, day: int, hour: int | None = None) -> Forecast:
    """Return the forecast after minutes of a steady pace, one look a minute."""
    pace = Pace()
    forecast = None
    for minute in range(minutes + 1):
        made = per_minute * minute
        forecast = pace.look(
            picture(
                minute * 60,
                standing("minute", 100, per_minute if minute else 0),
                standing("hour", hour, made),
                standing("day", day, made),
            )
        )
    assert forecast is not None
    return forecast


class TestForecast:
    """What comes, if calls go on as they do."""

    def test_the_day_ends_when_its_calls_are_made(self) -> None:
        """At 50 calls a minute, 10 minutes gone, a day of 6,000 ends after two hours in all."""
        forecast = watched(50, 10, 6000)
        assert forecast.per_minute == 50
        assert (forecast.binds, forecast.binds_at) == ("day", forecast.day_ends_at)
        assert forecast.day_ends_at == NOON + timedelta(minutes=120)

    def test_the_hour_binds_before_the_day(self) -> None:
        """An hour of 1,000 is used up first: at 50 a minute after 20."""
        forecast = watched(50, 10, 6000, hour=1000)
        assert forecast.binds == "hour"
        assert forecast.binds_at == NOON + timedelta(minutes=20)
        assert forecast.day_ends_at == NOON + timedelta(minutes=120)

    def test_a_pace_within_all_limits_binds_nothing(self) -> None:
        """Four calls a minute never use up a day of 6,000."""
        forecast = watched(4, 10, 6000, hour=1000)
        assert (forecast.binds, forecast.day_ends_at) == (None, None)

    def test_a_window_without_calls_binds_now(self) -> None:
        """What is used up binds at once, whatever the pace."""
        forecast = Pace().look(picture(0, standing("minute", 60, 0), standing("day", 10, 10)))
        assert (forecast.binds, forecast.binds_at) == ("day", NOON)

    def test_at_first_the_last_minute_is_the_pace(self) -> None:
        """Before enough was watched, the minute's calls are taken for it, others' too."""
        seen = picture(0, standing("minute", 60, 10, 5), standing("day", 9000, 900))
        assert Pace().look(seen).per_minute == 15

    def test_a_day_that_forgets_is_no_negative_pace(self) -> None:
        """Calls that leave a rolling day are not taken off the pace."""
        pace = Pace()
        found = [
            pace.look(picture(seconds, standing("minute", 60, 30), standing("day", 9000, used)))
            for seconds, used in ((0, 100), (60, 130), (120, 50), (180, 80))
        ]
        assert found[-1].per_minute == 20

    def test_what_lies_far_back_is_forgotten(self) -> None:
        """A pause shows in the pace after a quarter of an hour."""
        pace = Pace()
        found = [
            pace.look(
                picture(
                    minute * 60,
                    standing("minute", 60, 0),
                    standing("day", 9000, min(minute, 10) * 50),
                )
            )
            for minute in range(40)
        ]
        assert (found[10].per_minute, found[-1].per_minute) == (50, 0)


def drawn(bars: Bars, width: int = 100, encoding: str = "utf-8") -> list[str]:
    """Return the lines of the bars, without colours."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=stream, width=width).print(bars)
    stream.seek(0)
    return stream.read().splitlines()


class TestBars:
    """The picture on a terminal."""

    FORECAST = Forecast(50.0, "hour", NOON + timedelta(minutes=20), NOON + timedelta(hours=30))

    def test_a_bar_is_as_long_as_its_calls(self) -> None:
        """Own calls, others' and what is left share the bar by their numbers."""
        minute = standing("minute", 60, 30, 15)
        line = drawn(Bars(picture(0, minute), self.FORECAST, ()))[0]
        assert line.count("█") == 20
        assert line.count("▓") == line.count("░") == 10
        assert "15 of 60 left" in line
        assert "a call can go now" in line

    def test_few_calls_still_show(self) -> None:
        """One call of 9,000 is a part of the bar, too."""
        assert "█" in drawn(Bars(picture(0, standing("day", 9000, 1)), self.FORECAST, ()))[0]

    def test_a_terminal_without_such_letters_gets_others(self) -> None:
        """Where the terminal knows ASCII alone, so do the bars."""
        lines = drawn(Bars(picture(0, standing("minute", 60, 30)), self.FORECAST, ()), 80, "ascii")
        assert "###########..........." in lines[0]

    def test_what_is_not_known_is_said(self) -> None:
        """Without a limit there is no bar, but the count."""
        hour = standing("hour", None, 7, None)
        line = drawn(Bars(picture(0, hour), self.FORECAST, ()))[0]
        assert "limit not known" in line
        assert "7 used" in line
        told = Standing("hour", None, 7, None, 5, NOON)
        assert "7 used, 5 left" in drawn(Bars(picture(0, told), self.FORECAST, ()))[0]

    def test_a_wait_has_its_moment(self) -> None:
        """A used up window says when the next call goes, and in how many seconds."""
        line = drawn(Bars(picture(0, standing("minute", 60, 60, 0, 42)), self.FORECAST, ()))[0]
        assert "next at 12:00:42 UTC, in 42 s" in line

    @pytest.mark.parametrize(
        ("forecast", "said"),
        [
            (FORECAST, "the hour is used up first, at 12:20:00 UTC; the day at 2026-03-03 18:00"),
            (Forecast(50.0, "minute", NOON, None), "at 12:00:00 UTC; the day lasts"),
            (Forecast(50.0, "day", NOON, NOON), "the day is used up first, at 12:00:00 UTC"),
            (Forecast(5.0, None, None, None), "at 5 calls a minute no window is used up"),
            (Forecast(0.0, None, None, None), "no calls lately"),
        ],
    )
    def test_the_forecast_is_a_sentence(self, forecast: Forecast, said: str) -> None:
        """It says which window is used up first, and when the day is."""
        text = "\n".join(drawn(Bars(picture(0, standing("minute", 60, 1)), forecast, ()), 120))
        assert said in text

    def test_the_fleet_is_told_in_a_line(self) -> None:
        """Of a fleet, it is told how many processes there are, what they do, and what others do."""
        windows = (standing("minute", 60, 1),)
        picture = Picture(
            NOON,
            "store",
            windows,
            2.5,
            AtWork(4, 3, 7, {"interactive": 1, "sync": 0, "bulk": 40}, 1.5),
        )
        text = drawn(Bars(picture, self.FORECAST, ("x",)))
        assert "ours, 4 processes in the last minute" in text[1]
        assert text[2] == (
            "3 with bulk; 7 lent; waiting: 1 interactive, 40 bulk; a minute "
            "1.5 interactive, 2.5 of others"
        )
        assert text[-1] == "x"


class Terminal(io.StringIO):
    """A stream that takes itself for a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


class TestShown:
    """Where the pictures of a watch go."""

    PICTURE = picture(0, standing("minute", 60, 30))
    FORECAST = Forecast(5.0, None, None, None)

    def test_a_terminal_is_drawn_on_in_place(self) -> None:
        """Each picture takes the place of the one before."""
        stream = Terminal()
        with shown_on(stream, as_json=False) as show:
            show(self.PICTURE, self.FORECAST, ("first",))
            show(self.PICTURE, self.FORECAST, ("second",))
        assert "█" in stream.getvalue()
        assert stream.getvalue().index("first") < stream.getvalue().index("\x1b[1A")
        assert "second" in stream.getvalue()

    def test_lines_can_be_had_on_a_terminal_too(self) -> None:
        """Where JSON was asked for, each picture is a line with its forecast."""
        stream = Terminal()
        with shown_on(stream, as_json=True) as show:
            show(self.PICTURE, self.FORECAST, ("not shown",))
        (line,) = stream.getvalue().splitlines()
        assert json.loads(line)["forecast"]["per_minute"] == 5
