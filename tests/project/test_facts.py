"""The page of facts names tests that exist, on both sides of each fact."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/explanation/facts.md"

HEADS = [
    ["fact", "what the client does", "client's test", "sandbox's test"],
    ["fact, not measured", "what the client does", "client's test", "sandbox's test"],
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
NOTHING = "Nothing to do"
EXCUSE = "cannot be doubled: "


def tables() -> list[list[str]]:
    """The cells of all lines of the page's tables, but for the rulers."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if line.startswith("|")
    ]
    return [row for row in rows if set(row) != {"---"}]


FACTS = [row for row in tables() if row not in HEADS]
NAMED = sorted({found for row in FACTS for cell in row for found in TEST.findall(cell)})


@cache
def documented(path: str) -> dict[str, str | None]:
    """The docstring of each test of a file, by name; a class stands before its test."""
    found: dict[str, str | None] = {}
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        members = node.body if isinstance(node, ast.ClassDef) else [node]
        before = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for member in members:
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
                found[before + member.name] = ast.get_docstring(member)
    return found


def test_the_page_is_a_table_of_facts() -> None:
    """Every line has four cells, each fact stands once, and there are well over a hundred."""
    assert [row for row in tables() if len(row) != 4] == []
    facts = [row[0] for row in FACTS]
    assert sorted(set(facts)) == sorted(facts)
    assert len(facts) > 150


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[f"{path}::{name}" for path, name in NAMED])
def test_a_test_that_is_named_exists(path: str, name: str) -> None:
    """The file has such a test, and a sentence says what it shows."""
    assert (ROOT / path).is_file()
    assert name.rpartition("::")[2].startswith("test_")
    assert documented(path).get(name), f"{path} has no {name} with a docstring"


@pytest.mark.parametrize("row", FACTS, ids=[row[0] for row in FACTS])
def test_a_fact_has_its_tests(row: list[str]) -> None:
    """Each side has a test; or the client has nothing to do, or the sandbox cannot, and why."""
    _, does, client, sandbox = row
    assert does
    sides = [[path for path, _ in TEST.findall(cell)] for cell in (client, sandbox)]
    assert any(sides), "neither the client nor the sandbox is tested"
    assert all(path.startswith(("tests/client/", "tests/vtql/")) for path in sides[0])
    assert all(path.startswith("tests/sandbox/") for path in sides[1])
    if not sides[0]:
        assert client == "-"
        assert does.startswith(NOTHING)
    if not sides[1]:
        assert sandbox.startswith(EXCUSE)
        assert len(sandbox) > len(EXCUSE) + 20
    if len(TEST.findall(client)) != client.count("`") // 2:
        pytest.fail(f"not the name of a test: {client}")


def test_the_page_is_in_the_menu() -> None:
    """The docs' menu leads to it."""
    assert "explanation/facts.md" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
