"""JSON lines and Singer messages: what a reader of them gets, and where the next run begins."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import evolve, frozen
from kept import FIELDS, INSTANCE, Held, Model, batch_of, plain, state, upsert

from vtiger_async.mirror.batches import Batch, Gone
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Look, Sink
from vtiger_async.mirror.sinks import sink_of
from vtiger_async.mirror.sinks.jsonl import JsonLinesSink, JsonLinesStream
from vtiger_async.mirror.sinks.singer import SingerSink
from vtiger_async.mirror.sinks.stream import StreamSink
from vtiger_async.tables.schema import Column
from vtiger_async.types import RecordId

pytestmark = pytest.mark.anyio
Lines = list[dict[str, Any]]


def parsed(text: bytes) -> Lines:
    """Return the objects of whole lines."""
    assert text.endswith(b"\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def of_lines(lines: Lines, module: str) -> Lines:
    """Return the records of a module in a stream of JSON lines."""
    return [line for line in lines if line.get("_module") == module]


def of_singer(messages: Lines, module: str) -> Lines:
    """Return the records of a module in Singer messages, in the form of JSON lines."""
    records: Lines = []
    schema: dict[str, Any] | None = None
    for message in messages:
        if message.get("stream") == module and message["type"] == "SCHEMA":
            schema = message["schema"]["properties"]
        if message.get("stream") != module or message["type"] != "RECORD":
            continue
        assert schema is not None, "a record came before its schema"
        assert message["record"].keys() <= schema.keys()
        record: dict[str, Any] = {}
        for name, value in message["record"].items():
            if value is not None and schema[name].get("format") == "date-time":
                assert value[10] + value[-1] == "TZ"
                value = value[:10] + " " + value[11:-1]
            record["_deleted_at" if name == "_sdc_deleted_at" else name] = value
        records.append(record)
    return records


@frozen
class Kind:
    """A kind of stream, and how its records are read."""

    make: Callable[..., StreamSink]
    records: Callable[[Lines, str], Lines]
    states: Callable[[dict[str, Any]], Any]


KINDS = {
    "jsonl": Kind(JsonLinesStream, of_lines, lambda line: line.get("_state")),
    "singer": Kind(SingerSink, of_singer, lambda line: line.get("value")),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """A kind of stream."""
    return KINDS[request.param]


def folded(records: Iterable[dict[str, Any]]) -> tuple[Held, Held]:
    """Return what one holds who takes the last line of each id, and its last line items."""
    rows, lines = Held(), Held()
    for record in records:
        key = record["id"]
        found = record.pop("_lines", None)
        record.pop("_module", None)
        if "_number" in record:
            rows[key] = record
        elif key in rows and rows[key]["_deleted_at"] is None:
            rows[key] = {**rows[key], **record}
        if found is not None:
            lines = {name: one for name, one in lines.items() if one["parent_id"] != key}
            lines |= {f"{key} {one['position']}": one for one in found}
    return rows, lines


async def run_through(sink: Sink, seed: int) -> dict[str, Model]:
    """Commit random batches of two modules; return what is to be held."""
    random, models = Random(seed), dict[str, Model]()
    states = await sink.open(INSTANCE)
    for name in ("Accounts", 'Odd/../"name'):
        start = state(name, fields=(*FIELDS, Column("größe", "text")))
        models[name] = Model("tombstone")
        assert name not in states
        await sink.prepare(start, None)
        for _ in range(8):
            batch = batch_of(start, random)
            await sink.commit(batch)
            models[name].commit(batch)
    return models


def assert_held(models: dict[str, Model], records: Callable[[str], Lines]) -> None:
    """Compare what a reader holds with what it is to hold."""
    for name, model in models.items():
        assert model.state is not None
        assert model.state.lines is not None
        rows, lines = folded(records(name))
        for held, expected, of in (
            (rows, model.rows, model.state.table),
            (lines, model.lines, model.state.lines),
        ):
            assert {key: plain(one, of) for key, one in held.items()} == {
                key: plain(one, of) for key, one in expected.items()
            }


async def test_a_reader_of_a_stream_holds_what_a_model_holds(kind: Kind) -> None:
    """The last line of each id is the record; states come last, and tell all modules."""
    out = io.BytesIO()
    sink = kind.make(out)
    models = await run_through(sink, 1)
    await sink.aclose()
    lines = parsed(out.getvalue())
    assert_held(models, partial(kind.records, lines))
    assert kind.states(lines[-1])["modules"].keys() == models.keys()


async def test_a_reader_of_files_holds_what_a_model_holds(tmp_path: Path) -> None:
    """Each module has a file of its own, of which the state says how much counts."""
    sink = JsonLinesSink(tmp_path)
    models = await run_through(sink, 2)
    await sink.aclose()
    files = {"Accounts": "Accounts", 'Odd/../"name': "Odd%2F%2E%2E%2F%22name"}
    assert_held(models, lambda name: parsed((tmp_path / f"{files[name]}.jsonl").read_bytes()))
    for name, file in files.items():
        size = json.loads((tmp_path / f"{file}.state.json").read_bytes())["bytes"]
        assert size == (tmp_path / f"{file}.jsonl").stat().st_size
        assert (await sink.look()).states[name] == models[name].state


async def test_the_next_run_begins_where_the_stream_says(kind: Kind, tmp_path: Path) -> None:
    """The states of the last message, in a file, are where the next run begins."""
    out, kept = io.BytesIO(), tmp_path / "state.json"
    sink, start = kind.make(out), state("Leads")
    assert await sink.open(INSTANCE) == {}
    await sink.prepare(start, None)
    await sink.commit(Batch(evolve(start, token="there"), (upsert(start, 1),)))
    await sink.aclose()
    kept.write_text(json.dumps(kind.states(parsed(out.getvalue())[-1])))
    again = kind.make(io.BytesIO(), state=kept)
    assert (await again.look()).states == await again.open(INSTANCE)
    assert (await again.look()).states == {"Leads": evolve(start, token="there")}
    with pytest.raises(SinkError, match="mirror of"):
        await kind.make(io.BytesIO(), state=kept).open("https://other.example")
    spoiled = {
        "x": "no JSON",
        "[]": "none that",
        '{"form":1}': "none that",
        '{"form":2}': "version",
        '{"form":1,"modules":{"a":1}}': "version",
    }
    for text, words in spoiled.items():
        kept.write_text(text)
        with pytest.raises(SinkError, match=words):
            await kind.make(io.BytesIO(), state=kept).open(INSTANCE)


@pytest.mark.parametrize(
    "torn", [b"", b'{"id":', b"\0" * 50, b'{"_state":', b'{"type":"STATE","va']
)
async def test_what_a_crash_left_is_cut_off(kind: Kind, tmp_path: Path, torn: bytes) -> None:
    """A file is gone on with behind the last states that are whole."""
    path, start = tmp_path / "out.jsonl", state("Leads")
    sink = kind.make(path)
    await sink.open(INSTANCE)
    await sink.prepare(start, None)
    await sink.commit(Batch(start, (upsert(start, 1),)))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id":"11x9"}\n' + torn)
    with pytest.raises(SinkError, match="another mirror"):
        await kind.make(path).open(INSTANCE)
    await sink.aclose()
    again = kind.make(path)
    assert await again.open(INSTANCE) == {"Leads": start}
    assert path.read_bytes() == whole
    assert await again.look() == Look(INSTANCE, {"Leads": start})
    await again.commit(Batch(start, (), (Gone(RecordId("11x1"), 0.0, "deleted"),)))
    await again.aclose()
    (gone,) = kind.records(parsed(path.read_bytes()), "Leads")[1:]
    assert gone["_deleted_at"] == "1970-01-01 00:00:00"
    assert parsed(path.read_bytes())[: len(parsed(whole))] == parsed(whole)


async def test_files_are_cut_to_what_was_committed(tmp_path: Path) -> None:
    """What stands behind the committed bytes goes; a file that lacks some of them is damaged."""
    sink, start = JsonLinesSink(tmp_path / "crm"), state("Leads")
    assert await sink.look() == Look()
    await sink.open(INSTANCE)
    await sink.prepare(start, None)
    await sink.commit(Batch(start, (upsert(start, 1),)))
    path = tmp_path / "crm" / "Leads.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id":')
    await sink.commit(Batch(start))
    await sink.commit(Batch(start, (upsert(start, 2),)))
    await sink.aclose()
    assert [one["id"] for one in parsed(path.read_bytes())] == ["11x1", "11x2"]
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"id":')
    assert await sink.open(INSTANCE) == {"Leads": start}
    await sink.aclose()
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-1])
    with pytest.raises(SinkError, match="shorter"):
        await sink.open(INSTANCE)
    path.unlink()
    assert await sink.open(INSTANCE) == {}
    path.write_bytes(b"other")
    with pytest.raises(SinkError, match="not the mirror's"):
        await sink.prepare(start, None)
    with pytest.raises(SinkError, match="does not hold"):
        await sink.commit(Batch(start))
    with pytest.raises(SinkError, match="another mirror"):
        await JsonLinesSink(tmp_path / "crm").open(INSTANCE)
    await sink.aclose()
    with pytest.raises(SinkError, match="mirror of"):
        await sink.open("https://other.example")
    (tmp_path / "crm" / "mirror.json").write_text("[]")
    with pytest.raises(SinkError, match="damaged"):
        await sink.open(INSTANCE)
    with pytest.raises(SinkError, match="No such file"):
        await JsonLinesSink(tmp_path / "no" / "crm").open(INSTANCE)


async def test_a_file_of_somebody_else_is_left_alone(kind: Kind, tmp_path: Path) -> None:
    """What holds no states is no mirror, and is not written over."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b'some {"type":"STATE","value":1}\n {"_state":2}\n')
    with pytest.raises(SinkError, match="no mirror"):
        await kind.make(path).open(INSTANCE)
    assert path.read_bytes().startswith(b"some")


