"""The shared quota in PostgreSQL: for a fleet that runs no Redis."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from vtiger_async.config import base_url
from vtiger_async.errors import ConfigurationError
from vtiger_async.quota.fleet import Fleet, Message, Reply
from vtiger_async.quota.lending import exchange
from vtiger_async.stores import SharedQuota, StoreError, check_asyncio, checked_members, clock_of
from vtiger_async.stores.peek import shared_quota

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = ["PostgresQuota"]

_TABLE = "CREATE TABLE IF NOT EXISTS vtiger_quota (instance text PRIMARY KEY, state text NOT NULL)"
_ROW = "INSERT INTO vtiger_quota VALUES (%s, 'null') ON CONFLICT DO NOTHING"
_LOCK = "SELECT 1 FROM vtiger_quota WHERE instance = %s FOR UPDATE"
_READ = (
    "SELECT state, extract(epoch FROM clock_timestamp())::float8 "
    "FROM vtiger_quota WHERE instance = %s"
)
_KEEP = "UPDATE vtiger_quota SET state = %s WHERE instance = %s"
_LIMITS = "-c statement_timeout=2000 -c lock_timeout=1500 -c synchronous_commit=off"
"""In milliseconds. A commit that is lost with the power costs some seconds of counts, no more."""


@frozen
class PostgresQuota:
    """Keeps the quota in a PostgreSQL database, by the server's clock: for a fleet of machines.

    It makes the table `vtiger_quota` where it is not there: one row for each instance, its address
    and the state as JSON. It needs the extra `postgres`, and an asyncio event loop.

    Attributes:
        dsn: How to connect (`"postgresql://jobs@db/jobs"`, or `"host=db dbname=jobs"`); the
            password in it is never shown.
        members: How many processes to reckon with while the server has never been reached.

    Raises:
        ConfigurationError: The DSN cannot be read, members is not a number from 1, or the extra
            is missing.
    """

    dsn: str = field(repr=False)
    members: int = field(default=4, validator=checked_members)

    def __attrs_post_init__(self) -> None:
        try:
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise ConfigurationError(
                f"PostgresQuota needs its extra: pip install 'vtiger-async[postgres]' ({error})"
            ) from None
        try:
            conninfo_to_dict(self.dsn)
        except ProgrammingError:
            # What libpq says of it may quote the password.
            raise ConfigurationError("PostgresQuota wants a DSN that libpq can read") from None

    def connect(self, instance: str, factor: float, epoch: float) -> PostgresConnection:
        """Return a way to the quota of one instance; nothing is opened yet.

        Args:
            instance: Its base URL.
            factor: How many seconds of the client's clock pass in one of real time.
            epoch: The Unix time at which both agree.
        """
        return PostgresConnection(self.dsn, instance, factor, epoch)

    async def peek(self, instance: str) -> SharedQuota:
        """Return what is kept of an instance; nothing is called, lent or changed.

        Args:
            instance: Its URL, in any form that `VtigerClient` takes; where nobody has called it
                with the database, no window has a limit or a call.

        Raises:
            ConfigurationError: It is no URL of an instance, or the event loop is not asyncio's.
            StoreError: The database cannot be used, or keeps something else.
        """
        check_asyncio("PostgresQuota")
        from psycopg import Error

        try:
            state, now = await _look(self.dsn, base_url(instance))
            return shared_quota(json.loads(state), now)
        except (Error, OSError, ValueError) as error:
            raise _told(error) from None


def _told(error: Exception) -> StoreError:
    # What the driver says may quote the DSN; what the state says does not.
    text = str(error) if isinstance(error, ValueError) else type(error).__name__
    return StoreError(f"PostgreSQL: {text}")


async def _opened(dsn: str) -> AsyncConnection[tuple[Any, ...]]:
    from psycopg import AsyncConnection
    from psycopg.conninfo import conninfo_to_dict

    # Its own options come first: a search path, for example.
    own = conninfo_to_dict(dsn).get("options") or ""
    return await AsyncConnection.connect(
        dsn, autocommit=True, options=f"{own} {_LIMITS}".strip(), connect_timeout=2
    )


async def _look(dsn: str, instance: str) -> tuple[str, float]:
    from psycopg.errors import UndefinedTable

    async with await _opened(dsn) as connection:
        with suppress(UndefinedTable):
            if row := await (await connection.execute(_READ, (instance,))).fetchone():
                return row[0], row[1]
    return "null", time.time()


@define(eq=False)
class PostgresConnection:
    """One client's way to the database.

    Attributes:
        dsn: How to connect.
        instance: The instance's base URL.
        factor: How many seconds of the client's clock pass in one of real time.
        epoch: The Unix time at which both agree.
    """

    dsn: str = field(repr=False)
    instance: str
    factor: float
    epoch: float
    _open: AsyncConnection[tuple[Any, ...]] | None = field(default=None, init=False)

    async def exchange(self, message: Message, now: float) -> Reply:
        """Carry a message to the state, and the reply back.

        Args:
            message: What the process says.
            now: Not needed: the server's clock counts.

        Raises:
            StoreError: The database cannot be used.
        """
        check_asyncio("PostgresQuota")
        from psycopg import Error

        try:
            return await self._within(message)
        except (Error, OSError, ValueError, TypeError, KeyError) as error:
            await self.aclose()
            raise _told(error) from None
        except BaseException:
            await self.aclose()  # cut off in the midst: nobody knows what the connection waits for
            raise

    async def _within(self, message: Message) -> Reply:
        connection = await self._connection()
        # Two ways to the server and back: the statements of each half go together.
        async with connection.pipeline():
            await connection.execute("BEGIN")
            await connection.execute(_LOCK, (self.instance,))
            # Once the row is locked, for the one before may have kept it for long.
            cursor = await connection.execute(_READ, (self.instance,))
            row = await cursor.fetchone()
            if row is None:
                raise ValueError("the row is gone")
            fleet = Fleet.load(json.loads(row[0]))
            reply = exchange(fleet, clock_of(row[1], self.factor, self.epoch), message)
            await connection.execute(_KEEP, (json.dumps(fleet.dump()), self.instance))
            await connection.execute("COMMIT")
        return reply

    async def _connection(self) -> AsyncConnection[tuple[Any, ...]]:
        if self._open is None:
            from psycopg.errors import (
                DuplicateObject,
                DuplicateTable,
                InternalError_,
                UndefinedTable,
                UniqueViolation,
            )

            self._open = await _opened(self.dsn)
            try:
                await self._open.execute(_ROW, (self.instance,))
            except UndefinedTable:
                # Another one may be making it: the server says so in one of these ways.
                with suppress(DuplicateObject, DuplicateTable, InternalError_, UniqueViolation):
                    await self._open.execute(_TABLE)
                await self._open.execute(_ROW, (self.instance,))
        return self._open

    async def aclose(self) -> None:
        """Close the connection to the database."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.close()
