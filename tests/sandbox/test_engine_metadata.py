"""What the sandbox tells of itself: me, listtypes, describe, picklists, limits."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm, on_the_cloud

from vtiger_async.types import ServiceName


@pytest.fixture
def crm(profile: str) -> Crm:
    return Crm(profile=profile)


def described(crm: Crm, module: str, user: str = "admin") -> dict[str, dict[str, Any]]:
    return {f["name"]: f for f in crm("describe", user, elementType=module)["fields"]}


@on_the_cloud
def test_me_is_the_whole_user_secrets_included(crm: Crm) -> None:
    """A client that shows this record shows the access key and the password's hashes."""
    me = crm("me")
    assert (me["id"], me["user_name"], me["is_admin"]) == ("19x1", "admin", "on")
    assert me["accesskey"] == crm.engine.users["admin"].access_key
    assert len(me["user_password"]) == len(me["confirm_password"]) == 64
    assert crm("me", "sales")["time_zone"] == "America/New_York"


def test_a_user_is_retrieved_without_secrets(crm: Crm) -> None:
    """Neither retrieve nor describe gives the access key."""
    assert "accesskey" not in crm("retrieve", id="19x5")
    assert "accesskey" not in described(crm, "Users")


def test_list_types_names_the_modules_a_user_sees(crm: Crm) -> None:
    """Each with its label, its singular, and whether it holds entities."""
    answer = crm("listtypes")
    assert answer["information"]["HelpDesk"] == {
        "isEntity": True,
        "label": "Tickets",
        "singular": "Ticket",
    }
    assert answer["information"]["Currency"]["isEntity"] is False
    assert len(answer["types"]) == len(answer["information"]) >= 25
    assert not {"Invoice", "Users"} & set(crm("listtypes", "sales")["types"])


@pytest.mark.parametrize(
    "params",
    [
        {"fieldTypeList": '["skype"]'},
        {"fieldTypeList[]": ["skype"]},
        {"fieldTypeList[]": "skype"},
        {"fieldTypeList": "skype"},
    ],
)
@on_the_cloud
def test_list_types_filters_by_field_type(crm: Crm, params: dict[str, Any]) -> None:
    """The filter comes as a JSON list, as a repeated parameter, or as one word."""
    assert crm("listtypes", params=params)["types"] == ["Contacts"]


def test_a_filter_that_finds_nothing_gives_an_empty_list_for_a_map(crm: Crm) -> None:
    """An empty PHP map arrives as a list; null filters nothing."""
    assert crm("listtypes", params={"fieldTypeList[]": ["grid"]}) == {
        "types": [],
        "information": [],
    }
    assert crm("listtypes", params={"fieldTypeList": "null"}) == crm("listtypes")


@on_the_cloud
def test_describe_has_the_manuals_shape(crm: Crm) -> None:
    """Rights, prefix, labels and fields as the manual lists them."""
    answer = crm("describe", elementType="Contacts")
    fields = answer.pop("fields")
    assert answer == {
        "label": "Contacts",
        "name": "Contacts",
        "createable": True,
        "updateable": True,
        "deleteable": True,
        "retrieveable": True,
        "inactivefields": [],
        "idPrefix": "4",
        "isEntity": True,
        "allowDuplicates": True,
        "labelFields": "firstname,lastname",
        "closedStatesInfo": [],
    }
    keys = "name label mandatory type isunique nullable editable default quickcreate summaryfield"
    assert all(sorted(field) == sorted([*keys.split(), "headerfield", "data"]) for field in fields)
    assert fields[-1]["name"] == "id"


