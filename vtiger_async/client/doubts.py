"""What may be wrong with a statement that the server answers with success and no records.

It is loaded by the first query with a condition or an order. Faults that MySQL finds come back as
an empty list: an unknown field in ORDER BY, a bare word, an id or a reference without its prefix;
`= null` and an id of another module match nothing (all measured on Vtiger 8.4). So an empty result
is only believed where the statement can match something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from attrs import frozen

from vtiger_async.client.paging import JOINED, Source
from vtiger_async.errors import AccessDeniedError, InvalidArgumentError, InvalidIdError
from vtiger_async.models.metadata import Field, Module
from vtiger_async.types import ID_FORM
from vtiger_async.vtql import Condition, Select, Word
from vtiger_async.vtql.tree import Scalar

__all__ = ["Doubts", "nearest"]

_REFERENCES = frozenset({"reference", "owner"})
_SHARED = frozenset({"Calendar", "Events"})
"""Modules whose records are told under each other's name."""


@frozen
class Doubts:
    """What only a module's description can tell of a statement.

    Attributes:
        statement: The statement.
        source: Where the description comes from.
        worth_a_call: Whether there is anything in it that would be answered with an empty list.
    """

    statement: Select
    source: Source
    worth_a_call: bool

    @classmethod
    def of(cls, statement: Select, source: Source) -> Doubts:
        """Check what the statement alone tells.

        Raises:
            InvalidArgumentError: It cannot match, whatever the module holds.
            InvalidIdError: What is compared with the id is none.
        """
        suspicious = bool(set(statement.order_fields) - {"id"})
        for condition in _conditions(statement):
            _check_words(condition, statement.module)
            if condition.field == "id":
                _check_ids(condition, statement.module, source.prefixes)
            suspicious = suspicious or any(map(_is_like_an_id, condition.values))
        return cls(statement, source, suspicious)

    def check_known(self) -> None:
        """Check against the module's description, where that is kept; it costs no call.

        Raises:
            InvalidArgumentError: The statement does not fit the module.
        """
        described = self.source.cached(self.statement.module)
        if described is not None:
            self._check_against(described)

    async def check(self) -> None:
        """Check after an empty answer; it costs a `describe` unless that is kept.

        Raises:
            InvalidArgumentError: The statement does not fit the module.
        """
        if not self.worth_a_call:
            return
        try:
            described = await self.source.describe(self.statement.module)
        except AccessDeniedError:
            return  # the module could be queried, so the answer stands
        self._check_against(described)

    def _check_against(self, described: Module) -> None:
        statement, known = self.statement, described.fields
        named = [
            *((name, "SELECT") for name in statement.fields),
            *((condition.field, "WHERE") for condition in _conditions(statement)),
            *((name, "ORDER BY") for name in statement.order_fields),
        ]
        for name, place in named:
            # The fields of line items are not among those of their module.
            if name not in known and name != "id" and statement.module not in JOINED:
                raise _fault(
                    statement.module,
                    f"{place}: {statement.module} has no field {name!r} that this user sees"
                    f"{nearest(name, known)}; if it is new, describe({statement.module!r}, "
                    "refresh=True)",
                )
        for condition in _conditions(statement):
            if condition.field == "id":
                self._check_prefixes(condition, described.id_prefix)
            elif condition.field in known:
                self._check_reference(condition, known[condition.field])

    def _check_prefixes(self, condition: Condition, prefix: str) -> None:
        if self.statement.module in _SHARED or condition.operator not in ("=", "IN"):
            return
        ids = [_text(value) for value in condition.values]
        if prefix and all(rid.strip() and rid.partition("x")[0] != prefix for rid in ids):
            raise _fault(
                self.statement.module,
                f"{condition} cannot match: ids of {self.statement.module} begin with {prefix}x",
            )

    def _check_reference(self, condition: Condition, field: Field) -> None:
        if field.type.name not in _REFERENCES:
            return
        texts = [_text(value) for value in condition.values]
        for text in texts:
            if text.strip() and ID_FORM.fullmatch(text) is None:
                raise _fault(
                    self.statement.module,
                    f"{condition}: {field.name} holds record ids, and {text!r} is none: give it "
                    "with its module's prefix, as in 4x12",
                )
        owners = ("Users", "Groups")
        targets = owners if field.type.name == "owner" else field.type.refers_to
        modules = {self.source.prefixes.get(text.partition("x")[0]) for text in texts}
        if condition.operator in ("=", "IN") and targets and not modules & {None, *targets}:
            named = ", ".join(sorted(map(str, modules)))
            raise _fault(
                self.statement.module,
                f"{condition} cannot match: {field.name} refers to {', '.join(targets)}, and not "
                f"to {named}",
            )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint at the known name that was probably meant; empty where none is near."""
    folded = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), folded, n=1)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def _conditions(statement: Select) -> Iterator[Condition]:
    return (condition for alternative in statement.where_any for condition in alternative)


def _text(value: Scalar) -> str:
    return str(value)


def _is_like_an_id(value: Scalar) -> bool:
    text = str(value)
    return text.isdecimal() or ID_FORM.fullmatch(text) is not None


def _check_words(condition: Condition, module: str) -> None:
    """Refuse a bare word, which MySQL takes for a column, and null, which nothing equals."""
    for value in condition.values:
        if not isinstance(value, Word) or value.text.lower() in ("true", "false"):
            continue
        if value.text.lower() == "null":
            raise _fault(
                module,
                f"{condition} never matches: = ' ' finds empty text, a date that is not set cannot "
                "be asked for, and the text null stands in quotes",
            )
        if ID_FORM.fullmatch(value.text) is None:
            raise _fault(
                module,
                f"{condition}: Vtiger takes a bare word for a column, and answers with an empty "
                f"list: write '{value.text}'",
            )


def _check_ids(condition: Condition, module: str, prefixes: Mapping[str, str]) -> None:
    """Refuse what is no id, and ids of which each is known to be another module's."""
    texts = [_text(value) for value in condition.values]
    for text in texts:
        if text.strip() and ID_FORM.fullmatch(text) is None:
            raise InvalidIdError(
                f"{condition}: {text!r} is not a record id: write it with its module's prefix, as "
                "in 4x12",
                module=module,
            )
    owners = {prefixes.get(text.partition("x")[0]) for text in texts}
    if condition.operator not in ("=", "IN") or owners & {None, module} or module in _SHARED:
        return
    raise _fault(
        module, f"{condition} cannot match: it is about {', '.join(sorted(map(str, owners)))}"
    )


def _fault(module: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, module=module)
