"""The sandbox's convertlead: all or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm, on_the_cloud

CONTACT = {"Contacts": {"create": True, "name": "Contacts"}}
ACCOUNT = {"Accounts": {"create": True, "name": "Accounts"}}
DEAL = {"Potentials": {"create": True, "name": "Potentials", "closingdate": "2027-06-30"}}


@pytest.fixture
def crm(profile: str) -> Crm:
    crm = Crm(profile=profile)
    crm.create("Leads", firstname="Ada", lastname="L", company="Co", email="a@b.example", city="X")
    return crm


def convert(crm: Crm, entities: object, lead: object = "2x101", **more: Any) -> Any:
    return crm("convertlead", element={"leadId": lead, "entities": entities} | more)


@on_the_cloud
def test_a_lead_becomes_three_records(crm: Crm) -> None:
    """The manual's own example works; the three are linked, and the lead's values go with them."""
    made = convert(crm, ACCOUNT | CONTACT | DEAL, ["2x101"])
    assert list(made) == ["Accounts", "Contacts", "Potentials"]
    account = crm("retrieve", id=made["Accounts"])
    contact = crm("retrieve", id=made["Contacts"])
    deal = crm("retrieve", id=made["Potentials"])
    assert (account["accountname"], account["bill_city"]) == ("Co", "X")
    assert (contact["lastname"], contact["email"]) == ("L", "a@b.example")
    assert contact["account_id"] == deal["related_to"] == made["Accounts"]
    assert (deal["contact_id"], deal["sales_stage"]) == (made["Contacts"], "Prospecting")
    assert (deal["potentialname"], deal["closingdate"]) == ("Co", "2027-06-30")
    assert account["isconvertedfromlead"] == "1"


@on_the_cloud
def test_given_fields_win(crm: Crm) -> None:
    """What is sent with an entity stands before what the lead has."""
    stage = {"sales_stage": "Qualification", "potentialname": "P"}
    made = convert(crm, CONTACT | {"Potentials": DEAL["Potentials"] | stage})
    deal = crm("retrieve", id=made["Potentials"])
    assert (deal["sales_stage"], deal["potentialname"]) == ("Qualification", "P")


def test_a_lead_is_converted_once(crm: Crm) -> None:
    """The second time has a code of its own."""
    convert(crm, CONTACT)
    element = {"leadId": "2x101", "entities": CONTACT}
    assert crm.refused("convertlead", element=element)[0] == "LEAD_ALREADY_CONVERTED"


def test_an_organisation_alone_is_answered_with_null(crm: Crm, profile: str) -> None:
    """The Cloud's is there all the same, the open source takes it back; nothing asked does nothing.

    It has nobody to give the lead's belongings to, who by default is the contact.
    """
    assert convert(crm, {}) is None
    assert convert(crm, {"Contacts": {"create": False}, "Accounts": "x"}) is None
    assert convert(crm, []) is None
    assert convert(crm, ACCOUNT) is None
    made = ["Co"] if profile == "cloud" else []
    assert crm.values("select accountname from Accounts;", "accountname") == made


@on_the_cloud
def test_a_lead_without_company_lends_its_name(crm: Crm) -> None:
    """The organisation is then called like the person."""
    crm("revise", element={"id": "2x101", "company": ""})
    made = convert(crm, ACCOUNT | CONTACT)
    assert crm("retrieve", id=made["Accounts"])["accountname"] == "L"


@pytest.mark.parametrize(
    ("entities", "answer"),
    [
        (
            ACCOUNT | CONTACT | {"Potentials": {"create": True}},
            ("UNKNOWN_OPERATION", "closingdate does not have a value : Potentials"),
        ),
        (
            CONTACT | {"Potentials": {"create": True, "closingdate": "soon"}},
            ("INTERNAL_SERVER_ERROR", "Unknown Error while processing request"),
        ),
    ],
)
@on_the_cloud
def test_a_failure_leaves_nothing_behind(
    crm: Crm, entities: object, answer: tuple[str, str]
) -> None:
    """Neither the records made before the failure, nor a mark on the lead, nor a ledger entry."""
    before = crm.engine.ledger()
    element = {"leadId": "2x101", "entities": entities}
    assert crm.refused("convertlead", element=element) == answer
    for module in ("Accounts", "Contacts", "Potentials"):
        assert crm.query(f"select id from {module};") == []
    assert crm.engine.ledger() == before
    assert convert(crm, CONTACT)["Contacts"]


def test_an_organisation_that_exists_is_a_duplicate(crm: Crm) -> None:
    """The whole conversion fails with it."""
    crm.create("Accounts", accountname="CO")
    element = {"leadId": "2x101", "entities": ACCOUNT | CONTACT}
    assert crm.refused("convertlead", element=element) == (0, "Duplicate(s) detected!")


@pytest.mark.parametrize(
    ("lead", "code"),
    [
        ("2x999", "ACCESS_DENIED"),
        ("abc", "ACCESS_DENIED"),
        (None, "ACCESS_DENIED"),
        ("4x102", "INVALID_ID_ATTRIBUTE"),
    ],
)
@on_the_cloud
def test_what_is_no_lead_is_refused(crm: Crm, lead: object, code: str) -> None:
    """Missing and malformed ids are denied, records of another module are invalid."""
    crm.create("Contacts", lastname="x")
    assert crm.refused("convertlead", element={"leadId": lead, "entities": CONTACT})[0] == code


@on_the_cloud
def test_a_reader_converts_nothing(crm: Crm) -> None:
    """The user guest may not."""
    element = {"leadId": "2x101", "entities": CONTACT}
    answer = crm.refused("convertlead", "guest", element=element)
    assert answer == ("ACCESS_DENIED", "Permission to write is denied")


def test_what_was_related_to_the_lead_follows(crm: Crm) -> None:
    """Its documents and campaigns go to the contact."""
    document = crm.create("Documents", notes_title="d")["id"]
    crm("add_related", sourceRecordId="2x101", relatedRecordId=document)
    campaign = crm.create("Campaigns", campaignname="c", closingdate="2027-03-01")["id"]
    crm("add_related", sourceRecordId=campaign, relatedRecordId="2x101")
    contact = convert(crm, CONTACT)["Contacts"]
    for module, record_id in (("Documents", document), ("Campaigns", campaign)):
        rows = crm("retrieve_related", id=contact, relatedLabel=module, relatedType=module)
        assert [row["id"] for row in rows] == [record_id]
