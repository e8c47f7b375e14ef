"""Writes with line items: filled in, checked, and never dropped by accident."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest

from vtiger_async import (
    InvalidArgumentError,
    LineItem,
    LineItemsError,
    OutcomeUnknownError,
    RetryPolicy,
    SilentChangeWarning,
    Totals,
    ValidationError,
    VtigerClient,
)
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES

pytestmark = pytest.mark.anyio
both_profiles = pytest.mark.parametrize("profile", PROFILES)


async def planted(crm: VtigerClient) -> tuple[dict[str, Any], list[LineItem]]:
    """Return the fields of an invoice, and two lines for it."""
    owner = (await crm.me()).id
    account = await crm.create("Accounts", {"accountname": "A", "assigned_user_id": owner})
    products = [
        await crm.create("Products", {"productname": name, "assigned_user_id": owner})
        for name in ("Wheel", "Axle")
    ]
    fields = {
        "subject": "S",
        "account_id": account.id,
        "bill_street": "1",
        "ship_street": "1",
        "assigned_user_id": owner,
        "invoicestatus": "Created",
    }
    wheel, axle = (product.id for product in products)
    lines = [
        LineItem(wheel, 4, Decimal("12.50"), comment="round"),
        LineItem(axle, "1.5", 30, discount_amount=5),
    ]
    return fields, lines


def spent(sandbox: Sandbox) -> int:
    """How many calls have reached the sandbox."""
    return sum(sandbox.ledger()["calls"].values())


@both_profiles
@pytest.mark.parametrize("validate", ["auto", True, False])
async def test_create_fills_in_what_goes_with_lines(profile: Any, validate: Any) -> None:
    """Productid and hdnTaxType are filled in; the totals are those that the client computes."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client(validate=validate, strict=True) as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines, "txtAdjustment": 3})
            whole = await crm.retrieve(made.id)
            assert whole.line_items == tuple(lines)
            assert whole["hdnTaxType"] == "group"
            found = Totals.of(lines, "group", adjustment=3)
            assert found.grand_total == Decimal(93)
            typed = whole.typed(await crm.describe("Invoice"))
            assert typed["hdnSubTotal"] == found.subtotal
            assert typed["hdnGrandTotal"] == found.grand_total
            assert typed["pre_tax_total"] == found.pre_tax_total
            assert typed["LineItems"] == lines
            assert typed.line_items == tuple(lines)


async def test_what_is_given_stands() -> None:
    """A productid and a tax type that are given are sent as they are."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client(strict=True) as crm:
            fields, lines = await planted(crm)
            taxed = LineItem(lines[0].productid, 1, 1, taxes={"tax1": 5})
            given = {"productid": lines[1].productid, "hdnTaxType": "group", "LineItems": [taxed]}
            made = await crm.create("Invoice", {**fields, **given})
            assert made["hdnTaxType"] == "group"


@pytest.mark.parametrize(
    ("others", "kind"),
    [
        ([{"tax1": "10.0", "tax2": 0}], "group"),
        ([{}], "individual"),
        ([{"tax1": 10}, {"tax1": 5}], "individual"),
    ],
)
async def test_lines_with_the_same_taxes_are_taxed_as_a_whole(others: Any, kind: str) -> None:
    """Where lines differ in their taxes and nothing else is said, each line has its own."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            fields, (wheel, _) = await planted(crm)
            given = [LineItem(wheel.productid, 1, 100, taxes=t) for t in ({"tax1": 10}, *others)]
            made = await crm.create("Invoice", {**fields, "LineItems": given})
            stored = await crm.retrieve(made.id)
            assert stored["hdnTaxType"] == kind
            whole = Totals.of(given, kind)  # type: ignore[arg-type]  # pytest gives a str
            assert Decimal(stored["hdnGrandTotal"]) == whole.grand_total


