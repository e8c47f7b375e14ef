"""Bad arguments are refused before a call is spent, with an error that says what and where."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from over_http import calls

from vtiger_async import (
    InvalidArgumentError,
    InvalidIdError,
    QuerySyntaxError,
    VtigerClient,
    VtigerError,
    select,
)
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
Use = Callable[[VtigerClient], Awaitable[Any]]
ODD: Any = {1}

BY_ID: dict[str, Use] = {
    "retrieve": lambda crm: crm.retrieve("4x"),
    "decrypt": lambda crm: crm.decrypt("4x", "cf_865"),
    "update": lambda crm: crm.update("4x", {"lastname": "x"}),
    "revise": lambda crm: crm.revise("4x", {"lastname": "x"}),
    "delete": lambda crm: crm.delete("4x"),
    "convert_lead": lambda crm: crm.convert_lead("4x", {"Contacts": {}}),
    "reopen": lambda crm: crm.reopen("4x"),
    "tags_add": lambda crm: crm.tags_add("4x", ["a"]),
    "tags_retrieve": lambda crm: crm.tags_retrieve("4x"),
    "tags_delete": lambda crm: crm.tags_delete("4x", ["a"]),
    "files_retrieve": lambda crm: crm.files_retrieve("4x"),
    "get_account_hierarchy": lambda crm: crm.get_account_hierarchy("4x"),
    "retrieve_related": lambda crm: crm.retrieve_related("4x", "Contacts", "Contacts").all(),
    "query_related": lambda crm: crm.query_related("select * from Contacts", "4x", "C").all(),
    "add_related, source": lambda crm: crm.add_related("4x", "4x1"),
    "add_related, target": lambda crm: crm.add_related("4x1", "4x"),
    "delete_related, source": lambda crm: crm.delete_related("4x", "4x1"),
    "delete_related, target": lambda crm: crm.delete_related("4x1", "4x"),
}

BY_MODULE: dict[str, Use] = {
    "create": lambda crm: crm.create("contacts", {"lastname": "x"}),
    "describe": lambda crm: crm.describe("contacts"),
    "query": lambda crm: crm.query("select * from contacts;").all(),
    "sync": lambda crm: anext(crm.sync("contacts")),
    "sync_page": lambda crm: crm.sync_page("contacts", 1, "user"),
    "related_types": lambda crm: crm.related_types("contacts"),
    "retrieve_related": lambda crm: crm.retrieve_related("4x1", "x", "contacts").all(),
    "query_related": lambda crm: crm.query_related(select("contacts"), "4x1", "x").all(),
    "picklist_dependency": lambda crm: crm.picklist_dependency("contacts", "a", "b"),
    "lookup": lambda crm: crm.lookup("email", "a@b.c", ["contacts"]),
    "add_picklist": lambda crm: crm.add_picklist("contacts", "x", ["a"]),
    "edit_picklist": lambda crm: crm.edit_picklist("contacts", "x", "a", "b"),
    "delete_picklist": lambda crm: crm.delete_picklist("contacts", "x", ["a"], "b"),
}

OTHERS: list[tuple[Use, str]] = [
    (lambda crm: crm.create("Contacts", {"id": "4x1", "lastname": "x"}), "ignores an id in it"),
    (lambda crm: crm.create("Contacts", {"x": ODD}), r"Contacts\.x: a set cannot be stored"),
    (lambda crm: crm.update("4x1", {}), "update 4x1: no field to change was given"),
    (lambda crm: crm.revise("4x1", {"id": "4x1"}), "revise 4x1: no field to change was given"),
    (lambda crm: crm.revise("4x1", {"id": "4x2", "a": "b"}), "fields are of 4x2, and 4x1 is to be"),
    (lambda crm: crm.revise("4x1", {"a": b""}), r"4x1\.a: a bytes cannot be stored"),
    (lambda crm: crm.decrypt("4x1", " "), "decrypt: field must not be empty"),
    (lambda crm: crm.convert_lead("2x1", {}), "any of Accounts, Contacts, Potentials"),
    (lambda crm: crm.convert_lead("2x1", {"Leads": {}}), "Potentials; not Leads"),
    (lambda crm: crm.convert_lead("2x1", {"Contacts": {"x": b""}}), r"Contacts\.x: a bytes"),
    (lambda crm: crm.tags_add("4x1", "vip"), "tags_add: tags is a list of at least one tag"),
    (lambda crm: crm.tags_add("4x1", []), "tags is a list of at least one tag"),
    (lambda crm: crm.tags_add("4x1", ["a", " "]), "none of them empty"),
    (lambda crm: crm.tags_delete("4x1"), "name the tags to delete, or give delete_all=True"),
    (lambda crm: crm.tags_delete("4x1", ["a"], delete_all=True), "one of the two"),
    (lambda crm: crm.tags_delete("4x1", "vip"), "tag_delete: tags is a list"),
    (lambda crm: crm.upload_document(b"x", {}), "upload_document: bytes need a name="),
    (lambda crm: crm.upload_document(b"x", {"a": ODD}, name="a"), r"Documents\.a: a set"),
    (lambda crm: crm.lookup("fax", "1"), "finds a 'phone' or an 'email', not 'fax'"),
    (lambda crm: crm.lookup("email", " "), "lookup: value must not be empty"),
    (lambda crm: crm.lookup("email", "a@b.c", "Contacts"), "search_in is field names by module"),
    (lambda crm: crm.lookup("email", "a@b.c", {"Contacts": "email"}), "search_in is field names"),
    (lambda crm: crm.lookup("email", "a@b.c", []), "search_in is field names by module"),
    (lambda crm: crm.lookup("email", "a\ud800"), "lone surrogate"),
    (lambda crm: crm.list_types("email"), "field_types is a list of types"),
    (lambda crm: crm.picklist_dependency("Leads", "", "b"), "source_field must not be empty"),
    (lambda crm: crm.picklist_dependency("Leads", "a", ""), "target_field must not be empty"),
    (lambda crm: crm.add_picklist("Leads", "", ["a"]), "add_picklist: field must not be empty"),
    (lambda crm: crm.add_picklist("Leads", "x", "abc"), "values is a list of at least one value"),
    (lambda crm: crm.add_picklist("Leads", "x", []), "values is a list of at least one value"),
    (lambda crm: crm.add_picklist("Leads", "x", [" "]), "none of them empty"),
    (lambda crm: crm.edit_picklist("Leads", "x", "", "b"), "current must not be empty"),
    (lambda crm: crm.edit_picklist("Leads", "x", "a", ""), "new must not be empty"),
    (lambda crm: crm.delete_picklist("Leads", "x", ["a"], ""), "replace_with must not be empty"),
    (lambda crm: crm.delete_picklist("Leads", "x", [], "b"), "values is a list"),
    (lambda crm: crm.edition_limits(""), "editionLimits: service must not be empty"),
    (lambda crm: crm.add_related("4x1", "6x1", " "), "add_related: label must not be empty"),
    (lambda crm: crm.retrieve_related("4x1", "", "Contacts").all(), "label must not be empty"),
    (lambda crm: crm.query_related("select * from Contacts", "4x1", "").all(), "label must not"),
    (
        lambda crm: crm.query_related(select("Contacts").counting(), "4x1", "C").all(),
        r"query_related Contacts: .* await the count\(\) of it",
    ),
]


async def refused(use: Use, kind: type[VtigerError], reason: str) -> None:
    """Assert that a use is refused, and that no call was spent on it."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(kind, match=reason):
                await use(crm)
            assert crm.quota.minute.used == 0
        assert calls(sandbox) == 0


