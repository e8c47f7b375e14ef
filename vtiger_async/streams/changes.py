"""`crm.changes`: the changes of several modules as one stream that is acknowledged."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Final, Literal, Self, Unpack

import anyio

from vtiger_async.clock import Clock
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.streams.crm import Crm
from vtiger_async.streams.cursors import CursorStore
from vtiger_async.streams.delivery import Delivery
from vtiger_async.streams.errors import StreamError
from vtiger_async.streams.keeping import Keeping, ModuleProgress, Source
from vtiger_async.streams.lanes import Entry, Lane
from vtiger_async.streams.looking import Looks
from vtiger_async.streams.options import Options, StreamOptions, checked_modules, store_of
from vtiger_async.streams.starting import Who, starts_of

__all__ = ["Changes"]

_log = logging.getLogger("vtiger_async")
_AGAIN: Final = (1.0, 60.0)
"""Seconds after which a change that failed is given again, doubling from the first to the last."""
_STUCK: Final = 60.0
"""Seconds without room for another change after which that is logged."""


class Changes(AsyncIterator[Delivery]):
    """The changes of several modules as one stream: `async for change in crm.changes(...)`.

    Each change is given at least once, to one task; a task that has handled it acknowledges it
    with `async with change.ack()`. A module's position moves over changes that are all
    acknowledged, and is stored before `ack()` ends; a stream that is made anew goes on from there.
    Any number of tasks may take changes from one stream. The next change of a record is given when
    the one before it is acknowledged, so its states cannot overtake each other. Modules take turns.

    A module whose look fails is tried again after 5 seconds, doubling up to 15 minutes or as the
    quota tells, and does not hold up the others. Nothing runs between two changes: there is no look
    while nobody asks for a change.

    Args:
        crm: The client.
        clock: Its clock.
        modules: The modules, in any order.
        store: Where positions are kept.
        options: See `StreamOptions`.

    Raises:
        InvalidArgumentError: An argument cannot be used; no call was spent.
    """

    def __init__(
        self,
        crm: Crm,
        clock: Clock,
        modules: Iterable[str],
        store: CursorStore | str | os.PathLike[str],
        **options: Unpack[StreamOptions],
    ) -> None:
        self._modules = checked_modules(modules)
        self._options = Options(**options)
        # A moment that is none and a scope that is none are refused here, not at the first start.
        since, scope = self._options.since, self._options.scope
        moment = None if isinstance(since, str) else since
        crm.sync(self._modules[0], moment, "application" if scope is None else scope)
        self._crm, self._clock = crm, clock
        self._keeping = Keeping(store_of(store))
        self._sources = self._keeping.sources
        self._turn: list[str] = list(self._modules)
        self._one_reader = anyio.Lock()
        self._state: Literal["new", "open", "ended", "closed"] = "new"
        self._news: anyio.Event | None = None
        self._full_since: float | None = None

    def __repr__(self) -> str:
        return f"<Changes of {', '.join(self._modules)}>"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules."""
        return self._modules

    @property
    def progress(self) -> tuple[ModuleProgress, ...]:
        """How far each module is; it is empty before the first change was asked for."""
        return tuple(source.progress for source in self._sources.values())

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the store."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the store; changes that are not acknowledged are given at the next start.

        A stream that came to its end closes it by itself, when all is acknowledged. One that is
        left before should be closed, or read in an `async with` block: as long as the store is
        open, no other stream can open it.
        """
        self._state = "closed"
        self._notify()
        await self._keeping.close()

    def wake(self, *modules: str, gap: float = 5.0) -> None:
        """Look at some modules soon, because something hints that they have changed.

        Hints that come in one burst lead to one look, and one that comes during a look to another.
        It costs nothing but the looks, and is called in the event loop of the stream.

        Args:
            modules: The modules; all, where none is given.
            gap: Seconds between the beginnings of two looks at least.

        Raises:
            InvalidArgumentError: A module is none of the stream's, or the gap is below 0.
        """
        if not gap >= 0:
            raise InvalidArgumentError(f"gap is a number of seconds from 0, not {gap!r}")
        for module in modules:
            if module not in self._modules:
                raise InvalidArgumentError(f"{module!r} is no module of this stream")
        for module in modules or self._modules:
            if module in self._sources:  # else its first look is to come anyway
                self._sources[module].looks.hint(gap)
        self._notify()

    async def __anext__(self) -> Delivery:
        """Return the next change; it can be cancelled without losing one.

        Raises:
            StreamError: With `until_head`, at the end: modules that could not be read, in `errors`.
                Else: the stream is closed, or its store was begun with another scope or user.
            CursorStoreError: The store cannot be used.
            AuthenticationError: The key is not taken any more.
        """
        async with self._one_reader:
            if self._state == "new":
                await self._begin()
            while True:
                if self._state == "closed":
                    raise StreamError("the stream is closed: make another one")
                if self._state == "ended":
                    raise StopAsyncIteration
                delivery = self._next_delivery()
                if delivery is not None:
                    return delivery
                due = [s for s in self._sources.values() if self._look_at(s) <= self._clock.time()]
                if due:
                    await self._look(due)
                elif self._is_over():
                    await self._end()
                else:
                    await self._wait()

    async def _begin(self) -> None:
        """Open the store, and find out where each module begins."""
        store = self._keeping.store
        positions = await store.open(self._crm.url)
        try:
            who = Who(self._crm)
            starts = await starts_of(self._crm, self._modules, positions, self._options, who)
            new = {m: start.position for m, start in starts.items() if m not in positions}
            if new:  # else "now" would be later at the next start, and skip what is between
                await store.commit(new)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await store.aclose()
            raise
        for module in self._modules:
            start = starts[module]
            every, most = self._options.every, self._options.max_unacknowledged
            looks = Looks(self._crm, self._clock, module, start.scope, every, start.cursor)
            self._sources[module] = Source(looks, Lane(most, start.cursor), start, start.position)
        if self._state == "new":
            self._state = "open"
        else:  # it was closed in the meantime
            await store.aclose()

    def _next_delivery(self) -> Delivery | None:
        """Return a change of the module whose turn it is, or of the next that has one."""
        now = self._clock.time()
        for place, module in enumerate(self._turn):
            entry = self._sources[module].lane.take(now)
            if entry is not None:
                self._turn.append(self._turn.pop(place))
                self._full_since = None
                return Delivery(module, entry.attempt, self, entry)
        return None

    def _look_at(self, source: Source) -> float:
        """Return when to look at a module; infinity where not before something else happens."""
        looks = source.looks
        is_read = self._options.until_head and (looks.is_at_head or looks.error is not None)
        return looks.due_at if source.lane.wants_page and not is_read else math.inf

    async def _look(self, due: list[Source]) -> None:
        """Look at modules, all at once, and keep the positions that have moved over nothing."""
        errors: list[Exception] = []

        async def look(source: Source) -> None:
            try:
                page = await source.looks.look()
            except Exception as error:  # noqa: BLE001 - raised below, and not as one of a group
                errors.append(error)
            else:
                if page is not None and source.lane.lay(page.changes, page.cursor):
                    self._keeping.note(source.looks.module)

        async with anyio.create_task_group() as group:
            for source in due:
                group.start_soon(look, source)
        if errors:
            raise errors[0]
        await self._keeping.write()

    def _is_over(self) -> bool:
        if not self._options.until_head or any(s.lane.will_give for s in self._sources.values()):
            return False
        return all(self._look_at(s) == math.inf for s in self._sources.values())

    async def _end(self) -> None:
        """Raise the end, or what has kept modules from coming to theirs."""
        self._state = "ended"
        await self._close_if_done()
        errors = {m: s.looks.error for m, s in self._sources.items() if s.looks.error is not None}
        if errors:
            names = ", ".join(f"{module} ({error})" for module, error in errors.items())
            raise StreamError(f"changes could not be read to the end: {names}", errors)
        raise StopAsyncIteration

    async def _wait(self) -> None:
        """Wait until a look is due, a change may be given again, or there is news."""
        now = self._clock.time()
        sources = self._sources.values()
        times = [self._look_at(source) for source in sources]
        times += [at for s in sources if (at := s.lane.next_again) is not None]
        if any(source.lane.is_full for source in sources):
            times.append(self._warn_if_stuck(now))
        self._news = anyio.Event()
        try:
            async with anyio.create_task_group() as group:
                if (until := min(times, default=math.inf)) < math.inf:
                    group.start_soon(self._nap, until - now, group.cancel_scope)
                await self._news.wait()
                group.cancel_scope.cancel()
        finally:
            self._news = None

    async def _nap(self, seconds: float, scope: anyio.CancelScope) -> None:
        await self._clock.sleep(seconds)
        scope.cancel()

    def _warn_if_stuck(self, now: float) -> float:
        """Log once that nothing is acknowledged; return when to look whether that is to be said."""
        if self._full_since is None:
            self._full_since = now
        if now < self._full_since + _STUCK:
            return self._full_since + _STUCK
        if self._full_since > 0:
            full = [m for m, source in self._sources.items() if source.lane.is_full]
            _log.warning(
                "no more changes of %s: too many are given and not acknowledged", ", ".join(full)
            )
            self._full_since = -math.inf  # it is said, until a change is given
        return math.inf

    def _notify(self) -> None:
        if self._news is not None:
            self._news.set()

    def position_of(self, module: str, entry: Entry) -> str:
        """Return what the store is given when a change is acknowledged: `Delivery.position`."""
        source = self._sources[module]
        if not source.lane.is_first(entry):
            raise StreamError(
                f"earlier changes of {module} are not acknowledged: a position after this one "
                "would skip them"
            )
        return source.position_after(entry)

    async def acknowledge(self, module: str, entry: Entry) -> None:
        """Take note that a change is handled: the end of `Delivery.ack`."""
        has_moved = self._sources[module].lane.settle(entry)
        self._notify()
        if self._state == "closed":
            raise StreamError("the stream is closed: this change is given again at the next start")
        if has_moved:
            self._keeping.note(module)
            await self._keeping.write()
        await self._close_if_done()

    def put_back(self, module: str, entry: Entry, after: float | None) -> None:
        """Take note that a change is not handled: `Delivery.retry`, or a block that failed."""
        lane = self._sources[module].lane
        if after is None and self._options.until_head:
            lane.leave(entry)
        else:
            least, most = _AGAIN
            failed = min(most, least * 2.0 ** min(10, entry.attempt - 1))
            lane.put_back(entry, self._clock.time() + (failed if after is None else after))
        self._notify()

    async def _close_if_done(self) -> None:
        """Close the store of a stream that came to its end, once nobody has a change in hands."""
        if self._state == "ended" and not any(s.lane.is_out for s in self._sources.values()):
            await self._keeping.close()
