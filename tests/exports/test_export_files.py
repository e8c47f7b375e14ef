"""Exports: files of three formats, whole, or gone on with after a failure."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from export_cases import THREE, beside, read_back, two_pages

from vtiger_async import (
    AccessDeniedError,
    RetryPolicy,
    ServerError,
    select,
)
from vtiger_async.exports import Export, ExportError
from vtiger_async.exports import parquet as parquet_module
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio
FORMATS = ("csv", "jsonl", "parquet")


@pytest.mark.parametrize("form", FORMATS)
async def test_a_file_has_every_record_once(sandbox: Sandbox, tmp_path: Path, form: str) -> None:
    """Under its own name alone, in the order of ids, at the cost of its pages."""
    path = tmp_path / f"contacts.{form}"
    seen: list[int] = []
    async with sandbox.client() as crm:
        report = await crm.export("Contacts", path, progress=seen.append)
        expected = [str(record.id) for record in await crm.query(select("Contacts")).all()]
    assert [row["id"] for row in read_back(path)] == expected
    assert (report.path, report.module, report.records, report.runs) == (path, "Contacts", 400, 1)
    assert report.calls == 7  # describe, me, four pages, and the end
    assert report.seconds > 0
    assert report.unread == {}
    assert seen == [100, 200, 300, 400]
    assert beside(path) == [path.name]


async def test_the_formats_hold_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each in its own words: JSON has them as cells, Parquet as types, CSV as text."""
    async with sandbox.client() as crm:
        await crm.export(THREE, tmp_path / "three.csv")
        await crm.export(THREE, tmp_path / "three.jsonl")
        await crm.export(THREE, tmp_path / "three.parquet")
    first = read_back(tmp_path / "three.jsonl")
    assert [*first[1]] == ["id", "lastname", "donotcall", "birthday", "_extra"]
    assert first[1]["donotcall"] is False
    as_text = [
        {name: "" if value is None else value for name, value in row.items()}
        | {"donotcall": str(row["donotcall"]).lower()}
        for row in first
    ]
    assert read_back(tmp_path / "three.csv") == as_text
    typed = [{k: v and str(v) for k, v in row.items()} for row in first]
    found = read_back(tmp_path / "three.parquet")
    assert [{k: v and str(v) for k, v in row.items()} for row in found] == typed


async def test_csv_reads_back_exactly(sandbox: Sandbox, tmp_path: Path) -> None:
    """Quotes, commas, every kind of line end, formulas, and the values of a multi-picklist."""
    text = 'a "b", c;\r\nd\ne\rf\t=1+1'
    async with sandbox.client() as crm:
        module = await crm.describe("Contacts")
        several = next(f for f in module.fields.values() if f.type.name == "multipicklist")
        values = [value.value for value in several.type.picklist_values][:2]
        await crm.create(
            "Contacts",
            {
                "lastname": "=2+5",
                "description": text,
                several.name: values,
                "assigned_user_id": "19x1",
            },
        )
        statement = (
            f"SELECT lastname, description, {several.name} FROM Contacts WHERE lastname = '=2+5';"
        )
        await crm.export(statement, tmp_path / "odd.csv")
        await crm.export(statement, tmp_path / "odd.jsonl")
    (row,) = read_back(tmp_path / "odd.csv")
    (cells,) = read_back(tmp_path / "odd.jsonl")
    assert row["description"] == cells["description"] == text
    assert row["lastname"] == "=2+5"
    assert row[several.name] == " |##| ".join(values)
    assert cells[several.name] == values
    assert (tmp_path / "odd.csv").read_bytes().count(b"\r\n") == 3  # header, row, and the value's


async def test_what_a_type_cannot_hold_is_told_and_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    """It stands in `_extra`, and the report counts it by field."""
    async with sandbox.client() as crm:
        module = await crm.describe("Contacts")
        module.fields["lastname"].type.__init__("integer")  # type: ignore[misc]  # as if described so
        report = await crm.export(THREE, tmp_path / "odd.csv")
    assert report.unread == {"lastname": 3}
    rows = read_back(tmp_path / "odd.csv")
    assert [row["lastname"] for row in rows] == ["", "", ""]
    assert all(json.loads(row["_extra"])["lastname"] for row in rows)


@pytest.mark.parametrize("form", FORMATS)
async def test_nothing_found_makes_an_empty_file(
    sandbox: Sandbox, tmp_path: Path, form: str
) -> None:
    """CSV and Parquet still have their columns."""
    path = tmp_path / f"none.{form}"
    async with sandbox.client() as crm:
        report = await crm.export("SELECT lastname FROM Contacts WHERE lastname = 'zzz';", path)
    assert (report.records, read_back(path)) == (0, [])
    if form == "parquet":
        assert parquet.read_schema(path).names == ["id", "lastname", "_extra"]
    elif form == "csv":
        assert path.read_bytes() == b"id,lastname,_extra\r\n"


