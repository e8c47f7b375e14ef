"""What was measured of records and descriptions, where no other test says so."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm

from vtiger_async.sandbox.engine import Fault, Upload

OWNED = {"assigned_user_id": "19x1"}


@pytest.fixture
def crm(profile: str) -> Crm:
    return Crm(profile=profile)


def invoice(crm: Crm, **fields: Any) -> dict[str, Any]:
    """Create an invoice of one line."""
    account = crm.create("Accounts", accountname="A")["id"]
    product = crm.create("Products", productname="P")["id"]
    line = {"productid": product, "quantity": "1", "listprice": "5"}
    given = {
        "subject": "I", "account_id": account, "bill_street": "S", "ship_street": "S",
        "productid": product, "LineItems": [line],
    }  # fmt: skip
    return crm.create("Invoice", **(given | fields))


def test_ids_begin_with_the_prefix_that_describe_tells(crm: Crm) -> None:
    """What describe tells is text, and each record's id begins with it."""
    for module, fields in {
        "Contacts": {"lastname": "x"},
        "Accounts": {"accountname": "x"},
        "Products": {"productname": "x"},
    }.items():
        prefix = crm("describe", elementType=module)["idPrefix"]
        assert isinstance(prefix, str)
        assert crm.create(module, **fields)["id"].startswith(f"{prefix}x")


def test_values_are_text_or_null(crm: Crm) -> None:
    """Booleans are "0" and "1", decimals have eight places, is_admin is "on"."""
    record = crm.create("Accounts", accountname="x", annual_revenue="12.5", emailoptout=True)
    assert (record["annual_revenue"], record["emailoptout"]) == ("12.50000000", "1")
    assert record["notify_owner"] == "0"
    for answer in (record, crm("retrieve", id=record["id"]), crm.query("select * from Accounts;")):
        for found in answer if isinstance(answer, list) else [answer]:
            assert all(value is None or isinstance(value, str) for value in found.values())
    assert crm("retrieve", id="19x1")["is_admin"] == "on"


def test_some_answers_of_inventory_mix_types(crm: Crm) -> None:
    """The echo has totals as numbers, and retrieve details with a boolean and a number."""
    echo = invoice(crm)
    assert (echo["hdnGrandTotal"], type(echo["hdnSubTotal"])) == (5, int)
    details = crm("retrieve", id=echo["id"])["LineItems_FinalDetails"]["1"]
    assert (details["productDeleted1"], details["discount_percent1"]) == (False, 0)


def test_a_record_has_what_the_crm_adds(crm: Crm) -> None:
    """A label that no field is, and the CRM's own marks."""
    record = crm.create("Leads", lastname="x")
    assert (record["label"], record["starred"], record["tags"]) == ("x", "0", "")
    assert record["source"] == "WEBSERVICE"


def test_a_label_is_escaped_and_a_field_is_not(crm: Crm) -> None:
    """Entities that were typed come back decoded in the field."""
    record = crm.create("Leads", lastname="a &amp; b < c")
    assert (record["lastname"], record["label"]) == ("a & b < c", "a &amp; b &lt; c")


def test_an_owner_is_wanted_and_may_be_a_group(crm: Crm) -> None:
    """Without one the field is missing; a group's id is as good as a user's."""
    answer = crm.refused("create", elementType="Leads", element={"lastname": "x"})
    assert answer == ("MANDATORY_FIELDS_MISSING", "assigned_user_id does not have a value")
    assert crm.create("Leads", lastname="x", assigned_user_id="20x3")["assigned_user_id"] == "20x3"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("19x5", "19x5"), ("20x1", "19x1"), ("19x3", "20x3"), ("3x5", "19x5"), ("3x547", "547"),
        ("19x999", "999"), ("19x0", "19x1"), ("19x5x7", "19x5"), ("19x5abc", "19x5"),
        (" 19x5", "19x5"), ("3", "19x1"), ("999", "19x1"), (5, "19x1"), ("12.5", "19x1"),
    ],
)  # fmt: skip
def test_an_admins_owner_is_found_by_its_number(crm: Crm, sent: object, stored: str) -> None:
    """The prefix is not looked at; nobody's number stays bare; one without prefix is the caller."""
    lead = crm.create("Leads", lastname="x", assigned_user_id=sent)
    assert lead["assigned_user_id"] == stored
    assert crm("revise", element={"id": lead["id"], "assigned_user_id": sent}) == lead


