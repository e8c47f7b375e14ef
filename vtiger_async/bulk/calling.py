"""One call of a job: what came of it, by the evidence whether it was sent.

The client tells of each grant in the task that makes the call. Until then nothing has been sent,
and the call may be cancelled; from then on it is shielded, and runs to its end. So a job that is
stopped knows of every call what came of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final, Literal, TypeAlias

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from vtiger_async.bulk.crm import Crm
from vtiger_async.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    InvalidArgumentError,
    LineItemsError,
    OutcomeUnknownError,
    QuotaExhaustedError,
    RateLimitError,
    ServerError,
    SilentChangeError,
    TransportError,
    VtigerError,
)
from vtiger_async.models.records import Record
from vtiger_async.quota.events import Granted, Throttled, Waited
from vtiger_async.retry import RetryPolicy

__all__ = ["Door", "Kind", "Passage", "Reply", "words"]

_LONGEST_WAIT: Final = 600.0
"""Seconds that a call waits at the client's door; a longer wait is a pause of the job."""
_PROBE_WAIT: Final = 60.0
"""The same while the job pauses, and looks now and then whether it may go on."""
_AT_ONCE: Final = 0.2
"""Seconds; a call that waited longer was kept back by the quota, or by its pace."""
_CANNOT_REPLACE: Final = 500
"""The status with which open-source Vtiger 8.4 ends each replacing of lines (measured)."""
_PASSAGE: ContextVar[Passage | None] = ContextVar("vtiger_async_bulk_passage", default=None)

Kind: TypeAlias = Literal["done", "refused", "unsent", "lost", "fatal"]
"""What came of a call: Vtiger did it; it said no, or would; nothing was sent; it may have happened;
no call at all can succeed."""


@frozen
class Reply:
    """What came of a call.

    Attributes:
        kind: How it ended.
        value: What the call returned, where it was done.
        changes: What was stored other than it was sent, in words.
        error: Why it was not done.
    """

    kind: Kind
    value: Any = None
    changes: tuple[str, ...] = ()
    error: VtigerError | None = None

    @property
    def record(self) -> Record:
        """The record that came back; an empty one, where none did."""
        return self.value if isinstance(self.value, Record) else Record({})


def words(error: VtigerError) -> str:
    """Return what an error says, on one line, without the hint for programmers."""
    text, code = error.message, error.code
    if code is not None and str(code) not in text:
        text = f"{code}: {text}" if text else str(code)
    return " ".join((text or type(error).__name__).split())


@define(eq=False)
class Passage:
    """One call on its way.

    Attributes:
        door: Where it went in.
        shields: Whether it runs to its end once it was granted; what only reads need not.
        scope: What shields it.
        granted: Whether it may have been sent.
    """

    door: Door
    shields: bool = True
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    granted: bool = False
    _is_waiting: bool = True

    async def make(self, send: Callable[[Crm], Awaitable[Any]]) -> Reply:
        """Make the call and return what came of it.

        Where it is cancelled, `granted` tells whether it may have been sent.

        Args:
            send: Makes the call with the client that it is given.
        """
        token = _PASSAGE.set(self)
        try:
            with self.scope:
                return Reply("done", await send(self.door.writes_now))
        except SilentChangeError as error:
            return Reply("done", error.record, tuple(map(str, error.changes)))
        except VtigerError as error:
            kind = _kind(error)
            if kind == "unsent" and self.granted:
                self.door.calls -= isinstance(error, ConnectError)
            return Reply(kind, error=error)
        finally:
            _PASSAGE.reset(token)
            self.leave()
        raise AssertionError("a shielded call is not cancelled from here")  # pragma: no cover

    def leave(self) -> None:
        """Make room for the next intent, if that was not done."""
        if self._is_waiting:
            self._is_waiting = False
            self.door.left()

    def hear(self, event: object) -> None:
        """Note what the client tells of the call."""
        if isinstance(event, Granted):
            self.granted = True
            self.scope.shield = self.shields
            self.door.calls += 1
            self.leave()
        elif isinstance(event, Throttled):  # it was refused, and not done
            self.granted = self.scope.shield = False
        elif isinstance(event, Waited):
            self.door.waited(event.seconds)


def _kind(error: VtigerError) -> Kind:
    match error:
        case LineItemsError() if error.status == _CANNOT_REPLACE:
            return "refused"
        case OutcomeUnknownError():
            return "lost"
        case QuotaExhaustedError() | RateLimitError():
            return "unsent"
        case TransportError():
            return "lost" if error.sent else "unsent"
        case AuthenticationError() | ConfigurationError():
            return "fatal"
        case ServerError() if error.retry_after is not None:
            return "unsent"
        case ServerError() if error.status is not None and error.status >= 500:
            return "lost"
        case ApiError() | InvalidArgumentError():
            return "refused"
        case _:
            return "fatal"


@define(eq=False)
class Door:
    """Lets few calls be intended that are not sent yet: those a killed process leaves in doubt.

    While the quota keeps calls back one is enough, since it takes the next grant. Where calls go at
    once, as many as there are workers, so that one commit holds many intents.

    Attributes:
        crm: The client.
        most: The most calls that are intended and not sent.
        calls: Calls that were made.
        is_paused: Whether the job pauses.
        writes: The view of the client that sends once, waits long, and compares what is stored.
        reads: The view for queries, which may be repeated.
    """

    crm: Crm
    most: int
    calls: int = 0
    is_paused: bool = field(default=False, init=False)
    writes: Crm = field(init=False)
    reads: Crm = field(init=False)
    _probes: Crm = field(init=False)
    _room: int = field(default=1, init=False)
    _waiting: int = field(default=0, init=False)
    _left: anyio.Event = field(factory=anyio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        """Make the views."""
        once = RetryPolicy(max_attempts=1)
        self.reads = self.crm.with_options(
            priority="bulk", max_wait=_LONGEST_WAIT, validate=False, strict=True
        )
        self.writes = self.reads.with_options(retry=once)
        self._probes = self.writes.with_options(max_wait=_PROBE_WAIT)

    @property
    def writes_now(self) -> Crm:
        """The view for writes, which waits less while the job pauses."""
        return self._probes if self.is_paused else self.writes

    @property
    def is_open(self) -> bool:
        """Whether a call may be intended at once."""
        return self._waiting < self._room

    @property
    def is_slow(self) -> bool:
        """Whether the quota keeps calls back."""
        return self._room < self.most or self.most == 1

    def watch(self) -> Callable[[], None]:
        """Begin to listen to the client; return what ends it."""
        return self.crm.subscribe(_hear)

    async def enter(self) -> Passage:
        """Wait until a call may be intended."""
        await anyio.lowlevel.checkpoint_if_cancelled()  # a call that goes at once never waits
        while not self.is_open:
            await self._left.wait()
        self._waiting += 1
        return Passage(self)

    async def read(self, send: Callable[[Crm], Awaitable[Any]]) -> Reply:
        """Make a call that only reads."""
        self._waiting += 1
        return await Passage(self, shields=False).make(lambda _: send(self.reads))

    def left(self) -> None:
        """Note that an intended call was sent, or came to nothing."""
        self._waiting -= 1
        self._room = min(self.most, self._room + 1)
        event, self._left = self._left, anyio.Event()
        event.set()

    def waited(self, seconds: float) -> None:
        """Note how long a call has waited for its grant."""
        if seconds > _AT_ONCE:
            self._room = 1


def _hear(event: object) -> None:
    passage = _PASSAGE.get()
    if passage is not None:
        passage.hear(event)
