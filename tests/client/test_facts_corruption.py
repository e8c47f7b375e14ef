"""Each silent corruption that was measured, one by one, on both kinds of Vtiger.

It is prevented where the description tells enough, and reported from the echo where another value
comes back. What is stored as it was sent shows in no echo: there only the description helps.
"""

from __future__ import annotations

from typing import Any

import pytest

from vtiger_async import (
    ApiError,
    InvalidArgumentError,
    SilentChange,
    SilentChangeError,
    SilentChangeWarning,
    ValidationError,
    VtigerClient,
)
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])]

MANDATORY: dict[str, dict[str, Any]] = {
    "Accounts": {"accountname": "Acme"},
    "Contacts": {"lastname": "Ada"},
    "Leads": {"lastname": "Ada"},
}
WIDE = "'😀' takes four bytes in UTF-8, and would be stored as ????"
NO_TICKER = "Accounts has no such field, or hides it from this user"

PREVENTED = {
    "unknown field": ("Accounts", "ticker", "ACME", NO_TICKER, "is tickersymbol meant?"),
    "picklist value outside of the list": (
        "Accounts", "rating", "Superb", "'Superb' is none of the picklist's values", "give one of ",
    ),
    "bad e-mail": (
        "Contacts", "email", "no address", "'no address' is not an e-mail address", "give one addr",
    ),
    "text in a number": (
        "Accounts", "employees", "many", "'many' is not a whole number", "give an int",
    ),
    "text in an amount": (
        "Accounts", "annual_revenue", "a lot", "'a lot' is not a number as Vtiger reads it",
        "give a Decimal or an int",
    ),
    "a grouped number": (
        "Accounts", "annual_revenue", "1,234.5", "'1,234.5' is not a number as Vtiger reads it",
        "give a Decimal or an int: a point, no grouping",
    ),
    "true in a boolean": (
        "Contacts", "emailoptout", "true", "'true' would be stored as false", "give True or False",
    ),
    "yes in a boolean": (
        "Contacts", "emailoptout", "yes", "'yes' would be stored as false", "give True or False",
    ),
    "a day that no month has": (
        "Contacts", "birthday", "2023-02-31", "'2023-02-31' does not exist", "give a date, or YYYY",
    ),
    "text in a date": (
        "Contacts", "birthday", "soon", "'soon' is not a date", "give a date, or YYYY-MM-DD",
    ),
    "a malformed reference": (
        "Contacts", "account_id", "Acme", "'Acme' is not a record's id", "give the id of Accounts",
    ),
    "unknown owner": (
        "Leads", "assigned_user_id", "19x999", "there is no user or group 19x999",
        "give the id of a user",
    ),
    "a list in a scalar field": (
        "Contacts", "title", ["Ms", "Dr"], "a list does not fit a string", "give one value",
    ),
    "emoji": ("Contacts", "description", "Zoë 😀", WIDE, "leave it out"),
}  # fmt: skip
"""Module, field, what is given, and the problem that is told: its reason and remedy."""

REPORTED = {
    "unknown field": ("Accounts", "ticker", "ACME", None),
    "text in a number": ("Accounts", "employees", "many", "0"),
    "text in an amount": ("Accounts", "annual_revenue", "a lot", "0.00000000"),
    "a grouped number": ("Accounts", "annual_revenue", "1,234.5", "1.00000000"),
    "text that is too long": ("Accounts", "tickersymbol", "L" * 100, "L" * 30),
    "true in a boolean": ("Contacts", "emailoptout", "true", "0"),
    "yes in a boolean": ("Contacts", "emailoptout", "yes", "0"),
    "a day that no month has": ("Contacts", "birthday", "2023-02-31", "0000-00-00"),
    "a reference to a missing record": ("Contacts", "account_id", "3x999999", None),
    "unknown owner": ("Leads", "assigned_user_id", "19x999", "999"),
    "emoji": ("Contacts", "description", "Zoë 😀", "Zoë ????"),
}
"""Module, field, what is sent, and what is stored."""

UNSEEN = {
    "picklist value outside of the list": ("Accounts", "rating", "Superb"),
    "bad e-mail": ("Contacts", "email", "no address"),
}
"""Module, field, and what is stored as it was sent."""


def fields_of(module: str, field: str, value: Any) -> dict[str, Any]:
    """The fields of a new record, one of them wrong."""
    return {"assigned_user_id": "19x1", **MANDATORY[module], field: value}


def client(profile: Any, **options: Any) -> tuple[Sandbox, VtigerClient]:
    """A sandbox of a profile, and a client to it."""
    sandbox = Sandbox(profile=profile, limits=False)
    return sandbox, sandbox.client(**options)


