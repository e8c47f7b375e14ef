"""What the tests of the sandbox share: the profile that a test's engine has."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", params=["cloud", "oss-8.4"])
def profile(request: pytest.FixtureRequest) -> str:
    """Both profiles in turn; a test that holds for one names it with `parametrize`."""
    return request.param
