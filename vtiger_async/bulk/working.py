"""The work of a job: its steps, one after the other, by several workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
from attrs import define, field

from vtiger_async.bulk.calling import Door, Reply, words
from vtiger_async.bulk.commits import Commits
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.holding import Hold
from vtiger_async.bulk.journal import Journal
from vtiger_async.bulk.linking import resolve
from vtiger_async.bulk.settling import Settling, kept_of
from vtiger_async.bulk.steps import OPEN, LoadInfo, Step
from vtiger_async.bulk.strategy import MultiWrite
from vtiger_async.clock import Clock
from vtiger_async.errors import ApiError, DuplicateRecordError, InvalidResponseError
from vtiger_async.models.records import Record

__all__ = ["Feed", "Work"]

_TOGETHER: Final = 100
"""Unknown steps that are settled together while others are still to be done."""
_GRACE: Final = 60.0
"""Seconds after which they are asked for."""


@define(eq=False)
class Feed:
    """Hands out the planned steps of one turn, in order, in constant memory.

    Attributes:
        journal: The job's journal.
        loads: The job's loads.
        turn: The turn.
        close: Is called with steps that need no call any more.
    """

    journal: Journal
    loads: Sequence[LoadInfo]
    turn: int
    close: Callable[[Sequence[Step]], Awaitable[None]]
    _steps: deque[Step] = field(factory=deque[Step], init=False)
    _after: int | None = field(default=0, init=False)
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False)

    async def take(self, size: int) -> list[Step]:
        """Return the next step, or as many creates of one load as may go in one call.

        Args:
            size: The most of them.

        Returns:
            The steps; none where all were handed out.
        """
        async with self._lock:
            while not self._steps and self._after is not None:
                with anyio.CancelScope(shield=True):
                    await self._read(self._after)
            batch: list[Step] = []
            while self._steps and len(batch) < size:
                step = self._steps[0]
                if batch and not (_is_plain_create(step) and step.load == batch[0].load):
                    break
                batch.append(self._steps.popleft())
                if not _is_plain_create(step):
                    break
            return batch

    async def _read(self, after: int) -> None:
        steps = await anyio.to_thread.run_sync(
            partial(self.journal.steps, ("planned",), turn=self.turn, after=after)
        )
        self._after = steps[-1].id if steps else None
        closed = await anyio.to_thread.run_sync(resolve, self.journal, self.loads, steps)
        self._steps.extend(step for step in steps if step.state == "planned")
        if closed:
            await self.close(closed)

    def put_back(self, steps: Sequence[Step]) -> None:
        """Take steps back that are to be done after all."""
        self._steps.extendleft(reversed(steps))


def _is_plain_create(step: Step) -> bool:
    return step.action == "create" and "LineItems" not in step.fields


@define(eq=False)
class Work:
    """What the workers of a job share.

    Attributes:
        door: Where calls go in.
        hold: When they may.
        clock: The time.
        commits: What writes to the journal.
        settling: What settles unknown steps.
        loads: The job's loads.
        emit: Is called with steps whose outcome is durable.
        strategy: What creates many records in one call, if anything does.
        unknown: Steps whose reply was lost, of this turn.
    """

    door: Door
    hold: Hold
    clock: Clock
    commits: Commits
    settling: Settling
    loads: Sequence[LoadInfo]
    emit: Callable[[Sequence[Step]], Awaitable[None]]
    strategy: MultiWrite | None = None
    unknown: int = 0
    _settle_at: float = field(default=0.0, init=False)
    _is_settling: bool = field(default=False, init=False)

    async def close(self, steps: Sequence[Step], intents: Sequence[Step] = ()) -> None:
        """Write what came of steps, with what is to be sent next; then tell of those closed."""
        if steps or intents:
            with anyio.CancelScope(shield=True):
                await self.commits.write((*steps, *intents))
                closed = [step for step in steps if step.state not in OPEN]
                if closed:
                    await self.emit(closed)

    async def work(self, feed: Feed) -> None:
        """Do steps until none is left in the turn."""
        done: list[Step] = []
        try:
            while True:
                if done and (self.hold.delay > 0 or not self.door.is_open):
                    await self.close(done)  # who waits has nothing in doubt
                    done = []
                await self.hold.wait()
                if self.unknown >= _TOGETHER:
                    await self._settle_some(feed)
                if (batch := await self._step(feed, done)) is None:
                    return
                done = batch
        finally:
            await self.close(done)

    async def _step(self, feed: Feed, done: list[Step]) -> list[Step] | None:
        """Do one call; return its steps with what came of them, or None where none was left."""
        passage = await self.door.enter()
        batch: list[Step] = []
        try:
            batch = await feed.take(1 if self.strategy is None else self.strategy.size)
            if not batch:
                return None
            began_at = self.clock.time()
            for step in batch:
                step.state, step.sent_at = "sent", began_at
            written, done[:] = list(done), []
            await self.close(written, batch)
            reply = await passage.make(self._sending(batch))
        except BaseException:
            if not passage.granted:
                self._unsent(batch, feed)
                await self.close(batch)
            raise
        finally:
            passage.leave()
        await self._conclude(batch, reply, feed, began_at)
        return batch

    def _sending(self, batch: Sequence[Step]) -> Callable[[Crm], Awaitable[Any]]:
        """Return what makes the call."""
        first = batch[0]
        module, fields = self.loads[first.load].module, first.fields
        if self.strategy is not None and _is_plain_create(first):
            strategy, elements = self.strategy, [step.fields for step in batch]
            return lambda crm: strategy(crm, module, elements)
        if first.action == "create":
            return lambda crm: crm.create(module, fields)
        record_id = str(first.record_id)
        if first.action == "delete":
            return lambda crm: crm.delete(record_id)
        return lambda crm: crm.revise(record_id, fields, replace_lines="LineItems" in fields)

    async def _conclude(self, batch: list[Step], reply: Reply, feed: Feed, began_at: float) -> None:
        """Note in the steps what came of their call."""
        duplicates: list[tuple[Step, DuplicateRecordError]] = []
        for step, own in zip(batch, self._each(batch, reply), strict=True):
            if own.kind == "done":
                self._done(step, own)
            elif own.error is None or own.kind in ("unsent", "fatal"):
                self._unsent([step], feed)
            elif own.kind == "lost":
                self._lost(step, words(own.error))
            elif isinstance(own.error, DuplicateRecordError) and step.action == "create":
                duplicates.append((step, own.error))
            else:
                step.state, step.reason = "failed", [words(own.error)]
        self.hold.heed(reply, began_at)
        try:
            for step, error in duplicates:
                await self.settling.duplicate(step, error)
                if step.state == "planned":
                    self._unsent([step], feed)
        except BaseException:
            self._unsent([step for step in batch if step.state == "sent"], feed)
            await self.close(batch)
            raise

    def _each(self, batch: Sequence[Step], reply: Reply) -> list[Reply]:
        if reply.kind != "done" or self.strategy is None or not _is_plain_create(batch[0]):
            return [reply] * len(batch)
        answers: Sequence[Record | ApiError] = reply.value
        if len(answers) != len(batch):
            text = f"{len(answers)} answers came for {len(batch)} records"
            return [Reply("lost", error=InvalidResponseError(text))] * len(batch)
        return [
            Reply("refused", error=one) if isinstance(one, ApiError) else Reply("done", one)
            for one in answers
        ]

    def _unsent(self, steps: Sequence[Step], feed: Feed) -> None:
        for step in steps:
            step.state, step.sent_at = "planned", None
        feed.put_back(steps)

    def _done(self, step: Step, reply: Reply) -> None:
        module = self.loads[step.load].module
        is_create = step.action == "create"
        step.state, step.reason = "done", list(reply.changes)
        if isinstance(reply.value, Record):
            step.record_id = str(reply.value.id)
            step.stored = kept_of(step, reply.value, module, whole=is_create)

    def _lost(self, step: Step, text: str) -> None:
        info = self.loads[step.load]
        step.reason = [*step.reason, text]
        if step.action == "create" and not (info.key or info.mark):
            step.state, step.reason = "lost", [text]
            return
        step.state = "unknown"
        self.unknown += 1
        if self.unknown == _TOGETHER:
            self._settle_at = self.clock.time() + _GRACE

    async def _settle_some(self, feed: Feed) -> None:
        """Settle those whose grace is over, while others are still to be done."""
        if self._is_settling or self.clock.time() < self._settle_at:
            return
        self._is_settling = True
        try:
            steps = await self.settling.settle(feed.turn, self.close, all_of_them=False)
        finally:
            self._is_settling = False
            self._settle_at = self.clock.time() + _GRACE
        self.unknown -= len(steps)
        feed.put_back([step for step in steps if step.state == "planned"])
