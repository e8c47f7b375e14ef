"""Where a sink's blocking work is done: in a thread, one thing after the other, to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import anyio
import anyio.to_thread
from attrs import define, field

__all__ = ["Worker"]

_Result = TypeVar("_Result")
_Given = TypeVarTuple("_Given")


@define(eq=False)
class Worker:
    """Runs one function at a time in a thread; what was begun is finished, cancelled or not."""

    _turn: anyio.Lock = field(factory=anyio.Lock, init=False)

    async def run(self, work: Callable[[*_Given], _Result], *given: *_Given) -> _Result:
        """Run a function that blocks, and return what it returns.

        Args:
            work: The function.
            given: Its arguments.
        """
        results: list[_Result] = []
        async with self._turn:
            with anyio.CancelScope(shield=True):
                results.append(await anyio.to_thread.run_sync(work, *given))
        return results[0]
