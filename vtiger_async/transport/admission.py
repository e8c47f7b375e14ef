"""Admission: a call waits here for a slot and for quota, in order, and gives both back.

Waiters stand in one queue. Only the first of them watches the clock; when it goes, it wakes the
next. So nobody overtakes, nothing runs in the background, and a wait costs no polling.
"""

from __future__ import annotations

import math
from collections import deque
from datetime import UTC, datetime

import anyio
from attrs import define, field

from vtiger_async.clock import Clock
from vtiger_async.errors import QuotaExhaustedError
from vtiger_async.quota import Ledger
from vtiger_async.quota.windows import NOTHING, Observation

__all__ = ["Admission", "Ticket"]


@define(eq=False)
class Ticket:
    """A granted call: the right to send one request, until it is returned.

    Attributes:
        granted_at: When it was granted, in Unix seconds.
        sent: Whether the request has begun to leave; the transport sets it on evidence.
    """

    granted_at: float
    sent: bool = False


@define(eq=False)
class _Waiter:
    wake: anyio.Event = field(factory=anyio.Event)


@define(eq=False)
class Admission:
    """The one door to the server: concurrency and quota, first come, first served.

    Attributes:
        ledger: The quota.
        clock: The time.
        max_in_flight: The most calls that are under way at once.
    """

    ledger: Ledger
    clock: Clock
    max_in_flight: int
    _queue: deque[_Waiter] = field(factory=deque[_Waiter], init=False)
    _epoch: float | None = field(default=None, init=False)

    def now(self) -> float:
        """Return the moment in Unix seconds, on a time that never goes back."""
        if self._epoch is None:
            self._epoch = self.clock.time() - self.clock.monotonic()
        return self._epoch + self.clock.monotonic()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._queue)

    async def enter(self, deadline: float, *, first: bool = False) -> Ticket:
        """Wait for a slot and for quota, and return the ticket.

        A caller that is cancelled while it waits has taken nothing.

        Args:
            deadline: Unix seconds after which the caller does not want to wait any more.
            first: Go to the head of the queue: the call was admitted before, and refused.

        Raises:
            QuotaExhaustedError: The wait would go past the deadline; raised at once where the
                windows tell, else when the deadline passes.
        """
        now = self.now()
        if not self._queue and self._open(now):
            return self._grant(now)
        self._refuse_if_late(now, deadline, 1 if first else len(self._queue) + 1)
        waiter = _Waiter()
        if first:
            self._queue.appendleft(waiter)
        else:
            self._queue.append(waiter)
        try:
            return await self._wait(waiter, deadline)
        finally:
            self._queue.remove(waiter)
            self._wake()

    async def _wait(self, waiter: _Waiter, deadline: float) -> Ticket:
        while True:
            now = self.now()
            pause = deadline - now
            if self._queue[0] is waiter:
                if self._open(now):
                    return self._grant(now)
                self._refuse_if_late(now, deadline, 1)
                if not self._awaits_answer(now):
                    pause = min(pause, self.ledger.next_grant(now).until - now)
            if pause <= 0 and now >= deadline:
                delay = self.ledger.next_grant(now)
                window = delay.window if delay.until > now else "in_flight"
                raise self._exhausted(now, max(now, delay.until), window)
            waiter.wake = anyio.Event()
            await self._pause(waiter.wake, pause)

    def _open(self, now: float) -> bool:
        return not self._awaits_answer(now) and self.ledger.next_grant(now).until <= now

    def _awaits_answer(self, now: float) -> bool:
        """Return whether only the return of a call in flight can let the next one go."""
        return self.ledger.in_flight >= self.max_in_flight or self.ledger.probing(now)

    def _grant(self, now: float) -> Ticket:
        self.ledger.grant(now)
        return Ticket(now)

    def _refuse_if_late(self, now: float, deadline: float, place: int) -> None:
        delay = self.ledger.next_grant(now, place)
        if delay.until > deadline:
            raise self._exhausted(now, delay.until, delay.window)

    def _exhausted(self, now: float, until: float, window: str) -> QuotaExhaustedError:
        wait = max(0.0, until - now)
        if window == "in_flight":
            text = (
                f"no slot came free in time: {self.max_in_flight} calls are in flight and "
                f"{self.waiting} wait; give a longer max_wait"
            )
        else:
            text = (
                f"the {window}'s quota is used up: the call could be made in {wait:.1f} s; give a "
                "longer max_wait to wait for it"
            )
        return QuotaExhaustedError(
            text, window=window, resets_at=datetime.fromtimestamp(until, UTC), wait=wait
        )

    async def _pause(self, wake: anyio.Event, seconds: float) -> None:
        """Wait until woken, or for so many seconds of the clock."""
        if math.isinf(seconds):
            await wake.wait()
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._ring, wake, seconds)
            await wake.wait()
            group.cancel_scope.cancel()

    async def _ring(self, wake: anyio.Event, seconds: float) -> None:
        await self.clock.sleep(seconds)
        wake.set()

    def _wake(self) -> None:
        if self._queue:
            self._queue[0].wake.set()

    def leave(self, ticket: Ticket, seen: Observation = NOTHING) -> None:
        """Give the slot back; count the call if it had left, give its quota back if it had not.

        Args:
            ticket: The ticket of `enter`.
            seen: What the answer's headers say of the quota.
        """
        if ticket.sent:
            self.ledger.settle(self.now(), ticket.granted_at, seen)
        else:
            self.ledger.give_back()
        self._wake()

    def refuse(self, seen: Observation, jitter: float) -> float:
        """Note a 429; return the seconds that every call waits for it."""
        wait = self.ledger.refuse(self.now(), seen, jitter)
        self._wake()
        return wait
