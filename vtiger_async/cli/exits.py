"""How a command ends: the exit codes, and the one line that tells of an error."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

import typer

from vtiger_async.bulk.errors import BulkError
from vtiger_async.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidArgumentError,
    InvalidIdError,
    QuerySyntaxError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    TransportError,
    VtigerError,
)
from vtiger_async.exports.errors import ExportError
from vtiger_async.mirror.errors import SinkError

__all__ = ["EXIT_CODES", "ExitCode", "exit_code_of", "exits", "fail", "note", "printable"]


class ExitCode(IntEnum):
    """What an exit code of `vtiger-async` means; they are stable."""

    OK = 0
    ERROR = 1
    """Vtiger said no, or a claim of the demo is false."""
    USAGE = 2
    """The command cannot be carried out as it stands; no call was spent."""
    PARTLY = 3
    """Some of it was done."""
    AUTHENTICATION = 4
    """User name or access key are wrong."""
    QUOTA = 5
    """The quota is used up: the same command can go on later."""
    UNAVAILABLE = 7
    """The instance cannot be reached, or failed."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the number of the signal, as shells count."""


EXIT_CODES: Final[dict[type[VtigerError], ExitCode]] = {
    VtigerError: ExitCode.ERROR,
    BulkError: ExitCode.USAGE,
    ExportError: ExitCode.USAGE,
    SinkError: ExitCode.USAGE,
    ConfigurationError: ExitCode.USAGE,
    InvalidArgumentError: ExitCode.USAGE,
    InvalidIdError: ExitCode.USAGE,
    QuerySyntaxError: ExitCode.USAGE,
    AuthenticationError: ExitCode.AUTHENTICATION,
    QuotaExhaustedError: ExitCode.QUOTA,
    RateLimitError: ExitCode.QUOTA,
    TransportError: ExitCode.UNAVAILABLE,
    ServerError: ExitCode.UNAVAILABLE,
}
"""The exit code of each class of errors; a class that is not here has that of its parent."""


def exit_code_of(error: VtigerError) -> ExitCode:
    """Return the exit code for an error.

    An internal error of the server with HTTP 400 is mostly the request's fault (measured on Vtiger
    8.4), and asking again would not help: it counts as an error, not as unavailable.
    """
    if isinstance(error, ServerError) and error.status is not None and error.status < 500:
        return ExitCode.ERROR
    return next(EXIT_CODES[cls] for cls in type(error).__mro__ if cls in EXIT_CODES)


def printable(text: str) -> str:
    """Return the text with control characters escaped, so that data cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def note(text: str) -> None:
    """Print one line on stderr."""
    typer.echo(printable(text), err=True)


def fail(text: str, code: ExitCode) -> typer.Exit:
    """Print one line on stderr, and return what ends the command with a code: raise it."""
    note(f"error: {text}")
    return typer.Exit(code)


@contextmanager
def exits() -> Generator[None]:
    """Turn an error of the package into one line on stderr and its exit code."""
    try:
        yield
    except VtigerError as error:
        ending = fail(str(error), exit_code_of(error))
        if isinstance(error, QuerySyntaxError) and error.snippet:
            for line in error.snippet.splitlines():
                note(line)
        raise ending from None
    except (KeyboardInterrupt, typer.Abort):
        raise fail("interrupted", ExitCode.INTERRUPTED) from None
