"""The part of the client that bulk jobs stand on: public methods, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

from vtiger_async.models.metadata import Module, PicklistDependency
from vtiger_async.models.records import Record, User
from vtiger_async.quota import Priority
from vtiger_async.quota.events import QuotaEvent
from vtiger_async.quota.snapshot import Quota
from vtiger_async.retry import RetryPolicy
from vtiger_async.types import FieldValue
from vtiger_async.vtql import Select

__all__ = ["Crm"]


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

    def subscribe(self, listener: Callable[[QuotaEvent], object]) -> Callable[[], None]:
        """Have a function called with each event of the quota, until what is returned is called."""
        ...

    async def me(self) -> User:
        """Return the user whose key is used."""
        ...

    async def describe(self, module: str) -> Module:
        """Return a module's description."""
        ...

    async def picklist_dependency(
        self, module: str, source_field: str, target_field: str
    ) -> PicklistDependency:
        """Return how two picklists depend on each other."""
        ...

    def query(self, query: str | Select) -> AsyncIterator[Record]:
        """Return the records of a statement."""
        ...

    async def call(
        self, method: str, operation: str, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Make any call."""
        ...

    async def create(self, module: str, fields: Mapping[str, FieldValue]) -> Record:
        """Create a record."""
        ...

    async def retrieve(self, record_id: str) -> Record:
        """Return one record."""
        ...

    async def revise(
        self, record_id: str, fields: Mapping[str, FieldValue], *, replace_lines: bool = False
    ) -> Record:
        """Change some fields of a record."""
        ...

    async def delete(self, record_id: str, *, missing_ok: bool = False) -> None:
        """Delete a record."""
        ...

    def with_options(
        self,
        *,
        max_wait: float | None = None,
        retry: RetryPolicy | None = None,
        validate: bool | None = None,
        strict: bool | None = None,
        priority: Priority | None = None,
    ) -> Crm:
        """Return a view with other options."""
        ...
