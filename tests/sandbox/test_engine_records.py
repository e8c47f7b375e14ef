"""The sandbox's records: what is checked, what is silently spoilt, and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm, on_the_cloud

DENIED = ("ACCESS_DENIED", "Permission to perform the operation is denied")
DENIED_ID = ("ACCESS_DENIED", "Permission to perform the operation is denied for id")
DENIED_READ = ("ACCESS_DENIED", "Permission to read given object is denied")
DENIED_WRITE = ("ACCESS_DENIED", "Permission to write is denied")
LOW = {"ticketpriorities": "Low"}
UNKNOWN = "Unknown Error while processing request"
BAD_ID = ("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")


@pytest.fixture
def crm(profile: str) -> Crm:
    return Crm(profile=profile)


def missing(field: str) -> tuple[str, str]:
    return "MANDATORY_FIELDS_MISSING", f"{field} does not have a value"


def test_a_create_answers_with_the_whole_record(crm: Crm) -> None:
    """The echo has every field, text or null, what the CRM wrote, and the escaped label."""
    record = crm.create("Contacts", firstname="Ann", lastname="B & C")
    assert record["id"] == "4x101"
    assert record["contact_no"] == "CON1"
    assert record["label"] == "Ann B &amp; C"
    assert record["createdtime"] == record["modifiedtime"] == "2027-01-15 08:00:00"
    assert (record["modifiedby"], record["source"]) == ("19x1", "WEBSERVICE")
    assert (record["birthday"], record["account_id"], record["donotcall"]) == ("", None, "0")
    assert all(value is None or isinstance(value, str) for value in record.values())
    assert crm("retrieve", id="4x101") == record


def test_numbers_grow_over_all_modules(crm: Crm) -> None:
    """Every record takes the next number, whatever its module."""
    ids = [crm.create("Leads", lastname="a")["id"], crm.create("Contacts", lastname="b")["id"]]
    assert ids == ["2x101", "4x102"]


@pytest.mark.parametrize(
    ("element", "field"),
    [
        ({}, "lastname"),
        ([1, 2], "lastname"),
        ({"lastname": "", "assigned_user_id": "19x1"}, "lastname"),
        ({"lastname": None, "assigned_user_id": "19x1"}, "lastname"),
        ({"lastname": "x"}, "assigned_user_id"),
    ],
)
def test_mandatory_fields_are_missed_one_at_a_time(crm: Crm, element: Any, field: str) -> None:
    """Absent, null and empty are missing; the message names one field; "0" is a value."""
    assert crm.refused("create", elementType="Leads", element=element) == missing(field)
    assert crm.create("Leads", lastname="0")["lastname"] == "0"


@pytest.mark.parametrize(
    ("module", "field", "value", "stored"),
    [
        ("Leads", "lastname", "L" * 300, "L" * 80),
        ("Leads", "lastname", "Zoë \U0001f600", "Zoë ????"),
        ("Leads", "lastname", "<b>x</b> &amp; y", "<b>x</b> & y"),
        ("Leads", "leadsource", "not in the list", "not in the list"),
        ("Leads", "email", "no e-mail", "no e-mail"),
        ("Leads", "description", ["a", "b"], "a"),
        ("Leads", "description", [], ""),
        ("Leads", "description", {"a": True}, ""),
        ("Leads", "description", False, "0"),
        ("Products", "unit_price", "1,234.5", "0.00000000"),
        ("Products", "unit_price", "5 EUR", "0.00000000"),
        ("Products", "commissionrate", "1,234.5", "1234.500"),
        ("Leads", "description", 12.5, "12.5"),
        ("Leads", "lead_no", "X1", "LEA1"),
        ("Leads", "createdtime", "2001-01-01 00:00:00", "2027-01-15 08:00:00"),
        ("Accounts", "annual_revenue", "abc", "0.00000000"),
        ("Accounts", "annual_revenue", "1,234.5", "1.00000000"),
        ("Accounts", "annual_revenue", 1234567.891, "1234567.89000000"),
        ("Accounts", "annual_revenue", "1e99", f"{10**17 - 1}.99999999"),
        ("Accounts", "annual_revenue", "-1e99", f"-{10**17 - 1}.99999999"),
        ("Accounts", "employees", 10**20, str(2**31 - 1)),
        ("Leads", "lastname", "half \ud83d", "half ?"),
        ("Accounts", "employees", "1.9", "2"),
        ("Accounts", "employees", "many", "0"),
        ("Accounts", "employees", "", "0"),
        ("Contacts", "emailoptout", "true", "0"),
        ("Contacts", "emailoptout", "yes", "0"),
        ("Contacts", "emailoptout", "on", "1"),
        ("Contacts", "emailoptout", True, "1"),
        ("Contacts", "emailoptout", "1", "1"),
        ("Contacts", "birthday", "31/12/1990", "1990-12-31"),
        ("Contacts", "birthday", "31-12-90", "2090-12-31"),
        ("Contacts", "birthday", "May 6, 2026", "2026-05-06"),
        ("Contacts", "account_id", "3x99abc", None),
        ("Contacts", "birthday", "2023-02-31", "0000-00-00"),
        ("Contacts", "account_id", "3x99", None),
        ("Contacts", "account_id", "3x999999999999999999", None),
        ("Contacts", "assigned_user_id", "20x4", "20x4"),
        ("Leads", "assigned_user_id", "19x999", "999"),
        ("Leads", "assigned_user_id", "3x547", "547"),
    ],
)
def test_bad_values_are_stored_with_silent_losses(
    crm: Crm, module: str, field: str, value: Any, stored: str | None
) -> None:
    """What does not fit is cut, rounded, zeroed or emptied, and answered with success."""
    fields = {"accountname": "x", "lastname": "x", "productname": "x", field: value}
    assert crm.create(module, **fields)[field] == stored


@on_the_cloud
@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("cf_851", ["Cloud", "Training"], "Cloud |##| Training"),
        ("cf_851", "Cloud |##| Support", "Cloud |##| Support"),
        ("cf_855", "7.125", "7.13"),
    ],
)
def test_custom_fields_are_stored_in_their_form(
    crm: Crm, field: str, value: Any, stored: str
) -> None:
    """The values of a multi-picklist are joined, and a percentage is rounded to its places."""
    assert crm.create("Accounts", accountname="x", **{field: value})[field] == stored


@pytest.mark.parametrize("word", ["abc", "tomorrow", "2026-05", "20260506", "12-31-2026"])
def test_a_word_in_a_date_is_no_date_on_an_open_source(word: str) -> None:
    """Text of one word empties a date and is answered with success; the Cloud refuses it."""
    record = Crm(profile="oss-8.4").create("Contacts", lastname="x", birthday=word)
    assert record["birthday"] == ""


def test_scripts_are_escaped_in_what_is_read_back(crm: Crm) -> None:
    """The echo of a write keeps them in a name, where nothing else has one; retrieve does not."""
    text, escaped = (
        "<b>x</b><script>y</script>",
        "&lt;b&gt;x&lt;/b&gt;&lt;script&gt;y&lt;/script&gt;",
    )
    record = crm.create("Leads", lastname=text)
    assert record["lastname"] == text
    assert crm("retrieve", id=record["id"])["lastname"] == escaped
    changed = crm("revise", element={"id": record["id"], "description": text})
    assert (changed["lastname"], changed["description"]) == (escaped, escaped)
    loud = crm("revise", element={"id": record["id"], "description": "<SCRIPT>"})
    assert loud["description"] == "<SCRIPT>"


def test_the_name_of_an_image_is_not_written(crm: Crm) -> None:
    """A field for an image holds the name of a file, and no other text."""
    assert crm.create("Contacts", lastname="x", imagename="a.png")["imagename"] == ""


def test_an_unknown_field_is_ignored(crm: Crm) -> None:
    """A field that the module does not have leaves no trace, and no complaint."""
    assert "nofield" not in crm.create("Leads", lastname="x", nofield="1")


@on_the_cloud
def test_a_moment_is_stored_with_its_time(crm: Crm) -> None:
    """A date in a field for moments begins at midnight; minutes get seconds."""
    for given, stored in (
        ("2027-03-01", "2027-03-01 00:00:00"),
        ("2027-03-01 09:30", "2027-03-01 09:30:00"),
        ("2027-03-01 09:30:15", "2027-03-01 09:30:15"),
    ):
        ticket = crm.create("HelpDesk", ticket_title="t", ticketstatus="Open", **LOW, cf_891=given)
        assert ticket["cf_891"] == stored


@pytest.mark.parametrize(
    ("field", "value", "answer"),
    [
        ("account_id", "abc", BAD_ID),
        ("account_id", "4x1", ("REFERENCE_INVALID", "Invalid reference specified for account_id")),
        ("account_id", "99x1", DENIED_ID),
        ("account_id", ["3x1"], ("INTERNAL_SERVER_ERROR", UNKNOWN)),
        ("modifiedby", "4x1", ("REFERENCE_INVALID", "Invalid reference specified for modifiedby")),
        (
            "birthday",
            "not a date",
            ("INTERNAL_SERVER_ERROR", "Unknown Error while processing request"),
        ),
    ],
)
def test_a_few_bad_values_are_refused(
    crm: Crm, field: str, value: str, answer: tuple[str, str]
) -> None:
    """Malformed references, references to another module, and text in a date are errors."""
    element = {"lastname": "x", "assigned_user_id": "19x1", field: value}
    assert crm.refused("create", elementType="Contacts", element=element) == answer


def test_a_reference_to_a_hidden_module_is_denied(crm: Crm) -> None:
    """A user cannot refer to a module that the user does not see."""
    element = {"assetname": "a", "invoiceid": "16x1", "assigned_user_id": "19x5"}
    code, message = crm.refused("create", "sales", elementType="Assets", element=element)
    assert (code, message[-7:]) == ("ACCESS_DENIED", "Invoice")


def test_the_element_must_be_json(crm: Crm) -> None:
    """Text that is not JSON is an internal error with HTTP 400."""
    answer = crm.refused("create", params={"elementType": "Leads", "element": "{no"})
    assert answer == ("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")


def test_a_unique_value_is_taken_once(crm: Crm) -> None:
    """Two organisations cannot have one name, however it is spelt; a deleted one frees it."""
    first = crm.create("Accounts", accountname="Émile & Co")
    element = {"accountname": "EMILE & co ", "assigned_user_id": "19x1"}
    duplicate = (0, "Duplicate(s) detected!")
    assert crm.refused("create", elementType="Accounts", element=element) == duplicate
    second = crm.create("Accounts", accountname="Other")
    change = {"id": second["id"], "accountname": "émile & co"}
    assert crm.refused("revise", element=change) == duplicate
    crm("revise", element={"id": first["id"], "accountname": "ÉMILE & Co"})
    crm("delete", id=first["id"])
    assert crm("revise", element=change)["accountname"] == "émile & co"


def test_update_wants_the_mandatory_fields_and_keeps_the_others(crm: Crm) -> None:
    """An update misses mandatory fields that were not sent; what else was not sent stays."""
    record = crm.create("Contacts", lastname="Old", phone="1", title="Boss")
    crm.clock.now += 5
    partial = {"id": record["id"], "phone": "2"}
    assert crm.refused("update", element=partial) == missing("lastname")
    changed = crm("update", element=partial | {"lastname": "New", "assigned_user_id": "19x1"})
    assert (changed["lastname"], changed["phone"], changed["title"]) == ("New", "2", "Boss")
    assert changed["modifiedtime"] == "2027-01-15 08:00:05"
    assert changed["createdtime"] == record["createdtime"]


def test_revise_changes_what_was_sent_and_clears_with_nothing(crm: Crm) -> None:
    """A revise clears a field with null or "", and misses a mandatory one only if sent empty."""
    record = crm.create("Contacts", lastname="L", phone="1", mobile="2", birthday="1990-01-01")
    revised = crm("revise", element={"id": record["id"], "phone": None, "birthday": ""})
    assert (revised["phone"], revised["mobile"], revised["birthday"]) == ("", "2", "")
    empty = {"id": record["id"], "lastname": ""}
    assert crm.refused("revise", element=empty) == missing("lastname")


@pytest.mark.parametrize("operation", ["update", "revise"])
def test_a_change_needs_an_id_of_that_module(crm: Crm, operation: str) -> None:
    """No id, a malformed one and that of another module are INVALID_ID_ATTRIBUTE."""
    account = crm.create("Accounts", accountname="a")["id"]
    rest = {"lastname": "x", "assigned_user_id": "19x1"}
    for bad in (
        {},
        {"id": "abc"},
        {"id": "4x"},
        {"id": account.replace("3x", "4x")},
    ):
        assert crm.refused(operation, element=bad | rest) == BAD_ID
    for missing in ("4x999999", "4x5abc", "4"):
        assert crm.refused(operation, element=rest | {"id": missing}) == DENIED
    unknown = crm.refused(operation, element=rest | {"id": "77x1"})
    assert unknown[1].endswith("denied for id")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", DENIED_ID),
        ("abc", DENIED_ID),
        ("42", DENIED_ID),
        ("999x1", DENIED_ID),
        ("4x", BAD_ID),
        ("4X5", BAD_ID),
        ("4x-5", BAD_ID),
        ("4x5abc", DENIED),
        ("4x101abc", BAD_ID),
        ("4x101 or 1=1", BAD_ID),
        ("3x101", BAD_ID),
        ("4x0", DENIED),
        ("4x999", DENIED),
        ("4x99999999999999999999", DENIED),
        ("21x9", DENIED),
        ("19x99", DENIED),
        ("19x101", DENIED),
        ("19x7", ("RECORD_NOT_FOUND", "Record you are trying to access is not found")),
    ],
)
def test_what_is_no_record_is_told_apart_by_its_form(
    crm: Crm, text: str, answer: tuple[str, str]
) -> None:
    """Missing records are ACCESS_DENIED, malformed ids mostly INVALID_ID_ATTRIBUTE."""
    crm.create("Contacts", lastname="x")
    assert crm.refused("retrieve", id=text) == answer


def test_some_malformed_ids_are_taken(crm: Crm) -> None:
    """A leading space, and a second x with anything behind it, are overlooked."""
    record = crm.create("Contacts", lastname="x")
    for text in (" 4x101", "4x101x9"):
        assert crm("retrieve", id=text) == record


def test_retrieve_escapes_scripts_and_the_echo_does_not(crm: Crm) -> None:
    """A script tag comes back whole in the echo, and escaped from retrieve."""
    record = crm.create("Leads", lastname="<script>a</script>")
    assert record["lastname"] == "<script>a</script>"
    assert crm("retrieve", id=record["id"])["lastname"] == "&lt;script&gt;a&lt;/script&gt;"


def test_a_delete_is_final_and_clears_references(crm: Crm) -> None:
    """A deleted record is gone for every operation, and nothing refers to it any longer."""
    account = crm.create("Accounts", accountname="a")["id"]
    contact = crm.create("Contacts", lastname="x", account_id=account)["id"]
    before = crm("retrieve", id=contact)
    crm.clock.now += 60
    assert crm("delete", id=account) == {"status": "successful"}
    assert crm.refused("delete", id=account) == DENIED
    assert crm.refused("retrieve", id=account) == DENIED
    assert crm.refused("revise", element={"id": account}) == DENIED
    assert crm("retrieve", id=contact) == before | {"account_id": None}


@on_the_cloud
def test_a_sensitive_field_is_read_by_decrypt_alone(crm: Crm) -> None:
    """Reads mask it; decrypt tells it; sending the mask back changes nothing."""
    record = crm.create("Contacts", lastname="x", cf_865="P123")
    assert record["cf_865"] == "********"
    assert crm.values("select cf_865 from Contacts;", "cf_865") == ["********"]
    crm("revise", element={"id": record["id"], "cf_865": "********"})
    assert crm("decrypt", id=record["id"], fieldname="cf_865") == "P123"
    assert crm("decrypt", id=record["id"], fieldname="birthday") == ""
    for name in ("nofield", "id"):
        answer = ("ACCESS_DENIED", f"Permission to access '.{name}.' attribute denied.")
        assert crm.refused("decrypt", id=record["id"], fieldname=name) == answer


@on_the_cloud
def test_a_closed_record_is_reopened(crm: Crm) -> None:
    """It puts a closed ticket back to Open; what is not closed cannot be reopened."""
    ticket = crm.create("HelpDesk", ticket_title="t", ticketstatus="Closed", **LOW)["id"]
    assert crm.refused("reopen", "guest", id=ticket) == DENIED_WRITE
    assert crm("reopen", id=ticket) == {"message": "Record reopened successfully."}
    assert crm("retrieve", id=ticket)["ticketstatus"] == "Open"
    assert crm.refused("reopen", id=ticket)[0] == "OPERATION_NOT_SUPPORTED"
    lead = crm.create("Leads", lastname="x")["id"]
    assert crm.refused("reopen", id=lead)[0] == "OPERATION_NOT_SUPPORTED"


@pytest.mark.parametrize("kind", [None, "Call", "Chore"])
def test_a_task_without_activitytype_lands_in_events(crm: Crm, kind: str | None) -> None:
    """So does one of any other type than Task: the echo calls it a task, it is an event."""
    fields = {
        "subject": "s",
        "taskstatus": "Planned",
        "date_start": "2027-02-01",
        "due_date": "2027-02-01",
        "time_start": "10:00",
    }
    task = crm.create("Calendar", **fields, activitytype=kind)
    assert (task["id"], task["taskstatus"]) == ("1x101", "Planned")
    assert crm.values("select id from Events;", "id") == ["18x101"]
    assert crm.refused("retrieve", id=task["id"]) == BAD_ID
    assert crm.create("Calendar", **fields, activitytype="Task")["id"] == "1x102"
    assert crm("retrieve", id="1x102")["activitytype"] == "Task"


def test_a_task_of_another_type_becomes_an_event(crm: Crm) -> None:
    """A revise of `activitytype` moves it: it keeps its number under another prefix."""
    fields = {
        "subject": "s",
        "taskstatus": "Planned",
        "date_start": "2027-02-01",
        "due_date": "2027-02-01",
        "time_start": "10:00",
    }
    task = crm.create("Calendar", **fields, activitytype="Task")["id"]
    crm("revise", element={"id": task, "subject": "t"})
    assert crm("retrieve", id=task)["subject"] == "t"
    crm("revise", element={"id": task, "activitytype": "Call"})
    assert crm.refused("retrieve", id=task) == BAD_ID
    event = crm("retrieve", id=task.replace("1x", "18x", 1))
    assert (event["subject"], event["activitytype"]) == ("t", "Call")
    assert crm.query("select id from Calendar;") == []
    assert crm.values("select id from Events;", "id") == [event["id"]]


def test_rights_of_sales(crm: Crm) -> None:
    """The user sales sees its own contacts, no invoices, no Leads.fax; deletes no organisation."""
    theirs = crm.create("Contacts", lastname="x")["id"]
    own = crm.create("Contacts", "sales", lastname="y")["id"]
    team = crm.create("Contacts", lastname="z", assigned_user_id="20x2")["id"]
    element = {"id": theirs, "lastname": "x", "assigned_user_id": "19x5"}
    for answer in (
        crm.refused("retrieve", "sales", id=theirs),
        crm.refused("update", "sales", element=element),
        crm.refused("revise", "sales", element=element),
        crm.refused("delete", "sales", id=theirs),
    ):
        assert answer == DENIED_READ
    assert crm("retrieve", "sales", id=own)["lastname"] == "y"
    assert crm("retrieve", "sales", id=team)["lastname"] == "z"
    account = crm.create("Accounts", accountname="a")["id"]
    assert crm.refused("delete", "sales", id=account) == DENIED_READ
    lead = crm.create("Leads", "sales", lastname="l", fax="1")
    assert "fax" not in lead
    assert crm("retrieve", id=lead["id"])["fax"] == ""
    assert crm.refused("retrieve", "sales", id="16x1") == DENIED
    assert crm.refused("retrieve", "sales", id="19x5") == DENIED


def test_guest_only_reads(crm: Crm) -> None:
    """The user guest may not create, change or delete."""
    account = crm.create("Accounts", accountname="a")["id"]
    element = {"id": account, "accountname": "b", "assigned_user_id": "19x6"}
    assert crm("retrieve", "guest", id=account)["accountname"] == "a"
    assert crm.refused("create", "guest", elementType="Leads", element=element) == DENIED_WRITE
    assert crm.refused("update", "guest", element=element) == DENIED_READ
    assert crm.refused("delete", "guest", id=account) == DENIED_READ


def test_modules_that_nobody_creates_in(crm: Crm) -> None:
    """Users and the small modules take no records; folders do, and let them go."""
    for module in ("Groups", "Tax"):
        assert crm.refused("create", elementType=module, element={}) == DENIED_WRITE
    user = {"user_name": "u", "last_name": "u"}
    assert crm.refused("create", elementType="Users", element=user | {"roleid": "H5"}) == BAD_ID
    assert crm.refused("create", elementType="Users", element=user | {"roleid": "19x1"}) == (
        "REFERENCE_INVALID",
        "Invalid reference specified for roleid",
    )
    missing = ("MANDATORY_FIELDS_MISSING", "user_password does not have a value")
    assert crm.refused("create", elementType="Users", element=user) == missing
    assert crm.refused("create", "sales", elementType="Tax", element={}) == DENIED_WRITE
    assert crm.refused("delete", id="20x2") == DENIED_READ
    assert crm.refused("revise", element={"id": "21x1"}) == DENIED_READ
    assert crm.refused("create", elementType="Nope", element={}) == DENIED
    folder = crm("create", elementType="DocumentFolders", element={"foldername": "f"})["id"]
    renamed = crm("revise", element={"id": folder, "foldername": "g"})
    assert (renamed["foldername"], renamed["createdby"]) == ("g", "19x1")
    crm("revise", element={"id": folder})
    crm("delete", id=folder)
    assert crm.refused("retrieve", id=folder) == DENIED
