"""Where a mirror is kept for real, what it is to hold there, and what a kill leaves of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

from attrs import define, field
from kept import Held, Model, plain
from mirrored import CutError

from vtiger_async.mirror import Batch, Deletes, ModuleState, SinkError, sink_of
from vtiger_async.mirror.sink import ReadableSink
from vtiger_async.tables import Table
from vtiger_async.types import RecordId


@define(eq=False)
class Place:
    """Where a mirror is kept: it outlives the processes that write to it, and those are killed.

    A process that is killed leaves the files that are there at that moment, and a connection that
    is cut; the sink that it had goes on in vain, in files that nobody looks at any more.

    Attributes:
        folder: The files, if it is kept in files.
        deletes: What becomes of rows of what is gone.
        models: What was committed for certain, by module.
        begun: What was being committed, by module: it is there as a whole, or not at all.
        is_running: Whether a process writes to it.
        is_cut: Whether that was killed.
        left: How many steps it takes before it is killed; None: to its end.
        steps: How many steps a process takes before its end is likely.
    """

    folder: Path
    deletes: Deletes = "tombstone"
    models: dict[str, Model] = field(factory=dict[str, Model])
    begun: dict[str, Batch] = field(factory=dict[str, Batch])
    is_running: bool = False
    is_cut: bool = False
    left: int | None = None
    steps: int = 60

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir()

    @property
    def url(self) -> str:
        """The URL of the sink."""
        raise NotImplementedError

    def make(self) -> Any:
        """Return the sink, not opened yet."""
        return sink_of(self.url, self.deletes)

    def reading(self) -> AbstractContextManager[object]:
        """Return what makes it faster to read several tables."""
        return nullcontext()

    def states(self) -> Mapping[str, str]:
        """Return the states that are kept, read without a sink."""
        raise NotImplementedError

    def rows(self, of: Table) -> Held:
        """Return the rows of a table, read without a sink."""
        raise NotImplementedError

    def is_written(self, path: str) -> bool:
        """Tell whether a file is one in which the process keeps the mirror."""
        inside = path.startswith(str(self.folder)) and not path.endswith(".lock")
        return self.is_running and inside

    def told(self, by: Any) -> None:
        """Take note of a step of the process, and let it end there if its time has come.

        Args:
            by: The connection that takes the step, or the number of a file.
        """
        if self.is_running:
            self.step()
            if self.is_cut:
                raise CutError

    def step(self) -> None:
        """Count a step, and kill the process before it if its time has come."""
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.cut()

    def cut(self) -> None:
        """Kill the process: keep the files as they are now."""
        if not self.is_cut:
            self.is_cut = True
            kept = self.folder.with_name(f"{self.folder.name}+")
            shutil.copytree(self.folder, kept)
            self.folder = kept

    def begin(self, deletes: Deletes, end_at: int | None = None) -> Watched:
        """Return the sink of another process.

        Args:
            deletes: What becomes of rows of what is gone.
            end_at: The step at which it is killed.
        """
        self.deletes, self.left = deletes, end_at
        self.is_running, self.is_cut = True, False
        return Watched(self.make(), self)

    def ended(self) -> None:
        """Hold what a process has left against what it was given."""
        self.is_running = False
        with self.reading():
            states = {name: ModuleState.of_text(text) for name, text in self.states().items()}
            assert states.keys() >= self.models.keys()
            for module, state in states.items():
                found, before = self.kept(module, state), self.models.get(module)
                if before is None or not same(before, found):
                    after = deepcopy(before) or Model(self.deletes)
                    assert module in self.begun, f"{module}: not what was committed"
                    after.commit(self.begun[module])
                    assert same(after, found), f"{module}: neither before nor after a commit"
                    self.models[module] = after
        self.begun.clear()

    def kept(self, module: str, state: ModuleState | None = None) -> Model:
        """Return what is there of a module, read without a sink."""
        found = Model(self.deletes)
        found.state = state or ModuleState.of_text(self.states()[module])
        found.rows = self.rows(found.state.table)
        found.lines = Held() if found.state.lines is None else self.rows(found.state.lines)
        return found

    def clear(self) -> None:
        """Remove it."""
        for one in self.folder.parent.glob(f"{self.folder.name.rstrip('+')}*"):
            shutil.rmtree(one)


def same(one: Model, other: Model) -> bool:
    """Tell whether both hold the same, value by value."""
    state = one.state
    if state is None or state != other.state:
        return False
    pairs = [(state.table, one.rows, other.rows)]
    if state.lines is not None:
        pairs.append((state.lines, one.lines, other.lines))
    return all(
        held.keys() == found.keys()
        and all(plain(held[key], of) == plain(found[key], of) for key in held)
        for of, held, found in pairs
    )


@define(eq=False)
class Watched:
    """A sink whose place takes note of what was given to it.

    Attributes:
        sink: The sink.
        place: The place.
    """

    sink: ReadableSink
    place: Place

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        try:
            states = await self.sink.open(instance)
        except SinkError:
            self._of_a_kill()
            raise
        assert states == {name: one.state for name, one in self.place.models.items()}
        return states

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        await self._given(Batch(state), self.sink.prepare(state, before))

    async def commit(self, batch: Batch) -> None:
        await self._given(batch, self.sink.commit(batch))

    async def _given(self, batch: Batch, work: Any) -> None:
        place, module = self.place, batch.state.module
        if place.is_cut:  # what was read is not written any more
            work.close()
            raise CutError
        place.begun[module] = batch
        try:
            await work
        except SinkError:
            self._of_a_kill()
            raise
        if not place.is_cut:
            place.models.setdefault(module, Model(place.deletes)).commit(batch)
            del place.begun[module]

    def _of_a_kill(self) -> None:
        """Take an error that comes of a kill for the kill."""
        if self.place.is_cut:
            raise CutError

    async def aclose(self) -> None:
        await self.sink.aclose()

    async def hashes(self, module: str, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        return await self._asked(self.sink.hashes(module, ids))

    async def count(self, module: str, above: int, up_to: int) -> int:
        return await self._asked(self.sink.count(module, above, up_to))

    async def highest(self, module: str) -> int:
        return await self._asked(self.sink.highest(module))

    async def ids(
        self, module: str, above: int, up_to: int, most: int
    ) -> Sequence[tuple[RecordId, str]]:
        return await self._asked(self.sink.ids(module, above, up_to, most))

    async def _asked(self, work: Any) -> Any:
        try:
            return await work
        except SinkError:
            self._of_a_kill()
            raise
