"""Histories of writes, faults and kills: in the end the mirror is what a query shows.

`VTIGER_ASYNC_MIRROR_HISTORIES=2000` runs so many; `-rP` prints what a naive loop loses on them.
"""

from __future__ import annotations

import os

import pytest
from crm_writers import LoopClock
from histories import Total, differences, play
from memory_sink import MemorySink, Store
from mirrored import World

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

HISTORIES = int(os.environ.get("VTIGER_ASYNC_MIRROR_HISTORIES", "200"))
PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
async def test_the_mirror_is_what_a_query_shows_after_any_history(part: int) -> None:
    """Whatever was written, failed or was killed meanwhile: each cell is the same at rest."""
    total, count = Total(), 0
    for seed in range(part, HISTORIES, PARTS):
        await play(seed, Store(), total, beside_naive=True)
        count += 1
    assert total.kills > 0
    assert total.faults > 0
    assert set(total.did) == {"create", "revise", "reassign", "convert", "delete", "late"}
    did = ", ".join(f"{name} {number:,}" for name, number in sorted(total.did.items()))
    print(f"{count} histories ({did}), {total.kills} kills, {total.faults} faults")  # noqa: T201 - what is asked for
    print("  the mirror has missed nothing")  # noqa: T201 - what is asked for
    for name, lost in (("naive", total.naive), ("killed", total.killed)):
        words = ", ".join(f"{number} {what}" for what, number in sorted(lost.items())) or "nothing"
        where = total.with_losses[name]
        print(f"  the naive loop ({name}) has missed {words}, in {where} histories")  # noqa: T201 - what is asked for
    assert total.naive.total() > 0
    assert total.killed.total() > total.naive.total() // 2


async def test_an_administrator_is_not_taken_for_another_where_the_server_fails() -> None:
    """Nothing is read until it is told who asks: of others' records another user hears nothing."""
    world, store = World(seed=1, clock=LoopClock()), Store()
    rid = world.create(assigned_user_id="19x5")
    fault = world.sandbox.faults.add("500", operation="me")
    async with world.sandbox.client() as crm:
        assert await crm.query("SELECT * FROM Contacts;").count() == 1
        assert len(await crm.query("SELECT * FROM Contacts;").all()) == 1  # takes it for a no
        mirror = crm.mirror(["Contacts"], MemorySink(store, "tombstone"))
        assert not (await mirror).is_whole
        world.sandbox.faults.remove(fault.number)
        assert (await mirror).is_whole
        world.delete(rid)
        assert (await mirror).modules["Contacts"].deleted == 1
        assert await differences(crm, store, ["Contacts"]) == []
    world.sandbox.close()
