"""The project's checks: `nox` runs the everyday ones, `nox -l` lists them all."""

from __future__ import annotations

import sys
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests", "docs"]

PYPROJECT = nox.project.load_toml("pyproject.toml")

PYTEST = ("-m", "pytest", "-q", "-n", "auto")
"""The whole suite, on all cores."""

WITHOUT_ITS_EXTRA = """
try:
    import vtiger_async.{part}
except ImportError as error:
    assert "vtiger-async[{part}]" in str(error), error
    print(error)
else:
    raise SystemExit("vtiger_async.{part} imports without its extra")
"""


def group(name: str) -> tuple[str, ...]:
    """Return the requirements of one dependency group; needs no new pip, unlike `--group`."""
    return nox.project.dependency_groups(PYPROJECT, name)


def lowest_versions() -> list[str]:
    """Return `name==lowest` for every runtime dependency, read from its `>=` in pyproject."""
    project = PYPROJECT["project"]
    declared = [*project["dependencies"]]
    for requirements in project["optional-dependencies"].values():
        declared += requirements
    pins: list[str] = []
    for text in declared:
        requirement = Requirement(text)
        if requirement.name == project["name"]:
            continue  # the extra `all` names the other extras
        lowest = [s.version for s in requirement.specifier if s.operator == ">="]
        if len(lowest) != 1:
            msg = f"{text}: a runtime dependency states one lowest version"
            raise ValueError(msg)
        pins.append(f"{requirement.name}=={lowest[0]}")
    return sorted(set(pins))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, and what ruff finds suspicious."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types: pyright strict, and mypy strict."""
    session.install("-e", ".[all]", *group("types"))
    session.run("pyright")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, and fail under 95 % of branch coverage."""
    session.install("-e", ".[all]", *group("test"))
    session.run("coverage", "erase")
    session.run("coverage", "run", *PYTEST, *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def nightly(session: nox.Session) -> None:
    """Try the governor on 10,000 random histories a property, mirrors on 2,000 a sink, and kill."""
    session.install("-e", ".[all]", *group("test"))
    histories = {"VTIGER_ASYNC_HISTORIES": "10000"}
    session.run("python", "-m", "pytest", "-q", "tests/quota", *session.posargs, env=histories)
    kills = {
        "VTIGER_ASYNC_KILLS": "300",
        "VTIGER_ASYNC_ORGANISATIONS": "vtiger_async/cli/organisations.csv",
    }
    tests = ("tests/bulk/test_crashing.py", "tests/bulk/test_all_modes.py")
    session.run("python", "-m", "pytest", "-q", *tests, *session.posargs, env=kills)
    mirrored = {
        "VTIGER_ASYNC_MIRROR_HISTORIES": "2000",
        "VTIGER_ASYNC_MIRROR_SINK_HISTORIES": "2000",
        "VTIGER_ASYNC_MIRROR_KILLS": "50",
    }
    mirrors = (
        "tests/mirror/test_mirror_histories.py",
        "tests/mirror/test_history_sinks.py",
        "tests/mirror/test_mirror_kills.py",
    )
    # With what a naive loop loses on the same histories, and how each process ended.
    session.run(*("python", *PYTEST, "-rP", *mirrors, *session.posargs), env=mirrored)


@nox.session
def min_deps(session: nox.Session) -> None:
    """Run the tests that know a dependency on the lowest version of every one."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lowest_versions()) + "\n", encoding="utf-8")
    # The example's broker wants a newer redis than the client does.
    tools = [requirement for requirement in group("test") if requirement not in group("examples")]
    session.install("-e", ".[all]", *tools, "-c", str(constraints))
    session.run("python", "-m", "pip", "list")
    # Before 4.16, anyio leaves the socket of a cancelled connect to the garbage collector.
    leaks = "ignore::pytest.PytestUnraisableExceptionWarning"
    # The tests of the project's files and of what is pure touch none; how well four processes use
    # a quota depends on time, not on versions; and what a killed process leaves is tried of each
    # sink by other tests, too.
    apart = (
        "--ignore=tests/examples",
        "--ignore=tests/project",
        "--ignore=tests/quota",
        "--ignore=tests/vtql",
        "--ignore-glob=tests/sandbox/test_engine_*",
        "-k",
        "not test_four_processes and not test_history_sinks and not kills and not test_crashing",
    )
    # What a history tries is the mirror's own logic: a few of them pass every call of a dependency.
    few = {"VTIGER_ASYNC_MIRROR_HISTORIES": "40"}
    session.run("python", *PYTEST, "-W", leaks, *apart, *session.posargs, env=few)


@nox.session
def newest_deps(session: nox.Session) -> None:
    """Run all tests on the newest version of everything, transitive dependencies included."""
    session.install("-U", "--upgrade-strategy", "eager", "-e", ".[all]", *group("test"))
    session.run("python", *PYTEST, *session.posargs)


@nox.session
def no_extras(session: nox.Session) -> None:
    """Install the core alone: it works, and what needs an extra says which one."""
    session.install(".")
    session.chdir(session.create_tmp())  # not the checkout: the installed package is meant
    session.run("python", "-W", "error", "-c", "import vtiger_async")
    for part in ("sandbox", "cli"):
        session.run("python", "-c", WITHOUT_ITS_EXTRA.format(part=part))
    session.run("python", "-m", "vtiger_async", "demo", success_codes=[2])


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install("-e", ".[all]", *group("docs"))
    session.run("mkdocs", "build", "--strict", "--site-dir", "site", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the client beside bare httpx, the governor beside other limiters, and what is on top.

    Imports and mirrors run beside a bare client's loop, a mirror also beside DuckDB's own load.
    """
    session.install(".[all,duckdb]", *group("bench"))
    session.run("python", "benchmarks/overhead.py", *session.posargs)
    session.run("python", "benchmarks/admission.py")
    session.run("python", "benchmarks/bulk.py")
    session.run("python", "benchmarks/mirror.py")
    session.run("python", "benchmarks/governor.py")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, install the wheel into a fresh environment, and look at it there."""
    session.install("build")
    work = Path(session.create_tmp()).resolve()
    dist, fresh = work / "dist", work / "venv"
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist))
    (built,) = dist.glob("*.whl")
    session.run("python", "-m", "venv", "--clear", str(fresh))
    python = str(fresh / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python"))
    session.chdir(work)
    session.run(python, "-m", "pip", "install", "-q", f"{built}[all]", external=True)
    check = (
        "import importlib.metadata, importlib.resources, vtiger_async, vtiger_async.sandbox;"
        "assert importlib.resources.files(vtiger_async).joinpath('py.typed').is_file();"
        "version = importlib.metadata.version('vtiger-async');"
        f"assert version == {PYPROJECT['project']['version']!r} == vtiger_async.__version__;"
        "print(vtiger_async.__file__, version)"
    )
    session.run(python, "-W", "error", "-c", check, external=True)
    session.run(python, "-m", "vtiger_async", "--help", external=True, silent=True)
