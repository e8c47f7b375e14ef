"""Descriptions are kept: one call for all who ask at once, for as long as `metadata_ttl`."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from over_http import calls

from vtiger_async import AccessDeniedError, ApiError, Module, ServerError, VtigerClient
from vtiger_async.sandbox import ManualClock, Sandbox

pytestmark = pytest.mark.anyio


async def together(crm: VtigerClient, count: int, module: str = "Contacts") -> list[Any]:
    """Ask for a description so many times at once; return the answers and errors."""
    found: list[Module | ApiError] = []

    async def ask() -> None:
        try:
            found.append(await crm.describe(module))
        except ApiError as error:
            found.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(ask)
    return found


async def test_all_who_ask_at_once_share_one_call() -> None:
    """Twenty tasks cost one call, and get one object."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            found = await together(crm, 20)
            assert len({id(module) for module in found}) == 1
            await crm.describe("Leads")
        assert sandbox.ledger()["calls"] == {"describe": 2}


async def test_modules_do_not_wait_for_each_other() -> None:
    """While one module is asked for, another can be."""
    with Sandbox(limits=False) as sandbox:
        sandbox.faults.add("no_answer", operation="describe", times=1)
        async with sandbox.client() as crm, anyio.create_task_group() as group:
            group.start_soon(crm.describe, "Contacts")
            await anyio.wait_all_tasks_blocked()
            with anyio.fail_after(5):
                assert (await crm.describe("Leads")).name == "Leads"
            group.cancel_scope.cancel()


async def test_a_cancelled_asker_leaves_the_way_free() -> None:
    """Where the one who asks is cancelled, the next one asks."""
    with Sandbox(limits=False) as sandbox:
        sandbox.faults.add("no_answer", operation="describe", times=1)
        async with sandbox.client() as crm:
            with anyio.move_on_after(0.05):
                await crm.describe("Contacts")
            with anyio.fail_after(5):
                assert (await crm.describe("Contacts")).name == "Contacts"
            assert crm.quota.in_flight == 0


@pytest.mark.virtual_time
async def test_a_description_is_kept_for_its_time() -> None:
    """Within `metadata_ttl` seconds nothing is asked again; after them it is."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client(metadata_ttl=600) as crm:
            first = await crm.describe("Contacts")
            await anyio.sleep(599)
            assert await crm.describe("Contacts") is first
            await anyio.sleep(2)
            second = await crm.describe("Contacts")
            assert second is not first
            assert second == first
        assert calls(sandbox) == 2


async def test_no_time_keeps_nothing() -> None:
    """With `metadata_ttl=0` every description is asked for."""
    with Sandbox(limits=False, clock=ManualClock()) as sandbox:
        async with sandbox.client(metadata_ttl=0) as crm:
            await crm.describe("Contacts")
            await crm.describe("Contacts")
        assert calls(sandbox) == 2


async def test_refresh_asks_again() -> None:
    """`refresh=True` asks even if a description is kept, and the new one is kept then."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            first = await crm.describe("Contacts")
            fresh = await crm.describe("Contacts", refresh=True)
            assert fresh is not first
            assert await crm.describe("Contacts") is fresh
        assert calls(sandbox) == 2


async def test_errors_are_not_kept() -> None:
    """A module that could not be described is asked for again."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client("sales") as crm:
            for _ in range(2):
                with pytest.raises(AccessDeniedError):
                    await crm.describe("Invoice")
            assert calls(sandbox) == 2
            sandbox.faults.add("500", operation="describe", times=1)
            found = await together(crm.with_options(max_wait=0.0), 3)
            assert [type(one) for one in found] == [ServerError, Module, Module]


async def test_a_picklist_change_that_fails_drops_descriptions_too() -> None:
    """It may have happened: the next description is asked for."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            await crm.describe("Leads")
            with pytest.raises(ApiError):
                await crm.add_picklist("Leads", "no_such_field", ["x"])
            await crm.describe("Leads")
        assert sandbox.ledger()["calls"]["describe"] == 2
