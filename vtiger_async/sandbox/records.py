"""The operations on one record: create, retrieve, decrypt, update, revise, delete."""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.attachments import file_values, keep_files
from vtiger_async.sandbox.calls import Call, Element, id_parts
from vtiger_async.sandbox.dependents import drop_dependents, touch
from vtiger_async.sandbox.inventory import (
    add_lines,
    drop_lines,
    given_lines,
    keep_charges,
    lines_of,
    own_amounts,
    settle,
    with_lines,
)
from vtiger_async.sandbox.inventory_totals import INDIVIDUAL
from vtiger_async.sandbox.pricing import keep_taxes, priced
from vtiger_async.sandbox.reading import full_form, keep_label
from vtiger_async.sandbox.schema import SCHEMA, Module
from vtiger_async.sandbox.store import DELETED, Row, column
from vtiger_async.sandbox.stored_form import as_text, stored_form
from vtiger_async.sandbox.worked_out import worked_out
from vtiger_async.sandbox.writing import (
    defaults,
    die_of_owner,
    refuse_duplicates,
    refuse_system,
    require,
    stored_values,
)

__all__ = [
    "create",
    "decrypt",
    "delete",
    "insert_new",
    "remove",
    "retrieve",
    "revise",
    "update",
]

_UNKNOWN = "Unknown Error while processing request"

_REPEATING = ("recurring_frequency", "payment_duration", "invoicestatus")


def insert_new(call: Call, module: Module, values: dict[str, str | None]) -> tuple[int, Row]:
    """Store a new record, with what the CRM itself writes, and return its number and row.

    Raises:
        Fault: The integer 0, where a unique value exists already.
    """
    refuse_duplicates(call, module, values)
    number = call.store.next_number(module)
    row: list[str | None] = list(module.empty_row)
    written: dict[str, str | None] = {
        "createdtime": call.now,
        "modifiedtime": call.now,
        "modifiedby": call.user.id,
        "source": "WEBSERVICE",
        "creator": call.user.id,
        "createdby": call.user.id,
        "CreatedTime": call.now,
        "ModifiedTime": call.now,
    }
    for name, value in (defaults(call, module) | values | written).items():
        if name in module.columns:
            row[module.columns[name]] = value
    owner = module.columns.get("assigned_user_id")
    if owner is not None and row[owner] is None:
        row[owner] = call.user.id  # nobody was named where nobody need be (measured)
    if module.number_field:
        row[module.columns[module.number_field]] = _next_count(call, module)
    stored = tuple(row)
    call.store.insert(module, number, stored)
    call.log(module, number)
    return number, stored


def _next_count(call: Call, module: Module) -> str:
    """Return the record's auto number; under load each second one is that of the one before."""
    if call.crowded and call.profile.numbers_repeat and call.number % 2:
        return call.store.last_count(module)
    return call.store.next_count(module)


def create(call: Call) -> object:
    """Answer `create`: store a record and return it.

    Raises:
        Fault: ACCESS_DENIED, MANDATORY_FIELDS_MISSING, REFERENCE_INVALID, INVALID_ID_ATTRIBUTE,
            INTERNAL_SERVER_ERROR for text in a date, or the integer 0 for a duplicate.
    """
    module = call.visible(call.text("elementType"))
    if not call.user.may_write(module):
        raise denied("Permission to write is denied")
    element = call.element()
    if not module.creatable:
        if not call.user.is_admin:
            raise denied("Permission to write is denied")
        refuse_system(call, module, element)
    files = list(call.files)
    lines = given_lines(element) if module.has_lines else []
    values = stored_values(call, module, element)
    require(call, module, element, all_fields=True)
    if module.has_lines and not element.get("LineItems"):
        raise Fault("MANDATORY_FIELDS_MISSING", "Mandatory Fields Missing..")
    values |= file_values(module, files)
    if module.name == "Documents" and not values.get("folderid"):
        values["folderid"] = SCHEMA.modules["DocumentFolders"].record_id(1)
    if module.has_lines:
        values |= own_amounts(module, element)
    if call.profile.works_out_values:
        values |= worked_out(module, None, values)
    if module.name == "Calendar" and values.get("activitytype") != "Task":
        return _task_among_events(call, module, values, element)
    number, row = insert_new(call, module, values)
    keep_label(call, module, number, element, row)
    keep_taxes(call.store, module, number, element)
    keep_files(call.store, module, number, files)
    if module.name == "ModComments" and (commented := as_text(values.get("related_to"))):
        touch(call, id_parts(commented)[1])
    die_of_owner(call, module, values)
    if module.has_lines:
        return _with_new_lines(call, module, number, row, element, lines)
    return _echo(call, module, number, row, element)


