"""The ledger of a process that shares its quota: it makes calls that it was lent.

Whoever is first in line asks the store, so nothing runs in the background. While the store fails,
the process keeps to its share of each window, evenly spaced, and to what headers say.
"""

from __future__ import annotations

import math
import secrets
import warnings

import anyio
import anyio.lowlevel
from attrs import define, evolve, field

from vtiger_async.quota import Delay, Ledger, Priority, WindowUse
from vtiger_async.quota.fleet import Message, Reply
from vtiger_async.quota.headers import NOTHING, Observation
from vtiger_async.quota.windows import Counted
from vtiger_async.stores import SharedQuotaWarning, StoreConnection, StoreError

__all__ = ["SharedLedger"]

_MOST = 10
"""Calls that are borrowed at a time."""
_KEEP = 2.0
"""Seconds after which a borrowed call that was not made is given back."""
_QUICK = 1.0
"""Seconds within which a loan that is used up lets the next one be larger."""
_TIMEOUT = 2.0
"""Real seconds that a store has to answer."""
_RETRY_FIRST, _RETRY_MOST = 1.0, 30.0
"""Seconds until a store that failed is tried again; they double."""
_CAREFUL = 0.75
"""The part of its share that a process spends while the store fails: nobody sees the others."""
_UNKNOWN = 30
"""Calls a minute to share where no limit is known and the store fails."""
_LOG, _FINE, _COARSE = 500, 0.25, 300.0
"""Entries of calls to be reported that are kept as they are; how close ones are taken together, in
seconds, and how close all are beyond that."""