@pytest.mark.parametrize("use", BY_ID.values(), ids=BY_ID)
async def test_ids_are_checked(use: Use) -> None:
    """A malformed id is refused in every place that takes one."""
    await refused(use, InvalidIdError, "'4x' is not a record id: the form is NxM")


@pytest.mark.parametrize("use", BY_MODULE.values(), ids=BY_MODULE)
async def test_modules_are_checked(use: Use) -> None:
    """A module's name in the wrong case is refused in every place that takes one."""
    await refused(use, InvalidArgumentError, "distinguish case: Contacts, not contacts")


@pytest.mark.parametrize(("use", "reason"), OTHERS, ids=[reason for _, reason in OTHERS])
async def test_other_arguments_are_checked(use: Use, reason: str) -> None:
    """The error says what cannot be sent."""
    await refused(use, InvalidArgumentError, reason)


@pytest.mark.parametrize(
    "use",
    [
        lambda crm: crm.query("select * form Contacts;").all(),
        lambda crm: crm.query_related("select * from Contacts where a <> 'b'", "4x1", "C").all(),
    ],
)
async def test_statements_are_checked(use: Use) -> None:
    """A statement that is not VTQL is refused with its line and column."""
    await refused(use, QuerySyntaxError, r"line 1, column \d+")


async def test_a_file_is_read_before_a_call_is_spent(tmp_path: Path) -> None:
    """A file that is not there costs no call; one that is there gives its name and type."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(FileNotFoundError):
                await crm.upload_document(tmp_path / "none.txt", {"assigned_user_id": "19x1"})
            assert calls(sandbox) == 0
            path = tmp_path / "notes.txt"
            path.write_bytes(b"")
            fields = {"assigned_user_id": "19x1", "notes_title": "Own title"}
            document = await crm.upload_document(path, fields)
            odd = await crm.upload_document(path, fields, name="x.unknown", content_type="a/b")
            found = await crm.retrieve(document.id)
            other = await crm.retrieve(odd.id)
        assert (found["notes_title"], found["filename"]) == ("Own title", "notes.txt")
        assert found["filetype"] == "text/plain"
        assert (other["filename"], other["filetype"]) == ("x.unknown", "a/b")
