"""What a row would change of a record."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from anyio import run
from attrs import evolve

from vtiger_async import Module
from vtiger_async.bulk.comparing import changed_fields
from vtiger_async.models.metadata import Field, FieldType
from vtiger_async.sandbox import Sandbox
from vtiger_async.wire.encode import encode_element


@pytest.fixture(scope="module")
def accounts() -> Module:
    """The description of organisations, with a field of each type that they lack."""

    async def described() -> Module:
        with Sandbox(limits=False) as sandbox:
            async with sandbox.client() as crm:
                return await crm.describe("Accounts")

    module = run(described)
    more = {
        name: Field(name, name, FieldType(name))
        for name in ("datetime", "date", "time", "multipicklist", "boolean", "image")
    }
    return evolve(module, fields={**module.fields, **more})


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("phone", "1", "1"),
        ("phone", " a &amp; b ", "a & b"),
        ("phone", None, ""),
        ("phone", "", None),
        ("employees", 12, "12"),
        ("annual_revenue", Decimal("12.50"), "12.50000000"),
        ("annual_revenue", None, "0.00000000"),
        ("datetime", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02 03:04:05"),
        ("datetime", None, None),
        ("date", date(2026, 1, 2), "2026-01-02"),
        ("date", None, "0000-00-00"),
        ("time", "10:00", "10:00:00"),
        ("boolean", True, "1"),
        ("boolean", "1", "on"),
        ("multipicklist", ["a", "b"], "a |##| b"),
        ("account_id", None, ""),
        ("account_id", "3x5", "3x5"),
    ],
)
def test_what_is_the_same(accounts: Module, name: str, given: Any, stored: Any) -> None:
    """A value in another form is the same value."""
    fields = {name: given}
    assert changed_fields(accounts, fields, encode_element("", fields), {name: stored}) == []


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("phone", "1.10", "1.1"),
        ("phone", "007", "7"),
        ("phone", "", "0"),
        ("phone", "Acme", "ACME"),
        ("phone", "10:00", "10:00:00"),
        ("phone", "secret", "****"),
        ("employees", 12, "13"),
        ("annual_revenue", Decimal("12.51"), "12.50000000"),
        ("datetime", "2026-01-02 03:00:00", "2026-01-02 04:00:00"),
        ("date", date(2026, 1, 2), "2026-01-03"),
        ("boolean", False, "1"),
        ("account_id", "3x5", "3x6"),
        ("account_id", "3x5", ""),
        ("account_id", None, "3x5"),
        ("industry", "Banking", "Retail"),
    ],
)
def test_what_is_another(accounts: Module, name: str, given: Any, stored: Any) -> None:
    """Texts are compared letter by letter; moments and numbers by what they mean."""
    fields = {name: given}
    assert changed_fields(accounts, fields, encode_element("", fields), {name: stored}) == [name]


def test_only_what_changes(accounts: Module) -> None:
    """The changed fields are given in the order of the row, and nothing else."""
    fields = {"phone": "2", "employees": 5, "accountname": "A", "website": "w"}
    stored = {"accountname": "B", "employees": "5", "phone": "1", "website": "w", "fax": "9"}
    found = changed_fields(accounts, fields, encode_element("", fields), stored)
    assert found == ["phone", "accountname"]


def test_a_field_that_is_not_shown(accounts: Module) -> None:
    """What the record does not show is written: nobody can say that it is there."""
    assert changed_fields(accounts, {"employees": 5}, {"employees": "5"}, {"phone": "1"}) == [
        "employees"
    ]


def test_lines(accounts: Module) -> None:
    """Lines are compared by their place; fields of theirs that are not shown say nothing."""
    stored = {"LineItems": [{"productid": "6x1", "quantity": "2.000", "sequence_no": "1"}]}
    same: Any = {"LineItems": [{"productid": "6x1", "quantity": "2", "cf_1": "x"}]}
    other: Any = {"LineItems": [{"productid": "6x1", "quantity": "3"}]}
    more: Any = {"LineItems": [*same["LineItems"], *other["LineItems"]]}
    assert changed_fields(accounts, same, same, stored) == []
    assert changed_fields(accounts, other, other, stored) == ["LineItems"]
    assert changed_fields(accounts, more, more, stored) == ["LineItems"]
