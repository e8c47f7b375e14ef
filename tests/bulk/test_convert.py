"""Conversion of rows: what each type of field makes of a cell, and what is said of the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from things import FIELDS, KNOWN, THINGS, module

from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.convert import Converted, Converter, Pending
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.mapping import FieldMapping
from vtiger_async.bulk.rows import RaggedRow
from vtiger_async.models.metadata import Field, FieldType, PicklistDependency, PicklistValue
from vtiger_async.models.validation import Known
from vtiger_async.sandbox import Sandbox
from vtiger_async.types import RecordId


def converted(cell: object, column: Column | str, **options: Any) -> Converted:
    """What one cell becomes."""
    column = Column(column) if isinstance(column, str) else column
    return Converter(THINGS, FieldMapping({"C": column}), **options).convert({"C": cell})


def value(cell: object, column: Column | str) -> Any:
    """The value of a cell that has no problem."""
    found = converted(cell, column)
    assert not found.problems
    (only,) = found.fields.values()
    return only


def said(cell: object, column: Column | str) -> str:
    """What is said against a cell, which then gives no value."""
    found = converted(cell, column)
    assert not found.fields
    assert not found.pending
    (problem,) = found.problems
    assert problem.field == (column if isinstance(column, str) else column.field)
    assert problem.reason.startswith("column 'C': ")
    return str(problem).partition("'C': ")[2]


class Kind(StrEnum):
    """A subclass of str."""

    HOT = " Hot "


GERMAN = Column("amount", decimal=",", grouping=".")
BERLIN = Column("met", zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("cell", "column", "wanted"),
    [
        ("  Ada \u00a0", "name", "Ada"),
        ("007", "name", "007"),
        (7, "name", "7"),
        (float("inf"), "odd", float("inf")),
        (7.0, "name", "7"),
        (7.5, "name", 7.5),
        ("+49 (0)30 12", "phone", "+49 (0)30 12"),
        (4930123.0, "phone", "4930123"),
        ("a@b.de", "mail", "a@b.de"),
        ("x.example", "site", "x.example"),
        (Kind.HOT, "notes", "Hot"),
        ([{"a": 1}], "odd", [{"a": 1}]),
        # Numbers
        ("12", "count", 12),
        ("-0012", "count", -12),
        ("12.00", "count", 12),
        ("1,234", Column("count", grouping=","), 1234),
        ("12,34,567", Column("count", grouping=","), 1234567),
        ("1 234\u00a0567", Column("count", grouping=" "), 1234567),
        ("1234", Column("count", grouping=","), 1234),
        (1.0, "count", 1),
        (Decimal("3.00"), "count", 3),
        ("12.10", "amount", Decimal("12.10")),
        (".5", "amount", Decimal("0.5")),
        ("5.", "amount", Decimal(5)),
        ("+3", "amount", Decimal(3)),
        ("-1.234,50", GERMAN, Decimal("-1234.50")),
        ("1234,50", GERMAN, Decimal("1234.50")),
        ("1.234", GERMAN, Decimal(1234)),
        ("1'234.5", Column("amount", grouping="'"), Decimal("1234.5")),
        (0.1, "amount", Decimal("0.1")),
        (12, "amount", 12),
        (Decimal("1E+2"), "factor", Decimal(100)),
        ("15 %", "share", Decimal(15)),
        ("15.5%", "share", Decimal("15.5")),
        ("15", "share", Decimal(15)),
        # Booleans
        *((text, "flag", True) for text in ("yes", "TRUE", "1", "On", "x", "X", True, 1, 1.0)),
        *((text, "flag", False) for text in ("No", "false", "0", "off", False, 0, Decimal(0))),
        ("Ja", Column("flag", true="ja", false="nein"), True),
        ("NEIN", Column("flag", true="ja", false="nein"), False),
        # Days, times and moments
        ("2026-01-31", "born", date(2026, 1, 31)),
        ("2026-01-31 00:00:00", "born", date(2026, 1, 31)),
        (date(2026, 1, 31), "born", date(2026, 1, 31)),
        (datetime(2026, 1, 31), "born", date(2026, 1, 31)),
        ("31.01.2026", Column("born", date_format="%d.%m.%Y"), date(2026, 1, 31)),
        ("20260131", Column("born", date_format=("%d.%m.%Y", "%Y%m%d")), date(2026, 1, 31)),
        ("2026-01-31T09:30:00Z", "met", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31 09:30", "met", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("2026-01-31", "met", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31 09:30+02:00", "met", datetime(2026, 1, 31, 7, 30, tzinfo=UTC)),
        ("2026-01-31 09:30", BERLIN, datetime(2026, 1, 31, 8, 30, tzinfo=UTC)),
        ("2026-07-31 09:30", BERLIN, datetime(2026, 7, 31, 7, 30, tzinfo=UTC)),
        ("2026-07-31 09:30Z", BERLIN, datetime(2026, 7, 31, 9, 30, tzinfo=UTC)),
        (datetime(2026, 7, 31, 9, 30), BERLIN, datetime(2026, 7, 31, 7, 30, tzinfo=UTC)),
        (date(2026, 7, 31), BERLIN, datetime(2026, 7, 30, 22, tzinfo=UTC)),
        ("7/31/26 9:30 PM", Column("met", date_format="%m/%d/%y %I:%M %p"),
         datetime(2026, 7, 31, 21, 30, tzinfo=UTC)),
        ("31.07.2026 09:30 +0200", Column("met", date_format="%d.%m.%Y %H:%M %z"),
         datetime(2026, 7, 31, 7, 30, tzinfo=UTC)),
        ("9:05", "at", time(9, 5)),
        ("09:05:07", "at", time(9, 5, 7)),
        (time(9, 5), "at", time(9, 5)),
        ("9.05 pm", Column("at", date_format="%I.%M %p"), time(21, 5)),
        # Picklists
        ("Hot", "state", "Hot"),
        ("hot", "state", "Hot"),
        ("Identify Makers", "state", "Id. Makers"),
        ("identify makers", "state", "Id. Makers"),
        ("R&D", "state", "R&D"),
        ("open", "state", "open"),
        ("Opened", "state", "OPEN"),
        ("Hot; id. makers ;;Hot", "tags", ["Hot", "Id. Makers"]),
        ("Hot |##| open", "tags", ["Hot", "open"]),
        ("Hot/open", Column("tags", separator="/"), ["Hot", "open"]),
        ("a;b", "tags", ["a;b"]),
        (["Hot", " open "], "tags", ["Hot", "open"]),
        ("x; y", "loose", ["x", "y"]),
        (("x", "y"), "loose", ["x", "y"]),
        # Values by name
        ("DE", Column("name", values={"DE": "Germany", "de": "other"}), "Germany"),
        ("De", Column("name", values={"DE": "Germany"}), "Germany"),
        ("FR", Column("name", values={"DE": "Germany"}), "FR"),
        ("De", Column("name", values={"DE": "Germany", "de": "other"}), "De"),
        ("DE", Column("name", values={" DE ": "Germany"}), "Germany"),
        (1, Column("state", values={"1": "Hot"}), "Hot"),
        ("n/a", Column("name", values={"N/A": ""}, default="none"), "none"),
        ("", Column("name", values={"": "empty"}), "empty"),
        ("  ", Column("amount", default="0"), Decimal(0)),
        (None, Column("state", default="b", values={"b": "Hot"}), "Hot"),
        # References
        ("3x12", "account", "3x12"),
        (RecordId("3x12"), "account", "3x12"),
        ("3x12", Column("owner", by="id"), "3x12"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_cell_becomes_what_its_field_holds(
    cell: object, column: Column | str, wanted: object
) -> None:
    """Text is read by the field's type, and what is no text is taken where it fits."""
    found = value(cell, column)
    assert found == wanted
    assert type(found) in (type(wanted), RecordId)


