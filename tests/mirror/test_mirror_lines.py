"""Documents: their line items, and what a retrieve is spent for."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from mirrored import CutError, FailingSink, World, kept, same, state_of, url

from vtiger_async.mirror import Mirror

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_documents_are_retrieved_only_when_they_have_changed(
    tmp_path: Path, profile: str
) -> None:
    """A retrieve for each new or changed document, and no other; a snapshot page costs no more."""
    world = World(profile=profile)
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        ids = [world.invoice(1, 2, 3) for _ in range(60)]
        report = await crm.mirror(["Invoice"], to=url(path))
        assert report.modules["Invoice"].retrieved == 60
        assert world.calls["retrieve"] == 60 + (profile == "oss-8.4")  # who the user is
        assert world.calls["query"] <= 2
        await same(crm, path, "Invoice")
        assert all(len(row["lines"]) == 3 for row in kept(path, "Invoice").values())
        await anyio.sleep(600)
        world.revise(ids[0], subject="<script>Other</script>")
        world.delete(ids[1])
        report = await crm.mirror(["Invoice"], to=url(path))
        assert report.modules["Invoice"].retrieved == 1
        await same(crm, path, "Invoice")
        assert (await crm.mirror(["Invoice"], to=url(path))).modules["Invoice"].retrieved == 0


async def test_documents_can_be_kept_without_their_lines(tmp_path: Path) -> None:
    """No retrieve, no table; wanted later, all are retrieved once; given up, the table stays."""
    world = World()
    path = tmp_path / "crm.db"
    async with world.sandbox.client() as crm:
        ids = [world.invoice(1, 2) for _ in range(20)]

        def mirror(*, line_items: bool) -> Mirror:
            return crm.mirror(["Invoice"], to=url(path), line_items=line_items)

        cheap = (await mirror(line_items=False).explain()).calls
        assert (await mirror(line_items=True).explain()).calls == cheap + 20
        first = (await mirror(line_items=False)).modules["Invoice"]
        assert (first.error, "retrieve" in world.calls) == (None, False)
        assert "line items" not in first.note
        assert world.calls["query"] <= 2 + 2  # two were spent to explain
        assert (len(kept(path, "Invoice")), state_of(path, "Invoice").lines) == (20, None)

        assert (await mirror(line_items=True).explain()).calls >= 20
        assert (await mirror(line_items=True)).modules["Invoice"].retrieved == 20
        await same(crm, path, "Invoice")
        assert (await mirror(line_items=True)).modules["Invoice"].retrieved == 0

        await anyio.sleep(600)
        world.revise(ids[0], subject="Other")
        third = (await mirror(line_items=False)).modules["Invoice"]
        assert (third.retrieved, third.upserts) == (0, 1)
        assert "Invoice_LineItems stays as it was" in third.note
        row = kept(path, "Invoice")[ids[0]]
        assert (row["subject"], len(row["lines"])) == ("Other", 2)
        assert (await mirror(line_items=True)).modules["Invoice"].retrieved == 20
        await same(crm, path, "Invoice")


async def test_a_cut_among_documents_retrieves_none_twice(tmp_path: Path) -> None:
    """Ten at a time are written with their hashes: what was written costs no call again."""
    world = World()
    path = tmp_path / "crm.db"
    for _ in range(35):
        world.invoice(1)
    async with world.sandbox.client() as crm:
        with pytest.raises(CutError):
            await crm.mirror(["Invoice"], to=FailingSink(path, 7))
        assert len(kept(path, "Invoice")) == 20
        report = await crm.mirror(["Invoice"], to=url(path))
        assert report.modules["Invoice"].retrieved == 15
        await same(crm, path, "Invoice")
