"""`vtiger-async sandbox`: a Vtiger of one's own over HTTP."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from vtiger_async.cli.exits import ExitCode, exits, printable
from vtiger_async.clock import Clock, ScaledClock
from vtiger_async.errors import ConfigurationError
from vtiger_async.recording import read_recording

if TYPE_CHECKING:
    from vtiger_async.sandbox.check import Report

__all__ = ["MinuteWindow", "ProfileChoice", "app"]

_SHOWN = 10
"""How many differences of one exchange are shown without --all."""

app = typer.Typer(help="A simulated Vtiger to try things on.", no_args_is_help=True)
"""The commands under `vtiger-async sandbox`."""


class MinuteWindow(StrEnum):
    """How the minute of the sandbox's quota moves."""

    FIXED = "fixed"
    SLIDING = "sliding"


class ProfileChoice(StrEnum):
    """What kind of Vtiger the sandbox is."""

    CLOUD = "cloud"
    OSS_8_4 = "oss-8.4"


@app.command()
def serve(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    edition: Annotated[str, typer.Option(help="Whose limits hold.")] = "one-professional",
    users: Annotated[int, typer.Option(min=0, help="Paid users: more calls a day.")] = 5,
    store: Annotated[
        Path | None, typer.Option(dir_okay=False, help="A file that keeps the records.")
    ] = None,
    records: Annotated[
        int | None, typer.Option(min=0, help="How many records there are at first.")
    ] = None,
    access_key: Annotated[
        str | None,
        typer.Option(
            envvar="VTIGER_ACCESS_KEY", help="The access key of admin; it opens this sandbox only."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="What records and faults are drawn from.")] = 0,
    profile: Annotated[
        ProfileChoice, typer.Option(help="As the manuals say, or as Vtiger 8.4 was measured.")
    ] = ProfileChoice.CLOUD,
    minute_window: Annotated[
        MinuteWindow, typer.Option(help="How the minute of the quota moves.")
    ] = MinuteWindow.FIXED,
    speed: Annotated[
        float,
        typer.Option(
            min=0, help="How many times as fast time runs; at 0, POST /__sandbox__/clock moves it."
        ),
    ] = 1.0,
) -> None:
    """Serve a sandbox over HTTP until it is interrupted.

    One JSON line with url, username and access_key goes to stdout once it answers.
    """
    try:
        # Here, so that the other commands neither need the extra nor wait for its imports.
        from vtiger_async.sandbox import Sandbox
        from vtiger_async.sandbox.server import serve as serve_sandbox
    except ImportError as error:
        typer.echo(f"{error}: see pip install 'vtiger-async[sandbox]'", err=True)
        raise typer.Exit(2) from None
    try:
        served = Sandbox(
            edition,
            users,
            seed,
            records,
            store,
            _clock(speed),
            profile=profile.value,
            access_key=access_key,
            minute_window=minute_window.value,
        )
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        anyio.run(serve_sandbox, served.app, served.credentials(), host, port)
    except OSError as error:
        typer.echo(f"cannot listen on {host}:{port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    finally:
        served.close()


@app.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, help="What `record` wrote; or a folder with a list for each operation."
        ),
    ],
    *,
    profile: Annotated[
        ProfileChoice | None,
        typer.Option(help="What to compare with; else what the recording seems to be of."),
    ] = None,
    show_all: Annotated[
        bool, typer.Option("--all", help=f"Show more than {_SHOWN} differences of an exchange.")
    ] = False,
) -> None:
    """Tell where the sandbox answers otherwise than a recorded instance. No call is made to that.

    The exchanges are sent to a fresh sandbox in their order; records that their answers speak of
    are put there first. The exit code is 0 where all agree, and 1 where some do not.
    """
    with exits():
        recording = read_recording(file)
    try:
        from vtiger_async.sandbox.check import check as check_recording
    except ImportError as error:
        typer.echo(f"{error}: see pip install 'vtiger-async[sandbox]'", err=True)
        raise typer.Exit(2) from None
    with exits():
        report = anyio.run(check_recording, recording, profile.value if profile else None)
    _print(report, shown=None if show_all else _SHOWN)
    raise typer.Exit(ExitCode.ERROR if report.differing else ExitCode.OK)


def _print(report: Report, shown: int | None) -> None:
    for share in report.shares:
        counts = f"{share.agreed:5} of {share.counted:5}"
        typer.echo(f"{printable(share.operation):24}{counts}  {share.share:6.1%}")
    if report.skipped:
        typer.echo(f"{report.skipped} not compared: refused by the quota, or not of Vtiger itself")
    for item in report.differing:
        typer.echo("\n" + printable(f"{item.operation} {item.name}"))
        for difference in item.differences[:shown]:
            typer.echo("  " + printable(str(difference)))
        if shown is not None and len(item.differences) > shown:
            typer.echo(f"  and {len(item.differences) - shown} more: --all shows them")


def _clock(speed: float) -> Clock | None:
    """Return the clock for a speed; None for real time."""
    if speed == 0:
        from vtiger_async.sandbox import ManualClock

        return ManualClock()
    return None if speed == 1 else ScaledClock(speed)
