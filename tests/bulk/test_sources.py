"""Sources of rows: what is read as it stands, and what is told of a file that cannot be."""

from __future__ import annotations

import csv
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtiger_async.bulk.errors import SourceError
from vtiger_async.bulk.files import csv_chunks, csv_head
from vtiger_async.bulk.rows import RaggedRow
from vtiger_async.bulk.sources import Format, Rows, Source, open_rows, peek

pytestmark = pytest.mark.anyio


async def read(rows: Rows) -> list[tuple[int, dict[str, Any]]]:
    """All rows, as dicts."""
    return [(number, dict(row)) async for number, row in rows]


def written(tmp_path: Path, content: str | bytes, name: str = "in.csv") -> Path:
    """A file with that content."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def test_csv_is_read_as_it_stands(tmp_path: Path) -> None:
    """Quotes, line breaks in cells, accents and a byte order mark; blank lines are no rows."""
    text = '\ufeffName, City \r\n"Löwen, ""A""\r\n& Co",Zürich\r\n\r\n"",\r\nß\r\n'
    rows = open_rows(written(tmp_path, text))
    assert (rows.name, rows.columns, rows.is_regular) == ("in.csv", ("Name", "City"), True)
    assert repr(rows) == "<Rows of in.csv>"
    assert await peek(rows) == ("Name", "City")
    assert await read(rows) == [
        (1, {"Name": 'Löwen, "A"\r\n& Co', "City": "Zürich"}),
        (2, {"Name": "", "City": ""}),
        (3, {"Name": "ß", "City": ""}),
    ]


async def test_a_row_with_too_many_cells_is_given_as_such(tmp_path: Path) -> None:
    """Its line and the cells beyond the header are kept; empty ones beyond it are nothing."""
    rows = open_rows(written(tmp_path, 'a,b\n"x\ny",2\n1,2,3,\n1,2,,\n4,5\n'))
    found = [row async for _, row in rows]
    assert [type(row) for row in found] == [dict, RaggedRow, dict, dict]
    ragged = found[1]
    assert isinstance(ragged, RaggedRow)
    assert (dict(ragged), ragged.extra, ragged.line) == ({"a": "1", "b": "2"}, ("3", ""), 4)


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2\n", ";"),
        ("a\tb, c\n1\t2, 3\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ('"a;b",c\n"1;2;3",4\n', ","),
        ("name\nSmith; Jones\n", ","),
        ("a,b;c\n1,2;3\n4,5\n", ","),
        ('a;b\n"x, y";2\n', ";"),
        ("a,b\n" + "1,2\n" * 40_000, ","),
    ],
)
async def test_the_delimiter_is_found(tmp_path: Path, text: str, mark: str) -> None:
    """It is the one that splits the header, and on which most rows agree."""
    columns = open_rows(written(tmp_path, text)).columns
    assert columns is not None
    header = text.partition("\n")[0]
    assert len(columns) == {",": header.replace("a;b", "").count(",") + 1}.get(
        mark, header.count(mark) + 1
    )


async def test_a_delimiter_that_is_given_wins(tmp_path: Path) -> None:
    """Also over what the suffix .tsv says, which counts before what is found."""
    path = written(tmp_path, "a,b\tc\n1,2\t3\n")
    assert open_rows(path, delimiter="\t").columns == ("a,b", "c")
    assert open_rows(written(tmp_path, "a,b\tc,d\n", "x.tsv")).columns == ("a,b", "c,d")
    assert open_rows(tmp_path / "x.tsv", delimiter=",").columns == ("a", "b\tc", "d")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "in.csv is empty: its first line has to name the columns"),
        ("\n\n", "in.csv is empty"),
        ("a,b,a\n", "in.csv, line 1: column 3 of the header repeats 'a'"),
        ("\na, ,c\n", "in.csv, line 2: column 2 of the header has no name"),
    ],
)
async def test_a_header_names_each_column_once(tmp_path: Path, content: str, said: str) -> None:
    """Any other is refused when the file is opened, with line and column."""
    with pytest.raises(SourceError) as caught:
        open_rows(written(tmp_path, content))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n3,x\0y\n", "in.csv, line 3: there is a NUL character"),
        (b"a,b\n" + b"1,2\n" * 9000 + b"Z\xfcrich,2\n",
         "in.csv, line 9002: byte 36005 of the file is 0xfc, which is not utf-8-sig: give enc"),
        (b"a,b\n1,Z\xc3", "in.csv, line 2: byte 7 of the file is 0xc3"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "this is not CSV: unexpected end of data (is a quote left"),
        (b'a,b\n"1"x,2\n', "in.csv, line 2: this is not CSV"),
    ],
)  # fmt: skip
async def test_a_fault_in_a_file_is_told_with_its_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    """What is no text, of another encoding or no CSV ends the reading, and the line is named."""
    rows = open_rows(written(tmp_path, content))
    with pytest.raises(SourceError) as caught:
        await read(rows)
    assert said in str(caught.value)


async def test_other_encodings_are_read(tmp_path: Path) -> None:
    """Any that Python knows; a name that is none is refused, and so is what does not fit."""
    text = "a,b\nZürich,2\n"
    for encoding in ("cp1252", "utf-16"):
        rows = open_rows(written(tmp_path, text.encode(encoding)), encoding=encoding)
        assert await read(rows) == [(1, {"a": "Zürich", "b": "2"})]
    with pytest.raises(SourceError, match="there is no encoding 'utf-9'"):
        open_rows(tmp_path / "in.csv", encoding="utf-9")
    with pytest.raises(SourceError, match="is not utf-16"):
        open_rows(written(tmp_path, "a,b\n"), encoding="utf-16")


async def test_json_lines_keep_numbers_and_nesting(tmp_path: Path) -> None:
    """No digit is lost, values may be lists of mappings, and columns are those of many rows."""
    text = '\ufeff{"a": 12.10, "n": 9007199254740993}\n\n{"b": [{"x": 1}], "a": null}\n'
    rows = open_rows(written(tmp_path, text, "in.ndjson"))
    assert (rows.columns, rows.is_regular) == (None, False)
    assert await peek(rows) == ("a", "n", "b")
    assert await read(rows) == [
        (1, {"a": Decimal("12.10"), "n": 9007199254740993}),
        (2, {"b": [{"x": 1}], "a": None}),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1', "in.jsonl, line 2, column 8: not JSON: Expecting ',' delimiter"),
        ("[1]", "in.jsonl, line 2: a list, and no object of columns"),
        ('{"a": NaN}', "in.jsonl, line 2: not JSON: NaN is no number of JSON"),
        ('{"a": 1, "a": 2}', "in.jsonl, line 2: not JSON: the key 'a' stands twice"),
        ("[" * 100_000, "in.jsonl, line 2: not JSON"),
    ],
)
async def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str, said: str) -> None:
    """The reading ends with the number of the line."""
    rows = open_rows(written(tmp_path, f'{{"a": 1}}\n{line}\n', "in.jsonl"))
    with pytest.raises(SourceError) as caught:
        await read(rows)
    assert said in str(caught.value)


async def test_iterables_are_read_in_turn() -> None:
    """Lists, generators and async generators of mappings; nothing is lost by looking ahead."""

    async def some() -> AsyncIterator[Mapping[str, Any]]:
        for n in range(250):
            yield {"a": n} if n else {"b": 0}

    plain = [{"a": n} if n else {"b": 0} for n in range(1250)]
    for source, count in ((some(), 250), (plain, 1250), (iter(plain), 1250)):
        rows = open_rows(source)
        assert (rows.name, rows.fingerprint, rows.columns) == (None, None, None)
        assert repr(rows) == "<Rows of an iterable>"
        assert await peek(rows) == ("b", "a")
        assert await peek(rows) == ("b", "a")
        found = await read(rows)
        assert [number for number, _ in found] == [*range(1, count + 1)]
        assert [row for _, row in found] == plain[:count]
        with pytest.raises(SourceError, match="were read already"):
            aiter(rows)


async def test_an_input_without_rows_has_no_columns(tmp_path: Path) -> None:
    """It is no error to be empty."""
    for source in ([], written(tmp_path, "", "in.jsonl")):
        rows = open_rows(source)
        assert await peek(rows) == ()
        assert await read(rows) == []


async def test_what_is_no_row_is_named() -> None:
    """A list of lists is refused at the row that is no mapping."""
    rows = open_rows([{"a": 1}, ["b"]])  # type: ignore[list-item]  # what the test is about
    with pytest.raises(SourceError, match="row 2: a list is no mapping"):
        await read(rows)


@pytest.mark.parametrize("source", [{"a": 1}, b"a,b", 7, None], ids=repr)
async def test_what_has_no_rows_is_refused(source: Any) -> None:
    """One mapping, bytes or a number are no input."""
    with pytest.raises(SourceError, match="has no rows: give a path"):
        open_rows(source)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("in.xlsx", {}, r"in.xlsx: the suffix tells no format \(.csv, .jsonl, "),
        ("absent.csv", {}, "absent.csv cannot be read: No such file"),
        ("absent.jsonl", {}, "absent.jsonl cannot be read: No such file"),
        ("folder.csv", {}, "folder.csv cannot be read: Is a directory"),
        ("in.jsonl", {"delimiter": ";"}, "a delimiter is for CSV, and this is jsonl"),
        ("in.csv", {"delimiter": ";;"}, "the delimiter ';;' is not one character"),
    ],
)
async def test_a_path_that_cannot_be_opened_is_told(
    tmp_path: Path, name: str, options: dict[str, Any], said: str
) -> None:
    """At once, and not at the first row."""
    (tmp_path / "folder.csv").mkdir()
    written(tmp_path, "a,b\n", "in.csv")
    with pytest.raises(SourceError, match=said):
        open_rows(tmp_path / name, **options)


@pytest.mark.parametrize(
    "options", [{"format": "csv"}, {"delimiter": ","}, {"encoding": "latin-1"}], ids=str
)
async def test_options_of_files_are_for_files(options: dict[str, Any]) -> None:
    """None is silently without effect."""
    with pytest.raises(SourceError, match="are for files"):
        open_rows([{"a": 1}], **options)


@pytest.mark.parametrize(("name", "format_"), [("rows.txt", "csv"), ("rows", "jsonl")])
async def test_a_format_can_be_said(tmp_path: Path, name: str, format_: Format) -> None:
    """Where the suffix does not tell it, or tells another."""
    text = "a\n1\n" if format_ == "csv" else '{"a": "1"}\n'
    rows = open_rows(str(written(tmp_path, text, name)), format=format_)
    assert await read(rows) == [(1, {"a": "1"})]


async def test_the_fingerprint_is_that_of_the_bytes(tmp_path: Path) -> None:
    """SHA-256; a file that is gone meanwhile is told."""
    content = os.urandom(300_000)
    rows = open_rows(written(tmp_path, content, "in.jsonl"))
    wanted = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert await rows.digest() == rows.fingerprint == wanted
    gone = open_rows(tmp_path / "in.jsonl")
    (tmp_path / "in.jsonl").unlink()
    with pytest.raises(SourceError, match=r"in\.jsonl cannot be read: No such file"):
        await gone.digest()
    with pytest.raises(SourceError, match=r"in\.jsonl cannot be read: No such file"):
        await read(gone)


async def test_a_reading_can_be_ended(tmp_path: Path) -> None:
    """The file is closed, and so is a generator of the caller's."""
    ended: list[str] = []

    async def some() -> AsyncIterator[Mapping[str, Any]]:
        try:
            yield {"a": 1}
            yield {"a": 2}
        finally:
            ended.append("generator")

    path = written(tmp_path, "a\n" + "1\n" * 5000)
    sources: list[Source] = [some(), path, [{"a": 1}]]
    for source in sources:
        rows = open_rows(source)
        assert (await anext(aiter(rows)))[0] == 1
        await rows.aclose()
    assert ended == ["generator"]


