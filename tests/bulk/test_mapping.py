"""Mappings: which column becomes which field, and every mistake told before a row is read."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from things import THINGS, module

from vtiger_async.bulk.automatic import automatic
from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.mapping import FieldMapping, missing_mandatory
from vtiger_async.bulk.options import Mode
from vtiger_async.bulk.toml import read_mapping
from vtiger_async.models.metadata import Field, FieldType
from vtiger_async.sandbox import Sandbox

INVOICES = module(
    Field("hdnGrandTotal", "Total", FieldType("currency")),
    Field("productid", "Item Name", FieldType("reference"), mandatory=True),
    Field("quantity", "Quantity", FieldType("double")),
    Field("tax1", "VAT", FieldType("string")),
)


def fields(mapping: FieldMapping) -> dict[str, str | None]:
    """The fields by column."""
    return {name: column and column.field for name, column in mapping.columns.items()}


def test_columns_are_found_by_name_and_label() -> None:
    """Exactly, or without case, punctuation and entities; what is left out has its reason."""
    mapping = automatic(
        ["name", "AMOUNT", "Date of Birth", "primary email", "R&D notes", "id", "Made", "old",
         "Ownr", "№", "thingsid"],
        THINGS,
    )  # fmt: skip
    assert fields(mapping) == {
        "name": "name", "AMOUNT": "amount", "Date of Birth": "born", "primary email": "mail",
        "R&D notes": "notes", "id": "id", "Made": None, "old": None, "Ownr": None, "№": None,
        "thingsid": None,
    }  # fmt: skip
    assert mapping.unmapped == ("Made", "old", "Ownr", "№", "thingsid")
    reasons = mapping.reasons
    assert reasons["Made"] == "made is read-only: only the CRM writes it"
    assert reasons["old"] == "old is switched off on this instance"
    assert reasons["Ownr"].endswith(
        "has no field 'Ownr', or hides it from this user: is 'Owner' meant?"
    )
    assert reasons["№"].endswith(": describe('Things') has the names")
    assert mapping.fields == {"name", "amount", "born", "mail", "notes", "id"}


def test_what_is_ambiguous_is_left_out() -> None:
    """A header of two fields, and two headers of one; an exact label counts before a loose name."""
    doubled = module(
        Field("street_a", "Street", FieldType("string")),
        Field("street_b", "Street", FieldType("string")),
        Field("cf_1", "Phone", FieldType("string")),
        Field("cf_2", "amount", FieldType("string")),
    )
    mapping = automatic(["Street", "mail", "Primary E-Mail", "Name", "PHONE", "amount"], doubled)
    assert fields(mapping) == {
        "Street": None, "mail": None, "Primary E-Mail": None, "Name": "name", "PHONE": None,
        "amount": None,
    }  # fmt: skip
    assert mapping.reasons == {
        "Street": "may stand for street_a or street_b",
        "mail": "'Primary E-Mail' may stand for mail, too",
        "Primary E-Mail": "'mail' may stand for mail, too",
        "PHONE": "may stand for cf_1 or phone",
        "amount": "may stand for amount or cf_2",
    }
    assert FieldMapping.of({"x": "amount"}, ["x"], doubled).columns == {"x": Column("amount")}


@pytest.mark.anyio
async def test_a_file_of_organisations_maps_itself() -> None:
    """With the labels that an instance really has."""
    async with Sandbox(limits=False).client() as crm:
        accounts = await crm.describe("Accounts")
    header = ["Organization Name", "Website", "Billing Country", "State", "Domains"]
    mapping = automatic(header, accounts)
    assert mapping.fields == {"accountname", "website", "bill_country"}
    assert mapping.unmapped == ("State", "Domains")
    assert missing_mandatory(accounts, mapping, "create") == ("assigned_user_id",)


def test_a_mapping_names_fields_by_name_or_label() -> None:
    """What it does not name is not loaded, and is listed."""
    mapping = FieldMapping.of(
        {"N": "name", "B": Column("date of birth", date_format="%d.%m.%Y"), "X": None},
        ["N", "B", "X", "Y"],
        THINGS,
    )
    assert fields(mapping) == {"N": "name", "B": "born", "X": None, "Y": None}
    assert mapping.reasons == {"Y": "the mapping does not name it"}
    assert FieldMapping.of(mapping, ["N", "B", "X", "Y"], THINGS) == mapping
    assert FieldMapping.of({"N": "name"}, None, THINGS).columns == {"N": Column("name")}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": "nam"}, "column 'a': Things has no field 'nam', or hides it from this user: is"),
        ({"a": "old"}, "column 'a': old is switched off on this instance"),
        ({"a": "zzzzzz"}, "describe('Things') has the names"),
        ({"a": "Made"}, "column 'a': made is read-only: only the CRM writes it"),
        ({"a": "LineItems.quantity"}, "column 'a': records of Things have no line items"),
        ({"a": "name", "b": "Name"}, "name gets its value from column 'a' and from column 'b'"),
        ({"aa": "name"}, "the input has no column 'aa': is 'a' meant?"),
        ({"zzz": "name"}, "the input has no column 'zzz': it has 'a', 'b'"),
        ({"a": Column("account", to="Contacts")}, "account refers to Accounts, not to Contacts"),
        ({"a": Column("owner", to="Accounts")}, "owner refers to Users or Groups, not to Accounts"),
        ({"a": Column("name", to="Accounts")}, "name is no reference, and `to` is for those"),
        (FieldMapping({}, {"nam": "x"}), "constant 'nam': Things has no field 'nam'"),
        (FieldMapping({"a": Column("name")}, {"Name": "x"}), "and from constant 'Name'"),
    ],
)  # fmt: skip
def test_a_mapping_that_does_not_fit_is_refused(value: Any, said: str) -> None:
    """At once, with what may be meant; all faults are told together."""
    with pytest.raises(MappingError) as caught:
        FieldMapping.of(value, ["a", "b"], THINGS)
    assert said in str(caught.value)
    assert caught.value.module == "Things"


@pytest.mark.parametrize("value", [7, ["a"], {"a": 7}], ids=repr)
def test_what_is_no_mapping_is_refused(value: Any) -> None:
    """Numbers and lists say nothing of columns."""
    with pytest.raises(MappingError, match="not"):
        FieldMapping.of(value, ["a"], THINGS)


def test_all_faults_are_told_together() -> None:
    """Nobody has to mend a mapping one error at a time."""
    with pytest.raises(MappingError) as caught:
        FieldMapping.of({"a": "nam", "b": "Made", "c": "name"}, ["a", "b"], THINGS)
    text = str(caught.value)
    assert all(part in text for part in ("'nam'", "made is read-only", "no column 'c'"))


def test_the_columns_of_an_iterable_may_come_later() -> None:
    """Where rows need not have all keys, a mapping may name one that was not seen."""
    mapping = FieldMapping.of({"a": "name", "z": "amount"}, ["a"], THINGS, is_regular=False)
    assert fields(mapping) == {"a": "name", "z": "amount"}
    with pytest.raises(MappingError, match="the columns are not known"):
        FieldMapping.of(None, None, THINGS)


def test_constants_may_be_given_beside_a_mapping() -> None:
    """They count before the mapping's, and before a column that was found automatically."""
    mapping = FieldMapping.of(None, ["name", "owner"], THINGS, constants={"Owner": "19x1"})
    assert (fields(mapping), mapping.constants) == (
        {"name": "name", "owner": None},
        {"owner": "19x1"},
    )
    assert mapping.reasons == {"owner": "a constant is given for owner"}
    given = FieldMapping({}, {"owner": "19x1", "name": "x"})
    both = FieldMapping.of(given, [], THINGS, constants={"owner": "19x2"})
    assert both.constants == {"owner": "19x2", "name": "x"}
    with pytest.raises(MappingError, match="from column 'a' and from constant 'owner'"):
        FieldMapping.of({"a": "owner"}, ["a"], THINGS, constants={"owner": "19x2"})
    with pytest.raises(MappingError, match="constant 'nonsense': Things has no field"):
        FieldMapping.of(None, ["name"], THINGS, constants={"nonsense": 1})


