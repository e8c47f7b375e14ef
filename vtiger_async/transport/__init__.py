"""The pipeline of one call: admit, send, observe, decode - and again, where that is right.

The first attempt runs inline; the retry machinery is entered only after a failure that may be
repeated. Retry stands outside admission, since every attempt costs quota, and the slot is given
back before a back-off sleeps.
"""

from __future__ import annotations

import itertools
import logging
import random
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import tenacity
from attrs import define, field, frozen

from vtiger_async.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    VtigerError,
)
from vtiger_async.quota import Priority
from vtiger_async.quota.headers import Observation, read_headers
from vtiger_async.retry import RetryBudget, RetryPolicy, Verdict, verdict
from vtiger_async.transport.admission import Admission, Ticket
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer, decode
from vtiger_async.wire.operations import Repeat

__all__ = ["Call", "CallOptions", "Pipeline", "Sender", "waiting_until"]

_log = logging.getLogger("vtiger_async")
_call_ids = itertools.count(1)
_PROCESS = secrets.token_hex(3)
_RESET_JITTER = 2.0
"""Seconds; after a 429 everyone waits up to this much longer, so that not all come back at once."""
_DEADLINES: ContextVar[tuple[tuple[Admission, float], ...]] = ContextVar(
    "vtiger_async_deadlines", default=()
)


