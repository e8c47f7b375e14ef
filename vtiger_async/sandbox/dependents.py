"""What a write does to other records.

Measured on Vtiger 8.4: with an organisation its deals and quotes are deleted, and with a vendor its
purchase orders. Their `modifiedtime` stays as it was, so a sync tells of them only from before it.
A comment, and a relation that is added, change the `modifiedtime` of what they are added to.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from typing import Final

from vtiger_async.sandbox.calls import Call
from vtiger_async.sandbox.schema import SCHEMA, Module
from vtiger_async.sandbox.store import DELETED, LIVE, column

__all__ = ["drop_dependents", "touch"]

_DEPENDENTS: Final = {
    "Accounts": (("Potentials", "related_to"), ("Quotes", "account_id")),
    "Vendors": (("PurchaseOrder", "vendor_id"),),
}


def drop_dependents(call: Call, module: Module, record_id: str) -> None:
    """Leave tombstones of what depends on a record, with the times that they have."""
    if not call.profile.dependents_go:
        return
    for name, reference in _DEPENDENTS.get(module.name, ()):
        other = SCHEMA.modules[name]
        call.store.ensure_index(other, other.fields[reference], column(reference))
        sql = f"UPDATE {name} SET row_state = ? WHERE {column(reference)} = ? AND row_state = ?"
        call.store.run(sql, (DELETED, record_id, LIVE))


def touch(call: Call, number: int) -> None:
    """Note that something was added to a record: who changed it last, and when.

    Args:
        call: The call that adds it.
        number: The record's number.
    """
    module = call.store.living(number) if call.profile.additions_are_changes else None
    if module is not None and {"modifiedtime", "modifiedby"} <= module.columns.keys():
        changed = {"modifiedtime": call.now, "modifiedby": call.user.id}
        call.store.change(module, number, changed)