def test_references_may_say_which_module() -> None:
    """One of those that the field refers to; where the description tells none, any."""
    given = {"a": Column("related", to="Contacts"), "b": Column("anything", to="Leads")}
    mapping = FieldMapping.of(given, ["a", "b"], THINGS)
    assert fields(mapping) == {"a": "related", "b": "anything"}


def test_fields_of_lines_are_found_among_those_of_the_document() -> None:
    """`describe` lists them as the document's own; nested lines leave those alone."""
    mapping = automatic(["Item Name", "quantity", "LineItems.tax1", "LineItems.cf_9"], INVOICES)
    assert [*fields(mapping).values()] == [
        "LineItems.productid", "LineItems.quantity", "LineItems.tax1", "LineItems.cf_9",
    ]  # fmt: skip
    given = {"a": "Item Name", "b": Column("LineItems.productid", to="Services")}
    with pytest.raises(MappingError, match="gets its value from column 'a' and from column 'b'"):
        FieldMapping.of(given, ["a", "b"], INVOICES)
    with pytest.raises(MappingError, match=r"is 'LineItems.quantity' meant"):
        FieldMapping.of({"a": "LineItems.quantty"}, ["a"], INVOICES)
    nested = FieldMapping.of({"l": "LineItems", "p": "productid"}, ["l", "p"], INVOICES)
    assert fields(nested) == {"l": "LineItems", "p": "productid"}


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("create", ("owner",)), ("upsert", ("owner",)), ("revise", ()), ("delete", ())],
)
def test_mandatory_fields_without_a_source_are_told(mode: Mode, wanted: tuple[str, ...]) -> None:
    """Where records may be created; constants count, and what only the CRM writes is not wanted."""
    assert missing_mandatory(THINGS, FieldMapping({"a": Column("name")}), mode) == wanted
    filled = FieldMapping({"a": Column("name")}, {"owner": "19x1"})
    assert missing_mandatory(THINGS, filled, mode) == ()


