"""Where rows come from: files, iterables, tables. They are read once, in constant memory.

Files are read in a thread, some hundred rows at a time, so that the event loop goes on meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias, cast, runtime_checkable

import anyio
import anyio.lowlevel
import anyio.to_thread

from vtiger_async.bulk.errors import SourceError
from vtiger_async.bulk.files import CHUNK, csv_chunks, csv_head, json_chunks
from vtiger_async.bulk.rows import Chunk, Row

__all__ = [
    "FORMATS",
    "ArrowStream",
    "Format",
    "Rows",
    "Source",
    "fingerprint_of",
    "open_rows",
    "peek",
]

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
"""The formats of files that are read."""


@runtime_checkable
class ArrowStream(Protocol):
    """Anything that gives its rows as an Arrow stream: tables and readers, DataFrames."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the capsule of a stream (the Arrow PyCapsule interface)."""
        ...


Source: TypeAlias = (
    "str | Path | ArrowStream | Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]"
)
"""What rows may come from."""

FORMATS: Final[Mapping[str, Format]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".tsv": "csv",
}
"""The formats by the suffix of a file's name."""

_ENCODING: Final = "utf-8-sig"
_PEEKED: Final = 100
"""Rows of an iterable that are looked at for their columns."""


class Rows:
    """An opened input. Iterate over it once: `async for number, row in rows`.

    The number counts the rows of data from 1; blank lines of a file are none. `await peek(rows)`
    tells the columns of an iterable too.

    Args:
        take: Gives the next rows; none at the end.
        close: Ends the reading.
        path: The file, where it is one.
        columns: The columns, where they are known.
    """

    def __init__(
        self,
        take: Callable[[], Any],
        close: Callable[[], Any] | None = None,
        *,
        path: Path | None = None,
        columns: tuple[str, ...] | None = None,
    ) -> None:
        self.columns = columns
        """The columns; None where they are not known before rows were read."""
        self.is_regular = columns is not None
        """Whether every row has these columns: a header or a schema says so."""
        self._take = take
        self._close = close
        self._path = path
        self._peeked: list[tuple[int, Row]] = []
        self._fingerprint: str | None = None
        self._is_read = False

    def __repr__(self) -> str:
        return f"<Rows of {self.name or 'an iterable'}>"

    @property
    def name(self) -> str | None:
        """The file's name without its folder; None where it is no file."""
        return None if self._path is None else self._path.name

    @property
    def fingerprint(self) -> str | None:
        """`sha256:` and the digest of the file's bytes; None where it is no file.

        The first time it reads the whole file, which blocks; `digest` does not.

        Raises:
            SourceError: The file cannot be read.
        """
        if self._path is not None and self._fingerprint is None:
            self._fingerprint = fingerprint_of(self._path)
        return self._fingerprint

    async def digest(self) -> str | None:
        """Return the fingerprint, worked out in a thread.

        Raises:
            SourceError: The file cannot be read.
        """
        return await anyio.to_thread.run_sync(lambda: self.fingerprint)

    async def peek(self) -> tuple[str, ...]:
        """Return the columns, and lose no row: see the function `peek`."""
        if self.columns is None:
            found: dict[str, None] = {}
            while len(self._peeked) < _PEEKED and (chunk := await self._take()):
                self._peeked.extend(chunk)
            for _, row in self._peeked:
                found.update(dict.fromkeys(row))
            self.columns = tuple(found)
        return self.columns

    def __aiter__(self) -> AsyncIterator[tuple[int, Row]]:
        if self._is_read:
            raise SourceError(f"{self!r} were read already: open the input again")
        self._is_read = True
        return _Reading(self._take, self._peeked)

    async def aclose(self) -> None:
        """End the reading before its end: close the file, or the generator that was given."""
        if self._close is not None:
            ending = self._close()
            if hasattr(ending, "__await__"):
                await ending


class _Reading(AsyncIterator["tuple[int, Row]"]):
    """One way through the rows."""

    def __init__(self, take: Callable[[], Any], peeked: Chunk) -> None:
        self._take = take
        self._ready = iter(peeked)

    async def __anext__(self) -> tuple[int, Row]:
        for item in self._ready:
            return item
        chunk = await self._take()
        if not chunk:
            raise StopAsyncIteration
        self._ready = iter(chunk)
        return next(self._ready)


