"""The quota in Redis, against a real server."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest
from attrs import asdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Server, redis

from vtiger_async import RedisQuota
from vtiger_async.quota.fleet import Fleet, Message
from vtiger_async.quota.lending import exchange
from vtiger_async.stores import StoreError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """A Redis server and its URL."""
    running, url = redis(tmp_path_factory.mktemp("redis"))
    yield running, url
    running.stop(signal.SIGKILL)


step = st.tuples(
    st.floats(0, 20),
    st.sampled_from("abc"),
    st.integers(0, 9),
    st.sampled_from(["interactive", "sync", "bulk"]),
    st.integers(0, 9),
    st.none() | st.tuples(st.floats(0, 5), st.just(60), st.integers(0, 60), st.just(20.0),
                          st.just(500), st.integers(0, 500)),
    st.none() | st.just((30.0, "hour")),
    st.sampled_from([0, 0, 0, 3]),
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
        for pause, member, want, priority, calls, seen, refused, alone in steps:
            now += round(pause * 64) / 64  # exact in binary, so that no rounding differs
            connection.epoch = now  # at the factor 0 its time stands at the epoch
            message = Message(
                member, want, priority, used=((0.5, calls),) if calls > 4 else (),
                unused=calls if calls < 5 else 0, seen=seen, refused=refused,
                limits=(minute, 400, 900), utc=utc, even=utc, reserve=0.25, alone=alone,
                extra=((2.0, alone), (200.0, 1)) if alone else (),
            )  # fmt: skip
            theirs, ours = await connection.exchange(message, 0.0), exchange(fleet, now, message)
            for name, value in asdict(ours).items():
                assert asdict(theirs)[name] == pytest.approx(value, abs=1e-3), name
        await connection.aclose()

    anyio.run(main)


def test_what_another_version_kept_is_left_alone(server: tuple[Server, str]) -> None:
    """A state of another version is not touched, and the error says why."""

    async def main() -> None:
        instance = f"https://{secrets.token_hex(8)}.example"
        connection = RedisQuota(server[1]).connect(instance, 1.0, 0.0)
        await connection.exchange(Message("a"), 0.0)
        key = f"vtiger-async:quota:{instance}"
        change = "local f = cmsgpack.unpack(redis.call('GET', KEYS[1])) f.version = 99 "
        change += "redis.call('SET', KEYS[1], cmsgpack.pack(f))"
        await connection._open.eval(change, 1, key)
        with pytest.raises(StoreError, match="another version"):
            await connection.exchange(Message("a"), 0.0)
        await connection.aclose()

    anyio.run(main)


def test_the_key_goes_when_nobody_calls(server: tuple[Server, str]) -> None:
    """What is kept is forgotten two days after the last message."""

    async def main() -> None:
        connection = RedisQuota(server[1]).connect("https://key.example", 1.0, 0.0)
        await connection.exchange(Message("a"), 0.0)
        left = await connection._open.ttl("vtiger-async:quota:https://key.example")
        assert 172_000 < left <= 172_800
        await connection.aclose()

    anyio.run(main)