def _with_new_lines(
    call: Call, module: Module, number: int, row: Row, element: Element, lines: list[Element]
) -> object:
    """Store the lines of a new document and return its echo."""
    keep_charges(call.store, number, element)
    record = {"id": "", **full_form(call, module, number, row, escaped=True)}
    document = dict(zip(module.columns, row, strict=True))
    if document["hdnTaxType"] == INDIVIDUAL and call.profile.lines_cannot_change:
        raise Fault("INTERNAL_SERVER_ERROR", _UNKNOWN, 500, keeps=True)
    with_lines(call, module, number, record)
    add_lines(call.store, module.record_id(number), lines)
    totals = settle(call, module, number, document, lines)
    if module.name == "SalesOrder" and document["enable_recurring"] != "1":
        # What repeats is kept apart, and only where the order repeats (measured).
        call.store.change(module, number, dict.fromkeys(_REPEATING, ""))
    shown = {n: int(total) if total.is_integer() else total for n, total in totals.items()}
    return record | shown | {"LineItems": lines_of(call, module.record_id(number)), "new": True}


def _task_among_events(
    call: Call, module: Module, values: dict[str, str | None], element: Element
) -> object:
    """Store an event of what does not say that it is a task; the echo has a task's id."""
    number, stored = insert_new(call, SCHEMA.modules["Events"], values)
    events = SCHEMA.modules["Events"].columns
    row = tuple(
        stored[events[f.name]] if f.name in events else values.get(f.name, f.empty)
        for f in module.stored
    )
    return _echo(call, module, number, row, element)


def _echo(call: Call, module: Module, number: int, row: Row, element: Element) -> dict[str, object]:
    """Return the answer to a write: a script stands unescaped in a name that alone has one."""
    record = full_form(call, module, number, row, escaped=True)
    names = [name for name, value in element.items() if "<script" in as_text(value)]
    for name in names[:1] if len(names) == 1 else ():
        if name in module.label_fields and module.fields[name].mandatory:
            record[name] = row[module.columns[name]]
    return priced(call, module, number, record)


def _echo_with_lines(
    call: Call, module: Module, number: int, row: Row, element: Element
) -> dict[str, object]:
    """Return the echo of a change to a document: what was sent, and over it what is stored."""
    record = full_form(call, module, number, row, escaped=False)
    lines = lines_of(call, module.record_id(number))
    first = lines[0] if lines else {}
    shown = {
        item.name: first.get(item.name, "")
        for item in module.fields.values()
        if "line" in item.flags
    }
    unread: dict[str, object] = {"image": None, "purchase_cost": None, "margin": None}
    return element | record | shown | unread | {"LineItems": lines}


def retrieve(call: Call) -> object:
    """Answer `retrieve`: one record with its label, and with its line items where it has any.

    Raises:
        Fault: ACCESS_DENIED or INVALID_ID_ATTRIBUTE; RECORD_NOT_FOUND for a user who is
            not active.
    """
    module, number, row = call.found(call.text("id"))
    call.require_whole(call.text("id"))
    record = full_form(call, module, number, row, escaped=True)
    with_lines(call, module, number, record)
    return priced(call, module, number, record)


def decrypt(call: Call) -> object:
    """Answer `decrypt`: the value of a field, also of a sensitive one, which retrieve masks.

    Raises:
        Fault: As retrieve; ACCESS_DENIED for a field that is unknown or hidden.
    """
    module, _, row = call.found(call.text("id"))
    name = call.text("fieldname")
    item = module.fields.get(name)
    if item is None or name not in module.columns or not call.user.sees_field(module, item):
        raise denied(f"Permission to access '.{name}.' attribute denied.")
    return row[module.columns[name]] or ""


def update(call: Call) -> object:
    """Answer `update`: change a record; mandatory fields must be sent, others are kept.

    Raises:
        Fault: As create, and INVALID_ID_ATTRIBUTE where the id is missing or malformed.
    """
    return _changed(call, all_fields=True)


def revise(call: Call) -> object:
    """Answer `revise`: change the fields that were sent; null and "" clear one.

    Raises:
        Fault: As update; a mandatory field is only missed where it is sent empty.
    """
    return _changed(call, all_fields=False)