@both_profiles
async def test_equal_taxes_work_on_both(profile: Any) -> None:
    """The open source fails at taxes by line: where all lines have the same, it need not."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client(strict=True) as crm:
            fields, lines = await planted(crm)
            taxed = [LineItem(line.productid, 1, 100, taxes={"tax1": 10}) for line in lines]
            made = await crm.create("Invoice", {**fields, "LineItems": taxed})
            assert Decimal(str(made["hdnGrandTotal"])) == 220


@pytest.mark.parametrize(
    ("lines", "kind", "text"),
    [
        (None, ValidationError, "a record of this module has lines"),
        ([], ValidationError, "a record of this module has lines"),
        ("6x1", InvalidArgumentError, "LineItems is a list of LineItem"),
        ([1], InvalidArgumentError, "LineItems is a list of LineItem"),
        ([{"quantity": 1}], ValidationError, r"LineItems\[0\]\.productid: None is not"),
        ([{"productid": "42"}], ValidationError, r"LineItems\[0\]\.productid: '42' is not"),
        ([{"productid": "3x1"}], ValidationError, r"LineItems\[0\]\.productid: 3x1 is of Accounts"),
        ([{"productid": "6x1", "quantity": "two"}], ValidationError, r"\[0\]\.quantity: 'two' is"),
        ([{"productid": "6x1", "tax1": True}], ValidationError, r"\[0\]\.tax1: True is not"),
        ([{"productid": "6x1", "listprice": [1]}], ValidationError, r"\[0\]\.listprice: \[1\]"),
    ],
)
async def test_lines_that_cannot_be_are_refused(lines: Any, kind: Any, text: str) -> None:
    """A create with wrong lines, or without, is refused before a call is spent."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            await crm.describe("Accounts")
            before = spent(sandbox)
            with pytest.raises(kind, match=text) as caught:
                await crm.create("Invoice", {"subject": "S", "LineItems": lines})
            assert caught.value.operation == "create"
            with pytest.raises(InvalidArgumentError):
                await crm.create("SalesOrder", {"subject": "S"})
            assert spent(sandbox) == before


async def test_without_checks_the_server_is_asked() -> None:
    """With validate=False a create without lines is sent, and refused there."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client(validate=False) as crm:
            before = spent(sandbox)
            with pytest.raises(Exception, match="does not have a value"):
                await crm.create("Invoice", {"subject": "S"})
            assert spent(sandbox) == before + 1


@both_profiles
@pytest.mark.parametrize("operation", ["revise", "update"])
async def test_lines_are_not_dropped_by_accident(profile: Any, operation: str) -> None:
    """Without LineItems they stay; an empty list, and one that lacks a product, are refused."""
    with Sandbox(profile=profile, limits=False) as sandbox:
        async with sandbox.client() as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines})
            write: Any = getattr(crm, operation)
            rest = {**fields, "productid": lines[0].productid} if operation == "update" else {}
            await write(made.id, {**rest, "subject": "T"})
            for none in ([], None):
                with pytest.raises(InvalidArgumentError):
                    await write(made.id, {**rest, "LineItems": none})
            before = spent(sandbox)
            with pytest.raises(InvalidArgumentError, match=r"1 of 2 .* 'Axle'\): give all"):
                await write(made.id, {**rest, "LineItems": lines[:1]})
            assert spent(sandbox) == before + 1
            with pytest.raises(InvalidArgumentError, match="2 of 2"):
                await write(made.id, {**rest, "LineItems": [{"productid": "6x1"}]})
            whole = await crm.retrieve(made.id)
            assert (whole["subject"], whole.line_items) == ("T", tuple(lines))


@pytest.mark.parametrize("operation", ["revise", "update"])
async def test_lines_are_replaced_on_purpose(operation: str) -> None:
    """All of them, with more, or fewer where that is said; then nothing is read before."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client(strict=True) as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines})
            write: Any = getattr(crm, operation)
            rest = fields if operation == "update" else {}
            known = (await crm.retrieve(made.id)).line_items
            more = await write(made.id, {**rest, "LineItems": [*known, lines[0]]})
            assert more.line_items == (*lines, lines[0])
            before = spent(sandbox)
            fewer = await write(made.id, {**rest, "LineItems": lines[:1]}, replace_lines=True)
            assert spent(sandbox) == before + 1
            assert fewer.line_items == (lines[0],)


