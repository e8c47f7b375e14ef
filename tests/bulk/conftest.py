"""What the tests of bulk jobs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio.lowlevel
import anyio.to_thread
import pytest
from planned import Desk

from vtiger_async.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An instance without limits and records."""
    with Sandbox(limits=False, records=0) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal goes."""
    return tmp_path / "job.journal"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An instance of the Cloud without limits, and a place for journals."""
    with Sandbox(limits=False) as sandbox:
        desk = Desk(tmp_path, sandbox)
        yield desk
        desk.close()


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
