"""Line items of the sandbox's invoices and their kin."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm, on_the_cloud


@pytest.fixture
def crm(profile: str) -> Crm:
    crm = Crm(profile=profile)
    crm.create("Accounts", accountname="a")  # 3x101
    crm.create("Products", productname="Desk")  # 6x102
    crm.create("Services", servicename="Help")  # 25x103
    return crm


def invoice(crm: Crm, *lines: Any, **fields: Any) -> dict[str, Any]:
    return crm.create(
        "Invoice",
        **(
            {
                "subject": "s",
                "account_id": "3x101",
                "bill_street": "b",
                "ship_street": "b",
                "productid": "6x102",
                "LineItems": list(lines),
            }
            | fields
        ),
    )


DESK = {"productid": "6x102", "quantity": "2", "listprice": "10.25", "comment": "c"}
HELP = {"productid": "25x103", "quantity": 1, "listprice": 99, "nofield": 1, "description": ""}


def test_the_echo_has_lines_and_totals_as_numbers(crm: Crm) -> None:
    """A create answers with its line items; totals are numbers, whole ones without a point."""
    record = invoice(crm, DESK, HELP)
    assert (record["hdnSubTotal"], record["hdnGrandTotal"]) == (119.5, 119.5)
    assert (record["currency_id"], record["invoice_no"]) == ("21x1", "INV1")
    desk, helped = record["LineItems"]
    assert (desk["parent_id"], desk["quantity"], desk["comment"]) == (record["id"], "2.000", "c")
    assert (helped["product_name"], helped["entity_type"]) == ("Help", "Services")
    assert invoice(crm, DESK | {"quantity": 4, "listprice": "2.5"})["hdnGrandTotal"] == 10


def test_retrieve_has_totals_as_text_and_details(crm: Crm) -> None:
    """Retrieving shows totals as text, the first product, and details that mix types."""
    record = crm("retrieve", id=invoice(crm, DESK)["id"])
    assert record["hdnGrandTotal"] == "20.50000000"
    assert record["productid"] == "6x102"
    details = record["LineItems_FinalDetails"]["1"]
    assert (details["hdnProductId1"], details["productDeleted1"]) == ("102", False)


def test_discounts_taxes_and_adjustment_make_the_total(crm: Crm) -> None:
    """A line's discounts come off first, its taxes on top, the adjustment at the very end."""
    line = {"productid": "6x102", "quantity": 10, "listprice": 10}
    cut = line | {"discount_percent": 10, "discount_amount": 5, "tax1": 20}
    record = invoice(crm, cut, txtAdjustment="-2")
    assert (record["hdnSubTotal"], record["hdnGrandTotal"]) == (102, 100)


def test_lines_are_wanted_on_create(crm: Crm) -> None:
    """Without line items, or without productid, fields are missing."""
    with pytest.raises(Exception, match=r"Mandatory Fields Missing\.\.") as caught:
        invoice(crm)
    assert caught.value.args[0] == "MANDATORY_FIELDS_MISSING"
    with pytest.raises(Exception, match="productid does not have a value"):
        invoice(crm, DESK, productid="")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"quantity": 1}, "INVALID_ID_ATTRIBUTE"),
        ("text", "INVALID_ID_ATTRIBUTE"),
        ({"productid": "3x101"}, "REFERENCE_INVALID"),
        ({"productid": "99x101"}, "REFERENCE_INVALID"),
    ],
)
def test_a_line_names_a_product_or_a_service(crm: Crm, line: Any, code: str) -> None:
    """A line without product, or with a record of another module, is refused."""
    with pytest.raises(Exception, match="specified") as caught:
        invoice(crm, line)
    assert caught.value.args[0] == code


@on_the_cloud
def test_a_revise_keeps_or_replaces_the_lines(crm: Crm) -> None:
    """A revise without LineItems keeps them all, one with them replaces them all."""
    record_id = invoice(crm, DESK, HELP)["id"]
    kept = crm("revise", element={"id": record_id, "subject": "t"})
    assert (kept["subject"], len(kept["LineItems"])) == ("t", 2)
    replaced = crm("revise", element={"id": record_id, "LineItems": [HELP]})
    assert [line["productid"] for line in replaced["LineItems"]] == ["25x103"]
    assert replaced["hdnGrandTotal"] == 99
    lines = crm.query(f"select * from LineItem where parent_id = '{record_id}';")
    assert [line["listprice"] for line in lines] == ["99.00000000"]


def test_query_and_sync_leave_the_lines_out(crm: Crm) -> None:
    """Neither a row nor a synced record has LineItems; a row has the line's own fields."""
    invoice(crm, DESK)
    row = crm.query("select * from Invoice;")[0]
    assert "LineItems" not in row
    assert (row["productid"], row["quantity"]) == ("6x102", "2.000")
    (changed,) = crm("sync", modifiedTime="1", elementType="Invoice", syncType="user")["updated"]
    assert "LineItems" not in changed
    assert "productid" not in changed


def test_line_items_can_be_asked_for(crm: Crm) -> None:
    """An invoice is found by its lines' fields, and a line is a record of its own module."""
    record_id = invoice(crm, DESK, HELP)["id"]
    for condition in ("productid = '6x102'", "quantity in ('2')", "comment like 'C%'"):
        assert crm.values(f"select id from Invoice where {condition};", "id") == [record_id]
    assert crm.query("select id from Invoice where productid = '6x1';") == []
    line = crm("retrieve", id="33x1")
    assert (line["parent_id"], line["sequence_no"], "label" in line) == (record_id, "1", False)


def test_a_deleted_product_is_marked_in_its_lines(crm: Crm) -> None:
    """The line of a deleted product says so."""
    record_id = invoice(crm, DESK)["id"]
    crm("delete", id="6x102")
    (line,) = crm("retrieve", id=record_id)["LineItems"]
    assert (line["deleted"], line["product_name"]) == ("1", None)
