"""F: conditions written as Python comparisons.

`F.lastname == "Smith"` is a Condition. Whatever a value holds, it stays inside its literal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from attrs import frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.values import scalar_text
from vtiger_async.vtql.lexemes import check_field, escape_pattern
from vtiger_async.vtql.tree import Condition

__all__ = ["F", "Field", "Fields"]

_EMPTY = " "  # '' cannot be written; one space matches empty values (measured on Vtiger 8.4)


def _text(value: object, field: str) -> str:
    """Return a value as the text to compare with.

    Numbers are written in quotes too: MariaDB reads them as numbers beside a number field, while
    a bare number beside a text field would turn the text into a number (`phone = 0` would match
    every phone that does not begin with a digit).
    """
    if value is None:
        raise InvalidArgumentError(
            f"{field}: nothing equals null in VTQL (measured on Vtiger 8.4): is_empty() finds "
            "empty text; a date that is not set cannot be asked for"
        )
    if isinstance(value, Field):
        raise InvalidArgumentError(f"{field}: a field is compared with a value, not with a field")
    if isinstance(value, list | tuple | set | frozenset):
        raise InvalidArgumentError(f"{field}: one value is wanted; for several use in_()")
    return scalar_text(value, field) or _EMPTY


@frozen(eq=False)
class Field:
    """A field of a module, to make conditions from: `F.lastname`, or `F["cf_851"]`.

    Values may be text, numbers, bool, Decimal, date, time and datetime with a zone; they are
    written as Vtiger stores them. Text is compared without regard to case and accents (measured).

    Attributes:
        name: The field's name, as `describe` gives it.
    """

    name: str

    def __attrs_post_init__(self) -> None:
        check_field(self.name, "F")

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition
        return Condition(self.name, "=", _text(other, self.name))

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # builds a condition
        return Condition(self.name, "!=", _text(other, self.name))

    def __lt__(self, other: object) -> Condition:
        return Condition(self.name, "<", _text(other, self.name))

    def __le__(self, other: object) -> Condition:
        return Condition(self.name, "<=", _text(other, self.name))

    def __gt__(self, other: object) -> Condition:
        return Condition(self.name, ">", _text(other, self.name))

    def __ge__(self, other: object) -> Condition:
        return Condition(self.name, ">=", _text(other, self.name))

    # Not hashable: a dict would compare keys with ==, which builds a condition.
    __hash__ = None  # type: ignore[assignment]  # object has one

    def __and__(self, _: object) -> NoReturn:
        raise TypeError(
            f"& and | bind before comparisons in Python: write (F.{self.name} == ...) & (...), "
            "each comparison in parentheses"
        )

    __or__ = __rand__ = __ror__ = __and__

    def in_(self, values: Iterable[object]) -> Condition:
        """Return the condition that the field equals one of `values`, each taken once.

        Raises:
            InvalidArgumentError: There is no value, or one of them cannot be written.
        """
        if isinstance(values, str | bytes):
            raise InvalidArgumentError(f"{self.name}: in_() takes a list of values, not one text")
        texts = tuple(dict.fromkeys(_text(value, self.name) for value in values))
        if not texts:
            raise InvalidArgumentError(
                f"{self.name}: in_() of nothing matches nothing, and VTQL cannot say that: "
                "leave the call out"
            )
        return Condition(self.name, "IN", texts)

    def like(self, pattern: str) -> Condition:
        r"""Return the condition that the field matches a pattern.

        Args:
            pattern: `%` stands for any text, `_` for any one character; `\%`, `\_` and `\\` for
                the characters themselves.

        Raises:
            InvalidArgumentError: The pattern is empty, or a backslash stands before anything else.
        """
        return Condition(self.name, "LIKE", pattern)

    def startswith(self, text: str) -> Condition:
        """Return the condition that the field begins with exactly this text."""
        return Condition(self.name, "LIKE", f"{self._escaped(text)}%")

    def endswith(self, text: str) -> Condition:
        """Return the condition that the field ends with exactly this text."""
        return Condition(self.name, "LIKE", f"%{self._escaped(text)}")

    def contains(self, text: str) -> Condition:
        """Return the condition that the field holds exactly this text somewhere."""
        return Condition(self.name, "LIKE", f"%{self._escaped(text)}%")

    def _escaped(self, text: object) -> str:
        return escape_pattern(scalar_text(text, self.name))

    def is_empty(self) -> Condition:
        """Return the condition that a text field is empty; `~` makes it "is not empty".

        It is written `= ' '`, which matches empty values (measured on Vtiger 8.4). Dates that are
        not set are null, and no condition matches those. A reference that is empty equals the
        prefix of what it refers to with the number 0: `F.account_id == "11x0"` (measured); the
        server refuses a space there.
        """
        return Condition(self.name, "=", _EMPTY)


class Fields:
    """The type of `F`: every attribute and every key is the field of that name."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):  # Python asks for such names itself: copy, pickle, inspect.
            raise AttributeError(name)
        return Field(name)

    def __getitem__(self, name: str) -> Field:
        return Field(name)


F = Fields()
"""Names fields: `F.lastname`, or `F["cf_851"]` for a name that is not a Python attribute."""
