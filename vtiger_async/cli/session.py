"""What the commands share: the options of the connection, and a client that is set up with them."""

from __future__ import annotations

import functools
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

from vtiger_async.cli.exits import note
from vtiger_async.cli.output import Format, Output
from vtiger_async.cli.quota_store import store_at, told_on_stderr
from vtiger_async.cli.sharing import sharing
from vtiger_async.client import VtigerClient
from vtiger_async.errors import ApiError, ConfigurationError
from vtiger_async.quota.snapshot import Quota

if TYPE_CHECKING:
    from vtiger_async.recording import Recorder
    from vtiger_async.stores import QuotaStore

__all__ = [
    "RECORDER",
    "Connection",
    "Job",
    "OutputOption",
    "Session",
    "connected",
    "quota_line",
    "with_connection",
]

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
class Connection:
    """What the shared options say, before anything is opened or asked for.

    Attributes:
        url: The instance, if one was given.
        username: The user, if one was given.
        key_stdin: Whether standard input holds the access key.
        edition: The instance's edition, if it was given.
        users: Its paid users, if they were given.
        session_api: Whether calls go over webservice.php.
        store: Where the quota is kept, if it is shared.
        output: The format of the data that was chosen.
        verbose: Whether to tell on stderr what the client does.
    """

    url: str | None
    username: str | None
    key_stdin: bool
    edition: str | None
    users: int | None
    session_api: bool
    store: QuotaStore | None
    output: Format | None
    verbose: bool

    def client(self, **more: Any) -> VtigerClient:
        """Return a client that has not made a call yet.

        Args:
            more: Further arguments of `VtigerClient`.

        Raises:
            ConfigurationError: There is no instance, no user or no key, or they make no sense.
        """
        if not self.url:
            raise ConfigurationError("no instance: give --url, or set VTIGER_URL")
        if not self.username:
            raise ConfigurationError("no user: give --username, or set VTIGER_USERNAME")
        return VtigerClient(
            self.url,
            self.username,
            _access_key(from_stdin=self.key_stdin),
            edition=self.edition,
            users=self.users,
            recorder=RECORDER.get(),
            session_api=self.session_api,
            quota=self.store,
            **more,
        )

    def run(self, job: Job, client: VtigerClient) -> None:
        """Do a job with a client, and close the client.

        Args:
            job: What to do.
            client: What `client()` gave.
        """
        with _logging(verbose=self.verbose), told_on_stderr(self.store):
            anyio.run(_run, job, client, self.output)


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
    session_api: Annotated[
        bool,
        typer.Option(
            "--session-api",
            envvar="VTIGER_SESSION_API",
            help="Call over webservice.php, as open-source servers have it, and not over REST.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    quota_store: Annotated[
        str | None,
        typer.Option(
            "--quota-store",
            metavar="URL",
            envvar="VTIGER_QUOTA",
            help="Where the quota is shared with other processes: sqlite:///absolute/path, "
            "redis://host:6379/0 or postgresql://host/database. A password belongs into the "
            "variable: arguments are seen by every process.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
) -> Connection:
    """Return the values of the shared options."""
    store = None if not quota_store else store_at(quota_store)
    return Connection(url, username, key_stdin, edition, users, session_api, store, output, verbose)


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


def with_connection(body: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the shared options besides those of `body`.

    `body` is called with its own, and with the shared ones as `connection`.
    """
    return sharing(body, "connection", _options)


def connected(body: Callable[..., Job]) -> Callable[..., None]:
    """Return a command that has the shared options besides those of `body`, and runs its job.

    `body` itself runs before the event loop does: there it may read standard input and ask, and
    Ctrl-C ends it at once.
    """

    @functools.wraps(body)
    def command(*, connection: Connection, **given: Any) -> None:
        client = connection.client()  # first: the key may stand before the body's own input
        connection.run(body(**given), client)

    return with_connection(command)


async def _run(job: Job, client: VtigerClient, output: Format | None) -> None:
    async with client as crm:
        try:
            await job(Session(crm, Output.on_stdout(output)))
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