@on_the_cloud
def test_describe_tells_types(crm: Crm) -> None:
    """Lengths mix numbers and text; references, dates and picklists say more."""
    contact, ticket = described(crm, "Contacts"), described(crm, "HelpDesk")
    deal, account = described(crm, "Potentials"), described(crm, "Accounts")
    assert contact["lastname"]["type"] == {"name": "string", "length": 80}
    assert contact["account_id"]["type"]["refersTo"] == ["Accounts"]
    assert contact["birthday"]["type"] == {"name": "date", "length": "", "format": "yyyy-mm-dd"}
    assert ticket["cf_891"]["type"]["format"] == "yyyy-mm-dd hh:mm:ss"
    assert deal["amount"]["type"] == {"name": "currency", "length": "25,8"}
    assert account["employees"]["type"] == {"name": "integer", "length": 11}
    assert account["accountname"]["isunique"] is True
    assert account["cf_851"]["type"]["name"] == "multipicklist"
    stage = deal["sales_stage"]["type"]
    assert stage["defaultValue"] == "Prospecting"
    label = {"label": "Identify Decision Makers", "value": "Id. Decision Makers"}
    assert label in stage["picklistValues"]
    assert described(crm, "Invoice")["region_id"]["type"]["defaultValue"] is None
    assert contact["cf_865"]["data"] == {"sensitive": True}
    assert (contact["contact_no"]["editable"], contact["lastname"]["mandatory"]) == (False, True)
    closed = crm("describe", elementType="HelpDesk")["closedStatesInfo"]
    assert closed == {"ticketstatus": ["Closed"]}


def test_describe_follows_rights(crm: Crm) -> None:
    """Hidden fields are left out, and the rights are the caller's."""
    assert "fax" not in described(crm, "Leads", "sales")
    account = crm("describe", "sales", elementType="Accounts")
    assert (account["createable"], account["deleteable"]) == (True, False)
    assert crm("describe", "guest", elementType="Leads")["updateable"] is False
    answer = crm.refused("describe", "sales", elementType="Invoice")
    assert answer == ("ACCESS_DENIED", "Permission to perform the operation is denied")
    answer = crm.refused("describe", elementType="Nope")
    assert answer[1] == "Permission to perform the operation is denied for name : Nope"


def test_edition_limits_know_the_manuals_names() -> None:
    """Every name of the manual has a limit; that of calls is the edition's daily total."""
    crm = Crm(edition="one-growth", users=3)
    for name in ServiceName:
        answer = crm("editionLimits", serviceName=str(name))
        assert answer["serviceName"] == name
        assert answer["limit"]
    assert crm("editionLimits", serviceName="WEBSERVICE_LIMIT")["limit"] == "3600"
    upload = crm("editionLimits", serviceName="DOCUMENT_UPLOAD_FILE_LIMIT")
    assert upload == {"serviceName": "DOCUMENT_UPLOAD_FILE_LIMIT", "limit": "50MB"}
    assert crm.refused("editionLimits", serviceName="NOPE")[0] == "ACCESS_DENIED"


def values(crm: Crm, module: str, field: str) -> list[str]:
    listed = described(crm, module)[field]["type"]["picklistValues"]
    return [value["value"] for value in listed]


def change(crm: Crm, operation: str, module: str = "Leads", **element: Any) -> Any:
    element.setdefault("fieldname", "leadsource")
    return crm(operation, elementType=module, element=element)


def test_picklist_values_are_added_to_every_module_that_shares_them(crm: Crm) -> None:
    """The answer is nested, with an id for each value."""
    answer = change(crm, "add_picklist", values=["A", "B"])
    assert answer["success"] is True
    assert list(answer["result"]) == ["id0", "id1"]
    assert answer["result"]["id1"] == answer["result"]["id0"] + 1
    assert values(crm, "Contacts", "leadsource")[-2:] == ["A", "B"]


