"""The operations on the CRM's own description: me, listtypes, describe, editionLimits."""

from __future__ import annotations

import hashlib

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.calls import Call
from vtiger_async.sandbox.picklists import values_of
from vtiger_async.sandbox.plain import plain_description, plain_types
from vtiger_async.sandbox.pricing import PRICED, TAX_FIELDS
from vtiger_async.sandbox.reading import view_of
from vtiger_async.sandbox.reopening import CLOSED_STATES
from vtiger_async.sandbox.schema import SCHEMA, Field, Module
from vtiger_async.sandbox.schema_picklists import LABELS
from vtiger_async.types import ServiceName

__all__ = ["describe", "edition_limits", "list_types", "me"]

_LIMITS = {
    "DOCUMENT_UPLOAD_FILE_LIMIT": "50MB",
    "IMAGE_MAX_UPLOAD_SIZE": "5MB",
    "IMPORT_FILE_LIMIT": "10000",
    "STORAGE": "20GB",
    "CUSTOM_FIELD_LIMIT": "150",
    "PICKLIST_VALUES_MAX_ALLOWED": "500",
    "EXPORT_LIMIT": "Unlimited",
}


def me(call: Call) -> object:
    """Answer `me`: the whole record of the user.

    It holds the access key and hashes of the password, as read in public client code of the Cloud:
    a client must never show them.
    """
    users = SCHEMA.modules["Users"]
    if call.profile.brief_me:
        row = call.store.record(users, call.user.number) or users.empty_row
        names = ("user_name", "first_name", "last_name", "email1")
        return {"id": call.user.id} | {name: row[users.columns[name]] for name in names}
    row = call.store.record(users, call.user.number) or users.empty_row
    record: dict[str, object] = dict(zip(users.columns, row, strict=True))
    digest = hashlib.sha256(f"password of {call.user.name}".encode()).hexdigest()
    secrets = {"accesskey": call.user.access_key, "user_password": digest}
    return record | {"id": call.user.id} | secrets | {"confirm_password": digest}


def list_types(call: Call) -> object:
    """Answer `listtypes`: the modules that the user sees, or those with a field of some types."""
    wanted = set(call.names("fieldTypeList"))
    if call.profile.plain_describe:
        return plain_types(call, wanted)
    shown = [
        module
        for module in SCHEMA.modules.values()
        if call.user.sees(module)
        and (not wanted or any(f.type in wanted for f in view_of(call, module).fields))
    ]
    information = {
        module.name: {
            "isEntity": module.is_entity,
            "label": module.label,
            "singular": module.singular,
        }
        for module in shown
    }
    # An empty map of PHP arrives as a list.
    return {"types": [module.name for module in shown], "information": information or []}


def describe(call: Call) -> object:
    """Answer `describe` in the shape of the manual; fields hidden from the user are left out.

    Raises:
        Fault: ACCESS_DENIED for a module that is unknown or hidden.
    """
    name = call.text("elementType")
    module = call.visible(name, f" for name : {name}")
    if call.profile.plain_describe:
        return plain_description(call, module)
    writes = call.user.may_write(module) and module.creatable
    fields = [
        _described(call, module, item)
        for item in (*module.fields.values(), *(TAX_FIELDS if module.name in PRICED else ()))
        if call.user.sees_field(module, item) and "quiet" not in item.flags
    ]
    closed = CLOSED_STATES.get(module.name)
    return {
        "label": module.label,
        "name": module.name,
        "createable": writes,
        "updateable": writes,
        "deleteable": writes and call.user.may_delete(module),
        "retrieveable": True,
        "fields": [*fields, _described_id(module)],
        "inactivefields": [],
        "idPrefix": str(module.prefix),
        "isEntity": module.is_entity,
        "allowDuplicates": not module.unique,
        "labelFields": ",".join(module.label_fields),
        # An empty map of PHP arrives as a list.
        "closedStatesInfo": {closed[0]: list(closed[1])} if closed else [],
    }


def _described(call: Call, module: Module, item: Field) -> dict[str, object]:
    return {
        "name": item.name,
        "label": item.label,
        "mandatory": item.mandatory,
        "type": _type(call, item),
        "isunique": "unique" in item.flags,
        "nullable": not item.mandatory and item.name not in module.label_fields,
        "editable": "ro" not in item.flags,
        "default": item.default if item.default is not None else "",
        "quickcreate": item.mandatory or "quick" in item.flags,
        "summaryfield": item.mandatory or "quick" in item.flags,
        "headerfield": item.name in module.label_fields,
        "data": {"sensitive": True} if "sensitive" in item.flags else [],
    }


def _described_id(module: Module) -> dict[str, object]:
    return {
        "name": "id",
        "label": f"{module.name.lower()}id",
        "mandatory": False,
        "type": {"name": "autogenerated"},
        "isunique": True,
        "nullable": False,
        "editable": False,
        "default": "",
        "quickcreate": False,
        "summaryfield": False,
        "headerfield": False,
        "data": [],
    }


def _type(call: Call, item: Field) -> dict[str, object]:
    shape: dict[str, object] = {"name": item.type, "length": _length(item)}
    if item.type == "reference":
        shape["refersTo"] = list(item.refers_to)
    if item.kind in ("date", "datetime"):
        shape["format"] = "yyyy-mm-dd" if item.kind == "date" else "yyyy-mm-dd hh:mm:ss"
    if item.has_values:
        values = values_of(call.store, item.name)
        shape["picklistValues"] = [
            {"label": LABELS.get(value, value), "value": value} for value in values
        ]
        shape["defaultValue"] = values[0] if values else None
    return shape


def _length(item: Field) -> int | str:
    """Return the length as the Cloud mixes it: a number, "25,8" for decimals, or ""."""
    if item.kind == "number":
        return f"25,{item.decimals}" if item.decimals else 11
    if item.kind != "text" or item.length is None:
        return ""
    return item.length


def edition_limits(call: Call) -> object:
    """Answer `editionLimits`: one limit of the edition, as the manual of 2025 shows it.

    Raises:
        Fault: ACCESS_DENIED for a name that is not in the manual's list.
    """
    name = call.text("serviceName")
    if name not in set(ServiceName):
        raise denied(f"Permission to perform the operation is denied for serviceName : {name}")
    limit = str(call.daily_limit) if name == "WEBSERVICE_LIMIT" else _LIMITS.get(name, "100")
    return {"serviceName": name, "limit": limit}
