"""The client that the resources of a source share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from attrs import define, field, frozen

from vtiger_async.client import VtigerClient
from vtiger_async.streams.starting import Who

__all__ = ["Door", "Visit"]


@frozen
class Visit:
    """What a resource reads with.

    Attributes:
        crm: The client.
        who: Who reads, asked once for all resources.
    """

    crm: VtigerClient
    who: Who


@define(eq=False)
class Door:
    """One client for all resources that are read at the same time, so that they share the quota.

    Attributes:
        make: Makes the client.
        max_wait: Seconds that a call may wait for the quota.
    """

    make: Callable[[], VtigerClient]
    max_wait: float
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)
    _crm: VtigerClient | None = field(default=None, init=False)
    _visit: Visit | None = field(default=None, init=False)
    _users: int = field(default=0, init=False)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Visit]:
        """Give the client of this event loop; the last to leave closes it."""
        loop = asyncio.get_running_loop()
        # A loop that broke off left one behind.
        if self._crm is None or self._visit is None or self._loop is not loop:
            self._crm, self._loop, self._users = self.make(), loop, 0
            view = self._crm.with_options(priority="sync", max_wait=self.max_wait)
            self._visit = Visit(view, Who(view))
        crm, visit = self._crm, self._visit
        self._users += 1
        try:
            yield visit
        finally:
            if crm is self._crm:
                self._users -= 1
                if not self._users:
                    self._crm = None
                    await crm.aclose()
