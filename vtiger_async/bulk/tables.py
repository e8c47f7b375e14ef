"""Tables of Arrow, and what gives one: Parquet, and the DataFrames of pandas and polars.

Loaded by the first of them; wants the extra `arrow`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from vtiger_async.bulk.errors import SourceError
from vtiger_async.bulk.files import CHUNK
from vtiger_async.bulk.rows import Chunk

__all__ = ["parquet_columns", "stream_columns"]

_INDEX: Final = "__index_level_"
"""How pandas calls an index without a name when it gives a DataFrame away: it is no column."""


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise SourceError(
            f"tables and Parquet need pyarrow: pip install 'vtiger-async[arrow]' ({error})"
        ) from None


def parquet_columns(path: Path) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    """Return the columns of a Parquet file, and its rows, some at a time.

    Raises:
        SourceError: It is none, or pyarrow is not installed.
        OSError: The file cannot be opened.
    """
    arrow, parquet = _imported("pyarrow"), _imported("pyarrow.parquet")
    with path.open("rb"):
        pass
    try:
        with parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (arrow.ArrowException, OSError) as error:
        raise SourceError(f"{path.name} is not Parquet: {_first_line(error)}") from None

    def batches() -> Generator[Any]:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=CHUNK)

    return _columns(schema, path.name), _chunks(arrow, schema, batches(), path.name)


def stream_columns(source: Any) -> tuple[tuple[str, ...], Iterator[Chunk]]:
    """Return the columns of anything with `__arrow_c_stream__`, and its rows, some at a time.

    Raises:
        SourceError: A column stands twice, or pyarrow is not installed.
    """
    arrow = _imported("pyarrow")
    what = type(source).__name__
    try:
        reader = arrow.RecordBatchReader.from_stream(source)
    except ImportError as error:  # pandas wants pyarrow, too, and one that is new enough
        raise SourceError(f"the {what} cannot be read: {error}") from None
    except (arrow.ArrowException, TypeError, ValueError) as error:
        raise SourceError(f"the {what} is no table: {_first_line(error)}") from None
    schema = reader.schema
    return _columns(schema, what), _chunks(arrow, schema, reader, what)


def _columns(schema: Any, what: str) -> tuple[str, ...]:
    columns: list[str] = []
    for name in schema.names:
        if name in columns:
            raise SourceError(f"{what}: the column {name!r} stands there twice")
        if not name:
            raise SourceError(f"{what}: column {len(columns) + 1} has no name")
        if not name.startswith(_INDEX):
            columns.append(name)
    return tuple(columns)


def _chunks(arrow: Any, schema: Any, batches: Iterable[Any], what: str) -> Generator[Chunk]:
    number = 0
    names = _columns(schema, what)
    places = [place for place, name in enumerate(schema.names) if name in names]
    try:
        for batch in batches:
            for begin in range(0, batch.num_rows, CHUNK):
                part = batch.slice(begin, CHUNK)
                values = [_values(arrow, part.column(place)) for place in places]
                chunk: Chunk = []
                for cells in zip(*values, strict=True):
                    number += 1
                    chunk.append((number, dict(zip(names, cells, strict=True))))
                if chunk:
                    yield chunk
    except (arrow.ArrowException, OSError) as error:
        raise SourceError(f"{what}, after row {number}: {_first_line(error)}") from None


def _values(arrow: Any, column: Any) -> list[object]:
    """Return the Python values of a column; moments to the microsecond, as Python has them."""
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(arrow.timestamp("us", tz=kind.tz), safe=False)
    values: list[object] = column.to_pylist()
    return values


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
