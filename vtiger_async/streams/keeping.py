"""The modules of a stream, and how their positions come into the store."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
from attrs import define, evolve, field, frozen

from vtiger_async.errors import VtigerError
from vtiger_async.streams.cursors import CursorStore
from vtiger_async.streams.lanes import Entry, Lane
from vtiger_async.streams.looking import Looks
from vtiger_async.streams.starting import Start

__all__ = ["Keeping", "ModuleProgress", "Source"]


@frozen
class ModuleProgress:
    """How far a stream is in one module.

    Attributes:
        module: The module.
        is_at_head: Whether the last look has shown that the server has no more.
        unacknowledged: How many changes stand beyond the stored position.
        looked_at: When the last look began (aware UTC); None before the first.
        error: Why the last look failed; None where it did not.
    """

    module: str
    is_at_head: bool
    unacknowledged: int
    looked_at: datetime | None
    error: VtigerError | None


@define(eq=False)
class Source:
    """One module of a stream.

    Attributes:
        looks: What asks the server.
        lane: What was given, and what is acknowledged.
        start: Where it began, and whose records it tells of.
        kept: The position that is stored.
    """

    looks: Looks
    lane: Lane
    start: Start
    kept: str

    @property
    def position(self) -> str:
        """The position up to which all is acknowledged."""
        return evolve(self.start, cursor=self.lane.position).position

    @property
    def progress(self) -> ModuleProgress:
        """How far the stream is in this module."""
        looks, at = self.looks, self.looks.looked_at
        moment = None if at is None else datetime.fromtimestamp(at, UTC)
        return ModuleProgress(
            looks.module, looks.is_at_head, self.lane.unacknowledged, moment, looks.error
        )

    def position_after(self, entry: Entry) -> str:
        """Return the position after a change, all before which are acknowledged."""
        return evolve(self.start, cursor=self.lane.cursor_after(entry)).position


@define(eq=False)
class Keeping:
    """Writes positions that have moved; tasks that acknowledge at once share one commit.

    Attributes:
        store: Where they are kept.
        sources: The modules.
        is_closed: Whether the store is closed.
    """

    store: CursorStore
    sources: dict[str, Source] = field(factory=dict[str, Source], init=False)
    is_closed: bool = field(default=False, init=False)
    _moved: set[str] = field(factory=set[str], init=False)
    _one_writer: anyio.Lock = field(factory=anyio.Lock, init=False)

    def note(self, module: str) -> None:
        """Take note that a module's position has moved."""
        self._moved.add(module)

    async def write(self) -> None:
        """Return when every position is stored that had moved before.

        Where that fails, the next write tries it again.
        """
        # Who comes while another writes waits: what it was about may be in that commit, or not.
        async with self._one_writer:
            moved, self._moved = self._moved, set()
            found = {name: self.sources[name].position for name in sorted(moved)}
            news = {name: at for name, at in found.items() if at != self.sources[name].kept}
            if not news:
                return
            try:
                with anyio.CancelScope(shield=True):
                    await self.store.commit(news)
            except BaseException:
                self._moved |= moved
                raise
            for name, position in news.items():
                self.sources[name].kept = position

    async def close(self) -> None:
        """Close the store, once, and not in the midst of a commit."""
        if not self.is_closed:
            self.is_closed = True
            with anyio.CancelScope(shield=True):
                async with self._one_writer:
                    await self.store.aclose()
