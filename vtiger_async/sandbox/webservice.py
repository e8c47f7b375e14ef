"""`/webservice.php`: challenge, login and sessions, in front of the same operations.

Measured on Vtiger 8.4: each handled error has HTTP 200; an operation that reads has its parameters
from the URL alone, one that writes from the form alone, whatever the verb; requests of one session
run one after another; what PHP does not catch is HTTP 500 with an empty body. Read in the open
source: an unknown operation is such a failure before the session is looked at, and so is a
parameter that is a PHP array (`name[]`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

import anyio
from attrs import define, evolve, field

from vtiger_async.clock import Clock
from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.engine import Engine, User
from vtiger_async.sandbox.params import Call
from vtiger_async.sandbox.replies import Reply, failure, last_words, success
from vtiger_async.wire.operations import OPERATIONS

__all__ = ["CHALLENGE_SECONDS", "IDLE_SECONDS", "WEBSERVICE_PATH", "LossCode", "Webservice"]

LossCode: TypeAlias = Literal[
    "AUTHENTICATION_REQUIRED", "INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"
]
"""The codes by which a lost session can show; INVALID_SESSIONID is the one that was measured."""

WEBSERVICE_PATH = "/webservice.php"
"""The path of all operations."""

CHALLENGE_SECONDS = 300
"""How long a challenge is valid (measured)."""

IDLE_SECONDS = 1800
"""How long a session lives that nobody uses: the open source's default."""

_JSON = b"application/json"
_READING = {"getchallenge"} | {
    name.lower() for name, operation in OPERATIONS.items() if operation.verb == "GET"
}
_OF_SESSIONS = frozenset({"extendsession", "logout"})
_LOSSES: dict[LossCode, str] = {
    "AUTHENTICATION_REQUIRED": "Authencation required",
    "INVALID_SESSIONID": "Session Identifier provided is Invalid",
    "SESSION_EXPIRED": "Session has life span over please login again",
    "SESSION_LEFT_IDLE": "Session has been invalidated to due lack activity",
}
_FATAL = Reply(500, b"", content_type=b"text/html; charset=UTF-8")


@define
class _Session:
    """One session: its user, when it was used last, and the lock that PHP holds on it.

    What a client has hung up on goes on, and holds the session until `held_until`.
    """

    user: User
    used: float
    held_until: float = 0.0
    lock: anyio.Lock = field(factory=anyio.Lock)