def _changed(call: Call, *, all_fields: bool) -> object:
    element = call.element()
    module, number, row = _target(call, element)
    values = stored_values(call, module, element)
    lines = given_lines(element) if module.has_lines else []
    require(call, module, element, all_fields=all_fields)
    refuse_duplicates(call, module, values, besides=number)
    if call.profile.works_out_values:
        values |= worked_out(module, dict(zip(module.columns, row, strict=True)), values)
    if "modifiedtime" in module.columns:
        values |= {"modifiedtime": call.now, "modifiedby": call.user.id}
    changed = list(row)
    for name, value in values.items():
        changed[module.columns[name]] = value
    if values:
        call.store.change(module, number, values)
    if module.name == "Calendar" and changed[module.columns["activitytype"]] != "Task":
        _move_to_events(call, module, number, tuple(changed))
    keep_label(call, module, number, element, tuple(changed))
    keep_taxes(call.store, module, number, element)
    if lines:
        drop_lines(call.store, module.record_id(number))
        if call.profile.lines_cannot_change:
            _break_off(call, module, number, element, lines)
        add_lines(call.store, module.record_id(number), lines)
        settle(call, module, number, dict(zip(module.columns, changed, strict=True)), lines)
    call.log(module, number)
    die_of_owner(call, module, values)
    if module.has_lines:
        row = call.store.record(module, number) or tuple(changed)
        return _echo_with_lines(call, module, number, row, element)
    return _echo(call, module, number, tuple(changed), element)


def _move_to_events(call: Call, module: Module, number: int, row: Row) -> None:
    """Make an event of a task that no longer says that it is one; its number stays (measured)."""
    events = SCHEMA.modules["Events"]
    values = tuple(
        row[module.columns[f.name]] if f.name in module.columns else f.empty for f in events.stored
    )
    call.store.run(f"DELETE FROM {module.name} WHERE n = ?", (number,))
    call.store.insert(events, number, values)


def _break_off(
    call: Call, module: Module, number: int, element: Element, lines: list[Element]
) -> None:
    """Store new lines of a document and end in an error before its totals are worked out.

    Raises:
        Fault: HTTP 500; totals and tax type are what was sent, or nothing (measured).
    """
    values = own_amounts(module, element)
    for name in ("hdnSubTotal", "hdnGrandTotal", "pre_tax_total", "hdnTaxType"):
        values[name] = stored_form(module.fields[name], element.get(name))
    values["pre_tax_total"] = "0.00000000"
    call.store.change(module, number, values)
    add_lines(call.store, module.record_id(number), lines, sold=False)
    raise Fault("INTERNAL_SERVER_ERROR", _UNKNOWN, 500, keeps=True)


def _target(call: Call, element: Element) -> tuple[Module, int, Row]:
    """Return the record that an element names, if the user may change it."""
    text = as_text(element.get("id"))
    id_parts(text)  # a malformed id is told before an unknown module
    module, number, row = call.found(text)
    call.require_whole(text)
    if not call.user.may_write(module) or not module.creatable:
        raise denied("Permission to read given object is denied")
    return module, number, row


def delete(call: Call) -> object:
    """Answer `delete`: leave a tombstone, and clear the references to the record.

    Raises:
        Fault: ACCESS_DENIED where the record is missing or the user may not delete it.
    """
    module, number, _ = call.found(call.text("id"))
    if not call.user.may_delete(module) or not module.creatable:
        raise denied("Permission to read given object is denied")
    remove(call, module, number)
    return {"status": "successful"}


def remove(call: Call, module: Module, number: int) -> None:
    """Delete a record, whoever asks."""
    values = "row_state = ?"
    if "modifiedtime" in module.columns:
        values += f", modifiedtime = '{call.now}'"
    call.store.run(f"UPDATE {module.name} SET {values} WHERE n = ?", (DELETED, number))
    record_id = module.record_id(number)
    if module.has_lines:
        drop_lines(call.store, record_id)
    drop_dependents(call, module, record_id)
    for other, item in SCHEMA.referring(module.name):
        if not other.is_entity:
            continue  # a line item keeps its product, and says that it is deleted
        name = column(item.name)
        call.store.ensure_index(other, item, name)
        sql = f"UPDATE {other.name} SET {name} = NULL WHERE {name} = ?"
        call.store.run(sql, (record_id,))
    call.store.run("DELETE FROM pairs WHERE a = ?", (number,))
    call.store.run("DELETE FROM pairs WHERE b = ?", (number,))
    call.log(module, number)
