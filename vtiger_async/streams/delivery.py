"""A change in the hands of its consumer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal, Protocol

from attrs import define, field

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.records import Record
from vtiger_async.streams.errors import StreamError
from vtiger_async.streams.lanes import Entry
from vtiger_async.types import RecordId

__all__ = ["Delivery"]


class Stream(Protocol):
    """What a delivery needs of the stream that it came from."""

    def position_of(self, module: str, entry: Entry) -> str:
        """Return the position after a change."""
        ...

    async def acknowledge(self, module: str, entry: Entry) -> None:
        """Take note that a change is handled."""
        ...

    def put_back(self, module: str, entry: Entry, after: float | None) -> None:
        """Take note that a change is not handled."""
        ...


@define(eq=False)
class Delivery:
    """A change that was given, to be acknowledged when it is handled.

    Attributes:
        module: The module.
        attempt: How often the change was given since the stream was begun: 1 for the first time.
    """

    module: str
    attempt: int
    _stream: Stream = field(repr=False)
    _entry: Entry = field(repr=False)
    _is_settled: bool = field(default=False, init=False, repr=False)

    def __repr__(self) -> str:
        return f"<{self.kind} of {self.module} {self.id}>"

    @property
    def kind(self) -> Literal["upsert", "delete"]:
        """`"upsert"` (created or changed) or `"delete"`."""
        return self._entry.change.kind

    @property
    def id(self) -> RecordId:
        """The record's id."""
        return self._entry.change.id

    @property
    def record(self) -> Record | None:
        """The record as it is now, without label and line items; None for a delete."""
        return self._entry.change.record

    @property
    def position(self) -> str:
        """What the store is given when this change is acknowledged.

        For a consumer that writes it in one transaction with what it makes of the change, and has
        its store read it from there: then each change takes effect exactly once.

        Raises:
            StreamError: An earlier change of the module is not acknowledged, so the position would
                skip it: handle the changes of a module one after the other.
        """
        return self._stream.position_of(self.module, self._entry)

    def ack(self) -> AbstractAsyncContextManager[None]:
        """Return an `async with` block at whose end the change is acknowledged.

        At its end the position is stored, if all earlier changes of the module are acknowledged
        too; else with the last of those. An exception in the block, or a cancellation, goes on to
        the caller, and the change stays unacknowledged: where the stream is read on, it is given
        again, after 1 second that doubles up to 60; with `until_head` at the next start. A change
        that shall be given up is put aside in the block, and the block left as if it were handled.

        Raises:
            StreamError: It was put back, and is to be acknowledged when it is given again.
            CursorStoreError: The position cannot be stored. The change counts as handled in this
                stream, and may be given again at the next start.
        """
        return self._acknowledged()

    @asynccontextmanager
    async def _acknowledged(self) -> AsyncGenerator[None]:
        if self._is_settled:
            raise StreamError(f"{self!r} was acknowledged or put back already")
        try:
            yield
        except BaseException:
            self._put_back(None)
            raise
        if not self._is_settled:
            self._is_settled = True
            await self._stream.acknowledge(self.module, self._entry)

    def retry(self, after: float = 0.0) -> None:
        """Put the change back, to be given again in this stream; also from within `ack()`.

        Args:
            after: Seconds to wait at least, from 0.

        Raises:
            StreamError: It is acknowledged, or was put back already.
            InvalidArgumentError: That is no such number.
        """
        if self._is_settled:
            raise StreamError(f"{self!r} was acknowledged or put back already")
        if not after >= 0:
            raise InvalidArgumentError(f"retry: after is a number of seconds from 0, not {after!r}")
        self._put_back(after)

    def _put_back(self, after: float | None) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._stream.put_back(self.module, self._entry, after)
