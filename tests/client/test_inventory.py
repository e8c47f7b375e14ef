"""Line items: typed, with totals that are the server's, checked, and never dropped by accident."""

from __future__ import annotations

import pickle
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async import (
    InvalidArgumentError,
    InvalidIdError,
    InvalidResponseError,
    LineItem,
    LineItemsError,
    OutcomeUnknownError,
    Record,
    RecordId,
    RetryPolicy,
    SilentChangeWarning,
    Totals,
    ValidationError,
    VtigerClient,
)
from vtiger_async.models.echo import silent_changes
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.profiles import PROFILES

pytestmark = pytest.mark.anyio

MONEY = st.decimals(0, 99_999, places=2)
PERCENT = st.decimals(0, 100, places=2)
LINES = st.builds(
    LineItem,
    st.just("6x1"),
    st.decimals("0.001", 999, places=3),
    MONEY,
    discount_percent=PERCENT,
    taxes=st.dictionaries(st.sampled_from(["tax1", "tax2"]), PERCENT, max_size=2),
)
CLOSE = Decimal("1e-7")
"""Each total is rounded to eight places on its own."""


class TestLineItem:
    """One line, as a value."""

    def test_it_is_what_is_sent_for_it(self) -> None:
        """It is a mapping of its fields on the wire; what is empty is left out."""
        line = LineItem("6x1", 2, "12.50", comment="c", taxes={"tax1": 7}, extra={"cf_1": "x"})
        assert dict(line) == {
            "productid": "6x1",
            "quantity": Decimal(2),
            "listprice": Decimal("12.50"),
            "comment": "c",
            "tax1": Decimal(7),
            "cf_1": "x",
        }
        assert (len(line), line["comment"], type(line.productid)) == (6, "c", RecordId)

    def test_a_float_is_the_number_that_was_written(self) -> None:
        """0.1 is a tenth, and not the 55 digits that a float has."""
        assert LineItem("6x1", 0.1, 1).quantity == Decimal("0.1")

    @pytest.mark.parametrize("quantity", ["two", "1,5", "", True, float("nan"), Decimal("inf")])
    def test_a_number_that_is_none_is_refused(self, quantity: Any) -> None:
        """Vtiger would store text as 0 and 1,5 as 1."""
        with pytest.raises(InvalidArgumentError, match="is not a number"):
            LineItem("6x1", quantity, 1)

    def test_a_product_that_is_no_id_is_refused(self) -> None:
        """A line without a product is none."""
        with pytest.raises(InvalidIdError):
            LineItem("42", 1, 1)

    def test_what_came_can_be_sent_back(self) -> None:
        """What only the CRM writes is kept aside, and the rest is the line again."""
        sent = {
            "productid": "14x640", "quantity": "1.500", "listprice": "20.50000000", "id": "33x3",
            "discount_percent": "0.000", "discount_amount": None, "comment": "half",
            "tax1": "7.000", "tax2": None, "product_name": "W", "sequence_no": "2", "cf_1": "x",
            "description": "",
        }  # fmt: skip
        line = LineItem.of(sent)
        same = LineItem("14x640", "1.5", "20.5", comment="half", taxes={"tax1": 7},
                        extra={"cf_1": "x"})  # fmt: skip
        assert line == same
        assert line.written == {"id": "33x3", "product_name": "W", "sequence_no": "2"}
        assert LineItem.of(line) is line
        assert pickle.loads(pickle.dumps(line)) == line
        assert "product_name" not in line

    @pytest.mark.parametrize(
        "value", [None, "x", {}, {"productid": "42"}, {"productid": "6x1", "quantity": "many"}]
    )
    def test_what_is_no_line_is_the_servers_fault(self, value: Any) -> None:
        """It is an InvalidResponseError, which does not blame the caller."""
        with pytest.raises(InvalidResponseError, match="a line item"):
            LineItem.of(value)


