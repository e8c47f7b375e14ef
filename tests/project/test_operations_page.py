"""The page of the reference that lists the operations says what the table in the code says."""

from __future__ import annotations

from pathlib import Path

from vtiger_async.wire.operations import OPERATIONS, Operation

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/operations.md"

HEAD = (
    "| operation | coroutine | HTTP | parameters | sent again | sessions | result | manual |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
)


def row(operation: Operation) -> str:
    """Return the line of the page that stands for one operation."""
    parameters = [
        f"`{p.name}`"
        + (f" ({p.encoding})" if p.encoding != "text" else "")
        + "?" * (not p.required)
        for p in operation.parameters
    ]
    cells = (
        f"`{operation.name}`",
        f"[`{operation.method}`][vtiger_async.VtigerClient.{operation.method}]",
        operation.verb,
        ", ".join(parameters),
        operation.repeat.value,
        "yes" if operation.on_sessions else "no",
        operation.result,
        operation.manual,
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def test_the_page_lists_every_operation() -> None:
    """The page holds one table: a row for each operation, in the manual's order."""
    expected = "\n".join([*HEAD, *map(row, OPERATIONS.values())])
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    found = "\n".join(line for line in lines if line.startswith("|"))
    assert found == expected, f"the table of {PAGE.name} is to be:\n\n{expected}\n"
