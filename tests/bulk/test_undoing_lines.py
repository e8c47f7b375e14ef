"""Undoing a job on documents: their lines and totals are as they were, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from planned import ADMIN, Desk

from tests.bulk.jobs import dump
from vtiger_async import VtigerClient
from vtiger_async.bulk.journal import Journal
from vtiger_async.clock import ScaledClock
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
MODULES = ("Invoice", "LineItem", "Products", "Accounts")


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Desk]:
    """An instance whose time goes a thousand times faster."""
    with Sandbox(limits=False, records=0, clock=ScaledClock(1000.0)) as sandbox:
        yield Desk(tmp_path, sandbox)


def whole(desk: Desk) -> dict[str, list[Any]]:
    """Return the living records of what a job on invoices may touch, without their times.

    Lines have new numbers when they were replaced.
    """
    found = {module: dump(desk.sandbox, module) for module in MODULES}
    lines = [{name: line[name] for name in line if name != "n"} for line in found["LineItem"]]
    lines.sort(key=lambda line: (line["parent_id"], line["sequence_no"]))
    return {**found, "LineItem": lines}


async def things(desk: Desk) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Create whom and what documents are about; return fields of documents, and two lines."""
    (buyer,) = await desk.create("Accounts", {"accountname": "Buyer"})
    one, two = await desk.create("Products", {"productname": "Hammer"}, {"productname": "Nail"})
    given = {"account_id": buyer, "bill_street": "S", "ship_street": "S", "invoicestatus": "Sent"}
    return given, [
        {"productid": one, "quantity": "3", "listprice": "2.50", "tax1": "4.5", "comment": "a & b"},
        {"productid": two, "quantity": "100", "listprice": "0.07", "discount_percent": "10"},
    ]


async def loaded(
    crm: VtigerClient, path: Path, lines: list[dict[str, str]], given: dict[str, str]
) -> list[str]:
    """Load the lines into a new document and one that is there; return their ids, in this order."""
    rows = [
        {"subject": "New", "LineItems": lines[::-1], **given},
        {"subject": "Old", "LineItems": lines[::-1]},
    ]
    report = await crm.bulk.load(rows, module="Invoice", key="subject", owner="me", journal=path)
    assert (report.created, report.revised) == (1, 1), report
    with closing(Journal.open(path)) as journal:
        return [step.record_id or "" for step in journal.steps(("done",))]


async def test_documents_and_their_lines_come_back(desk: Desk, tmp_path: Path) -> None:
    """Of documents with lines, taxes and discounts, all is restored but the times of the change."""
    given, lines = await things(desk)
    extras = {"hdnTaxType": "individual", "txtAdjustment": "1.50", "hdnDiscountAmount": "2"}
    async with desk.sandbox.client() as crm:
        for number in range(4):
            fields = {**given, **extras, "subject": f"Old {number}", "LineItems": lines}
            await crm.create("Invoice", {**fields, "assigned_user_id": ADMIN})
        before = whole(desk)
        other = [{**lines[1], "quantity": "1", "listprice": "9"}, lines[0]]
        rows = [
            {"subject": "Old 0", "LineItems": other},
            {"subject": "Old 1", "terms_conditions": "New", "LineItems": lines[:1]},
            {"subject": "Old 2", "terms_conditions": "New"},
            {"subject": "Old 3", "LineItems": lines},
            {"subject": "New", **given, "LineItems": other},
        ]
        report = await crm.bulk.load(
            rows, module="Invoice", key="subject", owner="me", journal=tmp_path / "job.vtjob"
        )
        assert (report.created, report.revised, report.unchanged) == (1, 3, 1), report
        assert whole(desk)["LineItem"] != before["LineItem"]
        undone = await crm.bulk.undo(tmp_path / "job.vtjob")
    assert undone.reasons == {}
    assert (undone.deleted, undone.restored, undone.is_whole) == (1, 3, True)
    for module, records in before.items():
        assert whole(desk)[module] == records, module


async def test_lines_that_somebody_has_changed_are_left_alone(desk: Desk, tmp_path: Path) -> None:
    """Other lines are seen though a query shows none, and though the time is the same."""
    given, lines = await things(desk)
    path = tmp_path / "job.vtjob"
    async with desk.sandbox.client() as crm:
        fields = {**given, "assigned_user_id": ADMIN, "LineItems": lines}
        await crm.create("Invoice", {**fields, "subject": "Old"})
        ids = await loaded(crm, path, lines, given)
        for record_id in ids:
            theirs = [{**lines[0], "comment": "somebody's"}]
            await crm.revise(record_id, {"LineItems": theirs}, replace_lines=True)
        desk.sandbox.engine.store.run("UPDATE Invoice SET modifiedtime = '2026-01-01 00:00:00'")
        with closing(Journal.open(path)) as journal:
            for step in (steps := journal.steps(("done",))):
                step.stored["modifiedtime"] = "2026-01-01 00:00:00"
            journal.write(steps, ["stored"])
        undone = await crm.bulk.undo(path)
    assert (undone.refused, undone.deleted, undone.restored) == (2, 0, 0)
    assert set(undone.reasons.values()) == {"changed since: LineItems"}


async def test_lines_are_written_though_replies_are_lost(fast: Desk, tmp_path: Path) -> None:
    """A call that did nothing is not taken for done, by the job nor by its undo: the lines tell."""
    desk = fast
    given, lines = await things(desk)
    path = tmp_path / "job.vtjob"
    async with desk.sandbox.client() as crm:
        fields = {**given, "assigned_user_id": ADMIN, "LineItems": lines}
        await crm.create("Invoice", {**fields, "subject": "Old"})
        before = whole(desk)
        desk.sandbox.faults.add("reset_before_commit", operation="revise", times=1)
        await loaded(crm, path, lines, given)
        desk.sandbox.faults.add("reset_before_commit", operation="revise", times=1)
        undone = await crm.bulk.undo(path)
    assert undone.is_whole, undone
    assert whole(desk) == before


async def test_a_server_that_cannot_replace_lines_is_asked_once(tmp_path: Path) -> None:
    """Open-source Vtiger leaves such a document half written: the row failed, and says so."""
    with Sandbox(limits=False, records=0, profile="oss-8.4") as sandbox:
        desk = Desk(tmp_path, sandbox)
        given, lines = await things(desk)
        rows = [{"subject": "Old", "LineItems": [{**lines[0], "quantity": "4"}]}]
        async with sandbox.client() as crm:
            fields = {**given, "subject": "Old", "assigned_user_id": ADMIN, "LineItems": lines[:1]}
            await crm.create("Invoice", fields)
            report = await crm.bulk.load(rows, module="Invoice", key="subject", mode="revise")
        assert (report.failed, report.rows) == (1, 1)
        assert sandbox.ledger()["calls"]["revise"] == 1
