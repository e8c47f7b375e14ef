"""The part of the client that mirrors stand on: public methods, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.quota import Priority
from vtiger_async.quota.costs import Cost
from vtiger_async.quota.events import QuotaEvent
from vtiger_async.quota.snapshot import Quota
from vtiger_async.types import RecordId, SyncScope
from vtiger_async.vtql import Select

__all__ = ["Changed", "ChangedPage", "Changes", "Crm", "Reading", "SeesAll"]

SeesAll: TypeAlias = "Callable[[], Coroutine[Any, Any, bool]]"
"""Tells whether the user is an administrator, who sees every record."""


class Reading(Protocol):
    """The records of a statement."""

    @property
    def resume_token(self) -> str:
        """Where the reading stands."""
        ...

    async def explain(self) -> Cost:
        """Return what the rest will cost."""
        ...

    def pages(self) -> AsyncIterator[list[Record]]:
        """Return the pages."""
        ...


class Changed(Protocol):
    """One change of a record."""

    @property
    def kind(self) -> Literal["upsert", "delete"]:
        """What has happened to it."""
        ...

    @property
    def id(self) -> RecordId:
        """Its id."""
        ...

    @property
    def record(self) -> Record | None:
        """The record, unless it was deleted."""
        ...


class ChangedPage(Protocol):
    """The changes that came with one call."""

    @property
    def changes(self) -> Sequence[Changed]:
        """The changes."""
        ...

    @property
    def cursor(self) -> str:
        """The position after them."""
        ...


class Changes(Protocol):
    """The changes of a module."""

    @property
    def cursor(self) -> str:
        """Where the reading stands."""
        ...

    async def explain(self) -> Cost:
        """Return what it will cost to come to the head."""
        ...

    def pages(self) -> AsyncIterator[ChangedPage]:
        """Return the pages."""
        ...


class Crm(Protocol):
    """A client of one instance, as `VtigerClient` is; what each method does is written there."""

    @property
    def url(self) -> str:
        """The instance's base URL."""
        ...

    @property
    def quota(self) -> Quota:
        """The quota as the client knows it now."""
        ...

    @property
    def server_time(self) -> datetime | None:
        """The moment of the last answer by the server's clock."""
        ...

    def with_options(
        self, *, max_wait: float | None = None, priority: Priority | None = None
    ) -> Crm:
        """Return a view with other options."""
        ...

    def subscribe(self, listener: Callable[[QuotaEvent], object]) -> Callable[[], None]:
        """Have a function called with each event of the quota, until what is returned is called."""
        ...

    async def describe(self, module: str, *, refresh: bool = False) -> Module:
        """Return a module's description."""
        ...

    def query(self, query: str | Select, *, resume: str | None = None) -> Reading:
        """Return the records of a statement."""
        ...

    def sync(
        self,
        module: str,
        since: str | datetime | float | None = None,
        scope: SyncScope = "application",
    ) -> Changes:
        """Return the changes of a module."""
        ...

    async def retrieve(self, record_id: str) -> Record:
        """Return one record."""
        ...

    async def call(
        self, method: str, operation: str, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Make any call."""
        ...
