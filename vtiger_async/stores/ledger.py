"""The ledger of a process that shares its quota: it makes calls that it was lent.

Whoever is first in line asks the store, so nothing runs in the background. While the store fails,
the process keeps to its share of each window, evenly spaced, and to what headers say.
"""

from __future__ import annotations

import math
import secrets
import warnings
from bisect import insort

import anyio
import anyio.lowlevel
from attrs import define, evolve, field

from vtiger_async.quota import Delay, Ledger, Priority, WindowUse
from vtiger_async.quota.fleet import Message, Reply
from vtiger_async.quota.headers import Observation
from vtiger_async.quota.windows import Counted, SlidingWindow
from vtiger_async.stores import SharedQuotaWarning, StoreConnection, StoreError
from vtiger_async.stores.untold import Calls, Untold, enter

__all__ = ["SharedLedger"]

_MOST = 64
"""Calls that are borrowed at a time."""
_KEEP = 2.0
"""Seconds after its moment at which a borrowed call that was not made is given back."""
_QUICK = 1.0
"""Seconds after the last borrowed call within which one more lets the next loan be larger."""
_TIMEOUT = 2.0
"""Real seconds that a store has to answer."""
_RETRY_FIRST, _RETRY_MOST = 1.0, 15.0
"""Seconds until a store that failed is tried again; they double."""
_CAREFUL = 0.75
"""The part of its share that a process spends while the store fails: nobody sees the others."""
_UNKNOWN = 30
"""Calls a minute to share where no limit is known and the store fails."""
_LONG, _DAY = 15.0, 86_400.0
"""Seconds of calls that are one entry where they are told from memory; those of a day."""
_LOOK = 0.02
"""Seconds from one look at the hand to the next, at the least."""


