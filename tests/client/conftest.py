"""What the tests of the client share: one server for all scenarios over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal
from over_http import Stage

from vtiger_async.sandbox.server import serving


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The server; to start and stop one for each scenario would take longer than the scenario."""
    stage = Stage()
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(serving(stage)) as url,
    ):
        stage.url = url
        yield stage
