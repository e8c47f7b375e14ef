"""A sandbox for the tests of exports and frames."""

from __future__ import annotations

import pytest

from vtiger_async.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox with its records, of an administrator."""
    return Sandbox(limits=False)