def test_a_document_wants_lines() -> None:
    """Nested or flat; its product comes from the first of them."""
    base = {"name": Column("name"), "owner": Column("owner")}
    assert missing_mandatory(INVOICES, FieldMapping(base), "create") == ("LineItems",)
    for field in ("LineItems", "LineItems.productid"):
        mapping = FieldMapping(base | {"x": Column(field)})
        assert missing_mandatory(INVOICES, mapping, "create") == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"field": " "}, "field is empty"),
        ({"values": {"Ja": True}}, "values and default are read like cells: give text, not True"),
        ({"default": 3}, "values and default are read like cells: give text, not 3"),
        ({"missing": "ignore"}, "missing is one of reject, empty, create, not 'ignore'"),
        ({"ambiguous": "last"}, "ambiguous is one of reject, first, newest"),
        ({"nulls": "keep"}, "nulls is one of leave, clear"),
        ({"decimal": ""}, "decimal is one mark"),
        ({"decimal": "5"}, "decimal is one mark"),
        ({"grouping": "."}, "grouping is one mark, and not the decimal mark"),
        ({"grouping": ",,"}, "grouping is one mark"),
        ({"separator": " "}, "separator is white space or empty"),
        ({"by": ""}, "by is empty"),
        ({"true": ("y", "n"), "false": "N"}, "'n' means both true and false"),
        ({"date_format": "DD.MM.YYYY"}, "date_format 'DD.MM.YYYY' has no directive"),
        ({"date_format": "%Q"}, "date_format '%Q': "),
        ({"zone": "Europe/Berln"}, "there is no zone 'Europe/Berln'"),
        ({"zone": "../x"}, "there is no zone"),
        ({"zone": "Europe"}, "there is no zone 'Europe'"),
    ],
)
def test_a_column_that_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    """When it is made, and not at the first row."""
    given: dict[str, Any] = {"field": "x", **options}
    with pytest.raises(MappingError) as caught:
        Column(**given)
    assert said in str(caught.value)


FULL = FieldMapping(
    {
        "Name": Column("name"),
        'odd "header"\n\\\x07': Column("notes", nulls="clear"),
        "Not": None,
        "State": Column("state", values={"a": "Hot", "": "open", "ö=": "x"}, default="Hot"),
        "Born": Column("born", date_format=("%d.%m.%Y", "%Y%m%d")),
        "Met": Column("met", zone="Europe/Berlin"),
        "Flag": Column("flag", true="ja", false=("nein", "")),
        "Amount": Column("amount", decimal=",", grouping="."),
        "Owner": Column("owner", by="user_name", to="Users", missing="empty", ambiguous="first"),
        "Tags": Column("tags", separator="/"),
    },
    {
        "flag": True, "count": 3, "amount": Decimal("12.10"), "factor": Decimal(10),
        "born": date(2026, 1, 31), "met": datetime(2026, 1, 31, 9, tzinfo=UTC), "at": time(9, 5),
        "tags": ["Hot", "open"], "notes": None, "LineItems": [{"productid": "14x1", "quantity": 2}],
    },
)  # fmt: skip