@pytest.mark.parametrize("sent", ["who", "x5", "5x", "19x-1", "19x 5", ["19x5", "19x1"]])
def test_an_owner_that_is_no_id_is_refused(crm: Crm, sent: object) -> None:
    """Whoever asks: INVALID_ID_ATTRIBUTE."""
    for user in ("admin", "sales"):
        element = {"lastname": "x", "assigned_user_id": sent}
        code, _ = crm.refused("create", user, elementType="Leads", element=element)
        assert code == "INVALID_ID_ATTRIBUTE"


def test_others_name_their_owner_as_it_is(crm: Crm) -> None:
    """Who is no admin may give a record to every user and group, and to nobody else."""
    for owner in ("19x1", "19x5", "20x3", "19x5x7"):
        lead = crm.create("Leads", "sales", lastname="x", assigned_user_id=owner)
        assert lead["assigned_user_id"] == owner.removesuffix("x7")
    denied = ("ACCESS_DENIED", "Cannot assign record to the given user")
    for owner in ("3", "5", "19x3", "20x1", "3x5", "19x0", "19x999", "19x5abc"):
        element = {"lastname": "x", "assigned_user_id": owner}
        assert crm.refused("create", "sales", elementType="Leads", element=element) == denied


def test_the_last_change_of_a_field_wins(crm: Crm) -> None:
    """There is no version to check: who writes later overwrites."""
    record = crm.create("Leads", lastname="x", city="Rome")
    for city in ("Oslo", "Bern"):
        crm("revise", element={"id": record["id"], "city": city})
    assert crm("retrieve", id=record["id"])["city"] == "Bern"


def test_deleting_twice_is_denied(crm: Crm) -> None:
    """A record that is gone is ACCESS_DENIED on all four operations, as a hidden one is."""
    gone = crm.create("Contacts", lastname="x")["id"]
    crm("delete", id=gone)
    hidden = crm.create("Contacts", lastname="y")["id"]
    for record_id, user in ((gone, "admin"), ("4x999", "admin"), (hidden, "sales")):
        element = {"id": record_id, "lastname": "z", **OWNED}
        for answer in (
            crm.refused("retrieve", user, id=record_id),
            crm.refused("delete", user, id=record_id),
            crm.refused("update", user, element=element),
            crm.refused("revise", user, element=element),
        ):
            assert answer[0] == "ACCESS_DENIED"


def test_only_users_and_files_are_not_found(crm: Crm) -> None:
    """RECORD_NOT_FOUND is for an inactive user, and for a document's id in a file's place."""
    assert crm.refused("retrieve", id="19x7")[0] == "RECORD_NOT_FOUND"
    for missing in ("19x99", "4x99"):
        assert crm.refused("retrieve", id=missing)[0] == "ACCESS_DENIED"
    file = Upload("a.txt", "text/plain", b"abc")
    element = {"notes_title": "D", **OWNED}
    document = crm("create", elementType="Documents", element=element, files=[file])
    assert crm.refused("files_retrieve", id=document["id"])[0] == "RECORD_NOT_FOUND"
    assert crm("files_retrieve", id=document["imageattachmentids"])


@pytest.mark.parametrize(("profile", "key"), [("oss-8.4", "filesize"), ("cloud", "filezie")])
def test_a_file_is_read_by_the_ids_in_imageattachmentids(crm: Crm, key: str) -> None:
    """They are comma-separated; the open source sends a list of one."""
    files = [Upload(name, "image/gif", name.encode()) for name in ("a.gif", "bb.gif")]
    element = {"lastname": "x", **OWNED}
    record = crm("create", elementType="Contacts", element=element, files=files)
    ids = record["imageattachmentids"].split(",")
    answers = [crm("files_retrieve", id=file_id) for file_id in ids]
    found = [answer[0] if isinstance(answer, list) else answer for answer in answers]
    assert [file[key] for file in found] == [5, 6]
    assert all(isinstance(answer, list) is (key == "filesize") for answer in answers)


def test_an_invoice_wants_lines_and_a_product(crm: Crm) -> None:
    """Neither LineItems nor the productid beside them may be missing."""
    with pytest.raises(Fault) as caught:
        invoice(crm, LineItems=[])
    assert caught.value.code == "MANDATORY_FIELDS_MISSING"
    crm.engine.reset()
    with pytest.raises(Fault, match="productid does not have a value"):
        invoice(crm, productid="")