@define(kw_only=True, eq=False)
class SharedLedger(Ledger):
    """One process's part of a shared quota.

    Attributes:
        connection: The way to the store.
        members: Processes to reckon with: as the store has told, or a guess before.
        failing: Whether the store could not be used when it was last tried.
        reply: What the store said last.
        exchanges: How often the store has been asked.
    """

    connection: StoreConnection = field(repr=False)
    members: int
    failing: bool = field(default=False, init=False)
    reply: Reply | None = field(default=None, init=False)
    exchanges: int = field(default=0, init=False)
    _member: str = field(factory=lambda: secrets.token_hex(6), init=False, repr=False)
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False, repr=False)
    # What was lent: from when on each call may be made, and for whom it was asked.
    _hand: list[tuple[float, Priority]] = field(factory=list["tuple[float, Priority]"], init=False)
    _want: dict[Priority, int] = field(factory=dict[Priority, int], init=False)
    _ends: dict[Priority, float] = field(factory=dict[Priority, float], init=False)
    _ask_at: dict[Priority, float] = field(factory=dict[Priority, float], init=False)
    _untold: Untold = field(factory=Untold, init=False)
    _free_at: float = field(default=-math.inf, init=False)
    _alone: list[float] = field(factory=list[float], init=False)
    _alone_at: float = field(default=-math.inf, init=False)
    _failed_at: float = field(default=math.inf, init=False)
    _retry_at: float = field(default=-math.inf, init=False)
    _retry_wait: float = field(default=_RETRY_FIRST, init=False)
    _report_due: bool = field(default=False, init=False)

    def next_grant(self, now: float, calls: int = 1) -> Delay:
        """Return when calls have room, as far as is known here.

        Args:
            now: The moment.
            calls: How many calls stand before, this one included.
        """
        if self.failing:
            return self._share(now, calls)
        if len(self._hand) >= calls:
            return Delay(self._hand[calls - 1][0])
        if self.reply is None:
            return Delay(-math.inf)  # nobody knows, before the store is asked
        return Delay(self._free_at, self.reply.window)

    def next_paced(self, now: float, priority: Priority = "bulk") -> Delay:
        """Return when a call that has time may go: the store has paced it."""
        return Delay(now)

    def probing(self, now: float) -> bool:
        """Return whether the next call awaits an answer; with a store, the store says so."""
        return self.failing and super().probing(now)

    def opens(self, now: float, priority: Priority) -> float:
        """Return when the first of a class may go, or when it may ask."""
        if self.failing:
            return self._share(now, 1).until
        self._drop(now)
        if self._hand and self._hand[0][0] <= now:
            return now
        ask_at = math.inf if self._has(priority) else self._asks_at(now, priority)
        first = self._hand[0][0] if self._hand else math.inf
        return max(min(first, ask_at), now + _LOOK)

    def _has(self, priority: Priority) -> bool:
        return any(lent_for == priority for _, lent_for in self._hand)

    async def refill(self, now: float, priority: Priority, waiting: int) -> None:
        """Ask the store for calls, if there are none and it is time to ask.

        Args:
            now: The moment.
            priority: For whom.
            waiting: How many calls wait.
        """
        self._drop(now)
        if self._idle(now, priority):
            return
        async with self._lock:
            if not self._idle(now, priority):
                await self._exchange(now, priority, waiting)
        await anyio.lowlevel.checkpoint_if_cancelled()  # who was cancelled meanwhile takes nothing

    def _idle(self, now: float, priority: Priority) -> bool:
        if self.failing:
            return now < self._retry_at
        if self._has(priority) or (self._hand and self._hand[0][0] <= now):
            return True
        return now < self._asks_at(now, priority)

    def _asks_at(self, now: float, priority: Priority) -> float:
        ask_at = self._ask_at.get(priority, now)
        if priority == "bulk" and self.in_flight:
            # Who asks before the last answers are there tells of them a whole turn later.
            return max(ask_at, self._ends.get(priority, now) + _QUICK)
        return ask_at

    async def report(self, now: float) -> None:
        """Tell the store at once what others wait for: a probe's answer, or a 429."""
        if not self._report_due or (self.failing and now < self._retry_at):
            return
        # The call has its answer: nothing may take that from the caller any more.
        with anyio.CancelScope(shield=True):
            async with self._lock:
                if self._report_due:
                    await self._exchange(now, "interactive", 0)

    async def aclose(self, now: float) -> None:
        """Give back what was lent, and close the connection to the store."""
        self._drop(math.inf)
        if not self.failing and self._untold != Untold():
            async with self._lock:
                await self._exchange(now, "interactive", 0)
        await self.connection.aclose()

    async def _exchange(self, now: float, priority: Priority, waiting: int) -> None:
        message = self._message(now, priority, self._wanted(now, priority, waiting), waiting)
        told, self._untold = self._untold, Untold()
        self._report_due = False
        self.exchanges += 1
        try:
            # A reply that is lost would be a loan that nobody uses: it is waited for, but not long.
            with anyio.fail_after(_TIMEOUT, shield=True):
                reply = await self.connection.exchange(message, now)
        except (StoreError, TimeoutError) as error:
            self._untold = told.before(self._untold)
            self._fail(now, error)
            return
        if self.reply is not None and reply.born != self.reply.born:
            self._recall(now, told.used)
        self.failing, self._failed_at, self._retry_wait = False, math.inf, _RETRY_FIRST
        self.reply, self.members = reply, max(1, reply.members)
        self._free_at = now + reply.free_in
        self._report_due = bool(self._untold.extra) or (reply.probing and self.in_flight > 0)
        for slot in reply.slots:
            insort(self._hand, (now + slot, priority))
        if message.want:
            self._ask_at[priority] = now + reply.ask_in
            self._ends[priority] = now + max((reply.ask_in, *reply.slots))

    def _wanted(self, now: float, priority: Priority, waiting: int) -> int:
        """Return how many calls to ask for: twice as many as the last time, if they were made."""
        if not waiting:
            return 0
        want = self._want.get(priority, 1)
        want = 2 * want if now <= self._ends.get(priority, -math.inf) + _QUICK else 1
        self._want[priority] = min(_MOST, max(waiting, want, 2 if priority == "bulk" else 1))
        return self._want[priority]

    def _message(self, now: float, priority: Priority, want: int, waiting: int) -> Message:
        refused = None
        if self._untold.refused_at is not None:
            refused = (max(0.0, self._blocked.until - now), self._blocked.window)
        limits = self.limits
        return Message(
            member=self._member,
            want=want,
            priority=priority,
            waiting=waiting,
            **self._untold.as_spans(now),
            alone=self.members if self.failing else 0,
            refused=refused,
            limits=(limits.minute, limits.hour, limits.day),
            utc=limits.day_policy == "utc",
            even=self.spread == "even",
            reserve=self.reserve,
        )

    def _drop(self, now: float) -> None:
        """Give back what was lent and not used in time."""
        while self._hand and now >= self._hand[0][0] + _KEEP:
            _, priority = self._hand.pop(0)
            self._untold.unused += 1
            self._ends.pop(priority, None)  # the next loan is a small one again

    def _recall(self, now: float, used: Calls) -> None:
        """Tell a store that has lost its memory what was called from here.

        What was called since it failed has been told as such, but for calls lent before.
        """
        hour = self._hour.window
        earlier: Calls = []
        if isinstance(hour, SlidingWindow):
            enter(earlier, (at for at in hour.moments() if at < self._failed_at), _LONG)
        before = self._day.window.used(now) - hour.used(now)
        if before > 0:
            earlier.insert(0, (now - min(hour.span, now % _DAY), before))
        late = [(at, calls) for at, calls in used if at >= self._failed_at]
        self._untold.extra = earlier + late + self._untold.extra

    def grant(self, now: float, priority: Priority = "interactive") -> None:
        """Note that a call leaves now."""
        super().grant(now, priority)
        if self.failing:
            self._alone.append(now)
            self._alone_at = now
            return
        self._hand.pop(0)
        if self.reply is not None and self.reply.probing:
            self._report_due = True

    def give_back(self, granted_at: float | None = None) -> None:
        """Note that a granted call never left."""
        super().give_back(granted_at)
        if granted_at in self._alone:
            self._alone.remove(granted_at)
        elif self.failing:
            self._untold.unused += 1
        else:
            insort(self._hand, (granted_at or -math.inf, "interactive"))

    def settle(self, now: float, sent_at: float, seen: Observation) -> None:
        """Note that a call came back, or that it was lost after it had left.

        Args:
            now: The moment of the answer.
            sent_at: When the call was granted.
            seen: What its headers say.
        """
        super().settle(now, sent_at, seen)
        log = self._untold.used
        if sent_at in self._alone:
            self._alone.remove(sent_at)
            log = self._untold.extra
        enter(log, (now,))
        self._untold.see(now, sent_at, seen)

    def refuse(self, now: float, seen: Observation, jitter: float) -> float:
        """Note a 429, and return the seconds that everyone waits for it."""
        wait = super().refuse(now, seen, jitter)
        self._untold.refused_at = now
        self._report_due = True
        self._free_at = now + wait
        return wait

    def uses(self, now: float) -> tuple[WindowUse, WindowUse, WindowUse]:
        """Return the three windows as they stand: the whole fleet's, as the store told last."""
        own = super().uses(now)
        reply = self.reply
        if reply is None:
            return own
        minute, hour, day = (
            evolve(
                use,
                limit=limit,
                used=max(use.used, used),
                remaining=use.remaining if limit is None else max(0, limit - used),
                next_at=max(now, self._free_at) if reply.window == use.name else use.next_at,
            )
            for use, used, limit in zip(own, reply.used, reply.limits, strict=True)
        )
        return minute, hour, day

    def _fail(self, now: float, error: Exception) -> None:
        was_failing, self.failing = self.failing, True
        self._retry_at = now + self._retry_wait
        self._retry_wait = min(_RETRY_MOST, 2 * self._retry_wait)
        if not was_failing:
            self._untold.unused += len(self._hand)
            self._hand.clear()
            self._alone_at = self._failed_at = now
            reason = str(error) or type(error).__name__
            warnings.warn(
                f"the store of the shared quota cannot be used ({reason}); "
                f"until it can, this process keeps to 1/{self.members} of the limits",
                SharedQuotaWarning,
                stacklevel=2,
            )

    def _share(self, now: float, calls: int) -> Delay:
        """Return when calls may go while the store fails: within this process's share."""
        delay = super().next_grant(now, calls)
        known = self.reply.limits if self.reply else (None, None, None)
        minute = self._minute.limit or known[0] or _UNKNOWN
        for counted, told in zip((self._minute, self._hour, self._day), known, strict=True):
            limit = counted.limit or told
            part = None if limit is None else max(1, limit // self.members)
            own = Counted(counted.name, counted.window, part, counted.others, counted.shown)
            until = own.free_from(now, calls, self.in_flight)
            if until > delay.until:
                delay = Delay(until, counted.name)
        view = self._minute.view
        if view is not None and self.members > 1 and now < view.ends_at > delay.until:
            # The others call too, and each of them may take the same last call for its own.
            left = view.left - (now - view.sent_at) * minute / 60.0
            delay = Delay(view.ends_at, "minute") if left < self.members else delay
        share = max(1, minute // self.members)
        spaced = self._alone_at + calls * 60.0 / (share * _CAREFUL)
        return Delay(spaced) if spaced > delay.until else delay
