"""The wire, outwards: Python values to parameters, and the table of operations."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.types import RecordId
from vtiger_async.wire.encode import (
    checked_module,
    encode_element,
    encode_parameters,
    form_text,
    json_text,
)
from vtiger_async.wire.operations import OPERATIONS, Operation, Parameter, Repeat, by_method


class TestElement:
    """`encode_element`."""

    def test_every_kind_of_value_is_written_as_vtiger_stores_it(self) -> None:
        """Each Python value becomes its stored text; null stays null, which clears a field."""
        given_values = {
            "text": "Ünï",
            "none": None,
            "yes": True,
            "no": False,
            "whole": 3,
            "float": 0.1,
            "money": Decimal("12.50"),
            "day": date(2026, 1, 31),
            "moment": datetime(2026, 1, 31, 9, tzinfo=UTC),
            "owner": RecordId("19x1"),
            "many": ["Cloud", "Café & Catering"],
            "one": ("Cloud",),
            "nothing": [],
            "LineItems": [{"productid": RecordId("6x1"), "quantity": 2, "notes": None}],
            "map": {"a": True, "b": ["x", "y"]},
        }
        assert encode_element("Contacts", given_values) == {
            "text": "Ünï",
            "none": None,
            "yes": "1",
            "no": "0",
            "whole": "3",
            "float": "0.1",
            "money": "12.50",
            "day": "2026-01-31",
            "moment": "2026-01-31 09:00:00",
            "owner": "19x1",
            "many": "Cloud |##| Café & Catering",
            "one": "Cloud",
            "nothing": "",
            "LineItems": [{"productid": "6x1", "quantity": "2", "notes": None}],
            "map": {"a": "1", "b": "x |##| y"},
        }

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"x": datetime(2026, 1, 31)}, r"Contacts\.x: the datetime .* has no zone"),
            ({"x": b"abc"}, r"Contacts\.x: a bytes cannot be stored"),
            ({"x": {1, 2}}, r"Contacts\.x: a set cannot be stored"),
            ({"x": ["a", None]}, r"Contacts\.x: a NoneType cannot be stored"),
            ({"x": ["a |##| b"]}, r"Contacts\.x: 'a \|##\| b' holds \|##\|"),
            ({"LineItems": [{"q": 1}, {"q": object()}]}, r"Contacts\.LineItems\[1\]\.q: a object"),
            ({"": "x"}, "Contacts: a field's name is a string, not ''"),
            ({7: "x"}, "Contacts: a field's name is a string, not 7"),
        ],
    )
    def test_what_cannot_be_sent_is_named(self, fields: dict[Any, Any], reason: str) -> None:
        """The error says which field of which module, and why."""
        with pytest.raises(InvalidArgumentError, match=reason):
            encode_element("Contacts", fields)


class TestModuleNames:
    """`checked_module`."""

    @pytest.mark.parametrize("name", ["Contacts", "HelpDesk", "vtcmLoans", "cf_123", "A"])
    def test_names_of_modules_pass(self, name: str) -> None:
        """Standard modules, and whatever a tenant may have built."""
        assert checked_module(name) == name

    @pytest.mark.parametrize("name", ["", "Con tacts", "1Contacts", "Contacts;", "Kontakté", "a\n"])
    def test_other_text_is_refused(self, name: str) -> None:
        """What cannot be a module's name is refused; the error says who knows the names."""
        with pytest.raises(InvalidArgumentError, match=r"list_types\(\) tells") as caught:
            checked_module(name)
        assert caught.value.module == name

    @pytest.mark.parametrize(
        ("name", "right"), [("contacts", "Contacts"), ("Helpdesk", "HelpDesk"), ("FAQ", "Faq")]
    )
    def test_a_standard_name_in_another_case_is_refused(self, name: str, right: str) -> None:
        """The server distinguishes case, and would answer ACCESS_DENIED."""
        with pytest.raises(InvalidArgumentError, match=f"case: {right}, not {name}"):
            checked_module(name)


class TestParameters:
    """`encode_parameters` and `form_text`."""

    def operation(self, *parameters: Parameter) -> Operation:
        """An operation with these parameters."""
        return Operation("op", "op", "POST", parameters, Repeat.NEVER, "", "")

    def test_each_encoding_is_written_in_its_way(self) -> None:
        """Text, ids, JSON, flags and lists are written in the order of the row."""
        operation = self.operation(
            Parameter("a"), Parameter("b", "id"), Parameter("c", "json"), Parameter("d", "flag"),
            Parameter("e", "flag"), Parameter("f", "list"),
        )  # fmt: skip
        values = {
            "f": ["x", "y"], "e": False, "d": True, "c": {"ü": [1, None]}, "b": RecordId("4x1"),
            "a": "t",
        }  # fmt: skip
        assert encode_parameters(operation, values) == [
            ("a", "t"), ("b", "4x1"), ("c", '{"ü":[1,null]}'), ("d", "1"), ("e", "0"),
            ("f[]", "x"), ("f[]", "y"),
        ]  # fmt: skip

    @pytest.mark.parametrize("value", [None, ""])
    def test_what_is_empty_is_left_out_or_missed(self, value: str | None) -> None:
        """An optional parameter is left out; one that is needed is refused by its name."""
        optional = self.operation(Parameter("a", required=False))
        assert encode_parameters(optional, {"a": value}) == []
        with pytest.raises(InvalidArgumentError, match="op: a must not be empty"):
            encode_parameters(self.operation(Parameter("a")), {"a": value})

    @given(st.lists(st.tuples(st.text(min_size=1), st.text())))
    def test_a_form_reads_back(self, pairs: list[tuple[str, str]]) -> None:
        """Any text survives the form; it is pure ASCII."""
        text = form_text(pairs)
        assert text.isascii()
        assert parse_qsl(text, keep_blank_values=True) == pairs

    def test_text_that_utf8_cannot_carry_is_refused(self) -> None:
        """A lone surrogate is refused by our own error, not in the middle of sending."""
        with pytest.raises(InvalidArgumentError, match=r"'a\\ud800' holds a lone surrogate"):
            form_text([("value", "a\ud800")])

    @pytest.mark.parametrize("value", [object(), {"x": datetime.now(UTC)}, float("nan"), {1, 2}])
    def test_what_json_cannot_hold_is_refused(self, value: object) -> None:
        """A value without JSON is refused by our own error."""
        with pytest.raises(InvalidArgumentError, match="cannot be sent as JSON"):
            json_text(value)


class TestOperationsTable:
    """`OPERATIONS`."""

    def test_rows_are_found_by_both_names(self) -> None:
        """The name on the wire and the coroutine's lead to the same row."""
        assert by_method("convert_lead") is OPERATIONS["convertlead"]
        assert all(by_method(row.method) is row for row in OPERATIONS.values())

    def test_reads_are_gets_and_writes_are_posts(self) -> None:
        """What may always be repeated is a GET; whatever changes the CRM is a POST."""
        for row in OPERATIONS.values():
            assert (row.verb == "POST") is row.writes is (row.repeat is not Repeat.SAFE)

    def test_nothing_that_creates_is_repeated(self) -> None:
        """A create that happens twice makes two records."""
        never = {row.name for row in OPERATIONS.values() if row.repeat is Repeat.NEVER}
        assert never >= {"create", "convertlead", "add_picklist"}
