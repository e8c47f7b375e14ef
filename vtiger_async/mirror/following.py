"""Rounds of a mirror that go on for ever: when which module is due again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from vtiger_async.clock import Clock
from vtiger_async.mirror.errors import SinkBusyError
from vtiger_async.mirror.reports import MirrorReport, ModuleReport

__all__ = ["Follow"]

_MOST_PAUSE: Final = 900.0
"""Seconds; the longest pause of a module that fails again and again."""


class Follow(AsyncIterator[MirrorReport]):
    """The reports of a mirror that is kept up to date: see `Mirror.follow`.

    Args:
        modules: The modules.
        run: Brings some of them up to date.
        held_up: Returns the report of a round that could not begin, since somebody else had the
            place.
        clock: The time.
        every: Seconds from the end of a round to the next.
    """

    def __init__(
        self,
        modules: Sequence[str],
        run: Callable[[Sequence[str]], Coroutine[Any, Any, MirrorReport]],
        held_up: Callable[[Sequence[str], SinkBusyError], MirrorReport],
        clock: Clock,
        every: float,
    ) -> None:
        self._run = run
        self._held_up = held_up
        self._clock = clock
        self._every = every
        self._is_begun = False
        self._failures: dict[str, int] = {}
        self._due: dict[str, float] = dict.fromkeys(modules, 0.0)

    def __aiter__(self) -> Follow:
        """Return itself."""
        return self

    async def __anext__(self) -> MirrorReport:
        """Wait until modules are due, bring them up to date, and return what came of it."""
        pause = min(self._due.values()) - self._clock.time()
        if pause > 0:
            await self._clock.sleep(pause)
        now = self._clock.time()
        due = [name for name, at in self._due.items() if at <= now]
        try:
            report = await self._run(due)
        except SinkBusyError as error:
            if not self._is_begun:
                raise
            # Who reads between two rounds is to stop no mirror: the next round makes up for it.
            self._due.update(dict.fromkeys(due, self._clock.time() + self._every))
            return self._held_up(due, error)
        self._is_begun = True
        self._note(report.modules, self._clock.time())
        if report.paused_until is not None:
            until = report.paused_until.timestamp()
            self._due = {name: max(at, until) for name, at in self._due.items()}
        return report

    def _note(self, reports: Mapping[str, ModuleReport], now: float) -> None:
        for name, report in reports.items():
            count = 0 if report.error is None else self._failures.get(name, 0) + 1
            self._failures[name] = count
            most = max(_MOST_PAUSE, self._every)
            self._due[name] = now + min(most, self._every * 2.0 ** min(count, 20))
