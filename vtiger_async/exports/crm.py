"""The part of the client that exports stand on: public methods, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.quota.costs import Cost
from vtiger_async.quota.events import QuotaEvent
from vtiger_async.quota.snapshot import Quota
from vtiger_async.vtql import Select

__all__ = ["Crm", "Reading"]


class Reading(Protocol):
    """The records of a statement, as `Query` gives them."""

    @property
    def resume_token(self) -> str:
        """Where the reading stands."""
        ...

    def pages(self) -> AsyncIterator[list[Record]]:
        """Return the pages."""
        ...

    async def explain(self) -> Cost:
        """Return what reading the rest will cost."""
        ...


class Crm(Protocol):
    """A client of one instance, as `VtigerClient` is; what each method does is written there."""

    @property
    def url(self) -> str:
        """The instance's base URL."""
        ...

    @property
    def quota(self) -> Quota:
        """The quota as it stands now."""
        ...

    def subscribe(self, listener: Callable[[QuotaEvent], object]) -> Callable[[], None]:
        """Have a function called with each event of the quota, until what is returned is called."""
        ...

    async def describe(self, module: str) -> Module:
        """Return a module's description."""
        ...

    def query(self, query: str | Select, *, resume: str | None = None) -> Reading:
        """Return the records of a statement."""
        ...
