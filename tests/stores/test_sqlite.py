"""The quota in a file: for the processes of one machine, and across their restarts."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from contextlib import closing
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
    VtigerError,
)
from vtiger_async.quota.fleet import Message
from vtiger_async.sandbox import Sandbox
from vtiger_async.stores import StoreError

pytestmark = pytest.mark.anyio

LIMITS = Limits(minute=5, hour=50, day=200)
LIMITS_OF_ALL = (5, 50, 200)


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
        assert (reply.lent, reply.members, reply.used) == (2, 1, (2, 2, 2))
        await connection.aclose()


async def test_a_store_that_fails_leaves_a_share_and_heals(tmp_path: Path) -> None:
    """While the file cannot be used, one warning tells and calls go on at a share; it heals."""
    path = tmp_path / "quota.db"
    blocked = path.with_name("blocked.db")
    with Sandbox(limits=Limits(minute=1200, hour=None, day=None)) as sandbox:
        limits = Limits(minute=1200)
        store = SQLiteQuota(path, members=2)
        async with client(sandbox, store, max_wait=5, limits=limits) as crm:
            blocked.mkdir()
            blocked.replace(path)
            with pytest.warns(SharedQuotaWarning, match="1/2 of the limits"):
                await crm.me()
            began = anyio.current_time()
            for _ in range(3):
                await crm.me()  # a second warning would be an error
            assert anyio.current_time() - began > 0.3  # 450 a minute, evenly
            path.rmdir()
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


@pytest.mark.parametrize(
    ("path", "reason"),
    [("", "directory, not a file"), ("none/quota.db", "no directory"), ("text", "another kind")],
)
async def test_a_path_that_cannot_work_is_refused_before_a_call(
    tmp_path: Path, path: str, reason: str
) -> None:
    """A directory, a missing one, and a file of another kind are told when the client is made."""
    (tmp_path / "text").write_text("no database")
    with Sandbox() as sandbox, pytest.raises(ConfigurationError, match=reason):
        client(sandbox, SQLiteQuota(tmp_path / path))
    assert sandbox.flood.granted == 0


async def test_a_file_that_may_not_be_written_is_refused_before_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a directory nor a file without the right to write will do."""
    path = tmp_path / "quota.db"
    path.touch()
    for refused in (tmp_path, path):

        def access(asked: Path, mode: int, *, refused: Path = refused) -> bool:
            return Path(asked) != refused or not mode & os.W_OK  # root may write anything

        monkeypatch.setattr(os, "access", access)
        with pytest.raises(ConfigurationError, match="cannot be written"):
            SQLiteQuota(path).connect("https://a.example", 1.0, 0.0)


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A file that is made can be read and written by its owner only, and so what lies beside it."""
    connection = SQLiteQuota(tmp_path / "quota.db").connect("https://a.example", 1.0, 0.0)
    await connection.exchange(Message("a"), 1000.0)
    names = ("quota.db", "quota.db-wal", "quota.db-shm")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names}
    assert set(modes.values()) == {0o600}
    await connection.aclose()


async def test_what_another_version_kept_is_left_alone(tmp_path: Path) -> None:
    """A state of another version is not touched: the store counts as one that cannot be used."""
    store = SQLiteQuota(tmp_path / "quota.db")
    connection = store.connect("https://a.example", 1.0, 0.0)
    await connection.exchange(Message("a"), 1000.0)
    with sqlite3.connect(store.path) as other:
        other.execute("UPDATE vtiger_quota SET state = '{\"version\": 99}'")
    with pytest.raises(StoreError, match="another version"):
        await connection.exchange(Message("a"), 1000.0)
    with sqlite3.connect(store.path) as other:
        assert other.execute("SELECT state FROM vtiger_quota").fetchone()[0] == '{"version": 99}'
    await connection.aclose()


async def test_a_look_changes_nothing(tmp_path: Path) -> None:
    """What is kept is shown, by any form of the address; a file that is not there stays so."""
    store = SQLiteQuota(tmp_path / "quota.db")
    assert (await store.peek("a.example")).day.used == 0
    assert not (tmp_path / "quota.db").exists()
    connection = store.connect("https://a.example", 1.0, 0.0)
    await connection.exchange(Message("a", 2, waiting=3, limits=LIMITS_OF_ALL), time.time())
    await connection.aclose()
    before = (tmp_path / "quota.db").read_bytes()
    found = await store.peek("a.example")
    assert (found.hour.limit, found.hour.used, found.hour.remaining) == (50, 2, 48)
    assert found.fleet.waiting["interactive"] == 1
    assert (await store.peek("b.example")).fleet.processes == 0
    assert (tmp_path / "quota.db").read_bytes() == before


@pytest.mark.parametrize("state", ["{}", "[]", "no JSON"])
async def test_what_cannot_be_read_is_an_error_of_the_store(tmp_path: Path, state: str) -> None:
    """A look at a state of another form raises the error that a user can catch."""
    store = SQLiteQuota(tmp_path / "quota.db")
    with closing(sqlite3.connect(store.path)) as other:
        with pytest.raises(VtigerError, match="no such table"):
            await store.peek("a.example")
        other.execute("CREATE TABLE vtiger_quota (instance TEXT PRIMARY KEY, state TEXT)")
        other.execute("INSERT INTO vtiger_quota VALUES ('https://a.example', ?)", (state,))
        other.commit()
    with pytest.raises(StoreError):
        await store.peek("a.example")


async def test_many_make_the_file_at_once(tmp_path: Path) -> None:
    """Processes that all come first make one file, and nobody fails."""
    replies: list[int] = []

    async def come(number: int) -> None:
        connection = SQLiteQuota(tmp_path / "quota.db").connect("https://a.example", 1.0, 0.0)
        reply = await connection.exchange(Message(f"{number}", 1, limits=(4, None, None)), 1000.0)
        replies.append(reply.lent)
        await connection.aclose()

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(come, number)
    assert len(replies) == 6
    assert sum(replies) == 2  # two ask what the server has counted


async def test_a_store_that_forgets_is_told_again(tmp_path: Path) -> None:
    """Where the state is lost, the clients tell what they have called in the last hour and day."""
    with Sandbox(limits=LIMITS) as sandbox:
        store = SQLiteQuota(tmp_path / "quota.db")
        async with client(sandbox, store, max_wait=2) as crm:
            for _ in range(3):
                await crm.me()
            with sqlite3.connect(store.path) as other:
                other.execute("DELETE FROM vtiger_quota")
            for _ in range(2):
                await crm.me()
            with pytest.raises(QuotaExhaustedError):
                await crm.with_options(max_wait=0).me()
            assert crm.quota.hour.used == 5
        assert (sandbox.flood.granted, sandbox.flood.refused) == (5, 0)


def test_four_processes_use_one_quota(tmp_path: Path) -> None:
    """Four processes on one file, which another program locks for some time, keep all promises."""
    path = tmp_path / "quota.db"
    held: list[sqlite3.Connection] = []

    async def lock() -> None:
        held.append(sqlite3.connect(path, isolation_level=None))
        held[-1].execute("BEGIN EXCLUSIVE")

    async def free() -> None:
        held.pop().close()

    check(lambda: run_fleet("SQLiteQuota", str(path), lock, free))
