"""The end of planning: what rows refer to is made by another row, or is missing after all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import get_args

from anyio.to_thread import run_sync
from attrs import define

from vtiger_async.bulk.deciding import LAST_TURN
from vtiger_async.bulk.extras import Extras
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.pending import OWNERS, Pending
from vtiger_async.bulk.preparing import Prepared
from vtiger_async.bulk.steps import State, Step
from vtiger_async.problems import shortened

__all__ = ["settle_links"]

_CHANGED = ("state", "action", "reason", "waits", "stored")


async def settle_links(
    journal: Journal, loads: Sequence[Prepared], extras: Extras, turn: int
) -> None:
    """Look whether the rows are there to which others refer, now that all are planned.

    A row whose reference is missing is rejected, unless its column says otherwise. That may leave
    another row without what it refers to, so it is looked at again until nothing changes.

    Args:
        journal: The job's journal.
        loads: The job's loads.
        extras: Plans records that are missing.
        turn: The turn for those.
    """
    settling = _Settling(journal, loads, extras, turn)
    while await settling.once():
        pass
    await settling.forget()


@define(eq=False)
class _Settling:
    journal: Journal
    loads: Sequence[Prepared]
    extras: Extras
    turn: int

    async def once(self) -> bool:
        """Look at every link; return whether one changed."""
        after, is_changed = 0, False
        while links := await run_sync(self._page, after):
            after = links[-1].id
            made = await self._made(links)
            changed: list[Step] = []
            for link in links:
                changed += await self._settled(link, made)
            new = self.extras.taken()
            if new:
                await run_sync(self.journal.add, new)
            if changed:
                await run_sync(self.journal.write, changed, _CHANGED)
                is_changed = True
        return is_changed

    async def forget(self) -> None:
        """Drop the texts by which the records were called: a step keeps what is stored there."""
        after = 0
        while links := await run_sync(self._page, after):
            after = links[-1].id
            for link in links:
                link.stored = {}
            await run_sync(self.journal.write, links, ("stored",))

    def _page(self, after: int) -> list[Step]:
        return self.journal.steps(("planned",), turn=LAST_TURN, after=after)

    async def _made(self, links: Sequence[Step]) -> set[tuple[int, str]]:
        keys: defaultdict[int, set[str]] = defaultdict(set)
        for link in links:
            for load, key in link.waits.values():
                keys[load].add(key)
        made: set[tuple[int, str]] = set()
        for load, some in keys.items():
            found = await run_sync(self.journal.with_keys, load, sorted(some))
            made.update((load, key) for key in found)
        return made

    async def _settled(self, link: Step, made: set[tuple[int, str]]) -> list[Step]:
        """Return the steps that are changed, since something is missing."""
        states = get_args(State)
        pages = await run_sync(lambda: self.journal.steps(states, after=link.id - 2, limit=1))
        main = pages[0]  # they were added together
        if main.state in ("skipped", "rejected"):
            link.state, link.reason = "skipped", list(main.reason)
            return [link]
        missing = [name for name, wanted in link.waits.items() if wanted not in made]
        faults: list[str] = []
        for name in missing:
            fault = await self._missing(link, name)
            if fault:
                faults.append(fault)
        if faults:
            link.state, main.state = "skipped", "rejected"
            main.action, main.reason = "none", faults
            link.reason = [f"row {link.row} is rejected"]
            return [main, link]
        if not link.waits:
            link.state = "skipped"
            link.reason = ["what it refers to is missing, and left empty"]
        return [link] if missing else []

    async def _missing(self, link: Step, name: str) -> str:
        """Leave a reference out, or have its record created; return what is wrong otherwise."""
        prepared = self.loads[link.load]
        columns = prepared.mapping.columns.items()
        header, column = next((h, c) for h, c in columns if c is not None and c.field == name)
        how = column.missing or prepared.load.missing
        text = str(link.stored[name])
        what = "no record has it, and no row makes one"
        if how == "empty":
            del link.waits[name]
            return ""
        if how == "create":
            targets = (column.to,) if column.to else prepared.module.fields[name].type.refers_to
            modules = tuple(one for one in targets if one not in OWNERS)
            pending = Pending(name, text, modules, column.by, "create", "reject", header)
            extra = await self.extras.add(pending, prepared.owner, self.turn)
            if not isinstance(extra, str):
                link.waits[name] = extra
                return ""
            what = f"{what}, and {extra}"
        return f"{name}: column {header!r}: {shortened(text)}: {what}"
