"""Tables: Parquet, Arrow, and the DataFrames of polars and pandas, through the extra `arrow`."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from things import THINGS

from vtiger_async.bulk.convert import Converter
from vtiger_async.bulk.errors import SourceError
from vtiger_async.bulk.mapping import FieldMapping
from vtiger_async.bulk.sources import open_rows, peek

arrow: Any = pytest.importorskip("pyarrow", reason="the extra arrow is not installed")
parquet: Any = pytest.importorskip("pyarrow.parquet", reason="pyarrow has no Parquet")

pytestmark = pytest.mark.anyio

COLUMNS: dict[str, list[Any]] = {
    "name": ["Ada", None, "Löwe"],
    "count": [1, 2, None],
    "amount": [Decimal("12.10"), None, Decimal("3.00")],
    "born": [date(1990, 1, 31), None, date(2000, 2, 29)],
    "met": [datetime(2026, 1, 31, 9, tzinfo=UTC), None, None],
    "flag": [True, False, None],
}
ROWS = [dict(zip(COLUMNS, cells, strict=True)) for cells in zip(*COLUMNS.values(), strict=True)]


def table() -> Any:
    """The rows as an Arrow table."""
    return arrow.table(COLUMNS)


async def read(source: Any) -> list[dict[str, Any]]:
    """All rows of a source, whose columns are known before."""
    rows = open_rows(source)
    assert rows.is_regular
    assert rows.columns == await peek(rows)
    return [dict(row) async for _, row in rows]


async def test_arrow_tables_and_readers_are_read() -> None:
    """Every value as Python has it, and nulls as None."""
    assert await read(table()) == ROWS
    assert await read(table().to_reader()) == ROWS


async def test_parquet_is_read(tmp_path: Path) -> None:
    """In portions, with its fingerprint; a file that is no Parquet is told when it is opened."""
    path = tmp_path / "in.parquet"
    parquet.write_table(arrow.concat_tables([table()] * 500), path, row_group_size=700)
    rows = open_rows(path)
    assert rows.name == "in.parquet"
    assert (rows.fingerprint or "").startswith("sha256:")
    found = [(number, dict(row)) async for number, row in rows]
    assert found == [*enumerate(ROWS * 500, 1)]
    (tmp_path / "no.parquet").write_bytes(b"PAR1, or not")
    with pytest.raises(SourceError, match=r"no.parquet is not Parquet"):
        open_rows(tmp_path / "no.parquet")
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_rows(tmp_path / "absent.parquet")
    with pytest.raises(SourceError, match="Parquet has no encoding"):
        open_rows(path, encoding="latin-1")


async def test_parquet_that_is_damaged_inside_is_told(tmp_path: Path) -> None:
    """The error names the row after which it happened."""
    path = tmp_path / "in.parquet"
    parquet.write_table(table(), path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)
    path.write_bytes(content)
    rows = open_rows(path)
    with pytest.raises(SourceError, match=r"in.parquet, after row 0: "):
        [row async for row in rows]


async def test_columns_need_names_of_their_own() -> None:
    """One that stands twice, or has no name, is refused."""
    twice = arrow.Table.from_arrays([arrow.array([1]), arrow.array([2])], names=["a", "a"])
    with pytest.raises(SourceError, match="the column 'a' stands there twice"):
        open_rows(twice)
    with pytest.raises(SourceError, match="Table: column 2 has no name"):
        open_rows(arrow.table({"a": [1], "": [2]}))


async def test_moments_are_cut_to_microseconds() -> None:
    """Finer ones have no Python value."""
    fine = arrow.array([1_769_850_000_123_456_789], arrow.timestamp("ns", tz="UTC"))
    ((row),) = await read(arrow.table({"met": fine}))
    assert row == {"met": datetime(2026, 1, 31, 9, 0, 0, 123456, tzinfo=UTC)}


async def test_what_only_looks_like_a_stream_is_refused() -> None:
    """An object whose stream is none is told by its type."""

    class Odd:
        def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
            return "nothing"

    with pytest.raises(SourceError, match="the Odd is no table"):
        open_rows(Odd())


async def test_a_frame_of_polars_is_read() -> None:
    """With its types."""
    polars: Any = pytest.importorskip("polars", reason="polars is not installed")
    assert await read(polars.DataFrame(COLUMNS)) == ROWS


async def test_a_frame_of_pandas_is_read() -> None:
    """Its missing values are None, its index is no column, and floats of ints become ints again."""
    pandas: Any = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(
        {
            "name": ["Ada", None],
            "count": [1.0, float("nan")],
            "born": [pandas.Timestamp("1990-01-31"), pandas.NaT],
            "phone": [4930123.0, float("nan")],
        }
    )
    shifted = frame.set_index(pandas.Index([7, 8]))
    for source in (frame, shifted):
        rows = open_rows(source)
        assert rows.columns == ("name", "count", "born", "phone")
        converter = Converter(THINGS, FieldMapping.of(None, rows.columns, THINGS))
        first, second = [converter.convert(row).fields async for _, row in rows]
        assert first == {
            "name": "Ada", "count": 1, "born": date(1990, 1, 31), "phone": "4930123",
        }  # fmt: skip
        assert type(first["count"]) is int
        assert second == {}
    mapping = FieldMapping.of(None, frame.columns, THINGS)
    converter = Converter(THINGS, mapping)
    odd = {"name": pandas.NA, "born": pandas.NaT, "count": frame["count"].to_numpy()[0]}
    assert converter.convert(odd).fields == {"count": 1}


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow, the error says what to install."""
    source = table()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SourceError, match=r"pip install 'vtiger-async\[arrow\]'"):
        open_rows(source)
