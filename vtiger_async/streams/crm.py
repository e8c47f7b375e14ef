"""The part of the client that streams stand on: public methods, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from vtiger_async.models.records import Record, User
from vtiger_async.types import RecordId, SyncScope
from vtiger_async.vtql import Select

__all__ = ["Change", "Crm", "Feed", "Page"]


class Change(Protocol):
    """One change of a record, as a sync tells it."""

    @property
    def kind(self) -> Literal["upsert", "delete"]:
        """What happened."""
        ...

    @property
    def id(self) -> RecordId:
        """The record's id."""
        ...

    @property
    def record(self) -> Record | None:
        """The record as it is now; None for a delete."""
        ...

    @property
    def cursor(self) -> str:
        """The position after this change."""
        ...


class Page(Protocol):
    """What one look at a module has shown."""

    @property
    def changes(self) -> Sequence[Change]:
        """The changes, in order."""
        ...

    @property
    def cursor(self) -> str:
        """The position after them."""
        ...

    @property
    def at_head(self) -> bool:
        """Whether the server had no more."""
        ...


class Feed(Protocol):
    """The changes of a module since a moment."""

    @property
    def cursor(self) -> str:
        """The position after the last change given; at first, where it begins."""
        ...

    def pages(self) -> AsyncIterator[Page]:
        """Return the pages up to the head; each costs a call."""
        ...


class Crm(Protocol):
    """A client of one instance, as `VtigerClient` is; what each method does is written there."""

    @property
    def url(self) -> str:
        """The instance's base URL."""
        ...

    @property
    def server_time(self) -> datetime | None:
        """The moment of the last answer by the server's clock; None where no answer told it."""
        ...

    async def me(self) -> User:
        """Return the user whose key is used."""
        ...

    async def retrieve(self, record_id: str) -> Record:
        """Return one record."""
        ...

    def query(self, query: Select) -> AsyncIterator[Record]:
        """Return the records of a statement."""
        ...

    def sync(self, module: str, since: str | datetime | float | None, scope: SyncScope) -> Feed:
        """Return the changes of a module since a moment."""
        ...
