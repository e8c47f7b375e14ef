"""What no file of the project may hold."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".cfg", ".json", ".csv", ".txt", ".typed", ""}
SKIPPED = {"__pycache__", "build", "dist", "htmlcov", "site"}

UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
MACHINE_PATH = re.compile(
    r"(?<![\w.:/*-])(?:/(?:home|root|work|opt|mnt|Users)/\w|[A-Z]:\\\\?Users)"
)
SILENCED = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:\s*ignore)")
WITH_REASON = re.compile(
    r"#\s*(?:noqa: |type: ignore|pyright: ignore)[\w\[\], -]*?(?: - |  # )\S+ \S+"
)


def files(*folders: str) -> Iterator[Path]:
    """Yield the project's own text files, or those of some of its folders."""
    for start in folders or (".",):
        for folder, below, names in os.walk(ROOT / start):
            below[:] = [
                name
                for name in below
                if name not in SKIPPED
                and (name == ".ci" or not name.startswith("."))
                and not name.endswith(".egg-info")
            ]
            for name in names:
                path = Path(folder, name)
                if path.suffix in TEXT and not name.startswith(".cov"):
                    yield path


def matches(pattern: re.Pattern[str], *folders: str) -> list[str]:
    """Return every line that the pattern is found in, as `file:line: text`."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files(*folders)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]


def sleeps(path: Path) -> Iterator[int]:
    """Yield the lines on which a file waits by a clock that virtual time cannot reach."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id="asyncio" | "time" | "trio"), attr="sleep"):
                yield node.lineno
            case ast.ImportFrom(module="asyncio" | "time" | "trio", names=names):
                if any(alias.name == "sleep" for alias in names):
                    yield node.lineno
            case _:
                pass


def test_the_walk_sees_the_project() -> None:
    """The checks below look at the package, the tests, the docs and the CI script."""
    seen = {str(path.relative_to(ROOT)) for path in files()}
    assert seen >= {"vtiger_async/errors.py", "tests/conftest.py", "docs/index.md", ".ci/run"}


def test_nothing_is_left_unfinished() -> None:
    """No file holds a note that something is still to be done."""
    assert not matches(UNFINISHED)


def test_no_file_names_a_path_of_some_machine() -> None:
    """No file holds an absolute path that only exists on one machine."""
    assert not matches(MACHINE_PATH)


@pytest.mark.parametrize("folder", ["vtiger_async", "tests"])
def test_every_wait_goes_through_the_clock(folder: str) -> None:
    """Neither the package nor a test sleeps where virtual time cannot reach."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files(folder)
        if path.suffix == ".py"
        for line in sleeps(path)
    ]
    assert not found


def test_every_silenced_check_gives_its_reason() -> None:
    """A comment that silences a checker in the package says why beside it."""
    silenced = matches(SILENCED, "vtiger_async")
    assert [line for line in silenced if not WITH_REASON.search(line)] == []
