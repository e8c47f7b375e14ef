"""The operation `reopen`, and what a closed record is."""

from __future__ import annotations

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call

__all__ = ["CLOSED_STATES", "reopen"]

CLOSED_STATES = {
    "HelpDesk": ("ticketstatus", ("Closed",), "Open"),
    "Potentials": ("sales_stage", ("Closed Won", "Closed Lost"), "Negotiation or Review"),
}
"""The modules whose records can be closed: the field, its closing values, what reopens it."""


def reopen(call: Call) -> object:
    """Answer `reopen`: put a closed ticket or deal back into an open state.

    Raises:
        Fault: ACCESS_DENIED where the user may not change the record; OPERATION_NOT_SUPPORTED where
            its module has no closed state, or the record is not closed.
    """
    module, number, row = call.found(call.text("id"))
    if not call.user.may_write(module):
        raise denied("Permission to write is denied")
    name, closed, reopened = CLOSED_STATES.get(module.name, ("", (), ""))
    if not name or row[module.columns[name]] not in closed:
        raise Fault("OPERATION_NOT_SUPPORTED", "Record is not in a closed state")
    values = {name: reopened, "modifiedtime": call.now, "modifiedby": call.user.id}
    call.store.change(module, number, values)
    call.log(module, number)
    return {"message": "Record reopened successfully."}
