"""The project's metadata: licence, dependencies, changelog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHANGES = ROOT / "docs/changes"
KINDS = ("added", "changed", "deprecated", "fixed", "removed", "security")


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    """The parsed pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_licence_is_an_expression(pyproject: dict[str, Any]) -> None:
    """The licence is an SPDX expression with its file (PEP 639), and no classifier repeats it."""
    project = pyproject["project"]
    assert project["license"] == "MIT"
    assert project["license-files"] == ["LICENSE"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")
    assert not [line for line in project["classifiers"] if line.startswith("License")]


def test_the_core_depends_on_six_packages(pyproject: dict[str, Any]) -> None:
    """Installing the client alone brings nothing more than it needs to speak to Vtiger."""
    names = {re.split(r"[\[<>=!~ ]", line)[0] for line in pyproject["project"]["dependencies"]}
    assert names == {"anyio", "attrs", "cattrs", "httpx", "sniffio", "tenacity"}


def test_every_runtime_dependency_states_its_lowest_version(pyproject: dict[str, Any]) -> None:
    """Each one is `name>=version`, which is what the min_deps session installs."""
    project = pyproject["project"]
    extras = project["optional-dependencies"]
    every = [*project["dependencies"]]
    heavy = {"arrow", "dlt", "duckdb"}
    names = sorted(set(extras) - {"all", *heavy})
    assert extras["all"] == [f"vtiger-async[{','.join(names)}]"]
    for name in (*names, *sorted(heavy)):
        every += extras[name]
    for line in every:
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9]+(\.[0-9]+)+", line), line


def test_the_changelog_tells_of_this_version(pyproject: dict[str, Any]) -> None:
    """The version is either described in the changelog, or its fragments wait to be."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "<!-- towncrier release notes start -->" in changelog
    fragments = [path for path in CHANGES.glob("*.md") if path.name != "README.md"]
    assert fragments or f"\n## {pyproject['project']['version']} (" in changelog


def test_every_changelog_fragment_is_well_formed() -> None:
    """A fragment is named `+subject.kind.md` and holds whole sentences in one paragraph."""
    for path in CHANGES.iterdir():
        assert re.fullmatch(rf"\+[a-z0-9-]+\.({'|'.join(KINDS)})\.md", path.name), path.name
        text = path.read_text(encoding="utf-8")
        assert text == text.strip() + "\n", path.name
        assert "\n\n" not in text, path.name
        assert text[0].isupper() or text[0] == "`", path.name
        assert text.endswith(".\n"), path.name


def test_every_kind_of_fragment_has_its_heading(pyproject: dict[str, Any]) -> None:
    """The kinds that a fragment may be of are those that the changelog has headings for."""
    types = pyproject["tool"]["towncrier"]["type"]
    assert tuple(sorted(row["directory"] for row in types)) == KINDS
