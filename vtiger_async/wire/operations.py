"""The table of operations: the one place that says how each call looks on the wire.

Retry, quota, the sandbox's router, the command line, the reference page and the tests read it.
Where the two manuals differ, the 2025 text stands.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal, TypeAlias

from attrs import frozen

__all__ = ["OPERATIONS", "Encoding", "Operation", "Parameter", "Repeat", "by_method"]

Encoding: TypeAlias = Literal["text", "id", "json", "flag", "list"]
"""How a parameter is written: as text, a record id, a JSON string, 1 or 0, or `name[]` repeated."""


class Repeat(Enum):
    """Whether a call may be sent again when its outcome is not known."""

    SAFE = "safe"
    """A read: sending it again changes nothing."""
    PROBE = "after a probe"
    """A write that reaches the same content twice, but may fire the CRM's workflows twice."""
    NEVER = "never"
    """A write that would happen twice."""


@frozen
class Parameter:
    """One parameter of an operation.

    Attributes:
        name: Its name on the wire.
        encoding: How it is written.
        required: Whether the server wants it.
    """

    name: str
    encoding: Encoding = "text"
    required: bool = True


@frozen
class Operation:
    """One operation of the manuals.

    Attributes:
        name: The name on the wire, the last part of the path.
        method: The client's coroutine for it.
        verb: The HTTP method.
        parameters: What goes with it, in the manual's order.
        repeat: Whether it may be sent again when its outcome is not known.
        result: What `result` holds on success, in words.
        manual: The section of the manual, and the sections of both where they have other names.
    """

    name: str
    method: str
    verb: Literal["GET", "POST"]
    parameters: tuple[Parameter, ...]
    repeat: Repeat
    result: str
    manual: str

    @property
    def on_sessions(self) -> bool:
        """Whether webservice.php of the open source has it, and can do it (measured on 8.4)."""
        return self.name in _ON_SESSIONS

    @property
    def writes(self) -> bool:
        """Whether the operation changes the CRM."""
        return self.repeat is not Repeat.SAFE


def _p(name: str, encoding: Encoding = "text", *, optional: bool = False) -> Parameter:
    return Parameter(name, encoding, required=not optional)


def _read(name: str, method: str, result: str, manual: str, *params: Parameter) -> Operation:
    return Operation(name, method, "GET", params, Repeat.SAFE, result, manual)


def _write(
    name: str, method: str, repeat: Repeat, result: str, manual: str, *params: Parameter
) -> Operation:
    return Operation(name, method, "POST", params, repeat, result, manual)


# `sync` is there, too, and always fails on PHP 8.
_ON_SESSIONS = frozenset(
    {
        "add_related", "convertlead", "create", "delete", "describe", "files_retrieve", "listtypes",
        "query", "query_related", "relatedtypes", "retrieve", "retrieve_related", "revise",
        "update",
    }
)  # fmt: skip
_ID = _p("id", "id")
_MODULE = _p("elementType")
_ELEMENT = _p("element", "json")
_PROBE, _NEVER = Repeat.PROBE, Repeat.NEVER
_MESSAGE = 'an object with "message" or "status"'

_TABLE = (
    _read("me", "me", "the user", "Me"),
    _read(
        "listtypes", "list_types", 'an object with "types" and "information"', "ListTypes",
        _p("fieldTypeList", "list", optional=True),
    ),
    _read("describe", "describe", "the module's metadata", "Describe", _MODULE),
    _write("create", "create", _NEVER, "the record", "Create", _MODULE, _ELEMENT),
    _read("retrieve", "retrieve", "the record", "Retrieve", _ID),
    _read("decrypt", "decrypt", "the field's value", "Decrypt", _ID, _p("fieldname")),
    _write("update", "update", _PROBE, "the record", "Update", _ELEMENT),
    _write("revise", "revise", _PROBE, "the record", "Revise", _ELEMENT),
    _write("delete", "delete", _PROBE, _MESSAGE, "Delete", _ID),
    _read("query", "query", "an array of records", "Query", _p("query")),
    _read(
        "sync", "sync", 'an object with "updated", "deleted", "more", "lastModifiedTime"', "Sync",
        _p("modifiedTime"), _MODULE, _p("syncType"),
    ),
    _write(
        "convertlead", "convert_lead", _NEVER, "ids by module, or null", "Convert Lead", _ELEMENT
    ),
    _read(
        "relatedtypes", "related_types", 'an object with "types" and "information"',
        "Related Types", _MODULE,
    ),
    _read(
        "retrieve_related", "retrieve_related", "an array of records", "Retrieve Related",
        _ID, _p("relatedLabel"), _p("relatedType"),
    ),
    _read(
        "query_related", "query_related", "an array of records", "Query Related",
        _p("query"), _ID, _p("relatedLabel"),
    ),
    _write(
        "add_related", "add_related", _PROBE, _MESSAGE, "Add Related",
        _p("sourceRecordId", "id"), _p("relatedRecordId", "id"),
        _p("relationIdLabel", optional=True),
    ),
    _write(
        "delete_related", "delete_related", _PROBE, _MESSAGE, "Delete Related",
        _p("sourceRecordId", "id"), _p("relatedRecordId", "id"),
    ),
    _write("reopen", "reopen", _PROBE, _MESSAGE, "Reopen", _ID),
    _read(
        "picklist_dependency", "picklist_dependency", "the dependency", "Picklist Dependency",
        _p("module"), _p("sourcefield"), _p("targetfield"),
    ),
    _write("tags_add", "tags_add", _PROBE, _MESSAGE, "Tags Add", _ID, _p("tags", "json")),
    _read("tags_retrieve", "tags_retrieve", 'an object with "tags"', "Tags Retrieve", _ID),
    _write(
        "tag_delete", "tags_delete", _PROBE, _MESSAGE, "Tags Delete",
        _ID, _p("tags", "json", optional=True), _p("delete_all", "flag", optional=True),
    ),
    _read("files_retrieve", "files_retrieve", "the file, or a list of one", "Files Retrieve", _ID),
    _read(
        "lookup", "lookup", "an array of records", "Lookup; Search for Phone or Email address",
        _p("type"), _p("value"), _p("searchIn", "json", optional=True),
    ),
    _read(
        "get_account_hierarchy", "get_account_hierarchy", "an array of nodes",
        "Get Account Hierarchy", _ID,
    ),
    _write(
        "add_picklist", "add_picklist", _NEVER, "ids of the new values", "Add Picklist",
        _MODULE, _ELEMENT,
    ),
    _write(
        "edit_picklist", "edit_picklist", _NEVER, "nested success", "Edit Picklist",
        _MODULE, _ELEMENT,
    ),
    _write(
        "delete_picklist", "delete_picklist", _NEVER, "nested success", "Delete Picklist",
        _MODULE, _ELEMENT,
    ),
    _read(
        "editionLimits", "edition_limits", "the limit",
        "Vtiger CRM Edition Limits API (2025 only)", _p("serviceName"),
    ),
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {row.name: row for row in _TABLE}
"""Every operation by its name on the wire."""


def by_method(method: str) -> Operation:
    """Return the operation behind the client's coroutine of that name; KeyError if none is."""
    return next(row for row in _TABLE if row.method == method)
