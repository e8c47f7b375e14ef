"""The import graph: layers, and no circles."""

from __future__ import annotations

import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_imports_keep_to_the_contracts() -> None:
    """Every import is allowed by the contracts in pyproject.toml."""
    # In a process of its own: import-linter switches off every logger that it does not know.
    start = "from importlinter.cli import lint_imports_command as run; run()"
    result = subprocess.run(
        [sys.executable, "-c", start, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_module_imports_itself_in_a_circle() -> None:
    """Not even a package's `__init__` and its own modules import each other both ways."""
    graph = grimp.build_graph("vtiger_async", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    # Sandbox.client() imports the public package while it runs, which no import waits for.
    for name in imports:
        if name.startswith("vtiger_async.sandbox"):
            imports[name].discard("vtiger_async")
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_one_file_of_the_client_imports_the_http_library() -> None:
    """Outside the sandbox and the command line, only transport/http.py imports httpx."""
    graph = grimp.build_graph("vtiger_async", cache_dir=None, include_external_packages=True)
    importers = {
        name
        for library in ("httpx", "httpcore")
        if library in graph.modules
        for name in graph.find_modules_that_directly_import(library)
        if not re.match(r"vtiger_async\.(cli|sandbox)\b", name)
    }
    assert importers == {"vtiger_async.transport.http"}