def test_a_revise_without_lines_keeps_them(crm: Crm) -> None:
    """Only retrieve and the echo show them; query and sync leave them out."""
    record_id = invoice(crm)["id"]
    crm("revise", element={"id": record_id, "subject": "J"})
    kept = crm("retrieve", id=record_id)
    assert (kept["subject"], len(kept["LineItems"])) == ("J", 1)
    assert "LineItems" not in crm.query("select * from Invoice;")[0]
    params = {"elementType": "Invoice", "modifiedTime": "1"}
    (changed,) = crm("sync", params=params)["updated"]
    assert "LineItems" not in changed


def test_relations_are_keyed_by_their_label(crm: Crm) -> None:
    """A module may stand twice among the types; isEntity is text."""
    answer = crm("relatedtypes", elementType="Accounts")
    assert answer["types"].count("Calendar") == 2
    order = answer["information"]["Sales Order"]
    assert (order["name"], order["isEntity"]) == ("SalesOrder", "1")


def types_and_defaults(crm: Crm) -> tuple[set[str], set[object]]:
    """What the fields of the entities are of, and what they begin with."""
    modules = ("Accounts", "Calendar", "Contacts", "Documents", "Invoice", "Leads", "Products")
    fields = [
        field
        for module in (*modules, "Groups", "Users")
        for field in crm("describe", elementType=module)["fields"]
    ]
    return {field["type"]["name"] for field in fields}, {
        field.get("default", "") for field in fields
    }


OPEN_SOURCE = {
    "autogenerated", "boolean", "currency", "date", "datetime", "double", "email", "file", "image",
    "integer", "owner", "phone", "picklist", "reference", "string", "text", "time", "url",
}  # fmt: skip


@pytest.mark.parametrize(
    ("profile", "more"),
    [("oss-8.4", {"password"}), ("cloud", {"multipicklist", "percentage", "radio", "skype"})],
)
def test_the_types_of_fields(crm: Crm, more: set[str]) -> None:
    """All that were measured occur, `password` on the open source; the Cloud has others."""
    types, defaults = types_and_defaults(crm)
    assert types - OPEN_SOURCE == more
    assert types >= OPEN_SOURCE
    assert "" in defaults


def test_a_default_may_be_null() -> None:
    """On the open source, fields of the small modules have null for a default."""
    defaults = types_and_defaults(Crm(profile="oss-8.4"))[1]
    assert {None, "", "0"} <= defaults


def test_a_description_has_booleans_and_formats(crm: Crm) -> None:
    """Flags are booleans of JSON, label fields one text, and a date tells its format."""
    told = crm("describe", elementType="Contacts")
    assert told["labelFields"] == "firstname,lastname"
    flags = [told["createable"], told["isEntity"]]
    flags += [field[name] for field in told["fields"] for name in ("mandatory", "editable")]
    assert {type(flag) for flag in flags} == {bool}
    fields = {field["name"]: field for field in told["fields"]}
    assert fields["birthday"]["type"]["format"] == "yyyy-mm-dd"
    assert "fax" in {f["name"] for f in crm("describe", elementType="Leads")["fields"]}
    assert "fax" not in {f["name"] for f in crm("describe", "sales", elementType="Leads")["fields"]}


@pytest.mark.parametrize(("profile", "lengths"), [("oss-8.4", 0), ("cloud", 3)])
def test_lengths_are_told_by_the_cloud(crm: Crm, lengths: int) -> None:
    """They come as a number, as text, or empty; the open source tells none."""
    fields = crm("describe", elementType="Potentials")["fields"]
    told = [field["type"]["length"] for field in fields if "length" in field["type"]]
    kinds = {type(length) for length in told if length != ""} | {""} & set(told)
    assert len(kinds) == lengths


@pytest.mark.parametrize("module", ["Products", "Services"])
def test_a_description_names_the_taxes(crm: Crm, module: str) -> None:
    """A product's and a service's taxes are described, as numbers that a write may name."""
    fields = {field["name"]: field for field in crm("describe", elementType=module)["fields"]}
    for name in ("tax1", "tax2", "tax3"):
        assert (fields[name]["type"]["name"], fields[name]["editable"] in (True, "1")) == (
            "double",
            True,
        )
    named = {"Products": "productname", "Services": "servicename"}[module]
    assert crm.create(module, **{named: "x"}, tax2="7.5")["tax2"] == "7.500"
