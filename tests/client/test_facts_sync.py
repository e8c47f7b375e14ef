"""What was measured of sync, and what a reader of changes is told, where no other test says so."""

from __future__ import annotations

from typing import Any

import pytest

from vtiger_async import AccessDeniedError, VtigerClient
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])]

OWNED = {"assigned_user_id": "19x1"}


def empty(profile: Any) -> Sandbox:
    """A sandbox without limits and records."""
    return Sandbox(profile=profile, records=0, limits=False)


async def changes(crm: VtigerClient, module: str, **options: Any) -> list[tuple[str, str]]:
    """Read all changes of a module: what happened to which record."""
    found = crm.sync(module, **options)
    return sorted([(change.kind, str(change.id)) async for change in found])


async def test_a_converted_lead_is_told_as_deleted(profile: str) -> None:
    """It can still be retrieved, but the server counts it among the deletes."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            lead = await crm.create("Leads", {"lastname": "L", "company": "Co", **OWNED})
            await crm.convert_lead(lead.id, {"Contacts": {}})
            assert await changes(crm, "Leads") == [("delete", lead.id)]
            assert (await crm.retrieve(lead.id))["lastname"] == "L"


async def test_what_was_changed_and_deleted_is_told_as_deleted_alone(profile: str) -> None:
    """Also where the reader has never seen the record."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            gone = await crm.create("Leads", {"lastname": "gone", **OWNED})
            await crm.revise(gone.id, {"city": "Rome"})
            await crm.delete(gone.id)
            kept = await crm.create("Leads", {"lastname": "kept", **OWNED})
            assert await changes(crm, "Leads") == [("delete", gone.id), ("upsert", kept.id)]


async def test_a_record_that_was_given_away_is_told_by_default(profile: str) -> None:
    """The default scope is `application`; under `user` the record vanishes without a word."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            lead = await crm.create("Leads", {"lastname": "L", **OWNED})
            assert await changes(crm, "Leads", scope="user") == [("upsert", lead.id)]
            await crm.revise(lead.id, {"assigned_user_id": "19x5"})
            assert await changes(crm, "Leads") == [("upsert", lead.id)]
            assert await changes(crm, "Leads", scope="user") == []


async def test_all_changes_are_for_administrators(profile: str) -> None:
    """Anyone else gets an error, and no part of the changes."""
    with empty(profile) as sandbox:
        async with sandbox.client("sales") as crm:
            with pytest.raises(AccessDeniedError):
                await changes(crm, "Leads")


async def test_modules_that_tell_no_changes(profile: str) -> None:
    """Users never change; small modules are refused."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            assert await changes(crm, "Users") == []
            for module in ("Currency", "Groups"):
                with pytest.raises(AccessDeniedError):
                    await changes(crm, module)


async def test_a_change_holds_a_querys_row(profile: str) -> None:
    """It has neither label nor line items; unset dates are null."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            await crm.create("Contacts", {"lastname": "x", **OWNED})
            (change,) = [change async for change in crm.sync("Contacts")]
    assert change.record is not None
    assert (change.record["lastname"], change.record["birthday"]) == ("x", None)
    assert not {"label", "LineItems"} & change.record.keys()