@pytest.mark.parametrize("form", FORMATS)
async def test_a_cancelled_export_goes_on(sandbox: Sandbox, tmp_path: Path, form: str) -> None:
    """Where it stood: no page is asked for twice, and the file comes out the same."""
    path, whole = tmp_path / f"some.{form}", tmp_path / f"whole.{form}"
    async with sandbox.client() as crm:
        await crm.export("Contacts", whole)
        before = sandbox.ledger()["calls"]["query"]
        await two_pages(crm, path)
        assert beside(path) == [f"some.{form}.part", f"some.{form}.state", whole.name]
        report = await crm.export("Contacts", path)
        assert sandbox.ledger()["calls"]["query"] - before == 5
    assert (report.records, report.runs) == (400, 2)
    assert report.calls == 5
    assert read_back(path) == read_back(whole)
    assert beside(path) == [path.name, whole.name]


async def test_an_error_leaves_what_can_be_gone_on_with(sandbox: Sandbox, tmp_path: Path) -> None:
    """The pages before it are kept."""
    path = tmp_path / "some.jsonl"
    async with sandbox.client(retry=RetryPolicy(max_attempts=1)) as crm:

        def order(records: int) -> None:
            if records == 200:
                sandbox.faults.add("500", operation="query", times=1)

        with pytest.raises(ServerError):
            await crm.export("Contacts", path, progress=order)
        report = await crm.export("Contacts", path)
    assert (report.records, report.runs) == (400, 2)
    assert len(read_back(path)) == 400


async def test_what_begins_with_an_error_leaves_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither a file nor a state."""
    async with sandbox.client() as crm:
        with pytest.raises(AccessDeniedError):
            await crm.export("Nonsense", tmp_path / "some.csv")
    assert beside(tmp_path / "any") == []


async def test_a_resumed_export_keeps_its_columns(sandbox: Sandbox, tmp_path: Path) -> None:
    """A field that came meanwhile stands in `_extra`, so the file has one form throughout."""
    path = tmp_path / "some.jsonl"
    async with sandbox.client() as crm:
        await two_pages(crm, path)
        state = path.with_name("some.jsonl.state")
        with closing(sqlite3.connect(state)) as database, database:
            text = database.execute("SELECT text FROM standing").fetchone()[0]
            kept = json.loads(text)
            kept["table"]["columns"] = kept["table"]["columns"][:2] + kept["table"]["columns"][-1:]
            database.execute("UPDATE standing SET text = ?", (json.dumps(kept),))
        await crm.export("Contacts", path)
    rows = read_back(path)
    assert next(iter(rows[-1])) == "id"
    assert len(rows[-1]) == 3
    assert rows[-1]["_extra"]["lastname"]


async def test_parquet_is_written_by_row_groups(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group has at most so many rows, and no more is in memory at once."""
    monkeypatch.setattr(parquet_module, "BATCH", 150)
    path = tmp_path / "some.parquet"
    async with sandbox.client() as crm:
        await crm.export("Contacts", path)
    file = parquet.ParquetFile(path)
    groups = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert groups == [150, 150, 100]


async def test_decimals_keep_their_digits_in_every_format(sandbox: Sandbox, tmp_path: Path) -> None:
    """As text where the format has no such numbers."""
    statement = "SELECT unit_price FROM Products LIMIT 1;"
    async with sandbox.client() as crm:
        for form in FORMATS:
            await crm.export(statement, tmp_path / f"price.{form}")
    prices: list[Any] = [read_back(tmp_path / f"price.{form}")[0]["unit_price"] for form in FORMATS]
    assert prices[0] == prices[1]
    assert prices[0].endswith("00000")
    assert isinstance(prices[2], Decimal)
    assert prices[2] == Decimal(prices[0])


async def test_documents_cost_a_call_for_a_hundred_of_them(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """Their lines have no column, so they are not asked for, and do not fill the pages."""
    path = tmp_path / "invoices.jsonl"
    async with sandbox.client() as crm:
        whole = await crm.query(select("Invoice")).all()
        everything = {str(record.id): record for record in whole}
        export = Export(crm, "Invoice", path)
        cost = await export.explain()
        assert (cost.records, cost.spent, cost.note) == (90, 1, "")
        report = await export.run()
        assert report.calls == cost.calls == 2
    rows = {row["id"]: row for row in read_back(path)}
    assert rows.keys() == everything.keys()
    assert all(row["subject"] == everything[rid]["subject"] for rid, row in rows.items())


async def test_explain_tells_what_is_left_of_a_file(sandbox: Sandbox, tmp_path: Path) -> None:
    """And makes nothing: of a new one the whole, of an unfinished one the rest."""
    path = tmp_path / "some.csv"
    async with sandbox.client() as crm:
        assert (await Export(crm, "Contacts", path).explain()).calls == 5
        assert beside(path) == []
        await two_pages(crm, path)
        rest = await Export(crm, "Contacts", path).explain()
        assert (rest.calls, rest.records) == (3, 200)
        again = await Export(crm, "Contacts", path, restart=True).explain()
        assert (again.calls, again.records) == (5, 400)
        with pytest.raises(ExportError, match="unfinished export of SELECT"):
            await Export(crm, "Leads", path).explain()
        with pytest.raises(ExportError, match="meanwhile"):
            await crm.export("Contacts", path, progress=lambda _: path.write_text("mine") and None)
        left = await Export(crm, "Contacts", path, overwrite=True).explain()
        assert (left.calls, left.records, left.spent) == (0, 0, 0)
        with pytest.raises(ExportError, match="is there"):
            await Export(crm, "Contacts", path, restart=True).explain()
