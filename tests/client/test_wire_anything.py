"""Whatever a server, or something in front of it, may send: a result or an error of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async.client.calls import read_as, records_of
from vtiger_async.errors import InvalidResponseError, VtigerError
from vtiger_async.models import structuring
from vtiger_async.models.records import File, Record, User
from vtiger_async.wire.decode import Answer, decode

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["id", "success", "result", "error", "code", "message", "types", "information",
             "fields", "name", "label", "type", "length", "refersTo", "picklistValues", "value",
             "idPrefix", "labelFields", "inactivefields", "isEntity", "relation_id", "level",
             "valuemapping", "targetvalues", "filecontents", "filesize", "limit", "4", "²"]
        ), inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip

READERS: dict[str, Callable[[Any], object]] = {
    "me": User.of,
    "retrieve": Record.of,
    "query": lambda result: [record.id for record in records_of(result, None)],
    "files_retrieve": File.of,
    "listtypes": structuring.module_infos,
    "describe": structuring.module_of,
    "relatedtypes": lambda result: structuring.related_types(result, "Contacts"),
    "picklist_dependency": structuring.picklist_dependency,
    "editionLimits": lambda result: structuring.edition_limit(result, "X"),
    "tags_retrieve": structuring.tags,
    "convertlead": structuring.converted,
    "get_account_hierarchy": structuring.account_nodes,
}


@given(st.binary(max_size=200), st.integers(200, 599), st.text(max_size=10), st.booleans())
def test_no_bytes_raise_anything_but_ours(
    body: bytes, status: int, reason: str, lenient: bool
) -> None:
    """Any bytes under any status give a result or an error of the package."""
    with suppress(VtigerError):
        decode(Answer(status, reason, {}, body), lenient=lenient)


@given(json_values, st.integers(200, 599), st.booleans())
def test_no_json_raises_anything_but_ours(value: Any, status: int, enveloped: bool) -> None:
    """Any JSON, in the envelope or without it, gives a result or an error of the package."""
    body = {"success": status < 400, "result": value, "error": value} if enveloped else value
    with suppress(VtigerError):
        decode(Answer(status, "", {}, json.dumps(body).encode()))


@pytest.mark.parametrize("operation", READERS)
@given(json_values)
def test_no_result_raises_anything_but_ours(operation: str, value: Any) -> None:
    """Any result of any operation gives a model or an InvalidResponseError."""
    with suppress(InvalidResponseError):
        read_as(operation, READERS[operation], value)


@pytest.mark.parametrize("operation", sorted(READERS.keys() - {"editionLimits", "convertlead"}))
def test_a_result_that_cannot_be_read_names_its_operation(operation: str) -> None:
    """Text where a result should be is refused, in the name of the operation."""
    if operation == "get_account_hierarchy":
        value: Any = [{"name": "Acme"}]
    else:
        value = "text"
    with pytest.raises(InvalidResponseError) as caught:
        read_as(operation, READERS[operation], value)
    assert caught.value.operation == operation
