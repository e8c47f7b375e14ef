"""`vtiger-async import`: bulk jobs, planned, applied, resumed, undone."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from vtiger_async.bulk import JournalError, find_jobs
from vtiger_async.cli import imports_run
from vtiger_async.cli.exits import ExitCode, exits, fail, note
from vtiger_async.cli.imports_input import Input, with_input
from vtiger_async.cli.imports_show import (
    exit_code_for,
    job_row,
    show_plan,
    show_report,
    standing_at,
    write_files,
)
from vtiger_async.cli.output import Output
from vtiger_async.cli.session import Connection, OutputOption, Session, with_connection
from vtiger_async.client import VtigerClient
from vtiger_async.errors import InvalidArgumentError

__all__ = ["app"]

app = typer.Typer(
    help="Load rows of files into the CRM: planned, exact, resumable, undoable.",
    no_args_is_help=True,
)
"""The commands under `vtiger-async import`."""

JobArgument = Annotated[
    Path, typer.Argument(metavar="JOB", dir_okay=False, help="The job's journal, a .vtjob file.")
]
StopOption = Annotated[
    bool,
    typer.Option(
        "--stop-on-pause", help="End where it would wait for more than ten minutes for quota."
    ),
]
ChangedOption = Annotated[
    Literal["refuse", "ignore"],
    typer.Option(help="If the input file has changed since: refuse, or load the planned rows."),
]


@app.command()
@with_connection
@with_input
def plan(*, given: Input, connection: Connection) -> None:
    """Read an input, and tell what is to be done, what it costs and how long it takes.

    Nothing is written to the CRM. The plan is kept in a journal beside the input, and `import
    apply` goes on from there. The exit code is 3 where rows are rejected.
    """

    async def job(session: Session) -> ExitCode:
        found = await imports_run.plan(session, given)
        show_plan(session.out, found, session.crm.quota.plan(found.calls))
        return ExitCode.PARTLY if found.rejected else ExitCode.OK

    _end(connection, job)


@app.command()
@with_connection
def apply(
    *,
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", dir_okay=False, help="The journal that `plan` made.")
    ],
    stop_on_pause: StopOption = False,
    changed_input: ChangedOption = "refuse",
    connection: Connection,
) -> None:
    """Do what was planned, and write the result files beside the journal."""
    _apply(connection, plan, stop_on_pause=stop_on_pause, changed_input=changed_input)


@app.command()
@with_connection
@with_input
def run(*, given: Input, stop_on_pause: StopOption = False, connection: Connection) -> None:
    """Plan an input, and do it.

    Ctrl-C ends it in good order, a second one at once; `import resume` goes on.
    """

    async def job(session: Session) -> ExitCode:
        found = await imports_run.plan(session, given)
        note(f"{found}")
        return await imports_run.apply(session, found.journal, stop_on_pause=stop_on_pause)

    _end(connection, job)


@app.command()
@with_connection
def resume(
    *,
    job: Annotated[
        Path | None,
        typer.Argument(
            metavar="[JOB]",
            dir_okay=False,
            help="Its journal; if not given, the only unfinished one in this folder.",
        ),
    ] = None,
    stop_on_pause: StopOption = False,
    changed_input: ChangedOption = "refuse",
    connection: Connection,
) -> None:
    """Go on with a job that was stopped or killed, at the exact row."""
    path = _unfinished(Path()) if job is None else job
    _apply(connection, path, stop_on_pause=stop_on_pause, changed_input=changed_input)


@app.command()
@with_connection
def undo(
    *,
    job: JobArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    connection: Connection,
) -> None:
    """Delete what a job has created, and restore what it has changed, after asking on a terminal.

    Records that somebody has changed since are left alone, and told. Records that the job has
    deleted do not come back.
    """
    client = connection.client()  # first: the key may stand before the answer
    report = standing_at(job).report
    what = f"delete {report.created:,} records, and restore {report.revised:,}"
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidArgumentError(
                f"undo would {what}: it asks on a terminal; without one, give --yes"
            )
        if not typer.confirm(f"Undo {job.name}: {what}?", err=True):
            raise fail("nothing was undone", ExitCode.ERROR)

    async def work(session: Session) -> ExitCode:
        return await imports_run.undo(session, job)

    _end(connection, work, client)


@app.command()
def jobs(
    folder: Annotated[
        Path,
        typer.Argument(metavar="[FOLDER]", exists=True, file_okay=False, help="Else this one."),
    ] = Path(),
    *,
    output: OutputOption = None,
) -> None:
    """List the jobs whose journals lie in a folder. No connection is needed."""
    with exits(), Output.on_stdout(output).rows() as writer:
        for info in find_jobs(folder):
            writer.add(job_row(info))


@app.command()
def report(
    job: JobArgument,
    *,
    files: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Write the result files there: success, error, unknown, unprocessed.",
        ),
    ] = None,
    output: OutputOption = None,
) -> None:
    """Show what came of a job so far, and write its result files. No connection is needed."""
    with exits():
        found = standing_at(job).report
        if files is not None:
            found.files = write_files(job, files)
        show_report(Output.on_stdout(output), found)
    raise typer.Exit(exit_code_for(found))


def _apply(
    connection: Connection,
    path: Path,
    *,
    stop_on_pause: bool,
    changed_input: Literal["refuse", "ignore"],
) -> None:
    async def job(session: Session) -> ExitCode:
        return await imports_run.apply(
            session, path, stop_on_pause=stop_on_pause, changed_input=changed_input
        )

    _end(connection, job)


def _end(
    connection: Connection,
    job: Callable[[Session], Awaitable[ExitCode]],
    client: VtigerClient | None = None,
) -> None:
    """Do a job, and end the command with its exit code."""
    codes: list[ExitCode] = []

    async def work(session: Session) -> None:
        codes.append(await job(session))

    connection.run(work, client or connection.client())
    raise typer.Exit(codes[0])


def _unfinished(folder: Path) -> Path:
    found = find_jobs(folder)
    able = [info.path for info in found if info.state in ("planned", "applying")]
    if len(able) == 1:
        return able[0]
    names = ", ".join(f"{info.path.name} ({info.state})" for info in found)
    if able:
        raise JournalError(f"several jobs are unfinished here, give one: {names}")
    raise JournalError(f"no job is unfinished here{': ' if names else ''}{names}")
