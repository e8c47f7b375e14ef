"""F: what each comparison says, and what it refuses."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.types import RecordId
from vtiger_async.vtql import Condition, Expression, F, Field


class Stage(StrEnum):
    WON = "Closed Won"


NEW_YORK = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (F.lastname == "O'Neil", "lastname = 'O''Neil'"),
        (F["cf_851"] != "a\\", "cf_851 != 'a\\\\'"),
        (F.amount < Decimal("12.50"), "amount < '12.50'"),
        (F.amount <= 1.5, "amount <= '1.5'"),
        (F.employees > 5, "employees > '5'"),
        (F.createdtime >= date(2026, 1, 31), "createdtime >= '2026-01-31'"),
        (
            F.modifiedtime > datetime(2026, 1, 31, 23, tzinfo=NEW_YORK),
            "modifiedtime > '2026-02-01 04:00:00'",
        ),
        (
            datetime(2026, 1, 31, tzinfo=UTC) < F.modifiedtime,
            "modifiedtime > '2026-01-31 00:00:00'",
        ),
        (F.donotcall == True, "donotcall = '1'"),  # noqa: E712 - a value to compare with
        (F.donotcall == False, "donotcall = '0'"),  # noqa: E712 - a value to compare with
        (F.id == RecordId("4x12"), "id = '4x12'"),
        (F.sales_stage == Stage.WON, "sales_stage = 'Closed Won'"),
        (F.email == "", "email = ' '"),
        (F.email.in_(["", "x", "x"]), "email IN (' ','x')"),
        (F.id.in_(f"4x{n}" for n in range(2)), "id IN ('4x0','4x1')"),
        (F.email.is_empty(), "email = ' '"),
        (~F.email.is_empty(), "email != ' '"),
        (F.x.like(r"50\%_\\"), r"x LIKE '50\%_\\\\'"),
        (F.x.startswith("50%"), r"x LIKE '50\%%'"),
        (F.x.endswith("a_b"), r"x LIKE '%a\_b'"),
        (F.x.contains("it's\\"), r"x LIKE '%it''s\\\\%'"),
        (~(F.x == "a"), "x != 'a'"),
        (~(F.x != "a"), "x = 'a'"),
        (~(F.x < "a"), "x >= 'a'"),
        (~(F.x >= "a"), "x < 'a'"),
        (~(F.x > "a"), "x <= 'a'"),
        (~(F.x <= "a"), "x > 'a'"),
    ],
)
def test_a_comparison_says_this(condition: Condition, text: str) -> None:
    """Each comparison is one condition, with the value as Vtiger stores it, in quotes."""
    assert str(condition) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: F.birthday == None, "is_empty()"),  # noqa: E711 - a value to compare with
        (lambda: F.x.in_(["a", None]), "is_empty()"),
        (lambda: F.x.in_([]), "leave the call out"),
        (lambda: F.x.in_("abc"), "a list of values"),
        (lambda: F.x == ["a"], "use in_()"),
        (lambda: F.x == F.y, "not with a field"),
        (lambda: F.x == object(), "a object cannot be stored"),
        (lambda: F.x < datetime(2026, 1, 31), "has no zone"),
        (lambda: F.x.like(""), "one space"),
        (lambda: F.x.like("a\\b"), "backslash"),
        (lambda: ~F.x.in_(["a", "b"]), "no NOT IN"),
        (lambda: ~F.x.startswith("a"), "no NOT LIKE"),
        (lambda: ~((F.y == "b") & F.x.contains("a")), "no NOT LIKE"),
        (lambda: F.order, "a word of the language"),
        (lambda: F["last name"], "is not a field's name"),
    ],
)
def test_what_the_language_cannot_say_is_refused(make: Callable[[], object], message: str) -> None:
    """The error says why, and what to do instead."""
    with pytest.raises(InvalidArgumentError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (F.x == "a") and (F.y == "b"),
        lambda: bool(F.x == "a"),
        lambda: "a" < F.x < "b",
        lambda: "a" in [F.x, F.y],
    ],
)
def test_a_condition_has_no_truth_value(make: Callable[[], object]) -> None:
    """`and`, `or`, `not`, `in` and chained comparisons would lose a part, so they are errors."""
    with pytest.raises(TypeError, match=r"join conditions with & \| ~"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda condition: F.x == "a" & condition,
        lambda condition: F.x & condition,
        lambda condition: F.x | condition,
        lambda condition: condition | F.x,
        lambda condition: condition & True,
    ],
)
def test_missing_parentheses_are_noticed(make: Callable[[Any], object]) -> None:
    """& and | bind before == in Python; the error asks for parentheses."""
    with pytest.raises(TypeError, match=r"in parentheses|unsupported operand"):
        make(F.y == "b")


def test_fields_are_values_of_their_own() -> None:
    """A Field can be copied and pickled, has no hash, and F has no secret attributes."""
    assert pickle.loads(pickle.dumps(F.lastname)).name == "lastname"
    assert copy.deepcopy(F["cf_851"]).name == "cf_851"
    assert copy.copy(F).lastname.name == "lastname"
    assert not hasattr(F, "__wrapped__")
    with pytest.raises(TypeError, match="unhashable"):
        hash(F.lastname)
    assert isinstance(F.lastname, Field)
    assert isinstance(F.lastname == "a", Expression)


def test_conditions_are_values() -> None:
    """Equal conditions are equal, hash alike, and survive pickling."""
    condition = (F.x == "a") & ((F.y == "b") | (F.z == "c"))
    assert pickle.loads(pickle.dumps(condition)) == condition
    assert hash(F.x == RecordId("4x1")) == hash(Condition("x", "=", "4x1"))
