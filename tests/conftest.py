"""What every test shares: the event loops, and virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each async test on both event loops, or on virtual time where it is marked so."""
    if "anyio_backend" not in metafunc.fixturenames:
        return
    if metafunc.definition.get_closest_marker("virtual_time"):
        metafunc.parametrize("anyio_backend", ["virtual"], indirect=True)
    else:
        metafunc.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The event loop of one test; a virtual one jumps over every wait."""
    if request.param == "virtual":
        return "trio", {"clock": MockClock(autojump_threshold=0)}
    return request.param, {}
