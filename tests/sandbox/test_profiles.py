"""The profiles of the sandbox: what the kinds of Vtiger do differently."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.sandbox.engine_calls import Crm
from tests.sandbox.front_calls import REST, create_lead, http_of
from vtiger_async.errors import ConfigurationError
from vtiger_async.sandbox import Fault, Sandbox
from vtiger_async.sandbox.answers import Upload


def test_an_unknown_profile_is_refused() -> None:
    """A profile that does not exist is refused, with the names of those that do."""
    unknown: Any = "oss-7"
    with pytest.raises(ConfigurationError, match=r"oss-8\.4"):
        Sandbox(profile=unknown)


@pytest.mark.parametrize("operation", ["decrypt", "reopen", "editionLimits"])
def test_operations_of_the_cloud(operation: str) -> None:
    """The open source refuses the Cloud's own operations, in either case of their names."""
    crm = Crm(profile="oss-8.4")
    assert crm.refused(operation)[0] == "OPERATION_NOT_SUPPORTED"
    assert crm.refused(operation.upper())[0] == "OPERATION_NOT_SUPPORTED"


def test_fields_of_the_cloud() -> None:
    """The open source has neither pipelines nor custom fields, and the Cloud has both."""
    names = {
        profile: {
            field["name"]
            for field in Crm(profile=profile)("describe", elementType=module)["fields"]
        }
        for profile, module in (("cloud", "Potentials"), ("oss-8.4", "Potentials"))
    }
    assert names["cloud"] - names["oss-8.4"] == {"pipeline", "cf_881", "cf_883"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("profile", "kind", "status"),
    [("cloud", "text/json", 400), ("oss-8.4", "application/json; charset=UTF-8", 404)],
)
async def test_answers_over_http(profile: Any, kind: str, status: int) -> None:
    """Each profile has its Content-Type, and its own way to refuse `login` on the REST path."""
    with Sandbox(profile=profile, records=0, limits=False) as sandbox:
        async with http_of(sandbox) as http:
            for reply in (await http.get(REST + "me"), await http.post(REST + "login")):
                assert reply.headers["content-type"] == kind
            assert reply.status_code == status
            lost = await http.get(REST + "me", auth=("admin", "wrong"))
            assert (lost.status_code, lost.headers["content-type"]) == (401, kind)


OSS: Any = "oss-8.4"


def test_me_is_brief() -> None:
    """On the open source `me` gives five keys, and no secret among them."""
    assert Crm(profile=OSS)("me") == {
        "id": "19x1",
        "user_name": "admin",
        "first_name": "Ada",
        "last_name": "Administrator",
        "email1": "admin@example.com",
    }


def test_plain_description() -> None:
    """On the open source describe has no keys of the manual's own, and odd notions of null."""
    crm = Crm(profile=OSS)
    told = crm("describe", elementType="Potentials")
    assert told["label"] == "Opportunities"
    assert "closedStatesInfo" not in told
    fields = {field["name"]: field for field in told["fields"]}
    assert (fields["sales_stage"]["mandatory"], fields["sales_stage"]["nullable"]) == (True, True)
    assert "Renewal Due" not in {
        value["value"] for value in fields["sales_stage"]["type"]["picklistValues"]
    }
    assert "allowDuplicates" not in crm("describe", elementType="Groups")
    assert crm("describe", "guest", elementType="Contacts")["updateable"] is False


def test_plain_types() -> None:
    """On the open source listtypes names modules without records, and relatedtypes has few keys."""
    crm = Crm(profile=OSS)
    assert "PBXManager" in crm("listtypes")["types"]
    assert crm("listtypes", fieldTypeList=["grid"]) == {"types": [], "information": []}
    assert crm("listtypes", "sales", fieldTypeList=["email"])["types"] == [
        "Vendors",
        "Leads",
        "Accounts",
        "Contacts",
    ]
    related = crm("relatedtypes", elementType="Leads")
    assert related["information"]["PBXManager"] == {
        "name": "PBXManager",
        "label": "PBXManager",
        "isEntity": "1",
    }


def test_a_conversion_that_fails_half_way() -> None:
    """On the open source a conversion without sales_stage leaves an account, and cannot go on."""
    crm = Crm(profile=OSS)
    lead = crm.create("Leads", lastname="Half", company="Half Inc")["id"]
    asked = {name: {"create": True, "name": name} for name in ("Accounts", "Contacts")}
    deal = {"create": True, "name": "Potentials", "closingdate": "2027-12-01"}
    element = {"leadId": lead, "entities": {**asked, "Potentials": deal}}
    first = crm.refused("convertlead", element=element)
    assert first == ("UNKNOWN_OPERATION", "sales_stage does not have a value : Potentials")
    assert crm.values("select accountname from Accounts;", "accountname") == ["Half Inc"]
    assert crm.values("select lastname from Contacts;", "lastname") == ["Half"]
    assert crm.refused("convertlead", element=element) == (0, "Duplicate(s) detected!")


def test_who_inherits_from_a_lead() -> None:
    """Without an heir for its documents the open source takes all back, what was there included."""
    crm = Crm(profile=OSS)
    lead = crm.create("Leads", lastname="Heir", company="Heir Ltd")["id"]
    account = {"create": True, "name": "Accounts"}
    deal = {"create": True, "name": "Potentials", "closingdate": "2027-12-01"}
    element: dict[str, Any] = {"leadId": lead, "entities": {"Accounts": account}}
    assert crm("convertlead", element=element) is None
    assert crm("convertlead", element={**element, "entities": {"Potentials": deal}}) is None
    assert crm.values("select accountname from Accounts;", "accountname") == []
    there = crm.create("Accounts", accountname="Old Ltd")["id"]
    element["entities"]["Accounts"] = {**account, "accountname": "Old Ltd"}
    heirs = {**element, "transferRelatedRecordsTo": "Accounts"}
    other = crm.create("Leads", lastname="Other")["id"]
    assert crm("convertlead", element={**heirs, "leadId": other}) == {"Accounts": there}
    assert crm("convertlead", element=element) is None
    assert crm.values("select accountname from Accounts;", "accountname") == []
    assert crm.values("select lastname from Leads;", "lastname") == ["Heir"]


