"""Tables of Arrow: a type for each kind, and no digit lost."""

from __future__ import annotations

import datetime as dt
import json
import sys
from decimal import Decimal
from typing import Any

import pytest
from table_cases import field, module

from vtiger_async import ConfigurationError
from vtiger_async.models.metadata import Module
from vtiger_async.tables import RowMaker, selection_of
from vtiger_async.tables.arrow import arrow_library, batch_of, schema_of

KINDS = module(
    *(
        field(kind, kind)
        for kind in (
            "string", "reference", "boolean", "integer", "currency", "date", "time", "datetime",
            "multipicklist", "grid",
        )
    )
)  # fmt: skip


def read(known: Module, *records: dict[str, Any]) -> list[dict[str, Any]]:
    """What Arrow has of records, as Python values."""
    table = selection_of(known)
    maker = RowMaker(table, known)
    rows = [maker.row_of({"id": f"40x{n}", **sent})[0] for n, sent in enumerate(records, 1)]
    batch = batch_of(table, rows)
    assert batch.schema == schema_of(table)
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def test_each_kind_has_its_type() -> None:
    """Values come out as the Python values of their types; what is unset is null."""
    sent = {
        "string": "Grün 😀", "reference": "3x7", "boolean": "0", "integer": str(2**62),
        "currency": "-12.50000000", "date": "0999-12-31", "time": "09:05",
        "datetime": "2026-01-31 09:00:00", "multipicklist": "A |##| B", "grid": [{"ä": 1}],
    }  # fmt: skip
    full, empty = read(KINDS, sent, {})
    assert full == {
        "id": "40x1", "string": "Grün 😀", "reference": "3x7", "boolean": False,
        "integer": 2**62, "currency": Decimal("-12.5"), "date": dt.date(999, 12, 31),
        "time": dt.time(9, 5), "datetime": dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC),
        "multipicklist": ["A", "B"], "grid": '[{"ä": 1}]', "_extra": None,
    }  # fmt: skip
    assert empty == dict.fromkeys(full) | {"id": "40x2"}


def test_no_rows_make_an_empty_batch() -> None:
    """It has all columns."""
    assert read(KINDS) == []


@pytest.mark.parametrize("long", ["0.12345678901", "1" * 29, "-" + "9" * 40 + ".5"])
def test_decimals_that_are_too_long_stand_beside(long: str) -> None:
    """They are null, and `_extra` has every digit, beside what stands there already."""
    known = module(field("a", "currency"), field("b", "currency"), field("c", "integer"))
    rows = read(known, {"a": "1"}, {"a": long, "b": "2.5", "c": "many"}, {"a": long})
    assert [row["a"] for row in rows] == [1, None, None]
    assert rows[1]["b"] == Decimal("2.5")
    assert [json.loads(row["_extra"] or "null") for row in rows] == [
        None, {"c": "many", "a": long}, {"a": long},
    ]  # fmt: skip


@pytest.mark.parametrize("digits", ["1" * 28 + "." + "9" * 10, "007.50", "0.1000000000000", "-0.0"])
def test_decimals_that_fit_keep_their_digits(digits: str) -> None:
    """28 digits before the point and 10 behind it, whatever zeros are around them."""
    known = module(field("a", "currency"), field("long", "currency"))
    for long in ("1", "1" * 40):
        (row,) = read(known, {"a": digits, "long": long})
        assert row["a"] == Decimal(digits)


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"vtiger-async\[arrow\]"):
        arrow_library()
