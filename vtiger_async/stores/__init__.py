"""Where several processes keep one quota: a file, Redis or PostgreSQL.

Each store keeps the state of `vtiger_async.quota.fleet`, one entry for each instance. A client
opens its own connection on the first call, and closes it with itself.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import sniffio

from vtiger_async.errors import ConfigurationError, VtigerError
from vtiger_async.quota.fleet import Message, Reply
from vtiger_async.stores.peek import SharedQuota

__all__ = [
    "QuotaStore",
    "SharedQuota",
    "SharedQuotaWarning",
    "StoreConnection",
    "StoreError",
    "check_asyncio",
    "checked_members",
    "clock_of",
]


class SharedQuotaWarning(RuntimeWarning):
    """The store of a shared quota cannot be used, so this process keeps to a share of its own.

    It is given once for each time that the store fails; the store is tried again by itself.
    """


class StoreError(VtigerError):
    """A store could not be used now. Only `peek` raises it: calls go on with a share."""


class StoreConnection(Protocol):
    """One client's way to the store."""

    async def exchange(self, message: Message, now: float) -> Reply:
        """Carry a message to the state, and the reply back.

        Args:
            message: What the process says.
            now: Its own Unix seconds; a store with a clock of its own goes by that.

        Raises:
            StoreError: The store cannot be used.
        """
        ...

    async def aclose(self) -> None:
        """Give back what the connection holds; it may be used again."""
        ...


@runtime_checkable
class QuotaStore(Protocol):
    """What `VtigerClient(quota=...)` takes."""

    @property
    def members(self) -> int:
        """How many processes to reckon with until the store has told."""
        ...

    def connect(self, instance: str, factor: float, epoch: float) -> StoreConnection:
        """Return a way to the quota of one instance; nothing is opened yet.

        Args:
            instance: Its base URL.
            factor: How many seconds of the client's clock pass in one of real time.
            epoch: The Unix time at which both agree.
        """
        ...

    async def peek(self, instance: str) -> SharedQuota:
        """Return what is kept of an instance; nothing is called, lent or changed.

        Args:
            instance: Its URL, in any form that `VtigerClient` takes; where nobody has called it
                with the store, no window has a limit or a call.

        Raises:
            ConfigurationError: It is no URL of an instance.
            StoreError: The store cannot be used now, or keeps what cannot be read.
        """
        ...


def checked_members(_store: Any, _attribute: Any, value: int) -> None:
    """Refuse what is no number of processes.

    Args:
        value: The number.

    Raises:
        ConfigurationError: It is not a whole number from 1.
    """
    if type(value) is not int or value < 1:
        raise ConfigurationError(f"members is a whole number from 1, not {value!r}")


def check_asyncio(name: str) -> None:
    """Refuse an event loop that the store's library does not run on.

    Args:
        name: The store.

    Raises:
        ConfigurationError: It is not asyncio.
    """
    if sniffio.current_async_library() != "asyncio":
        raise ConfigurationError(f"{name} needs asyncio: its library runs on no other event loop")


def clock_of(moment: float, factor: float, epoch: float) -> float:
    """Return a server's time on the clients' clock, which may run faster.

    Args:
        moment: The server's Unix time.
        factor: How many seconds of the clients' clock pass in a real one.
        epoch: The Unix time at which both agree.
    """
    return epoch + (moment - epoch) * factor
