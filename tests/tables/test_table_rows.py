"""Rows of records: cells by kind, what has no column, and the hash."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_cases import field, module, named

from vtiger_async import InvalidArgumentError, InvalidIdError, InvalidResponseError
from vtiger_async.models.metadata import Field
from vtiger_async.models.records import Record
from vtiger_async.sandbox import Sandbox
from vtiger_async.tables import RowMaker, evolved, lines_table_of, selection_of, table_of

pytestmark = pytest.mark.anyio

KINDS = (
    "boolean", "currency", "date", "datetime", "double", "grid", "integer", "multipicklist",
    "owner", "percentage", "picklist", "reference", "string", "text", "time",
)  # fmt: skip


def row(sent: dict[str, Any], *fields: Field, name: str = "Things") -> dict[str, Any]:
    """The cells of a record with the id 40x7."""
    known = module(*fields, name=name)
    table = table_of(known)
    made, _ = RowMaker(table, known).row_of(Record({"id": "40x7", **sent}))
    return named(table, made)


@pytest.mark.parametrize(
    ("kind", "sent", "cell"),
    [
        ("boolean", "1", True),
        ("boolean", "off", False),
        ("boolean", False, False),
        ("integer", "-3.000", -3),
        ("integer", 12, 12),
        ("currency", "12.50000000", "12.50000000"),
        ("currency", "-0.5", "-0.5"),
        ("currency", "+5", "5"),
        ("double", ".5", "0.5"),
        ("double", "7.", "7"),
        ("double", 1.25, "1.25"),
        ("date", "2026-01-31", "2026-01-31"),
        ("datetime", "2026-01-31 09:00:00", "2026-01-31 09:00:00"),
        ("time", "09:05", "09:05:00"),
        ("time", " 09:05:07 ", "09:05:07"),
        ("multipicklist", "A |##| B & C", ["A", "B & C"]),
        ("reference", "3x7", "3x7"),
        ("owner", "19x1", "19x1"),
        ("string", " kept ", " kept "),
        ("string", "0", "0"),
        ("string", 7, "7"),
        ("string", True, "1"),
        ("grid", [{"a": 1}], [{"a": 1}]),
    ],
)  # fmt: skip
def test_each_kind_has_its_cell(kind: str, sent: Any, cell: Any) -> None:
    """A value becomes the canonical cell of its kind, and nothing is put aside."""
    cells = row({"f": sent}, field("f", kind))
    assert cells["f"] == cell
    assert type(cells["f"]) is type(cell)
    assert cells["_extra"] is None
    assert cells["_number"] == 7


@pytest.mark.parametrize(
    ("kind", "empty"),
    [
        ("date", "0000-00-00"), ("datetime", "0000-00-00 00:00:00"), ("multipicklist", " |##| "),
        ("owner", "0"), ("reference", "0"),
        *((kind, " ") for kind in ("boolean", "integer", "currency", "date", "time")),
        *((kind, value) for kind in KINDS for value in (None, "")),
    ],
)  # fmt: skip
def test_whatever_stands_for_empty_is_none(kind: str, empty: str | None) -> None:
    """It is no cell, nothing beside, and the hash is that of a record without the field."""
    cells = row({"f": empty}, field("f", kind))
    assert cells["f"] is None
    assert cells["_extra"] is None
    assert cells["_hash"] == row({}, field("f", kind))["_hash"]


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("boolean", "perhaps"), ("integer", "1.5"), ("integer", str(2**63)), ("currency", "NaN"),
        ("currency", "1,234.5"), ("date", "2023-02-31"), ("date", "yesterday"),
        ("datetime", "2026-01-31T09:00:00Z"), ("time", "25:00"), ("reference", "42"),
        ("string", ["a"]), ("multipicklist", {"a": "b"}),
    ],
)  # fmt: skip
def test_what_a_kind_cannot_hold_is_put_aside(kind: str, sent: Any) -> None:
    """The cell is None, the value stands in `_extra`, and the field is named."""
    known = module(field("f", kind))
    table = table_of(known)
    made, unread = RowMaker(table, known).row_of({"id": "40x7", "f": sent})
    assert named(table, made)["f"] is None
    assert named(table, made)["_extra"] == {"f": sent}
    assert unread == ("f",)


def test_what_is_not_described_is_kept_beside() -> None:
    """Unknown keys stand in `_extra` as they came, but for empty ones; the hash has no label."""
    cells = row(
        {"f": "x", "label": "X &amp; Y", "more": {"a": [1]}, "none": ""}, field("f", "text")
    )
    assert cells["_extra"] == {"label": "X &amp; Y", "more": {"a": [1]}}
    assert cells["_hash"] == row({"f": "x"}, field("f", "text"))["_hash"]


def test_what_is_described_and_has_no_column_counts_for_the_hash() -> None:
    """With a table of an older description, a new field's change is still a change."""
    old = module(field("a", "string"))
    now = module(field("a", "string"), field("b", "string"))
    maker = RowMaker(table_of(old), now)
    hashes = {
        named(table_of(old), maker.row_of({"id": "40x7", "a": "1", "b": b})[0])["_hash"]
        for b in ("x", "y", "")
    }
    assert len(hashes) == 3
    cells = named(table_of(old), maker.row_of({"id": "40x7", "a": "1", "b": "x"})[0])
    assert cells["_extra"] == {"b": "x"}


