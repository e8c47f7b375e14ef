"""Line items as values: read as the server sends them, with totals that are the server's."""

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
    Record,
    RecordId,
    Totals,
)
from vtiger_async.models.echo import silent_changes

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
