"""The door of a client that shares its quota with other processes."""

from __future__ import annotations

from vtiger_async.clock import Clock, ScaledClock
from vtiger_async.editions import Limits
from vtiger_async.errors import ConfigurationError
from vtiger_async.quota import Spread
from vtiger_async.stores import QuotaStore
from vtiger_async.stores.ledger import SharedLedger
from vtiger_async.transport.admission import Admission

__all__ = ["shared_admission"]


def shared_admission(
    store: object,
    instance: str,
    limits: Limits,
    clock: Clock,
    max_in_flight: int,
    *,
    spread: Spread,
    reserve: float,
) -> Admission:
    """Return a door whose calls are borrowed from a store.

    Args:
        store: What `VtigerClient(quota=...)` was given.
        instance: The instance's base URL: quota is the instance's, not a user's.
        limits: What the client was set up with.
        clock: Its clock.
        max_in_flight: The most calls that are under way at once.
        spread: How bulk uses up the day.
        reserve: The share of the day that is left to other programs.

    Raises:
        ConfigurationError: It is no store.
    """
    if not isinstance(store, QuotaStore):
        raise ConfigurationError(
            "quota is a SQLiteQuota, RedisQuota or PostgresQuota, or an object with their "
            f"`members`, `connect` and `peek`, not {type(store).__name__}"
        )
    factor, epoch = (clock.factor, clock.epoch) if isinstance(clock, ScaledClock) else (1.0, 0.0)
    ledger = SharedLedger(
        limits=limits,
        spread=spread,
        reserve=reserve,
        connection=store.connect(instance, factor, epoch),
        members=store.members,
    )
    return Admission(ledger, clock, max_in_flight, loans=ledger)
