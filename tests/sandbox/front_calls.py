"""Calls that the tests of the sandbox's front share: httpx alone, no client of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx

from vtiger_async.sandbox import Sandbox

REST = "/restapi/v1/vtiger/default/"


def http_of(sandbox: Sandbox, user: str = "admin", **options: Any) -> httpx.AsyncClient:
    """A bare httpx client to a sandbox in process."""
    options.setdefault("auth", sandbox.credentials(user))
    return httpx.AsyncClient(transport=sandbox.transport(), base_url=sandbox.url, **options)


async def create_lead(http: httpx.AsyncClient, lastname: str = "Lovelace", **options: Any) -> Any:
    """Create a lead, and return the response."""
    element = json.dumps({"lastname": lastname, "company": "Engines", "assigned_user_id": "19x1"})
    form = {"elementType": "Leads", "element": element}
    return await http.post(REST + "create", data=form, **options)


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for what another task is about to make true."""
    for _ in range(1000):
        if condition():
            return
        await anyio.sleep(0.005)
    raise AssertionError


def writes(sandbox: Sandbox) -> int:
    """How many writes really happened."""
    return len(sandbox.ledger()["writes"])
