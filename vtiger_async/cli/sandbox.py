"""`vtiger-async sandbox`: a Vtiger of one's own over HTTP."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import anyio
import typer

from vtiger_async.clock import Clock, ScaledClock
from vtiger_async.errors import ConfigurationError

__all__ = ["MinuteWindow", "ProfileChoice", "app"]

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


@app.callback()
def sandbox() -> None:
    """Keep `serve` a command of its own: with one command alone, typer would leave out its name."""


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

    One JSON line with url, username and access_key goes to stdout once it answers. The commands
    call it over REST, and with --session-api over webservice.php.
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


def _clock(speed: float) -> Clock | None:
    """Return the clock for a speed; None for real time."""
    if speed == 0:
        from vtiger_async.sandbox import ManualClock

        return ManualClock()
    return None if speed == 1 else ScaledClock(speed)
