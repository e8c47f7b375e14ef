"""The shared quota in Redis: for a fleet of machines."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from attrs import asdict, define, field, frozen

from vtiger_async.config import base_url
from vtiger_async.errors import ConfigurationError
from vtiger_async.quota.fleet import VERSION, Message, Reply
from vtiger_async.quota.lending import CONSTANTS, rank_of
from vtiger_async.stores import SharedQuota, StoreError, check_asyncio, checked_members
from vtiger_async.stores.peek import shared_quota

__all__ = ["RedisQuota"]

_KEY = "vtiger-async:quota:"
_VERSION = "VERSION "
"""What the script's own complaint begins with."""
_TIMEOUT = 1.5
"""Seconds to wait for the server."""
_LOOK = """
local kept, time = redis.call('GET', KEYS[1]), redis.call('TIME')
return {kept and cjson.encode(cmsgpack.unpack(kept)) or 'null', time[1]}
"""
"""Reads the state as JSON, and the server's time in whole seconds; it writes nothing."""
_CONSTANTS = json.dumps(CONSTANTS)
"""The numbers of the rules, for the script."""


@frozen
class RedisQuota:
    """Keeps the quota in Redis, by the server's clock: for a fleet of machines.

    One key for each instance, `vtiger-async:quota:<its address>`, changed by one script; it goes
    when nobody has called for two days. It needs the extra `redis`, an asyncio event loop, and
    Redis 5 or later.

    Attributes:
        url: The server (`"redis://redis:6379/0"`, `"rediss://..."`, `"unix://..."`); the password
            in it is never shown.
        members: How many processes to reckon with while the server has never been reached.

    Raises:
        ConfigurationError: The URL cannot be read, members is not a number from 1, or the extra is
            missing.
    """

    url: str = field(repr=False)
    members: int = field(default=4, validator=checked_members)

    def __attrs_post_init__(self) -> None:
        try:
            from redis.asyncio.connection import parse_url
        except ImportError as error:
            raise ConfigurationError(
                f"RedisQuota needs its extra: pip install 'vtiger-async[redis]' ({error})"
            ) from None
        try:
            parse_url(self.url)
        except ValueError:
            # What the library says of it may quote the password.
            raise ConfigurationError("RedisQuota wants a URL of redis, rediss or unix") from None

    def connect(self, instance: str, factor: float, epoch: float) -> RedisConnection:
        """Return a way to the quota of one instance; nothing is opened yet.

        Args:
            instance: Its base URL.
            factor: How many seconds of the client's clock pass in one of real time.
            epoch: The Unix time at which both agree.
        """
        return RedisConnection(self.url, instance, factor, epoch)

    async def peek(self, instance: str) -> SharedQuota:
        """Return what is kept of an instance; nothing is called, lent or changed.

        Args:
            instance: Its URL, in any form that `VtigerClient` takes; where nobody has called it
                with the server, no window has a limit or a call.

        Raises:
            ConfigurationError: It is no URL of an instance, or the event loop is not asyncio's.
            StoreError: The server cannot be used, or keeps something else.
        """
        check_asyncio("RedisQuota")
        from redis.exceptions import RedisError

        opened = _opened(self.url)
        try:
            key = _KEY + base_url(instance)
            state, seconds = await opened.eval(_LOOK, 1, key)
            return shared_quota(_as_dumped(json.loads(state)), float(seconds))
        except (RedisError, OSError, ValueError, TypeError, KeyError) as error:
            # What the library says may quote the URL; what the state says does not.
            text = str(error) if isinstance(error, ValueError) else type(error).__name__
            raise StoreError(f"Redis: {text}") from None
        finally:
            await opened.aclose()


def _opened(url: str) -> Any:
    from redis.asyncio import Redis

    redis: Any = Redis  # its types leave out those of the options
    return redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)


def _as_dumped(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the state as Python dumps it: Lua has false for nil, and no empty list but {}."""
    if kept is None or kept.get("version") != VERSION:
        return kept
    for tally in (*kept["windows"], kept["urgent"], kept["others"]):
        tally["counts"] = tally["counts"] or []
        for name in ("limit", "told", "left"):
            tally[name] = None if tally[name] is False else tally[name]
    for loan in kept["loans"].values():
        loan["slots"] = loan["slots"] or []
    kept["back"] = kept["back"] or []
    return kept


@define(eq=False)
class RedisConnection:
    """One client's way to the server.

    Attributes:
        url: The server.
        instance: The instance's base URL.
        factor: How many seconds of the client's clock pass in one of real time.
        epoch: The Unix time at which both agree.
    """

    url: str = field(repr=False)
    instance: str
    factor: float
    epoch: float
    _open: Any = field(default=None, init=False, repr=False)
    _script: Any = field(default=None, init=False, repr=False)

    async def exchange(self, message: Message, now: float) -> Reply:
        """Carry a message to the state, and the reply back.

        Args:
            message: What the process says.
            now: Not needed: the server's clock counts.

        Raises:
            StoreError: The server cannot be used.
        """
        check_asyncio("RedisQuota")
        from redis.exceptions import RedisError

        told = json.dumps({**asdict(message), "rank": rank_of(message)})
        clock = (repr(self.factor), repr(self.epoch))
        try:
            if self._open is None:
                self._connect()
            found = await self._script(
                keys=[_KEY + self.instance],
                args=[told, _CONSTANTS, *clock],
            )
            reply = json.loads(found)
            for name in ("slots", "used", "limits"):
                reply[name] = tuple(reply[name])
            return Reply(**reply)
        except (RedisError, OSError, ValueError, TypeError, KeyError) as error:
            await self.aclose()
            # What the library says may quote the URL; what the script says does not.
            text = str(error) if str(error).startswith(_VERSION) else type(error).__name__
            raise StoreError(f"Redis: {text.removeprefix(_VERSION)}") from None
        except BaseException:
            await self.aclose()  # cut off in the midst: a reply may still be under way
            raise

    def _connect(self) -> None:
        self._open = _opened(self.url)
        script = (
            resources.files("vtiger_async.stores")
            .joinpath("exchange.lua")
            .read_text(encoding="utf-8")
        )
        self._script = self._open.register_script(script)

    async def aclose(self) -> None:
        """Close the connection to the server."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()
