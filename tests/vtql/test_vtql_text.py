"""The text of a statement: what is written can be read, and values stay in their literals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from vtql_strategies import filled, like, patterns, selects, server_tokens, stored_text, texts

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.vtql import NO_LIMIT, Condition, F, Select, Word, parse, select
from vtiger_async.vtql.normal import encoded_length


@given(selects())
def test_what_is_written_is_read_back(statement: Select) -> None:
    """parse(str(s)) == s for every statement."""
    assert parse(str(statement)) == statement


@given(selects())
def test_the_text_has_exactly_one_end(statement: Select) -> None:
    """The server's lexer sees one ; and it is the last token."""
    assert server_tokens(str(statement)).index(";") == len(server_tokens(str(statement))) - 1


@given(filled)
def test_a_value_stays_in_its_literal(value: str) -> None:
    """Whatever a value holds, the server sees one literal, and MariaDB reads the value in it."""
    tokens = server_tokens(str(select("Leads").where(F.company == value)))
    assert [*tokens[:7], tokens[8:]] == [
        "SELECT", "*", "FROM", "Leads", "WHERE", "company", "=", [";"],
    ]  # fmt: skip
    assert stored_text(tokens[7]) == value


@given(patterns)
def test_a_pattern_reaches_like_unchanged(pattern: str) -> None:
    r"""LIKE sees the pattern of the tree, \%, \_ and \\ included."""
    tokens = server_tokens(str(select("Leads").where(F.company.like(pattern))))
    assert len(tokens) == 9
    assert stored_text(tokens[7]) == pattern


@given(texts, texts, texts)
def test_parts_of_text_match_as_in_python(before: str, text: str, after: str) -> None:
    """startswith, endswith and contains match the text itself, wildcards and backslashes too."""
    whole = before + text + after
    for condition, expected in (
        (F.x.startswith(text), whole.startswith(text)),
        (F.x.endswith(text), whole.endswith(text)),
        (F.x.contains(text), True),
        (F.x.contains(whole + "!"), False),
    ):
        literal = server_tokens(str(condition))[2]
        assert like(stored_text(literal), whole) is expected


@given(selects())
def test_the_server_finds_the_module(statement: Select) -> None:
    """The first `from` before white space, in any case of letters, stands before the module."""
    found = re.search(r"[fF][rR][oO][mM]\s+([^\s;]+)", str(statement))
    assert found is not None
    assert found[1] == statement.module


def test_a_field_that_ends_in_from_does_not_stand_last() -> None:
    """`id`, which every row carries anyway, stands after such a field."""
    assert str(select("Leads", "datefrom")) == "SELECT datefrom, id FROM Leads;"
    assert str(select("Leads", "id", "validFrom")) == "SELECT validFrom, id FROM Leads;"
    for text in ("select datefrom from Leads;", "select id, DateFROM\nfrom Leads;"):
        statement = parse(text)
        assert statement.fields[-1] == "id"
        assert parse(str(statement)) == statement
    assert str(select("Leads", "datefrom", "city")) == "SELECT datefrom, city FROM Leads;"


def test_each_clause_is_written_in_its_place() -> None:
    """A statement with everything reads as the manual writes it."""
    statement = (
        select("Contacts", "lastname", F.email)
        .where(F.lastname.startswith("Sm"), F.city.in_(["Rome", "Oslo"]))
        .order_by("lastname", F.id, descending=True)
        .limit(5)
        .offset(10)
    )
    assert str(statement) == (
        "SELECT lastname, email FROM Contacts WHERE lastname LIKE 'Sm%' AND "
        "city IN ('Rome','Oslo') ORDER BY lastname, id DESC LIMIT 10,5;"
    )
    assert str(statement.counting()) == (
        "SELECT count(*) FROM Contacts WHERE lastname LIKE 'Sm%' AND city IN ('Rome','Oslo');"
    )
    assert str(statement.limit(None).offset(None).order_by()).endswith("('Rome','Oslo');")


