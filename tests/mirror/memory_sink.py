"""A sink by the book that keeps a mirror in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio.lowlevel
from attrs import define, field
from kept import Model
from mirrored import CutError

from vtiger_async.mirror import Batch, Deletes, Look, ModuleState
from vtiger_async.types import RecordId


@define
class Store:
    """What a `MemorySink` has committed: it outlives the sink, as a file does.

    Attributes:
        instance: Whose mirror it is.
        models: What it holds, by module.
        steps: How many steps a process takes before its end is likely: see `histories.Place`.
    """

    instance: str | None = None
    models: dict[str, Model] = field(factory=dict[str, Model])
    steps: int = 16

    def begin(self, deletes: Deletes, end_at: int | None = None) -> MemorySink:
        """Return the sink of another process."""
        return MemorySink(self, deletes, end_at)

    def cut(self) -> None:
        """Do nothing: what a process had begun here is not there."""

    def ended(self) -> None:
        """Do nothing: a commit is one step."""

    def kept(self, module: str) -> Model:
        """Return what is there of a module."""
        return self.models[module]


class MemorySink:
    """A sink by the book that keeps a mirror in memory, and can end the process at any commit.

    Args:
        store: What was committed before.
        deletes: What becomes of rows of what is gone.
        end_at: The step at which the process ends; commits have two, before and behind them.
    """

    def __init__(self, store: Store, deletes: Deletes, end_at: int | None = None) -> None:
        self.store = store
        self.deletes: Deletes = deletes
        self._left = -1 if end_at is None else end_at

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise CutError

    def _states(self) -> dict[str, ModuleState]:
        return {name: one.state for name, one in self.store.models.items() if one.state is not None}

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        assert self.store.instance in (None, instance)
        self.store.instance = instance
        return self._states()

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        assert before == self._states().get(state.module)
        self._step()
        model = self.store.models.setdefault(state.module, Model(self.deletes))
        model.commit(Batch(state))
        self._step()

    async def commit(self, batch: Batch) -> None:
        await anyio.lowlevel.checkpoint()
        self._step()
        assert len({one.id for one in batch.upserts}) == len(batch.upserts)
        self.store.models[batch.state.module].commit(batch)
        self._step()
        await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        pass

    def _within(self, module: str, above: int, up_to: int) -> list[tuple[int, str, str]]:
        return sorted(
            (cells["_number"], rid, cells["_hash"])
            for rid, cells in self.store.models[module].rows.items()
            if cells["_deleted_at"] is None and above < cells["_number"] <= up_to
        )

    async def hashes(self, module: str, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        rows = self.store.models[module].rows
        return {
            rid: rows[rid]["_hash"]
            for rid in ids
            if rid in rows and rows[rid]["_deleted_at"] is None
        }

    async def count(self, module: str, above: int, up_to: int) -> int:
        return len(self._within(module, above, up_to))

    async def highest(self, module: str) -> int:
        return max((one[0] for one in self._within(module, 0, 2**62)), default=0)

    async def ids(
        self, module: str, above: int, up_to: int, most: int
    ) -> Sequence[tuple[RecordId, str]]:
        return [(RecordId(rid), mark) for _, rid, mark in self._within(module, above, up_to)[:most]]

    async def look(self) -> Look:
        return Look(self.store.instance, self._states(), {})
