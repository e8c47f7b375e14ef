"""Errors tell the likely cause, where Vtiger says ACCESS_DENIED or INTERNAL_SERVER_ERROR."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from vtiger_async import (
    AccessDeniedError,
    ApiError,
    InvalidIdError,
    ServerError,
    VtigerClient,
)
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import ProfileName

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

Do = Callable[[VtigerClient, dict[str, str]], Coroutine[Any, Any, Any]]


def world(profile: ProfileName) -> tuple[Sandbox, dict[str, str]]:
    """Return a sandbox, and ids of some of its records."""
    sandbox = Sandbox(profile=profile, limits=False, records=0)
    admin = sandbox.engine.users["admin"]

    def make(module: str, **fields: str) -> str:
        element = json.dumps({"assigned_user_id": "19x1", **fields})
        params = {"elementType": module, "element": element}
        made: Any = sandbox.engine.execute("create", params, admin)
        return str(made["id"])

    ids = {
        "contact": make("Contacts", lastname="Ada"),
        "account": make("Accounts", accountname="Acme"),
        "lead": make("Leads", lastname="Lea"),
    }
    prefix = ids["contact"].partition("x")[0]
    return sandbox, {
        **ids, "missing": f"{prefix}x9999999", "prefix": prefix,
        "other": f"{prefix}x{ids['account'].partition('x')[2]}",
    }  # fmt: skip


async def _query(crm: VtigerClient, text: str) -> Any:
    return await crm.call("GET", "query", {"query": text})


CASES: list[tuple[str, tuple[str, ...], Do, type[ApiError], str]] = [
    (
        "admin", (), lambda crm, _: crm.query("select lastnam from Contacts;").all(),
        AccessDeniedError, r"Contacts has no field 'lastnam', or it is hidden from this user",
    ),
    (
        "admin", ("Contacts",), lambda crm, _: _query(crm, "select lastnam from Contacts;"),
        AccessDeniedError, r"no field 'lastnam', .*; did you mean 'lastname'\?",
    ),
    (
        "admin", ("Contacts",),
        lambda crm, _: _query(crm, "select * from Contacts where Email='x';"),
        AccessDeniedError, r"no field 'Email', .*; did you mean 'email'\?",
    ),
    (
        "sales", (), lambda crm, _: crm.query("select fax from Leads;").all(),
        AccessDeniedError, r"Leads has no field 'fax', or it is hidden from this user",
    ),
    (
        "admin", (), lambda crm, _: crm.describe("Contact"),
        AccessDeniedError, r"no module 'Contact', .*did you mean 'Contacts'\?; list_types\(\)",
    ),
    (
        "sales", ("",), lambda crm, _: crm.query("select * from Invoice;").all(),
        AccessDeniedError, r"this user sees no module 'Invoice'$",
    ),
    (
        "sales", (), lambda crm, _: crm.describe("Invoice"),
        AccessDeniedError, r"there is no module 'Invoice', or this user may not use its records",
    ),
    (
        "admin", (), lambda crm, ids: crm.retrieve(ids["missing"]),
        AccessDeniedError, r"there is no record \d+x9999999, or it is deleted, or this user may",
    ),
    (
        "admin", ("Contacts",), lambda crm, ids: crm.delete(ids["missing"]),
        AccessDeniedError, r"no record \d+x9999999 of Contacts, .* may not delete it",
    ),
    (
        "admin", (), lambda crm, ids: crm.revise(ids["missing"], {"mobile": "1"}),
        AccessDeniedError, r"or this user may not change it: Vtiger tells them not apart",
    ),
    (
        "admin", (),
        lambda crm, ids: crm.update(
            ids["missing"], {"lastname": "x", "assigned_user_id": "19x1"}
        ),
        AccessDeniedError, r"there is no record \d+x9999999, or it is deleted",
    ),
    (
        "sales", (), lambda crm, ids: crm.retrieve(ids["contact"]),
        AccessDeniedError, r"there is a record \d+x\d+, and this user may not read it",
    ),
    (
        "admin", (), lambda crm, _: crm.retrieve("999x1"),
        AccessDeniedError, r"no module of this instance has ids that begin with 999x",
    ),
    (
        "admin", ("Contacts",), lambda crm, ids: crm.retrieve(ids["other"]),
        InvalidIdError, r"the record \d+ is not of Contacts whose ids begin with \d+x",
    ),
    (
        "admin", (), lambda crm, ids: crm.revise(ids["other"], {"mobile": "1"}),
        InvalidIdError, r"is an id of another module, or one of the fields refers to no id",
    ),
    (
        "guest", ("Leads",),
        lambda crm, _: crm.create("Leads", {"lastname": "x", "assigned_user_id": "19x6"}),
        AccessDeniedError, r"this user may not create records of Leads|may not create its records",
    ),
    (
        "guest", (),
        lambda crm, _: crm.create("Leads", {"lastname": "x", "assigned_user_id": "19x6"}),
        AccessDeniedError, r"there is no module 'Leads', or this user may not create its records",
    ),
    (
        "sales", (), lambda crm, _: anext(crm.sync("Contacts")),
        AccessDeniedError, r"'application' needs an administrator, and this user may be none",
    ),
    (
        "sales", ("me",), lambda crm, _: anext(crm.sync("Contacts")),
        AccessDeniedError, r"'application' needs an administrator; 'userandgroup' tells",
    ),
    (
        "admin", (), lambda crm, _: anext(crm.sync("Currency")),
        AccessDeniedError, r"Currency has no entities, and cannot be synced",
    ),
    (
        "admin", ("DocumentFolders",), lambda crm, _: anext(crm.sync("DocumentFolders")),
        AccessDeniedError, r"DocumentFolders has no entities",
    ),
    (
        "admin", (), lambda crm, _: crm.call("GET", "query"),
        ApiError, r"query lacks the parameter query",
    ),
    (
        "admin", (),
        lambda crm, _: crm.call("POST", "create", {"elementType": "Leads", "element": "{no"}),
        ServerError, r"element is not the JSON text of an object",
    ),
    (
        "admin", (), lambda crm, _: crm.call("POST", "create", {"element": {"lastname": "x"}}),
        AccessDeniedError, r"create lacks the parameter elementType",
    ),
    (
        "admin", (),
        lambda crm, _: crm.create(
            "Contacts", {"lastname": "x", "assigned_user_id": "19x1", "birthday": "some day"}
        ),
        ServerError, r"text in a date does this, and these look so: birthday='some day'",
    ),
    (
        "admin", ("Contacts",),
        lambda crm, _: crm.with_options(validate=False).create(
            "Contacts", {"lastname": "x", "assigned_user_id": "19x1", "birthday": "some day"}
        ),
        ServerError, r"birthday: 'some day' is not a date: give a date, or YYYY-MM-DD",
    ),
    (
        "admin", (), lambda crm, _: _query(crm, "select id from Contacts where email = '';"),
        ServerError, r"the statement is not VTQL: .*' ' matches empty values.* \(line 1, column",
    ),
    (
        "admin", (), lambda crm, _: _query(crm, 'select id from Contacts where email = "x";'),
        ServerError, r"the statement is not VTQL: .*line 1, column",
    ),
    (
        "admin", (),
        lambda crm, _: _query(crm, "select id from Accounts where annual_revenue > 1.5;"),
        ServerError, r"the statement is not VTQL",
    ),
]  # fmt: skip


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
@pytest.mark.parametrize(
    ("user", "known", "do", "kind", "cause"), CASES, ids=map(str, range(len(CASES)))
)
async def test_the_likely_cause_stands_in_the_message(
    profile: ProfileName,
    user: str,
    known: tuple[str, ...],
    do: Do,
    kind: type[ApiError],
    cause: str,
) -> None:
    """What the client can know explains the error, and costs no call; its code stays."""
    sandbox, ids = world(profile)
    async with sandbox.client(user) as crm:
        for name in known:
            if name == "me":
                assert await crm.query("select id from Faq;").all() == []
            else:
                await (crm.describe(name) if name else crm.list_types())
        before = sum(sandbox.ledger()["calls"].values())
        with pytest.raises(kind) as caught:
            await do(crm, ids)
        assert sum(sandbox.ledger()["calls"].values()) == before + 1
    error = caught.value
    assert error.code in ("ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "INVALID_ID_ATTRIBUTE")
    assert error.status == 400
    assert error.message == f"{error.server_message}: {error.cause}"
    assert re.search(cause, error.cause), error.cause
    assert error.cause in str(error)
    assert "says this also" not in str(error)
    assert pickle.loads(pickle.dumps(error)).cause == error.cause


async def test_a_relation_of_a_missing_record_is_explained() -> None:
    """The open source ends add_related with an internal error where the source is missing."""
    sandbox, _ = world("oss-8.4")
    async with sandbox.client() as crm:
        with pytest.raises(ServerError) as caught:
            await crm.add_related("3x99999", "3x99998", "Contacts")
    assert caught.value.cause == "there may be no record 3x99999, or it is deleted"


async def test_what_nothing_explains_stays_as_it_came() -> None:
    """An error without a cause has Vtiger's words alone, and the general hint."""
    sandbox, _ = world("cloud")
    sandbox.route("orders", _refuse)
    async with sandbox.client() as crm:
        with pytest.raises(AccessDeniedError) as caught:
            await crm.call("GET", "/restapi/vtap/api/orders")
    assert (caught.value.message, caught.value.cause) == ("No", "")
    assert caught.value.server_message == "No"
    assert "Vtiger says this also" in str(caught.value)


def _refuse(call: Any) -> object:
    from vtiger_async.sandbox import Fault

    raise Fault("ACCESS_DENIED", "No")
