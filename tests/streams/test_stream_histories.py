"""Histories of writers, consumers, failures and crashes: every change given, none skipped."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from writers import Copy, Writers

from vtiger_async import RecordId
from vtiger_async.streams import Changes, Delivery, MemoryCursors
from vtiger_async.streams.lanes import Entry, Lane

MODULES = ["Contacts", "Leads", "Accounts"]


class Told:
    """A change for tests of a lane."""

    kind = "upsert"
    record = None

    def __init__(self, place: int, number: int) -> None:
        self.cursor, self.id = str(place), RecordId(f"4x{number}")


@given(st.integers(1, 6), st.lists(st.integers(0, 3), max_size=30), st.randoms())
def test_a_position_never_passes_what_is_not_acknowledged(
    most: int, ids: list[int], draw: random.Random
) -> None:
    """Whatever is taken, settled and put back in any order: no gap, no overtaking, no more than N.

    In the end all has been given and the position stands behind the last.
    """
    lane = Lane(most, "0")
    changes: list[Any] = [Told(place + 1, number) for place, number in enumerate(ids)]
    out: list[Entry] = []
    done: set[str] = set()
    left = list(changes)
    for _ in range(40 * len(ids) + 10):
        if left and lane.wants_page:
            page, left = left[:5], left[5:]
            lane.lay(page, page[-1].cursor)
        entry = lane.take(0.0)
        if entry is not None:
            earlier = [c for c in changes if c.id == entry.change.id]
            earlier = earlier[: earlier.index(entry.change)]
            assert {c.cursor for c in earlier} <= done
            out.append(entry)
        if out and draw.random() < 0.6:
            entry = out.pop(draw.randrange(len(out)))
            if draw.random() < 0.7:
                lane.settle(entry)
                done.add(entry.change.cursor)
            else:
                lane.put_back(entry, 0.0)
        assert {str(place) for place in range(1, int(lane.position) + 1)} <= done
        assert lane.unacknowledged <= most
    for entry in out:
        lane.settle(entry)
    assert lane.will_give is (len(done) + len(out) < len(ids) and bool(lane.unacknowledged))
    if not lane.unacknowledged and not left:
        assert lane.position == str(len(ids))


class Consumer:
    """Some tasks that handle changes slowly, in no order, and fail at times."""

    def __init__(self, draw: random.Random, copy: Copy) -> None:
        self.draw, self.copy, self.busy = draw, copy, set[str]()

    async def run(self, changes: Changes) -> None:
        async for change in changes:
            try:
                await self.handle(change)
            except ValueError:
                continue

    async def handle(self, change: Delivery) -> None:
        assert change.id not in self.busy
        self.busy.add(change.id)
        try:
            async with change.ack():
                await anyio.sleep(self.draw.choice([0, 0, 0.2, 1, 8]))
                if self.draw.random() < 0.05:
                    raise ValueError
                if self.draw.random() < 0.02:
                    change.retry(self.draw.choice([0, 3]))
                else:
                    self.copy.apply(change)
        finally:
            self.busy.discard(change.id)


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize("seed", range(8))
async def test_every_change_is_given_whatever_happens(seed: int) -> None:
    """Tasks fail and crash beside writers and hints; after them the copy equals the CRM.

    A crash leaves what was stored, and nothing else.
    """
    draw, writers, copy = random.Random(seed), Writers(), Copy()
    positions: dict[str, str] = {}
    async with writers.sandbox.client() as crm:
        for _ in range(6):
            store = MemoryCursors(dict(positions))
            most = draw.choice([1, 3, 100])
            changes = crm.changes(MODULES, store, every=20, max_unacknowledged=most)
            consumer = Consumer(draw, copy)
            async with anyio.create_task_group() as group:
                for _ in range(draw.choice([1, 2, 5])):
                    group.start_soon(consumer.run, changes)
                for _ in range(draw.choice([1, 4])):
                    for _ in range(draw.choice([0, 1, 5, 20])):
                        writers.write(draw, MODULES)
                    if draw.random() < 0.3:
                        changes.wake(gap=draw.choice([0, 5]))
                    await anyio.sleep(draw.choice([0.3, 1, 4, 30, 90]))
                group.cancel_scope.cancel()
            positions = store.positions
        await anyio.sleep(10)
        changes = crm.changes(MODULES, MemoryCursors(dict(positions)), until_head=True)
        async for change in changes:
            async with change.ack():
                copy.apply(change)
    assert copy.names == writers.alive
