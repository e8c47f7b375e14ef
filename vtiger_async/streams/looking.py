"""When to look at a module, and what a look that fails leads to."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Final

from attrs import define, field

from vtiger_async.clock import Clock
from vtiger_async.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidArgumentError,
    QuotaExhaustedError,
    RateLimitError,
    VtigerError,
)
from vtiger_async.streams.crm import Crm, Page
from vtiger_async.types import SyncScope

__all__ = ["Looks"]

_log = logging.getLogger("vtiger_async")
_LEAST: Final = 5.0
"""Seconds; the wait after the first failure, which doubles."""
_MOST: Final = 900.0
"""Seconds; the longest wait, if no error tells a longer one."""
_FATAL: Final = (AuthenticationError, ConfigurationError, InvalidArgumentError)
"""What no wait mends, and no other module can do without."""


@define(eq=False)
class Looks:
    """Asks the server for the changes of one module, at the right times.

    Attributes:
        crm: The client.
        clock: The time.
        module: The module.
        scope: Whose records.
        every: Seconds between two looks at the head.
        cursor: Where the next look begins.
        is_at_head: Whether the last look has shown that there is no more.
        error: Why the last look failed; None where it did not.
        looked_at: When the last look began (Unix seconds); None before the first.
    """

    crm: Crm
    clock: Clock
    module: str
    scope: SyncScope
    every: float
    cursor: str
    is_at_head: bool = field(default=False, init=False)
    error: VtigerError | None = field(default=None, init=False)
    looked_at: float | None = field(default=None, init=False)
    _pages: AsyncIterator[Page] | None = field(default=None, init=False)
    _not_before: float = field(default=0.0, init=False)
    _failures: int = field(default=0, init=False)
    _gap: float | None = field(default=None, init=False)

    @property
    def due_at(self) -> float:
        """When the next look is due (Unix seconds)."""
        if self.looked_at is None or (self.error is None and not self.is_at_head):
            return 0.0
        if self.error is not None:
            return self._not_before
        return self.looked_at + (self.every if self._gap is None else min(self._gap, self.every))

    def hint(self, gap: float) -> None:
        """Look soon: so many seconds after the last look began, or now where they are over.

        What is hinted while a look is under way leads to another one: it may have come too late
        for the first.
        """
        self._gap = gap if self._gap is None else min(gap, self._gap)

    async def look(self) -> Page | None:
        """Ask once, and return the page; None where there is none, or where it failed: see `error`.

        Raises:
            VtigerError: One that no wait mends.
        """
        before = self.looked_at, self._gap
        self.looked_at, self._gap = self.clock.time(), None
        if self._pages is None:
            self._pages = self.crm.sync(self.module, self.cursor, self.scope).pages()
        try:
            page = await anext(self._pages, None)
        except BaseException as error:
            self._pages = None  # whatever it was, the next look begins behind the last page
            if isinstance(error, _FATAL) or not isinstance(error, VtigerError):
                self.looked_at, self._gap = before  # it was no look
                raise
            self._failed(error)
            return None
        self._answered()
        self.is_at_head = page is None or page.at_head
        if page is not None:
            self.cursor = page.cursor
        if self.is_at_head:
            self._pages = None
        return page

    def _failed(self, error: VtigerError) -> None:
        self._failures += 1
        delay = min(_MOST, _LEAST * 2.0 ** min(10, self._failures - 1))
        if isinstance(error, QuotaExhaustedError):
            delay = max(delay, error.wait)
        elif isinstance(error, RateLimitError):
            delay = max(delay, error.retry_after or 0.0)
        self._not_before = self.clock.time() + delay
        if self.error is None:
            _log.warning("changes of %s cannot be read, the others go on: %s", self.module, error)
        self.error = error

    def _answered(self) -> None:
        if self.error is not None:
            _log.info("changes of %s can be read again", self.module)
        self._failures, self.error = 0, None
