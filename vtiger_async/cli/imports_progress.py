"""What is seen of a bulk job while it runs: always on a terminal, elsewhere a line at times."""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from attrs import define, field
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vtiger_async.bulk import Outcome, Report
from vtiger_async.cli.exits import note, printable
from vtiger_async.cli.quota_bars import Bars
from vtiger_async.cli.quota_view import Pace, of_process
from vtiger_async.client import VtigerClient
from vtiger_async.quota.costs import span
from vtiger_async.quota.events import Granted, QuotaEvent

__all__ = ["Display", "Progress", "shown"]

_LATELY: Final = 120.0
"""Seconds that the pace of the calls is taken from."""
_ENOUGH: Final = 10
"""Calls that tell a pace."""
_EACH: Final = {"terminal": 0.5, "elsewhere": 30.0}
"""Seconds from one look to the next."""
_BAR: Final = 40


@define
class Progress:
    """How far a job is.

    Attributes:
        rows: Rows of the input; None where none is told of.
        read: Rows that were read.
        steps: Calls that were to be made when this run began, if no reply is lost.
        counts: Rows by what came of them.
        open: Rows for which a call is still to be made.
        calls: Calls that this run has made.
    """

    rows: int | None = None
    read: int = 0
    steps: int = 0
    counts: Counter[str] = field(factory=Counter[str])
    open: int = 0
    calls: int = 0
    _looks: deque[tuple[float, int]] = field(factory=deque[tuple[float, int]])

    @classmethod
    def of(cls, report: Report, steps: int, *, is_new: bool) -> Progress:
        """Return the progress of a job that begins or goes on.

        Args:
            report: What came of it so far.
            steps: Calls that are to be made.
            is_new: Whether it begins: then it will tell of the rows that planning has closed.
        """
        names = (
            "created", "revised", "deleted", "unchanged", "skipped", "rejected", "failed",
            "unknown",
        )  # fmt: skip
        counts = Counter[str]() if is_new else Counter({n: getattr(report, n) for n in names})
        return cls(rows=report.rows, steps=steps, counts=+counts, open=report.open)

    def count(self, outcome: Outcome) -> None:
        """Count what came of a row."""
        name = type(outcome).__name__.lower()
        self.counts[name] += 1
        if name not in ("unchanged", "skipped", "rejected"):
            self.open = max(0, self.open - 1)

    @property
    def done(self) -> int:
        """Rows that something has come of."""
        return self.counts.total()

    @property
    def left(self) -> int:
        """Calls that are still to be made: of those that were planned, and one a row at least."""
        return max(self.open, self.steps - self.calls)

    def look(self, now: float) -> None:
        """Note how many calls were made by now.

        Args:
            now: Seconds of a clock that only goes forward.
        """
        self._looks.append((now, self.calls))
        while now - self._looks[0][0] > _LATELY:
            self._looks.popleft()

    def seconds_left(self, by_quota: float) -> float:
        """Return how long the rest takes: what the quota demands, and the pace of late.

        Args:
            by_quota: What the quota demands.
        """
        if len(self._looks) < 2:
            return by_quota
        (began_at, before), (now, calls) = self._looks[0], self._looks[-1]
        made = calls - before
        return max(by_quota, self.left * (now - began_at) / made if made >= _ENOUGH else 0.0)

    def __str__(self) -> str:
        if self.rows is None:
            return f"{self.read:,} rows read; " if self.read else ""
        counts = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        return f"{self.done:,} of {self.rows:,} rows{': ' if counts else ''}{counts}; "


@define
class Display:
    """Shows a job on stderr.

    Attributes:
        crm: The client that makes the calls.
        progress: How far the job is.
        what: What is being done, in a word.
        live: The part of the terminal that it takes; None where stderr is none.
    """

    crm: VtigerClient
    what: str
    progress: Progress = field(factory=Progress)
    live: Live | None = None
    _pace: Pace = field(factory=Pace)
    _forecast: tuple[float, float] = (-math.inf, 0.0)  # until when it holds, and the seconds

    @property
    def interval(self) -> float:
        """Seconds from one look to the next."""
        return _EACH["elsewhere" if self.live is None else "terminal"]

    def heed(self, event: QuotaEvent) -> None:
        """Count the calls that the quota lets go."""
        self.progress.calls += isinstance(event, Granted)

    def tell(self, text: str) -> None:
        """Print one line."""
        if self.live is None:
            note(text)
        else:
            self.live.console.print(Text(printable(text)))

    def look(self) -> None:
        """Show how far it is now."""
        self.progress.look(time.monotonic())
        if self.live is None:
            note(f"{self.what}: {self.progress}{self._calls()}")
        else:
            self.live.update(self._picture(), refresh=True)

    def _calls(self) -> str:
        made, left = self.progress.calls, self.progress.left
        if not left:
            return f"{made:,} calls"
        seconds = self.progress.seconds_left(self._by_quota(left))
        text = f"{made:,} calls, {left:,} to go"
        if not seconds:
            return text  # nothing tells yet
        return f"{text}; {'over a year' if math.isinf(seconds) else f'about {span(seconds)}'} left"

    def _by_quota(self, left: int) -> float:
        """Return what the quota demands; worked out at times only, since that takes its own."""
        began_at = time.monotonic()
        holds_until, seconds = self._forecast
        if began_at >= holds_until:
            seconds = self.crm.quota.plan(left).seconds
            now = time.monotonic()
            self._forecast = (now + 2.0 + 50 * (now - began_at), seconds)
        return seconds

    def _picture(self) -> RenderableType:
        progress, picture = self.progress, of_process(self.crm.quota)
        parts: list[RenderableType] = [Text(f"{self.what}: {progress}".rstrip(":; "))]
        parts += [Text(self._calls()), Bars(picture, self._pace.look(picture), ())]
        if progress.rows:
            grid = Table.grid()  # a bar alone does not end its line
            grid.add_row(ProgressBar(progress.rows, progress.done, width=_BAR))
            parts.insert(0, grid)
        return Group(*parts)


@contextmanager
def shown(crm: VtigerClient, what: str) -> Generator[Display]:
    """Give what shows a job on stderr, until the block ends.

    Args:
        crm: The client that makes the calls.
        what: What is being done, in a word.
    """
    console = Console(stderr=True)
    display = Display(crm, what=what)
    forget = crm.subscribe(display.heed)
    try:
        if not console.is_terminal:
            yield display
            return
        with Live(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False,
            redirect_stderr=False,
        ) as display.live:  # fmt: skip
            yield display
    finally:
        forget()
