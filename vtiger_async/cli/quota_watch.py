"""`vtiger-async quota show --watch`: the picture again and again, until it is interrupted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TextIO, TypeAlias

from rich.console import Console
from rich.live import Live

from vtiger_async.cli.quota_bars import Bars
from vtiger_async.cli.quota_view import Forecast, Pace, Picture, plain
from vtiger_async.clock import Clock
from vtiger_async.stores import StoreError

__all__ = ["Look", "Show", "shown_on", "watch", "whole"]

Look: TypeAlias = Callable[[], Awaitable[Picture]]
"""Returns the picture now."""
Show: TypeAlias = Callable[[Picture, Forecast, tuple[str, ...]], None]
"""Shows a picture with what comes of it, and some remarks."""


async def watch(
    look: Look, show: Show, clock: Clock, interval: float, remarks: Callable[[], tuple[str, ...]]
) -> None:
    """Look and show again and again; it ends by being cancelled.

    A store that fails after the first look is waited for: the last picture stays.

    Args:
        look: Where pictures come from.
        show: Where they go.
        clock: The time.
        interval: Seconds from one look to the next.
        remarks: What to say below.

    Raises:
        StoreError: The first look fails.
    """
    pace = Pace()
    picture = await look()
    forecast = pace.look(picture)
    show(picture, forecast, remarks())
    while True:
        await clock.sleep(interval)
        try:
            picture = await look()
        except StoreError as error:
            show(picture, forecast, (*remarks(), f"the store cannot be reached: {error}"))
        else:
            forecast = pace.look(picture)
            show(picture, forecast, remarks())


@contextmanager
def shown_on(stream: TextIO, *, as_json: bool) -> Generator[Show]:
    """Give what shows pictures: bars on a terminal, else a line of JSON for each.

    Args:
        stream: Where to.
        as_json: Whether JSON is wanted on a terminal, too.
    """
    if as_json or not stream.isatty():

        def write(picture: Picture, forecast: Forecast, _remarks: tuple[str, ...]) -> None:
            stream.write(json.dumps(whole(picture, forecast)) + "\n")
            stream.flush()

        yield write
        return
    with Live(console=Console(file=stream), auto_refresh=False) as live:

        def draw(picture: Picture, forecast: Forecast, remarks: tuple[str, ...]) -> None:
            live.update(Bars(picture, forecast, remarks), refresh=True)

        yield draw


def whole(picture: Picture, forecast: Forecast | None = None) -> dict[str, Any]:
    """Return a picture as one JSON object, with the forecast if there is one.

    Args:
        picture: The quota.
        forecast: What comes of the pace.
    """
    found = plain(picture)
    if forecast is not None:
        found["forecast"] = plain(forecast)
    return found
