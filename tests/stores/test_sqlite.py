"""The quota in a file: for the processes of one machine, and across their restarts."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from fleet_run import check, run_fleet

from vtiger_async import (
    ConfigurationError,
    Limits,
    QuotaExhaustedError,
    SharedQuotaWarning,
    SQLiteQuota,
    VtigerClient,
)
from vtiger_async.quota.fleet import Message
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

LIMITS = Limits(minute=5, hour=50, day=200)


def client(
    sandbox: Sandbox, store: SQLiteQuota, *, max_wait: float = 0, limits: Limits = LIMITS
) -> VtigerClient:
    """Return a client that shares its quota."""
    return sandbox.client(quota=store, limits=limits, max_wait=max_wait)


async def test_two_clients_share_one_quota(tmp_path: Path) -> None:
    """What one client has used the other knows, and what nobody has used it can have."""
    with Sandbox(limits=LIMITS, minute_window="sliding") as sandbox:
        store = SQLiteQuota(tmp_path / "quota.db")
        async with client(sandbox, store, max_wait=2) as one, client(sandbox, store) as two:
            for _ in range(3):
                await one.me()
            await two.with_options(max_wait=2).me()
            await one.me()
            with pytest.raises(QuotaExhaustedError) as caught:
                await two.me()
            assert 0 < caught.value.wait <= 65
        assert (sandbox.flood.granted, sandbox.flood.refused) == (5, 0)


async def test_a_restart_does_not_forget_the_day(tmp_path: Path) -> None:
    """A client that starts later on the same file knows what has been used of the day."""
    limits = Limits(minute=None, hour=None, day=4)
    with Sandbox(limits=limits) as sandbox:
        for calls in (3, 1):
            store = SQLiteQuota(str(tmp_path / "quota.db"))
            async with client(sandbox, store, max_wait=2, limits=limits) as crm:
                for _ in range(calls):
                    await crm.me()
        async with client(sandbox, SQLiteQuota(tmp_path / "quota.db"), limits=limits) as crm:
            with pytest.raises(QuotaExhaustedError):
                await crm.me()
            assert crm.quota.day.used == 4
            assert crm.quota.day.remaining == 0
        assert (sandbox.flood.granted, sandbox.flood.refused) == (4, 0)


async def test_instances_are_counted_apart(tmp_path: Path) -> None:
    """One file holds the quota of any number of instances."""
    store = SQLiteQuota(tmp_path / "quota.db")
    for name in ("a", "b"):
        connection = store.connect(f"https://{name}.example", 1.0, 0.0)
        reply = await connection.exchange(Message(name, 2, limits=(5, 5, 5)), 1000.0)
        assert (reply.lent, reply.members, reply.used) == (1, 1, (1, 1, 1))
        await connection.aclose()


async def test_a_store_that_fails_leaves_a_share_and_heals(tmp_path: Path) -> None:
    """While the file cannot be used, one warning tells and calls go on at a share; it heals."""
    path = tmp_path / "missing" / "quota.db"
    with Sandbox(limits=Limits(minute=1200, hour=None, day=None)) as sandbox:
        limits = Limits(minute=1200)
        store = SQLiteQuota(path, members=2)
        async with client(sandbox, store, max_wait=5, limits=limits) as crm:
            with pytest.warns(SharedQuotaWarning, match="1/2 of the limits"):
                await crm.me()
            began = anyio.current_time()
            for _ in range(3):
                await crm.me()  # a second warning would be an error
            assert anyio.current_time() - began > 0.3  # 450 a minute, evenly
            path.parent.mkdir()
            await anyio.sleep(1.1)
            for _ in range(2):
                await crm.me()
            assert crm.quota.minute.used == 6  # those made alone are in the store now
        row = sqlite3.connect(path).execute("SELECT state FROM vtiger_quota").fetchone()
        assert '"minute"' in row[0]


async def test_a_call_cancelled_while_it_borrows_takes_nothing(tmp_path: Path) -> None:
    """What was lent to a caller that is cancelled in that moment goes to the next one."""
    limits = Limits(minute=1)
    with Sandbox(limits=limits, minute_window="sliding") as sandbox:
        store = SQLiteQuota(tmp_path / "quota.db")
        async with client(sandbox, store, max_wait=1, limits=limits) as crm:
            await anyio.to_thread.run_sync(store.connect(crm.url, 1.0, 0.0)._connection)
            other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN EXCLUSIVE")
            async with anyio.create_task_group() as group:
                group.start_soon(crm.me)
                await anyio.sleep(0.1)
                group.cancel_scope.cancel()
                other.execute("COMMIT")
            other.close()
            assert crm.quota.waiting == 0
            await crm.me()
        assert (sandbox.flood.granted, sandbox.flood.refused) == (1, 0)


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_a_path_that_is_no_file_is_refused(path: str) -> None:
    """Memory cannot be shared, and an empty path is a mistake."""
    with pytest.raises(ConfigurationError):
        SQLiteQuota(path)


def test_members_is_a_number_from_1() -> None:
    """A share of nothing is no share."""
    with pytest.raises(ConfigurationError, match="members"):
        SQLiteQuota("quota.db", members=0)


async def test_another_object_is_no_store() -> None:
    """What has no `connect` is refused when the client is made."""
    with Sandbox() as sandbox, pytest.raises(ConfigurationError, match="not str"):
        sandbox.client(quota="quota.db")


def test_four_processes_use_one_quota(tmp_path: Path) -> None:
    """Four processes on one file: no window exceeded, none refused, 95 % used, all served."""
    check(run_fleet("SQLiteQuota", str(tmp_path / "quota.db"), 16))


def test_four_processes_bear_a_locked_file(tmp_path: Path) -> None:
    """The same while another program locks the file for some seconds; a warning tells each once."""
    path = tmp_path / "quota.db"

    async def lock() -> None:
        await anyio.sleep(7)
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        await anyio.sleep(4)
        connection.close()

    run = run_fleet("SQLiteQuota", str(path), 16, lock)
    check(run, used=0.6, outage=True)
    assert all(len(told) == 1 for told in run.warnings)
