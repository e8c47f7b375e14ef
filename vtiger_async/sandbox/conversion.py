"""The operation `convertlead`: a lead becomes an organisation, a contact and a deal, or nothing.

The manual's own example must work, so a deal that is sent with nothing but its closing date gets
the first stage. Codes and messages are those measured on Vtiger 8.4; unlike there, a failure leaves
nothing behind.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from typing import cast

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call, Element, bad_id
from vtiger_async.sandbox.records import insert_new, remove
from vtiger_async.sandbox.schema import SCHEMA
from vtiger_async.sandbox.store import CONVERTED, LIVE, column
from vtiger_async.sandbox.stored_form import as_text
from vtiger_async.sandbox.writing import require, stored_values

__all__ = ["convert_lead"]

_COMMON = {
    "phone": "phone",
    "fax": "fax",
    "leadsource": "leadsource",
    "industry": "industry",
    "rating": "rating",
    "website": "website",
    "description": "description",
    "assigned_user_id": "assigned_user_id",
}
_MAPPED = {
    "Accounts": {
        "company": "accountname",
        "email": "email1",
        "annualrevenue": "annual_revenue",
        "noofemployees": "employees",
        "lane": "bill_street",
        "code": "bill_code",
        "city": "bill_city",
        "country": "bill_country",
        "state": "bill_state",
    },
    "Contacts": {
        "salutationtype": "salutationtype",
        "firstname": "firstname",
        "lastname": "lastname",
        "mobile": "mobile",
        "email": "email",
        "designation": "title",
        "secondaryemail": "secondaryemail",
        "lane": "mailingstreet",
        "code": "mailingzip",
        "city": "mailingcity",
        "country": "mailingcountry",
        "state": "mailingstate",
    },
    "Potentials": {"company": "potentialname"},
}
"""Which field of a lead fills which field of what it becomes."""


def convert_lead(call: Call) -> object:
    """Answer `convertlead`: the ids by module, or null where neither contact nor deal was asked.

    Raises:
        Fault: ACCESS_DENIED, INVALID_ID_ATTRIBUTE for what is no lead, LEAD_ALREADY_CONVERTED, the
            integer 0 where the organisation exists, UNKNOWN_OPERATION for a mandatory field.
    """
    element = call.element()
    module, number, row = call.found(as_text(element.get("leadId")))
    if module.name != "Leads" and call.profile.atomic_conversion:
        raise bad_id()
    if not (call.profile.everyone_converts or call.user.may_write(module)):
        raise denied("Permission to write is denied")
    if call.store.state(module, number) == CONVERTED:
        raise Fault("LEAD_ALREADY_CONVERTED", "Lead is already converted")
    lead = dict(zip(module.columns, row, strict=True))
    entities = element.get("entities")
    asked = _asked(cast("Element", entities) if isinstance(entities, dict) else {})
    made: dict[str, str] = {}
    if asked.keys() == {"Potentials"} and not call.profile.atomic_conversion:
        return None  # a deal alone is not made (read in the code of the open source)
    for name in ("Accounts", "Contacts", "Potentials"):
        if name in asked:
            try:
                made[name] = _make(call, name, lead, asked[name], made)
            except Fault as fault:
                fault.keeps = not call.profile.atomic_conversion
                raise
    # The lead's documents and activities have one heir.
    heir = as_text(element.get("transferRelatedRecordsTo")) or "Contacts"
    if heir not in made and not call.profile.atomic_conversion:
        # Without it the open source takes back what it has made, an organisation that was there
        # before included (read in its code; measured: null for an organisation alone).
        for record_id in made.values():
            prefix, _, number_text = record_id.partition("x")
            remove(call, SCHEMA.by_prefix[int(prefix)], int(number_text))
        return None
    if made and module.name == "Leads":
        values = {"modifiedtime": call.now, "modifiedby": call.user.id}
        call.store.change(module, number, values)
        call.store.run("UPDATE Leads SET row_state = ? WHERE n = ?", (CONVERTED, number))
        _move_pairs(call, number, made)
        call.log(module, number)
    # For an organisation alone, or for nothing, Vtiger answers null (measured).
    return made if heir in made or "Potentials" in made else None


def _asked(entities: Element) -> dict[str, Element]:
    asked: dict[str, Element] = {}
    for name, entity in entities.items():
        if isinstance(entity, dict):
            item = cast("Element", entity)
            if item.get("create") in (True, 1, "1", "true", "on"):
                asked[name] = item
    return asked


def _make(
    call: Call, name: str, lead: dict[str, str | None], given: Element, made: dict[str, str]
) -> str:
    """Store one of the records and return its id.

    The open source takes an organisation that has the name which was sent (read in its code).
    """
    module = SCHEMA.modules[name]
    taken = given.get("accountname") if name == "Accounts" else None
    if taken and not call.profile.atomic_conversion:
        name_column = column("accountname")
        sql = f"SELECT n FROM Accounts WHERE {name_column} = ? AND row_state = ? ORDER BY n"
        for (number,) in call.store.rows(sql, (as_text(taken), LIVE)):
            return module.record_id(number)
    element: Element = {
        target: lead[source]
        for source, target in (_COMMON | _MAPPED[name]).items()
        if target in module.fields and lead.get(source)
    }
    own = "accountname" if name == "Accounts" else "potentialname"
    if name != "Contacts":
        element.setdefault(own, call.profile.unnamed_company or lead.get("lastname"))
    if name == "Potentials":
        if call.profile.atomic_conversion:
            element["sales_stage"] = "Prospecting"
        element |= {"related_to": made.get("Accounts"), "contact_id": made.get("Contacts")}
    if name == "Contacts":
        element["account_id"] = made.get("Accounts")
    element |= {key: value for key, value in given.items() if key not in ("create", "name")}
    try:
        values = stored_values(call, module, element)
        require(call, module, element, all_fields=True)
    except Fault as fault:
        if fault.code != "MANDATORY_FIELDS_MISSING":
            raise
        raise Fault("UNKNOWN_OPERATION", f"{fault.message} : {name}") from None
    number, _ = insert_new(call, module, values | {"isconvertedfromlead": "1"})
    return module.record_id(number)


def _move_pairs(call: Call, lead: int, made: dict[str, str]) -> None:
    """Give the lead's documents, products and campaigns to the contact, or else to the account."""
    heir = made.get("Contacts") or made.get("Accounts") or made["Potentials"]
    number = int(heir.partition("x")[2])
    call.store.run("UPDATE OR IGNORE pairs SET a = ? WHERE a = ?", (number, lead))
    call.store.run("UPDATE OR IGNORE pairs SET b = ? WHERE b = ?", (number, lead))