def test_of_a_time_that_clocks_show_twice_the_first_is_taken() -> None:
    """In autumn, 02:30 comes in summer time first."""
    found = value("2026-10-25 02:30", BERLIN)
    assert found.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cell", "column", "wanted"),
    [
        ("1,234", "count", "'1,234' is not a number: say how the column writes numbers"),
        ("1 234", "amount", "say how the column writes numbers"),
        ("12,34", Column("count", grouping=","), "'12,34' is not a number: write it as 1234.5"),
        ("1.23", GERMAN, "'1.23' is not a number: write it as 1234,5"),
        ("1.5", "count", "'1.5' is not a whole number"),
        (1.5, "count", "1.5 is not a whole number"),
        ("€ 5", "amount", "'€ 5' is not a number: it has a currency's sign: leave the sign out"),
        ("15%", "amount", "'15%' is not a number"),
        ("1e5", "amount", "'1e5' is not a number"),
        ("٣", "count", "is not a number"),
        (True, "amount", "True is not a number"),
        (float("inf"), "amount", "inf is not a number that can be stored"),
        (date(2026, 1, 1), "amount", "is not a number"),
        ("maybe", "flag", "'maybe' means neither true nor false: give true, yes, 1, on, x, false"),
        (2, "flag", "2 means neither true nor false"),
        ("yes", Column("flag", true="ja", false="nein"), "give ja, nein"),
        ("31.01.2026", "born", "is not a date: write YYYY-MM-DD, or say the column's date_format"),
        ("2026-02-30", "born", "'2026-02-30' does not exist"),
        ("2026-01-31 09:00", "born", "is not a date"),
        (datetime(2026, 1, 31, 9), "born", "2026-01-31 09:00:00 has a time: give a date"),
        (20260131, "born", "20260131 is not a date"),
        ("30.02.2026", Column("born", date_format="%d.%m.%Y"), "is not of the form '%d.%m.%Y'"),
        ("tomorrow", "met", "'tomorrow' is not a date and time"),
        ("2026-01-31 25:00", "met", "does not exist"),
        (7, "met", "7 is not a date and time"),
        ("2026-03-29 02:30", BERLIN, "does not exist in Europe/Berlin: clocks skip it"),
        ("nine", "at", "'nine' is not a time: write HH:MM"),
        ("25:00", "at", "'25:00' does not exist"),
        (timedelta(hours=1), "at", "is not a time"),
        ("Hott", "state", "'Hott' is none of the picklist's values: is 'Hot' meant?"),
        ("zzz", "state", "give one of 'Hot', 'Id. Makers', 'R&D', 'open', 'OPEN'"),
        ("oPen", "state", "'oPen' may mean 'OPEN' or 'open': give the value"),
        (True, "state", "True is no value of a picklist"),
        ("Hot; zzz", "tags", "'zzz' is none of the picklist's values"),
        (7, "tags", "'7' is none of the picklist's values"),
        ("Acme", Column("account", by="id"), "'Acme' is not a record's id: give the id of Account"),
        (True, "account", "True names no record"),
        (["3x1"], "owner", "names no record"),
        ("12", "id", "'12' is not a record's id: give the id of Things, as in 4x12"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_its_field_cannot_hold_is_a_problem(
    cell: object, column: Column | str, wanted: str
) -> None:
    """Named with field and column."""
    assert wanted in said(cell, column)


def test_a_text_that_is_wrong_in_many_rows_is_told_each_time() -> None:
    """The finding is remembered, not the row."""
    converter = Converter(THINGS, FieldMapping({"C": Column("state")}))
    first, second = (converter.convert({"C": "Hott"}) for _ in range(2))
    assert first == second
    assert len(second.problems) == 1


def test_a_label_of_two_values_is_not_guessed() -> None:
    """Of two values with one label none is taken."""
    values = (PicklistValue("a", "Same"), PicklistValue("b", "Same"), PicklistValue("c", "x"))
    things = module(Field("kind", "Kind", FieldType("picklist", picklist_values=values)))
    converter = Converter(things, FieldMapping({"C": Column("kind")}))
    (problem,) = converter.convert({"C": "Same"}).problems
    assert problem.reason == "column 'C': 'Same' may mean 'a' or 'b'"


@pytest.mark.parametrize("empty", [None, "", "  ", float("nan"), Decimal("NaN")], ids=repr)
def test_an_empty_cell_leaves_or_clears_the_field(empty: object) -> None:
    """As the load says, or the column; a default fills it."""
    assert converted(empty, "name") == Converted({})
    assert converted(empty, "name", nulls="clear") == Converted({"name": None})
    assert converted(empty, Column("name", nulls="leave"), nulls="clear") == Converted({})
    assert converted(empty, Column("name", nulls="clear")) == Converted({"name": None})
    assert converted(empty, Column("name", default="x"), nulls="clear").fields == {"name": "x"}
    assert Converter(THINGS, FieldMapping({"C": Column("name")})).convert({}) == Converted({})


def test_a_reference_that_is_no_id_has_still_to_be_found() -> None:
    """With all that is to be known for it; the column counts before the load."""
    options: dict[str, Any] = {"missing": "empty", "ambiguous": "newest"}
    found = converted(" Acme ", "account", **options)
    assert found.fields == {}
    assert found.pending == (
        Pending("account", "Acme", ("Accounts",), None, "empty", "newest", "C"),
    )
    own = Column("related", by="email1", to="Contacts", missing="create", ambiguous="first")
    assert converted("3x12", own, **options).pending == (
        Pending("related", "3x12", ("Contacts",), "email1", "create", "first", "C"),
    )
    (owner,) = converted("jo", Column("owner", by="user_name")).pending
    assert (owner.modules, owner.missing) == (("Users", "Groups"), "reject")
    (numbered,) = converted(4711.0, "anything").pending
    assert (numbered.text, numbered.modules) == ("4711", ())


def test_constants_are_read_once_and_given_to_every_row() -> None:
    """By the field's type; an owner by name is found like one of a cell."""
    mapping = FieldMapping(
        {"N": Column("name")},
        {"amount": "12.10", "tags": ["Hot"], "owner": "jo", "notes": None, "flag": True},
    )
    converter = Converter(THINGS, mapping)
    for name in ("a", "b"):
        found = converter.convert({"N": name})
        assert found.fields == {
            "amount": Decimal("12.10"), "tags": ["Hot"], "notes": None, "flag": True, "name": name,
        }  # fmt: skip
        assert [pending.text for pending in found.pending] == ["jo"]


@pytest.mark.parametrize(
    ("mapping", "wanted"),
    [
        (FieldMapping({}, {"amount": "much"}), "constant amount: 'much' is not a number: write it"),
        (FieldMapping({"C": Column("count", default="x")}), "column 'C': the default: 'x' is not"),
        (
            FieldMapping({"C": Column("name", date_format="%d")}),
            "name is a string, and date_format",
        ),
        (FieldMapping({"C": Column("count", zone="UTC")}), "zone is for datetime"),
        (
            FieldMapping({"C": Column("born", decimal=",")}),
            "decimal is for currency and double and",
        ),
        (FieldMapping({"C": Column("name", by="id")}), "by is for owner and reference"),
        (FieldMapping({"C": Column("state", separator=",")}), "separator is for multipicklist"),
        (FieldMapping({"C": Column("born", date_format="%d.%m.")}), "tells not a day"),
        (FieldMapping({"C": Column("met", date_format="%d.%m.%Y")}), "tells not a day and a time"),
        (FieldMapping({"C": Column("at", date_format="%I:%M")}), "of at tells not a time"),
        (FieldMapping({"C": Column("nonsense")}), "Things has no field 'nonsense'"),
    ],
)
def test_settings_that_do_not_fit_the_field_are_refused_before_any_row(
    mapping: FieldMapping, wanted: str
) -> None:
    """Defaults, constants and formats are tried when the converter is made."""
    with pytest.raises(MappingError) as caught:
        Converter(THINGS, mapping)
    assert wanted in str(caught.value)


def test_every_problem_of_a_row_is_told_at_once() -> None:
    """Cells that cannot be read and values that do not fit, one for each field, with the column."""
    mapping = FieldMapping(
        {"Name": Column("name"), "Sum": Column("amount"), "Mail": Column("mail"),
         "Since": Column("born"), "Owner": Column("owner"), "Org": Column("account"),
         "Skip": None}
    )  # fmt: skip
    converter = Converter(THINGS, mapping)
    row = {"Name": "x" * 21, "Sum": "€1", "Mail": "nobody", "Since": "1.1.", "Owner": "jo",
           "Org": "4x1", "Skip": "!"}  # fmt: skip
    found = converter.convert(row)
    problems = converter.check(found.fields, "create", KNOWN, found)
    assert [problem.field for problem in problems] == ["amount", "born", "name", "mail", "account"]
    assert "column 'Name': 21 characters, of which 20 would be stored" in problems[2].reason
    assert str(problems[4]) == "account: column 'Org': 4x1 is of Contacts: give the id of Accounts"
    assert [problem.field for problem in converter.check({}, "create", KNOWN)] == ["name", "owner"]
    assert converter.check({}, "revise", KNOWN) == []
    wide = converter.convert({"Name": "a\U0001f600"})
    (problem,) = converter.check(wide.fields, "revise", KNOWN, wide)
    assert "column 'Name': '\U0001f600' takes four bytes in UTF-8" in problem.reason


def test_an_owner_that_was_found_is_checked_like_any_value() -> None:
    """What was to be found is not said to be missing, and what was found is looked at."""
    converter = Converter(THINGS, FieldMapping({"O": Column("owner")}, {"name": "x"}))
    found = converter.convert({"O": "jo"})
    assert converter.check(found.fields, "create", KNOWN, found) == []
    (problem,) = converter.check({**found.fields, "owner": "3x1"}, "create", KNOWN, found)
    assert str(problem).startswith("owner: column 'O': 3x1 is of Accounts")


def test_dependent_picklists_are_checked() -> None:
    """A value that does not go with the other field's is a problem of the row."""
    known = Known({}, [PicklistDependency("state", "name", {"Hot": ("a",)})])
    converter = Converter(THINGS, FieldMapping({"S": Column("state"), "N": Column("name")}))
    found = converter.convert({"S": "hot", "N": "b"})
    (problem,) = converter.check(found.fields, "revise", known, found)
    assert str(problem) == "name: column 'N': 'b' does not go with state 'Hot': give one of 'a'"


def test_cells_that_belong_to_no_column_reject_the_row() -> None:
    """Too many cells of a line, and keys that the mapping does not know: nothing is dropped."""
    converter = Converter(THINGS, FieldMapping({"N": Column("name"), "I": None}))
    assert converter.convert({"N": "a", "I": "b"}).problems == ()
    found = converter.convert(RaggedRow({"N": "a"}, ("b", "c"), 7))
    (problem,) = found.problems
    assert problem.reason == "line 7 has 2 cells more than the header has columns"
    assert (problem.field, problem.value) == ("row", ("b", "c"))
    (problem,) = converter.convert({"N": "a", "Z": "b"}).problems
    assert str(problem) == (
        "Z: the mapping does not know the column 'Z': name it there, if only to ignore it"
    )


LINES_MODULE = module(
    Field("hdnGrandTotal", "Total", FieldType("currency")),
    Field("productid", "Item Name", FieldType("reference"), mandatory=True),
)


def test_flat_lines_are_read_by_name() -> None:
    """Numbers, products and texts; a document is not said to lack what its lines give."""
    mapping = FieldMapping.of(
        {"P": Column("LineItems.productid", by="productname"), "Q": "LineItems.quantity",
         "T": "LineItems.tax1", "C": "LineItems.comment", "N": "name", "O": "owner"},
        None, LINES_MODULE,
    )  # fmt: skip
    converter = Converter(LINES_MODULE, mapping)
    row = {"P": "Pen", "Q": "2", "T": "19.0", "C": "blue", "N": "x", "O": "19x1"}
    found = converter.convert(row)
    assert found.fields == {
        "LineItems.quantity": Decimal(2), "LineItems.tax1": Decimal("19.0"),
        "LineItems.comment": "blue", "name": "x", "owner": "19x1",
    }  # fmt: skip
    assert found.pending == (
        Pending("LineItems.productid", "Pen", ("Products", "Services"), "productname", "reject",
                "reject", "P"),
    )  # fmt: skip
    assert converter.check(found.fields, "create", KNOWN, found) == []
    bad = converter.convert({**row, "Q": "two"})
    assert [p.field for p in converter.check(bad.fields, "create", KNOWN, bad)] == [
        "LineItems.quantity"
    ]


def test_lines_made_of_flat_ones_are_told_with_their_column() -> None:
    """What `check` finds in a line names the column of that field, and nothing twice."""
    given = {"P": Column("LineItems.productid", by="id"), "Q": Column("LineItems.quantity")}
    converter = Converter(LINES_MODULE, FieldMapping(given))
    lines: dict[str, Any] = {"LineItems": [{"productid": "4x1", "quantity": 1}]}
    (problem,) = converter.check(lines, "revise", KNOWN)
    assert problem.field == "LineItems[0].productid"
    assert problem.reason == "column 'P': 4x1 is of Contacts"
    found = converter.convert({"P": "Pen", "Q": "1"})
    (problem,) = converter.check({"LineItems": [{"quantity": 1}]}, "revise", KNOWN, found)
    assert problem.reason == "column 'P': 'Pen' is not a record's id"


def test_nested_lines_are_read_like_flat_ones() -> None:
    """Each value by its name; products by name have still to be found, in their line."""
    mapping = FieldMapping.of({"L": "LineItems", "N": "name", "O": "owner"}, None, LINES_MODULE)
    converter = Converter(LINES_MODULE, mapping)
    lines = [
        {"productid": "14x1", "quantity": "2", "listprice": Decimal("1.50"), "comment": None},
        {"productid": "Pen", "quantity": 1, "cf_9": " x "},
    ]
    found = converter.convert({"L": lines, "N": "x", "O": "19x1"})
    assert found.fields["LineItems"] == [
        {"productid": "14x1", "quantity": Decimal(2), "listprice": Decimal("1.50")},
        {"quantity": 1, "cf_9": "x"},
    ]
    assert [pending.field for pending in found.pending] == ["LineItems[1].productid"]
    assert converter.check(found.fields, "create", KNOWN, found) == []
    bad = converter.convert({"L": ({"productid": "4x1", "quantity": "two"},), "N": "x"})
    problems = converter.check(bad.fields, "create", KNOWN, bad)
    assert [str(problem) for problem in problems] == [
        "LineItems[0].quantity: column 'L': 'two' is not a number: write it as 1234.5",
        (
            "LineItems[0].productid: column 'L': 4x1 is of Contacts: give the id of a product or "
            "service, as in 6x12"
        ),
        (
            "owner: column 'O': it is mandatory, and is missing: give the id of a user, as "
            "(await crm.me()).id, or of a group"
        ),
    ]


@pytest.mark.parametrize("cell", ["14x1", [], ["14x1"], {"productid": "14x1"}], ids=repr)
def test_lines_are_a_list_of_mappings(cell: object) -> None:
    """Anything else is a problem of the row, said once."""
    converter = Converter(LINES_MODULE, FieldMapping({"L": Column("LineItems")}))
    found = converter.convert({"L": cell})
    (problem,) = [
        problem
        for problem in converter.check(found.fields, "create", KNOWN, found)
        if problem.field.startswith("LineItems")
    ]
    assert "column 'L': " in problem.reason
    assert "is no list of lines" in problem.reason


def test_lines_put_together_elsewhere_are_checked() -> None:
    """A list that is none, and a document without any, are told."""
    converter = Converter(LINES_MODULE, FieldMapping({"N": Column("name")}))
    base: dict[str, Any] = {"name": "x", "owner": "19x1"}

    def faults(fields: Mapping[str, Any], write: Literal["create", "revise"]) -> list[str]:
        return [problem.field for problem in converter.check(fields, write, KNOWN)]

    assert faults(base | {"LineItems": ["x"]}, "create") == ["LineItems"]
    assert faults(base, "create") == ["productid", "LineItems"]
    assert faults(base, "revise") == []


def test_what_a_task_is_may_be_any_text() -> None:
    """No picklist lists the types of activities that a task has."""
    kind = FieldType("picklist", picklist_values=(PicklistValue("Call", "Call"),))
    field = Field("activitytype", "Type", kind)
    calendar = type(THINGS)("Calendar", "Tasks", "9", {"activitytype": field})
    converter = Converter(calendar, FieldMapping({"T": Column("activitytype")}))
    assert converter.convert({"T": "Task"}) == Converted({"activitytype": "Task"})


ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=5))])
CELLS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=12)
    | st.dates() | st.datetimes(timezones=ZONES) | st.times() | st.binary(max_size=3)
    | st.lists(st.text(max_size=3), max_size=3)
    | st.sampled_from(["Hot", "1.5", "yes", "2026-01-31", "09:30", "3x1", "a; Hot"])
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(FIELDS, CELLS)))
def test_no_cell_makes_the_conversion_fail(row: dict[str, Any]) -> None:
    """Whatever stands in a cell, the row has fields, references to find, and problems."""
    mapping = FieldMapping.of(None, [*FIELDS], THINGS)
    converter = Converter(THINGS, mapping, nulls="clear")
    found = converter.convert(row)
    told = [problem.field for problem in converter.check(found.fields, "create", KNOWN, found)]
    assert len(told) == len(set(told))
    waiting = [pending.field for pending in found.pending]
    faulty = [problem.field for problem in found.problems]
    assert sorted([*found.fields, *waiting, *faulty]) == sorted(FIELDS)


