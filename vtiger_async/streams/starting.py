"""Where the stream of a module begins: where it was left, or at a moment of the first start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, get_args

import anyio
from attrs import define, field, frozen

from vtiger_async.errors import ApiError, AuthenticationError
from vtiger_async.models.records import User
from vtiger_async.streams.crm import Crm
from vtiger_async.streams.errors import CursorStoreError, StreamError
from vtiger_async.streams.options import Options
from vtiger_async.types import ID_FORM, SyncScope
from vtiger_async.vtql import select

__all__ = ["Start", "Who", "starts_of"]

_OVERLAP: Final = 60.0
"""Seconds before now at which `"now"` begins: the clocks of the server's parts may differ."""


@frozen
class Start:
    """Where a module's stream stands.

    Attributes:
        scope: Whose records it tells of.
        cursor: The cursor of a sync.
        user: The id of the user whose stream it is; empty for the scope of all records, in which
            every user is told the same.
    """

    scope: SyncScope
    cursor: str
    user: str = ""

    @property
    def position(self) -> str:
        """Return it as a text for the store: a cursor means nothing to another scope or user."""
        return f"{self.scope}{'@' if self.user else ''}{self.user}:{self.cursor}"

    @classmethod
    def read(cls, module: str, position: str) -> Start:
        """Return what was stored.

        Raises:
            CursorStoreError: It is no position of a stream.
        """
        whose, _, cursor = position.partition(":")
        scope, _, user = whose.partition("@")
        known: tuple[SyncScope, ...] = get_args(SyncScope)
        for one in known:
            is_whole = not user if one == "application" else ID_FORM.fullmatch(user)
            if one == scope and is_whole and cursor:
                return cls(one, cursor, user)
        raise CursorStoreError(f"what is stored for {module} is no position of a stream")


@define(eq=False)
class Who:
    """Who reads: it is asked once, and only where it matters.

    Attributes:
        crm: The client.
    """

    crm: Crm
    _me: User | None = field(default=None, init=False)
    _widest: SyncScope | None = field(default=None, init=False)
    _asking: anyio.Lock = field(factory=anyio.Lock, init=False)

    @property
    def has_asked(self) -> bool:
        """Whether the server has answered."""
        return self._me is not None

    async def user(self) -> str:
        """Return the user's id."""
        async with self._asking:
            return (await self._asked()).id

    async def widest_scope(self) -> SyncScope:
        """Return the scope of all records where the user is an administrator, else of their own.

        The open source tells who is one in the user's record only (measured on Vtiger 8.4).
        """
        async with self._asking:
            if self._widest is None:
                me = await self._asked()
                is_admin = me.is_admin
                if is_admin is None:
                    try:
                        is_admin = User.of((await self.crm.retrieve(me.id)).fields).is_admin
                    except AuthenticationError:
                        raise
                    except ApiError:
                        is_admin = False
                self._widest = "application" if is_admin else "userandgroup"
            return self._widest

    async def _asked(self) -> User:
        self._me = self._me or await self.crm.me()
        return self._me


async def starts_of(
    crm: Crm, modules: Iterable[str], positions: Mapping[str, str], options: Options, who: Who
) -> dict[str, Start]:
    """Return where each module's stream stands.

    Calls are spent for what is new to the store, and to know the user where not everybody is told
    the same.

    Args:
        crm: The client.
        modules: The modules.
        positions: What the store knows.
        options: Whose records, and where a module begins that is new.
        who: Who reads.

    Raises:
        StreamError: It was begun with another scope, or by another user.
    """
    scope, since = options.scope, options.since
    starts = {m: Start.read(m, positions[m]) for m in modules if m in positions}
    for module, start in starts.items():
        if scope not in (None, start.scope):
            raise StreamError(
                f"the stream of {module} was begun with the scope {start.scope!r}, and its place "
                f"means nothing for {scope!r}: go on with the former, or begin another store"
            )
        if start.user and start.user != await who.user():
            raise StreamError(
                f"the stream of {module} was begun by the user {start.user}, and this is "
                f"{await who.user()}, who is told of other records: give each user a store of their"
                " own"
            )
    new = [module for module in modules if module not in starts]
    if not new:
        return starts
    if scope is None:
        begun: set[SyncScope] = {start.scope for start in starts.values()}
        scope = begun.pop() if len(begun) == 1 else await who.widest_scope()
    user = "" if scope == "application" else await who.user()
    moment = await _now(crm, who) if isinstance(since, str) else since
    for module in new:
        unknown = moment is None and since is not None
        begin = await _newest(crm, module) if unknown else moment
        starts[module] = Start(scope, crm.sync(module, begin, scope).cursor, user)
    return starts


async def _now(crm: Crm, who: Who) -> float | None:
    """Return the server's time, less the overlap; None where its answers do not tell it."""
    if not who.has_asked:
        await crm.me()  # an answer from now; an earlier one's time may be long past
    now = crm.server_time
    return None if now is None else max(0.0, now.timestamp() - _OVERLAP)


async def _newest(crm: Crm, module: str) -> float | None:
    """Return when the module was last changed, less the overlap; None where nothing tells it."""
    newest = select(module, "modifiedtime").order_by("modifiedtime", descending=True).limit(1)
    async for record in crm.query(newest):
        with suppress(ValueError):
            moment = datetime.fromisoformat(f"{record.get('modifiedtime')}+00:00")
            return max(0.0, moment.timestamp() - _OVERLAP)
    return None