class TestTotals:
    """What a document comes to."""

    def test_taxes_by_line(self) -> None:
        """With `individual` the taxes are part of the subtotal, and of the document's discount."""
        lines = [
            LineItem("6x1", 2, 50, discount_amount=10, discount_percent=99, taxes={"tax1": 10}),
            LineItem("6x2", 1, 100, discount_percent=50, taxes={"tax1": 20, "tax2": 4}),
        ]
        found = Totals.of(lines, discount_percent=10, shipping=5, shipping_tax=20, adjustment=-1)
        assert (found.subtotal, found.tax) == (Decimal(161), Decimal(21))
        assert (found.discount, found.shipping_tax) == (Decimal("16.1"), Decimal(1))
        assert found.pre_tax_total == Decimal("128.9")
        assert found.grand_total == Decimal("149.9")

    def test_taxes_of_the_whole(self) -> None:
        """With `group` the first line's taxes are those of the discounted whole."""
        lines = [LineItem("6x1", 2, 50, taxes={"tax1": 10}), LineItem("6x2", 1, 100)]
        found = Totals.of(lines, "group", discount_amount=20, discount_percent=99)
        assert (found.subtotal, found.discount) == (Decimal(200), Decimal(20))
        assert (found.pre_tax_total, found.tax) == (Decimal(180), Decimal(18))
        assert found.grand_total == Decimal(198)
        assert Totals.of(lines, "group", taxes={"tax1": 20}).tax == Decimal(40)
        assert Totals.of([], "group").grand_total == 0

    def test_an_unknown_tax_type_is_refused(self) -> None:
        """There are two."""
        with pytest.raises(InvalidArgumentError, match="'individual' or 'group'"):
            Totals.of([], "none")  # type: ignore[arg-type]  # what the test is about

    @given(st.lists(LINES, max_size=4), st.sampled_from(["individual", "group"]), PERCENT, MONEY)
    def test_the_parts_make_the_whole(
        self, lines: list[LineItem], tax_type: Any, discount: Decimal, shipping: Decimal
    ) -> None:
        """The grand total is what is not tax, and the taxes."""
        found = Totals.of(lines, tax_type, discount_percent=discount, shipping=shipping)
        whole = found.pre_tax_total + found.tax + found.shipping_tax + found.adjustment
        assert abs(found.grand_total - whole) <= 5 * CLOSE
        assert 0 <= found.discount <= found.subtotal
        net = sum(line.net for line in lines)
        assert abs(found.pre_tax_total - (net - found.discount + shipping)) <= 5 * CLOSE

    @given(st.lists(LINES, min_size=1, max_size=4), MONEY)
    def test_the_order_of_lines_does_not_matter(self, lines: list[LineItem], off: Decimal) -> None:
        """By line, a document comes to the same whatever the order."""
        first, second = (Totals.of(some, adjustment=-off) for some in (lines, lines[::-1]))
        assert first == second

    @given(LINES)
    def test_the_wire_loses_nothing(self, line: LineItem) -> None:
        """A line that is sent and comes back is the same line."""
        back = LineItem.of({name: str(value) for name, value in line.items()})
        assert back.net == line.net
        assert back.productid == line.productid
        assert {k: v for k, v in line.taxes.items() if v} == back.taxes


def test_a_record_says_whether_its_lines_came() -> None:
    """A record from a query has no lines to give, which is told apart from having none."""
    with pytest.raises(InvalidArgumentError, match="came without LineItems"):
        _ = Record({"id": "7x1"}).line_items
    assert Record({"LineItems": None}).line_items == ()
    assert len(Record({"LineItems": {"0": {"productid": "6x1"}}}).line_items) == 1
    with pytest.raises(InvalidResponseError, match="a list of line items"):
        _ = Record({"LineItems": "none"}).line_items


SAME = {"productid": "6x1", "quantity": "2", "listprice": "9.9", "id": "33x9"}


@pytest.mark.parametrize(
    ("line", "stored", "fields"),
    [
        (SAME, [{"productid": "6x1", "quantity": "2.000", "listprice": "9.90000000"}], []),
        (SAME, [{"productid": "6x1", "quantity": "3", "listprice": "9.9"}], ["quantity"]),
        (SAME, [{"productid": "6x2", "quantity": "2"}], ["productid", "listprice"]),
        (SAME, [], [""]),
        (SAME, ["x"], [""]),
        (SAME, None, []),
    ],
)
def test_the_echos_lines_are_compared(line: Any, stored: Any, fields: list[str]) -> None:
    """A line that is missing, or was stored as another, is a change; normal forms are not."""
    found = silent_changes({}, {"LineItems": [line]}, {"id": "7x1", "x": 1, "LineItems": stored})
    names = [f"LineItems[0].{field}" if field else "LineItems" for field in fields]
    assert [change.field for change in found] == names


def test_the_echos_lines_are_compared_in_their_order() -> None:
    """The server's rows may come in any order; the sequence number tells."""
    sent = [{"productid": "6x1"}, {"productid": "6x2"}]
    stored = [
        {"productid": "6x2", "sequence_no": "2"},
        {"productid": "6x1", "sequence_no": "1"},
    ]
    assert silent_changes({}, {"LineItems": sent}, {"x": 1, "LineItems": stored}) == ()


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
