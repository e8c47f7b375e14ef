"""Group commit: what many tasks have to write becomes one transaction, in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
from attrs import define, field

from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.steps import Step

__all__ = ["Commits"]


@define(eq=False)
class _Group:
    """What goes into one transaction."""

    steps: list[Step] = field(factory=list[Step])
    written: anyio.Event = field(factory=anyio.Event)
    error: BaseException | None = None


@define(eq=False)
class Commits:
    """Writes steps to a journal, those of many tasks in one transaction.

    A commit waits for the disk, a few milliseconds; eight tasks that wait for one commit cost as
    much as one. The first that comes writes for all that came meanwhile.

    Attributes:
        journal: Where to.
        facts: Returns the facts of the job that are kept with each transaction.
    """

    journal: Journal
    facts: Callable[[], Mapping[str, Any] | None] = lambda: None
    _next: _Group = field(factory=_Group, init=False)
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False)

    async def write(self, steps: Sequence[Step]) -> None:
        """Write steps; when this returns, they are durable.

        It is not interrupted by cancellation once it has begun to write.

        Raises:
            JournalError: Nothing of them was written.
        """
        group = self._next
        group.steps.extend(steps)
        async with self._lock:
            if group is self._next:  # nobody has written it yet
                self._next = _Group()
                with anyio.CancelScope(shield=True):
                    try:
                        await anyio.to_thread.run_sync(
                            self.journal.write, group.steps, None, self.facts()
                        )
                    except BaseException as error:
                        group.error = error
                        raise
                    finally:
                        group.written.set()
        if group.error is not None:
            raise group.error