async def test_what_became_of_a_line_is_reported() -> None:
    """A quantity has three places, and what is cut off is a silent change, at the caller's line."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines[:1]})
            fine = LineItem(lines[0].productid, "1.23456", 1)
            with pytest.warns(SilentChangeWarning, match=r"LineItems\[0\]\.quantity") as caught:
                await crm.revise(made.id, {"LineItems": [fine]})
            assert caught[0].filename == __file__
            with pytest.warns(SilentChangeWarning) as caught:
                await crm.create("Invoice", {**fields, "LineItems": [fine]})
            assert caught[0].filename == __file__


async def test_the_open_source_cannot_replace_lines() -> None:
    """It fails before the totals are there: the error says what there was, and what there is."""
    with Sandbox(profile="oss-8.4", limits=False) as sandbox:
        async with sandbox.client() as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines})
            with pytest.raises(
                LineItemsError, match=r"3 lines now, and its totals are 0, and had 2"
            ) as caught:
                await crm.revise(made.id, {"LineItems": [*lines, lines[0]]})
            error = caught.value
            assert isinstance(error, OutcomeUnknownError)
            assert (error.lines_before, error.lines_now) == (tuple(lines), (*lines, lines[0]))
            assert (error.status, error.record_id) == (500, made.id)
            assert "wants a new document" in str(error)
            assert pickle.loads(pickle.dumps(error)).lines_before == tuple(lines)
            again = crm.with_options(retry=RetryPolicy(repeat_writes=True, base=0))
            with pytest.raises(LineItemsError, match="2 lines now, and its totals are 0") as caught:
                await again.update(made.id, {**fields, "LineItems": lines}, replace_lines=True)
            assert caught.value.lines_before is None


async def test_a_lost_reply_is_settled_by_the_lines() -> None:
    """Lines that are as they were sent prove that the write happened; others that it did not."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines})
            sandbox.faults.add("commit_then_drop", operation="revise", times=1)
            done = await crm.revise(made.id, {"subject": "T", "LineItems": lines[::-1]})
            assert (done["subject"], done.line_items) == ("T", tuple(lines[::-1]))
            sandbox.faults.add("reset_before_commit", operation="revise", times=1)
            with pytest.raises(LineItemsError, match="it has 2 lines now"):
                await crm.revise(made.id, {"subject": "U", "LineItems": lines})
            sandbox.faults.add("commit_then_drop", operation="revise", times=1)
            sandbox.faults.add("html", operation="retrieve", times=1, status=403)
            with pytest.raises(LineItemsError, match="could not be read") as caught:
                await crm.revise(made.id, {"LineItems": lines}, replace_lines=True)
            assert caught.value.lines_now is None
            assert "Retrieve the record" in str(caught.value)


async def test_a_refusal_stays_a_refusal() -> None:
    """An error that came before anything was changed is raised as it is."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client(validate=False) as crm:
            fields, lines = await planted(crm)
            made = await crm.create("Invoice", {**fields, "LineItems": lines})
            with pytest.raises(Exception, match="Unknown Error") as caught:
                await crm.revise(made.id, {"invoicedate": "soon", "LineItems": lines})
            assert not isinstance(caught.value, LineItemsError)


@both_profiles
@pytest.mark.parametrize("module", ["Products", "Services"])
async def test_the_taxes_of_a_product_pass_validation(profile: Any, module: str) -> None:
    """The description names them, so validation knows them; they are stored as sent."""
    sandbox = Sandbox(profile=profile, limits=False)
    name = {"Products": "productname", "Services": "servicename"}[module]
    async with sandbox.client(validate=True) as crm:
        fields = {name: "P", "assigned_user_id": (await crm.me()).id, "tax1": "7.5"}
        made = await crm.create(module, fields)
    assert made["tax1"] == "7.500"
