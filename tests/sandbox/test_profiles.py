"""The profiles of the sandbox: what the kinds of Vtiger do differently."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.engine_calls import Crm
from tests.sandbox.front_calls import REST, http_of
from vtiger_async.errors import ConfigurationError
from vtiger_async.sandbox import Sandbox


def test_an_unknown_profile_is_refused() -> None:
    """A profile that does not exist is refused, with the names of those that do."""
    unknown: Any = "oss-7"
    with pytest.raises(ConfigurationError, match=r"oss-8\.4"):
        Sandbox(profile=unknown)


@pytest.mark.parametrize("operation", ["decrypt", "reopen", "editionLimits"])
def test_operations_of_the_cloud(operation: str) -> None:
    """The open source refuses the Cloud's own operations, in either case of their names."""
    crm = Crm(profile="oss-8.4")
    assert crm.refused(operation)[0] == "OPERATION_NOT_SUPPORTED"
    assert crm.refused(operation.upper())[0] == "OPERATION_NOT_SUPPORTED"


def test_fields_of_the_cloud() -> None:
    """The open source has neither pipelines nor custom fields, and the Cloud has both."""
    names = {
        profile: {
            field["name"]
            for field in Crm(profile=profile)("describe", elementType=module)["fields"]
        }
        for profile, module in (("cloud", "Potentials"), ("oss-8.4", "Potentials"))
    }
    assert names["cloud"] - names["oss-8.4"] == {"pipeline", "cf_881", "cf_883"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("profile", "kind", "status"),
    [("cloud", "text/json", 400), ("oss-8.4", "application/json; charset=UTF-8", 404)],
)
async def test_answers_over_http(profile: Any, kind: str, status: int) -> None:
    """Each profile has its Content-Type, and its own way to refuse `login` on the REST path."""
    with Sandbox(profile=profile, records=0, limits=False) as sandbox:
        async with http_of(sandbox) as http:
            for reply in (await http.get(REST + "me"), await http.post(REST + "login")):
                assert reply.headers["content-type"] == kind
            assert reply.status_code == status
            lost = await http.get(REST + "me", auth=("admin", "wrong"))
            assert (lost.status_code, lost.headers["content-type"]) == (401, kind)