REVENUE = Column("annual_revenue", decimal=",", grouping=".")


@pytest.mark.anyio
async def test_what_is_converted_is_stored_as_it_was_meant() -> None:
    """The values go through a strict client, which tells of every silent change."""
    async with Sandbox(limits=False).client(strict=True) as crm:
        accounts = await crm.describe("Accounts")
        mapping = FieldMapping.of(
            {"Organization Name": "accountname", "Revenue": REVENUE, "Employees": "employees",
             "Industry": "industry", "Interests": "cf_851", "Key Account": "cf_853",
             "Since": Column("cf_857", date_format="%d.%m.%Y"), "Phone": "phone"},
            None, accounts,
        )  # fmt: skip
        converter = Converter(accounts, mapping)
        found = converter.convert(
            {"Organization Name": " Löwe & Söhne ", "Revenue": "1.234,50", "Employees": "12",
             "Industry": "banking", "Interests": "cloud; Café & Catering", "Key Account": "yes",
             "Since": "31.01.2026", "Phone": "+49 30 1"}
        )  # fmt: skip
        fields = {**found.fields, "assigned_user_id": (await crm.me()).id}
        assert converter.check(fields, "create", Known({})) == []
        record = await crm.create("Accounts", fields)
        assert (record["accountname"], record["cf_857"]) == ("Löwe & Söhne", "2026-01-31")
        assert (record["industry"], record["cf_853"]) == ("Banking", "1")
        assert Decimal(str(record["annual_revenue"])) == Decimal("1234.5")
