"""What a fresh open source lets its users see and do, and how it refuses (measured on 8.4)."""

from __future__ import annotations

import pytest
from attrs import evolve
from engine_calls import Crm

TASK = {
    "subject": "t",
    "taskstatus": "Planned",
    "activitytype": "Task",
    "date_start": "2026-12-01",
    "due_date": "2026-12-01",
    "time_start": "10:00",
}


@pytest.fixture
def crm() -> Crm:
    return Crm(profile="oss-8.4")


def test_activities_are_private(crm: Crm) -> None:
    """Others than the owner and admins neither read an activity nor find it; all are counted."""
    task = crm.create("Calendar", **TASK)["id"]
    answer = crm.refused("retrieve", "sales", id=task)
    assert answer == ("ACCESS_DENIED", "Permission to read given object is denied")
    assert crm("query", "sales", query="select id from Calendar;") == []
    assert crm("query", "sales", query="select count(*) from Calendar;") == [{"count": "1"}]


@pytest.mark.parametrize("in_sql", [False, True])
@pytest.mark.parametrize("module", ["Calendar", "Events"])
def test_pages_of_activities_are_filtered_late(crm: Crm, module: str, *, in_sql: bool) -> None:
    """LIMIT counts the hidden ones, too, also where it counts visible records of other modules."""
    crm.engine.profile = evolve(crm.engine.profile, rights_in_sql=in_sql)
    fields = {**TASK, "activitytype": {"Calendar": "Task"}.get(module, "Call")}
    fields |= {"eventstatus": "Planned", "duration_hours": "1", "time_end": "11:00"}
    for owner in ("19x1", "19x5", "19x1", "19x1", "19x5", "19x5"):
        crm.create(module, **fields, assigned_user_id=owner)
    text = f"select id from {module} order by id limit"
    pages = [crm("query", "sales", query=f"{text} {start},2;") for start in (0, 2, 4)]
    assert [len(page) for page in pages] == [1, 0, 2]
    counted = crm("query", "sales", query=f"select count(*) from {module};")
    assert counted == [{"count": "6"}]


def test_a_query_of_users_tells_of_active_ones(crm: Crm) -> None:
    """Who is not active is left out; who is no admin is "off"."""
    rows = crm.query("select user_name,is_admin,status from Users order by id;")
    assert [(row["user_name"], row["is_admin"]) for row in rows] == [
        ("admin", "on"), ("sales", "off"), ("guest", "off"),
    ]  # fmt: skip
    assert crm.query("select id from Users where user_name = 'inactive';") == []


@pytest.mark.parametrize(
    ("user", "module", "code"),
    [
        ("guest", "Leads", "ACCESS_DENIED"),
        ("guest", "Project", "MANDATORY_FIELDS_MISSING"),
        ("guest", "Emails", "ACCESS_DENIED"),
        ("sales", "HelpDesk", "ACCESS_DENIED"),
        ("sales", "Leads", "MANDATORY_FIELDS_MISSING"),
    ],
)
def test_who_writes_what(crm: Crm, user: str, module: str, code: str) -> None:
    """The role of guest writes the modules that were added later; sales only reads tickets."""
    assert crm.refused("create", user, elementType=module, element={})[0] == code


def test_fields_are_missed_by_name(crm: Crm) -> None:
    """Who is no admin is asked for the mandatory fields in another order."""
    owner = {"assigned_user_id": "19x1"}
    asked = {"elementType": "Potentials", "element": owner}
    assert crm.refused("create", **asked)[1] == "potentialname does not have a value"
    assert crm.refused("create", "sales", **asked)[1] == "closingdate does not have a value"


def test_what_a_description_hides(crm: Crm) -> None:
    """A reference does not name the modules that the user does not see; dates are the user's."""
    fields = crm("describe", "sales", elementType="Assets")["fields"]
    types = {field["name"]: field["type"] for field in fields}
    assert types["invoiceid"]["refersTo"] == []
    assert types["datesold"]["format"] == "mm-dd-yyyy"


def test_only_admins_sync_the_application(crm: Crm) -> None:
    """That is told before anything else is looked at."""
    asked = {"modifiedTime": "1", "elementType": "Nope", "syncType": "application"}
    answer = crm.refused("sync", "sales", **asked)
    assert answer == ("ACCESS_DENIED", "Only admin users can perform application sync")


@pytest.mark.parametrize("element", ['"text"', "5", "null", "true"])
def test_what_is_no_map_is_fatal(crm: Crm, element: str) -> None:
    """An element that is JSON and no map ends in HTTP 500; text behind a map is passed over."""
    asked = {"elementType": "Leads", "element": element}
    assert crm.refused("create", **asked)[0] == "INTERNAL_SERVER_ERROR"
    behind = crm.refused("create", elementType="Leads", element='{"company": "c"},')
    assert behind[0] == "MANDATORY_FIELDS_MISSING"


def test_a_field_of_another_table_is_no_order(crm: Crm) -> None:
    """ORDER BY a field that is kept elsewhere gives nothing, unless the statement reads it too."""
    crm.create("Contacts", lastname="a", birthday="1990-01-01")
    assert crm.query("select id from Contacts order by birthday;") == []
    assert len(crm.query("select id,birthday from Contacts order by birthday;")) == 1
    assert len(crm.query("select id from Contacts where birthday > '1900-01-01';")) == 1


POTENTIAL = {"potentialname": "p", "closingdate": "2027-01-01", "sales_stage": "Prospecting"}


@pytest.mark.parametrize(
    ("module", "fields"), [("Contacts", {"lastname": "l"}), ("Potentials", POTENTIAL)]
)
def test_nobody_as_an_owner_ends_in_a_page(crm: Crm, module: str, fields: dict[str, str]) -> None:
    """Contacts and deals are written, and the answer is no envelope; groups are fine."""
    page = ("", "Sorry! Attempt to access restricted file.")
    asked = {**fields, "assigned_user_id": "19x999"}
    assert crm.refused("create", elementType=module, element=asked) == page
    assert crm.values(f"select assigned_user_id from {module};", "assigned_user_id") == ["999"]
    kept = crm.create(module, **fields, assigned_user_id="20x3")["id"]
    assert crm.refused("revise", element={"id": kept, "assigned_user_id": "19x999"}) == page
    assert crm("retrieve", id=kept)["assigned_user_id"] == "999"
