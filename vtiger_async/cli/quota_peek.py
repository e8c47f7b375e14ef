"""A look at what a shared store keeps of an instance: no call, and no change in the store."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from vtiger_async.errors import ConfigurationError
from vtiger_async.quota.fleet import Fleet
from vtiger_async.stores import StoreError
from vtiger_async.stores.postgres import PostgresQuota
from vtiger_async.stores.redis import RedisQuota
from vtiger_async.stores.sqlite import SQLiteQuota

if TYPE_CHECKING:
    from vtiger_async.stores import QuotaStore

__all__ = ["peek"]

_SECONDS = 2
"""Seconds to wait for a server."""
_STATE: Final = "SELECT state FROM vtiger_quota WHERE instance = "
_UNPACK: Final = (
    "local kept = redis.call('GET', KEYS[1]) "
    "return kept and cjson.encode(cmsgpack.unpack(kept)) or 'null'"
)


async def peek(store: QuotaStore, instance: str) -> Fleet | None:
    """Return what a store keeps of an instance; None where nobody has called it with the store.

    Args:
        store: The store.
        instance: The instance's base URL.

    Raises:
        StoreError: The store cannot be used now.
        ConfigurationError: It is a store of another kind.
    """
    if isinstance(store, SQLiteQuota):
        text: str | bytes | None = await anyio.to_thread.run_sync(_of_sqlite, store.path, instance)
    elif isinstance(store, RedisQuota):
        text = await _of_redis(store.url, instance)
    elif isinstance(store, PostgresQuota):
        text = await _of_postgres(store.dsn, instance)
    else:
        raise ConfigurationError(f"what {type(store).__name__} keeps cannot be shown")
    try:
        return None if text is None else _fleet(json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"what it keeps cannot be read: {type(error).__name__}") from None


def _of_sqlite(path: str, instance: str) -> str | None:
    if not Path(path).exists():
        return None
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as db:
            row = db.execute(_STATE + "?", (instance,)).fetchone()
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    return None if row is None else str(row[0])


async def _of_redis(url: str, instance: str) -> str | None:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    redis: Any = Redis  # its types leave out those of the options
    opened = redis.from_url(url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS)
    try:
        found = await opened.eval(_UNPACK, 1, f"vtiger-async:quota:{instance}")
    except (RedisError, OSError) as error:
        # What the library says may quote the URL.
        raise StoreError(f"Redis: {type(error).__name__}") from None
    finally:
        await opened.aclose()
    return None if found is None else found.decode()


async def _of_postgres(dsn: str, instance: str) -> str | bytes | None:
    from psycopg import AsyncConnection, Error
    from psycopg.errors import UndefinedTable

    try:
        async with await AsyncConnection.connect(dsn, connect_timeout=_SECONDS) as connection:
            row = await (await connection.execute(_STATE + "%s", (instance,))).fetchone()
    except UndefinedTable:
        return None
    except (Error, OSError) as error:
        # What the driver says may quote the DSN.
        raise StoreError(f"PostgreSQL: {type(error).__name__}") from None
    return None if row is None else row[0]  # bytes, where the database has no encoding


def _fleet(kept: dict[str, Any] | None) -> Fleet | None:
    """Return the state; Lua has written nil as false, and an empty list as an empty object."""
    if kept is None:
        return None
    for tally in (*kept["windows"], kept["urgent"]):
        tally["counts"] = tally["counts"] or []
        for name in ("limit", "told", "left"):
            tally[name] = None if tally[name] is False else tally[name]
    kept["queue"] = kept["queue"] or []
    kept["loans"] = kept["loans"] or {}
    return Fleet.load(kept)
