"""The work of `vtiger-async import`: planning, applying and undoing, with what is seen of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import anyio
from anyio.to_thread import run_sync
from attrs import define, field

from vtiger_async.bulk import BulkError, JobEvent, Paused, Plan, Report, UndoReport, Unreachable
from vtiger_async.cli.exits import ExitCode, fail, note
from vtiger_async.cli.imports_input import Input, save_map
from vtiger_async.cli.imports_progress import Display, Progress, shown
from vtiger_async.cli.imports_show import (
    command,
    exit_code_for,
    show_report,
    show_undo,
    standing_at,
    write_files,
)
from vtiger_async.cli.imports_stopping import attended
from vtiger_async.cli.quota_view import moment
from vtiger_async.cli.session import Session
from vtiger_async.errors import VtigerError

__all__ = ["Ending", "apply", "plan", "undo"]


async def plan(session: Session, given: Input) -> Plan:
    """Return the plan of an input.

    Args:
        session: The connection.
        given: The input.

    Raises:
        VtigerError: It cannot be planned.
        typer.Exit: It was interrupted.
    """
    crm, scope = session.crm, anyio.CancelScope()
    with shown(crm, "planning") as display:

        def read(rows: int) -> None:
            display.progress.read = rows

        async def work() -> Plan | None:
            with scope:
                await save_map(crm, given)
                return await crm.bulk.plan([*given.loads], journal=given.journal, progress=read)
            return None

        found = await attended(work, scope.cancel, display.look, display.interval)
    if found is None:
        text = "interrupted: nothing was written to the CRM, and there is no plan"
        raise fail(text, ExitCode.INTERRUPTED)
    return found


@define
class Ending:
    """Why a job ends before its end, if it does.

    Attributes:
        display: Where it is told.
        resume: The command to go on with.
        stop: Ends the job.
        stop_on_pause: Whether a pause ends it.
        code: The exit code, once there is a reason.
    """

    display: Display
    resume: str
    stop_on_pause: bool = False
    stop: anyio.Event = field(factory=anyio.Event)
    code: ExitCode | None = None

    def interrupt(self) -> None:
        """End it after the calls that are under way."""
        self.code = ExitCode.INTERRUPTED
        self.display.tell(
            "interrupted: calls under way come to their end; once more stops at once. "
            f"To go on: {self.resume}"
        )
        self.stop.set()

    def heed(self, event: JobEvent) -> None:
        """Tell of a pause, and of its end."""
        if isinstance(event, Paused):
            until = moment(event.until)
            if self.stop_on_pause:
                self.code = self.code or ExitCode.QUOTA
                text = f"stopped: the quota of the {event.window} is used up until {until}"
            else:
                text = f"paused: the quota of the {event.window} is used up; on it goes at {until}"
            self.display.tell(text)
        elif isinstance(event, Unreachable):
            self.display.tell(f"the instance fails, and is tried again: {event.reason}")
        else:
            self.display.tell("on it goes")


async def apply(
    session: Session,
    path: Path,
    *,
    stop_on_pause: bool,
    changed_input: Literal["refuse", "ignore"] = "refuse",
) -> ExitCode:
    """Apply the plan of a journal, or go on with it; return the exit code.

    Args:
        session: The connection.
        path: The journal.
        stop_on_pause: Whether a pause ends it.
        changed_input: Whether it may go on where the input has changed.

    Raises:
        VtigerError: It cannot go on.
    """
    crm = session.crm
    before = await run_sync(standing_at, path)
    with shown(crm, "applying") as display:
        ending = Ending(display, command("resume", path), stop_on_pause)
        display.progress = Progress.of(
            before.report, before.steps, is_new=before.state == "planned"
        )
        async with crm.bulk.apply(
            path,
            on_event=ending.heed,
            stop=ending.stop,
            stop_on_pause=stop_on_pause,
            changed_input=changed_input,
        ) as job:

            async def work() -> Report:
                return await job.run(display.progress.count)

            try:
                report = await attended(work, ending.interrupt, display.look, display.interval)
            except VtigerError:
                display.tell(f"to go on: {ending.resume}")
                raise
    code = (ending.code if report.open else None) or exit_code_for(report)
    if ending.code is not ExitCode.INTERRUPTED:
        try:
            report.files = await run_sync(write_files, path)
        except BulkError as error:
            note(f"error: {error}")
            code = ExitCode.ERROR
    show_report(session.out, report)
    for kind, file in report.files.items():
        note(f"{kind}: {file}")
    if report.open:
        note(f"to go on: {ending.resume}")
    return code


async def undo(session: Session, path: Path) -> ExitCode:
    """Undo a job, and return the exit code.

    Args:
        session: The connection.
        path: Its journal.

    Raises:
        VtigerError: It cannot go on.
    """
    crm = session.crm
    with shown(crm, "undoing") as display:
        ending = Ending(display, command("undo", path))

        async def work() -> UndoReport:
            return await crm.bulk.undo(path, on_event=ending.heed, stop=ending.stop)

        report = await attended(work, ending.interrupt, display.look, display.interval)
    show_undo(session.out, report)
    standing = await run_sync(standing_at, path)
    if standing.state != "undone" and ending.code is not None:
        return ending.code
    return exit_code_for(report)
