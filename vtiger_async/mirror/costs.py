"""What the next round of a mirror will cost, told before it is begun."""

from __future__ import annotations

from collections.abc import Mapping

from vtiger_async.errors import ApiError, InvalidArgumentError
from vtiger_async.mirror.beginning import drift_of, is_synced
from vtiger_async.mirror.crm import Crm, SeesAll
from vtiger_async.mirror.metering import counting, listening
from vtiger_async.mirror.options import Options
from vtiger_async.mirror.reports import ModuleReport
from vtiger_async.mirror.states import ModuleState
from vtiger_async.mirror.work import statement_of
from vtiger_async.models.metadata import Module
from vtiger_async.quota.costs import HIDDEN, Cost, cost_of
from vtiger_async.tables import lines_table_of, table_of

__all__ = ["cost_of_round"]


async def cost_of_round(
    crm: Crm, options: Options, states: Mapping[str, ModuleState], sees_all: SeesAll
) -> Cost:
    """Return what a round will cost, for a description and a count(*) of each module.

    Args:
        crm: The client.
        options: How the mirror is kept.
        states: Where the modules stand; what is not there is begun.
        sees_all: Tells whether the user is an administrator.
    """
    asking = ModuleReport("")
    with listening(crm):
        with counting(asking):
            is_restricted = not await sees_all()
        parts = [
            await _cost_of(crm, name, states.get(name), options, is_restricted=is_restricted)
            for name in options.modules
        ]
    records = [part.records for part in parts if part.records is not None]
    return cost_of(
        ", ".join(options.modules),
        (options.administrator is None) + sum(part.calls for part in parts),  # who the user is
        sum(records) if len(records) == len(parts) else None,
        crm.quota.plan,
        spent=asking.calls + sum(part.spent for part in parts),
        note="; ".join(dict.fromkeys(part.note for part in parts if part.note)),
        parts=parts,
    )


async def _cost_of(
    crm: Crm, name: str, state: ModuleState | None, options: Options, *, is_restricted: bool
) -> Cost:
    calls, records, note, spent = 1, None, "", ModuleReport(name)  # a call: its description
    with counting(spent):
        try:
            module = await crm.describe(name)
            reading, is_synced_after = await _reading(crm, module, state, options)
        except ApiError as error:
            note = f"at least: {name} cannot be described or counted: {error}"
        else:
            calls += reading.calls + is_synced_after
            records, note = reading.records, reading.note
            if is_restricted:
                calls += _calls_around(state, records or 0, is_synced_after=is_synced_after)
                if HIDDEN not in note:
                    note = "; ".join(filter(None, (note, HIDDEN)))
            if options.line_items and lines_table_of(module) is not None:
                calls += records or 0  # only `retrieve` has line items
    return cost_of(name, calls, records, crm.quota.plan, spent=spent.calls, note=note)


def _calls_around(state: ModuleState | None, records: int, *, is_synced_after: bool) -> int:
    """Return the calls more of a user to whom the server does not tell all changes.

    An end is proven by a count(*), and behind the changes others' are asked for by query.
    """
    if state is not None and state.phase == "deltas":
        return -(-records // 100) + 2
    return 1 + 2 * is_synced_after


async def _reading(
    crm: Crm, module: Module, state: ModuleState | None, options: Options
) -> tuple[Cost, bool]:
    """Return what it costs to read what the mirror lacks, and whether changes are asked for then.

    Args:
        crm: The client.
        module: What `describe` says now.
        state: Where the module stands; None where it is not begun.
        options: How the mirror is kept.
    """
    statement, token = statement_of(module), None
    if state is not None and not _is_read_again(module, state, options):
        if state.phase == "deltas":
            try:
                return await crm.sync(module.name, since=state.cursor).explain(), False
            except InvalidArgumentError:  # of another version of the package: it is read anew
                pass
        elif state.phase == "snapshot":
            token = state.token
    then_changes = is_synced(module) if state is None else state.phase != "difference"
    try:
        return await crm.query(statement, resume=token).explain(), then_changes
    except InvalidArgumentError:
        return await crm.query(statement).explain(), then_changes


def _is_read_again(module: Module, state: ModuleState, options: Options) -> bool:
    """Tell whether all records are read once more, since the tables are to have other columns."""
    lines = lines_table_of(module) if options.line_items else None
    if lines is not None and not state.line_items:
        return True
    found = drift_of(state, table_of(module), lines)
    return options.drift == "evolve" and any(one.alters_rows for one in found)
