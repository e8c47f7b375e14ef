"""Silent corruption: each one that was measured is prevented where it can be, else reported."""

from __future__ import annotations

import pickle
import warnings
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from vtiger_async import (
    OutcomeUnknownError,
    SilentChange,
    SilentChangeError,
    SilentChangeWarning,
    ValidationError,
)
from vtiger_async.models.echo import silent_changes
from vtiger_async.sandbox import Sandbox

LONG = "L" * 100
CONTACT = {"lastname": "Ada", "assigned_user_id": "19x1"}

CORRUPTIONS = {
    "unknown field ignored": ("no_such_field", "x", None),
    "text in a number": ("employees", "many", "0"),
    "text in a currency": ("annual_revenue", "abc", "0.00000000"),
    "grouped number": ("annual_revenue", "1,234.5", "1.00000000"),
    "fraction in an integer": ("employees", "1.9", "2"),
    "long text cut": ("tickersymbol", LONG, LONG[:30]),
    "true in a boolean": ("emailoptout", "true", "0"),
    "yes in a boolean": ("emailoptout", "yes", "0"),
    "a day that no month has": ("cf_857", "2023-02-31", "0000-00-00"),
    "another order of day and month": ("cf_857", "31/12/1990", "1990-12-31"),
    "emoji": ("description", "Zoë 😀", "Zoë ????"),
    "owner of another module": ("assigned_user_id", "3x547", "547"),
    "read-only field": ("account_no", "X1", "ACC"),
}
"""Field, what is sent, and what is stored or how it begins; on Accounts."""


def account(field: str, value: Any) -> dict[str, Any]:
    """The fields of an account, with one that will not be stored as it is."""
    return {"accountname": "Acme", "assigned_user_id": "19x1", field: value}


@pytest.mark.anyio
@pytest.mark.parametrize(("field", "sent", "stored"), CORRUPTIONS.values(), ids=CORRUPTIONS)
class TestEachCorruption:
    """What is stored other than it was sent."""

    async def test_is_reported_from_the_echo(self, field: str, sent: Any, stored: str) -> None:
        """Without a description a warning tells the field, what was sent and what is stored."""
        async with Sandbox(limits=False).client() as crm:
            with pytest.warns(SilentChangeWarning) as caught:
                record = await crm.create("Accounts", account(field, sent))
            (warning,) = [each.message for each in caught]
            assert isinstance(warning, SilentChangeWarning)
            (change,) = warning.changes
            assert (change.field, change.sent) == (field, sent)
            assert change.is_ignored == (stored is None)
            assert str(change.stored).startswith(str(stored))
            assert warning.record is record

    async def test_is_prevented_by_the_description(
        self, field: str, sent: Any, stored: str
    ) -> None:
        """With a description nothing is sent, and the problem is named."""
        sandbox = Sandbox(limits=False)
        async with sandbox.client() as crm:
            await crm.describe("Accounts")
            await crm.describe("Users")
            await crm.describe("Groups")
            with pytest.raises(ValidationError) as refused:
                await crm.create("Accounts", account(field, sent))
            assert [problem.field for problem in refused.value.problems] == [field]
            assert "create" not in sandbox.ledger()["calls"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("field", "sent"),
    [("industry", "Bogus"), ("email1", "not an email")],
    ids=["picklist", "email"],
)
async def test_what_is_stored_as_it_was_sent_is_prevented(field: str, sent: str) -> None:
    """A value outside of the list and a bad address show in no echo: the description tells."""
    async with Sandbox(limits=False).client() as crm:
        stored = await crm.create("Accounts", account(field, sent))
        assert stored[field] == sent
        await crm.describe("Accounts")
        with pytest.raises(ValidationError, match=f"{field}: '{sent}' is"):
            await crm.create("Accounts", {**account(field, sent), "accountname": "Other"})


@pytest.mark.anyio
async def test_an_unknown_owner_is_prevented() -> None:
    """A user who does not exist is stored as a number; validate=True looks each owner up once."""
    async with Sandbox(limits=False).client() as crm:
        with pytest.warns(SilentChangeWarning, match="assigned_user_id: '19x999' became '999'"):
            await crm.create("Contacts", {**CONTACT, "assigned_user_id": "19x999"})
        with pytest.raises(ValidationError, match="there is no user or group 19x999"):
            await crm.with_options(validate=True).create(
                "Contacts", {**CONTACT, "assigned_user_id": "19x999"}
            )


@pytest.mark.anyio
async def test_a_reference_to_a_missing_record_is_reported() -> None:
    """It is stored as none, which only the echo can tell."""
    async with Sandbox(limits=False).client(validate=True) as crm:
        with pytest.warns(SilentChangeWarning, match="account_id: '3x999999' became None"):
            await crm.create("Contacts", {**CONTACT, "account_id": "3x999999"})


