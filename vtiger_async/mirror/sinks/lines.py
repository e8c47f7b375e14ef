"""What is common to sinks that write lines, to files or to a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Look
from vtiger_async.mirror.sinks.locking import FileLock
from vtiger_async.mirror.sinks.worker import Worker
from vtiger_async.mirror.states import ModuleState

__all__ = ["LinesSink"]

_Result = TypeVar("_Result")
_Given = TypeVarTuple("_Given")


class LinesSink(ABC):
    """Does the work of a sink in a thread, one thing at a time, and explains its failures."""

    def __init__(self) -> None:
        self._lock: FileLock | None = None
        self._worker = Worker()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._what}>"

    async def open(self, instance: str) -> Mapping[str, ModuleState]:
        """Open it, and return where each module stands; see `Sink`."""
        return await self._run(self._opened, instance)

    async def prepare(self, state: ModuleState, before: ModuleState | None) -> None:
        """Begin a module, or tell what it now is, and where it stands; see `Sink`."""
        await self._run(self._prepared, state)

    async def commit(self, batch: Batch) -> None:
        """Write a batch, and then where its module stands; see `Sink`."""
        await self._run(self._committed, batch)

    async def aclose(self) -> None:
        """Let others write, and close what was opened here; a stream that was given stays open."""
        await self._run(self._closed)

    async def look(self) -> Look:
        """Return where each module stands; another process may be writing."""
        return await self._run(self._looked)

    async def _run(self, work: Callable[[*_Given], _Result], *given: *_Given) -> _Result:
        try:
            return await self._worker.run(work, *given)
        except BrokenPipeError:
            raise SinkError("who read the stream has gone away") from None
        except OSError as error:
            name = error.filename
            what = name if isinstance(name, str | Path) else self._what
            raise SinkError(f"{what}: {error.strerror or error}") from None

    @property
    @abstractmethod
    def _what(self) -> str:
        """How messages call it."""

    @abstractmethod
    def _opened(self, instance: str) -> dict[str, ModuleState]: ...

    @abstractmethod
    def _prepared(self, state: ModuleState) -> None: ...

    @abstractmethod
    def _committed(self, batch: Batch) -> None: ...

    @abstractmethod
    def _looked(self) -> Look: ...

    def _closed(self) -> None:
        self._release()

    def _release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
