"""Drift: what has changed between two descriptions, and the table that follows."""

from __future__ import annotations

from table_cases import field, module

from vtiger_async.tables import Drift, Table, drift, evolved, fingerprint, table_of

BEFORE = table_of(
    module(
        field("kept", "string"),
        field("gone", "string"),
        field("number", "string"),
        field("parent", "reference", refers_to=("Accounts",)),
        field("stage", "picklist", "Hot", "Cold"),
    )
)
NOW = table_of(
    module(
        field("kept", "text"),
        field("number", "integer"),
        field("parent", "reference", refers_to=("Accounts", "Contacts")),
        field("stage", "picklist", "Cold", "Hot"),
        field("new", "string"),
    )
)


def fields_of(table: Table) -> list[str]:
    """The names of a table's columns that are fields."""
    return [column.name for column in table.columns if not column.name.startswith("_")]


def test_each_change_is_told() -> None:
    """What came, what went, what is of another kind or type, and what picklists have."""
    found = drift(BEFORE, NOW)
    assert found == Drift(
        added=("new",), removed=("gone",), retyped=("number",), restated=("kept", "parent"),
        picklists=("stage",),
    )  # fmt: skip
    assert str(found) == (
        "added: new; removed: gone; retyped: number; restated: kept, parent; "
        "other picklist values: stage"
    )
    assert found.alters_rows


def test_nothing_changed_is_false() -> None:
    """The same description is no drift, and has the same fingerprint."""
    assert not drift(BEFORE, BEFORE)
    assert fingerprint(BEFORE) == fingerprint(BEFORE)
    assert fingerprint(BEFORE) != fingerprint(NOW)


def test_picklists_alone_alter_no_rows() -> None:
    """Other values of a picklist are told, and no record has to be read for them."""
    one = table_of(module(field("stage", "picklist", "Hot")))
    two = table_of(module(field("stage", "picklist", "Hot", "Cold")))
    assert drift(one, two) == Drift(picklists=("stage",))
    assert not drift(one, two).alters_rows
    assert fingerprint(one) != fingerprint(two)


def test_an_evolved_table_loses_no_column() -> None:
    """Columns keep their order; what is gone stays, marked, and what is new comes behind it."""
    table = evolved(BEFORE, NOW)
    assert fields_of(table) == ["id", "kept", "gone", "number", "parent", "stage", "new"]
    assert [column.name for column in table.columns][-5:] == [
        "_number", "_extra", "_hash", "_deleted_at", "_deleted_as",
    ]  # fmt: skip
    assert [column.gone for column in table.columns][:3] == [False, False, True]
    assert table.columns[table.place("number")].kind == "integer"
    assert table.picklists == NOW.picklists


def test_a_drift_is_told_once() -> None:
    """After the table has followed, the same description is no drift any more."""
    table = evolved(BEFORE, NOW)
    assert not drift(table, NOW)
    assert fingerprint(table) == fingerprint(evolved(table, NOW))


def test_a_field_that_comes_back_is_read_again() -> None:
    """It takes its old column, or, being of another kind now, is retyped."""
    table = evolved(BEFORE, NOW)
    again = table_of(module(*(field(n, "string") for n in ("kept", "gone"))))
    assert "gone" in drift(table, again).added
    assert not evolved(table, again).columns[2].gone
    other = table_of(module(field("gone", "date")))
    found = drift(table, other)
    assert (found.added, found.retyped) == ((), ("gone",))
    assert evolved(table, other).columns[2].kind == "date"
