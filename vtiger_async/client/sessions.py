"""Sessions: the way of a call over webservice.php, loaded where a client asks for it.

Facts built on: a lost session is told by one of four codes, before anything is executed; an
unknown operation is HTTP 500 with an empty body (both measured on Vtiger 8.4), even without a
session, where one that is known asks for one (read in the open source).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.lowlevel
from attrs import define, evolve, field

from vtiger_async.client.login import Login, left_of
from vtiger_async.client.session_pool import NoSessionError, SessionPool, Turn
from vtiger_async.errors import (
    AuthenticationError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    ServerError,
    UnsupportedOperationError,
    VtigerError,
)
from vtiger_async.retry import Verdict, verdict
from vtiger_async.transport import Call, CallOptions, Pipeline
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.encode import FilePart, Pairs, encode_parameters
from vtiger_async.wire.operations import OPERATIONS, Operation, Repeat

__all__ = ["LOST_CODES", "Sessions"]

LOST_CODES = frozenset(
    {"AUTHENTICATION_REQUIRED", "INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"}
)
"""The codes of a lost session; each proves that the operation was not executed."""

_log = logging.getLogger("vtiger_async")


@define(eq=False)
class Sessions:
    """What a client and its views have in place of the way over REST.

    Attributes:
        pipeline: Makes the calls.
        login: Logs in; it knows the user.
        pool: The sessions.
    """

    pipeline: Pipeline
    login: Login
    pool: SessionPool = field(init=False)
    _known: set[str] = field(factory=set[str], init=False)
    _absent: set[str] = field(factory=set[str], init=False)

    def __attrs_post_init__(self) -> None:
        """Start without a session: the first call logs in."""
        self.pool = SessionPool(self.pipeline, self.login)

    @property
    def sees_all(self) -> bool | None:
        """Whether the user is an administrator, as the login told; None where it did not."""
        told = self.login.user.get("is_admin")
        return None if told is None else told == "on"

    async def operate(
        self,
        operation: Operation,
        values: Mapping[str, Any],
        options: CallOptions,
        alias: str | None,
        module: str | None,
        record_id: str | None,
        files: Sequence[FilePart],
    ) -> Any:
        """Make one operation of the table and return its `result`.

        Args:
            operation: Its row.
            values: Its parameters by their names on the wire.
            options: What the caller has set.
            alias: The name that this server has for it, if another.
            module: The module, for errors.
            record_id: The record, for errors.
            files: Files that go with it.

        Raises:
            VtigerError: As `run`.
        """
        if operation.name == "me":
            return await self._me(options)
        return await self.run(
            operation.verb,
            alias or operation.name,
            encode_parameters(operation, values, lists_as_json=True),
            options,
            repeat=operation.repeat,
            module=module,
            record_id=record_id,
            files=files,
        )

    async def run(
        self,
        verb: str,
        name: str,
        pairs: Pairs,
        options: CallOptions,
        *,
        repeat: Repeat,
        module: str | None = None,
        record_id: str | None = None,
        files: Sequence[FilePart] = (),
    ) -> Any:
        """Make one call and return its `result`.

        Args:
            verb: The HTTP method: reads have their parameters from the URL, writes from the form.
            name: The operation's name on the wire.
            pairs: Its parameters.
            options: What the caller has set.
            repeat: Whether it bears repetition.
            module: The module, for errors.
            record_id: The record, for errors.
            files: Files that go with it.

        Raises:
            AuthenticationError: The login was refused, or a fresh session was lost at once.
            UnsupportedOperationError: This webservice.php has no such operation.
            VtigerError: As `Pipeline.run`.
        """
        whole = [*pairs, ("operation", name)]
        request = Outgoing.of(self.login.url, verb, whole, files, anonymous=True)
        call = Call(request, name, repeat, module, record_id)
        deadline = self.pipeline.admission.now() + options.max_wait
        if name in self._absent:
            raise call.explain(_absent(name))
        operation = OPERATIONS.get(name)
        try:
            if name in self._known or (operation is not None and operation.on_sessions):
                return await self._on_session(call, options, deadline)
            return await self._first(call, options, deadline)
        except UnsupportedOperationError as error:
            if error.code != "UNKNOWN_OPERATION":
                raise
            self._absent.add(name)
            raise call.explain(_absent(name)) from error

    async def _me(self, options: CallOptions) -> dict[str, Any]:
        """Return what the login has told of the user, under the names that `me` has for it.

        The open source has no `me` here, and refuses to let a user who is no administrator retrieve
        himself (measured). It costs a call only where nobody has logged in yet.
        """
        login = self.login
        if not login.made:
            await self.pool.room(options, self.pipeline.admission.now() + options.max_wait)
        names = {"userId": "id", "username": "user_name", "email": "email1"}
        hidden = ("version", "vtigerVersion")
        told = {names.get(k, k): value for k, value in login.user.items() if k not in hidden}
        return {"user_name": login.username, **told}

    async def _first(self, call: Call, options: CallOptions, deadline: float) -> Any:
        """Make the first call of an operation that this server may not have.

        An unknown one gets the answer of a failure of PHP: before that is taken for one, and the
        call repeated, the operation is called without a session, where it cannot be executed.
        """
        once = evolve(call, repeat=Repeat.NEVER)
        try:
            result = await self._on_session(once, options, deadline)
        except OutcomeUnknownError as error:
            cause, reads = error.attempts[-1], call.repeat is Repeat.SAFE
            if _is_fatal(cause):
                if not await self._exists(call, options, deadline):
                    raise _absent(call.operation) from cause
                if reads:
                    raise call.explain(_broken(call.operation)) from cause
                raise
            patient = options.retry.max_attempts > 1
            if verdict(cause, call.repeat, options.retry) is Verdict.AGAIN and patient:
                return await self._on_session(call, options, deadline)
            if reads:
                raise call.explain(cause) from None
            raise
        self._known.add(call.operation)
        return result

    async def _exists(self, call: Call, options: CallOptions, deadline: float) -> bool:
        """Return whether the server has an operation; True also where it cannot be told."""
        named = [("operation", call.operation)]
        bare = Outgoing.of(self.login.url, call.request.verb, named, anonymous=True)
        probe = Call(bare, call.operation, Repeat.NEVER)
        try:
            await self.pipeline.run(probe, left_of(options, deadline, self.pipeline.admission))
        except OutcomeUnknownError as error:
            return not _is_fatal(error.attempts[-1])
        except VtigerError:
            pass  # it wants a session: so it is there - or nobody can say
        return True

    async def _on_session(self, call: Call, options: CallOptions, deadline: float) -> Any:
        """Make a call on a session; log in again, once, where it is lost."""
        newest: int | None = None
        while True:
            try:
                await self.pool.room(options, deadline)
            except QuotaExhaustedError as error:
                call.explain(error)
                raise
            turn = Turn(self.pool)
            left = left_of(options, deadline, self.pipeline.admission)
            try:
                return await evolve(self.pipeline, http=turn).run(call, left)
            except NoSessionError:
                await anyio.lowlevel.checkpoint()  # whoever logs in must get on
            except AuthenticationError as error:
                if turn.used is None or error.code not in LOST_CODES:
                    raise
                self.pool.lose(turn.used)
                if newest is not None and turn.used.number > newest:
                    raise
                newest = self.login.made if newest is None else newest
                _log.info("call %s found its session lost (%s)", call.call_id, error.code)
            finally:
                self.pool.wake()


def _is_fatal(error: VtigerError) -> bool:
    """Return whether PHP broke off: HTTP 500, and no word from Vtiger."""
    return isinstance(error, ServerError) and error.status == 500 and error.code is None


def _absent(name: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(
        f"webservice.php of this server has no operation {name}; REST may have it, which a client "
        "without session_api uses",
        code="UNKNOWN_OPERATION",
    )


def _broken(name: str) -> ServerError:
    return ServerError(
        f"webservice.php of this server has the operation {name}, and fails at it with an empty "
        "HTTP 500, as open-source Vtiger 8.4 does at sync; REST may do better, which a client "
        "without session_api uses",
        status=500,
    )