@on_the_cloud
def test_an_edited_value_is_renamed_in_the_records(crm: Crm) -> None:
    """Also inside multi-picklists, and only where it stands as a whole value."""
    lead = crm.create("Leads", lastname="x", leadsource="Other")["id"]
    done = {"success": True, "result": ["success", True]}
    assert change(crm, "edit_picklist", current_value="Other", new_value="New") == done
    assert crm("retrieve", id=lead)["leadsource"] == "New"
    account = crm.create("Accounts", accountname="a", cf_851=["Cloud", "Training"])["id"]
    edit = {"fieldname": "cf_851", "current_value": "Cloud", "new_value": "Sky"}
    change(crm, "edit_picklist", "Accounts", **edit)
    assert crm("retrieve", id=account)["cf_851"] == "Sky |##| Training"


def test_deleted_values_are_replaced_in_the_records(crm: Crm) -> None:
    """Deleting needs another value to put in their place."""
    lead = crm.create("Leads", lastname="x", leadsource="Partner")["id"]
    delete: dict[str, Any] = {"delete_values": ["Partner", "Other"]}
    change(crm, "delete_picklist", **delete, replace_with="Conference")
    assert crm("retrieve", id=lead)["leadsource"] == "Conference"
    assert not {"Partner", "Other"} & set(values(crm, "Leads", "leadsource"))


@pytest.mark.parametrize(
    ("operation", "module", "element", "code"),
    [
        ("add_picklist", "Leads", {"values": ["Other"]}, "DUPLICATE"),
        ("add_picklist", "Leads", {"values": []}, "MANDATORY_FIELDS_MISSING"),
        ("add_picklist", "Leads", {"fieldname": "nofield", "values": ["x"]}, "UNKOWN_ENTITY"),
        ("add_picklist", "Leads", {"fieldname": "city", "values": ["x"]}, "UNKOWN_ENTITY"),
        ("add_picklist", "Nope", {"values": ["x"]}, "UNKOWN_ENTITY"),
        ("edit_picklist", "Leads", {"current_value": "zz", "new_value": "x"}, "RECORD_NOT_FOUND"),
        ("edit_picklist", "Leads", {"current_value": "Other", "new_value": "Partner"}, "DUPLICATE"),
        ("delete_picklist", "Leads", {"delete_values": ["Other"]}, "MANDATORY_FIELDS_MISSING"),
        ("delete_picklist", "Leads", {"delete_values": "a", "replace_with": 1}, "RECORD_NOT_FOUND"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_to_a_picklist(
    crm: Crm, operation: str, module: str, element: dict[str, Any], code: str
) -> None:
    """Unknown fields, unknown values, existing ones and missing parameters have their codes."""
    sent = {"fieldname": "leadsource"} | element
    assert crm.refused(operation, elementType=module, element=sent)[0] == code


def test_only_an_admin_changes_picklists(crm: Crm) -> None:
    """Anyone else is denied."""
    sent = {"fieldname": "leadsource", "values": ["x"]}
    assert (
        crm.refused("add_picklist", "sales", elementType="Leads", element=sent)[0]
        == "ACCESS_DENIED"
    )


@on_the_cloud
def test_dependent_picklists_are_told(crm: Crm) -> None:
    """Which stages each pipeline has; two fields that do not depend give an empty mapping."""
    asked = {"module": "Potentials", "sourcefield": "pipeline", "targetfield": "sales_stage"}
    answer = crm("picklist_dependency", **asked)
    assert (answer["sourcefield"], answer["targetfield"]) == ("pipeline", "sales_stage")
    mapping = {row["sourcevalue"]: row["targetvalues"] for row in answer["valuemapping"]}
    assert mapping["Renewals"] == ["Renewal Due", "Renewal Agreed", "Closed Won", "Closed Lost"]
    assert set(mapping) == set(values(crm, "Potentials", "pipeline"))
    free = asked | {"sourcefield": "leadsource"}
    assert crm("picklist_dependency", **free)["valuemapping"] == []
    wrong = asked | {"targetfield": "nofield"}
    assert crm.refused("picklist_dependency", **wrong)[0] == "UNKOWN_ENTITY"
    assert crm.refused("picklist_dependency", **asked | {"module": "x"})[0] == "ACCESS_DENIED"
