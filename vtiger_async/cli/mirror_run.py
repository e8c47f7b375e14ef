"""The work of `vtiger-async mirror`: rounds, what is seen of them, and how they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import anyio
from attrs import define, field, frozen

from vtiger_async.cli.costs import row_of_cost
from vtiger_async.cli.exits import ExitCode, note
from vtiger_async.cli.imports_stopping import attended
from vtiger_async.cli.output import Output
from vtiger_async.cli.quota_view import moment
from vtiger_async.cli.session import Session
from vtiger_async.mirror import (
    Committed,
    Deletes,
    Drifted,
    Failed,
    Look,
    Mirror,
    MirrorEvent,
    MirrorReport,
    ModuleState,
    OnDrift,
    SinkError,
    sink_of,
)
from vtiger_async.types import LINE_MODULES

__all__ = ["Wanted", "explain", "run", "status"]

_EACH = 10.0
"""Seconds from one line of progress to the next."""
_ALL = "(all)"
"""What stands for the module in the row of all of them; no module has such a name."""
_SHUTS_OUT = frozenset({"duckdb", "parquet"})
"""The schemes whose place no other process can read while it is open."""


@frozen
class Wanted:
    """What mirror is wanted.

    Attributes:
        modules: The modules.
        to: The URL of the place.
        deletes: What becomes of rows of what is gone.
        drift: What is done when fields change.
        reconcile: The budget.
        line_items: Whether documents are retrieved for their line items.
        administrator: Whether the user is an administrator; None where the server is asked.
    """

    modules: list[str]
    to: str
    deletes: Deletes
    drift: OnDrift
    reconcile: str
    line_items: bool = True
    administrator: bool | None = None

    @property
    def is_closed_between(self) -> bool:
        """Whether others are let in between two rounds."""
        return self.to.partition(":")[0].lower() in _SHUTS_OUT

    @property
    def is_on_stdout(self) -> bool:
        """Whether standard output is the mirror's own."""
        return self.to.partition("?")[0].endswith(":-")


@define
class _Progress:
    """What was written so far, told on stderr."""

    written: Counter[str] = field(factory=Counter[str])
    told: int = 0
    drift: dict[str, str] = field(factory=dict[str, str])

    def heed(self, event: MirrorEvent) -> None:
        """Count what is written, and tell what has to be known at once."""
        if isinstance(event, Committed):
            self.written[event.module] += event.upserts + event.gone
        elif isinstance(event, Drifted):
            if self.drift.get(event.module) != event.drift:  # it is told in each round
                note(f"{event.module}: its fields have changed: {event.drift}")
            self.drift[event.module] = event.drift
        elif isinstance(event, Failed):
            note(f"{event.module}: {event.error.removeprefix(f'{event.module}: ')}")
        else:
            until = moment(event.until)
            note(f"{event.module}: the quota of the {event.window} is used up until {until}")

    def look(self) -> None:
        """Tell how much was written, if it was more than at the last look."""
        if self.written.total() > self.told:
            self.told = self.written.total()
            note(", ".join(f"{name} {number:,}" for name, number in self.written.items()))


async def explain(session: Session, wanted: Wanted) -> ExitCode:
    """Show what a round would cost, a line for each module and one for all."""
    cost = await _mirror(session, wanted, _Progress()).explain()
    with session.out.rows() as writer:
        for part in cost.parts:
            writer.add(row_of_cost(part))
        writer.add(row_of_cost(cost) | {"module": _ALL})
    note(f"{cost}")
    return ExitCode.OK


async def run(session: Session, wanted: Wanted, every: float | None) -> ExitCode:
    """Bring a mirror up to date, once or again and again; return the exit code.

    Args:
        session: The connection.
        wanted: The mirror.
        every: Seconds from round to round; None for one round.
    """
    progress, scope = _Progress(), anyio.CancelScope()
    mirror = _mirror(session, wanted, progress)
    codes: list[ExitCode] = []

    async def work() -> None:
        with scope:
            if every is None:
                codes.append(_show(session, wanted, await mirror.run()))
                return
            async with nullcontext() if wanted.is_closed_between else mirror:
                async for report in mirror.follow(every):
                    _show(session, wanted, report)

    def interrupt() -> None:
        note("interrupted: what is being written comes to its end; the same command goes on")
        scope.cancel()

    await attended(work, interrupt, progress.look, _EACH)
    return codes[0] if codes else ExitCode.INTERRUPTED


def status(to: str, modules: Sequence[str], out: Output) -> None:
    """Show where modules of a mirror stand; no call is made.

    Args:
        to: The URL of the place.
        modules: Those that are shown; without any, all.
        out: Where they are shown.

    Raises:
        SinkError: There is no mirror, or it cannot be read.
    """
    look, now = anyio.run(_look, to), datetime.now(UTC).timestamp()
    with out.rows() as writer:
        for name in modules or look.states:
            state = look.states.get(name)
            if state is None:
                writer.add(_row(name, error="not in this mirror: it was never begun"))
            else:
                writer.add(_row_of_state(state, look.counts.get(name, (None, None)), now))


def _row_of_state(
    state: ModuleState, counts: tuple[int | None, int | None], now: float
) -> dict[str, Any]:
    synced = state.synced_at
    return _row(
        state.module,
        phase=state.phase,
        records=counts[0],
        tombstones=counts[1],
        line_items=state.line_items if state.module in LINE_MODULES else None,
        synced_at=None if synced is None else moment(datetime.fromtimestamp(synced, UTC)),
        lag_seconds=None if synced is None else round(max(0.0, now - synced), 1),
        error=state.error,
    )


def _row(name: str, **found: Any) -> dict[str, Any]:
    names = ("phase", "records", "tombstones", "line_items", "synced_at", "lag_seconds", "error")
    return {"module": name, **{one: found.get(one) for one in names}}


async def _look(to: str) -> Look:
    sink = sink_of(to)
    look = getattr(sink, "look", None)
    if look is None:
        raise SinkError(f"{sink!r} cannot tell what it holds")
    found: Look = await look()
    if found.instance is None:
        hint = ": give the --state that it wrote" if to.endswith(":-") else ""
        raise SinkError(f"there is no mirror in {sink!r}{hint}")
    return found


def _mirror(session: Session, wanted: Wanted, progress: _Progress) -> Mirror:
    return session.crm.mirror(
        wanted.modules,
        wanted.to,
        deletes=wanted.deletes,
        drift=wanted.drift,
        reconcile=wanted.reconcile,
        line_items=wanted.line_items,
        administrator=wanted.administrator,
        on_event=progress.heed,
    )


def _show(session: Session, wanted: Wanted, report: MirrorReport) -> ExitCode:
    """Show what came of a round, and return the exit code that it gives."""
    rows: list[dict[str, Any]] = [
        {
            "module": name,
            "written": one.upserts,
            "gone": one.deleted + one.vanished,
            "calls": one.calls,
            "error": one.error,
            "note": one.note,
        }
        for name, one in report.modules.items()
    ]
    if wanted.is_on_stdout:
        for row in rows:
            note(", ".join(f"{key} {value}" for key, value in row.items() if value))
    else:
        with session.out.rows() as writer:
            for row in rows:
                writer.add(row)
    if report.paused_until is not None:
        return ExitCode.QUOTA
    return ExitCode.OK if report.is_whole else ExitCode.PARTLY
