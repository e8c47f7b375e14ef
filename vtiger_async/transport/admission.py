"""Admission: a call waits here for a slot and for quota, in order, and gives both back.

There is one queue for each priority. Only the first in each watches the clock; when it goes, it
wakes the next. So nobody overtakes within a class, nothing runs in the background, and nobody
polls but the first of those that are paced.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

import anyio
from attrs import define, field

from vtiger_async.clock import Clock
from vtiger_async.errors import QuotaExhaustedError
from vtiger_async.quota import Ledger, Priority
from vtiger_async.quota.headers import NOTHING, Observation

__all__ = ["Admission", "Loans", "Slots", "Ticket"]

_ORDER: tuple[Priority, ...] = ("interactive", "sync", "bulk")
_TURN = 20
"""Of so many grants, one goes to a class that waits while others take all: no class starves."""
_URGENT = 60.0
"""Seconds after an interactive call in which paced work leaves a slot free for the next one."""


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
class Slots:
    """How many calls may be under way at once: fewer when the server fails, never above the most.

    A server without limits tells that it has too much by failing. The number starts at the most, so
    a server that copes costs no throughput; a 5xx or a timeout cuts it by a third, once for the
    calls that were under way together; each round of answers adds one again.

    Attributes:
        most: The most calls under way.
        now: The number as it stands.
    """

    most: int
    now: float = field(init=False)
    _cut_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with the most."""
        self.now = float(self.most)

    def answered(self) -> None:
        """Note an answer: a whole round of them adds one."""
        if self.now < self.most:
            self.now = min(self.most, self.now + 1.0 / self.now)

    def failed(self, granted_at: float, now: float) -> None:
        """Note a failure by overload: cut, unless the call left before the last cut."""
        if granted_at >= self._cut_at:
            self._cut_at = now
            self.now = max(1.0, self.now * 2.0 / 3.0)


class Loans(Protocol):
    """The part of a ledger that borrows calls from a quota shared with other processes."""

    def opens(self, now: float, priority: Priority) -> float:
        """Return when the first of a class may go, or ask again."""
        ...

    async def refill(self, now: float, priority: Priority, waiting: int) -> None:
        """Ask for calls, if there are none and it is time to ask."""
        ...

    async def report(self, now: float) -> None:
        """Tell at once what other processes wait for."""
        ...

    async def aclose(self, now: float) -> None:
        """Give back what was lent."""
        ...


