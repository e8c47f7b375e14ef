"""Line items in the source for dlt, and loads that end early or go on elsewhere."""

from __future__ import annotations

import logging
from itertools import count
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from writers import Writers

from vtiger_async import Limits, Record, RecordId, RetryPolicy, ServerError, VtigerClient
from vtiger_async.dlt.door import Door
from vtiger_async.dlt.lines import Lines
from vtiger_async.dlt.pages import Page, changed_pages
from vtiger_async.models.metadata import Module
from vtiger_async.sandbox import Sandbox
from vtiger_async.streams import StreamError
from vtiger_async.streams.options import Options
from vtiger_async.tables import RowMaker, lines_table_of, table_of

INVOICE = Module("Invoice", "Invoice", "7", {})


class Told:
    """A change of a document: how many lines it has then, or that it is gone."""

    def __init__(self, number: int, lines: int | None) -> None:
        self.id = RecordId(f"7x{number}")
        self.record = None
        if lines is not None:
            sent = [{"quantity": str(n)} for n in range(lines)]
            self.record = Record({"id": self.id, "LineItems": sent}, "Invoice")


def merged(kept: dict[Any, Any], rows: list[dict[str, Any]]) -> dict[Any, Any]:
    """What dlt makes of a load: documents that come are replaced, and the last row of a key counts.

    Source: dlt's documentation, "Merge loading", delete-insert with a merge key and dedup_sort.
    """
    come = {row["parent_id"] for row in rows}
    last: dict[Any, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: row["_sequence"]):
        last[row["parent_id"], row["position"]] = row
    stay = {key: value for key, value in kept.items() if key[0] not in come}
    return stay | {k: row["quantity"] for k, row in last.items() if not row["_deleted"]}


a_page = st.lists(st.tuples(st.integers(1, 3), st.none() | st.integers(1, 4)), max_size=4)


@given(st.lists(st.lists(a_page, max_size=3), max_size=3))
def test_after_each_load_the_lines_are_those_of_the_documents(
    loads: list[list[list[tuple[int, int | None]]]],
) -> None:
    """However often a document grows, shrinks, goes and returns between the pages of one load."""
    table, order = lines_table_of(INVOICE), count()
    assert table is not None
    kept: dict[Any, Any] = {}
    truth: dict[Any, Any] = {}
    for pages in loads:
        lines = Lines(None, INVOICE, table, RowMaker(table_of(INVOICE), INVOICE, table), order)  # type: ignore[arg-type]  # nothing is called
        rows: list[dict[str, Any]] = []
        for page in pages:
            changes: list[Any] = [Told(number, some) for number, some in page]
            found = {change.id: change.record for change in changes}
            whole = {rid: record for rid, record in found.items() if record is not None}
            rows += lines.rows_of(changes, whole)
            for rid, record in found.items():
                truth = {key: value for key, value in truth.items() if key[0] != rid}
                sent = [] if record is None else record["LineItems"]
                truth |= {(rid, n): line["quantity"] for n, line in enumerate(sent, 1)}
        kept = merged(kept, rows)
        assert kept == truth


def read(sandbox: Sandbox, state: dict[str, Any], **options: Any) -> list[Page]:
    """Read the pages of a module, and keep their state."""

    def client() -> VtigerClient:
        # Nothing is repeated, and so no back-off is waited for.
        return sandbox.client(options.get("user", "admin"), retry=RetryPolicy(max_attempts=1))

    async def main() -> list[Page]:
        pages: list[Page] = []
        door = Door(client, max_wait=options.get("max_wait", 60.0))
        lines = options.get("line_items", False)
        module = options.get("module", "Contacts")
        reading = changed_pages(door, module, Options(), state, line_items=lines)
        async for marked in reading:
            pages.append(marked.data)
            state.update(marked.data.state)
        return pages

    return anyio.run(main)


