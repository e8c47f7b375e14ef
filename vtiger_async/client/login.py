"""The login on webservice.php, and what a request to it looks like.

Measured on Vtiger 8.4: a challenge is valid for 300 seconds, and there is one per user, so that the
next one makes it void, whoever asked for it; the answer to it is its MD5 with the access key.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from attrs import define, evolve, field

from vtiger_async.errors import (
    AccessDeniedError,
    AuthenticationError,
    InvalidResponseError,
    VtigerError,
)
from vtiger_async.transport import Call, CallOptions, Pipeline
from vtiger_async.transport.admission import Admission
from vtiger_async.transport.http import Outgoing
from vtiger_async.types import is_map
from vtiger_async.wire.encode import form_text
from vtiger_async.wire.operations import Repeat

__all__ = ["Login", "left_of", "signed"]

_RACED = frozenset({"INVALID_AUTH_TOKEN", "INVALID_USER_CREDENTIALS"})
"""How a login fails whose challenge another program has made void - or whose key is wrong."""
_TRIES = 2
_TRIES_WITH_A_GOOD_KEY = 4


@define(eq=False)
class Login:
    """Logs one user in.

    Attributes:
        pipeline: Makes the calls: two for each login.
        url: The address of webservice.php.
        username: The user's login.
        user: What the last login has told of the user; empty before the first one.
        made: How many logins have succeeded.
    """

    pipeline: Pipeline
    url: str
    username: str
    _access_key: str = field(repr=False)
    user: dict[str, Any] = field(factory=dict[str, Any], init=False, repr=False)
    made: int = field(default=0, init=False)

    async def log_in(self, options: CallOptions, deadline: float) -> str:
        """Log in and return the session's name, which is a secret.

        A refusal can also mean that another program of this user has asked for a challenge in
        between. So it is tried again, but not for long: a wrong key looks the same.

        Args:
            options: What the caller has set.
            deadline: Unix seconds after which the caller does not want to wait any more.

        Raises:
            AuthenticationError: The login was refused.
            VtigerError: As `Pipeline.run`.
        """
        admission = self.pipeline.admission
        most = min(_TRIES_WITH_A_GOOD_KEY if self.made else _TRIES, options.retry.max_attempts)
        number = 0
        while True:
            number += 1
            token = await self._challenge(left_of(options, deadline, admission))
            try:
                return await self._answer(token, left_of(options, deadline, admission))
            except AuthenticationError as error:
                pause = options.retry.backoff(number, self.pipeline.chance())
                late = admission.now() + pause > deadline
                if error.code not in _RACED or number >= most or late:
                    raise _refused(error, number) from None
            await admission.clock.sleep(pause)

    async def _challenge(self, options: CallOptions) -> str:
        pairs = [("username", self.username), ("operation", "getchallenge")]
        call = Call(
            Outgoing.of(self.url, "GET", pairs, anonymous=True), "getchallenge", Repeat.SAFE
        )
        try:
            result = await self.pipeline.run(call, options)
        except AccessDeniedError as error:  # "username does not exists"
            raise _refused(error, 1) from None
        return _text_of(result, "token", call)

    async def _answer(self, token: str, options: CallOptions) -> str:
        secret = (token + self._access_key).encode()
        digest = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        pairs = [("username", self.username), ("accessKey", digest), ("operation", "login")]
        # A lost reply leaves a session that nobody knows, and harms nothing.
        call = Call(Outgoing.of(self.url, "POST", pairs, anonymous=True), "login", Repeat.SAFE)
        result = await self.pipeline.run(call, options)
        name = _text_of(result, "sessionName", call)
        self.user = {key: value for key, value in result.items() if key != "sessionName"}
        self.made += 1
        return name


def left_of(options: CallOptions, deadline: float, admission: Admission) -> CallOptions:
    """Return the options with what is left of the time that the caller is ready to wait."""
    if math.isinf(deadline):
        return options
    return evolve(options, max_wait=max(0.0, deadline - admission.now()))


def signed(request: Outgoing, name: str) -> Outgoing:
    """Return the request with a session's name where its other parameters are."""
    if request.files:
        return evolve(request, fields={**request.fields, "sessionName": name})
    text = "&" + form_text([("sessionName", name)])
    if request.body is None:
        return evolve(request, url=request.url + text)
    return evolve(request, body=request.body + text.encode("ascii"))


def _text_of(result: Any, name: str, call: Call) -> str:
    """Return a text of the result of a login's call.

    Raises:
        InvalidResponseError: There is none; what came is not shown, since it may be a secret.
    """
    fields: Mapping[str, Any] = result if is_map(result) else {}
    text = fields.get(name)
    if isinstance(text, str) and text:
        return text
    raise call.explain(InvalidResponseError(f"the answer to {call.operation} has no {name}"))


def _refused(error: VtigerError, times: int) -> AuthenticationError:
    often = f" {times} times" if times > 1 else ""
    return AuthenticationError(
        f"the login on webservice.php was refused{often}: {error.message}",
        operation=error.operation,
        status=error.status,
        code=error.code,
        call_id=error.call_id,
    )
