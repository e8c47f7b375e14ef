"""The quota in Redis, against a real server."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
from attrs import asdict
from fleet_run import check, run_fleet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server, redis

from vtiger_async import ConfigurationError, RedisQuota
from vtiger_async.quota.fleet import Fleet, Message
from vtiger_async.quota.lending import exchange
from vtiger_async.sandbox import Sandbox
from vtiger_async.stores import StoreError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A Redis server and its URL."""
    running, url = redis(tmp_path_factory.mktemp("redis"))
    yield running, url
    running.stop(signal.SIGKILL)


def test_two_connections_share_one_quota(server: tuple[Server, str]) -> None:
    """What one has borrowed the other cannot have; instances are counted apart."""

    async def main() -> None:
        store = RedisQuota(server[1])
        one, two = (store.connect("https://a.example", 1.0, 0.0) for _ in range(2))
        other = store.connect("https://b.example", 1.0, 0.0)
        message = Message("one", 1, limits=(1, None, None))
        assert (await one.exchange(message, 0.0)).lent == 1
        reply = await two.exchange(Message("two", 1, limits=(1, None, None)), 0.0)
        assert (reply.lent, reply.members, reply.used) == (0, 2, (1, 1, 1))
        assert (await other.exchange(message, 0.0)).lent == 1
        for connection in (one, two, other):
            await connection.aclose()

    anyio.run(main)


step = st.tuples(
    st.floats(0, 20),
    st.sampled_from("abc"),
    st.integers(0, 9),
    st.sampled_from(["interactive", "sync", "bulk"]),
    st.integers(0, 9),
    st.none() | st.tuples(st.floats(0, 5), st.just(60), st.integers(0, 60), st.just(20.0),
                          st.just(500), st.integers(0, 500)),
    st.none() | st.just((30.0, "hour")),
)  # fmt: skip


@given(st.lists(step, max_size=40), st.booleans(), st.sampled_from([None, 12, 60]))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_the_script_answers_as_the_rules_do(
    server: tuple[Server, str], steps: list[tuple[Any, ...]], utc: bool, minute: int | None
) -> None:
    """Over any history, the script in Redis and the function in Python give the same replies."""

    async def main() -> None:
        instance, now, fleet = f"https://{secrets.token_hex(8)}.example", 1_790_000_000.0, Fleet()
        connection = RedisQuota(server[1]).connect(instance, 0.0, now)
        for pause, member, want, priority, calls, seen, refused in steps:
            now += round(pause * 64) / 64  # exact in binary, so that no rounding differs
            connection.epoch = now  # at the factor 0 its time stands at the epoch
            message = Message(
                member, want, priority, used=((0.5, calls),) if calls > 4 else (),
                unused=calls if calls < 5 else 0, seen=seen, refused=refused,
                limits=(minute, 400, 900), utc=utc, reserve=0.25,
            )  # fmt: skip
            theirs, ours = await connection.exchange(message, 0.0), exchange(fleet, now, message)
            for name, value in asdict(ours).items():
                assert asdict(theirs)[name] == pytest.approx(value, abs=1e-3), name
        await connection.aclose()

    anyio.run(main)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    """Neither repr nor errors hold the URL's password."""
    url = "redis://:s3cret-word@127.0.0.1:1/0"
    store = RedisQuota(url)
    connection = store.connect("https://a.example", 1.0, 0.0)
    with pytest.raises(StoreError) as caught:
        anyio.run(connection.exchange, Message("a"), 0.0)
    with pytest.raises(ConfigurationError) as unread:
        RedisQuota("http://:s3cret-word@redis/")
    for text in (repr(store), repr(connection), str(caught.value), str(unread.value)):
        assert "s3cret-word" not in text
    assert caught.value.__cause__ is None


def test_another_event_loop_is_refused() -> None:
    """Psycopg runs on asyncio only, and the first call says so."""

    async def main() -> None:
        with Sandbox() as sandbox:
            async with sandbox.client(quota=RedisQuota("redis://127.0.0.1:1")) as crm:
                with pytest.raises(ConfigurationError, match="asyncio"):
                    await crm.me()

    trio.run(main)


def test_four_processes_use_one_quota(server: tuple[Server, str]) -> None:
    """Four processes: no window exceeded, none refused, 95 % used, all served."""
    check(run_fleet("RedisQuota", server[1], 16))


def test_four_processes_bear_a_killed_server(server: tuple[Server, str]) -> None:
    """The same while the server is killed and started again; a warning tells each once."""

    async def kill() -> None:
        await anyio.sleep(8)
        server[0].stop(signal.SIGKILL)
        await anyio.sleep(2)
        await anyio.to_thread.run_sync(server[0].start)

    run = run_fleet("RedisQuota", server[1], 16, kill)
    check(run, used=0.6, outage=True)
    assert all(len(told) == 1 for told in run.warnings)
