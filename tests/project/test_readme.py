"""The README's promises: its first two commands, and its quick start."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_the_first_command_runs_the_main_job() -> None:
    """The first sh block is one line that installs everything and runs the demo."""
    first = blocks("sh")[0]
    assert first.count("\n") == 1
    assert first.startswith("python3 -m venv .venv && ")
    assert "pip install -q '.[all]'" in first
    assert first.endswith(" && .venv/bin/vtiger-async demo\n")


def test_the_second_command_passes_the_tests() -> None:
    """The second sh block is one line that installs the test group and runs pytest."""
    second = blocks("sh")[1]
    assert second.count("\n") == 1
    assert second.startswith("python3 -m venv .venv && .venv/bin/pip install -q -U pip && ")
    assert "--group test" in second
    assert second.endswith(" && .venv/bin/python -m pytest -q -n auto\n")


def test_five_lines_say_what_this_is() -> None:
    """Above the commands stand the title and five lines of text, and nothing else."""
    above = README.partition("\n```sh\n")[0].splitlines()
    text = [line for line in above[1:] if line and not line.endswith(":")]
    assert above[0].startswith("# ")
    assert len(text) == 5


def test_the_quick_start_has_ten_lines() -> None:
    """The first Python block is ten lines long, blank ones not counted."""
    first = blocks("python")[0]
    assert len([line for line in first.splitlines() if line.strip()]) == 10
    assert README.index("```python") > README.index("pytest -q -n auto\n")


def test_ci_takes_its_test_command_from_here() -> None:
    """The CI script holds no pytest command of its own that could drift from the README's."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert "README.md" in script
    assert "pytest" not in re.sub(r"^\s*#.*$", "", script, flags=re.MULTILINE)
