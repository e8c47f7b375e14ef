"""Seed records of the smaller modules: inventory documents, activities, projects and the like."""

from __future__ import annotations

from random import Random

from vtiger_async.sandbox import seed_words as words
from vtiger_async.sandbox.schema_picklists import PICKLISTS
from vtiger_async.sandbox.seed_rows import MAKERS, Maker, Values, World, chosen, decimal

__all__ = ["ALL_MAKERS"]


def _day(place: int, year: int = 2026) -> str:
    return f"{year}-{1 + place % 12:02d}-{1 + place % 28:02d}"


def _value(rng: Random, name: str) -> str:
    return chosen(rng, PICKLISTS[name])


def _campaign(place: int, rng: Random, world: World) -> Values:
    del world
    return {
        "campaignname": f"{_value(rng, 'campaigntype')} {2024 + place % 3} #{place + 1}",
        "campaigntype": _value(rng, "campaigntype"),
        "campaignstatus": _value(rng, "campaignstatus"),
        "closingdate": _day(place),
        "budgetcost": decimal(rng, 20_000),
    }


def _service(place: int, rng: Random, world: World) -> Values:
    del world
    return {
        "servicename": f"{_value(rng, 'servicecategory')} {place + 1}",
        "service_usageunit": _value(rng, "service_usageunit"),
        "servicecategory": _value(rng, "servicecategory"),
        "unit_price": decimal(rng, 200),
        "discontinued": "1",
    }


def _price_book(place: int, rng: Random, world: World) -> Values:
    del rng, world
    return {"bookname": f"Price list {place + 1}", "active": "1", "currency_id": "21x1"}


def _document_of(kind: str) -> Maker:
    """Return the maker of an inventory document whose kind names it and its status field."""
    title, _, status = kind.partition(":")

    def make(place: int, rng: Random, world: World) -> Values:
        values: Values = {
            "subject": f"{title} {place + 1}",
            "contact_id": world.some(rng, "Contacts") if rng.random() < 0.5 else None,
            "currency_id": "21x1",
            "conversion_rate": "1.000",
            "hdnTaxType": "group",
            "bill_street": f"{place + 1} Station Rd",
            "ship_street": f"{place + 1} Station Rd",
            "terms_conditions": "Payable within 30 days.",
            status: _value(rng, status),
        }
        partner = "Vendors" if title == "Order to vendor" else "Accounts"
        values["vendor_id" if partner == "Vendors" else "account_id"] = world.some(rng, partner)
        if title == "Order":
            values["invoicestatus"] = "AutoCreated"
        if title == "Invoice":
            values["invoicedate"] = _day(place, 2025)
        return values

    return make


def _faq(place: int, rng: Random, world: World) -> Values:
    return {
        "question": f"{chosen(rng, words.PROBLEMS)}?",
        "faq_answer": chosen(rng, words.SENTENCES),
        "faqstatus": _value(rng, "faqstatus"),
        "faqcategories": "General",
        "product_id": world.nth("Products", place),
    }


def _document(place: int, rng: Random, world: World) -> Values:
    del rng, world
    return {
        "notes_title": f"Document {place + 1}: Größe & 色",
        "filelocationtype": "I",
        "filestatus": "1",
        "folderid": f"22x{1 + place % 2}",
    }


def _activity(place: int, rng: Random, world: World) -> Values:
    return {
        "subject": f"{chosen(rng, ('Call', 'Visit'))} {chosen(rng, words.FIRST_NAMES)}",
        "date_start": _day(place),
        "time_start": f"{8 + place % 10:02d}:00:00",
        "due_date": _day(place),
        "time_end": f"{8 + place % 10:02d}:30:00",
        "parent_id": world.some(rng, "Accounts"),
        "contact_id": world.some(rng, "Contacts") if rng.random() < 0.5 else None,
        "taskpriority": _value(rng, "taskpriority"),
        "visibility": "Public",
    }


def _task(place: int, rng: Random, world: World) -> Values:
    task = {"taskstatus": _value(rng, "taskstatus"), "activitytype": "Task"}
    return _activity(place, rng, world) | task


def _event(place: int, rng: Random, world: World) -> Values:
    return _activity(place, rng, world) | {
        "eventstatus": _value(rng, "eventstatus"),
        "activitytype": _value(rng, "activitytype"),
        "duration_minutes": "30",
    }


def _email(place: int, rng: Random, world: World) -> Values:
    return {
        "date_start": _day(place, 2025),
        "subject": f"Re: {chosen(rng, words.PROBLEMS)}",
        "description": f"<p>{chosen(rng, words.SENTENCES)}</p>",
        "from_email": "admin@example.com",
        "saved_toid": '["info@example.com"]',
        "parent_id": world.some(rng, "Contacts"),
        "email_flag": "SENT",
        "activitytype": "Emails",
    }


def _comment(place: int, rng: Random, world: World) -> Values:
    on = ("Accounts", "Contacts", "HelpDesk")[place % 3]
    return {
        "commentcontent": chosen(rng, words.SENTENCES),
        "related_to": world.some(rng, on),
        "creator": "19x1",
    }


def _project(place: int, rng: Random, world: World) -> Values:
    return {
        "projectname": f"Roll-out {chosen(rng, words.ITEMS)} {place + 1}",
        "startdate": _day(place, 2025),
        "projectstatus": _value(rng, "projectstatus"),
        "linktoaccountscontacts": world.some(rng, "Accounts"),
        "progress": _value(rng, "progress"),
    }


def _project_task(place: int, rng: Random, world: World) -> Values:
    return {
        "projecttaskname": f"Step {place % 3 + 1}",
        "projectid": world.nth("Project", place // 3),
        "projecttaskstatus": _value(rng, "projecttaskstatus"),
        "projecttasknumber": str(place % 3 + 1),
    }


def _asset(place: int, rng: Random, world: World) -> Values:
    return {
        "assetname": f"Asset {place + 1}",
        "product": world.some(rng, "Products"),
        "account": world.some(rng, "Accounts"),
        "serialnumber": f"SN{place + 1:08d}",
        "datesold": _day(place, 2024),
        "dateinservice": _day(place, 2025),
        "assetstatus": "In Service",
    }


def _contract(place: int, rng: Random, world: World) -> Values:
    return {
        "subject": f"Support contract {place + 1}",
        "sc_related_to": world.some(rng, "Accounts"),
        "start_date": _day(place, 2025),
        "contract_status": _value(rng, "contract_status"),
        "contract_type": "Support",
    }


ALL_MAKERS: dict[str, Maker] = MAKERS | {
    "Campaigns": _campaign,
    "Services": _service,
    "PriceBooks": _price_book,
    "Quotes": _document_of("Quote:quotestage"),
    "SalesOrder": _document_of("Order:sostatus"),
    "PurchaseOrder": _document_of("Order to vendor:postatus"),
    "Invoice": _document_of("Invoice:invoicestatus"),
    "Faq": _faq,
    "Documents": _document,
    "Calendar": _task,
    "Events": _event,
    "Emails": _email,
    "ModComments": _comment,
    "Project": _project,
    "ProjectTask": _project_task,
    "Assets": _asset,
    "ServiceContracts": _contract,
}
"""The maker of each module's seed records."""
