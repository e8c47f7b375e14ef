"""Mirror: modules of a CRM brought up to date in a sink, once or again and again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
from attrs import define, evolve, field

from vtiger_async.clock import Clock
from vtiger_async.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidArgumentError,
    InvalidResponseError,
    QuotaExhaustedError,
    ServerError,
    VtigerError,
)
from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.crm import Crm, SeesAll
from vtiger_async.mirror.errors import MirrorError, SinkBusyError, SinkError, TableError
from vtiger_async.mirror.events import Failed, MirrorEvent, Paused
from vtiger_async.mirror.following import Follow
from vtiger_async.mirror.metering import counting, listening, paused
from vtiger_async.mirror.modules import bring_up
from vtiger_async.mirror.options import Options
from vtiger_async.mirror.owing import note_of
from vtiger_async.mirror.reports import MirrorReport, ModuleReport
from vtiger_async.mirror.sink import Look, Sink
from vtiger_async.mirror.states import ModuleState

if TYPE_CHECKING:
    from vtiger_async.quota.costs import Cost

__all__ = ["Mirror"]

_FATAL: Final = (AuthenticationError, ConfigurationError, SinkError)
"""What ends the mirror as a whole; but of a sink not what concerns the table of one module."""


@define
class _Round:
    """What is found out in one round.

    Attributes:
        reports: What came of each module.
        paused_until: When a call can be made again (Unix seconds), where the quota is used up.
        fatal: What ends the mirror as a whole.
        unknown: Why it is not known whether the user is an administrator; None where it is.
        asking: Who asks that first is waited for.
    """

    reports: dict[str, ModuleReport] = field(factory=dict[str, ModuleReport])
    paused_until: float | None = None
    fatal: Exception | None = None
    unknown: VtigerError | None = None
    asking: anyio.Lock = field(factory=anyio.Lock)


class Mirror:
    """Modules of a CRM, kept in a sink: `await crm.mirror(["Accounts"], to="sqlite:///crm.db")`.

    Awaited, it brings every module up to date once. What was written stays, wherever it is ended;
    it goes on from there. `follow()` does so again and again. While `async with` holds it, the sink
    stays open between rounds.

    Args:
        crm: The client.
        clock: The time.
        sees_all: Tells whether the user is an administrator.
        sink: Where the mirror is kept.
        options: How.
    """

    def __init__(
        self, crm: Crm, clock: Clock, sees_all: SeesAll, sink: Sink, options: Options
    ) -> None:
        self._crm = crm
        self._clock = clock
        self._sees_all = sees_all
        self._sink = sink
        self._options = options
        self._states: dict[str, ModuleState] = {}
        self._is_open = False
        self._one_round = anyio.Lock()

    def __repr__(self) -> str:
        return f"<Mirror of {', '.join(self._options.modules)} in {self._sink!r}>"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules."""
        return self._options.modules

    def __await__(self) -> Generator[Any, Any, MirrorReport]:
        """Bring every module up to date: see `run`."""
        return self.run().__await__()

    async def __aenter__(self) -> Self:
        """Open the sink, and keep it open."""
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the sink."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the sink, if `async with` has opened it."""
        if self._is_open:
            self._is_open = False
            with anyio.CancelScope(shield=True):
                await self._sink.aclose()

    async def run(self, modules: Sequence[str] | None = None) -> MirrorReport:
        """Bring modules up to date, all at once, and return what came of it.

        A module that fails does not stop the others: the report says why. Where the quota is used
        up for long, the round ends: the report says until when, and what was written stays.

        Args:
            modules: Some of the modules; all, if not given.

        Raises:
            SinkError: The sink cannot be used.
            AuthenticationError: The credentials are wrong.
            ConfigurationError: The client cannot be used.
        """
        names = self.modules if modules is None else tuple(modules)
        unknown = set(names) - set(self.modules)
        if unknown:
            raise InvalidArgumentError(f"not in this mirror: {', '.join(sorted(unknown))}")
        async with self._one_round, self._opened():
            return await self._round(names)

    def follow(self, every: float = 60.0) -> Follow:
        """Return the reports of rounds that go on for ever: `async for report in mirror.follow()`.

        Nothing is asked between rounds. A module that fails is left out for a while, which doubles
        up to 15 minutes; where the quota is used up, the next round waits for it. Where somebody
        else has the place open when a round is to begin, that round only reports it; but for the
        first, which raises SinkBusyError.

        Args:
            every: Seconds from the end of a round to the next; a round costs a call for each module
                in which nothing has changed.
        """
        if not every > 0:
            raise InvalidArgumentError("follow: every is a number of seconds above 0")
        return Follow(self.modules, self.run, self._held_up, self._clock, every)

    async def status(self) -> Look:
        """Return where each module stands, and how many records are there; it costs no call.

        Another process may be writing to the mirror, where the sink can be read meanwhile.

        Raises:
            SinkError: The sink cannot be read, or tells nothing of itself.
        """
        look: Callable[[], Awaitable[Look]] | None = getattr(self._sink, "look", None)
        if look is None:
            raise SinkError(f"{self._sink!r} cannot tell what it holds")
        return await look()

    async def explain(self) -> Cost:
        """Return what the next round will cost, and in `parts` what each module will.

        Told is what a program takes that begins now, with descriptions and the question who the
        user is. To tell it costs these, and a count(*) for each module; nothing is written.
        Reconciliation is not in it.

        Raises:
            SinkError: The sink cannot be read.
            MirrorError: It is not known who the user is.
        """
        from vtiger_async.mirror.costs import cost_of_round  # not every program asks

        can_tell = hasattr(self._sink, "look")
        states = (await self.status()).states if can_tell else dict[str, ModuleState]()
        return await cost_of_round(
            self._crm, self._options, states, lambda: self._is_administrator(_Round())
        )

    async def _open(self) -> None:
        states = await self._sink.open(self._crm.url)
        self._states = {name: state for name, state in states.items() if name in self.modules}
        self._is_open = True

    @asynccontextmanager
    async def _opened(self) -> AsyncGenerator[None]:
        if self._is_open:
            yield
            return
        await self._open()
        try:
            yield
        finally:
            await self.aclose()

    async def _round(self, names: Sequence[str]) -> MirrorReport:
        found, started_at = _Round(), self._now()
        with listening(self._crm):
            async with anyio.create_task_group() as group:
                for name in names:
                    group.start_soon(self._module, name, found, group.cancel_scope)
        if found.fatal is not None:
            raise found.fatal
        until = found.paused_until
        return MirrorReport(
            {name: found.reports[name] for name in names},
            started_at,
            self._now(),
            None if until is None else datetime.fromtimestamp(until, UTC),
        )

    async def _module(self, name: str, found: _Round, scope: anyio.CancelScope) -> None:
        """Bring one module up to date, and note what came of it."""
        report = ModuleReport(name)
        try:
            with counting(report):
                try:
                    await self._bring_up(name, report, found)
                except VtigerError as failure:
                    if isinstance(failure, _FATAL) and not isinstance(failure, TableError):
                        raise
                    report.error = self._failed(name, failure, found)
                    await self._keep_error(name, report.error)
        except Exception as fatal:  # noqa: BLE001 - raised when the others have ended, not in a group
            found.fatal = found.fatal or fatal
            scope.cancel()
            return
        state = self._states.get(name)
        report.phase = None if state is None else state.phase
        if report.error is None:
            report.note = await self._note(state, found)
        found.reports[name] = report

    async def _bring_up(self, name: str, report: ModuleReport, found: _Round) -> None:
        budget = self._options.budget.a_day(self._crm.quota)
        await bring_up(
            self._crm,
            self._sink,
            self._clock,
            name,
            self._states,
            report,
            self._options,
            scope="application" if await self._is_administrator(found) else "userandgroup",
            a_day=0.0 if budget is None else budget / len(self.modules),
            tell=self._tell,
        )

    async def _is_administrator(self, found: _Round) -> bool:
        """Return whether the user is one: as was said, or as the server tells, once in a round."""
        if self._options.administrator is not None:
            return self._options.administrator
        async with found.asking:
            if found.unknown is None:
                try:
                    return await self._sees_all()
                except (ServerError, InvalidResponseError) as error:
                    found.unknown = MirrorError(
                        f"{error}: it is not known whether this user is an administrator; say it "
                        "with administrator=True or False (--administrator, --no-administrator)"
                    )
                except VtigerError as error:
                    found.unknown = error
            raise found.unknown

    def _held_up(self, names: Sequence[str], error: SinkBusyError) -> MirrorReport:
        """Return the report of a round that could not begin, and tell of it."""
        now, reports = self._now(), dict[str, ModuleReport]()
        for name in names:
            state = self._states.get(name)
            phase = None if state is None else state.phase
            reports[name] = ModuleReport(name, phase, error=str(error))
            self._tell(Failed(now, name, str(error)))
        return MirrorReport(reports, now, now)

    def _failed(self, name: str, failure: VtigerError, found: _Round) -> str:
        """Tell of a failure, and return its words."""
        error = str(failure)
        if isinstance(failure, QuotaExhaustedError):
            window, until = paused(failure, self._crm.quota, self._clock.time())
            found.paused_until = max(found.paused_until or 0.0, until)
            moment = datetime.fromtimestamp(until, UTC)
            self._tell(Paused(self._now(), name, window, moment))
            error = f"the {window}'s quota is used up until {moment:%Y-%m-%d %H:%M:%S} UTC"
        else:
            self._tell(Failed(self._now(), name, error))
        return error

    async def _keep_error(self, name: str, error: str) -> None:
        state = self._states.get(name)
        if state is not None and state.error != error:
            self._states[name] = evolve(state, error=error)
            await self._sink.commit(Batch(self._states[name]))

    async def _note(self, state: ModuleState | None, found: _Round) -> str:
        notes: list[str] = []
        if state is not None and state.lines is not None and not state.line_items:
            notes.append(f"line items are no longer kept: {state.lines.name} stays as it was")
        if state is not None and state.phase == "difference" and state.cursor is not None:
            notes.append("the server fails to sync it: all of it is read in each round")
        if state is not None and state.owed:
            notes.append(note_of(state.owed))
        if state is not None and state.phase != "difference" and state.looked_at is not None:
            if not await self._is_administrator(found):
                notes.append(
                    "not as an administrator: what went out of sight, or others have deleted, is "
                    "found by reconciliation only"
                )
            if self._options.budget.a_day(self._crm.quota) is None:
                notes.append(
                    "not reconciled: nobody has told the day's limit, of which a share was asked "
                    "for; give a number of calls"
                )
        return "; ".join(notes)

    def _tell(self, event: MirrorEvent) -> None:
        if self._options.on_event is not None:
            self._options.on_event(event)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)