@frozen
class CallOptions:
    """What a caller may set per call.

    Attributes:
        timeout: Seconds to wait for each step of one request.
        max_wait: Seconds that the caller is ready to wait in all, for quota, slots and back-off.
        retry: The policy for failures.
        priority: The class of the calls; None for interactive, where none was chosen.
    """

    timeout: float
    max_wait: float
    retry: RetryPolicy
    priority: Priority | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigurationError: A value cannot be used.
        """
        if not self.timeout > 0:
            raise ConfigurationError(
                f"timeout is a number of seconds above 0, not {self.timeout!r}"
            )
        if not self.max_wait >= 0:
            raise ConfigurationError(
                f"max_wait is a number of seconds from 0, not {self.max_wait!r}"
            )
        if self.priority not in (None, "interactive", "sync", "bulk"):
            raise ConfigurationError(
                f"priority is 'interactive', 'sync' or 'bulk', not {self.priority!r}"
            )


@contextmanager
def waiting_until(admission: Admission, moment: float) -> Generator[None]:
    """Let no call of this task wait longer than to a moment, while the block runs.

    Args:
        admission: The door that it is about.
        moment: Unix seconds.
    """
    token = _DEADLINES.set((*_DEADLINES.get(), (admission, moment)))
    try:
        yield
    finally:
        _DEADLINES.reset(token)


class Sender(Protocol):
    """What a pipeline sends requests with: `Http`, or what stands in front of it."""

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        """Send a request and return the answer, as `Http.send` does."""
        ...


@define(eq=False)
class Call:
    """One call, with what its errors shall tell.

    Attributes:
        request: What is sent.
        operation: The operation's name.
        repeat: Whether it bears repetition.
        module: The module, if known.
        record_id: The record, if known.
        lenient: Whether JSON without Vtiger's envelope is taken.
        call_id: The identifier in errors and logs.
    """

    request: Outgoing
    operation: str
    repeat: Repeat
    module: str | None = None
    record_id: str | None = None
    lenient: bool = False
    call_id: str = field(factory=lambda: f"{_PROCESS}-{next(_call_ids):x}")

    def explain(self, error: VtigerError, attempts: tuple[VtigerError, ...] = ()) -> VtigerError:
        """Write into an error what call it belongs to, and return it."""
        error.operation = error.operation or self.operation
        error.module = error.module or self.module
        error.record_id = error.record_id or self.record_id
        error.call_id = self.call_id
        error.attempts = attempts
        return error


@define(eq=False)
class Pipeline:
    """Makes calls; shared by a client and all its views.

    Attributes:
        http: Sends requests.
        admission: Grants them.
        budget: Repeats that may still be spent.
        chance: Draws random numbers from 0 to 1, for jitter.
        date: The header Date of the last answer that had one, as it came.
    """

    http: Sender
    admission: Admission
    budget: RetryBudget = field(factory=RetryBudget)
    chance: Callable[[], float] = random.random
    date: str | None = field(default=None, init=False)

    def recycled(self) -> None:
        """Tell those who listen that a pool of connections was replaced."""
        if self.admission.listeners:
            self.admission.tell("Recycled")

    async def run(self, call: Call, options: CallOptions) -> Any:
        """Make the call and return its result as decoded JSON.

        Raises:
            VtigerError: Any of the tree, with the call's context.
        """
        deadline = self.admission.now() + options.max_wait
        for admission, moment in _DEADLINES.get():
            if admission is self.admission:
                deadline = min(deadline, moment)
        try:
            result = await self._attempt(call, options, deadline)
        except VtigerError as error:
            what = verdict(error, call.repeat, options.retry)
            if what is Verdict.UNKNOWN:
                raise self._unknown(call, error, ()) from error
            if what is Verdict.FINAL:
                call.explain(error)
                raise
            result = await self._again(call, options, deadline, error)
        self.budget.earn(options.retry.budget)
        return result

    async def _attempt(
        self, call: Call, options: CallOptions, deadline: float, *, first: bool = False
    ) -> Any:
        """Send the request once; an error that it raises has no context yet."""
        admission = self.admission
        priority = options.priority or "interactive"
        ticket = await admission.enter(deadline, first=first, priority=priority)
        try:
            answer = await self.http.send(call.request, options.timeout, ticket)
        except BaseException as error:
            if isinstance(error, RequestTimeoutError):
                admission.slots.failed(ticket.granted_at, admission.now())
            admission.leave(ticket)
            raise
        seen = read_headers(answer.headers, admission.now())
        self.date = answer.headers.get("date", self.date)
        if answer.status >= 500:
            admission.slots.failed(ticket.granted_at, admission.now())
        else:
            admission.slots.answered()
        admission.leave(ticket, seen)
        refused = self._refused(answer, seen) if answer.status == 429 else None
        if admission.loans is not None:
            await admission.loans.report(admission.now())
        if refused is not None:
            raise refused
        admission.ledger.accept()
        try:
            return decode(answer, lenient=call.lenient)
        except ServerError as error:
            if answer.status == 503:
                error.retry_after = seen.retry_after
            raise

    def _refused(self, answer: Answer, seen: Observation) -> RateLimitError:
        wait = self.admission.refuse(seen, self.chance() * _RESET_JITTER)
        return RateLimitError(
            f"over the instance's limit; the next call has a chance in {wait:.1f} s",
            status=answer.status,
            retry_after=wait,
        )

    async def _again(
        self, call: Call, options: CallOptions, deadline: float, error: VtigerError
    ) -> Any:
        """Repeat a call whose first attempt failed in a way that may be repeated."""
        failures: list[VtigerError] = []
        try:
            async for attempt in self._retrying(call, options, deadline):
                with attempt:
                    if not failures:
                        raise error  # tenacity judges the first failure like any other
                    refused = isinstance(failures[-1], RateLimitError)
                    return await self._attempt(call, options, deadline, first=refused)
                failures.append(_failure(attempt.retry_state))
        except VtigerError as last:
            earlier = tuple(failure for failure in failures if failure is not last)
            if self._may_have_happened(call, (*earlier, last)):
                raise self._unknown(call, last, earlier) from last
            call.explain(last, earlier)
            raise
        raise AssertionError("tenacity ends by returning or raising")

    def _retrying(
        self, call: Call, options: CallOptions, deadline: float
    ) -> tenacity.AsyncRetrying:
        policy = options.retry

        def worth(error: BaseException) -> bool:
            if not isinstance(error, VtigerError) or isinstance(error, QuotaExhaustedError):
                return False
            return verdict(error, call.repeat, policy) is Verdict.AGAIN

        def pause(state: tenacity.RetryCallState) -> float:
            error = _failure(state)
            if isinstance(error, RateLimitError):
                return 0.0  # admission makes everyone wait, this call first in the queue
            asked = error.retry_after if isinstance(error, ServerError) else None
            if asked is not None:
                return asked + self.chance() * _RESET_JITTER
            return policy.backoff(state.attempt_number, self.chance())

        def enough(state: tenacity.RetryCallState) -> bool:
            error = _failure(state)
            wait = state.upcoming_sleep
            if isinstance(error, RateLimitError):
                wait = error.retry_after or 0.0
            late = self.admission.now() + wait > deadline
            if late or state.attempt_number >= policy.max_attempts:
                return True
            # A refusal by the limit is no failure of the server: it needs no budget.
            return not (isinstance(error, RateLimitError) or self.budget.spend())

        def report(state: tenacity.RetryCallState) -> None:
            _log.info("call %s is sent again after: %s", call.call_id, _failure(state))

        return tenacity.AsyncRetrying(
            sleep=self.admission.clock.sleep,
            stop=enough,
            wait=pause,
            retry=tenacity.retry_if_exception(worth),
            before_sleep=report,
            reraise=True,
        )

    def _may_have_happened(self, call: Call, failures: tuple[VtigerError, ...]) -> bool:
        """Return whether one attempt of a write was sent, and its reply was lost."""
        once = RetryPolicy(max_attempts=1)
        return any(verdict(f, call.repeat, once) is Verdict.UNKNOWN for f in failures)

    def _unknown(
        self, call: Call, error: VtigerError, earlier: tuple[VtigerError, ...]
    ) -> OutcomeUnknownError:
        call.explain(error)
        unknown = OutcomeUnknownError(
            f"the {call.operation} was sent, and its reply was lost: {error.message}",
            status=error.status,
        )
        call.explain(unknown, (*earlier, error))
        return unknown


def _failure(state: tenacity.RetryCallState) -> VtigerError:
    """Return the failure of the attempt that tenacity is judging."""
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, VtigerError):
        return error
    raise AssertionError("only errors of the package reach the retry loop") from error
