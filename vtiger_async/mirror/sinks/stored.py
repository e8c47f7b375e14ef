"""What every sink keeps beside the rows: which form it has, which CRM it is of, and the states."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.states import ModuleState

__all__ = [
    "FORM",
    "check_form",
    "check_instance",
    "file_name",
    "flush_folder",
    "moment",
    "state_of",
]

FORM: Final = 1
"""The form in which this version keeps a mirror."""


def check_form(what: str, form: object) -> None:
    """Refuse a mirror of another form.

    Args:
        what: What the mirror is kept in, for the message.
        form: The form that it has.

    Raises:
        SinkError: This version does not know it.
    """
    if form != FORM:
        raise SinkError(
            f"{what} holds a mirror in the form {form!r}, and this version knows {FORM}: "
            "use the version that wrote it, or another place"
        )


def check_instance(what: str, kept: object, instance: str) -> None:
    """Refuse a mirror of another instance.

    Args:
        what: What the mirror is kept in, for the message.
        kept: The base URL that it was made for.
        instance: The base URL that it is opened for.

    Raises:
        SinkError: They differ.
    """
    if kept != instance:
        raise SinkError(f"{what} holds a mirror of {kept}, not of {instance}: use another place")


def state_of(what: str, text: str) -> ModuleState:
    """Return a state that was kept as text.

    Args:
        what: What the mirror is kept in, for the message.
        text: The text.

    Raises:
        SinkError: It is none.
    """
    try:
        return ModuleState.of_text(text)
    except ValueError as error:
        raise SinkError(f"{what} is damaged, or of another version: {error}") from None


def moment(at: float) -> str:
    """Return Unix seconds as the cell of a timestamp; parts of a second are dropped."""
    return datetime.fromtimestamp(at // 1, UTC).strftime("%Y-%m-%d %H:%M:%S")


def file_name(name: str) -> str:
    """Return a name of the server's as one of a file or folder: of it no path can be made."""
    return quote(name, safe=" ").replace(".", "%2E")


def flush_folder(folder: Path) -> None:
    """Make the names of files in a folder durable, where the operating system can."""
    if os.name == "posix":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
