"""How the profile `oss-8.4` describes all its modules, and what its small ones hold."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm

from vtiger_async.sandbox.schema import SCHEMA
from vtiger_async.sandbox.schema_oss import MODULES
from vtiger_async.sandbox.schema_zones import ZONES

OSS = "oss-8.4"


@pytest.fixture
def crm() -> Crm:
    return Crm(profile=OSS)


def described(crm: Crm, module: str) -> dict[str, Any]:
    return crm("describe", elementType=module)


def test_every_module_that_is_listed_is_described(crm: Crm) -> None:
    """No module of listtypes is a name only."""
    types = crm("listtypes")["types"]
    assert types == list(MODULES)
    for name in types:
        told = described(crm, name)
        assert (told["name"], told["idPrefix"]) == (name, str(SCHEMA.modules[name].prefix))
        assert told["fields"]


@pytest.mark.parametrize(
    ("module", "place"),
    [("Leads", -1), ("Currency", 0), ("LineItem", 9), ("ProductTaxes", None)],
)
def test_the_place_of_the_id(crm: Crm, module: str, place: int | None) -> None:
    """The id is the last field of an entity and the first of the others; one has none."""
    names = [item["name"] for item in described(crm, module)["fields"]]
    assert names.index("id") == place % len(names) if place is not None else "id" not in names


def test_fields_stand_in_the_order_of_the_real_one(crm: Crm) -> None:
    """The times of a product stand in its middle, the marks of all records at its end."""
    names = [item["name"] for item in described(crm, "Products")["fields"]]
    assert names[names.index("glacct") + 1] == "createdtime"
    assert names[-8:] == ["source", "starred", "tags", "id", "tax1", "tax2", "tax3", "currency1"]


def test_labels_that_are_not_the_clouds(crm: Crm) -> None:
    """A purchase order has a list price, a campaign type shows another text."""
    fields = {f["name"]: f for f in described(crm, "PurchaseOrder")["fields"]}
    assert fields["listprice"]["label"] == "List Price"
    campaigns = {f["name"]: f for f in described(crm, "Campaigns")["fields"]}
    values = campaigns["campaigntype"]["type"]["picklistValues"]
    assert {"label": "Primary Email", "value": "Email"} in values


def test_settings_of_a_user(crm: Crm) -> None:
    """A user's settings are fields with their lists; the first user's are others."""
    fields = {f["name"]: f for f in described(crm, "Users")["fields"]}
    zones = fields["time_zone"]["type"]["picklistValues"]
    assert [zone["value"] for zone in zones] == list(ZONES)
    assert zones[0]["label"] == "(UTC-11:00) Samoa"
    admin, sales = (crm("retrieve", id=user) for user in ("19x1", "19x5"))
    assert (admin["hour_format"], sales["hour_format"]) == ("12", "24")
    assert (admin["rowheight"], admin["userlabel"]) == (None, "Ada Administrator")
    assert "label" not in admin


def test_the_company_has_a_logo(crm: Crm) -> None:
    """The logo is its name and its content, in base 64."""
    company = crm("retrieve", id="26x1")
    assert company["logoname"] == "logo.gif"
    assert company["logo"].startswith("R0lGOD")


def test_a_tax_is_shorter_than_its_row(crm: Crm) -> None:
    """A whole tax has its bare number, a row of a query what the tax is compounded of."""
    tax = crm("retrieve", id="34x1")
    assert (tax["taxid"], "regions" in tax) == ("1", False)
    assert crm.query("select * from Tax where taxname = 'tax1';")[0]["regions"] == "[]"


def test_products_and_services_have_taxes_and_prices(crm: Crm) -> None:
    """A tax that a write names stays until another is named; a service has no price of its own."""
    product = crm.create("Products", productname="p", unit_price="2.5", tax1="6", tax2="")
    assert (product["tax1"], product["currency1"], "tax2" in product) == ("6.000", 2.5, False)
    changed = crm("revise", element={"id": product["id"], "tax3": 1})
    assert (changed["tax1"], changed["tax3"]) == ("6.000", "1.000")
    service = crm.create("Services", servicename="s", unit_price="2.5")
    assert (service["currency1"], service["currency_id"]) == (0, "21x1")


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        ({"lastname": "0"}, " 0"),
        ({"firstname": "0", "lastname": "0"}, "0 0"),
        ({"firstname": " a", "lastname": " b "}, "a  b"),
        ({"firstname": "F", "lastname": "L" * 90}, "F " + "L" * 90),
        ({"lastname": "L" * 300}, "L" * 255),
    ],
)
def test_a_label_is_made_of_what_was_sent(crm: Crm, sent: dict[str, str], label: str) -> None:
    """A field is cut, the label beside it is not; a label that PHP takes for empty is made anew."""
    record = crm.create("Leads", **sent)
    assert len(record["lastname"]) <= 80
    assert record["label"] == label
    assert crm("retrieve", id=record["id"])["label"] == label


def test_a_label_of_zero_alone_is_none(crm: Crm) -> None:
    """A record whose one name is 0 has no label."""
    assert "label" not in crm.create("Vendors", vendorname="0")


def test_the_next_write_makes_the_label_anew(crm: Crm) -> None:
    """A change makes the label of the stored fields, cut as they are."""
    lead = crm.create("Leads", lastname="L" * 90)["id"]
    assert crm("revise", element={"id": lead, "phone": "1"})["label"] == "L" * 80


def test_defaults_do_not_apply(crm: Crm) -> None:
    """A boolean that describe gives a default is 0 where nobody sent it."""
    assert crm.create("PriceBooks", bookname="b", currency_id="21x1")["active"] == "0"
    assert Crm().create("PriceBooks", bookname="b", currency_id="21x1")["active"] == "1"


def test_the_order_of_keys_varies(crm: Crm) -> None:
    """The echo of a new document begins with its id, and the record that is read does not."""
    account = crm.create("Accounts", accountname="a")["id"]
    product = crm.create("Products", productname="p")["id"]
    echo = crm.create(
        "Invoice", subject="s", account_id=account, bill_street="s", ship_street="s",
        productid=product, LineItems=[{"productid": product, "quantity": 1, "listprice": 1}],
    )  # fmt: skip
    assert next(iter(echo)) == "id"
    assert next(iter(crm("retrieve", id=echo["id"]))) == "subject"
