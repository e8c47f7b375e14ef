"""The operations on picklists: add, edit, delete, and which values depend on which.

Only an admin may change them; the answers are nested, as in the manual. Codes and messages are
those of the recorded exchanges.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from typing import cast

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call, Element, unknown_entity
from vtiger_async.sandbox.schema import SCHEMA, Field
from vtiger_async.sandbox.schema_picklists import DEPENDENCIES, PICKLISTS
from vtiger_async.sandbox.store import Store, column
from vtiger_async.sandbox.stored_form import SEPARATOR, as_text

__all__ = [
    "add_picklist",
    "delete_picklist",
    "edit_picklist",
    "fill",
    "picklist_dependency",
    "values_of",
]


def fill(store: Store) -> None:
    """Store the values that the picklists start with."""
    store.run_many(
        "INSERT INTO picklists (name, value, place) VALUES (?, ?, ?)",
        (
            (name, value, place)
            for name, values in PICKLISTS.items()
            for place, value in enumerate(values, 1)
        ),
    )


def _append(store: Store, name: str, value: str) -> int:
    store.run(
        "INSERT INTO picklists (name, value, place) VALUES (?, ?, "
        "(SELECT coalesce(max(place), 0) + 1 FROM picklists WHERE name = ?))",
        (name, value, name),
    )
    return int(store.rows("SELECT last_insert_rowid()")[0][0])


def values_of(store: Store, name: str) -> list[str]:
    """Return the values of a picklist in their order."""
    sql = "SELECT value FROM picklists WHERE name = ? ORDER BY place"
    return [row[0] for row in store.rows(sql, (name,))]


def _asked(call: Call) -> tuple[Field, Element]:
    """Return the field and the rest of a request to change a picklist.

    Raises:
        Fault: ACCESS_DENIED for anyone but an admin, UNKOWN_ENTITY for an unknown module or field.
    """
    if not call.user.is_admin:
        raise denied()
    element = call.element()
    module = SCHEMA.modules.get(call.text("elementType"))
    item = module.fields.get(as_text(element.get("fieldname"))) if module else None
    if item is None or not item.has_values:
        raise unknown_entity("Unknown module or field")
    return item, element


def _list(element: Element, name: str) -> list[str]:
    value = element.get(name)
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [text for text in (as_text(item) for item in values) if text]
    if not texts:
        raise Fault("MANDATORY_FIELDS_MISSING", f"{name} does not have a value")
    return texts


def add_picklist(call: Call) -> object:
    """Answer `add_picklist`: the ids of the new values.

    Raises:
        Fault: As _asked; DUPLICATE where a value exists.
    """
    item, element = _asked(call)
    values = _list(element, "values")
    known = values_of(call.store, item.name)
    for value in values:
        if value in known:
            raise Fault("DUPLICATE", f"Value {value} exists")
    ids = {f"id{i}": _append(call.store, item.name, v) for i, v in enumerate(values)}
    return {"success": True, "result": ids}


def _known(store: Store, item: Field, values: list[str]) -> None:
    known = values_of(store, item.name)
    if any(value not in known for value in values):
        raise Fault("RECORD_NOT_FOUND", "Unknown picklist value")


def _replace(store: Store, name: str, old: str, new: str) -> None:
    """Write the new value into every record that has the old one, in every module."""
    for module in SCHEMA.modules.values():
        item = module.fields.get(name)
        if item is None or not item.has_values:
            continue
        text = column(name)
        if item.type == "multipicklist":
            sql = (
                f"UPDATE {module.name} SET {text} = trim(replace(? || {text} || ?, ?, ?), ' |#') "
                f"WHERE instr({text}, ?)"
            )
            whole_old, whole_new = (f"{SEPARATOR}{value}{SEPARATOR}" for value in (old, new))
            store.run(sql, (SEPARATOR, SEPARATOR, whole_old, whole_new, old))
        else:
            sql = f"UPDATE {module.name} SET {text} = ? WHERE {text} = ?"
            store.run(sql, (new, old))


def edit_picklist(call: Call) -> object:
    """Answer `edit_picklist`: rename a value, also in the records that have it.

    Raises:
        Fault: As _asked; RECORD_NOT_FOUND for an unknown value, DUPLICATE where the new one exists.
    """
    item, element = _asked(call)
    (old,), (new,) = _list(element, "current_value"), _list(element, "new_value")
    _known(call.store, item, [old])
    if new in values_of(call.store, item.name):
        raise Fault("DUPLICATE", f"Value {new} exists")
    sql = "UPDATE picklists SET value = ? WHERE name = ? AND value = ?"
    call.store.run(sql, (new, item.name, old))
    _replace(call.store, item.name, old, new)
    return {"success": True, "result": ["success", True]}


def delete_picklist(call: Call) -> object:
    """Answer `delete_picklist`: drop values, and put another in their place.

    Raises:
        Fault: As _asked; RECORD_NOT_FOUND for an unknown value, MANDATORY_FIELDS_MISSING without
            `replace_with`.
    """
    item, element = _asked(call)
    values, (new, *_) = _list(element, "delete_values"), _list(element, "replace_with")
    _known(call.store, item, [*values, new])
    for value in values:
        sql = "DELETE FROM picklists WHERE name = ? AND value = ?"
        call.store.run(sql, (item.name, value))
        _replace(call.store, item.name, value, new)
    return {"success": True, "result": ["success", True]}


def picklist_dependency(call: Call) -> object:
    """Answer `picklist_dependency`; two fields that do not depend give an empty mapping.

    Raises:
        Fault: ACCESS_DENIED for an unknown module, UNKOWN_ENTITY for an unknown field.
    """
    name = call.text("module")
    module = call.visible(name, f" for name : {name}")
    source, target = call.text("sourcefield"), call.text("targetfield")
    if source not in module.fields or target not in module.fields:
        raise unknown_entity("Unknown module or field")
    mapping = DEPENDENCIES.get((module.name, source, target), {})
    return {
        "sourcefield": source,
        "targetfield": target,
        "valuemapping": [
            {"sourcevalue": value, "targetvalues": list(targets)}
            for value, targets in mapping.items()
        ],
    }