@define(kw_only=True, eq=False)
class SharedLedger(Ledger):
    """One process's part of a shared quota.

    Attributes:
        connection: The way to the store.
        members: Processes to reckon with: as the store has told, or a guess before.
        failing: Whether the store could not be used when it was last tried.
        reply: What the store said last.
    """

    connection: StoreConnection = field(repr=False)
    members: int
    failing: bool = field(default=False, init=False)
    reply: Reply | None = field(default=None, init=False)
    _member: str = field(factory=lambda: secrets.token_hex(6), init=False, repr=False)
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False, repr=False)
    _hand: int = field(default=0, init=False)
    _lent_at: float = field(default=-math.inf, init=False)
    _lent_for: Priority = field(default="interactive", init=False)
    _want: dict[Priority, int] = field(factory=dict[Priority, int], init=False)
    _used: list[tuple[float, int]] = field(factory=list[tuple[float, int]], init=False)
    _extra: list[tuple[float, int]] = field(factory=list[tuple[float, int]], init=False)
    _unused: int = field(default=0, init=False)
    _seen: tuple[float, Observation] | None = field(default=None, init=False)
    _refused_at: float | None = field(default=None, init=False)
    _ask_at: dict[Priority, float] = field(factory=dict[Priority, float], init=False)
    _free_at: float = field(default=-math.inf, init=False)
    _alone: list[float] = field(factory=list[float], init=False)
    _alone_at: float = field(default=-math.inf, init=False)
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
        if self._hand >= calls or self.reply is None:
            return Delay(-math.inf)  # or nobody knows, before the store is asked
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
        return now if self._hand > 0 else max(self._ask_at.get(priority, now), now + _FINE / 10)

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
        return self._hand > 0 or now < self._ask_at.get(priority, now)

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
        if not self.failing and (self._unused or self._used or self._extra):
            async with self._lock:
                await self._exchange(now, "interactive", 0)
        await self.connection.aclose()

    async def _exchange(self, now: float, priority: Priority, waiting: int) -> None:
        want = min(_MOST, max(waiting, self._want.get(priority, 1))) if waiting else 0
        message = self._message(now, priority, want, waiting)
        used, extra, unused = self._used, self._extra, self._unused
        seen, refused_at = self._seen, self._refused_at
        self._used, self._extra, self._unused, self._seen, self._refused_at = [], [], 0, None, None
        self._report_due = False
        try:
            # A reply that is lost would be a loan that nobody uses: it is waited for, but not long.
            with anyio.fail_after(_TIMEOUT, shield=True):
                reply = await self.connection.exchange(message, now)
        except (StoreError, TimeoutError) as error:
            self._used, self._extra = used + self._used, extra + self._extra
            self._unused += unused
            self._seen, self._refused_at = self._seen or seen, refused_at
            self._fail(now, error)
            return
        self.failing, self._retry_wait = False, _RETRY_FIRST
        self.reply, self.members = reply, max(1, reply.members)
        self._free_at = now + reply.free_in
        self._report_due = reply.probing and self.in_flight > 0
        if reply.lent:
            self._hand, self._lent_at = self._hand + reply.lent, now
            self._lent_for = priority
            self._ask_at.clear()
        elif want:
            self._ask_at[priority] = now + reply.ask_in

    def _message(self, now: float, priority: Priority, want: int, waiting: int) -> Message:
        seen = None
        if self._seen is not None:
            sent_at, word = self._seen
            reset_in = None if word.reset_in is None else max(0.0, word.reset_in - now)
            seen = (
                now - sent_at, word.minute_limit, word.minute_remaining, reset_in,
                word.day_limit, word.day_remaining,
            )  # fmt: skip
        refused = None
        if self._refused_at is not None:
            refused = (max(0.0, self._blocked.until - now), self._blocked.window)
        limits = self.limits
        return Message(
            member=self._member,
            want=want,
            priority=priority,
            waiting=waiting,
            used=tuple((max(0.0, now - at), calls) for at, calls in self._used),
            extra=tuple((max(0.0, now - at), calls) for at, calls in self._extra),
            unused=self._unused,
            seen=seen,
            refused=refused,
            limits=(limits.minute, limits.hour, limits.day),
            utc=limits.day_policy == "utc",
            even=self.spread == "even",
            reserve=self.reserve,
        )

    def _drop(self, now: float) -> None:
        """Give back what was lent and not used in time."""
        if self._hand and now >= self._lent_at + _KEEP:
            self._unused += self._hand
            self._hand = 0
            self._want[self._lent_for] = max(1, self._want.get(self._lent_for, 1) // 2)

    def grant(self, now: float, priority: Priority = "interactive") -> None:
        """Note that a call leaves now."""
        super().grant(now, priority)
        if self.failing:
            self._alone.append(now)
            self._alone_at = now
            return
        self._hand -= 1
        if priority != self._lent_for:
            self._want[self._lent_for] = 1
        elif self._hand == 0 and now < self._lent_at + _QUICK:
            self._want[priority] = min(_MOST, self._want.get(priority, 1) * 2)
        if self.reply is not None and self.reply.probing:
            self._report_due = True

    def give_back(self, granted_at: float | None = None) -> None:
        """Note that a granted call never left."""
        super().give_back(granted_at)
        if granted_at in self._alone:
            self._alone.remove(granted_at)
        else:
            self._hand += 1

    def settle(self, now: float, sent_at: float, seen: Observation) -> None:
        """Note that a call came back, or that it was lost after it had left.

        Args:
            now: The moment of the answer.
            sent_at: When the call was granted.
            seen: What its headers say.
        """
        super().settle(now, sent_at, seen)
        log = self._used
        if sent_at in self._alone:
            self._alone.remove(sent_at)
            log = self._extra
        _note(log, now)
        if seen is not NOTHING and (self._seen is None or sent_at >= self._seen[0]):
            if seen.reset_in is not None:
                # It is told later than it was seen: kept as a moment until then.
                seen = evolve(seen, reset_in=now + seen.reset_in)
            self._seen = (sent_at, seen)

    def refuse(self, now: float, seen: Observation, jitter: float) -> float:
        """Note a 429, and return the seconds that everyone waits for it."""
        wait = super().refuse(now, seen, jitter)
        self._refused_at = now
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
            self._unused += self._hand
            self._hand = 0
            self._alone_at = now
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
        share = max(1, (self._minute.limit or known[0] or _UNKNOWN) // self.members)
        for counted, told in zip((self._minute, self._hour, self._day), known, strict=True):
            limit = counted.limit or told
            part = None if limit is None else max(1, limit // self.members)
            own = Counted(counted.name, counted.window, part, counted.others, counted.shown)
            until = own.free_from(now, calls, self.in_flight)
            if until > delay.until:
                delay = Delay(until, counted.name)
        spaced = self._alone_at + calls * 60.0 / (share * _CAREFUL)
        return Delay(spaced) if spaced > delay.until else delay


def _note(log: list[tuple[float, int]], now: float) -> None:
    """Enter a call; close ones are one entry, and so is any much older stretch of a long log."""
    if log and now - log[-1][0] < _FINE:
        log[-1] = (now, log[-1][1] + 1)
    else:
        log.append((now, 1))
    if len(log) > _LOG:
        merged: dict[int, tuple[float, int]] = {}
        for at, calls in log:
            step = int(at // _COARSE)
            merged[step] = (at, merged.get(step, (at, 0))[1] + calls)
        log[:] = merged.values()
