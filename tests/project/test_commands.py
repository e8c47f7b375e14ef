"""What the README and the docs say of the command line is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from vtiger_async.cli import app
from vtiger_async.cli.exits import ExitCode

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shown_commands() -> list[str]:
    """Return every command line of ours that stands in a sh block of the README or the docs."""
    found: list[str] = []
    for page in PAGES:
        for block in re.findall(
            r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            found += re.findall(r"\bvtiger-async\b(?! *\[)[^&|\n]*", block)
    return found


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_shown_exists(line: str) -> None:
    """The command is there, and knows the options it is shown with."""
    _, *words = shlex.split(line)
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not getattr(command, "commands", {}), "a group, and not a command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_the_tutorial_lists_the_exit_codes() -> None:
    """The table of exit codes holds each code once."""
    tutorial = (ROOT / "docs/tutorial.md").read_text("utf-8")
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", tutorial, re.MULTILINE)]
    assert listed == sorted(ExitCode)
