"""`vtiger-async mirror`: modules kept in a database, in files or in a stream."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import quote

import typer

from vtiger_async.cli.exits import ExitCode
from vtiger_async.cli.mirror_run import Wanted, explain, run, status
from vtiger_async.cli.output import Output
from vtiger_async.cli.session import Connection, Session, with_connection
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.mirror.options import OnDrift
from vtiger_async.mirror.sink import Deletes

__all__ = ["mirror", "seconds_of"]

_EVERY: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(s|m|min|h|)", re.ASCII)
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float:
    """Return the seconds that `60s`, `5m`, `1h` or `90` say.

    Raises:
        InvalidArgumentError: It says none above 0.
    """
    found = _EVERY.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if seconds <= 0:
        raise InvalidArgumentError(f"--every is a time as 60s, 5m or 1h, not {text!r}")
    return seconds


@with_connection
def mirror(
    *,
    modules: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE...", help="As Accounts Contacts; or: status, with modules or without."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="URL",
            envvar="VTIGER_MIRROR",
            help="Where it is kept: sqlite:///crm.db, duckdb:///crm.duckdb, parquet:///folder, "
            "postgresql://host/database, jsonl:///folder, and to standard output jsonl:- or "
            "singer:-. A password belongs into the variable.",
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on for ever; Ctrl-C ends it in good order.")
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="With --follow: from round to round; else 60s."),
    ] = None,
    reconcile: Annotated[
        str,
        typer.Option(
            metavar="BUDGET",
            help="Calls a day to find what no changes tell: 5%, a number, or 0 for none.",
        ),
    ] = "5%",
    deletes: Annotated[
        Deletes, typer.Option(help="Mark the rows of records that are gone, or remove them.")
    ] = "tombstone",
    drift: Annotated[
        OnDrift, typer.Option(help="If a module's fields change: follow, leave it so, or fail.")
    ] = "evolve",
    line_items: Annotated[
        bool,
        typer.Option(
            "--line-items/--no-line-items",
            help="Retrieve quotes, orders and invoices for their lines, a call for each change.",
        ),
    ] = True,
    administrator: Annotated[
        bool | None,
        typer.Option(
            "--administrator/--no-administrator",
            help="Whether the user is one, to whom alone the server tells all changes. It is asked "
            "where this is not given.",
        ),
    ] = None,
    explains: Annotated[
        bool, typer.Option("--explain", help="Only tell what a round would cost.")
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With singer: and jsonl:-, the state to go on from."),
    ] = None,
    connection: Connection,
) -> None:
    """Bring a mirror of modules up to date, or keep it so.

    `mirror status [MODULE...] --to URL` shows where each module stands, without a call. The exit
    code is 3 where a module could not be brought up to date, and 5 where the quota was used up
    before.
    """
    place = _with_state(to, state)
    if modules[0] == "status":
        status(place, modules[1:], Output.on_stdout(connection.output))
        return
    if every is not None and not follow:
        raise InvalidArgumentError("--every goes with --follow")
    seconds = seconds_of(every or "60s")
    wanted = Wanted(modules, place, deletes, drift, reconcile, line_items, administrator)
    codes: list[ExitCode] = []

    async def job(session: Session) -> None:
        if explains:
            codes.append(await explain(session, wanted))
        else:
            codes.append(await run(session, wanted, seconds if follow else None))

    connection.run(job, connection.client())
    raise typer.Exit(codes[0])


def _with_state(to: str, state: str | None) -> str:
    if state is None:
        return to
    if "?" in to or to.partition(":")[0].lower() not in ("singer", "jsonl"):
        raise InvalidArgumentError("--state goes with --to singer:- or jsonl:-")
    return f"{to}?state={quote(state)}"