def test_an_offset_without_a_limit_is_written_with_a_count_that_no_module_reaches() -> None:
    """LIMIT m,n needs an n; NO_LIMIT and more stand for none."""
    assert str(select("Leads").offset(7)) == f"SELECT * FROM Leads LIMIT 7,{NO_LIMIT};"
    assert parse(str(select("Leads").offset(7))).limit_to is None
    assert select("Leads").limit(10**30).limit_to is None


def test_values_without_quotes_are_written_as_they_are() -> None:
    """Integers and words stand bare; they come from texts that were parsed."""
    conditions = (
        Condition("donotcall", "=", Word("true")),
        Condition("employees", ">", -1),
        Condition("id", "IN", (Word("12x5"), 7, "a'b")),
    )
    assert [str(one) for one in conditions] == [
        "donotcall = true",
        "employees > -1",
        "id IN (12x5,7,'a''b')",
    ]


def odd(value: Any) -> Any:
    """Return a value that a type checker would refuse in this place."""
    return value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: select("Con tacts"), "'Con tacts' is not a module's name"),
        (lambda: select("where"), "'where' is not a module's name"),
        (lambda: select("A", "*"), "leave the fields out"),
        (lambda: select("A", "count(*)"), "counting()"),
        (lambda: select("A", "account_id.accountname"), "through a reference"),
        (lambda: select("A", "order"), "a word of the language"),
        (lambda: select("A", "last name"), "SELECT: 'last name' is not a field's name"),
        (lambda: select("A", "x y" * 100), "x yx yx ... is not"),
        (lambda: select("A").order_by("1st"), "ORDER BY: '1st'"),
        (lambda: select("A").order_by(descending=True), "needs a field"),
        (lambda: select("A").limit(-1), "limit: a number from 0 is wanted"),
        (lambda: select("A").offset(-1), "offset: a number from 0 is wanted"),
        (lambda: select("A").limit(True), "limit: a whole number is wanted, not True"),
        (lambda: select("A").limit(odd("5")), "limit: a whole number is wanted, not '5'"),
        (lambda: select("A").offset(10**65), "at most 65 digits"),
        (lambda: Select("A", ("x",), is_count=True), "count(*) stands alone"),
        (lambda: Select("A", odd("lastname")), "not the text 'lastname'"),
        (lambda: Select("A", order_fields=odd("id")), "not the text 'id'"),
        (lambda: Select("A", odd((5,))), "SELECT: 5 is not a field's name"),
        (lambda: Select("A", where_any=((),)), "at least one Condition"),
        (lambda: Select("A", where_any=((odd("x"),),)), "at least one Condition"),
        (lambda: select("A").where(odd(True)), "this is a bool"),
        (lambda: Condition("x", "<>", "y"), "'<>' is not an operator"),
        (lambda: Condition("x", "=", ("y",)), "IN takes a tuple"),
        (lambda: Condition("x", "IN", "y"), "IN takes a tuple"),
        (lambda: Condition("x", "IN", ()), "at least one value"),
        (lambda: Condition("x", "=", ""), "one space"),
        (lambda: Condition("x", "LIKE", ""), "empty pattern"),
        (lambda: Condition("x", "LIKE", "a\\"), "before %, _ or another backslash"),
        (lambda: Condition("x", "LIKE", "a\\b"), "before %, _ or another backslash"),
        (lambda: Condition("x", "=", True), "a bool cannot be written"),
        (lambda: Condition("x", "=", odd(1.5)), "a float cannot be written"),
        (lambda: Condition("x", "=", 10**65), "at most 65 digits"),
        (lambda: Condition("x", "=", "\ud800"), "lone surrogate"),
        (lambda: Condition("in", "=", "y"), "WHERE: 'in'"),
        (lambda: Word("limit"), "give it as a str"),
        (lambda: Word("595"), "give it as a str"),
        (lambda: Word("a b"), "give it as a str"),
    ],
)
def test_what_cannot_be_written_is_refused_where_it_is_said(
    make: Callable[[], object], message: str
) -> None:
    """The error names the part and says what to do; no statement comes to be."""
    with pytest.raises(InvalidArgumentError, match=re.escape(message)):
        make()


@given(texts)
def test_the_length_in_a_url_is_counted_exactly(text: str) -> None:
    """encoded_length is the length of the percent-encoded text."""
    assert encoded_length(text) == len(quote_plus(text))