@pytest.mark.parametrize(
    ("module", "field", "given", "reason", "remedy"), PREVENTED.values(), ids=PREVENTED
)
async def test_it_is_prevented(
    profile: str, module: str, field: str, given: Any, reason: str, remedy: str
) -> None:
    """With validate=True nothing is written; the error has field, value, reason and remedy."""
    sandbox, crm = client(profile, validate=True)
    async with crm:
        with pytest.raises(ValidationError) as refused:
            await crm.create(module, fields_of(module, field, given))
    (problem,) = refused.value.problems
    assert (problem.field, problem.value, problem.reason) == (field, given, reason)
    assert problem.remedy.startswith(remedy)
    assert (refused.value.operation, refused.value.module) == ("create", module)
    assert sandbox.ledger()["writes"] == []


@pytest.mark.parametrize(("module", "field", "sent", "stored"), REPORTED.values(), ids=REPORTED)
async def test_it_is_reported(
    profile: str, module: str, field: str, sent: str, stored: str | None
) -> None:
    """Without a description each write warns of field, sent and stored; strict=True raises."""
    _, crm = client(profile, validate=False)
    ignored = field == "ticker"
    expected = (SilentChange(field, sent, stored, is_ignored=ignored),)
    async with crm:
        clean = await crm.create(module, fields_of(module, "description", "x"))
        wrong = fields_of(module, field, sent)
        for write in (crm.revise, crm.update):
            with pytest.warns(SilentChangeWarning) as caught:
                await write(clean.id, wrong)
            (warning,) = [each.message for each in caught]
            assert isinstance(warning, SilentChangeWarning)
            assert warning.changes == expected
        await crm.delete(clean.id)
        with pytest.warns(SilentChangeWarning) as caught:
            await crm.create(module, wrong | {next(iter(MANDATORY[module])): "Other"})
        assert [each.message.changes for each in caught] == [expected]  # type: ignore[union-attr]  # a warning of ours
        with pytest.raises(SilentChangeError) as raised:
            await crm.with_options(strict=True).create(module, wrong)
        assert raised.value.changes == expected


@pytest.mark.parametrize(("module", "field", "sent"), UNSEEN.values(), ids=UNSEEN)
async def test_it_shows_in_no_echo(profile: str, module: str, field: str, sent: str) -> None:
    """Stored as it was sent, it passes even strict=True: only the description can tell."""
    _, crm = client(profile, validate=False, strict=True)
    async with crm:
        record = await crm.create(module, fields_of(module, field, sent))
    assert record[field] == sent


async def test_long_text_is_prevented_where_lengths_are_told(profile: str) -> None:
    """The Cloud's description has lengths; the open source's has none, so the echo tells."""
    _, crm = client(profile, validate=True)
    wrong = fields_of("Accounts", "tickersymbol", "L" * 100)
    async with crm:
        if profile == "cloud":
            with pytest.raises(ValidationError, match="100 characters, of which 30 would be st"):
                await crm.create("Accounts", wrong)
        else:
            with pytest.warns(SilentChangeWarning, match="tickersymbol: 'LLL"):
                await crm.create("Accounts", wrong)


async def test_a_missing_record_is_reported_even_where_fields_are_checked(profile: str) -> None:
    """Nobody looks a reference up before the call; the echo tells that it was dropped."""
    _, crm = client(profile, validate=True)
    async with crm:
        with pytest.warns(SilentChangeWarning, match="account_id: '3x999999' became None"):
            await crm.create("Contacts", fields_of("Contacts", "account_id", "3x999999"))


async def test_a_list_never_loses_its_rest(profile: str) -> None:
    """The client writes a list as one text, so the server has nothing to reduce."""
    _, crm = client(profile, validate=False, strict=True)
    async with crm:
        record = await crm.create("Contacts", fields_of("Contacts", "title", ["Ms", "Dr"]))
        assert record["title"] == "Ms |##| Dr"
        nested: Any = {"a": {1}}
        with pytest.raises(InvalidArgumentError, match=r"Contacts\.title"):
            await crm.create("Contacts", fields_of("Contacts", "title", nested))


async def test_text_in_a_date_is_an_error_of_the_server(profile: str) -> None:
    """It alone is refused: the error says that the request is at fault, and nothing is stored."""
    sandbox, crm = client(profile, validate=False)
    async with crm:
        with pytest.raises(ApiError) as refused:
            await crm.create("Contacts", fields_of("Contacts", "birthday", "some day"))
    assert (refused.value.code, refused.value.status) == ("INTERNAL_SERVER_ERROR", 400)
    assert sandbox.ledger()["writes"] == []
