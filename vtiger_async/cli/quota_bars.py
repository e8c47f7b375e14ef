"""A picture of the quota for a terminal: a bar for each window, and some lines below."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from vtiger_async.cli.quota_view import Forecast, Picture, Standing
from vtiger_async.stores.peek import AtWork

__all__ = ["Bars"]

_WIDTH: Final = (10, 40)
"""The least and the most columns of a bar."""
_BESIDE: Final = 58
"""Columns that the text beside the bars takes."""
_FINE, _ASCII = "█▓░", "#+."
_STYLES = ("cyan", "magenta", "dim")


class Bars:
    """Draws a picture.

    Args:
        picture: The quota.
        forecast: What comes of the pace.
        remarks: Lines for the end.
    """

    def __init__(self, picture: Picture, forecast: Forecast, remarks: tuple[str, ...]) -> None:
        self.picture = picture
        self.forecast = forecast
        self.remarks = remarks

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        glyphs = _ASCII if options.ascii_only else _FINE
        width = max(_WIDTH[0], min(_WIDTH[1], options.max_width - _BESIDE))
        table = Table(box=None, show_header=False, pad_edge=False)
        for _ in range(4):
            table.add_column(no_wrap=True)
        for standing in self.picture.windows:
            table.add_row(
                Text(standing.window, style="bold"),
                _bar(standing, glyphs, width),
                _counts(standing),
                _next(standing, self.picture.at),
            )
        yield table
        yield Text(f"{glyphs[0]} {_ours(self.picture)}  {glyphs[1]} others  {glyphs[2]} left")
        if self.picture.fleet is not None:
            yield Text(_at_work(self.picture.fleet, self.picture.others_per_minute))
        yield Text(_coming(self.forecast, self.picture.at))
        for remark in self.remarks:
            yield Text(remark, style="dim")


def _bar(standing: Standing, glyphs: str, width: int) -> Text:
    text = Text()
    if standing.limit is None or standing.remaining is None:
        return text.append("limit not known".ljust(width)[:width], style="dim")
    whole = max(1, standing.limit)
    ours = min(width, round(width * standing.used / whole))
    left = min(width - ours, round(width * standing.remaining / whole))
    if standing.used and not ours and left == width:
        ours, left = 1, left - 1  # few, but some
    parts = (ours, width - ours - left, left)
    for glyph, style, columns in zip(glyphs, _STYLES, parts, strict=True):
        text.append(glyph * columns, style=style)
    return text


def _counts(standing: Standing) -> Text:
    if standing.remaining is None:
        return Text(f"{standing.used} used")
    if standing.limit is None:
        return Text(f"{standing.used} used, {standing.remaining} left")
    return Text(f"{standing.remaining} of {standing.limit} left")


def _next(standing: Standing, now: datetime) -> Text:
    seconds = (standing.next_call_at - now).total_seconds()
    if seconds <= 0:
        return Text("a call can go now", style="green")
    text = f"next at {_clock(standing.next_call_at, now)}, in {seconds:.0f} s"
    return Text(text, style="yellow")


def _ours(picture: Picture) -> str:
    if picture.fleet is None:
        return "ours"
    return f"ours, {picture.fleet.processes} processes in the last minute"


def _at_work(fleet: AtWork, others: float) -> str:
    waiting = [f"{count} {name}" for name, count in fleet.waiting.items() if count]
    return (
        f"{fleet.with_bulk} with bulk; {fleet.lent} lent; waiting: "
        f"{', '.join(waiting) or 'none'}; a minute {fleet.interactive_per_minute:g} interactive, "
        f"{others:g} of others"
    )


def _coming(forecast: Forecast, now: datetime) -> str:
    if not forecast.per_minute:
        return "forecast: no calls lately"
    text = f"forecast: at {forecast.per_minute:g} calls a minute "
    if forecast.binds is None or forecast.binds_at is None:
        return text + "no window is used up"
    text += f"the {forecast.binds} is used up first, at {_clock(forecast.binds_at, now)}"
    if forecast.binds != "day":
        ends = forecast.day_ends_at
        text += "; the day lasts" if ends is None else f"; the day at {_clock(ends, now)}"
    return text


def _clock(at: datetime, now: datetime) -> str:
    return at.strftime("%H:%M:%S UTC" if at.date() == now.date() else "%Y-%m-%d %H:%M UTC")
