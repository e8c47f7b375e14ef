"""Typed records: what becomes of the text on the wire, by the module's description."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from over_http import calls, exercises, is_open_source, plant

from vtiger_async import InvalidArgumentError, RecordId, TypedRecord, VtigerClient, select
from vtiger_async.models.metadata import Field, FieldType, Module
from vtiger_async.models.records import Record
from vtiger_async.sandbox import Sandbox
from vtiger_async.values import scalar_text

KINDS = (
    "boolean", "currency", "date", "datetime", "double", "integer", "multipicklist", "owner",
    "percentage", "reference", "time",
)  # fmt: skip


def module_with(kind: str) -> Module:
    """A module whose field `f` has a type."""
    return Module("Things", "Things", "40", {"f": Field("f", "F", FieldType(kind))})


def typed(kind: str, value: Any) -> TypedRecord:
    """A record whose field `f` has a type and was sent with a value."""
    return Record({"id": "40x1", "f": value}).typed(module_with(kind))


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        ("boolean", "1", True),
        ("boolean", "on", True),
        ("boolean", True, True),
        ("boolean", "0", False),
        ("boolean", "off", False),
        ("boolean", 0, False),
        ("integer", "12", 12),
        ("integer", 12, 12),
        ("integer", "-3.000", -3),
        ("integer", "0", 0),
        ("currency", "0.00000000", Decimal("0E-8")),
        ("double", 1.1, Decimal("1.1")),
        ("percentage", ".5", Decimal("0.5")),
        ("date", "2026-01-31", date(2026, 1, 31)),
        ("datetime", "2026-01-31 09:00:00", datetime(2026, 1, 31, 9, tzinfo=UTC)),
        ("time", "09:05", time(9, 5)),
        ("time", "09:05:07", time(9, 5, 7)),
        ("multipicklist", "Cloud |##| Café & Catering", ["Cloud", "Café & Catering"]),
        ("multipicklist", "Cloud", ["Cloud"]),
        ("reference", "3x7", RecordId("3x7")),
        ("reference", "0", None),
        ("owner", "19x1", RecordId("19x1")),
        ("string", "007", "007"),
        ("picklist", "Hot", "Hot"),
        ("string", "", None),
        ("grid", [{"a": "1"}], [{"a": "1"}]),
    ],
)  # fmt: skip
def test_each_type_has_its_python_value(kind: str, sent: Any, value: Any) -> None:
    """A value that is sent becomes that of its type, with nothing left unread."""
    record = typed(kind, sent)
    assert record["f"] == value
    assert type(record["f"]) is type(value)
    assert record.unread == ()
    assert record.raw["f"] == sent


def test_decimals_keep_their_digits() -> None:
    """The places that the server sends are kept: 12.50000000 is not rounded to 12.5."""
    assert str(typed("currency", "12.50000000")["f"]) == "12.50000000"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("empty", [None, "", " "])
def test_every_empty_is_none(kind: str, empty: str | None) -> None:
    """Null in a query and "" in retrieve are the same: no value."""
    assert typed(kind, empty)["f"] is None


@pytest.mark.parametrize(
    ("kind", "sent"), [("date", "0000-00-00"), ("datetime", "0000-00-00 00:00:00")]
)
def test_a_day_of_zeros_is_none(kind: str, sent: str) -> None:
    """The zeros that stand for a day that no month has are no value."""
    record = typed(kind, sent)
    assert record["f"] is None
    assert record.unread == ()


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("boolean", "maybe"),
        ("integer", "1.5"),
        ("integer", "many"),
        ("currency", "1,234.5"),
        ("double", "NaN"),
        ("double", "1e5"),
        ("double", "٣"),
        ("date", "31-12-2026"),
        ("date", "2026-02-31"),
        ("date", "2026-01-31 09:00:00"),
        ("datetime", "2026-01-31"),
        ("datetime", "2026-01-31T09:00:00Z"),
        ("time", "9"),
        ("time", "25:00"),
        ("reference", "abc"),
        ("owner", "547"),
        ("integer", ["1"]),
    ],
)
def test_what_a_type_cannot_hold_stays_as_sent(kind: str, sent: Any) -> None:
    """The value is not lost and raises nothing; `unread` names the field."""
    record = typed(kind, sent)
    assert record["f"] == sent
    assert record.unread == ("f",)


def test_what_is_not_described_stays_as_sent() -> None:
    """Unknown fields keep their values; the record's id is one whatever the description says."""
    record = Record({"id": "40x1", "starred": "", "x": "1"}, "Things").typed(module_with("string"))
    assert dict(record) == {"id": "40x1", "starred": "", "x": "1"}
    assert type(record["id"]) is RecordId
    assert (record.id, record.module, record.unread) == ("40x1", "Things", ())


