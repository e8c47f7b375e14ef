"""Every Python snippet of the README and the docs runs, and prints what the page says it prints.

The snippets of a page share their names from top to bottom, as if they were pasted one after the
other. A `text` block that follows a snippet is what that snippet prints. A snippet that has a file
name for a title is a test file, and is given to pytest.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "```python" in path.read_text(encoding="utf-8")
]


def run_snippet(example: Example) -> None:
    """Run one snippet in the page's namespace, and keep what it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        PythonEvaluator()(example)
    example.namespace["_printed"] = printed.getvalue()


def compare_output(example: Example) -> None:
    """Check that a text block holds what the snippet above it printed."""
    assert example.namespace.pop("_printed") == example.parsed


def run_test_file(example: Example) -> None:
    """Give a snippet that is a whole test file to pytest, in a folder of its own."""
    options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "test_snippet.py")
        path.write_text(example.parsed, encoding="utf-8")
        result = subprocess.run(
            [sys.executable, "-m", "pytest", *options, path],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr


def find_test_files(document: Document) -> Iterator[Region]:
    """Find the snippets whose title is the name of a test file."""
    lexer = FencedCodeBlockLexer(language=r'python title="test_\w+\.py"')
    for region in lexer(document):
        region.parsed = region.lexemes["source"]
        region.evaluator = run_test_file
        yield region


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run_from_top_to_bottom(page: Path) -> None:
    """Each snippet runs, and prints exactly what the block below it shows."""
    python = CodeBlockParser("python", run_snippet)
    text = CodeBlockParser("text", compare_output)
    examples = list(Document.parse(str(page), python, text, find_test_files))
    assert examples
    for example in examples:
        example.evaluate()
