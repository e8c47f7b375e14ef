"""What a write of one record does to others (Vtiger 8.4)."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import NOW, Crm

DEAL = {"potentialname": "d", "closingdate": "2027-02-01", "sales_stage": "Prospecting"}
ADDRESS = {"bill_street": "b", "ship_street": "s"}


@pytest.fixture
def crm() -> Crm:
    return Crm(profile="oss-8.4")


def document(crm: Crm, module: str, **fields: Any) -> str:
    product = crm.create("Products", productname="p")["id"]
    lines = [{"productid": product, "quantity": "1", "listprice": "2"}]
    given = {"subject": "s", "productid": product, "LineItems": lines, **ADDRESS, **fields}
    return str(crm.create(module, **given)["id"])


def test_what_depends_on_a_deleted_record_is_deleted_with_it(crm: Crm) -> None:
    """An organisation's deals and quotes, and a vendor's orders; not what depends on others."""
    account = crm.create("Accounts", accountname="a")["id"]
    other = crm.create("Accounts", accountname="b")["id"]
    vendor = crm.create("Vendors", vendorname="v")["id"]
    crm.create("Potentials", **DEAL, related_to=account)
    kept = crm.create("Potentials", **DEAL, related_to=other)["id"]
    document(crm, "Quotes", account_id=account, quotestage="Created")
    document(crm, "PurchaseOrder", vendor_id=vendor, postatus="Created")
    crm("delete", id=account)
    crm("delete", id=vendor)
    assert crm.values("SELECT id FROM Potentials;", "id") == [kept]
    assert crm.query("SELECT id FROM Quotes;") == []
    assert crm.query("SELECT id FROM PurchaseOrder;") == []


def test_no_feed_tells_of_what_was_deleted_with_another_record(crm: Crm) -> None:
    """Its `modifiedtime` is the one before: a sync that begins behind that hears nothing."""
    account = crm.create("Accounts", accountname="a")["id"]
    deal = crm.create("Potentials", **DEAL, related_to=account)["id"]
    crm.clock.now += 60
    crm("delete", id=account)
    behind = crm("sync", elementType="Potentials", modifiedTime=str(int(NOW)), syncType="user")
    assert (behind["updated"], behind["deleted"]) == ([], [])
    before = crm("sync", elementType="Potentials", modifiedTime=str(int(NOW) - 1), syncType="user")
    assert before["deleted"] == [deal]


def test_what_is_added_to_a_record_changes_it(crm: Crm) -> None:
    """A comment and a relation are changes by who adds them; a record that refers to it is none."""
    account = crm.create("Accounts", accountname="a")["id"]

    def changed() -> tuple[str, str]:
        row = crm.query(f"SELECT modifiedtime, modifiedby FROM Accounts WHERE id = '{account}';")[0]
        return row["modifiedtime"][-8:], row["modifiedby"]

    crm.clock.now += 10
    crm.create("Contacts", lastname="c", account_id=account)
    assert changed() == ("08:00:00", "19x1")
    crm.create("ModComments", "sales", commentcontent="c", related_to=account)
    assert changed() == ("08:00:10", "19x5")
    crm.clock.now += 10
    paper = crm.create("Documents", notes_title="d")["id"]
    crm(
        "add_related",
        sourceRecordId=account,
        relatedRecordId=paper,
        relationIdLabel="Documents",
    )
    assert changed() == ("08:00:20", "19x1")


def test_a_document_whose_creation_broke_off_cannot_be_retrieved(crm: Crm) -> None:
    """With the tax type `individual` it is stored without lines, and a query shows it."""
    assert crm.refused("create", elementType="Invoice", element=broken(crm))[0] == (
        "INTERNAL_SERVER_ERROR"
    )
    rid = crm.values("SELECT id FROM Invoice;", "id")[0]
    assert crm.refused("retrieve", id=rid)[0] == "INTERNAL_SERVER_ERROR"
    page = crm("sync", elementType="Invoice", modifiedTime="1", syncType="application")
    assert [record["id"] for record in page["updated"]] == [rid]


def broken(crm: Crm) -> dict[str, Any]:
    product = crm.create("Products", productname="p")["id"]
    return {
        "subject": "s",
        "account_id": crm.create("Accounts", accountname="a")["id"],
        "assigned_user_id": "19x1",
        "invoicestatus": "Created",
        "hdnTaxType": "individual",
        "productid": product,
        "LineItems": [{"productid": product, "quantity": "1", "listprice": "2"}],
        **ADDRESS,
    }


def test_a_sync_tells_one_status_of_a_task_for_both(crm: Crm) -> None:
    """What is stored as `eventstatus` shows in a query; a sync has the task's own in its place."""
    task = {"subject": "t", "activitytype": "Task", "date_start": "2027-01-01"}
    times = {"time_start": "10:00:00", "due_date": "2027-01-02"}
    crm.create("Calendar", **task, **times, taskstatus="Completed", eventstatus="Held")
    assert crm.values("SELECT eventstatus FROM Calendar;", "eventstatus") == ["Held"]
    page = crm("sync", elementType="Calendar", modifiedTime="1", syncType="application")
    record = page["updated"][0]
    assert (record["taskstatus"], record["eventstatus"]) == ("Completed", "Completed")
