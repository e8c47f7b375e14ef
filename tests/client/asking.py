"""What the tests of statements share: each way to ask one."""

from __future__ import annotations

from typing import Any

from vtiger_async import Select

WAYS = ["all", "first", "count", "pages", "typed"]


async def ask(crm: Any, statement: str | Select, way: str) -> object:
    """Ask a statement in one of the ways that there are."""
    query = crm.query(statement)
    if way == "pages":
        return await anext(query.pages(), None)
    if way == "typed":
        return await query.typed().all()
    return await getattr(query, way)()