@define
class Webservice:
    """The sessions of one instance.

    Attributes:
        engine: The CRM behind them.
        clock: What challenges and sessions expire by.
    """

    engine: Engine
    clock: Clock
    _tokens: dict[str, tuple[str, float]] = field(factory=dict[str, tuple[str, float]], repr=False)
    _sessions: dict[str, _Session] = field(factory=dict[str, _Session], repr=False)
    _ended: dict[str, LossCode] = field(factory=dict[str, LossCode], repr=False)
    _given: int = 0

    @staticmethod
    def narrowed(call: Call) -> Call:
        """Return the call under its operation's name, with the parameters that PHP looks at."""
        name = _text(call, "operation")
        return evolve(call, name=name, session=_session_named(call), params=_seen(call, name))

    @asynccontextmanager
    async def turn(self, call: Call) -> AsyncGenerator[None, None]:
        """Wait until no other request of the call's session runs, and hold the session."""
        session = self._sessions.get(call.session or "")
        if session is None:
            yield
            return
        async with session.lock:
            if (left := session.held_until - self.clock.time()) > 0:
                await self.clock.sleep(left)
            yield

    def hold(self, call: Call, until: float) -> None:
        """Keep the session of a call that nobody waits for any more, until it is executed."""
        if session := self._sessions.get(call.session or ""):
            session.held_until = until

    def end_sessions(self, code: LossCode = "INVALID_SESSIONID") -> None:
        """Forget every session and challenge, as a server does that restarts.

        Args:
            code: What calls on these sessions are told from now on.
        """
        self._ended |= dict.fromkeys(self._sessions, code)
        self._sessions.clear()
        self._tokens.clear()

    def answer(self, call: Call, *, crowded: bool = False) -> Reply:
        """Return the reply to a call.

        Args:
            call: The call, as `narrowed` gives it.
            crowded: Whether other calls are under way.
        """
        try:
            return success(self._result(call, crowded=crowded), _JSON)
        except Fault as fault:
            if fault.is_page:
                return last_words(fault.message)
            if fault.status >= 500:
                return _FATAL
            reply = failure(fault.code, fault.message, 200)
            return evolve(reply, content_type=_JSON, reason="")

    def _result(self, call: Call, *, crowded: bool) -> object:
        name = call.name.lower()
        if name == "getchallenge":
            return self._challenge(_text(call, "username"))
        if name == "login":
            return self._login(_text(call, "username"), _text(call, "accessKey"))
        self._check_operation(call)
        if name == "extendsession" and self.engine.profile.session_operations:
            _check_extension(call)
        session = self._session(call)
        if name == "logout":
            del self._sessions[call.session or ""]
            return {"message": "successfull"}
        if name == "extendsession":
            return self._shown(call.session or "", session.user)
        profile = self.engine.profile
        arrays = profile.session_operations and any(
            isinstance(value, list) for value in call.params.values()
        )
        if arrays or name in profile.session_fatal:
            raise Fault("INTERNAL_SERVER_ERROR", "Unknown Error while processing request", 500)
        try:
            return self.engine.execute(
                call.name, call.params, session.user, call.files, crowded=crowded
            )
        except Fault as fault:
            missed = fault.code == "MANDATORY_FIELDS_MISSING" and "element" not in call.params
            if profile.stops_at_missing_maps and missed:
                raise Fault(fault.code, fault.message, 500) from None
            raise

    def _check_operation(self, call: Call) -> None:
        """Refuse an unknown operation: fatally on the open source, where sessions come later."""
        name, known = call.name.lower(), self.engine.profile.session_operations
        if known and name not in known | _OF_SESSIONS:
            raise Fault("UNKNOWN_OPERATION", "Unknown operation requested", 500)

    def _challenge(self, username: str) -> object:
        if not username:
            raise Fault("ACCESS_DENIED", "No username given")
        user = self.engine.users.get(username.lower())
        if user is None:
            raise Fault("ACCESS_DENIED", "username does not exists")
        now = int(self.clock.time())
        token = self._secret(f"challenge {user.name}")[:13]
        # One per user: the challenge that another login waits with is void now.
        self._tokens[user.name] = (token, now + CHALLENGE_SECONDS)
        return {"token": token, "serverTime": now, "expireTime": now + CHALLENGE_SECONDS}

    def _login(self, username: str, answer: str) -> object:
        user = self.engine.users.get(username.lower())
        token, expires = self._tokens.get(user.name if user else "", ("", 0.0))
        if user is None or self.clock.time() >= expires:
            raise Fault("INVALID_AUTH_TOKEN", "Specified token is invalid or expired")
        # MD5 is the protocol's.
        right = hashlib.md5((token + user.access_key).encode(), usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(right.encode(), answer.encode()):
            raise Fault("INVALID_USER_CREDENTIALS", "Invalid username or password")
        if not user.active:
            raise Fault("AUTHENTICATION_REQUIRED", "Given user is inactive")
        name = self._secret(f"session {user.name}")[:32]
        self._sessions[name] = _Session(user, self.clock.time())
        own = {
            "username": user.name,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "email": f"{user.name}@example.com",
            "time_zone": user.time_zone,
            "hour_format": "12",
            "date_format": "yyyy-mm-dd" if user.is_admin else "mm-dd-yyyy",
            "is_admin": "on" if user.is_admin else "off",
            "call_duration": "5",
            "other_event_duration": "5",
        }
        return own | self._shown(name, user)

    def _session(self, call: Call) -> _Session:
        """Return the call's session, used now.

        Raises:
            Fault: AUTHENTICATION_REQUIRED without a session's name, INVALID_SESSIONID for one that
                is unknown or was idle too long, and the code on order for those that were ended.
        """
        if not call.session:
            raise Fault("AUTHENTICATION_REQUIRED", "Authencation required")
        now = self.clock.time()
        session = self._sessions.get(call.session)
        if call.session in self._ended:
            code = self._ended[call.session]
            raise Fault(code, _LOSSES[code])
        if session is None or now - session.used > IDLE_SECONDS:
            self._sessions.pop(call.session, None)
            raise Fault("INVALID_SESSIONID", "Session Identifier provided is Invalid")
        session.used = now
        return session

    def _shown(self, name: str, user: User) -> dict[str, object]:
        version = self.engine.profile.version
        return {
            "sessionName": name,
            "userId": user.id,
            "version": "0.22",
            "vtigerVersion": version,
        }

    def _secret(self, purpose: str) -> str:
        """Return a name that no other call gets, the same in every run with the same seed."""
        self._given += 1
        key = self.engine.users["admin"].access_key
        return hashlib.sha256(f"{key} {purpose} {self._given}".encode()).hexdigest()


def _session_named(call: Call) -> str:
    """Return the session that a call names; the word null names none (measured)."""
    name = _text(call, "sessionName")
    return "" if name.lower() == "null" else name


def _check_extension(call: Call) -> None:
    """Refuse to extend a session by GET, or without one, as the open source does (measured)."""
    if call.verb == "GET":
        raise Fault("AUTHENTICATION_REQUIRED", "Authencation required")
    if not call.session:
        raise Fault("AUTHENTICATION_FAILURE", "Authencation Failed")


def _text(call: Call, name: str) -> str:
    value = call.params.get(name, "")
    return value if isinstance(value, str) else ""


def _seen(call: Call, name: str) -> dict[str, str | list[str]]:
    """Return the URL's parameters for an operation that reads, else those of the form."""
    return dict(call.query if name.lower() in _READING else call.form)
