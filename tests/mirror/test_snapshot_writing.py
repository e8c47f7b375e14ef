"""While a page of a snapshot is written, the next are read, and what waits is one batch."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from mirrored import CutError, World, kept, same, state_of

from vtiger_async.mirror import Batch
from vtiger_async.mirror.sinks.sqlite import SQLiteSink

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class SlowSink(SQLiteSink):
    """A sink that takes a while for each batch, and can end the process behind one of them."""

    def __init__(self, path: Path, seconds: float = 5.0, end_behind: int = 0) -> None:
        super().__init__(path)
        self.seconds = seconds
        self.end_behind = end_behind
        self.sizes: list[int] = []

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        await anyio.sleep(self.seconds)
        if batch.upserts:
            self.sizes.append(len(batch.upserts))
        if len(self.sizes) == self.end_behind:
            raise CutError


async def world_of(count: int) -> World:
    world = World()
    for _ in range(count):
        world.create()
    await anyio.sleep(600)  # what is older than a snapshot's beginning is not told again
    return world


async def test_pages_that_wait_are_written_together(tmp_path: Path) -> None:
    """A place that is slower than the CRM sees few batches, of 2,100 records at the most."""
    world, sink = await world_of(3_050), SlowSink(tmp_path / "crm.db")
    async with world.sandbox.client() as crm:
        report = await crm.mirror(["Contacts"], to=sink)
        assert report.is_whole
        assert sink.sizes[0] == 100  # what came first waits for nothing
        assert max(sink.sizes) == 2_100
        assert sum(sink.sizes) == 3_050
        assert len(sink.sizes) == 3
        await same(crm, sink.path, "Contacts")


async def test_documents_are_read_a_page_ahead_at_the_most(tmp_path: Path) -> None:
    """Each costs a call: after an end, few pages are read again."""
    world, sink = World(), SlowSink(tmp_path / "crm.db", end_behind=1)
    for _ in range(310):
        world.invoice(1)
    async with world.sandbox.client() as crm:
        with pytest.raises(CutError):
            await crm.mirror(["Invoice"], to=sink)
    assert world.calls["query"] <= 2
    assert world.calls["retrieve"] == 10


async def test_what_was_read_before_an_error_is_written(tmp_path: Path) -> None:
    """Pages that wait when the next call fails are kept, and are not read again."""
    world, sink = await world_of(900), SlowSink(tmp_path / "crm.db")
    async with world.sandbox.client() as crm:
        world.sandbox.faults.add("500", operation="query", after=6)
        report = await crm.mirror(["Contacts"], to=sink)
        assert not report.is_whole
        assert len(kept(sink.path, "Contacts")) == 600
        assert state_of(sink.path, "Contacts").error is not None
        world.sandbox.faults.clear()
        before = world.calls["query"]
        assert (await crm.mirror(["Contacts"], to=SlowSink(sink.path))).is_whole
        assert world.calls["query"] - before == 4
        await same(crm, sink.path, "Contacts")


async def test_where_nothing_can_be_written_the_reading_ends(tmp_path: Path) -> None:
    """No call is spent on pages that have no place; the error is that of the place."""
    world, sink = await world_of(3_000), SlowSink(tmp_path / "crm.db", end_behind=1)
    async with world.sandbox.client() as crm:
        with pytest.raises(CutError):
            await crm.mirror(["Contacts"], to=sink)
        assert world.calls["query"] <= 22
        await crm.mirror(["Contacts"], to=SlowSink(sink.path))
        await same(crm, sink.path, "Contacts")
