"""What the tests of `vtiger-async import` share: input files, and what is in the CRM."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from cli_runs import KEY, Instance, Result, run_here

from vtiger_async.sandbox import Sandbox

KEYED = ("--module", "Accounts", "--key", "accountname", "--owner", "me")


@contextmanager
def unlimited() -> Iterator[Instance]:
    """Serve a sandbox without limits and records, on real time, in a thread of its own."""

    @asynccontextmanager
    async def served() -> AsyncGenerator[str]:
        with Sandbox(limits=False, records=0, access_key=KEY) as sandbox:
            async with sandbox.serving() as url:
                yield url

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(served()) as url,
    ):
        yield Instance(url)


def rows_file(folder: Path, *rows: str, header: str = "Organization Name,Phone") -> Path:
    """Write a CSV file of organisations."""
    path = folder / "orgs.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def names(count: int, first: int = 1) -> list[str]:
    """Return rows of so many organisations."""
    return [f"Import {number:04},0{number}" for number in range(first, first + count)]


def stored(capsys: pytest.CaptureFixture[str], start: str = "Import") -> dict[str, str]:
    """Return the phones of the organisations whose names begin so, by name."""
    statement = f"SELECT accountname, phone FROM Accounts WHERE accountname LIKE '{start}%';"
    found = run_here(capsys, "query", statement).rows
    assert len({row["accountname"] for row in found}) == len(found)
    return {row["accountname"]: row["phone"] for row in found}


def imported(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Result:
    """Run one of the commands under `import`."""
    return run_here(capsys, "import", *map(str, arguments))


def one(result: Result) -> dict[str, Any]:
    """Return the only record on standard output."""
    (found,) = result.rows
    return found


def nothing_but(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return some of a record's values."""
    return json.loads(json.dumps({name: row[name] for name in names}))
