"""What the commands share: the options of the connection, and a client that is set up with them."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import anyio
import typer
from attrs import frozen

from vtiger_async.cli.exits import exits, note
from vtiger_async.cli.output import Format, Output
from vtiger_async.client import VtigerClient
from vtiger_async.client.core import Quota
from vtiger_async.errors import ApiError, ConfigurationError

if TYPE_CHECKING:
    from vtiger_async.recording import Recorder

__all__ = ["RECORDER", "Job", "OutputOption", "Session", "connected", "quota_line"]

RECORDER: ContextVar[Recorder | None] = ContextVar("vtiger_async_recorder", default=None)
"""What records the calls of a command, while `vtiger-async record` runs it."""

_PANEL = "Connection"
_KEY = "VTIGER_ACCESS_KEY"
_log = logging.getLogger("vtiger_async.cli")

OutputOption = Annotated[
    Format | None,
    typer.Option(
        "-o", "--output", help="How data is written. A table on a terminal, else JSON lines."
    ),
]
"""The option for the format of the data."""


@frozen
class Session:
    """What a command works with.

    Attributes:
        crm: The client.
        out: Standard output.
    """

    crm: VtigerClient
    out: Output


Job: TypeAlias = Callable[[Session], Coroutine[Any, Any, None]]
"""What a command does once it is connected."""


@frozen
class _Options:
    """The values of the shared options."""

    client: VtigerClient
    output: Format | None
    verbose: bool


def _options(
    *,
    output: OutputOption = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Tell on stderr what the client does.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(envvar="VTIGER_URL", help="The instance.", rich_help_panel=_PANEL),
    ] = None,
    username: Annotated[
        str | None,
        typer.Option(envvar="VTIGER_USERNAME", help="The user.", rich_help_panel=_PANEL),
    ] = None,
    key_stdin: Annotated[
        bool,
        typer.Option(
            "--key-stdin",
            help="Read the access key from the first line of standard input. "
            f"Else it is taken from {_KEY}, or asked for on a terminal.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    edition: Annotated[
        str | None,
        typer.Option(
            envvar="VTIGER_EDITION",
            help="The instance's edition: its limits are then kept from the first call on.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(
            min=0,
            envvar="VTIGER_USERS",
            help="Paid users: more calls a day.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> _Options:
    """Return the values of the shared options, with a client that has not made a call yet."""
    if not url:
        raise ConfigurationError("no instance: give --url, or set VTIGER_URL")
    if not username:
        raise ConfigurationError("no user: give --username, or set VTIGER_USERNAME")
    client = VtigerClient(
        url,
        username,
        _access_key(from_stdin=key_stdin),
        edition=edition,
        users=users,
        recorder=RECORDER.get(),
    )
    return _Options(client, output, verbose)


def _access_key(*, from_stdin: bool) -> str:
    """Return the access key; it is never an argument, which every process may read."""
    if from_stdin:
        key = sys.stdin.readline().strip()
        if not key:
            raise ConfigurationError("--key-stdin: standard input holds no access key")
        return key
    if key := os.environ.get(_KEY, "").strip():
        return key
    if not sys.stdin.isatty():
        raise ConfigurationError(f"no access key: set {_KEY}, or give --key-stdin")
    return str(typer.prompt("Access key", hide_input=True, err=True))


def connected(body: Callable[..., Job]) -> Callable[..., None]:
    """Return a command that has the shared options besides those of `body`, and runs its job.

    `body` itself runs before the event loop does: there it may read standard input and ask, and
    Ctrl-C ends it at once.
    """
    own = inspect.signature(body, eval_str=True).parameters.values()
    shared = list(inspect.signature(_options, eval_str=True).parameters.values())

    @functools.wraps(body)
    def command(**given: Any) -> None:
        with exits():
            options = _options(**{p.name: given.pop(p.name) for p in shared})
            job = body(**given)
            with _logging(verbose=options.verbose):
                anyio.run(_run, job, options)

    # typer reads the signature; what `wraps` left there is the body's own.
    del command.__wrapped__
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared)]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # a function may have one
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


async def _run(job: Job, options: _Options) -> None:
    async with options.client as crm:
        try:
            await job(Session(crm, Output.on_stdout(options.output)))
            await _describe_recorded(crm)
        finally:
            _log.info(quota_line(crm.quota))


async def _describe_recorded(crm: VtigerClient) -> None:
    """Describe what a recording speaks of: what is not described has to be scrubbed whole."""
    recorder = RECORDER.get()
    for module in recorder.undescribed() if recorder else ():
        with suppress(ApiError):
            await crm.describe(module, refresh=True)


def quota_line(quota: Quota) -> str:
    """Return what is left of the quota, on one line."""
    windows = (quota.minute, quota.hour, quota.day)
    return "left of the quota: " + ", ".join(
        f"{use.remaining if use.remaining is not None else '?'} in this {use.name}"
        for use in windows
    )


@contextmanager
def _logging(*, verbose: bool) -> Generator[None]:
    """Print the package's log on stderr while the block runs, if asked to."""
    if not verbose:
        yield
        return
    logger, handler = logging.getLogger("vtiger_async"), _Notes()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Notes(logging.Handler):
    """Prints each entry of a log as one line on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        note(record.getMessage())