def test_a_mapping_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    """As TOML with comments that say what it is."""
    path = tmp_path / "mapping.toml"
    FULL.save(path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# How the columns of an input become fields")
    assert 'Name = "name"\n' in text
    assert "Not = false\n" in text
    assert FieldMapping.load(path) == FULL
    assert FieldMapping.load(str(path)).unmapped == ()


def test_the_reasons_are_saved_as_comments(tmp_path: Path) -> None:
    """The file tells what was not mapped, and is taken back as it is."""
    path = tmp_path / "mapping.toml"
    mapping = automatic(["name", "Made", "zzz"], THINGS)
    mapping.save(path)
    assert "Made = false  # made is read-only: only the CRM writes it\n" in path.read_text("utf-8")
    assert FieldMapping.of(path, ["name", "Made", "zzz"], THINGS) == mapping


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1), st.text(min_size=1).filter(str.strip), max_size=4),
    st.dictionaries(st.text(), st.text(), max_size=4),
    st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.text(),
)
def test_any_text_survives_the_file(
    columns: dict[str, str], values: dict[str, str], number: Decimal, default: str
) -> None:
    """Headers, fields and values of any characters come back as they were."""
    from vtiger_async.bulk.toml import mapping_text

    mapping = FieldMapping(
        {h: Column(f, values=values, default=default) for h, f in columns.items()}, {"n": number}
    )
    text = mapping_text(mapping.columns, mapping.constants, {})
    assert tomllib.loads(text)
    assert FieldMapping(*read_mapping(text, "x")) == mapping


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns", "in.toml is not TOML: "),
        ("[colums]", "in.toml: colums: there are columns and constants"),
        ("columns = 3", "in.toml: columns: a table is wanted, not 3"),
        ("constants = []", "in.toml: constants: a table is wanted"),
        ("columns.a = 3", "in.toml: columns.a: a field's name, false or a table is wanted, not 3"),
        ("columns.a = true", "in.toml: columns.a: a field's name, false or a table"),
        ("columns.a = {}", "in.toml: columns.a.field is missing"),
        ('columns."a b" = {field = 3}', 'in.toml: columns."a b".field: text is wanted, not 3'),
        ("columns.a = {field = 'x', defalt = ''}", "columns.a.defalt: no such option; there are"),
        ("columns.a = {field = 'x', values = 1}", "columns.a.values: a table is wanted"),
        ("columns.a = {field = 'x', values.b = 1}", "columns.a.values.b: text is wanted, not 1"),
        ("columns.a = {field = 'x', true = [1]}", "columns.a.true: text is wanted, not 1"),
        ("columns.a = {field = 'x', by = ['y']}", "columns.a.by: text is wanted"),
        (
            "columns.a = {field = 'x', zone = 'Mars'}",
            "columns.a: the column for x: there is no zone",
        ),
    ],
)
def test_a_file_that_is_wrong_is_told_with_the_path_of_the_key(
    tmp_path: Path, text: str, said: str
) -> None:
    """Nothing unknown is passed over."""
    path = tmp_path / "in.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        FieldMapping.load(path)
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Absent, or no text."""
    with pytest.raises(MappingError, match=r"in\.toml cannot be read: No such file"):
        FieldMapping.of(str(tmp_path / "in.toml"), ["a"], THINGS)
    (tmp_path / "in.toml").write_bytes(b"\xff\xff")
    with pytest.raises(MappingError, match=r"in\.toml is not TOML"):
        FieldMapping.load(tmp_path / "in.toml")


@pytest.mark.parametrize("value", [{1, 2}, b"x", Decimal("NaN"), float("inf")], ids=repr)
def test_what_toml_cannot_hold_is_not_saved(tmp_path: Path, value: Any) -> None:
    """The error names the field, and no file is written."""
    with pytest.raises(MappingError, match=r"amount: .* cannot be written as TOML"):
        FieldMapping({}, {"amount": value}).save(tmp_path / "out.toml")
    assert not (tmp_path / "out.toml").exists()


def test_a_float_is_saved_with_its_shortest_digits(tmp_path: Path) -> None:
    """0.1 stays 0.1, and comes back exact."""
    FieldMapping({}, {"amount": 0.1}).save(tmp_path / "m.toml")
    assert FieldMapping.load(tmp_path / "m.toml").constants == {"amount": Decimal("0.1")}
