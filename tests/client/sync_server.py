"""What the tests of sync share: servers that send the pages which a test has written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from vtiger_async import VtigerClient

START = 1_790_000_000


def contact(number: int, time: int, name: str = "N") -> dict[str, Any]:
    stamp = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return {"id": f"4x{number}", "lastname": name, "modifiedtime": stamp}


def page(updated: Any, last: Any, *, deleted: Any = (), more: bool = False) -> dict[str, Any]:
    return {
        "updated": updated,
        "deleted": list(deleted) if isinstance(deleted, tuple) else deleted,
        "more": more,
        "lastModifiedTime": last,
    }


def scripted(
    asked: list[int], pages: list[Any], queried: list[str] | None = None, rows: Any = ()
) -> VtigerClient:
    """Return a client to a server that sends these pages, and these rows to any query."""
    left = iter(pages)
    given = iter([list(rows), []])

    def answer(request: httpx.Request) -> httpx.Response:
        parameters = parse_qs(urlsplit(str(request.url)).query)
        if "query" in parameters:
            assert queried is not None
            queried.append(parameters["query"][0])
            result = next(given, [])
        elif request.url.path.endswith("/me"):
            result = {"id": "19x1", "is_admin": "on"}
        else:
            asked.append(int(parameters["modifiedTime"][0]))
            result = next(left)
        return httpx.Response(200, json={"success": True, "result": result})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return VtigerClient("localhost", "u", "k", http_client=client)
