"""One module brought up to date: described, snapshot, changes or difference, reconciliation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import evolve

from vtiger_async.clock import Clock
from vtiger_async.errors import AccessDeniedError, ServerError, UnsupportedOperationError
from vtiger_async.mirror.beginning import begun
from vtiger_async.mirror.comparing import difference
from vtiger_async.mirror.crm import Crm
from vtiger_async.mirror.events import Drifted, MirrorEvent
from vtiger_async.mirror.options import Options
from vtiger_async.mirror.reading import deltas, look_around, snapshot
from vtiger_async.mirror.reconciling import reconcile
from vtiger_async.mirror.reports import ModuleReport
from vtiger_async.mirror.sink import Sink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.mirror.work import Work
from vtiger_async.tables import RowMaker
from vtiger_async.types import SyncScope

__all__ = ["bring_up"]

_NOT_SYNCED: Final = (AccessDeniedError, UnsupportedOperationError)


async def bring_up(
    crm: Crm,
    sink: Sink,
    clock: Clock,
    name: str,
    states: dict[str, ModuleState],
    report: ModuleReport,
    options: Options,
    *,
    scope: SyncScope,
    a_day: float,
    tell: Callable[[MirrorEvent], object],
) -> None:
    """Bring one module up to date.

    Args:
        crm: The client.
        sink: The sink, open.
        clock: The time.
        name: The module.
        states: Where modules stand; the module's is kept true, also where this fails.
        report: What came of it so far.
        options: How the mirror is kept.
        scope: Whose changes the server tells.
        a_day: The calls a day for reconciliation.
        tell: Is called with each event.

    Raises:
        VtigerError: It could not be done to the end.
    """
    stored = states.get(name)
    # A description that was kept may be older than the server's time that is wanted for a start.
    module = await crm.describe(name, refresh=stored is None)
    state, report.drift = await begun(crm, sink, clock, module, stored, scope, options)
    states[name] = state
    rows = RowMaker(state.table, module, state.lines)
    work = Work(crm, sink, clock, module, state, scope, report, tell, rows)
    if report.drift:
        tell(Drifted(work.now(), name, report.drift))
    try:
        await _read(work, options)
        await work.settle()
        await work.commit(work.at_head())
        await reconcile(work, a_day)
    finally:
        states[name] = work.state


async def _read(work: Work, options: Options) -> None:
    if work.state.phase == "snapshot":
        await snapshot(work)
    if work.state.phase == "deltas":
        try:
            await deltas(work)
            await look_around(work)
        except (*_NOT_SYNCED, ServerError) as error:
            # Who was said to be an administrator, and is none, is refused, too.
            is_doubtful = options.administrator is True and isinstance(error, AccessDeniedError)
            if is_doubtful or not _is_refused_for_good(work.state, error):
                raise
            await work.commit(evolve(work.state, phase="difference"))
    if work.state.phase == "difference":
        await difference(work)


def _is_refused_for_good(state: ModuleState, error: Exception) -> bool:
    """Tell whether the server does not sync a module at all.

    Open-source Vtiger fails at some modules that it describes like others (measured on 8.4: Emails,
    HTTP 500): twice in a row, and nothing ever before, is taken for that.
    """
    if state.synced_at is not None:
        return False
    return isinstance(error, _NOT_SYNCED) or state.error is not None