def test_a_used_up_quota_ends_a_load_early_and_the_next_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was read is loaded, with a warning; where nothing was read, the load fails."""
    writers = Writers(Limits(day=4))
    sandbox = writers.sandbox
    for _ in range(250):
        writers.create()
    sandbox.engine.store.run(
        "UPDATE Contacts SET modifiedtime = datetime(modifiedtime, (-100000 + n) || ' seconds')",
        (),
    )
    state: dict[str, Any] = {}
    given: list[str] = []
    with caplog.at_level(logging.WARNING, "vtiger_async"):
        for _ in range(3):
            for page in read(sandbox, state, max_wait=1.0):
                given += [str(row["id"]) for row in page.rows]
            sandbox.flood.reset()
    assert sorted(given) == sorted(writers.alive)
    assert "Contacts is not read to its end, the next load goes on" in caplog.text
    sandbox.flood.reset()


def test_a_state_of_another_instance_or_user_is_refused() -> None:
    """Its position would skip what this one has not told."""
    writers = Writers()
    writers.create()
    state: dict[str, Any] = {}
    assert len(read(writers.sandbox, state)) == 1
    assert state["instance"] == writers.sandbox.url
    with pytest.raises(StreamError, match=r"has loaded Contacts from http://other\.test"):
        read(writers.sandbox, {**state, "instance": "http://other.test"})
    theirs: dict[str, Any] = {}
    read(writers.sandbox, theirs, user="sales")
    with pytest.raises(StreamError, match="begun by the user 19x5"):
        read(writers.sandbox, theirs)


def document(writers: Writers, lines: int) -> str:
    return writers.invoice(writers.create("Accounts"), lines)


def test_a_document_that_cannot_be_retrieved_does_not_stop_the_load(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is loaded without its lines, with a warning, and with them as soon as it can be sent."""
    writers = Writers()
    sandbox, broken = writers.sandbox, document(writers, 2)
    fault = sandbox.faults.add("500", operation="retrieve")
    state: dict[str, Any] = {}
    for _ in range(2):
        caplog.clear()
        pages = read(sandbox, state, module="Invoice", line_items=True)
        assert [row["id"] for page in pages for row in page.rows] == [broken]
        assert not any(page.lines for page in pages)
        assert f"(HTTP 500 at retrieve): {broken}" in caplog.text
    assert [one[:2] for one in state["owed"]] == [[broken, 2]]
    sandbox.faults.remove(fault.number)
    pages = read(sandbox, state, module="Invoice", line_items=True)
    assert [line["position"] for page in pages for line in page.lines] == [1, 2]
    assert state["owed"] == []
    spent = sandbox.flood.granted
    assert read(sandbox, state, module="Invoice", line_items=True)[0].rows == []
    assert sandbox.flood.granted - spent == 2  # describe and sync


def test_a_document_that_is_gone_is_owed_no_more() -> None:
    """What could not be sent and is not shown any more is not asked for again."""
    writers = Writers()
    broken = document(writers, 1)
    fault = writers.sandbox.faults.add("500", operation="retrieve")
    state: dict[str, Any] = {}
    read(writers.sandbox, state, module="Invoice", line_items=True)
    writers.sandbox.engine.store.run("DELETE FROM Invoice")
    read(writers.sandbox, state, module="Invoice", line_items=True)
    writers.sandbox.faults.remove(fault.number)
    calls = writers.sandbox.ledger()["calls"].get("query", 0)
    read(writers.sandbox, state, module="Invoice", line_items=True)
    assert writers.sandbox.ledger()["calls"].get("query", 0) == calls
    assert broken


def test_a_server_that_fails_at_everything_fails_the_load() -> None:
    """Then it is not the documents: nothing is loaded without lines."""
    writers = Writers()
    for _ in range(3):
        document(writers, 1)
    state: dict[str, Any] = {}
    writers.sandbox.faults.add("500", operation="retrieve")
    writers.sandbox.faults.add("500", operation="me", after=1)
    with pytest.raises(ServerError):
        read(writers.sandbox, state, module="Invoice", line_items=True)
    assert state == {}
