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
    assert record["invoice_no"] == "INV1"
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
    """A line's discount in money goes before one in percent; the first line's taxes are all's."""
    line = {"productid": "6x102", "quantity": 10, "listprice": 10}
    cut = line | {"discount_percent": 10, "discount_amount": 5, "tax1": 20}
    record = invoice(crm, cut, line | {"tax1": 50}, txtAdjustment="-2", hdnDiscountPercent="10")
    # 95 and 100, less a tenth, and a fifth on top, and 2 off
    assert (record["hdnSubTotal"], record["hdnGrandTotal"]) == (195, 208.6)
    assert record["pre_tax_total"] == 175.5


@on_the_cloud
def test_individual_taxes_are_part_of_the_subtotal(crm: Crm) -> None:
    """Where the tax type is individual, each line's own taxes are in the subtotal."""
    line = {"productid": "6x102", "quantity": 10, "listprice": 10, "tax1": 20}
    record = invoice(crm, line, line | {"tax1": 10}, hdnTaxType="individual")
    assert (record["hdnSubTotal"], record["pre_tax_total"]) == (230, 200)


def test_totals_are_floating_point(crm: Crm) -> None:
    """Totals are added up as PHP adds: what three tenths and a fifth make has a tail."""
    line = {"productid": "6x102", "quantity": "1", "listprice": "0.1"}
    record = invoice(crm, line | {"quantity": "3"}, line | {"listprice": "0.2"})
    assert record["hdnSubTotal"] == 3 * 0.1 + 0.2


def test_charges_and_their_taxes(crm: Crm) -> None:
    """A charge is shown as it was sent, a percentage of what was sent as the subtotal, taxed."""
    charge = {"shipping_&_handling": "12.5", "shipping_&_handling_shtax1": "4"}
    record = invoice(crm, DESK, **charge)
    assert (record["hdnGrandTotal"], record["shipping_&_handling"]) == (33.5, "12.5")
    details = crm("retrieve", id=record["id"])["LineItems_FinalDetails"]["1"]["final_details"]
    assert details["chargesAndItsTaxes"] == {"1": {"value": "12.5", "taxes": {"1": "4"}}}
    assert (details["shtax_totalamount"], details["sh_taxes"][0]["percentage"]) == ("0.50", 4)
    parts = {"shipping_&_handling": "10%", "hdnSubTotal": "50", "hdnDiscountPercent": "10"}
    assert invoice(crm, DESK, **parts)["hdnS_H_Amount"] == "4.50000000"
    old = invoice(crm, DESK, hdnS_H_Amount="10", hdnS_H_Percent="5")
    assert (old["_shtax1"], old["hdnS_H_Percent"]) == (50, "50.00000000")


def test_discounts_of_the_whole(crm: Crm) -> None:
    """A document's discount in money leaves none in percent, and one of zero leaves none."""
    money = invoice(crm, DESK, hdnDiscountAmount="0.5", hdnDiscountPercent="10")
    assert (money["hdnDiscountPercent"], money["hdnGrandTotal"]) == ("", 20)
    details = crm("retrieve", id=money["id"])["LineItems_FinalDetails"]["1"]["final_details"]
    assert (details["discount_type_final"], details["discountTotal_final"]) == ("amount", "0.50")
    none = invoice(crm, DESK, hdnDiscountAmount="0", hdnDiscountPercent="0")
    assert (none["hdnDiscountPercent"], none["hdnDiscountAmount"]) == ("", "")


def test_the_echo_of_a_create_is_of_before_its_lines(crm: Crm) -> None:
    """The details in a create's echo know of no line: the document had none when it was read."""
    record = invoice(crm, DESK, hdnTaxType="group")
    assert (record["new"], record["productid"]) == (True, "")
    (whole,) = record["LineItems_FinalDetails"]["1"].values()
    assert (whole["grandTotal"], whole["taxes"]["1"]["percentage"]) == ("0.00", 0)


def test_details_say_how_a_line_was_discounted(crm: Crm) -> None:
    """The details of a line name its discount and escape its texts."""
    lines = (DESK | {"discount_percent": "10", "comment": "a & b"}, HELP | {"discount_amount": 9})
    details = crm("retrieve", id=invoice(crm, *lines)["id"])["LineItems_FinalDetails"]
    first, second = details["1"], details["2"]
    assert (first["discount_type1"], first["discount_percent1"]) == ("percentage", "10")
    assert (first["comment1"], first["netPrice1"], "delRow1" in first) == (
        "a &amp; b", "18.45", False,
    )  # fmt: skip
    assert (second["discount_amount2"], second["netPrice2"]) == ("9", "90.00")
    assert (second["qtyInStock2"], "subprod_names2" in second) == ("NA", False)


def test_an_amount_of_tax_that_ends_in_five_is_a_number(crm: Crm) -> None:
    """Taxes in the details are texts, but a number where the third decimal is a five."""
    line = {"productid": "6x102", "quantity": 1, "listprice": "10.1", "tax1": "4.5", "tax2": 5}
    record = crm("retrieve", id=invoice(crm, line, hdnTaxType="group")["id"])
    taxes = record["LineItems_FinalDetails"]["1"]["final_details"]["taxes"]
    assert [taxes[n]["amount"] for n in "123"] == ["0.45", 0.51, "0.00"]


