"""What the tests of exports share: what is exported, and files read back as cells."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import anyio
import pyarrow.parquet as parquet

from vtiger_async import VtigerClient

THREE = "SELECT lastname, donotcall, birthday FROM Contacts ORDER BY id LIMIT 3;"
"""Three records, in one page."""


def read_back(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of any of the formats, as its own reader gives them."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [*csv.DictReader(file)]
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def beside(path: Path) -> list[str]:
    """The names of all files in its folder."""
    return sorted(other.name for other in path.parent.iterdir())


async def two_pages(crm: VtigerClient, path: Path) -> None:
    """Begin an export of the contacts, and cancel it after the second page."""
    with anyio.CancelScope() as scope:
        await crm.export("Contacts", path, progress=lambda n: n >= 200 and scope.cancel())
    assert scope.cancelled_caught
