"""What `import vtiger_async` brings along, in an interpreter that has imported nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import vtiger_async

ROOT = Path(__file__).resolve().parents[2]

EXTRAS = (
    "dlt",
    "duckdb",
    "multipart",
    "pyarrow",
    "python_multipart",
    "rich",
    "starlette",
    "typer",
    "uvicorn",
)
"""The packages that only an extra installs."""


def run(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter, with the checkout first on its path."""
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    return subprocess.run(
        [sys.executable, *flags, "-c", start + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The names of all modules that the import loads."""
    result = run("import vtiger_async, json\nprint(json.dumps(list(sys.modules)))", "-W", "error")
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


def test_the_import_stays_small(loaded: set[str]) -> None:
    """At most 40 of the package's own modules are loaded."""
    own = {name for name in loaded if name.partition(".")[0] == "vtiger_async"}
    assert 1 < len(own) <= 40, sorted(own)


def test_the_import_loads_neither_sandbox_nor_command_line(loaded: set[str]) -> None:
    """The sandbox, the command line and their dependencies stay out until they are asked for.

    httpx itself loads rich where it is installed, so rich says nothing about this package.
    """
    unwanted = [
        name
        for name in loaded
        if re.match(r"vtiger_async\.(cli|sandbox)\b", name)
        or name.partition(".")[0] in set(EXTRAS) - {"rich"}
    ]
    assert not unwanted


def test_some_names_are_loaded_when_they_are_asked_for(loaded: set[str]) -> None:
    """`dir` and `import *` have them all; a name that is none is an AttributeError."""
    assert not loaded & {"vtiger_async.client.sync", "vtiger_async.models.inventory"}
    assert set(vtiger_async.__all__) <= set(dir(vtiger_async))
    for name, module in (("LineItem", "models.inventory"), ("Sync", "client.sync")):
        vtiger_async.__dict__.pop(name, None)  # another test may have asked for it
        value = getattr(vtiger_async, name)
        assert value.__module__ == f"vtiger_async.{module}"
        assert vars(vtiger_async)[name] is value
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        vtiger_async.Nonsense  # type: ignore[attr-defined]  # noqa: B018 - what the test is about


WITHOUT_EXTRAS = f"for name in {EXTRAS!r}: sys.modules[name] = None  # as if not installed\n"


@pytest.mark.parametrize(
    ("statement", "extra"),
    [("import vtiger_async.sandbox", "sandbox"), ("import vtiger_async.cli", "cli")],
)
def test_a_missing_extra_is_named(statement: str, extra: str) -> None:
    """Without its extra, a part says in an ImportError how to install it."""
    result = run(WITHOUT_EXTRAS + statement)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(("ImportError:", "ModuleNotFoundError:"))
    assert f"vtiger-async[{extra}]" in last


def test_the_command_line_says_which_extra_it_wants() -> None:
    """Without the extra, `python -m vtiger_async` prints one sentence and no traceback."""
    result = run(
        WITHOUT_EXTRAS + "import runpy; sys.argv = ['vtiger-async', '--help']\n"
        "runpy.run_module('vtiger_async', run_name='__main__')"
    )
    assert result.returncode == 2
    assert "vtiger-async[cli]" in result.stderr
    assert "Traceback" not in result.stderr
    assert not result.stdout


def test_the_client_works_without_the_extras() -> None:
    """The client can be built and closed with the core dependencies alone."""
    result = run(
        WITHOUT_EXTRAS
        + "import anyio, vtiger_async\n"
        + "async def main():\n"
        + "    async with vtiger_async.VtigerClient('https://x.example', 'jo', 'key') as crm:\n"
        + "        print(type(crm).__name__)\n"
        + "anyio.run(main)",
        "-W",
        "error",
    )
    assert (result.returncode, result.stdout) == (0, "VtigerClient\n"), result.stderr
