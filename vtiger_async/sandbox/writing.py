"""What a written element becomes: references and owners checked, mandatory fields asked for.

The checks, their order and their messages are those measured on Vtiger 8.4: references first, then
mandatory fields, one at a time, in the order of the module's fields.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

import re
from operator import attrgetter

from vtiger_async.sandbox.access import GROUPS, denied
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call, Element, bad_id, fatal_error, id_parts, split_id
from vtiger_async.sandbox.folding import fold
from vtiger_async.sandbox.schema import SCHEMA, Field, Module
from vtiger_async.sandbox.store import DELETED, LIVE, comparable
from vtiger_async.sandbox.stored_form import MASK, as_text, is_scalar, stored_form

__all__ = [
    "defaults",
    "die_of_owner",
    "refuse_duplicates",
    "refuse_system",
    "require",
    "stored_values",
]

_OWNER = re.compile(r"\s*(\d{1,9})x(\d{1,18})(\D.*)?", re.ASCII | re.DOTALL)
_BARE_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def stored_values(call: Call, module: Module, element: Element) -> dict[str, str | None]:
    """Return the stored form of what an element says.

    What the module does not have, what only the CRM writes, and what the user does not see, is
    silently left out (measured).

    Raises:
        Fault: A reference or an owner is malformed, a reference is of the wrong module, the user
            may not give a record to that owner, or a date is text.
    """
    values: dict[str, str | None] = {}
    for name, value in element.items():
        item = module.fields.get(name)
        if item is None or "line" in item.flags or item.type == "image":
            continue  # an image is a file, and its name is not written
        if "ro" in item.flags and name != "starred":
            if item.type == "reference":
                _reference(call, item, value)  # it is checked all the same (measured)
            continue
        if not call.user.sees_field(module, item) or ("sensitive" in item.flags and value == MASK):
            continue
        if item.type == "owner":
            values[name] = _owner(call, value)
        elif item.type == "reference":
            values[name] = _reference(call, item, value)
        else:
            if item.type in ("currency", "date") and value and not is_scalar(value):
                raise fatal_error()
            values[name] = stored_form(item, value, lenient=call.profile.words_are_no_dates)
    return values


def _reference(call: Call, item: Field, value: object) -> str | None:
    """Return the record that a reference names, read as leniently as any id (measured)."""
    if not is_scalar(value):
        raise fatal_error()
    text = as_text(value)
    if not text:
        return None
    prefix, number = id_parts(text)
    module = SCHEMA.by_prefix.get(prefix)
    if module is None:
        raise denied("Permission to perform the operation is denied for id")
    if module.name not in item.refers_to:
        raise Fault("REFERENCE_INVALID", f"Invalid reference specified for {item.name}")
    if not call.user.sees(module) and module.is_entity and module.name != "Users":
        raise denied(f"Permission to access reference type is denied {module.name}")
    # A reference to a record that is missing is answered with success, and stored as none.
    state = call.store.state(module, number)
    return None if state in (None, DELETED) else module.record_id(number)


def _owner(call: Call, value: object) -> str | None:
    """Return the owner as it is stored; a number that is nobody's is stored bare (all measured).

    An admin's prefix is not looked at, and a number without one stands for the caller. Anyone else
    has to name a user or a group as they are.
    """
    text = as_text(value)
    if not text:
        return None
    found = _OWNER.fullmatch(text)
    if isinstance(value, list) or (found is None and _BARE_NUMBER.fullmatch(text) is None):
        raise bad_id()
    number = int(found[2]) if found else 0
    owner = _numbered(call, number)
    if not call.user.is_admin:
        named = found and (found[3] or "x").startswith("x") and f"{found[1]}x{number}" == owner
        if not named:
            raise denied("Cannot assign record to the given user")
    return owner if number else call.user.id


def die_of_owner(call: Call, module: Module, values: dict[str, str | None]) -> None:
    """End a write of an open source whose owner is nobody, where its workflows ask for the owner.

    Raises:
        Fault: No envelope but a page, after the record is written (measured).
    """
    asks = call.profile.plain_describe and module.name in ("Contacts", "Potentials")
    if asks and "x" not in (values.get("assigned_user_id") or "x"):
        said = "Sorry! Attempt to access restricted file."
        raise Fault("", said, 200, keeps=True, is_page=True)


def _numbered(call: Call, number: int) -> str:
    users, groups = SCHEMA.modules["Users"], SCHEMA.modules["Groups"]
    if call.store.state(users, number) not in (None, DELETED):
        return users.record_id(number)
    is_group = number in [group[0] for group in GROUPS]
    return groups.record_id(number) if is_group else str(number)


def defaults(call: Call, module: Module) -> dict[str, str | None]:
    """Return what a new record gets for the fields that have a default (see the profile)."""
    values: dict[str, str | None] = {}
    for item in module.stored:
        if item.default is None:
            continue
        if not call.profile.defaults_apply and item.name != "conversion_rate":
            continue
        if item.type == "reference":
            values[item.name] = SCHEMA.modules[item.refers_to[0]].record_id(int(item.default))
        else:
            values[item.name] = stored_form(item, item.default)
    return values


def refuse_system(call: Call, module: Module, element: Element) -> None:
    """Refuse a new record of a module that nobody creates records in, for the first reason.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for a role that is no id, REFERENCE_INVALID for any that is one;
            MANDATORY_FIELDS_MISSING for a field; ACCESS_DENIED where all is there.
    """
    role = as_text(element.get("roleid")) if module.name == "Users" else ""
    if role:
        if split_id(role) is None:
            raise bad_id()
        raise Fault("REFERENCE_INVALID", "Invalid reference specified for roleid")
    require(call, module, element, all_fields=True)
    raise denied("Permission to write is denied")


def require(call: Call, module: Module, element: Element, *, all_fields: bool) -> None:
    """Ask for the mandatory fields.

    Who is no admin is asked in the order of the fields' names on an open source (measured).

    Args:
        call: The call.
        module: The module.
        element: What was sent; null and "" count as missing, "0" does not.
        all_fields: Whether a field that was not sent is missing, as create and update say; revise
            only minds those that were sent empty.

    Raises:
        Fault: MANDATORY_FIELDS_MISSING, whose message names the first field that is missing.
    """
    fields = module.mandatory
    if call.profile.plain_describe:
        fields = module.required
        if not call.user.is_admin:
            fields = tuple(sorted(fields, key=attrgetter("name")))
    for item in fields:
        if not all_fields and item.name not in element:
            continue
        if element.get(item.name) in (None, "", []):
            raise Fault("MANDATORY_FIELDS_MISSING", f"{item.name} does not have a value")


def refuse_duplicates(
    call: Call, module: Module, values: dict[str, str | None], besides: int = 0
) -> None:
    """Refuse a value that another record has in a unique field.

    Args:
        call: The call.
        module: The module.
        values: What would be stored.
        besides: The number of the record that is changed, which is no duplicate of itself.

    Raises:
        Fault: The integer 0, "Duplicate(s) detected!".
    """
    for item in module.unique:
        value = values.get(item.name)
        if not value:
            continue
        call.store.ensure_index(module, item, comparable(item))
        sql = (
            f"SELECT 1 FROM {module.name} WHERE {comparable(item)} = ? AND row_state = ? AND n != ?"
        )
        if call.store.rows(sql, (fold(value), LIVE, besides)):
            raise Fault(0, "Duplicate(s) detected!")
