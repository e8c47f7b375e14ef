"""Mirrors hold what a server's queries show, where it tells changes otherwise (as Vtiger 8.4)."""

from __future__ import annotations

from pathlib import Path

import pytest
from mirrored import World, kept, same

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def new(world: World, module: str, **fields: object) -> str:
    return str(world.run("create", elementType=module, element=fields)["id"])


TASK = {
    "subject": "T",
    "assigned_user_id": "19x1",
    "activitytype": "Task",
    "date_start": "2026-01-05",
    "time_start": "10:00:00",
    "due_date": "2026-01-06",
}


async def test_a_task_keeps_its_own_statuses_though_a_sync_tells_one_for_both(
    tmp_path: Path,
) -> None:
    """A sync of tasks sends the status as `eventstatus`, too: a query tells each, 100 to a call."""
    world, path = World(profile="oss-8.4"), tmp_path / "m.db"
    async with world.sandbox.client() as crm:
        mirror = crm.mirror(["Calendar"], to=url(path))
        await mirror
        rids = [
            new(world, "Calendar", **TASK, taskstatus="Completed", eventstatus=other)
            for other in ("", "Planned", "Held")
        ]
        before = world.calls
        await mirror
        assert world.calls["query"] - before.get("query", 0) == 1
        assert [kept(path, "Calendar")[rid]["eventstatus"] for rid in rids] == [
            None, "Planned", "Held",
        ]  # fmt: skip
        await same(crm, path, "Calendar")
        before = world.calls
        await mirror
        assert world.calls["query"] == before["query"]  # what was told is not asked again
    world.sandbox.close()
