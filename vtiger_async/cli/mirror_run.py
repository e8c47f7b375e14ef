"""The work of `vtiger-async mirror`: rounds, what is seen of them, and how they end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import anyio
from attrs import define, field, frozen

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
    OnDrift,
    SinkError,
    sink_of,
)

__all__ = ["Wanted", "explain", "run", "status"]

_EACH = 10.0
"""Seconds from one line of progress to the next."""


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
    """

    modules: list[str]
    to: str
    deletes: Deletes
    drift: OnDrift
    reconcile: str
    line_items: bool = True

    @property
    def is_on_stdout(self) -> bool:
        """Whether standard output is the mirror's own."""
        return self.to.partition("?")[0].endswith(":-")


@define
class _Progress:
    """What was written so far, told on stderr."""

    written: Counter[str] = field(factory=Counter[str])
    told: int = 0

    def heed(self, event: MirrorEvent) -> None:
        """Count what is written, and tell what has to be known at once."""
        if isinstance(event, Committed):
            self.written[event.module] += event.upserts + event.gone
        elif isinstance(event, Drifted):
            note(f"{event.module}: its fields have changed: {event.drift}")
        elif isinstance(event, Failed):
            note(f"{event.module}: {event.error}")
        else:
            until = moment(event.until)
            note(f"{event.module}: the quota of the {event.window} is used up until {until}")

    def look(self) -> None:
        """Tell how much was written, if it was more than at the last look."""
        if self.written.total() > self.told:
            self.told = self.written.total()
            note(", ".join(f"{name} {number:,}" for name, number in self.written.items()))


async def explain(session: Session, wanted: Wanted) -> ExitCode:
    """Show what a round would cost, a line for each module."""
    cost = await _mirror(session, wanted, _Progress()).explain()
    with session.out.rows() as writer:
        for part in cost.parts:
            writer.add(
                {
                    "module": part.what,
                    "calls": part.calls,
                    "records": part.records,
                    "spent": part.spent,
                    "note": part.note,
                }
            )
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
            async with mirror:
                if every is None:
                    codes.append(_show(session, wanted, await mirror.run()))
                    return
                async for report in mirror.follow(every):
                    _show(session, wanted, report)

    def interrupt() -> None:
        note("interrupted: what is being written comes to its end; the same command goes on")
        scope.cancel()

    await attended(work, interrupt, progress.look, _EACH)
    return codes[0] if codes else ExitCode.INTERRUPTED


def status(to: str, out: Output) -> None:
    """Show where each module of a mirror stands; no call is made."""
    look = anyio.run(_look, to)
    now = datetime.now(UTC).timestamp()
    with out.rows() as writer:
        for name, state in look.states.items():
            records, gone = look.counts.get(name, (None, None))
            synced = state.synced_at
            writer.add(
                {
                    "module": name,
                    "phase": state.phase,
                    "records": records,
                    "tombstones": gone,
                    "synced_at": None
                    if synced is None
                    else moment(datetime.fromtimestamp(synced, UTC)),
                    "lag_seconds": None if synced is None else round(max(0.0, now - synced), 1),
                    "error": state.error,
                }
            )


async def _look(to: str) -> Look:
    sink = sink_of(to)
    look = getattr(sink, "look", None)
    if look is None:
        raise SinkError(f"{sink!r} cannot tell what it holds")
    found: Look = await look()
    return found


def _mirror(session: Session, wanted: Wanted, progress: _Progress) -> Mirror:
    return session.crm.mirror(
        wanted.modules,
        wanted.to,
        deletes=wanted.deletes,
        drift=wanted.drift,
        reconcile=wanted.reconcile,
        line_items=wanted.line_items,
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