def test_stock_follows_the_lines(crm: Crm) -> None:
    """What is sold leaves the stock, and comes back with the document's end."""
    crm("revise", element={"id": "6x102", "qtyinstock": "10"})
    record_id = invoice(crm, DESK)["id"]
    assert crm("retrieve", id="6x102")["qtyinstock"] == "8.000"
    crm("delete", id=record_id)
    assert crm("retrieve", id="6x102")["qtyinstock"] == "10.000"
    assert crm.query(f"select id from LineItem where parent_id = '{record_id}';") == []


def test_a_line_without_price_takes_that_of_its_product(crm: Crm) -> None:
    """A product's own price fills in for a missing one; a service's does not."""
    crm("revise", element={"id": "6x102", "unit_price": "7"})
    crm("revise", element={"id": "25x103", "unit_price": "7"})
    record = invoice(crm, {"productid": "6x102", "quantity": 2}, {"productid": "25x103"})
    assert [line["listprice"] for line in record["LineItems"]] == ["7.00000000", "0.00000000"]
    assert record["LineItems"][1]["quantity"] == "0.000"


def test_a_price_that_is_text_breaks_off_half_way(crm: Crm) -> None:
    """A line that cannot be calculated ends in HTTP 500; the document and lines before it stay."""
    with pytest.raises(Exception, match="Unknown Error") as caught:
        invoice(crm, DESK, DESK | {"listprice": "much"})
    assert caught.value.args[2] == 500
    (row,) = crm.query("select id, hdnGrandTotal from Invoice;")
    assert row["hdnGrandTotal"] == "0.00000000"
    assert len(crm("retrieve", id=row["id"])["LineItems"]) == 1


def test_what_the_open_source_keeps_of_a_document() -> None:
    """There, individual taxes are an error after the write, and an order forgets its rhythm."""
    crm = Crm(profile="oss-8.4")
    account = crm.create("Accounts", accountname="a")["id"]
    product = crm.create("Products", productname="p", tax1="6")
    assert (product["tax1"], product["currency1"], product["discontinued"]) == ("6.000", 0, "0")
    line = {"productid": product["id"], "quantity": "1", "listprice": "10", "tax1": "5", "tax2": 9}
    fields = {
        "subject": "s", "account_id": account, "bill_street": "b", "ship_street": "s",
        "productid": product["id"], "LineItems": [line],
    }  # fmt: skip
    with pytest.raises(Exception, match="Unknown Error"):
        crm.create("Invoice", **fields, hdnTaxType="individual")
    assert crm.query("select count(*) from Invoice;") == [{"count": "1"}]
    odd = crm.create("Invoice", **fields, hdnTaxType="Individual")
    assert (odd["hdnSubTotal"], odd["currency_id"]) == (10.5, None)  # the product has no tax2
    order = crm.create("SalesOrder", **fields, sostatus="Created", invoicestatus="Created")
    assert order["invoicestatus"] == "Created"
    assert crm("retrieve", id=order["id"])["invoicestatus"] == ""


def test_a_query_takes_discounts_for_those_of_the_lines() -> None:
    """On the open source the columns of both have one name, and a query reads the line's."""
    crm = Crm(profile="oss-8.4")
    account = crm.create("Accounts", accountname="a")["id"]
    product = crm.create("Products", productname="p")["id"]
    line = {"productid": product, "quantity": "1", "listprice": "10", "discount_percent": "3"}
    record = crm.create(
        "Invoice", subject="s", account_id=account, bill_street="b", ship_street="s",
        productid=product, LineItems=[line], hdnDiscountPercent="7.5",
    )  # fmt: skip
    asked = f"select hdnDiscountPercent from Invoice where id = '{record['id']}';"
    assert crm.query(asked) == [{"discount_percent": "3.000", "id": record["id"]}]
    assert crm.query("select id from Invoice where hdnDiscountPercent = '7.5';") == []
    (changed,) = crm("sync", modifiedTime="1", elementType="Invoice", syncType="user")["updated"]
    assert (changed["discount_percent"], "hdnDiscountPercent" in changed) == ("7.500", False)


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
        ({"productid": "3x101"}, "INVALID_ID_ATTRIBUTE"),
        ({"productid": "99x101"}, "INVALID_ID_ATTRIBUTE"),
        ({"productid": "6x999"}, "INVALID_ID_ATTRIBUTE"),
        ("text", "INTERNAL_SERVER_ERROR"),
    ],
)
def test_a_line_names_a_product_or_a_service(crm: Crm, line: Any, code: str) -> None:
    """A line without product, or with a record of another module, is refused."""
    with pytest.raises(Exception, match=r"specified|Unknown") as caught:
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
    assert (replaced["hdnGrandTotal"], replaced["quantity"]) == ("99.00000000", "1.000")
    assert crm("revise", element={"id": record_id, "any": "x"})["any"] == "x"
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
