"""Every sink that can be read, held to the contract of `vtiger_async.mirror.sink`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest
from anyio.from_thread import BlockingPortal
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from kept import (
    FIELDS,
    INSTANCE,
    Held,
    Model,
    batch_of,
    committed,
    of_duckdb,
    of_parquet,
    of_postgres,
    of_sqlite,
    plain,
    run_in_duckdb,
    run_in_postgres,
    run_in_sqlite,
    state,
    upsert,
)

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.errors import SinkError
from vtiger_async.mirror.sink import Deletes, Look, ReadableSink
from vtiger_async.mirror.sinks.duckdb import DuckDBSink
from vtiger_async.mirror.sinks.parquet import ParquetSink
from vtiger_async.mirror.sinks.postgres import PostgresSink
from vtiger_async.mirror.sinks.sqlite import SQLiteSink
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Column, Kind, Table
from vtiger_async.types import RecordId

KINDS = ("sqlite", "duckdb", "parquet", "postgres")


@frozen
class Place:
    """A place where a mirror can be kept, and how to see what is there without the sink."""

    make: Callable[..., ReadableSink]
    held: Callable[[Table], Held]
    run: Callable[[str], object]
    spoiled: str = "form = 99"


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for a mirror, with nothing in it."""
    return place_of(request.param, tmp_path, request)


