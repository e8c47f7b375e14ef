"""`vtiger-async record`: runs a command, and keeps its calls in a file that can be given away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vtiger_async.cli.exits import ExitCode, exits, fail, note
from vtiger_async.cli.session import RECORDER
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.recording import Recorder

__all__ = ["SETTINGS", "record"]

SETTINGS = {"allow_interspersed_args": False}
"""How the command is read: what follows the first word belongs to the other command."""

_NOT_RECORDED = ("demo", "record", "sandbox")


def record(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND ...]",
            help="A command with its arguments and options. Without one: tour.",
        ),
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", dir_okay=False, help="The file; one that is there is replaced at the end."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the tour.")] = False,
) -> None:
    """Run a command, and write what passed between it and the instance, scrubbed.

    No key, password or session is in the file. Names, addresses, phone numbers and free text are
    replaced by pseudonyms; for that each module is described, which costs a call for each that the
    command does not describe itself. `sandbox check FILE` tells where the sandbox differs.

    The exit code is that of the command.
    """
    words = command or ["tour"]
    if yes and words[0] == "tour":
        words = [*words, "--yes"]
    with exits():
        if words[0] in _NOT_RECORDED:
            raise InvalidArgumentError(f"{words[0]} makes no calls that could be recorded")
        recorder = Recorder(out)
    code = _run(context, words, recorder)
    if not len(recorder):
        note("no answer came: nothing was written")
        raise typer.Exit(code)
    try:
        recorder.save()
    except OSError as error:
        raise fail(f"cannot write {out}: {error.strerror}", ExitCode.ERROR) from None
    note(f"{len(recorder)} exchanges are in {out}")
    raise typer.Exit(code)


def _run(context: typer.Context, words: list[str], recorder: Recorder) -> int:
    """Run a command of the root with its calls recorded, and return its exit code."""
    root = context.find_root()
    token = RECORDER.set(recorder)
    try:
        root.command.main(words, prog_name=root.info_name)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    finally:
        RECORDER.reset(token)
    return 0