def test_who_converts_what() -> None:
    """On the open source a reader may convert, and an account without company is called ????."""
    crm = Crm(profile=OSS)
    lead = crm.create("Leads", lastname="Guest's")["id"]
    element = {"leadId": lead, "entities": {"Accounts": {"create": True, "name": "Accounts"}}}
    element["transferRelatedRecordsTo"] = "Accounts"
    assert crm("convertlead", "guest", element=element).keys() == {"Accounts"}
    assert crm.values("select accountname from Accounts;", "accountname") == ["????"]
    contact = crm.create("Contacts", lastname="No lead")["id"]
    again = {"leadId": contact, "entities": element["entities"]}
    assert crm.refused("convertlead", element=again)[0] == 0


def test_lines_cannot_change() -> None:
    """On the open source new line items end in HTTP 500: they are stored, the totals are not."""
    crm = Crm(profile=OSS)
    account = crm.create("Accounts", accountname="A")["id"]
    product = crm.create("Products", productname="P")["id"]
    line = {"productid": product, "quantity": "1", "listprice": "5"}
    invoice = crm.create(
        "Invoice", subject="I", account_id=account, bill_street="S", ship_street="S",
        productid=product, LineItems=[line],
    )  # fmt: skip
    with pytest.raises(Fault) as caught:
        crm("revise", element={"id": invoice["id"], "LineItems": [line | {"quantity": "3"}]})
    assert (caught.value.status, caught.value.code) == (500, "INTERNAL_SERVER_ERROR")
    broken = crm("retrieve", id=invoice["id"])
    assert [item["quantity"] for item in broken["LineItems"]] == ["3.000"]
    assert (broken["hdnSubTotal"], broken["hdnTaxType"]) == ("0.00000000", "")


def test_labels_have_entities() -> None:
    """On the open source a label has an entity for each character that HTML 4 names."""
    label = Crm(profile=OSS).create("Leads", lastname="Zoë O'X & 日本")["label"]
    assert label == "Zo&euml; O&#039;X &amp; 日本"


def test_a_file_comes_in_a_list() -> None:
    """On the open source a file is a list of one, under its bare number."""
    crm = Crm(profile=OSS)
    form = {"elementType": "Documents", "element": {"notes_title": "D", "assigned_user_id": "19x1"}}
    made = crm("create", files=[Upload("a.txt", "text/plain", b"abc")], params=form)
    assert made["filedownloadcount"] == ""
    (file,) = crm("files_retrieve", id=made["imageattachmentids"])
    assert (file["fileid"], file["filesize"]) == (made["imageattachmentids"].split("x")[1], 3)
    assert "filezie" not in file


@pytest.mark.parametrize("module", ["Emails", ""])
def test_sync_that_fails(module: str) -> None:
    """On the open source the sync of mail, and of no module, ends in HTTP 500."""
    with pytest.raises(Fault) as caught:
        Crm(profile=OSS)("sync", elementType=module, modifiedTime="1")
    assert caught.value.status == 500


def test_stars_of_others() -> None:
    """On the open source `starred` says nothing to who has not written the record."""
    crm = Crm(profile=OSS)
    lead = crm.create("Leads", "sales", lastname="Star")
    assert lead["starred"] == "0"
    assert crm("retrieve", id=lead["id"])["starred"] == ""
    page = crm("sync", elementType="Leads", modifiedTime="1", syncType="application")
    assert page["updated"][0]["starred"] is None


def test_durations_of_activities() -> None:
    """On the open source an activity has its duration; one without end lasts its last day."""
    crm = Crm(profile=OSS)
    task = {"subject": "T", "taskstatus": "Planned", "date_start": "2027-12-01"}
    task |= {"due_date": "2027-12-02", "time_start": "10:00"}
    made = crm.create("Calendar", **task)
    assert (made["duration_hours"], made["duration_minutes"]) == ("38", "0")
    made = crm.create("Calendar", **task, time_end="11:45")
    assert (made["duration_hours"], made["duration_minutes"]) == ("25", "45")
    assert made["parent_id"] == ""
    assert crm.create("Calendar", **task | {"time_start": "soon"})["duration_hours"] == "0"


def test_records_without_label() -> None:
    """On the open source a group has its bare number, and no label."""
    group = Crm(profile=OSS)("retrieve", id="20x3")
    assert group["groupid"] == "3"
    assert "label" not in group


@pytest.mark.virtual_time
@pytest.mark.anyio
@pytest.mark.parametrize(("profile", "repeats"), [("cloud", False), ("oss-8.4", True)])
async def test_auto_numbers_under_load(profile: Any, *, repeats: bool) -> None:
    """On the open source, leads that are created at the same time share auto numbers."""
    with Sandbox(profile=profile, records=0, limits=False) as sandbox:
        sandbox.faults.add("latency", operation="create", seconds=1.0)
        async with http_of(sandbox) as http:
            async with anyio.create_task_group() as group:
                for place in range(6):
                    group.start_soon(create_lead, http, f"Lead {place}")
            reply = await http.get(REST + "query", params={"query": "select lead_no from Leads;"})
        numbers = [row["lead_no"] for row in reply.json()["result"]]
    assert len(numbers) == 6
    assert (len(set(numbers)) < 6) is repeats
