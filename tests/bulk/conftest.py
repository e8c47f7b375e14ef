"""What the tests of bulk jobs share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from planned import Desk

from vtiger_async.sandbox import Sandbox


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An instance of the Cloud without limits, and a place for journals."""
    with Sandbox(limits=False) as sandbox:
        desk = Desk(tmp_path, sandbox)
        yield desk
        desk.close()