def test_a_typed_record_pickles_and_shows_no_values() -> None:
    """It goes through a queue, and its repr is that of a record."""
    record = typed("integer", "12")
    assert pickle.loads(pickle.dumps(record)) == record
    assert repr(record) == "<TypedRecord Things 40x1 (2 fields)>"


VALUES = st.one_of(
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("integer"), st.integers(-(10**18), 10**18)),
    st.tuples(st.just("currency"), st.decimals(allow_nan=False, allow_infinity=False, places=8)),
    st.tuples(st.just("date"), st.dates()),
    st.tuples(
        st.just("datetime"),
        st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0)),
    ),
    st.tuples(st.just("time"), st.times().map(lambda moment: moment.replace(microsecond=0))),
)  # fmt: skip


@given(VALUES)
def test_what_was_written_is_read_back(pair: tuple[str, Any]) -> None:
    """A Python value in the form that is written is the same value when it is read."""
    kind, value = pair
    assert typed(kind, scalar_text(value, "f"))["f"] == value


@given(st.sampled_from(KINDS), st.text() | st.integers() | st.none())
def test_nothing_that_is_sent_raises(kind: str, sent: Any) -> None:
    """Whatever stands in a field, the record is read."""
    record = typed(kind, sent)
    assert record["f"] == sent or "f" not in record.unread


@exercises("query", "describe", "retrieve")
async def test_typed_results(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A query's typed records cost one describe, and the same holds for a retrieved record."""
    account = plant(
        sandbox, "Accounts", accountname="Typed", annual_revenue="1234.5", employees="7",
        cf_851="Cloud |##| Support", cf_853="1", cf_857="2026-03-01",
    )  # fmt: skip
    before = calls(sandbox)
    statement = select("Accounts").limit(250)
    found = {record.id: record async for record in crm.query(statement).typed()}
    assert sandbox.ledger()["calls"]["describe"] == 1
    assert calls(sandbox) - before <= 5
    everything = await crm.query(select("Accounts")).typed().all()
    assert sandbox.ledger()["calls"]["describe"] == 1
    record = {record.id: record for record in everything}[account]
    assert record["annual_revenue"] == Decimal("1234.5")
    assert str(record["annual_revenue"]) == "1234.50000000"
    assert record["employees"] == 7
    if not is_open_source(sandbox):  # which has no such fields
        assert record["cf_853"] is True
        assert record["cf_851"] == ["Cloud", "Support"]
        assert record["cf_857"] == date(2026, 3, 1)
    assert record["createdtime"].tzinfo is UTC
    assert type(record["assigned_user_id"]) is RecordId
    assert record["account_id"] is None
    assert len(found) == 250
    whole = (await crm.retrieve(account)).typed(await crm.describe("Accounts"))
    assert whole["annual_revenue"] == Decimal("1234.5")
    assert not any(each.unread for each in everything)


@exercises("query", "describe")
async def test_the_first_typed_record(sandbox: Sandbox, crm: VtigerClient) -> None:
    """`first` is typed too, None where nothing matches, and a count has no records."""
    first = await crm.query("select * from Contacts order by id limit 1;").typed().first()
    assert first is not None
    assert type(first["createdtime"]) is datetime
    assert await crm.query("select * from Contacts where id = '4x0';").typed().first() is None
    with pytest.raises(InvalidArgumentError, match=r"count\(\*\) has no records"):
        crm.query("select count(*) from Contacts;").typed()
