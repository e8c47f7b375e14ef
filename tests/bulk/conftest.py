"""What the tests of bulk jobs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import anyio.to_thread
import pytest


@pytest.fixture(autouse=True)
def _no_threads_on_virtual_time(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run in the event loop what goes to a thread: virtual time would leap while it runs."""
    if request.node.get_closest_marker("virtual_time") is None:
        return

    async def run_sync(function: Callable[..., Any], *arguments: Any) -> Any:
        await anyio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr(anyio.to_thread, "run_sync", run_sync)