async def test_files_do_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    """They are read in a thread: other tasks run between two portions."""
    path = written(tmp_path, "a,b\n" + "1,2\n" * 20_000)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        assert len(await read(open_rows(path))) == 20_000
        group.cancel_scope.cancel()
    assert turns >= 40


async def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Reading 30,000 rows, or as many of a generator, takes less than a megabyte."""
    path = written(tmp_path, "name,city\n" + "a name of some length,a city\n" * 30_000)

    def made() -> Iterator[Mapping[str, Any]]:
        for n in range(30_000):
            yield {"name": f"a name of some length {n}"}

    for source in (path, made()):
        rows = open_rows(source)
        tracemalloc.start()
        async for _ in rows:
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=5), st.sampled_from(",;\t|"))
def test_whatever_a_writer_of_csv_quotes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], mark: str
) -> None:
    """Delimiters, quotes and line breaks of any kind inside of cells survive."""
    path = tmp_path_factory.getbasetemp() / "quoted.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=mark).writerows([("a", "b"), *cells])
    columns, found = csv_head(path, "utf-8-sig", None)
    assert (columns, found) == (("a", "b"), mark)
    rows = [row for chunk in csv_chunks(path, "utf-8-sig", mark, columns) for _, row in chunk]
    assert rows == [dict(zip("ab", pair, strict=True)) for pair in cells]
