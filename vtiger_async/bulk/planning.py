"""Planning: each row is read once, and what is to be done for it goes into the journal."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import anyio
import attrs
from anyio.to_thread import run_sync
from attrs import define, field

from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.deciding import Decisions
from vtiger_async.bulk.drafting import Drafts
from vtiger_async.bulk.extras import Extras
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.links import settle_links
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.pages import Pages
from vtiger_async.bulk.preparing import Prepared, prepare
from vtiger_async.bulk.references import References
from vtiger_async.bulk.resolving import Parents, Resolver
from vtiger_async.bulk.window import Window
from vtiger_async.clock import Clock
from vtiger_async.quota.events import Granted

__all__ = ["plan_job"]

_PATIENCE: Final = 2 * 3600.0
"""Seconds that a call of planning waits for the quota: an hour's window, and not a day's."""


async def plan_job(
    crm: Crm,
    clock: Clock,
    loads: Sequence[Load],
    journal: Journal,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Read the input, and write what is to be done for each row into the journal.

    Nothing is written to the CRM. Calls are spent on a description for each module, on a hundred
    keys or references each, and on a document each whose lines are to be compared. The memory that
    it takes does not grow with the rows.

    Args:
        crm: The client.
        clock: Tells when it was planned.
        loads: What is to be loaded; parents before children, whatever their order here.
        journal: A new journal. It is left in the state "planned".
        progress: Called with the number of rows read so far.

    Raises:
        MappingError: A load does not fit its module, or the user does not see one that it needs.
        SourceError: The input cannot be read.
        JournalError: The journal cannot be written.
        VtigerError: A call failed; the journal is of no use, and can be deleted.
    """
    view = crm.with_options(priority="bulk", max_wait=_PATIENCE)
    with _counted(view) as spent:
        planning = _Planning(view, journal, progress)
        try:
            await planning.prepare(loads)
            await planning.run()
        finally:
            with anyio.CancelScope(shield=True):
                for prepared in planning.prepared:
                    await prepared.rows.aclose()
    facts: dict[str, Any] = {
        "loads": [attrs.asdict(info) for info in planning.extras.infos],
        "unmapped": [dict(prepared.mapping.reasons) for prepared in planning.prepared],
        "rows": planning.rows,
        "calls": spent[0],
        "planned_at": clock.time(),
        "state": "planned",
    }
    await run_sync(lambda: journal.keep(**facts))


@contextmanager
def _counted(crm: Crm) -> Generator[list[int]]:
    """Count the calls of the bulk class that are made meanwhile, repeats among them."""
    spent = [0]

    def listen(event: object) -> None:
        if isinstance(event, Granted) and event.priority == "bulk":
            spent[0] += 1

    stop = crm.subscribe(listen)
    try:
        yield spent
    finally:
        stop()


@define(eq=False)
class _Planning:
    """One job, while it is planned.

    Attributes:
        crm: The client's view.
        journal: The job's journal.
        progress: Called with the number of rows.
        prepared: The loads, in the order in which they were given.
        rows: Rows that were read.
        turn: The last turn that a step has.
        pages: Reads for all lookups.
        references: Finds records by their names.
        extras: Plans records that are created since they are missing.
    """

    crm: Crm
    journal: Journal
    progress: Callable[[int], object] | None
    prepared: list[Prepared] = field(factory=list[Prepared], init=False)
    rows: int = field(default=0, init=False)
    turn: int = field(default=-1, init=False)
    pages: Pages = field(init=False)
    references: References = field(init=False)
    extras: Extras = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.pages = Pages(self.crm)
        self.references = References(self.crm, self.pages)
        self.extras = Extras(self.journal, [], self.references)

    async def prepare(self, loads: Sequence[Load]) -> None:
        """Settle what can be settled before a row is read."""
        for index, load in enumerate(loads):
            one = await prepare(self.crm, load, index, self.references, self.pages)
            self.prepared.append(one)
        self.extras.infos.extend(one.info for one in self.prepared)

    async def run(self) -> None:
        """Plan the loads, those of parents first."""
        parents = Parents(self.prepared, set())
        resolver = Resolver(self.references, self.extras, parents, self.journal)
        job = str(await run_sync(self.journal.fact, "job"))
        for prepared in _ordered(self.prepared):
            await self._plan(prepared, resolver, job)
            parents.planned.add(prepared.index)
        await settle_links(self.journal, self.prepared, self.extras, self.turn + 1)

    async def _plan(self, prepared: Prepared, resolver: Resolver, job: str) -> None:
        extra_turn = self.turn + 1
        drafts = Drafts(prepared, resolver, job, extra_turn)
        earlier = [one.index for one in self.prepared if _is_same_kind(one, prepared)]
        decisions = Decisions(self.crm, prepared, extra_turn + 1)
        window = Window(decisions, self.journal, self.extras, earlier)
        before = self.rows
        while taken := await drafts.take(window.room):
            await window.add(taken)
            if not window.room:
                await window.close()
                self.rows = before + drafts.read
                if self.progress is not None:
                    self.progress(self.rows)
        await window.close()
        self.rows = before + drafts.read
        if self.progress is not None:
            self.progress(self.rows)
        self.turn = window.last_turn


def _is_same_kind(one: Prepared, other: Prepared) -> bool:
    """Tell whether rows of two loads with one key are the same record."""
    return one.module.name == other.module.name and one.load.key == other.load.key


def _ordered(loads: Sequence[Prepared]) -> list[Prepared]:
    """Return the loads with parents first; a circle is begun where it comes first."""
    left, ordered = list(loads), list[Prepared]()
    while left:
        free = [
            one
            for one in left
            if not any(
                other.module.name in one.targets and other.module.name != one.module.name
                for other in left
            )
        ]
        # Two loads of one module stay in their order.
        first = (free or left)[0]
        left.remove(first)
        ordered.append(first)
    return ordered