@define(eq=False)
class Admission:
    """The one door to the server: concurrency and quota, by priority, first come, first served.

    Attributes:
        ledger: The quota.
        clock: The time.
        max_in_flight: The most calls that are under way at once.
        slots: How many may be under way now.
        listeners: Who is told what happens at the door.
        loans: The ledger again, where its quota is shared with other processes.
    """

    ledger: Ledger
    clock: Clock
    max_in_flight: int
    slots: Slots = field(init=False)
    listeners: tuple[Callable[[Any], object], ...] = field(default=(), init=False)
    loans: Loans | None = None
    _queues: dict[Priority, deque[_Waiter]] = field(init=False)
    _epoch: float | None = field(default=None, init=False)
    _passed: int = field(default=0, init=False)
    _urgent_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        """Open the queues."""
        self.slots = Slots(self.max_in_flight)
        self._queues = {priority: deque() for priority in _ORDER}

    def now(self) -> float:
        """Return the moment in Unix seconds, on a time that never goes back."""
        if self._epoch is None:
            self._epoch = self.clock.time() - self.clock.monotonic()
        return self._epoch + self.clock.monotonic()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._queues.values()))

    async def enter(
        self, deadline: float, *, first: bool = False, priority: Priority = "interactive"
    ) -> Ticket:
        """Wait for a slot and for quota, and return the ticket.

        A caller that is cancelled while it waits has taken nothing.

        Args:
            deadline: Unix seconds after which the caller does not want to wait any more.
            first: Go to the head of the queue: the call was admitted before, and refused.
            priority: Whether others go first, and whether the call is paced.

        Raises:
            QuotaExhaustedError: The wait would go past the deadline; raised at once where the
                windows tell, else when the deadline passes.
        """
        now = self.now()
        queue = self._queues[priority]
        if not queue and self._opens(now, priority) <= now:
            return self._grant(now, priority)
        self._refuse_if_late(now, deadline, 1 if first else self._place(priority), priority)
        waiter = _Waiter()
        if first:
            queue.appendleft(waiter)
        else:
            queue.append(waiter)
        granted = False
        try:
            ticket = await self._wait(waiter, queue, deadline, priority)
            granted = True
        finally:
            queue.remove(waiter)
            self._wake()
            if self.listeners:
                self.tell("Waited", priority=priority, seconds=self.now() - now, granted=granted)
        return ticket

    async def _wait(
        self, waiter: _Waiter, queue: deque[_Waiter], deadline: float, priority: Priority
    ) -> Ticket:
        while True:
            now = self.now()
            if self.loans is not None and queue[0] is waiter and self._may_go(now, priority):
                await self.loans.refill(now, priority, len(queue))
                now = self.now()
            pause = deadline - now
            if queue[0] is waiter:
                opens = self._opens(now, priority)
                if opens <= now:
                    return self._grant(now, priority)
                self._refuse_if_late(now, deadline, 1, priority)
                pause = min(pause, opens - now)
            if pause <= 0 and now >= deadline:
                delay = self.ledger.next_grant(now)
                window = delay.window if delay.until > now else "in_flight"
                raise self._exhausted(now, max(now, delay.until), window, priority)
            waiter.wake = anyio.Event()
            await self._pause(waiter.wake, pause)

    def _opens(self, now: float, priority: Priority) -> float:
        """Return when the first of a class may go; infinity where it is to be woken for that."""
        ledger = self.ledger
        if not self._may_go(now, priority):
            return math.inf
        if self.loans is not None:
            return self.loans.opens(now, priority)
        until = ledger.next_grant(now).until
        if until > now or priority == "interactive" or self._passed >= _TURN:
            return until
        return ledger.next_paced(now, priority).until

    def _may_go(self, now: float, priority: Priority) -> bool:
        """Return whether there is a slot, no answer to be awaited, and nobody to go before."""
        ledger = self.ledger
        if ledger.in_flight >= self._slots(now, priority) or ledger.probing(now):
            return False
        return self._has_turn(priority)

    def _slots(self, now: float, priority: Priority) -> float:
        """Return how many calls may be under way: one fewer where a person may come any moment."""
        slots = self.slots.now
        if priority == "interactive" or slots < 2 or now - self._urgent_at > _URGENT:
            return int(slots)
        return int(slots) - 1

    def _has_turn(self, priority: Priority) -> bool:
        queues = self._queues
        if self._passed >= _TURN:  # whoever was passed so often goes, the lowest class first
            return not any(queues[lower] for lower in _ORDER[_ORDER.index(priority) + 1 :])
        if priority == "interactive":
            return True
        return not queues["interactive"] and (priority == "sync" or not queues["sync"])

    def _place(self, priority: Priority) -> int:
        """Return the place in line that a newcomer would have."""
        before = _ORDER[: _ORDER.index(priority) + 1]
        return 1 + sum(len(self._queues[other]) for other in before)

    def _grant(self, now: float, priority: Priority) -> Ticket:
        if priority == "interactive":
            self._urgent_at = now
        if priority != "bulk" and (
            self._queues["bulk"] or (priority == "interactive" and self._queues["sync"])
        ):
            self._passed += 1
        else:
            self._passed = 0
        self.ledger.grant(now, priority)
        if self.listeners:
            self.tell("Granted", priority=priority, in_flight=self.ledger.in_flight)
        return Ticket(now)

    def _refuse_if_late(self, now: float, deadline: float, place: int, priority: Priority) -> None:
        delay = self.ledger.next_grant(now, place)
        if delay.until > deadline:
            raise self._exhausted(now, delay.until, delay.window, priority)

    def _exhausted(
        self, now: float, until: float, window: str, priority: Priority
    ) -> QuotaExhaustedError:
        wait = max(0.0, until - now)
        if self.listeners:
            self.tell("Refused", priority=priority, window=window, wait=wait)
        if window == "in_flight":
            text = (
                f"no slot came free in time: {int(self.slots.now)} calls are in flight and "
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
        for queue in self._queues.values():
            if queue:
                queue[0].wake.set()

    def leave(self, ticket: Ticket, seen: Observation = NOTHING) -> None:
        """Give the slot back; count the call if it had left, give its quota back if it had not.

        Args:
            ticket: The ticket of `enter`.
            seen: What the answer's headers say of the quota.
        """
        if ticket.sent:
            self.ledger.settle(self.now(), ticket.granted_at, seen)
        else:
            self.ledger.give_back(ticket.granted_at)
        self._wake()

    def refuse(self, seen: Observation, jitter: float) -> float:
        """Note a 429; return the seconds that every call waits for it."""
        wait = self.ledger.refuse(self.now(), seen, jitter)
        if self.listeners:
            self.tell("Throttled", wait=wait)
        self._wake()
        return wait

    def tell(self, kind: str, **values: Any) -> None:
        """Tell the listeners what has happened.

        Args:
            kind: The name of a class of `vtiger_async.quota.events`.
            values: Its attributes but the time.
        """
        from vtiger_async.quota import events  # only where somebody listens

        events.tell(self.listeners, kind, datetime.fromtimestamp(self.now(), UTC), values)