def place_of(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    """Return a place for a mirror, with nothing in it."""
    if kind == "sqlite":
        path = folder / "crm.db"
        run, form = partial(run_in_sqlite, path), "value = 99 WHERE name = 'format'"
        return Place(partial(SQLiteSink, path), partial(of_sqlite, path), run, form)
    if kind == "duckdb":
        path = folder / "crm.duckdb"
        run = partial(run_in_duckdb, path)
        return Place(partial(DuckDBSink, path), partial(of_duckdb, path), run)
    if kind == "parquet":
        run = partial(run_in_duckdb, folder / "mirror.duckdb")
        return Place(partial(ParquetSink, folder), partial(of_parquet, folder), run)
    dsn = request.getfixturevalue("server")[1]
    schema = f"crm {folder.name}"[-60:]
    run = partial(run_in_postgres, dsn, schema)
    return Place(partial(PostgresSink, dsn, schema=schema), partial(of_postgres, dsn, schema), run)


ODD = ("Accounts", 'Quo"te', "semi;colon--", "Größe 名前", "select", "per%cent $1 {x}", "a.b'c")


@pytest.mark.parametrize("deletes", ["tombstone", "delete"])
def test_it_holds_what_a_model_holds(
    place: Place, portal: BlockingPortal, deletes: Deletes
) -> None:
    """After any batches, the tables hold exactly what dicts hold that were given the same."""
    sink = place.make(deletes=deletes)
    portal.call(sink.open, INSTANCE)
    models: dict[str, Model] = {}

    @settings(max_examples=5, deadline=None)
    @given(st.integers(0, 2**32), st.integers(1, 4))
    def run(seed: int, count: int) -> None:
        random = Random(seed)
        name = f"{ODD[len(models) % len(ODD)]} {len(models)}"
        start = state(name, fields=(*FIELDS, Column(f"{name} f", "text")))
        model = models[name] = Model(deletes)
        portal.call(sink.prepare, start, None)
        for _ in range(count):
            batch = batch_of(start, random)
            portal.call(sink.commit, batch)
            model.commit(batch)
        assert model.state is not None
        there = {key: one for key, one in model.rows.items() if one["_deleted_at"] is None}
        hashes = {key: one["_hash"] for key, one in there.items()}
        numbers = sorted(one["_number"] for one in there.values())
        asked = [RecordId(f"11x{number}") for number in range(1, 9)]
        assert portal.call(sink.hashes, name, asked) == hashes
        assert portal.call(sink.highest, name) == max(numbers, default=0)
        assert portal.call(sink.count, name, 1, 4) == sum(1 < one <= 4 for one in numbers)
        found = portal.call(sink.ids, name, 0, 5, 3)
        assert found == [(f"11x{n}", hashes[f"11x{n}"]) for n in numbers if n <= 5][:3]

    run()
    look = portal.call(sink.look)
    portal.call(sink.aclose)
    assert look.instance == INSTANCE
    again = place.make()
    states = portal.call(again.open, INSTANCE)
    portal.call(again.aclose)
    assert states == look.states
    for name, model in models.items():
        assert model.state is not None
        assert model.state.lines is not None
        gone = sum(one["_deleted_at"] is not None for one in model.rows.values())
        assert look.counts[name] == (len(model.rows) - gone, gone)
        assert look.states[name] == model.state
        assert_equal(place, model.state.table, model.rows)
        assert_equal(place, model.state.lines, model.lines)


def assert_equal(place: Place, table: Table, expected: Held) -> None:
    """Compare a table with what it is to hold, value by value."""
    held = {key: plain(cells, table) for key, cells in place.held(table).items()}
    assert held == {key: plain(cells, table) for key, cells in expected.items()}


def test_fields_that_change_keep_what_was_there(place: Place, portal: BlockingPortal) -> None:
    """A column that is added is empty; one retyped or removed is kept, also when rows change."""

    def with_fields(**kinds: Kind) -> ModuleState:
        return state("Leads", fields=tuple(Column(name, kind) for name, kind in kinds.items()))

    first = with_fields(a="text", b="decimal", c="text", d="text")
    second = with_fields(a="integer", b="decimal", e="boolean", d__before="text", d="id")
    third = with_fields(a="text", b="decimal", c="text", d="text", e="texts")
    sink = place.make()
    rows = (upsert(first, 1, 2, a="x", b="1.5", c="y", d="z"), upsert(first, 2, a="w"))
    committed(sink, portal, Batch(first, rows))

    async def changed() -> None:
        await sink.open(INSTANCE)
        await sink.prepare(second, first)
        await sink.commit(Batch(second, (upsert(second, 1, a=7, d="1x1"), upsert(second, 3, a=8))))
        await sink.prepare(third, second)
        await sink.commit(Batch(third, (upsert(third, 2, a="new", e=["p"]),)))
        assert (await sink.look()).states["Leads"] == third
        await sink.aclose()

    portal.call(changed)
    held = place.held(third.table)
    assert [held[key]["a"] for key in sorted(held)] == [None, "new", None]
    assert [held[key]["c"] for key in sorted(held)] == ["y", None, None]
    assert [held[key]["a__before"] for key in sorted(held)] == ["x", "w", None]
    assert held["11x1"]["d__before2"] == "z"
    assert held["11x1"]["d__before3"] == "1x1"
    assert held["11x2"]["e"] == ["p"]
    assert {type(held[key]["a__before2"]) for key in held} == {int, type(None)}
    assert third.lines is not None
    assert len(place.held(third.lines)) == 2


def test_what_somebody_has_dropped_is_not_told_as_there(
    place: Place, portal: BlockingPortal
) -> None:
    """Without a column, and without the table of lines; a table without its key is refused."""
    start = state("Invoice")
    sink = place.make()
    committed(sink, portal, Batch(start, (upsert(start, 1, 2, name="x", amount="1.5"),)))
    place.run('ALTER TABLE "Invoice" DROP COLUMN amount')
    place.run('ALTER TABLE "Invoice" DROP COLUMN _extra')
    found = portal.call(place.make().look).states["Invoice"]
    names = [column.name for column in start.table.columns]
    assert [column.name for column in found.table.columns] == [
        name for name in names if name not in ("amount", "_extra")
    ]
    assert (found.lines, found.line_items) == (start.lines, True)
    place.run('DROP TABLE "Invoice_LineItems"')
    found = portal.call(place.make().look).states["Invoice"]
    assert (found.lines, found.line_items) == (None, False)

    async def filled() -> None:
        sink = place.make()
        states = await sink.open(INSTANCE)
        await sink.prepare(start, states["Invoice"])
        await sink.commit(Batch(start, (upsert(start, 1, 2, name="x", amount="2.5"),)))
        await sink.aclose()

    portal.call(filled)
    assert start.lines is not None
    (row,) = place.held(start.table).values()
    expected = plain({**row, "amount": "2.5"}, start.table)
    assert plain(row, start.table)["amount"] == expected["amount"]
    assert len(place.held(start.lines)) == 2
    place.run('ALTER TABLE "Invoice_LineItems" DROP COLUMN quantity')
    place.run('ALTER TABLE "Invoice_LineItems" RENAME COLUMN position TO place')
    with pytest.raises(SinkError, match="has not its key parent_id, position"):
        portal.call(place.make().open, INSTANCE)


def test_line_items_are_replaced_as_a_whole(place: Place, portal: BlockingPortal) -> None:
    """Lines that came replace those that were there; where none were read, they stay."""
    start = state("Invoice")
    assert start.lines is not None
    sink = place.make()
    committed(sink, portal, Batch(start, (upsert(start, 1, 3), upsert(start, 2, 1))))
    assert sorted(place.held(start.lines)) == ["11x1 1", "11x1 2", "11x1 3", "11x2 1"]
    committed(sink, portal, Batch(start, (upsert(start, 1, 1), upsert(start, 2))))
    assert sorted(place.held(start.lines)) == ["11x1 1", "11x2 1"]
    committed(sink, portal, Batch(start, (upsert(start, 1, 0),)))
    assert sorted(place.held(start.lines)) == ["11x2 1"]


def test_a_second_writer_and_another_instance_are_refused(
    place: Place, portal: BlockingPortal
) -> None:
    """While one writes, no other opens it; and nobody opens it for another instance."""
    first, second = place.make(), place.make()
    portal.call(first.open, INSTANCE)
    with pytest.raises(SinkError, match="another mirror"):
        portal.call(second.open, INSTANCE)
    portal.call(first.aclose)
    with pytest.raises(SinkError, match=r"mirror of https://crm\.example"):
        portal.call(second.open, "https://other.example")
    portal.call(second.open, INSTANCE)
    portal.call(second.aclose)


def test_what_is_not_the_mirrors_is_left_alone(place: Place, portal: BlockingPortal) -> None:
    """A table that was there before is an error; one that was dropped is begun anew."""
    start = state("Accounts")
    sink = place.make()
    committed(sink, portal, Batch(start, (upsert(start, 1, 2),)))
    place.run('DROP TABLE "Accounts"')
    committed(sink, portal, Batch(start, (upsert(start, 2),)))
    assert list(place.held(start.table)) == ["11x2"]
    place.run('CREATE TABLE "Vendors" (id TEXT)')
    with pytest.raises(SinkError, match="Vendors"):
        committed(sink, portal, Batch(state("Vendors")))
    place.run('INSERT INTO "Vendors" VALUES (1)')


def test_without_anything_there_is_nothing_to_see(place: Place, portal: BlockingPortal) -> None:
    """What no mirror has written to holds no instance; a module that it lacks is an error."""
    sink = place.make()
    assert portal.call(sink.look) == Look()
    portal.call(sink.open, INSTANCE)
    with pytest.raises(SinkError, match="open already"):
        portal.call(sink.open, INSTANCE)
    with pytest.raises(SinkError, match="does not hold Leads"):
        portal.call(sink.highest, "Leads")
    portal.call(sink.aclose)
    with pytest.raises(SinkError, match="not open"):
        portal.call(sink.commit, Batch(state("Leads")))
    assert portal.call(place.make().look) == Look(INSTANCE)
    place.run("UPDATE _vtiger_mirror SET " + place.spoiled)
    with pytest.raises(SinkError, match="version"):
        portal.call(sink.open, INSTANCE)


LONG = "0123456789" * 300_000


def test_texts_of_any_length_and_character_are_kept(place: Place, portal: BlockingPortal) -> None:
    """Millions of characters, and those that need four bytes, come back as they were."""
    start = state("Faq")
    smile = "😀" * 1000
    committed(place.make(), portal, Batch(start, (upsert(start, 1, name=LONG, picks=[smile]),)))
    held = place.held(start.table)["11x1"]
    assert (held["name"], held["picks"]) == (LONG, [smile])


@pytest.mark.anyio
async def test_it_works_on_both_event_loops(place: Place) -> None:
    """What is committed on one event loop or the other is there, also while it is open."""
    sink, start = place.make(), state("Leads")
    for number, batch in enumerate((Batch(start, (upsert(start, 1, 1),)), Batch(start))):
        states = await sink.open(INSTANCE)
        assert len(states) == number
        if not states:
            await sink.prepare(start, None)
        await sink.commit(batch)
        assert await sink.highest("Leads") == 1
        await sink.aclose()
    assert (await sink.look()).counts == {"Leads": (1, 0)}
