"""How the work on a module begins: its table, where changes start, and what has drifted."""

from __future__ import annotations

from calendar import timegm
from time import strptime
from typing import Final

from attrs import evolve

from vtiger_async.clock import Clock
from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.errors import SchemaDriftError
from vtiger_async.mirror.options import Options
from vtiger_async.mirror.sink import Sink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.models.metadata import Module
from vtiger_async.tables import Drift, Table, drift, lines_table_of, table_of
from vtiger_async.types import SyncScope, is_list, is_map
from vtiger_async.vtql import select

__all__ = ["MARGIN", "begun", "drift_of", "is_synced", "now_by_server", "seconds_of", "start_of"]

MARGIN: Final = 60.0
"""Seconds before the server's time that changes are read from: a write that took long to commit
carries an earlier time than the moment it appears."""


def is_synced(module: Module) -> bool:
    """Tell whether the server tells the changes of a module.

    Of users it tells none, and what are no entities it refuses (measured on Vtiger 8.4).
    """
    return module.is_entity and module.name != "Users"


def now_by_server(crm: Crm, clock: Clock) -> float | None:
    """Return the server's time (Unix seconds) of its last answer; None where no answer told it.

    A proxy's clock may write the header Date, and be ahead of the one by which records are
    stamped: what is written by that other clock in between would be taken for read. So it is
    never later than this machine's clock: of two clocks, one that is wrong costs calls, and no
    change.
    """
    told = crm.server_time
    return None if told is None else min(told.timestamp(), clock.time())


async def start_of(crm: Crm, clock: Clock, module: Module) -> float | None:
    """Return a moment (Unix seconds) before which everything written can be seen now.

    It is the server's own time of an answer that is here already, or where no answer told that, the
    time of the newest record, for a call; less a margin. None: from the beginning.
    """
    now = now_by_server(crm, clock)
    if now is not None:
        return now - MARGIN
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


def drift_of(stored: ModuleState, table: Table, lines: Table | None) -> tuple[Drift, Drift]:
    """Return what has changed in the fields of a module, and in those of its line items.

    Args:
        stored: Where the module stands.
        table: The table by the present description.
        lines: That of its line items, where they are wanted.
    """
    of_lines = drift(stored.lines, lines) if stored.lines and lines else Drift()
    return drift(stored.table, table), of_lines


async def begun(
    crm: Crm, sink: Sink, clock: Clock, module: Module, stored: ModuleState | None,
    scope: SyncScope, options: Options,
) -> tuple[ModuleState, str]:  # fmt: skip
    """Return where a module stands, with its tables made, and what has changed in its fields.

    Args:
        crm: The client.
        sink: The sink, open.
        clock: The time.
        module: What `describe` says now.
        stored: Where the module stood; None where it was never begun.
        scope: Whose changes the server tells.
        options: How the mirror is kept.

    Raises:
        SchemaDriftError: Fields have changed, and that was not to be.
    """
    table, lines = table_of(module), lines_table_of(module) if options.line_items else None
    if stored is None:
        state = ModuleState(module.name, "snapshot", table, lines, options.line_items)
        state = await restarted(crm, clock, module, state, scope)
        await sink.prepare(state, None)
        return state, ""
    state = _with_own_columns(stored, table, lines)
    is_mended = state != stored
    found, of_lines = drift_of(state, table, lines)
    said = "; ".join([str(found)] * bool(found) + [f"line items: {of_lines}"] * bool(of_lines))
    if said and options.drift == "fail":
        raise SchemaDriftError(
            f"its fields are others than those of the table ({said}): drift='evolve' lets the "
            "table follow, 'freeze' leaves it as it is",
            module=module.name,
        )
    is_turned_on = lines is not None and not stored.line_items
    state = evolve(state, lines=state.lines or lines, line_items=options.line_items)
    alters_rows = is_mended
    if said and options.drift == "evolve":
        state = evolve(state, table=table, lines=lines or stored.lines)
        alters_rows = alters_rows or found.alters_rows or of_lines.alters_rows
    if alters_rows or is_turned_on:
        # Changes go on from where they stood: what comes of them is newer than what is read now.
        phase = "snapshot" if stored.phase == "deltas" else stored.phase
        state = evolve(state, phase=phase, token=None, rewrite=True)
    if state != stored:
        await sink.prepare(state, stored)
    return state, said


def _with_own_columns(state: ModuleState, table: Table, lines: Table | None) -> ModuleState:
    """Return a state whose tables have the package's own columns, if somebody has dropped some."""

    def whole(kept: Table, now: Table) -> Table:
        there = {column.name for column in kept.columns}
        own = [one for one in now.columns if one.name.startswith("_") and one.name not in there]
        return evolve(kept, columns=(*kept.columns, *own)) if own else kept

    of_lines = whole(state.lines, lines) if state.lines and lines else state.lines
    return evolve(state, table=whole(state.table, table), lines=of_lines)


async def restarted(
    crm: Crm, clock: Clock, module: Module, state: ModuleState, scope: SyncScope
) -> ModuleState:
    """Return the state in which all records are read, and then the changes from now on."""
    if not is_synced(module):
        return evolve(state, phase="difference", token=None, cursor=None)
    start = await start_of(crm, clock, module)
    cursor = crm.sync(module.name, since=start, scope=scope).cursor
    return evolve(state, phase="snapshot", token=None, cursor=cursor, looked_at=start)
