"""Rounds that go on: what they cost, what they leave out, and when they wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from mirrored import World, kept, url

from vtiger_async import QuotaExhaustedError
from vtiger_async.editions import Limits
from vtiger_async.mirror import Failed, MirrorEvent, Paused, SinkBusyError

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_following_is_quiet_and_backs_off_from_what_fails(tmp_path: Path) -> None:
    """A round a minute costs a call; a module that fails is asked for ever more seldom."""
    world = World()
    path = tmp_path / "crm.db"
    tried: list[float] = []
    async with world.sandbox.client() as crm:
        start = world.clock.time()

        def note(event: MirrorEvent) -> None:
            if isinstance(event, Failed):
                tried.append(round(event.at.timestamp() - start))

        async with crm.mirror(["Contacts", "Nonsense"], to=url(path), on_event=note) as mirror:
            async for _ in mirror.follow(every=60.0):
                if world.clock.time() - start > 3600:
                    break
        assert world.calls["sync"] == pytest.approx(61, abs=1)
        assert tried == [0, 120, 360, 840, 1740, 2640, 3540]
        rid = world.create()
        async for report in mirror.follow(every=60.0):
            assert report.modules["Contacts"].upserts == 1
            break
        assert rid in kept(path, "Contacts")


async def test_a_used_up_day_pauses_and_says_until_when(tmp_path: Path) -> None:
    """The report and an event tell the moment, and following goes on then by itself."""
    limits = Limits(None, None, 6, "utc")
    world = World(limits=limits, day_policy="utc")
    path = tmp_path / "crm.db"
    for _ in range(900):
        world.create()
    events: list[MirrorEvent] = []
    async with world.sandbox.client(limits=limits) as crm:
        mirror = crm.mirror(["Contacts"], to=url(path), reconcile=None, on_event=events.append)
        rounds = 0
        async for report in mirror.follow():
            rounds += 1
            if report.is_whole:
                break
            assert report.paused_until is not None
            assert report.paused_until > report.ended_at
            assert "the day's quota is used up" in report.failed["Contacts"]
        paused = [event for event in events if isinstance(event, Paused)]
        assert len(paused) == rounds - 1 >= 2
        assert all(event.window == "day" and event.until > event.at for event in paused)
        assert len(kept(path, "Contacts")) == 900
    assert issubclass(QuotaExhaustedError, Exception)


async def test_a_reader_between_two_rounds_holds_one_up_and_ends_none(tmp_path: Path) -> None:
    """A round that cannot have the place says so, and the next one makes up for it."""
    world = World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        rounds = crm.mirror(["Contacts"], to=url(path)).follow(every=60.0)
        async with crm.mirror(["Accounts"], to=url(path)):
            with pytest.raises(SinkBusyError):
                await anext(rounds)
        assert (await anext(rounds)).is_whole
        rid = world.create()
        async with crm.mirror(["Accounts"], to=url(path)):
            held_up = await anext(rounds)
        assert (held_up.modules["Contacts"].phase, held_up.calls) == ("deltas", 0)
        assert "another mirror is writing" in held_up.failed["Contacts"]
        start = world.clock.time()
        assert (await anext(rounds)).is_whole
        assert world.clock.time() - start == pytest.approx(60.0, abs=5.0)
        assert rid in kept(path, "Contacts")
