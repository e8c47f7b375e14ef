"""Select: one VTQL statement as a value.

A Select is immutable; each method returns another one. Its text is always a statement that the
server can read: one `;`, escaped literals, no word that the lexer refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import attrs

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.vtql.builder import Field
from vtiger_async.vtql.lexemes import check_field, check_module
from vtiger_async.vtql.normal import Alternatives, alternatives, both, cut, encoded_length
from vtiger_async.vtql.tree import MAX_DIGITS, Condition, Expression

__all__ = ["NO_LIMIT", "Select", "select"]

NO_LIMIT: Final = 2**31 - 1
"""The count that stands for "no limit" where an offset has to be written without one.

An offset needs a count in VTQL (`LIMIT m,n`; OFFSET does not exist). The server cuts any count to
100 (measured on Vtiger 8.4), and no module holds this many records.
"""


def _names(fields: Iterable[str]) -> tuple[str, ...]:
    if isinstance(fields, str):
        raise InvalidArgumentError(f"a tuple of field names is wanted, not the text {fields!r:.60}")
    return tuple(fields)


def _selectable(fields: Iterable[str]) -> tuple[str, ...]:
    """Return the fields in an order that the server can read.

    The server takes the word after the first `from` and white space, a line break too, as the
    module, in any case of letters, also where that `from` ends a field's name (measured on Vtiger
    8.4). A comma in place of the white space is passed over. So such a field must not stand last:
    `id` then does, which each row carries anyway (measured).
    """
    names = _names(fields)
    if not names or not str(names[-1]).lower().endswith("from"):
        return names
    return (*(name for name in names if name != "id"), "id")


def _limit(count: int | None) -> int | None:
    return None if isinstance(count, int) and count >= NO_LIMIT else count


def _check_alternatives(_: Any, __: Any, value: tuple[tuple[object, ...], ...]) -> None:
    for one in value:
        if not one or not all(isinstance(condition, Condition) for condition in one):
            raise InvalidArgumentError(
                "WHERE: each alternative is a tuple of at least one Condition"
            )


def _check_count(_: Any, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is None:
        return
    name = attribute.name.partition("_")[0]
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgumentError(f"{name}: a whole number is wanted, not {value!r:.60}")
    if value < 0:
        raise InvalidArgumentError(
            f"{name}: a number from 0 is wanted: Vtiger answers a negative one with an empty "
            "list, as if nothing matched (measured on Vtiger 8.4)"
        )
    if value >= 10**MAX_DIGITS:
        raise InvalidArgumentError(f"{name}: a number has at most {MAX_DIGITS} digits")


@attrs.frozen
class Select:
    """A SELECT statement; `str(statement)` is its text.

    Attributes:
        module: The module's name, with its capitals (`"Contacts"`).
        fields: The fields to read; none stands for `*`. A last field whose name ends in `from`
            gets `id` after it (see `_selectable`).
        is_count: Whether it is a `count(*)`.
        where_any: The conditions, as an OR of ANDs; none at all means every record.
        order_fields: The fields to sort by.
        descending: Whether the LAST order field sorts downwards; the others always sort upwards
            (measured on Vtiger 8.4).
        limit_to: At most this many records; None for no limit, which `NO_LIMIT` and more mean
            too. The server sends at most 100 for one statement, with or without it.
        offset_by: Leave out this many records at the start.

    Raises:
        InvalidArgumentError: A part of it cannot be written; the message names it.
    """

    module: str
    fields: tuple[str, ...] = attrs.field(default=(), converter=_selectable)
    is_count: bool = False
    where_any: Alternatives = attrs.field(default=(), validator=_check_alternatives)
    order_fields: tuple[str, ...] = attrs.field(default=(), converter=_names)
    descending: bool = False
    limit_to: int | None = attrs.field(default=None, converter=_limit, validator=_check_count)
    offset_by: int | None = attrs.field(default=None, validator=_check_count)

    def __attrs_post_init__(self) -> None:
        check_module(self.module)
        for name in self.fields:
            check_field(name, "SELECT")
        for name in self.order_fields:
            check_field(name, "ORDER BY")
        if self.is_count and self.fields:
            raise InvalidArgumentError("SELECT: count(*) stands alone, without fields")
        if self.descending and not self.order_fields:
            raise InvalidArgumentError("ORDER BY: descending needs a field to sort by")

    def where(self, *conditions: Expression) -> Select:
        """Return this statement with more conditions, all of which must hold (AND).

        Raises:
            InvalidArgumentError: An argument is no condition, or an OR under an AND multiplies
                out into too many alternatives (`MAX_ALTERNATIVES`).
        """
        where_any = self.where_any
        for condition in conditions:
            where_any = both(where_any, alternatives(condition))
        return attrs.evolve(self, where_any=where_any)

    def order_by(self, *fields: str | Field, descending: bool = False) -> Select:
        """Return this statement sorted by `fields` instead of by what it was sorted by.

        Args:
            fields: Names, or F.x; none means no order. Row order is then not stable.
            descending: Sort the LAST field downwards. The language cannot say it of the others.
        """
        names = tuple(_name(one) for one in fields)
        return attrs.evolve(self, order_fields=names, descending=descending)

    def limit(self, count: int | None) -> Select:
        """Return this statement limited to `count` records (from 0); None takes the limit away."""
        return attrs.evolve(self, limit_to=count)

    def offset(self, count: int | None) -> Select:
        """Return this statement without its first `count` records (from 0); None takes all."""
        return attrs.evolve(self, offset_by=count)

    def counting(self) -> Select:
        """Return the `count(*)` of the same conditions, without order, limit and offset."""
        return Select(self.module, is_count=True, where_any=self.where_any)

    def split(
        self, max_length: int, *, sent_as: Callable[[Select], Select] | None = None
    ) -> tuple[Select, ...]:
        """Return statements short enough to be sent, whose records together are this one's.

        A record may come in more than one of them: drop what repeats. Each keeps the order.

        Args:
            max_length: Bytes that the text may take in a URL, percent-encoded UTF-8.
            sent_as: What will be done to each statement before it is sent, if anything: then its
                text after that has to be short enough. For paging it adds the widest bound.

        Raises:
            InvalidArgumentError: It cannot be cut so small; or it would have to be cut and has a
                limit, an offset or a count, which the pieces cannot share.
        """

        def length(where_any: Alternatives) -> int:
            piece = attrs.evolve(self, where_any=where_any)
            return encoded_length(str(piece if sent_as is None else sent_as(piece)))

        if (whole := length(self.where_any)) <= max_length:
            return (self,)
        if self.is_count or self.limit_to is not None or self.offset_by is not None:
            raise InvalidArgumentError(
                f"the statement takes {whole} bytes in a URL, more than {max_length}, and its "
                "limit, offset or count forbids to cut it: read the records without, and count "
                "or cut them in your program"
            )
        if not self.where_any:
            raise InvalidArgumentError(
                f"the statement takes {whole} bytes in a URL, more than {max_length}: select "
                "fewer fields, or none for all"
            )
        pieces = cut(self.where_any, lambda where_any: length(where_any) <= max_length)
        return tuple(attrs.evolve(self, where_any=piece) for piece in pieces)

    def __str__(self) -> str:
        what = "count(*)" if self.is_count else ", ".join(self.fields) or "*"
        text = f"SELECT {what} FROM {self.module}"  # noqa: S608 - each part was checked
        if self.where_any:
            text += " WHERE " + " OR ".join(" AND ".join(map(str, one)) for one in self.where_any)
        if self.order_fields:
            text += f" ORDER BY {', '.join(self.order_fields)}"
        if self.descending:
            text += " DESC"
        if self.offset_by is not None:
            count = NO_LIMIT if self.limit_to is None else self.limit_to
            text += f" LIMIT {self.offset_by},{count}"
        elif self.limit_to is not None:
            text += f" LIMIT {self.limit_to}"
        return f"{text};"


def _name(one: str | Field) -> str:
    return one.name if isinstance(one, Field) else one


def select(module: str, *fields: str | Field) -> Select:
    """Return the statement that reads `fields` of `module`.

    Args:
        module: The module's name, with its capitals (`"Contacts"`).
        fields: Names, or F.x; none means all fields.

    Raises:
        InvalidArgumentError: A name cannot be one.
    """
    return Select(module, tuple(_name(one) for one in fields))