def fingerprint_of(path: Path) -> str:
    """Return `sha256:` and the digest of a file's bytes; it reads the whole file, and blocks.

    Args:
        path: The file.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}") from None


async def peek(rows: Rows) -> tuple[str, ...]:
    """Return the columns of rows.

    Of an iterable and of JSON lines, they are those of the first rows together, of 100 at least: a
    row may lack a key. The rows are kept, and are given by the iteration as if nobody had looked.

    Args:
        rows: The rows, not yet iterated over.

    Raises:
        SourceError: The first rows cannot be read.
    """
    return await rows.peek()


def open_rows(
    source: Source,
    *,
    format: Format | None = None,  # noqa: A002 - what it is called everywhere
    encoding: str = _ENCODING,
    delimiter: str | None = None,
) -> Rows:
    """Return the rows of an input.

    Args:
        source: A path (`.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.parquet`), an iterable or async
            iterable of mappings, an Arrow table or reader, or a DataFrame of pandas or polars.
        format: The format of a file whose suffix does not tell it.
        encoding: The encoding of a CSV file, or of JSON lines.
        delimiter: Between the cells of a CSV file; found among `,` `;` tab `|` where it is not
            given.

    Raises:
        SourceError: The input cannot be opened, its format is not known, its header has a column
            twice or without a name, or the extra `arrow` is wanted and not installed.
    """
    if isinstance(source, str | Path):
        return _file(Path(source), format, encoding, delimiter)
    if format is not None or delimiter is not None or encoding != _ENCODING:
        raise SourceError("format, encoding and delimiter are for files: this is none")
    if isinstance(source, ArrowStream):
        from vtiger_async.bulk.tables import stream_columns

        columns, chunks = stream_columns(source)
        return _threaded(chunks, columns=columns)
    if isinstance(source, AsyncIterable):
        return _asynchronous(source)
    given = cast("Any", source)  # whatever the annotation says
    if isinstance(given, Iterable) and not isinstance(given, Mapping | bytes | bytearray):
        return _inline(cast("Iterable[Mapping[str, Any]]", given))
    what = type(cast("object", source)).__name__
    raise SourceError(
        f"a {what} has no rows: give a path, an iterable of mappings, an Arrow table or a DataFrame"
    )


def _file(path: Path, format_: Format | None, encoding: str, delimiter: str | None) -> Rows:
    kind = format_ or FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(FORMATS)
        raise SourceError(f"{path.name}: the suffix tells no format ({known}): give format=")
    if delimiter is not None and kind != "csv":
        raise SourceError(f"{path.name}: a delimiter is for CSV, and this is {kind}")
    columns: tuple[str, ...] | None = None
    chunks: Iterator[Chunk]
    try:
        if kind == "csv":
            tab = "\t" if path.suffix.lower() == ".tsv" else None
            columns, mark = csv_head(path, encoding, delimiter or tab)
            chunks = csv_chunks(path, encoding, mark, columns)
        elif kind == "jsonl":
            with path.open("rb"):  # says at once what is wrong with the path
                chunks = json_chunks(path, encoding)
        else:
            from vtiger_async.bulk.tables import parquet_columns

            if encoding != _ENCODING:
                raise SourceError(f"{path.name}: Parquet has no encoding to choose")
            columns, chunks = parquet_columns(path)
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror or error}") from None
    return _threaded(chunks, path=path, columns=columns)


def _threaded(
    chunks: Iterator[Chunk], *, path: Path | None = None, columns: tuple[str, ...] | None
) -> Rows:
    take = partial(anyio.to_thread.run_sync, partial(next, chunks, None))
    close = getattr(chunks, "close", None)
    return Rows(take, close, path=path, columns=columns)


def _inline(source: Iterable[Mapping[str, Any]]) -> Rows:
    """Read in the event loop's thread: a generator of the caller may live in no other."""
    items = enumerate(iter(source), 1)

    async def take() -> Chunk:
        await anyio.lowlevel.checkpoint()
        return [(number, _checked(number, row)) for number, row in islice(items, CHUNK)]

    return Rows(take)


def _asynchronous(source: AsyncIterable[Mapping[str, Any]]) -> Rows:
    items = aiter(source)
    number = 0

    async def take() -> Chunk:
        nonlocal number
        async for row in items:
            number += 1
            return [(number, _checked(number, row))]
        return []

    return Rows(take, getattr(items, "aclose", None))


def _checked(number: int, row: object) -> Row:
    if isinstance(row, Mapping):
        return cast("Row", row)
    raise SourceError(f"row {number}: a {type(row).__name__} is no mapping of columns to values")
