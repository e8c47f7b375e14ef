"""The pool of sessions on webservice.php: who may use which, and when another one is made.

PHP runs the requests of one session one after another (measured on Vtiger 8.4), so calls that run
in parallel want a session each.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from datetime import UTC, datetime

import anyio
from attrs import define, field

from vtiger_async.client.login import Login, signed
from vtiger_async.errors import (
    QuotaExhaustedError,
    RateLimitError,
    RequestTimeoutError,
    VtigerError,
)
from vtiger_async.transport import CallOptions, Pipeline
from vtiger_async.transport.admission import Ticket
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer

__all__ = ["NoSessionError", "Session", "SessionPool", "Turn"]


@define(eq=False)
class Session:
    """One session.

    Attributes:
        name: Its name, a secret.
        number: Which login of the client made it, from 1.
        calls: How many requests are under way on it.
        lost: Whether the server has said that it is no more.
    """

    name: str = field(repr=False)
    number: int
    calls: int = 0
    lost: bool = False


class NoSessionError(VtigerError):
    """No session was idle when the call's turn came; nothing was sent, and no user sees it."""


@define(eq=False)
class Turn:
    """What one call is sent with: each attempt takes a session for as long as it is under way.

    Attributes:
        pool: Where the sessions are.
        used: The session of the last attempt.
    """

    pool: SessionPool
    used: Session | None = None

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        """Send a request on a session.

        Raises:
            NoSessionError: None is idle.
            TransportError: As `Http.send`.
        """
        pool = self.pool
        session = self.used = pool.take(self.used)
        answered = stuck = False
        try:
            answer = await pool.pipeline.http.send(signed(request, session.name), seconds, ticket)
            answered = True
        except RequestTimeoutError:
            stuck = True
            raise
        finally:
            pool.give(session, answered=answered, stuck=stuck)
        return answer


@define(eq=False)
class _Waiter:
    """A call that waits for a session, and the failure of the login that it waited for."""

    wake: anyio.Event = field(factory=anyio.Event)
    failure: VtigerError | None = None


@define(eq=False)
class SessionPool:
    """The sessions of one client and all its views.

    A session is taken when a request leaves, and is free again when the answer is there: a call
    that waits for its quota, or between two attempts, holds none. So there are never more sessions
    than calls in flight, and one more is made only where none is idle. The one used last is taken
    first: it is the surest to be alive.

    Attributes:
        pipeline: Makes the calls.
        login: Makes the sessions, one at a time.
    """

    pipeline: Pipeline
    login: Login
    _open: set[Session] = field(factory=set[Session], init=False)
    _idle: list[Session] = field(factory=list[Session], init=False)
    _line: deque[_Waiter] = field(factory=deque[_Waiter], init=False)
    _logging_in: bool = field(default=False, init=False)

    def take(self, previous: Session | None) -> Session:
        """Return a session for one request.

        Args:
            previous: The one of the attempt before: it is shared, rather than to give up.

        Raises:
            NoSessionError: None is idle.
        """
        if self._idle:
            session = self._idle.pop()
        elif previous is not None and not previous.lost:
            session = previous
        else:
            raise NoSessionError("no session is idle")
        session.calls += 1
        return session

    def give(self, session: Session, *, answered: bool, stuck: bool) -> None:
        """Give a session back after a request.

        Args:
            session: The session.
            answered: Whether the answer came; else PHP may still hold the session, and it is taken
                last.
            stuck: Whether the answer did not come in time: another session is made then.
        """
        session.calls -= 1
        if stuck:
            self._open.discard(session)
        if session.calls == 0 and session in self._open:
            self._idle.insert(len(self._idle) if answered else 0, session)
        self.wake()

    def lose(self, session: Session) -> None:
        """Forget a lost session, and the idle ones: none of them was used later than it."""
        for lost in (session, *self._idle):
            lost.lost = True
            self._open.discard(lost)
        self._idle.clear()

    async def room(self, options: CallOptions, deadline: float) -> None:
        """Return when a session is idle, or as many are in use as there may be calls in flight.

        In the latter case the call waits for its slot, and with the slot there is a session.

        Args:
            options: What the caller has set.
            deadline: Unix seconds after which the caller does not want to wait any more.

        Raises:
            QuotaExhaustedError: There was none by the deadline.
            VtigerError: As `Login.log_in`.
        """
        while not self._idle and len(self._open) < self.pipeline.admission.max_in_flight:
            if not self._logging_in:
                await self._grow(options, deadline)
                return
            await self._wait(deadline)

    async def _wait(self, deadline: float) -> None:
        """Wait in line until there is news of a session.

        Raises:
            QuotaExhaustedError: There was none by the deadline.
            VtigerError: The login failed that was under way.
        """
        waiter = _Waiter()
        self._line.append(waiter)
        try:
            await self._news(waiter, deadline)
        except BaseException:
            if waiter in self._line:
                self._line.remove(waiter)
            else:
                self.wake()  # what this one was woken for is for the next
            raise
        if waiter.failure is not None:
            raise copy.copy(waiter.failure)

    async def _news(self, waiter: _Waiter, deadline: float) -> None:
        if math.isinf(deadline):
            await waiter.wake.wait()
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._ring, waiter.wake, deadline)
            await waiter.wake.wait()
            group.cancel_scope.cancel()
        if waiter in self._line:
            raise QuotaExhaustedError(
                "no session came free in time; give a longer max_wait",
                window="in_flight",
                resets_at=datetime.fromtimestamp(deadline, UTC),
            )

    async def _ring(self, wake: anyio.Event, deadline: float) -> None:
        admission = self.pipeline.admission
        await admission.clock.sleep(max(0.0, deadline - admission.now()))
        wake.set()

    def wake(self) -> None:
        """Let the first of those who wait look again."""
        if self._line:
            self._line.popleft().wake.set()

    async def _grow(self, options: CallOptions, deadline: float) -> None:
        """Log in, and tell those who wait how it went."""
        self._logging_in = True
        try:
            name = await self.login.log_in(options, deadline)
            session = Session(name, self.login.made)
            self._open.add(session)
            self._idle.append(session)
        except (QuotaExhaustedError, RateLimitError):
            raise  # the others may be more patient
        except VtigerError as error:
            for waiter in self._line:
                waiter.failure = error
                waiter.wake.set()
            self._line.clear()
            raise
        finally:
            self._logging_in = False
            self.wake()