@pytest.mark.anyio
async def test_a_list_in_a_scalar_field_loses_nothing() -> None:
    """It is sent as one text, of which all is stored, and refused where the field is described."""
    async with Sandbox(limits=False).client() as crm:
        stored = await crm.create("Contacts", {**CONTACT, "description": ["a", "b"]})
        assert stored["description"] == "a |##| b"
        await crm.describe("Contacts")
        with pytest.raises(ValidationError, match="description: a list does not fit a text"):
            await crm.create("Contacts", {**CONTACT, "description": ["a", "b"]})


@pytest.mark.anyio
async def test_text_in_a_date_is_prevented() -> None:
    """It is the one form that the server refuses; with a description no call is spent on it."""
    sandbox = Sandbox(limits=False)
    async with sandbox.client(validate=True) as crm:
        with pytest.raises(ValidationError, match="birthday: 'tomorrow' is not a date"):
            await crm.create("Contacts", {**CONTACT, "birthday": "tomorrow"})


@pytest.mark.anyio
async def test_one_warning_for_all_changes_at_the_callers_line() -> None:
    """A call warns once, of all fields, and points at the line that made it."""
    async with Sandbox(limits=False).client() as crm:
        fields = {"lastname": "Ada", "assigned_user_id": "19x1", "donotcall": "yes", "x": 1}
        with pytest.warns(SilentChangeWarning) as caught:
            contact = await crm.create("Contacts", fields)
        assert {each.filename for each in caught} == {__file__}
        (warning,) = caught
        assert str(warning.message) == (
            f"create Contacts {contact.id}: donotcall: 'yes' became '0'; "
            "x: '1' was not stored: no such field is shown. The record was written: see .record"
        )
        for change in (crm.revise, crm.update):
            with pytest.warns(SilentChangeWarning, match="donotcall: 'yes' became '0'") as caught:
                await change(contact.id, {**CONTACT, "donotcall": "yes"})
            assert {each.filename for each in caught} == {__file__}


@pytest.mark.anyio
async def test_strict_raises_with_the_record_that_was_written() -> None:
    """The error carries the record, which exists, and is no reason to send it again."""
    sandbox = Sandbox(limits=False)
    async with sandbox.client(strict=True) as crm:
        with pytest.raises(SilentChangeError, match="The record was written") as caught:
            await crm.create("Contacts", {**CONTACT, "donotcall": "yes"})
        error = caught.value
        assert (error.operation, error.module, error.record_id) == (
            "create", "Contacts", error.record.id,
        )  # fmt: skip
        assert error.changes == (SilentChange("donotcall", "yes", "0"),)
        assert (await crm.retrieve(error.record.id))["lastname"] == "Ada"
        assert sandbox.ledger()["calls"]["create"] == 1
        twin = pickle.loads(pickle.dumps(error))
        assert (twin.changes, twin.record, str(twin)) == (error.changes, error.record, str(error))


@pytest.mark.anyio
async def test_what_means_the_same_is_not_reported() -> None:
    """Values in the forms of Python come back in Vtiger's, without a warning."""
    async with Sandbox(limits=False).client(strict=True) as crm:
        fields = {
            "accountname": "Ünïcode & Söhne &amp; Co  ", "assigned_user_id": "1",
            "annual_revenue": Decimal("1234.5"), "employees": 12, "emailoptout": True,
            "notify_owner": "on", "cf_851": ["Cloud", "Support"], "cf_853": None,
            "cf_855": 0.1 + 0.2, "cf_857": date(2026, 3, 1), "description": "", "rating": None,
        }  # fmt: skip
        stored = await crm.create("Accounts", fields)
        await crm.revise(stored.id, {"employees": None, "cf_857": None, "emailoptout": ""})
        await crm.create("Contacts", {**CONTACT, "cf_865": "P1234567"})


EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("given", "sent", "stored"),
    [
        (Decimal("12.5"), "12.5", "12.50000000"),
        ("12", "12", "12.00"),
        (12, "12", 12),
        ("0", "0", 0),
        ("a@x.com, b@x.com", "a@x.com, b@x.com", '["a@x.com","b@x.com"]'),
        (0.1 + 0.2, "0.30000000000000004", "0.30000000"),
        (True, "1", True),
        (True, "1", "on"),
        ("off", "off", "0"),
        (None, None, ""),
        (None, None, "0.00000000"),
        ("", "", None),
        ("", "", "0000-00-00"),
        ([], "", []),
        ("a &amp; b", "a &amp; b", "a & b"),
        ("a & b", "a & b", "a &amp; b"),
        ("a  \n", "a  \n", "a"),
        ("1", "1", "19x1"),
        ("P1", "P1", "********"),
        ("10:00", "10:00", "10:00:00"),
        ("10:00:00", "10:00:00", "10:00"),
        ("2026-01-31 09:00:00", "2026-01-31 09:00:00", "2026-01-31 03:15:00"),
        ("2026-01-31T09:00:00+02:00", "2026-01-31T09:00:00+02:00", "2026-01-31 07:00:00"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31 00:00:00", "2026-01-31 00:00:00"),
        (["a", "b"], "a |##| b", "a|##|b"),
    ],
)  # fmt: skip
def test_the_known_normal_forms(given: Any, sent: Any, stored: Any) -> None:
    """Decimals, booleans, empties, entities, trailing space, ids, masks, times and zones."""
    assert silent_changes({"f": given}, {"f": sent}, {"f": stored}) == ()


@pytest.mark.parametrize(
    ("given", "sent", "stored"),
    [
        (Decimal("12.345"), "12.345", "12.35"),
        (1234567.891, "1234567.891", "1234567.89000000"),
        ("007", "007", "7"),
        ("+49170", "+49170", "49170"),
        ("true", "true", "0"),
        (True, "1", "0"),
        (0, "0", ""),
        (None, None, "Open"),
        ("x", "x", ""),
        ("x", "x", None),
        ("x", "x", ["x"]),
        (["a", "b"], "a |##| b", "a"),
        ([{"a": "1"}], [{"a": "1"}], "a"),
        ("10:00", "10:00", "11:00:00"),
        ("2026-01-31 09:00:00", "2026-01-31 09:00:00", "2026-01-31 09:00:01"),
        ("2026-13-31 09:00:00", "2026-13-31 09:00:00", "2026-01-31 09:00:00"),
        ("2026-01-31T09:00:00+02:00", "2026-01-31T09:00:00+02:00", "2026-01-31 09:00:00"),
        (datetime(2026, 1, 31, 9, tzinfo=EAST), "2026-01-31 07:00:00", "2026-01-31 05:00:00"),
        ("2026-01-31 09:00:00", "2026-01-31 09:00:00", "0000-00-00"),
        ("19x1", "19x1", "19x2"),
    ],
)  # fmt: skip
def test_what_is_another_value_is_reported(given: Any, sent: Any, stored: Any) -> None:
    """Whatever is not a known normal form is a change."""
    assert silent_changes({"f": given}, {"f": sent}, {"f": stored}) == (
        SilentChange("f", sent, stored),
    )


def test_what_is_not_compared() -> None:
    """Line items with their product, passwords, and an answer that holds no more than an id."""
    assert silent_changes({}, {"lastname": "x"}, {"id": "4x1", "label": "x"}) == ()
    sent = {"LineItems": [{"productid": "6x1"}], "productid": "6x1", "subject": "s"}
    assert silent_changes({}, sent, {"id": "7x1", "subject": "s", "productid": ""}) == ()
    assert silent_changes({}, {"user_password": "p"}, {"id": "19x7", "last_name": "x"}) == ()


def test_a_long_value_is_shortened_in_the_message() -> None:
    """A message stays readable, whatever was cut; the change has the whole value."""
    change = SilentChange("f", "L" * 500, "L" * 400)
    assert len(str(change)) < 150
    assert len(change.sent) == 500
    assert "L" not in repr(change)


def test_the_warning_pickles_and_can_be_made_an_error() -> None:
    """It is an ordinary warning: filters apply to it."""
    warning = SilentChangeWarning("text", (SilentChange("f", "a", "b"),), None)
    twin = pickle.loads(pickle.dumps(warning))
    assert (str(twin), twin.changes) == ("text", warning.changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SilentChangeWarning)
        with pytest.raises(SilentChangeWarning, match="text"):
            warnings.warn(warning, stacklevel=1)


@pytest.mark.anyio
@pytest.mark.parametrize("session_api", [False, True])
async def test_a_page_after_an_unknown_owner_is_no_answer(*, session_api: bool) -> None:
    """An open source writes the contact and dies: what became of the call is not known."""
    sandbox = Sandbox(profile="oss-8.4", records=0, limits=False)
    async with sandbox.client(session_api=session_api) as crm:
        with pytest.raises(OutcomeUnknownError):
            await crm.create("Contacts", {**CONTACT, "assigned_user_id": "19x999"})
    assert [write["operation"] for write in sandbox.ledger()["writes"]] == ["create"]
