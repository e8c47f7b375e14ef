"""The operation `sync`: what changed in a module after a second.

Measured on Vtiger 8.4: the lower bound is strict; a page ends with the second of the 100th change,
all of it; `updated` holds whole records, `deleted` ids, also of converted leads and of records that
the caller has never seen. A window of deletes is a page without updates, and need not be the last.
"""

from __future__ import annotations

from calendar import timegm
from time import gmtime, strftime, strptime

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call
from vtiger_async.sandbox.inventory_totals import DISCOUNTS
from vtiger_async.sandbox.query import PAGE
from vtiger_async.sandbox.reading import is_star_known, row_form, unset_in_row, view_of
from vtiger_async.sandbox.schema import Module
from vtiger_async.sandbox.store import LIVE, column
from vtiger_async.sandbox.stored_form import MASK

__all__ = ["stamp", "sync"]

_FORM = "%Y-%m-%d %H:%M:%S"
_LATEST = 253402300799  # the last second of the year 9999


def stamp(seconds: float) -> str:
    """Return Unix seconds as Vtiger stores them, in UTC; fractions are cut."""
    return strftime(_FORM, gmtime(min(max(int(seconds), 0), _LATEST)))


def _seconds(text: str) -> int:
    return timegm(strptime(text, _FORM))


def sync(call: Call) -> object:
    """Answer `sync`.

    Raises:
        Fault: ACCESS_DENIED for a module that is not synchronised, or for the type `application`
            by anyone but an admin; QUERY_SYNTAX_ERROR where modifiedTime is no number.
    """
    if call.text("syncType") == "application" and not call.user.is_admin:
        raise denied("Only admin users can perform application sync")
    if call.text("elementType") in call.profile.sync_fatal:
        raise Fault("INTERNAL_SERVER_ERROR", "Unknown Error while processing request", 500)
    module = call.visible(call.text("elementType"))
    if not module.is_entity:
        raise denied()
    since = _since(call.text("modifiedTime"))
    if module.name == "Users":
        return _answer([], [], since, more=False)
    scope, owners = _scope(call, module)
    changed = f"FROM {module.name} WHERE modifiedtime > ?{scope}"
    first = [stamp(since), *owners]
    last = call.store.rows(
        f"SELECT modifiedtime {changed} ORDER BY modifiedtime LIMIT {PAGE}",
        first,
    )
    if not last:
        return _answer([], [], since, more=False)
    end = last[-1][0]
    more = f"SELECT 1 {changed} LIMIT 1"
    updated, deleted = _changes(call, module, changed, first, end)
    return _answer(
        updated, deleted, _seconds(end), more=bool(call.store.rows(more, [end, *owners]))
    )


def _since(text: str) -> int:
    try:
        return max(int(text or 0), 0)
    except ValueError:
        raise Fault("QUERY_SYNTAX_ERROR", "modifiedTime must be a UNIX timestamp") from None


def _scope(call: Call, module: Module) -> tuple[str, list[str]]:
    """Return the condition on the owner, and its values; an unknown type counts as `user`."""
    scope = call.text("syncType")
    if scope == "application":
        return "", []
    if "assigned_user_id" not in module.columns:
        # Who wrote such a record stands for who made it, and so owns it (measured).
        if not call.profile.plain_describe or "modifiedby" not in module.columns:
            return "", []
        return " AND modifiedby = ?", [call.user.id]
    owners = call.user.owners if scope == "userandgroup" else call.user.owners[:1]
    call.store.ensure_pair_index(module, "assigned_user_id", "modifiedtime")
    return f" AND assigned_user_id IN ({', '.join('?' * len(owners))})", list(owners)


def _changes(
    call: Call, module: Module, changed: str, first: list[str], end: str
) -> tuple[list[dict[str, object]], list[str]]:
    view = view_of(call, module)
    listed = ", ".join(["n", "row_state", *(column(name) for name in view.names)])
    sql = f"SELECT {listed} {changed} AND modifiedtime <= ? ORDER BY modifiedtime, n"
    updated: list[dict[str, object]] = []
    deleted: list[str] = []
    for number, state, *values in call.store.rows(sql, [*first, end]):
        if state != LIVE:
            deleted.append(module.record_id(number))
        else:
            record = row_form(module, number, view.names, values)
            if record.get("starred") == "0" and not is_star_known(call, record):
                record["starred"] = None
            unset_in_row(call, module, record)
            for name in view.sensitive:
                record[name] = MASK if record[name] else ""
            if call.profile.document_discounts_hidden and module.has_lines:
                record = {DISCOUNTS.get(name, name): value for name, value in record.items()}
            if call.profile.one_status_in_sync and module.name == "Calendar":
                status = record.get("taskstatus") or record.get("eventstatus")
                record |= dict.fromkeys(record.keys() & {"taskstatus", "eventstatus"}, status)
            updated.append(record)
    return updated, deleted


def _answer(
    updated: list[dict[str, object]], deleted: list[str], last: int, *, more: bool
) -> dict[str, object]:
    return {"updated": updated, "deleted": deleted, "more": more, "lastModifiedTime": last}
