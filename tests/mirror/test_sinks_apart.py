"""What only one kind of sink does, or cannot do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal
from attrs import evolve
from kept import INSTANCE, committed, of_parquet, of_postgres, state, upsert
from servers import Server

from vtiger_async.mirror.batches import Batch, Gone
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sinks import sink_of
from vtiger_async.mirror.sinks.duckdb import DuckDBSink
from vtiger_async.mirror.sinks.parquet import ParquetSink
from vtiger_async.mirror.sinks.postgres import PostgresSink
from vtiger_async.types import RecordId


def test_what_is_wrong_with_a_database_is_said_without_its_password(
    server: tuple[Server, str], portal: BlockingPortal, tmp_path: Path
) -> None:
    """URLs that cannot be read or reached, and other encodings, are errors without a secret."""
    dsn = server[1]
    wrong = dsn.replace("/crm", "/absent")
    ascii_only = dsn.replace("/crm", "/postgres")
    closed = "postgresql://jobs:s3cret-word@127.0.0.1:1/crm"
    for url, words in ((wrong, "absent"), (ascii_only, "UTF8"), (closed, "refused")):
        sink = sink_of(url + "?schema=a%20b")
        assert repr(sink) == "<PostgresSink PostgreSQL (schema a b)>"
        with pytest.raises(SinkError, match=words) as caught:
            portal.call(sink.open, INSTANCE)
        assert "s3cret-word" not in f"{caught.value!r} {caught.value}"
    for url in ("postgresql://jobs:s3cret-word@[::1", "postgresql://u:s3cret-word@h/d?x=1"):
        with pytest.raises(SinkError, match="cannot be read"):
            sink_of(url)
    sink = sink_of(dsn + "?application_name=mirror&schema=crm")
    long = state("x" * 64)
    with pytest.raises(SinkError, match="no table or column"):
        committed(sink, portal, Batch(long))


def test_a_nul_becomes_another_character_in_postgresql(
    server: tuple[Server, str], portal: BlockingPortal
) -> None:
    """PostgreSQL has no U+0000: where one stands in a cell all the same, it becomes U+FFFD."""
    start = state("Nul")
    cells: dict[str, Any] = {"name": "a\0", "picks": ["\0"], "blob": {"\0": ["b\0", "\\u0000"]}}
    sink = PostgresSink(server[1], schema="nul")
    committed(sink, portal, Batch(start, (upsert(start, 1, **cells),)))
    held = of_postgres(server[1], "nul", start.table)["11x1"]
    assert {name: held[name] for name in cells} == {
        "name": "a\ufffd",
        "picks": ["\ufffd"],
        "blob": {"\ufffd": ["b\ufffd", "\\u0000"]},
    }


def test_parquet_files_are_written_when_a_module_is_at_the_head(
    tmp_path: Path, portal: BlockingPortal
) -> None:
    """Before, readers see the round before, or every so many rows; what is gone leaves nothing."""
    start = state("Leads", lines=False)
    head = evolve(start, phase="deltas", synced_at=5.0)
    month = tmp_path / "Leads" / "_month=2026-01"

    async def run() -> None:
        sink = ParquetSink(tmp_path, deletes="delete", every=3)
        await sink.open(INSTANCE)
        await sink.prepare(start, None)
        born: dict[str, Any] = {"createdtime": "2026-01-02 03:04:05"}
        await sink.commit(Batch(start, (upsert(start, 1, **born), upsert(start, 2, **born))))
        assert not month.exists()
        await sink.commit(Batch(head))
        assert list(of_parquet(tmp_path, start.table)) == ["11x1", "11x2"]
        await sink.commit(Batch(head, (), (Gone(RecordId("11x1"), 1.0, "deleted"),)))
        assert len(of_parquet(tmp_path, start.table)) == 2
        other = Gone(RecordId("11x2"), 1.0, "deleted")
        await sink.commit(Batch(head, (upsert(start, 3), upsert(start, 4)), (other,)))
        assert list(of_parquet(tmp_path, start.table)) == ["11x3", "11x4"]
        assert not list(month.iterdir())
        await sink.aclose()

    portal.call(run)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, portal: BlockingPortal) -> None:
    """Where the folder above is not there, or a file stands in the way, the error says so."""
    (tmp_path / "file").write_text("x" * 20_000)
    for sink in (
        ParquetSink(tmp_path / "no" / "folder"),
        DuckDBSink(tmp_path / "no" / "crm.duckdb"),
        DuckDBSink(tmp_path / "file"),
        sink_of(f"parquet:///{tmp_path}/file"),
        sink_of(f"duckdb:///{tmp_path}/no/file"),
    ):
        with pytest.raises(SinkError, match=r"no|file"):
            portal.call(sink.open, INSTANCE)


@pytest.mark.parametrize("scheme", ["duckdb", "parquet"])
def test_how_much_memory_duckdb_takes_can_be_said(
    scheme: str, tmp_path: Path, portal: BlockingPortal
) -> None:
    """`?memory_limit=` is DuckDB's own option; what it does not know is told before a call."""
    sink = sink_of(f"{scheme}:///{tmp_path}/crm?memory_limit=128MiB")
    assert isinstance(sink, DuckDBSink | ParquetSink)
    portal.call(sink.open, INSTANCE)
    limit = "SELECT current_setting('memory_limit')"
    assert sink.database.execute(limit) == [("128.0 MiB",)]
    portal.call(sink.aclose)
    with pytest.raises(SinkError, match="much"):
        portal.call(sink_of(f"{scheme}:///{tmp_path}/crm?memory_limit=much").open, INSTANCE)


@pytest.mark.parametrize("url", ["sqlite:///crm.db?mode=ro", "duckdb:///crm.duckdb?threads=1"])
def test_an_option_that_a_url_does_not_have_is_refused(url: str) -> None:
    """It would otherwise be a part of the file's name, or mean nothing."""
    with pytest.raises(SinkError, match=r"no option '(mode|threads)'"):
        sink_of(url)
    assert "a?b" in repr(sink_of("sqlite:///a%3Fb"))


@pytest.mark.parametrize("missing", ["duckdb", "psycopg"])
def test_a_missing_extra_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its library a sink says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    url = {"duckdb": "duckdb:///x", "psycopg": "postgresql://h/d"}[missing]
    with pytest.raises(SinkError, match=r"vtiger-async\[(duckdb|postgres)\]"):
        sink_of(url)


def test_a_duckdb_file_that_another_process_has_open_is_told(
    tmp_path: Path, portal: BlockingPortal
) -> None:
    """Not even a look into it is possible then; the error says which process it is."""
    sink = DuckDBSink(tmp_path / "crm.duckdb")
    committed(sink, portal, Batch(state("Leads")))
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "crm.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"1\n"
        for ask in (sink.look, lambda: sink.open(INSTANCE)):
            with pytest.raises(SinkError, match=rf"PID {other.pid}\) has it open"):
                portal.call(ask)
        other.kill()
    assert portal.call(sink.look).counts == {"Leads": (0, 0)}