def test_an_older_table_reads_by_its_own_kinds() -> None:
    """A field that became text is still read as the number that its column holds, where it can."""
    old, now = module(field("a", "integer")), module(field("a", "string"))
    maker = RowMaker(table_of(old), now)
    rows = [named(table_of(old), maker.row_of({"id": "40x7", "a": a})[0]) for a in ("7", "seven")]
    assert [(cells["a"], cells["_extra"]) for cells in rows] == [(7, None), (None, {"a": "seven"})]


def test_a_field_that_is_gone_has_no_cells() -> None:
    """Its column stays in the table, and new rows are empty there."""
    before, now = module(field("a", "string"), field("b", "string")), module(field("a", "string"))
    table = evolved(table_of(before), table_of(now))
    made, _ = RowMaker(table, now).row_of({"id": "40x7", "a": "x"})
    assert (named(table, made)["a"], named(table, made)["b"]) == ("x", None)


def test_secrets_are_in_no_row() -> None:
    """Neither in a column nor beside: of Users nor of a field of the type password."""
    sent = {"pin": "4711", "accesskey": "s3cret", "user_hash": "abc", "Some_Token": "t", "ok": "1"}
    cells = row(sent, field("pin", "password"), field("ok", "string"), name="Users")
    assert cells["_extra"] is None
    assert not {"4711", "s3cret", "abc", "t"} & set(cells.values())


@pytest.mark.parametrize("text", ["a\x00b", "a\ud800b"])
def test_text_that_stores_cannot_hold_stands_beside_as_json(text: str) -> None:
    """NUL and lone surrogates: the cell has U+FFFD, and `_extra` the text as JSON writes it."""
    cells = row(
        {"f": text, "g": "Grün 😀", "h": {text: [text]}}, field("f", "text"), field("g", "text")
    )
    escaped = json.dumps(text)
    assert cells["f"] == "a\N{REPLACEMENT CHARACTER}b"
    assert cells["g"] == "Grün 😀"
    assert cells["_extra"] == {"f": escaped, "h": {escaped: [escaped]}}
    json.dumps(cells, ensure_ascii=False).encode()


def test_a_record_without_an_id_is_an_error() -> None:
    """No row can be told from others without one."""
    known = module(field("f", "string"))
    with pytest.raises(InvalidIdError):
        RowMaker(table_of(known), known).row_of({"f": "x"})


def test_a_selection_needs_no_columns_of_the_packages_own() -> None:
    """A row of a query's results has the fields asked for, and what is beside them."""
    known = module(field("f", "string"))
    maker = RowMaker(selection_of(known, ["f"]), known)
    assert maker.row_of({"id": "40x7", "f": "x"}) == (("40x7", "x", None), ())


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.dates().map(str), st.datetimes().map(lambda at: at.isoformat(" ", "seconds")),
    st.sampled_from(["1", "0", "on", "0000-00-00", "19x1", "A |##| B", "09:30", "1.5e3", ".5"]),
)  # fmt: skip


@given(kind=st.sampled_from([k for k in KINDS if k != "grid"]), sent=VALUES)
def test_cells_say_what_typed_records_say(kind: str, sent: Any) -> None:
    """A cell is None, or read, exactly where `Record.typed` has None, or a value."""
    known = module(field("f", kind))
    record = Record({"id": "40x7", "f": sent})
    value, unread = record.typed(known)["f"], record.typed(known).unread
    made, names = RowMaker(selection_of(known), known).row_of(record)
    cell, extra = made[1], made[2]
    too_large = kind == "integer" and isinstance(value, int) and abs(value) >= 2**63
    if unread or too_large:
        assert names == ("f",)
        assert cell is None
        assert extra is not None
    elif value is None or value == []:
        assert (cell, extra) == (None, None)
    elif isinstance(value, Decimal):
        assert Decimal(str(cell)) == value
    elif kind in ("string", "text", "picklist"):
        text = str(int(sent)) if isinstance(sent, bool) else str(sent)
        assert cell == text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        assert names == (("f",) if "\0" in text else ())
    else:
        assert str(cell) == str(value).replace("+00:00", "")