async def test_a_reader_that_has_gone_ends_the_stream(kind: Kind) -> None:
    """A broken pipe is an error of the sink, and so is a stream that was never opened."""
    reading, writing = os.pipe()
    out = os.fdopen(writing, "wb")
    sink, start = kind.make(out), state("Leads")
    with pytest.raises(SinkError, match="not open"):
        await sink.commit(Batch(start))
    await sink.open(INSTANCE)
    os.close(reading)
    with pytest.raises(SinkError, match="gone away"):
        await sink.prepare(start, None)
    with pytest.raises(BrokenPipeError):
        out.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("singer:-?states=x", "'states'"),
        ("singer:out", "singer:///"),
        ("jsonl:///folder?state=x", "leave"),
    ],
)
async def test_odd_urls_are_refused(url: str, words: str) -> None:
    """What a URL of a stream cannot say is an error that says so."""
    with pytest.raises(SinkError, match=words):
        sink_of(url)


async def test_urls_name_the_streams(tmp_path: Path) -> None:
    """A hyphen is standard output; lines cannot remove rows."""
    assert isinstance(sink_of("jsonl:-"), JsonLinesStream)
    assert isinstance(sink_of(f"jsonl:///{tmp_path}"), JsonLinesSink)
    assert isinstance(sink_of(f"singer:-?state={tmp_path}/x"), SingerSink)
    for url in ("jsonl:-", "jsonl:///x", "singer:-"):
        with pytest.raises(SinkError, match="database"):
            sink_of(url, "delete")
