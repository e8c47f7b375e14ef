"""Where a stream keeps how far it is: the contract, and a store in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import define, field

from vtiger_async.streams.errors import CursorStoreError

__all__ = ["CursorStore", "MemoryCursors", "checked_instance"]


class CursorStore(Protocol):
    """Where the positions of a stream are kept: a file, or a database of yours.

    A position is a short text that means something to the stream alone. What `commit` returned from
    should be there after a crash; if it is not, changes are given again, and none is lost.
    """

    async def open(self, instance: str) -> Mapping[str, str]:
        """Return the position of each module; an empty mapping at the first start.

        Args:
            instance: The base URL of the CRM. Positions of another one mean nothing there, so a
                store that has some should raise an error.
        """
        ...

    async def commit(self, positions: Mapping[str, str]) -> None:
        """Keep the positions of some modules; the other modules' stay.

        Args:
            positions: The position of each module that has moved. One may come a second time.
        """
        ...

    async def aclose(self) -> None:
        """Release it, so that another stream can open it."""
        ...


@define(eq=False)
class MemoryCursors:
    """Keeps positions as long as the object lives: for tests, and for jobs that begin anew.

    Attributes:
        positions: The position of each module.
    """

    positions: dict[str, str] = field(factory=dict[str, str])
    _instance: str | None = field(default=None, init=False, repr=False)

    async def open(self, instance: str) -> Mapping[str, str]:
        """Return the position of each module.

        Raises:
            CursorStoreError: It belongs to another instance.
        """
        checked_instance(self._instance, instance, "these cursors")
        self._instance = instance
        return dict(self.positions)

    async def commit(self, positions: Mapping[str, str]) -> None:
        """Keep positions."""
        self.positions.update(positions)

    async def aclose(self) -> None:
        """Do nothing: whoever has the object may open it again."""


def checked_instance(known: str | None, instance: str, store: str) -> None:
    """Refuse a store that belongs to another instance.

    Args:
        known: The instance that it belongs to; None where it is new.
        instance: The one that it is opened for.
        store: What it is called in the message.

    Raises:
        CursorStoreError: They differ.
    """
    if known not in (None, instance):
        raise CursorStoreError(
            f"{store} belong to {known}, not to {instance}: give each instance a store of its own"
        )
