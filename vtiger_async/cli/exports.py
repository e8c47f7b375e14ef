"""`vtiger-async export`: records into a file, resumable by giving the same command again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from vtiger_async.cli.costs import row_of_cost
from vtiger_async.cli.exits import ExitCode, fail, note
from vtiger_async.cli.imports_progress import shown
from vtiger_async.cli.imports_stopping import attended
from vtiger_async.cli.output import Output
from vtiger_async.cli.session import Job, Session, connected
from vtiger_async.errors import VtigerError
from vtiger_async.exports import Export, ExportReport

__all__ = ["export", "show_report"]

_PATIENCE: Final = 3700.0
"""Seconds: the minute's and the hour's limits are waited for, the day's is not."""
_GO_ON: Final = "to go on, give the same command again"


@connected
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODULE|VTQL",
            help="A module for all of its records, or a statement in quotes, "
            "as 'SELECT lastname FROM Contacts;'.",
        ),
    ],
    *,
    to: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="The file: .csv, .jsonl or .parquet (which needs the extra `arrow`).",
        ),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option("--restart", help="Begin anew where an unfinished export stands."),
    ] = False,
    explains: Annotated[
        bool,
        typer.Option(
            "--explain", help="Only tell what it would cost, for a count(*) or two calls."
        ),
    ] = False,
) -> Job:
    """Write records into a file, typed by their description.

    Until it is complete, the file is FILE.part, with FILE.state beside it. Whatever ends the
    command, Ctrl-C or a kill: the same command goes on where it stood, and no record is lost or
    stands twice.
    """

    async def explain(session: Session) -> None:
        running = Export(session.crm, what, to, overwrite=overwrite, restart=restart)
        cost = await running.explain()
        session.out.record(row_of_cost(cost))
        note(f"{cost}")

    async def job(session: Session) -> None:
        crm, scope = session.crm, anyio.CancelScope()
        with shown(crm, "exporting") as display:

            def read(records: int) -> None:
                display.progress.read = records

            patient = crm.with_options(priority="sync", max_wait=_PATIENCE)
            running = Export(patient, what, to, overwrite=overwrite, restart=restart, progress=read)

            async def work() -> ExportReport | None:
                with scope:
                    return await running.run()
                return None

            try:
                report = await attended(work, scope.cancel, display.look, display.interval)
            except VtigerError:
                if running.is_begun:
                    display.tell(_GO_ON)
                raise
        if report is None:
            kept = _GO_ON if running.is_begun else "nothing was written"
            raise fail(f"interrupted: {kept}", ExitCode.INTERRUPTED)
        show_report(session.out, report)

    return explain if explains else job


def show_report(out: Output, report: ExportReport) -> None:
    """Write what came of an export as data, and tell on stderr what is to be known beside it.

    Args:
        out: Where the data goes.
        report: What came of it.
    """
    if report.unread:
        fields = ", ".join(f"{name} {count:,}" for name, count in report.unread.items())
        note(f"not of their field's type, and kept in _extra: {fields}")
    out.record(
        {
            "file": str(report.path),
            "module": report.module,
            "records": report.records,
            "calls": report.calls,
            "seconds": round(report.seconds, 1),
            "runs": report.runs,
        }
    )