@given(st.dictionaries(st.text("ab", max_size=2), st.text("ab", max_size=2), max_size=3), st.data())
def test_equal_hashes_mean_equal_records(sent: dict[str, str], data: st.DataObject) -> None:
    """No two records that differ in a value share a hash, also where names and values mix."""
    names = ["", "a", "b", "aa", "ab", "ba", "bb"]
    known = module(*(field(name, "string") for name in names if name))
    maker = RowMaker(table_of(known), known)
    place = table_of(known).place("_hash")
    shuffled = dict(data.draw(st.permutations(list(sent.items()))))
    other = data.draw(st.dictionaries(st.sampled_from(names[1:]), st.text("ab", max_size=2)))

    def hashed(fields: dict[str, str]) -> Any:
        return maker.row_of({**fields, "id": "40x7"})[0][place]

    def told(fields: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in fields.items() if name and value}

    assert hashed(sent) == hashed(shuffled)
    assert (hashed(sent) == hashed(other)) == (told(sent) == told(other))


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_the_hash_is_the_same_by_every_operation(profile: str) -> None:
    """What query, sync and retrieve send of one record has one hash, documents included."""
    async with Sandbox(profile=profile, limits=False).client() as crm:  # type: ignore[arg-type]
        first = await crm.query("SELECT id FROM Invoice ORDER BY id;").first()
        assert first is not None
        await crm.revise(first.id, {"description": "<script>x</script>", "hdnDiscountAmount": "3"})
        for name in ("Contacts", "Accounts", "Invoice", "Quotes", "HelpDesk", "Calendar"):
            known = await crm.describe(name)
            maker = RowMaker(table_of(known), known)
            place = table_of(known).place("_hash")
            synced = {
                change.id: change.record
                async for change in crm.sync(name, scope="application")
                if change.record is not None
            }
            for record in (await crm.query(f"SELECT * FROM {name} LIMIT 100;").all())[::9]:
                whole = await crm.retrieve(record.id)
                ways = (record, synced[record.id], whole)
                hashes = {str(maker.row_of(way)[0][place]) for way in ways}
                assert len(hashes) == 1, (name, record.id)
                assert maker.row_of(whole)[1] == ()


@pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])
async def test_lines_become_rows(profile: str) -> None:
    """Each line of a document has its row, in order, with the document's id and its own place."""
    async with Sandbox(profile=profile, limits=False).client() as crm:  # type: ignore[arg-type]
        known = await crm.describe("Invoice")
        table = lines_table_of(known)
        assert table is not None
        maker = RowMaker(table_of(known), known, table)
        found = await crm.query("SELECT id FROM Invoice;").first()
        assert found is not None
        record = await crm.retrieve(found.id)
        with pytest.raises(InvalidArgumentError, match="only retrieve"):
            maker.lines_of(found)
    rows = [named(table, made) for made in maker.lines_of(record)]
    lines = record.line_items
    assert [made["position"] for made in rows] == list(range(1, len(lines) + 1))
    for made, line in zip(rows, lines, strict=True):
        assert made["parent_id"] == record.id
        assert made["productid"] == line.productid
        assert Decimal(made["quantity"]) == line.quantity
        assert made["_extra"] is None
    own, _ = maker.row_of(record)
    assert "LineItems" not in (named(table_of(known), own)["_extra"] or {})
    assert RowMaker(table_of(known), known).lines_of(record) == ()


def test_odd_lines_are_read_or_refused() -> None:
    """A map in place of a list is read; what a line has beyond the columns stands beside it."""
    known = module(field("productid", "reference"), name="Invoice")
    table = lines_table_of(known)
    maker = RowMaker(table_of(known), known, table)
    assert table is not None
    lines = {"0": {"productid": "6x1", "colour": "red", "none": None, "quantity": "many"}}
    made = named(table, maker.lines_of({"id": "7x1", "LineItems": lines})[0])
    assert (made["productid"], made["quantity"]) == ("6x1", None)
    assert made["_extra"] == {"colour": "red", "quantity": "many"}
    with pytest.raises(InvalidResponseError, match="a line item was expected"):
        maker.lines_of({"id": "7x1", "LineItems": ["nonsense"]})
