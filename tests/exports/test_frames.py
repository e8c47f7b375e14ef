"""Frames: the records of a statement as tables in memory."""

from __future__ import annotations

import sys
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from vtiger_async import (
    ConfigurationError,
    InvalidArgumentError,
    QuerySyntaxError,
    VtigerClient,
    select,
)
from vtiger_async.exports import frames
from vtiger_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio


async def test_a_frame_has_what_typed_records_have(sandbox: Sandbox) -> None:
    """Every value is that of `Record.typed`, in every column, in every row."""
    async with sandbox.client() as crm:
        table = await crm.frame("Contacts")
        module = await crm.describe("Contacts")
        records = await crm.query(select("Contacts")).all()
    assert isinstance(table, pa.Table)
    assert table.num_rows == len(records) == 400
    assert table.column_names == ["id", *(n for n in module.fields if n != "id"), "_extra"]
    for row, record in zip(table.to_pylist(), records, strict=True):
        typed = record.typed(module)
        for name in table.column_names[:-1]:
            sent = typed.get(name)
            value = None if sent == [] else sent
            assert row[name] == value, name


async def test_it_costs_a_describe_and_a_call_per_page(sandbox: Sandbox) -> None:
    """And one more, which finds the end; whether the user sees all is asked once."""
    async with sandbox.client() as crm:
        await crm.frame("Accounts")
    assert sandbox.ledger()["calls"] == {"describe": 1, "me": 1, "query": 4}


async def test_rows_of_several_batches_stay_in_order(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows a batch has."""
    monkeypatch.setattr(frames, "BATCH", 100)
    statement = select("Contacts", "lastname").order_by("lastname")
    async with sandbox.client() as crm:
        table = await crm.frame(statement)
        expected = [str(record.id) for record in await crm.query(statement).all()]
    assert len(table.to_batches()) > 1
    assert table["id"].to_pylist() == expected
    assert table.column_names == ["id", "lastname", "_extra"]


async def test_polars_gets_its_frame(sandbox: Sandbox) -> None:
    """With the types of Arrow."""
    async with sandbox.client() as crm:
        frame = await crm.frame("SELECT unit_price FROM Products LIMIT 3;", to="polars")
        nothing = await crm.frame("SELECT unit_price FROM Products LIMIT 0;", to="polars")
    assert isinstance(frame, pl.DataFrame)
    assert frame.schema["unit_price"] == pl.Decimal(38, 10)
    assert all(isinstance(price, Decimal) for price in frame["unit_price"].to_list())
    assert (nothing.height, nothing.schema) == (0, frame.schema)


async def test_pandas_gets_arrows_types(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pandas' own would turn whole numbers with gaps into floats."""
    asked: list[Any] = []
    pandas = SimpleNamespace(ArrowDtype=asked.append)
    monkeypatch.setattr(frames, "import_module", lambda _: pandas)
    made = SimpleNamespace(to_pandas=lambda types_mapper: types_mapper("a type") or "a frame")
    arrow = SimpleNamespace(Table=SimpleNamespace(from_batches=lambda batches, schema: made))
    monkeypatch.setattr(frames, "arrow_library", lambda: arrow)
    async with sandbox.client() as crm:
        assert await crm.frame("SELECT id FROM Leads LIMIT 1;", to="pandas") == "a frame"
    assert asked == ["a type"]


async def test_a_frame_of_pandas_has_exact_values(sandbox: Sandbox) -> None:
    """Nulls, decimals, moments in UTC and lists, as they are in Arrow."""
    pandas: Any = pytest.importorskip("pandas", reason="pandas is not installed")
    async with sandbox.client() as crm:
        arrow = await crm.frame("Accounts")
        frame = await crm.frame("Accounts", to="pandas")
        nothing = await crm.frame("SELECT id FROM Leads LIMIT 0;", to="pandas")
    assert isinstance(frame, pandas.DataFrame)
    assert pa.Table.from_pandas(frame, schema=arrow.schema).equals(arrow)
    assert nothing.shape == (0, 2)


@pytest.mark.parametrize("name", ["polars", "pandas"])
async def test_a_library_that_lacks_is_named(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: Any
) -> None:
    """Before a call is spent."""
    monkeypatch.setitem(sys.modules, name, None)
    async with sandbox.client() as crm:
        with pytest.raises(ConfigurationError, match=f"pip install {name}"):
            await crm.frame("Leads", to=name)
    assert sandbox.ledger()["calls"] == {}


@pytest.mark.parametrize(
    ("query", "to", "error"),
    [
        ("SELECT count(*) FROM Leads;", "arrow", InvalidArgumentError),
        ("SELECT FROM Leads;", "arrow", QuerySyntaxError),
        ("Leads", "excel", InvalidArgumentError),
        ("", "arrow", InvalidArgumentError),
    ],
)
async def test_what_cannot_be_a_frame_costs_nothing(
    sandbox: Sandbox, query: str, to: Any, error: type[Exception]
) -> None:
    """It is refused before a call is spent."""
    async with sandbox.client() as crm:
        with pytest.raises(error):
            await crm.frame(query, to=to)
    assert sandbox.ledger()["calls"] == {}


async def test_line_fields_are_there_when_they_are_named() -> None:
    """With `*` a document's row has no field of one of its lines; a statement may ask for them."""
    async with Sandbox(limits=False).client() as crm:
        everything = await crm.frame("Invoice")
        asked: VtigerClient = crm
        named = await asked.frame("SELECT subject, quantity FROM Invoice;")
    assert "quantity" not in everything.column_names
    assert everything["_extra"].null_count == everything.num_rows
    assert named.column_names == ["id", "subject", "quantity", "_extra"]
    assert named["quantity"].null_count == 0
