"""Where the stream of a module begins: where it was left, or at a moment of the first start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final, get_args

from attrs import frozen

from vtiger_async.errors import ApiError, AuthenticationError
from vtiger_async.models.records import User
from vtiger_async.streams.crm import Crm
from vtiger_async.streams.errors import CursorStoreError, StreamError
from vtiger_async.streams.options import Options
from vtiger_async.types import SyncScope
from vtiger_async.vtql import select

__all__ = ["Start", "starts_of", "widest_scope"]

_OVERLAP: Final = 60.0
"""Seconds before now at which `"now"` begins: the clocks of the server's parts may differ."""


@frozen
class Start:
    """Where a module's stream stands.

    Attributes:
        scope: Whose records it tells of.
        cursor: The cursor of a sync.
    """

    scope: SyncScope
    cursor: str

    @property
    def position(self) -> str:
        """Return it as a text for the store: a cursor means nothing in another scope."""
        return f"{self.scope}:{self.cursor}"

    @classmethod
    def read(cls, module: str, position: str) -> Start:
        """Return what was stored.

        Raises:
            CursorStoreError: It is no position of a stream.
        """
        scope, _, cursor = position.partition(":")
        known: tuple[SyncScope, ...] = get_args(SyncScope)
        for one in known:
            if one == scope and cursor:
                return cls(one, cursor)
        raise CursorStoreError(f"what is stored for {module} is no position of a stream")


async def starts_of(
    crm: Crm, modules: Iterable[str], positions: Mapping[str, str], options: Options
) -> dict[str, Start]:
    """Return where each module's stream stands; calls are spent only for what is new to the store.

    Args:
        crm: The client.
        modules: The modules.
        positions: What the store knows.
        options: Whose records, and where a module begins that is new.

    Raises:
        StreamError: It was begun with another scope.
    """
    scope, since = options.scope, options.since
    starts = {m: Start.read(m, positions[m]) for m in modules if m in positions}
    for module, start in starts.items():
        if scope not in (None, start.scope):
            raise StreamError(
                f"the stream of {module} was begun with the scope {start.scope!r}, and its place "
                f"means nothing for {scope!r}: go on with the former, or begin another store"
            )
    new = [module for module in modules if module not in starts]
    if not new:
        return starts
    if scope is None:
        begun: set[SyncScope] = {start.scope for start in starts.values()}
        scope = begun.pop() if len(begun) == 1 else await widest_scope(crm)
    moment = await _now(crm) if isinstance(since, str) else since
    for module in new:
        unknown = moment is None and since is not None
        begin = await _newest(crm, module) if unknown else moment
        starts[module] = Start(scope, crm.sync(module, begin, scope).cursor)
    return starts


async def widest_scope(crm: Crm) -> SyncScope:
    """Return the scope of all records where the user is an administrator, else of their own.

    The open source tells who is one in the user's record only (measured on Vtiger 8.4).
    """
    me = await crm.me()
    is_admin = me.is_admin
    if is_admin is None:
        try:
            is_admin = User.of((await crm.retrieve(me.id)).fields).is_admin
        except AuthenticationError:
            raise
        except ApiError:
            is_admin = False
    return "application" if is_admin else "userandgroup"


async def _now(crm: Crm) -> float | None:
    """Return the server's time, less the overlap; None where its answers do not tell it."""
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
