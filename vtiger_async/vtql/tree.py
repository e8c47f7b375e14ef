"""What stands after WHERE: conditions, and the expressions made of them.

A Condition is the one thing that VTQL can say about a field. Expressions join conditions with `&`,
`|` and `~`; `normal.alternatives` brings them into the flat form that the language has.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Final, NoReturn, TypeAlias

import attrs

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.values import scalar_text
from vtiger_async.vtql.lexemes import KEYWORDS, check_field, pattern_fault, quote, quote_pattern

__all__ = [
    "MAX_DIGITS",
    "OPERATORS",
    "AllOf",
    "AnyOf",
    "Condition",
    "Expression",
    "Scalar",
    "Word",
    "is_word",
]

OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "IN", "LIKE")
"""The operators of the language (manual of 2025, "Query"); there are no others (measured)."""

MAX_DIGITS: Final = 65
"""The digits of the longest integer that can be written: MariaDB's numbers have no more."""

_OPPOSITES: Final = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_WORD = re.compile(r"[A-Za-z0-9_]*[A-Za-z_][A-Za-z0-9_]*")


class Expression(ABC):
    """A condition, or conditions joined by `&` (and), `|` (or) and `~` (not).

    Expressions are immutable. They have no truth value: `and`, `or`, `not` and a chained
    comparison (`1 < F.x < 5`) would silently lose a part, so they raise TypeError.
    """

    __slots__ = ()

    def __and__(self, other: Expression) -> AllOf:
        return AllOf((*_parts(self, AllOf), *_parts(other, AllOf)))

    def __or__(self, other: Expression) -> AnyOf:
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    @abstractmethod
    def __invert__(self) -> Expression: ...

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a condition has no truth value before the server sees it: join conditions with & | ~ "
            "(not: and, or, not), each in parentheses; write a < x < b as (F.x > a) & (F.x < b)"
        )


def _parts(expression: Expression, kind: type[AllOf | AnyOf]) -> tuple[Expression, ...]:
    if not isinstance(expression, AllOf | AnyOf | Condition):
        raise TypeError(
            f"& and | join conditions such as (F.lastname == 'Smith'), each in parentheses; "
            f"this is a {type(expression).__name__}"
        )
    return expression.parts if isinstance(expression, kind) else (expression,)


@attrs.frozen
class AllOf(Expression):
    """Every one of `parts` holds.

    Attributes:
        parts: The expressions that `&` joined, at least one.
    """

    parts: tuple[Expression, ...]

    def __invert__(self) -> AnyOf:
        return AnyOf(tuple(~part for part in self.parts))


@attrs.frozen
class AnyOf(Expression):
    """At least one of `parts` holds.

    Attributes:
        parts: The expressions that `|` joined, at least one.
    """

    parts: tuple[Expression, ...]

    def __invert__(self) -> AllOf:
        return AllOf(tuple(~part for part in self.parts))


def is_word(text: str) -> bool:
    """Tell whether `text` can stand without quotes and is not a number or a keyword."""
    return _WORD.fullmatch(text) is not None and text.lower() not in KEYWORDS


@attrs.frozen
class Word:
    """A value written without quotes, as in `donotcall = true` or `id = 12x595`.

    Vtiger hands it to MariaDB as it is: `true`, `false` and record ids work; any other word is
    taken for a column, and the answer is an empty list (measured on Vtiger 8.4). Quoted text is
    right in every case; words are here so that whatever the server reads can be read.

    Attributes:
        text: Letters, digits and underscores, at least one of them no digit; not a keyword.

    Raises:
        InvalidArgumentError: The text has another form.
    """

    text: str

    def __attrs_post_init__(self) -> None:
        if not is_word(self.text):
            raise InvalidArgumentError(
                f"{self.text[:60]!r} cannot stand without quotes: give it as a str, not as a Word"
            )

    def __str__(self) -> str:
        return self.text


Scalar: TypeAlias = str | int | Word
"""One value: text is written in quotes, an integer and a Word without."""


def _plain(value: Scalar | tuple[Scalar, ...]) -> Scalar | tuple[Scalar, ...]:
    """Return strings of a subclass (a RecordId, an enum) as str, so that equal means equal."""
    if isinstance(value, tuple):
        return tuple(str.__str__(one) if isinstance(one, str) else one for one in value)
    return str.__str__(value) if isinstance(value, str) else value


@attrs.frozen
class Condition(Expression):
    r"""One field, one operator, one value; `str(condition)` is its text.

    Attributes:
        field: The field's name, as `describe` gives it.
        operator: One of `OPERATORS`.
        value: A str (never empty), an int or a Word; for IN a tuple of at least one of them. For
            LIKE a str is the pattern, in which `\%`, `\_` and `\\` stand for the characters
            themselves.

    Raises:
        InvalidArgumentError: A part of it cannot be written.
    """

    field: str
    operator: str
    value: Scalar | tuple[Scalar, ...] = attrs.field(converter=_plain)

    def __attrs_post_init__(self) -> None:
        check_field(self.field, "WHERE")
        if self.operator not in OPERATORS:
            raise InvalidArgumentError(
                f"{self.field}: {self.operator!r} is not an operator: {' '.join(OPERATORS)}"
            )
        if (self.operator == "IN") is not isinstance(self.value, tuple):
            raise InvalidArgumentError(
                f"{self.field}: IN takes a tuple of values, every other operator one value"
            )
        if not self.values:
            raise InvalidArgumentError(
                f"{self.field}: an IN list holds at least one value (measured on Vtiger 8.4)"
            )
        for value in self.values:
            self._check(value)

    def _check(self, value: object) -> None:
        if isinstance(value, str):
            scalar_text(value, self.field)
            fault = pattern_fault(value) if self.operator == "LIKE" else _text_fault(value)
        elif isinstance(value, bool) or not isinstance(value, int | Word):
            fault = f"a {type(value).__name__} cannot be written: give a str, an int or a Word"
        else:
            too_long = isinstance(value, int) and abs(value) >= 10**MAX_DIGITS
            fault = f"an integer has at most {MAX_DIGITS} digits" if too_long else None
        if fault is not None:
            raise InvalidArgumentError(f"{self.field}: {fault}")

    @property
    def values(self) -> tuple[Scalar, ...]:
        """The value or values, always as a tuple."""
        return self.value if isinstance(self.value, tuple) else (self.value,)

    def __invert__(self) -> Condition:
        opposite = _OPPOSITES.get(self.operator)
        if opposite is not None:
            return attrs.evolve(self, operator=opposite)
        remedy = (
            "exclude each value, as in (F.x != 'a') & (F.x != 'b')"
            if self.operator == "IN"
            else "read the records without it, and leave the matching ones out in your program"
        )
        raise InvalidArgumentError(
            f"{self.field}: VTQL has no NOT {self.operator} (measured on Vtiger 8.4): {remedy}"
        )

    def __str__(self) -> str:
        if self.operator == "IN":
            return f"{self.field} IN ({','.join(map(_written, self.values))})"
        if self.operator == "LIKE" and isinstance(self.value, str):
            return f"{self.field} LIKE {quote_pattern(self.value)}"
        return f"{self.field} {self.operator} {_written(self.values[0])}"


def _text_fault(text: str) -> str | None:
    if text:
        return None
    return "the empty string cannot be written: ' ' (one space) matches empty values (measured)"


def _written(value: Scalar) -> str:
    return quote(value) if isinstance(value, str) else str(value)
