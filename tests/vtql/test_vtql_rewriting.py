"""Expressions in the flat form, and statements cut into pieces: the same records throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from itertools import pairwise
from operator import or_
from urllib.parse import quote_plus

import pytest
from attrs import evolve, frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from vtql_strategies import matches

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.vtql import Condition, Expression, F, Select, Word, parse, select

Row = Mapping[str, str]
FIELDS = ("a", "b", "c")
values = st.sampled_from(["1", "2", "3"])
rows = st.fixed_dictionaries(dict.fromkeys(FIELDS, values))


@frozen
class Case:
    """An expression, and the plain Python that says the same of a row."""

    expression: Expression
    holds: Callable[[Row], bool]


@st.composite
def equalities(draw: st.DrawFn) -> Case:
    name, value = draw(st.sampled_from(FIELDS)), draw(values)
    return draw(
        st.sampled_from(
            [
                Case(F[name] == value, lambda row: row[name] == value),
                Case(F[name] != value, lambda row: row[name] != value),
                Case(F[name] < value, lambda row: row[name] < value),
                Case(F[name] >= value, lambda row: row[name] >= value),
            ]
        )
    )


@st.composite
def memberships(draw: st.DrawFn) -> Case:
    name, chosen = draw(st.sampled_from(FIELDS)), draw(st.lists(values, min_size=1))
    return Case(F[name].in_(chosen), lambda row: row[name] in chosen)


def joined(parts: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    return st.one_of(
        st.builds(
            lambda x, y: Case(
                x.expression & y.expression, lambda row: x.holds(row) and y.holds(row)
            ),
            parts,
            parts,
        ),
        st.builds(
            lambda x, y: Case(
                x.expression | y.expression, lambda row: x.holds(row) or y.holds(row)
            ),
            parts,
            parts,
        ),
    )


def negated(parts: st.SearchStrategy[Case]) -> st.SearchStrategy[Case]:
    inverse = parts.map(lambda x: Case(~x.expression, lambda row: not x.holds(row)))
    return joined(parts) | inverse


cases = st.recursive(equalities(), negated, max_leaves=8) | st.recursive(
    equalities() | memberships(), joined, max_leaves=8
)


@given(cases, st.lists(rows, min_size=1, max_size=5))
def test_the_flat_form_holds_for_the_same_rows(case: Case, some: list[Row]) -> None:
    """Negating, merging and multiplying out change nothing about which rows match."""
    statement = select("Leads").where(case.expression)
    assert [matches(statement, row) for row in some] == [case.holds(row) for row in some]
    assert parse(str(statement)) == statement


def test_an_or_under_an_and_is_multiplied_out() -> None:
    """`(a or b) and c` is said as `a and c or b and c`."""
    statement = select("A", "id").where(((F.x == "1") | (F.y == "2")) & (F.z > "3"))
    assert str(statement) == ("SELECT id FROM A WHERE x = '1' AND z > '3' OR y = '2' AND z > '3';")


def test_conditions_of_two_calls_are_joined_by_and() -> None:
    """where() adds to what is there, and equal parts are said once."""
    one = select("A", "id").where((F.x == "1") | (F.y == "2"))
    assert str(one.where(F.z == "3", F.z == "3")) == (
        "SELECT id FROM A WHERE x = '1' AND z = '3' OR y = '2' AND z = '3';"
    )
    assert one.where() == one


def test_equalities_of_one_field_become_one_in_list() -> None:
    """Two ORs of 100 equalities under an AND are two IN lists, not 10,000 alternatives."""
    many = [str(n) for n in range(100)]
    statement = select("A").where(
        reduce(or_, [F.x == value for value in many]),
        (F.y == "0") | F.y.in_(many) | (F.y == "a"),
    )
    assert statement.where_any == (
        (Condition("x", "IN", tuple(many)), Condition("y", "IN", (*many, "a"))),
    )


def test_an_or_of_equal_conditions_stays_one() -> None:
    """`x = 1 or x = 1` is `x = 1`."""
    assert select("A").where((F.x == "1") | (F.x == "1")) == select("A").where(F.x == "1")


def test_values_of_different_kinds_are_not_merged() -> None:
    """MariaDB compares a list of text and words by other rules, so they stay apart."""
    statement = select("A").where(
        (F.x == "1") | Condition("x", "=", Word("true")) | Condition("x", "IN", ("2", 3))
    )
    assert [str(one[0]) for one in statement.where_any] == ["x = '1'", "x = true", "x IN ('2',3)"]


def test_an_explosion_is_refused_and_a_bound_can_always_be_added() -> None:
    """More than 1,000 alternatives are refused when they come from multiplying, only then."""
    some = reduce(or_, [F[f"f{n}"] == "x" for n in range(40)])
    others = reduce(or_, [F[f"g{n}"] == "x" for n in range(40)])
    with pytest.raises(InvalidArgumentError, match="1600 alternatives, more than 1000"):
        select("A").where(some & others)
    wide = select("A").where(reduce(or_, [F[f"f{n}"] > "x" for n in range(1500)]))
    assert len(wide.where(F.id > "4x1").where_any) == 1500


wheres = st.lists(cases, min_size=1, max_size=2).map(
    lambda some: select("A", "id").where(*(case.expression for case in some))
)


@settings(deadline=None)  # a slow machine is no fault
@given(wheres, st.integers(80, 400), st.lists(rows, max_size=5))
def test_pieces_are_short_enough_and_together_the_whole(
    statement: Select, max_length: int, some: list[Row]
) -> None:
    """Each piece is within the bound, and a row matches the whole just if it matches a piece."""
    try:
        pieces = statement.split(max_length)
    except InvalidArgumentError:
        least = [
            tuple(evolve(one, value=one.values[:1]) if one.operator == "IN" else one for one in alt)
            for alt in statement.where_any
        ]
        texts = [str(evolve(statement, where_any=(alternative,))) for alternative in least]
        assert max(len(quote_plus(text)) for text in texts) > max_length
        return
    assert all(len(quote_plus(str(piece))) <= max_length for piece in pieces)
    for row in some:
        assert matches(statement, row) is any(matches(piece, row) for piece in pieces)


@settings(deadline=None)  # a slow machine is no fault
@given(st.integers(1, 300), st.integers(0, 60), st.integers(150, 900))
def test_long_lists_are_cut_into_as_few_pieces_as_one_list_allows(
    count: int, others: int, max_length: int
) -> None:
    """Every value comes in exactly one piece, and no two neighbours would fit together."""
    statement = select("A", "id").where(F.x.in_(range(count)), F.y.in_(["é"] * others or ["é"]))
    pieces = statement.order_by("id").split(max_length)
    found = [value for piece in pieces for value in piece.where_any[0][0].values]
    assert found == [str(n) for n in range(count)]
    assert all(len(quote_plus(str(piece))) <= max_length for piece in pieces)
    for one, following in pairwise(pieces):
        more = (*one.where_any[0][0].values, following.where_any[0][0].values[0])
        longer = select("A", "id").where(F.x.in_(more), F.y == "é").order_by("id")
        assert len(quote_plus(str(longer))) + len(quote_plus("IN ()")) > max_length


def test_two_lists_that_are_each_too_long_are_both_cut() -> None:
    """The pieces are the products of parts of both lists."""
    statement = select("A", "id").where(F.x.in_(range(100)), F.y.in_(range(100)))
    pieces = statement.split(400)
    pairs = [
        (x, y)
        for piece in pieces
        for x in piece.where_any[0][0].values
        for y in piece.where_any[0][1].values
    ]
    assert len(pairs) == len(set(pairs)) == 10_000
    assert max(len(quote_plus(str(piece))) for piece in pieces) <= 400


def test_pieces_leave_room_for_what_is_added_before_sending() -> None:
    """With sent_as each piece is short enough after the bound and the limit are added to it."""

    def page(piece: Select) -> Select:
        return piece.where(F.id > "4x9999999999").order_by("id").limit(100)

    statement = select("A", "id").where(reduce(or_, [F[f"f{n}"] > "x" for n in range(50)]))
    pieces = statement.split(500, sent_as=page)
    assert max(len(quote_plus(str(page(piece)))) for piece in pieces) <= 500
    assert sum((piece.where_any for piece in pieces), ()) == statement.where_any
    assert all(piece.limit_to is None for piece in pieces)


def test_a_statement_that_fits_is_its_only_piece() -> None:
    """Nothing is cut that need not be, not even with a limit."""
    statement = select("A").where(F.x.in_(["1", "2"])).limit(5)
    assert statement.split(1000) == (statement,)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (select("A").where(F.x.in_(range(100))).limit(5), "limit, offset or count"),
        (select("A").where(F.x.in_(range(100))).offset(5), "limit, offset or count"),
        (select("A").where(F.x.in_(range(100))).counting(), "limit, offset or count"),
        (select("A", *[f"field_{n}" for n in range(50)]), "select fewer fields"),
        (select("A").where(F.x == "v" * 300), "no OR and no IN list left"),
        (select("A").where(F.x.in_(["a", "v" * 300])), "no OR and no IN list left"),
    ],
)
def test_what_cannot_be_cut_is_refused(statement: Select, message: str) -> None:
    """The error says what stands in the way."""
    with pytest.raises(InvalidArgumentError, match=message):
        statement.split(200)
