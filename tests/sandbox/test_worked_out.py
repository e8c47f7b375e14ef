"""What the open source works out itself, whatever was written."""

from __future__ import annotations

import pytest
from engine_calls import Crm

EVENT = {
    "subject": "e",
    "activitytype": "Meeting",
    "eventstatus": "Planned",
    "date_start": "2026-12-01",
    "due_date": "2026-12-01",
    "time_start": "10:00:00",
    "time_end": "11:30:00",
    "duration_hours": "7",
}


@pytest.fixture
def crm() -> Crm:
    return Crm(profile="oss-8.4")


def test_an_event_lasts_from_its_start_to_its_end(crm: Crm) -> None:
    """The duration that was written is not kept, and a change of the end changes it."""
    event = crm.create("Events", **EVENT)
    assert (event["duration_hours"], event["duration_minutes"]) == ("1", "30")
    element = {"id": event["id"], "time_end": "12:10:00", "duration_hours": "9"}
    changed = crm("revise", element=element)
    assert (changed["duration_hours"], changed["duration_minutes"]) == ("2", "10")


@pytest.mark.parametrize(("seconds", "minutes"), [("300", "5"), ("5", "1"), ("0", "0")])
def test_a_reminder_is_written_in_seconds_and_read_in_minutes(
    crm: Crm, seconds: str, minutes: str
) -> None:
    """It is one minute at least; a change that does not say when to remind clears it."""
    event = crm.create("Events", **EVENT, reminder_time=seconds)
    assert event["reminder_time"] == minutes
    assert crm("revise", element={"id": event["id"], "location": "x"})["reminder_time"] == ""


def test_a_deal_is_worth_its_amount_by_its_probability(crm: Crm) -> None:
    """The forecast that was written is not kept."""
    deal = crm.create(
        "Potentials",
        potentialname="p",
        closingdate="2026-12-31",
        sales_stage="Prospecting",
        amount="1000.5",
        probability="10",
        forecast_amount="7",
    )
    assert deal["forecast_amount"] == "100.05000000"
    changed = crm("revise", element={"id": deal["id"], "amount": "2000"})
    assert changed["forecast_amount"] == "200.00000000"


@pytest.mark.parametrize(
    ("place", "name", "stored"),
    [("E", "x.com", "http://x.com"), ("E", "ftp://x.com", "ftp://x.com"), ("zz", "b", "")],
)
def test_a_document_has_a_file_inside_or_at_an_address(
    crm: Crm, place: str, name: str, stored: str
) -> None:
    """An address gets a scheme; where the file is nowhere, it has no name."""
    record = crm.create("Documents", notes_title="d", filelocationtype=place, filename=name)
    assert record["filename"] == stored
    assert record["filelocationtype"] == (place if stored else "")
