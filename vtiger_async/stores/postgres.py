"""The shared quota in PostgreSQL: for a fleet that runs no Redis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from vtiger_async.errors import ConfigurationError
from vtiger_async.quota.fleet import Fleet, Message, Reply
from vtiger_async.quota.lending import exchange
from vtiger_async.stores import StoreError, check_asyncio, checked_members, clock_of

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = ["PostgresQuota"]

_TABLE = "CREATE TABLE IF NOT EXISTS vtiger_quota (instance text PRIMARY KEY, state text NOT NULL)"
_ROW = "INSERT INTO vtiger_quota VALUES (%s, 'null') ON CONFLICT DO NOTHING"
_READ = "SELECT state FROM vtiger_quota WHERE instance = %s FOR UPDATE"
_TIME = "SELECT extract(epoch FROM clock_timestamp())::float8"
_KEEP = "UPDATE vtiger_quota SET state = %s WHERE instance = %s"
_LIMITS = "-c statement_timeout=2000 -c lock_timeout=1500 -c synchronous_commit=off"
"""In milliseconds. A commit that is lost with the power costs some seconds of counts, no more."""


@frozen
class PostgresQuota:
    """Keeps the quota in a PostgreSQL database, by the server's clock: for a fleet of machines.

    It makes the table `vtiger_quota` where it is not there: one row for each instance. It needs the
    extra `postgres`, and an asyncio event loop.

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
            # What the driver says may quote the DSN.
            raise StoreError(f"PostgreSQL: {type(error).__name__}") from None
        except BaseException:
            await self.aclose()  # cut off in the midst: nobody knows what the connection waits for
            raise

    async def _within(self, message: Message) -> Reply:
        connection = await self._connection()
        async with connection.transaction():
            cursor = await connection.execute(_READ, (self.instance,))
            row = await cursor.fetchone()
            # Asked once the row is locked: the one before may have kept it for long.
            moment = await (await connection.execute(_TIME)).fetchone()
            if row is None or moment is None:
                raise ValueError("the row is gone")
            fleet = Fleet.load(json.loads(row[0]))
            reply = exchange(fleet, clock_of(moment[0], self.factor, self.epoch), message)
            await connection.execute(_KEEP, (json.dumps(fleet.dump()), self.instance))
        return reply

    async def _connection(self) -> AsyncConnection[tuple[Any, ...]]:
        if self._open is None:
            from psycopg import AsyncConnection

            self._open = await AsyncConnection.connect(
                self.dsn, autocommit=True, options=_LIMITS, connect_timeout=2
            )
            await self._open.execute(_TABLE)
            await self._open.execute(_ROW, (self.instance,))
        return self._open

    async def aclose(self) -> None:
        """Close the connection to the database."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.close()
