"""The flat form of the language, an OR of ANDs: made from an expression, and cut where too long.

VTQL has no parentheses in WHERE, and AND binds before OR (measured on Vtiger 8.4). So
`(a or b) and c` is multiplied out into `a and c or b and c`. Equalities of one field are first
merged into one IN, since that multiplies nothing.

A query travels in the URL (GET), and web servers refuse long ones. An OR can be cut between its
alternatives, and an alternative inside its IN lists: the records of the whole are the union of
the records of the pieces. Each piece costs a call, so pieces are filled as far as they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias, TypeVar

import attrs

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.vtql.tree import AllOf, AnyOf, Condition, Expression, Scalar

__all__ = [
    "MAX_ALTERNATIVES",
    "URL_BYTES",
    "Alternatives",
    "alternatives",
    "both",
    "cut",
    "encoded_length",
]

T = TypeVar("T")

URL_BYTES: Final = 6000
"""Bytes that a statement may take in a URL; servers refuse long ones, at 8 KB or so."""

Alternatives: TypeAlias = tuple[tuple[Condition, ...], ...]
"""An OR of ANDs: one tuple of conditions for each alternative; none at all means every record."""

MAX_ALTERNATIVES: Final = 1_000
"""How many alternatives multiplying out may make; beyond it the text and its price explode."""


def alternatives(expression: Expression) -> Alternatives:
    """Return the flat form of an expression: it holds for exactly the same records.

    Raises:
        InvalidArgumentError: Multiplying out would make more than `MAX_ALTERNATIVES`, or a part
            is not an expression.
    """
    if isinstance(expression, Condition):
        return ((expression,),)
    if isinstance(expression, AnyOf):
        return _merged(one for part in expression.parts for one in alternatives(part))
    if isinstance(expression, AllOf):
        result: Alternatives = ()
        for part in expression.parts:
            result = both(result, alternatives(part))
        return result
    raise InvalidArgumentError(
        "a condition is written as F.lastname == 'Smith', or made with Condition; "
        f"this is a {type(expression).__name__}"
    )


def both(left: Alternatives, right: Alternatives) -> Alternatives:
    """Return the alternatives of `left AND right`.

    Raises:
        InvalidArgumentError: There would be more than `MAX_ALTERNATIVES`. Adding one alternative
            (a bound for paging, say) to however many is always possible.
    """
    if not left or not right:
        return left or right
    count = len(left) * len(right)
    if count > MAX_ALTERNATIVES and count > max(len(left), len(right)):
        raise InvalidArgumentError(
            f"this condition multiplies out into {count} alternatives, more than "
            f"{MAX_ALTERNATIVES}: VTQL has no parentheses, so each OR under an AND is written "
            "out; use in_() for one field, or run one query for each part"
        )
    products = (tuple(dict.fromkeys((*a, *b))) for a in left for b in right)
    return tuple(dict.fromkeys(products))


def _merged(found: Iterable[tuple[Condition, ...]]) -> Alternatives:
    """Merge alternatives that are equalities of one field into one IN, at the first one's place.

    Only values of one kind are merged: MariaDB compares an IN list of text and numbers by other
    rules than it compares each of them.
    """
    values: dict[object, dict[Scalar, None]] = {}
    result: dict[object, tuple[Condition, ...]] = {}
    for one in found:
        key = _equality(one)
        if key is None:
            result.setdefault(one, one)
        else:
            values.setdefault(key, {}).update((value, None) for value in one[0].values)
            result.setdefault(key, one)
    return tuple(_one_of(one, tuple(values.get(key, ()))) for key, one in result.items())


def _equality(one: tuple[Condition, ...]) -> tuple[str, type] | None:
    """Return what an alternative is merged by, its field and kind of value; None if by nothing."""
    first, *others = one
    kinds = {type(value) for value in first.values}
    if others or first.operator not in {"=", "IN"} or len(kinds) > 1:
        return None
    return first.field, kinds.pop()


def _one_of(one: tuple[Condition, ...], values: tuple[Scalar, ...]) -> tuple[Condition, ...]:
    first, *_ = one
    return one if len(values) <= len(first.values) else (Condition(first.field, "IN", values),)


_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"


def encoded_length(text: str) -> int:
    """Return the length of `urllib.parse.quote_plus(text)`, many times faster."""
    data = text.encode()
    return len(data) + 2 * len(data.translate(None, _UNRESERVED + b" "))


def cut(whole: Alternatives, fits: Callable[[Alternatives], bool]) -> Iterator[Alternatives]:
    """Yield parts of `whole`, each of which fits; their union is the whole.

    Args:
        whole: At least one alternative.
        fits: Tells whether these alternatives fit into one statement. What fits must still fit
            when something is taken away.

    Raises:
        InvalidArgumentError: A part does not fit and cannot be cut any smaller.
    """
    units = tuple(unit for one in whole for unit in _cut_one(one, fits))
    yield from _runs(units, fits)


def _cut_one(
    one: tuple[Condition, ...], fits: Callable[[Alternatives], bool]
) -> Iterator[tuple[Condition, ...]]:
    """Yield alternatives that each fit alone, and of which `one` is the union."""
    if fits((one,)):
        yield one
        return
    lists = [at for at, condition in enumerate(one) if len(condition.values) > 1]
    if not lists:
        raise InvalidArgumentError(
            "the statement is too long to be sent, and there is no OR and no IN list left to cut: "
            "select fewer fields, or compare with shorter values"
        )
    at = max(lists, key=lambda at: len(str(one[at])))
    values = one[at].values

    def holding(values: tuple[Scalar, ...]) -> tuple[Condition, ...]:
        return (*one[:at], attrs.evolve(one[at], value=values), *one[at + 1 :])

    if fits((holding(values[:1]),)):
        pieces = list(_runs(values, lambda run: fits((holding(run),))))
    else:  # The rest is too long by itself. Halved, this list leaves another one the longest.
        pieces = [values[: len(values) // 2], values[len(values) // 2 :]]
    for piece in pieces:
        yield from _cut_one(holding(piece), fits)


def _runs(items: tuple[T, ...], fits: Callable[[tuple[T, ...]], bool]) -> Iterator[tuple[T, ...]]:
    """Yield `items` in runs, each as long as fits, and of at least one item."""
    start = 0
    while start < len(items):
        most = len(items) - start
        step = 1
        while step < most and fits(items[start : start + 2 * step]):
            step *= 2
        low, high = min(step, most), min(2 * step, most)  # `low` fits; more than `high` does not
        while low < high:
            middle = (low + high + 1) // 2
            if fits(items[start : start + middle]):
                low = middle
            else:
                high = middle - 1
        yield items[start : start + low]
        start += low
