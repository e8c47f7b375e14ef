"""A sandbox in another process, for the tests of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cli_runs import Instance, serving
from import_runs import unlimited


@pytest.fixture(scope="session")
def served() -> Iterator[Instance]:
    """A sandbox for all tests of the command line."""
    with serving() as instance:
        yield instance


@pytest.fixture(scope="module")
def roomy() -> Iterator[Instance]:
    """A sandbox that refuses no call, for the tests of one file: their calls may outlive them."""
    with unlimited() as instance:
        yield instance


@pytest.fixture
def instance(served: Instance, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """The sandbox as it was at first, with the environment set up for it."""
    served.reset()
    for name in [name for name in os.environ if name.startswith("VTIGER_")]:
        monkeypatch.delenv(name)
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    return served
