"""The contract between a mirror and the place where it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from attrs import field, frozen

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.states import ModuleState
from vtiger_async.types import RecordId

__all__ = ["Deletes", "Look", "ReadableSink", "Sink"]

Deletes: TypeAlias = Literal["tombstone", "delete"]
"""What becomes of the row of a record that is gone: it is marked, or removed."""


@frozen
class Look:
    """What a sink holds at one moment.

    Attributes:
        instance: The base URL of the CRM; None where nothing was mirrored into it yet.
        states: Where each module stands.
        counts: How many records of each module are there, and how many are marked as gone.
    """

    instance: str | None = None
    states: Mapping[str, ModuleState] = field(factory=dict[str, ModuleState])
    counts: Mapping[str, tuple[int, int]] = field(factory=dict[str, tuple[int, int]])


class Sink(Protocol):
    """Where a mirror is kept: a database, files, or a stream.

    One process writes at a time. What `commit` returned from is there after a crash; what it did
    not return from is there as a whole or not at all.
    """

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        """Open it for writing, and return where each module stands.

        Args:
            instance: The base URL of the CRM, which never changes for a mirror.

        Raises:
            SinkError: It belongs to another instance, another process writes to it, it is of a
                form that this version does not know, or it cannot be opened.
        """
        ...

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        """Make the tables of a module, or change them, and store its state.

        A column that `state` has and `before` has not is added, empty; one of another kind is kept
        under the name `<name>__before`, with a number where that is taken, and added anew; one that
        `state` has not is left as it is. Rows stay.

        Args:
            state: What the tables are to be, and where the module then stands.
            before: What they are; None where there are none.

        Raises:
            TableError: The place cannot hold this module, since something of that name is there
                that the mirror did not make, or it has no such names.
        """
        ...

    async def commit(self, batch: Batch) -> None:
        """Write a batch and its state, as a whole."""
        ...

    async def aclose(self) -> None:
        """Close it; what was committed stays."""
        ...


class ReadableSink(Sink, Protocol):
    """A sink that can say what it holds; only such a one can be reconciled."""

    async def hashes(self, module: str, ids: Sequence[RecordId]) -> Mapping[RecordId, str]:
        """Return the `_hash` of each of these records that is there and not gone."""
        ...

    async def count(self, module: str, above: int, up_to: int) -> int:
        """Return how many records are there, and not gone, with a number in `(above, up_to]`."""
        ...

    async def highest(self, module: str) -> int:
        """Return the highest number of a record that is there and not gone, 0 where none is."""
        ...

    async def ids(
        self, module: str, above: int, up_to: int, most: int
    ) -> Sequence[tuple[RecordId, str]]:
        """Return the ids and hashes of the records with a number in `(above, up_to]`, in order.

        Args:
            module: The module.
            above: The number before the first.
            up_to: The last number.
            most: The most that are returned.
        """
        ...

    async def look(self) -> Look:
        """Return what it holds; it need not be open.

        Where the store can be read while another process writes to it, that is done.

        Raises:
            SinkError: It cannot be read.
        """
        ...
