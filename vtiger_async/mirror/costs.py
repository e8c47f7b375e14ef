"""What the next round of a mirror will cost, told before it is begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vtiger_async.errors import ApiError, InvalidArgumentError
from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.states import ModuleState
from vtiger_async.quota.costs import Cost, cost_of
from vtiger_async.types import LINE_MODULES
from vtiger_async.vtql import select

__all__ = ["cost_of_round"]


async def cost_of_round(
    crm: Crm,
    modules: Sequence[str],
    states: Mapping[str, ModuleState],
    *,
    line_items: bool = True,
) -> Cost:
    """Return what a round will cost, for a count(*) of each module.

    Args:
        crm: The client.
        modules: The modules.
        states: Where they stand; what is not there is begun.
        line_items: Whether documents are retrieved for their line items.
    """
    parts = [
        await _cost_of(crm, module, states.get(module), line_items=line_items) for module in modules
    ]
    records = [part.records for part in parts if part.records is not None]
    return cost_of(
        ", ".join(modules),
        1 + sum(part.calls for part in parts),  # who the user is, once
        sum(records) if len(records) == len(parts) else None,
        crm.quota.plan,
        spent=sum(part.spent for part in parts),
        note="; ".join(dict.fromkeys(part.note for part in parts if part.note)),
        parts=parts,
    )


async def _cost_of(crm: Crm, module: str, state: ModuleState | None, *, line_items: bool) -> Cost:
    has_lines = line_items and module in LINE_MODULES
    if state is not None and has_lines and not state.line_items:
        state = None  # they are wanted from now on, so all of it is read again
    try:
        found = await _reading(crm, module, state)
    except ApiError as error:
        note = f"at least: {module} cannot be counted: {error}"
        return cost_of(module, 2, None, crm.quota.plan, spent=1, note=note)
    # Its description; and behind a snapshot the changes, once.
    calls = found.calls + 1 + (state is None or state.phase == "snapshot")
    if has_lines:
        calls += found.records or 0  # only `retrieve` has line items
    return cost_of(module, calls, found.records, crm.quota.plan, spent=found.spent, note=found.note)


async def _reading(crm: Crm, module: str, state: ModuleState | None) -> Cost:
    """Return what it costs to read what the mirror does not have yet."""
    if state is not None and state.phase == "deltas":
        try:
            return await crm.sync(module, since=state.cursor).explain()
        except InvalidArgumentError:  # of another version of the package: it is read anew
            return await crm.query(select(module)).explain()
    token = None if state is None or state.phase != "snapshot" else state.token
    try:
        return await crm.query(select(module), resume=token).explain()
    except InvalidArgumentError:
        return await crm.query(select(module)).explain()
