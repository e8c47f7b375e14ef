"""How the work on a module begins: its table, where changes start, and what has drifted."""

from __future__ import annotations

from calendar import timegm
from time import strptime
from typing import Final, Literal, TypeAlias

from attrs import evolve

from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.errors import SchemaDriftError
from vtiger_async.mirror.sink import Sink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.models.metadata import Module
from vtiger_async.tables import Drift, drift, lines_table_of, table_of
from vtiger_async.types import SyncScope, is_list, is_map
from vtiger_async.vtql import select

__all__ = ["MARGIN", "OnDrift", "begun", "is_synced", "seconds_of", "start_of"]

OnDrift: TypeAlias = Literal["evolve", "freeze", "fail"]
"""What is done when a module's fields change: the table follows, stays as it is with new fields in
`_extra`, or the module fails."""

MARGIN: Final = 60.0
"""Seconds before the server's time that changes are read from: a write that took long to commit
carries an earlier time than the moment it appears."""


def is_synced(module: Module) -> bool:
    """Tell whether the server tells the changes of a module.

    Of users it tells none, and what are no entities it refuses (measured on Vtiger 8.4).
    """
    return module.is_entity and module.name != "Users"


async def start_of(crm: Crm, module: Module) -> float | None:
    """Return a moment (Unix seconds) before which everything written can be seen now.

    It is the server's own time of an answer that is here already, or where no answer told that, the
    time of the newest record, for a call; less a margin. None: from the beginning.
    """
    told = crm.server_time
    if told is not None:
        return told.timestamp() - MARGIN
    if "modifiedtime" not in module.fields:
        return None
    newest_first = select(module.name, "modifiedtime").order_by("modifiedtime", descending=True)
    # As it is: the client would not trust the order of one page, and read it from its other end.
    rows = await crm.call("GET", "query", {"query": str(newest_first.limit(1))})
    first = rows[0] if is_list(rows) and rows else None
    newest = seconds_of(first.get("modifiedtime")) if is_map(first) else None
    return None if newest is None else newest - MARGIN


def seconds_of(text: object) -> float | None:
    """Return a moment as Vtiger writes it in Unix seconds; None where it is none."""
    try:
        return float(timegm(strptime(str(text), "%Y-%m-%d %H:%M:%S")))
    except ValueError:
        return None


async def begun(
    crm: Crm, sink: Sink, module: Module, stored: ModuleState | None, scope: SyncScope,
    on_drift: OnDrift, *, line_items: bool = True,
) -> tuple[ModuleState, str]:  # fmt: skip
    """Return where a module stands, with its tables made, and what has changed in its fields.

    Args:
        crm: The client.
        sink: The sink, open.
        module: What `describe` says now.
        stored: Where the module stood; None where it was never begun.
        scope: Whose changes the server tells.
        on_drift: What is done when fields have changed.
        line_items: Whether line items are kept.

    Raises:
        SchemaDriftError: They have, and that was not to be.
    """
    table, lines = table_of(module), lines_table_of(module) if line_items else None
    if stored is None:
        state = ModuleState(module.name, "snapshot", table, lines, line_items)
        state = await restarted(crm, module, state, scope)
        await sink.prepare(state, None)
        return state, ""
    found = drift(stored.table, table)
    of_lines = drift(stored.lines, lines) if stored.lines and lines else Drift()
    said = "; ".join([str(found)] * bool(found) + [f"line items: {of_lines}"] * bool(of_lines))
    if said and on_drift == "fail":
        raise SchemaDriftError(f"the fields are others: {said}", module=module.name)
    is_turned_on = lines is not None and not stored.line_items
    state = evolve(stored, lines=stored.lines or lines, line_items=line_items)
    alters_rows = False
    if said and on_drift == "evolve":
        state = evolve(state, table=table, lines=lines or stored.lines)
        alters_rows = found.alters_rows or of_lines.alters_rows
    if alters_rows or is_turned_on:
        # Changes go on from where they stood: what comes of them is newer than what is read now.
        phase = "snapshot" if stored.phase == "deltas" else stored.phase
        state = evolve(state, phase=phase, token=None, rewrite=True)
    if state != stored:
        await sink.prepare(state, stored)
    return state, said


async def restarted(crm: Crm, module: Module, state: ModuleState, scope: SyncScope) -> ModuleState:
    """Return the state in which all records are read, and then the changes from now on."""
    if not is_synced(module):
        return evolve(state, phase="difference", token=None, cursor=None)
    start = await start_of(crm, module)
    cursor = crm.sync(module.name, since=start, scope=scope).cursor
    return evolve(state, phase="snapshot", token=None, cursor=cursor, looked_at=start)
