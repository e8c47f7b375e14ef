"""What may be wrong with a statement that the server answers with success all the same.

Faults that MySQL finds come back as an empty list: an unknown field in ORDER BY, a bare word, an id
without its prefix; `= null` and a boolean compared with 'true' match nothing, and what is no date
is taken for the zero date. Of an id that the id, a reference or an owner is compared with, the
server looks at the number alone: with the prefix of another module it finds other records than were
meant (all measured on Vtiger 8.4). So an empty result is only believed where the statement can
match something, and records only where the ids in them are those of the statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches

from attrs import define, field

from vtiger_async.client.literals import unreadable
from vtiger_async.client.projection import names_ids
from vtiger_async.client.source import Source
from vtiger_async.errors import AccessDeniedError, InvalidArgumentError, InvalidIdError
from vtiger_async.models.metadata import Field, Module
from vtiger_async.models.records import Record
from vtiger_async.types import ID_FORM, LINE_MODULES
from vtiger_async.vtql import Condition, Select, Word

__all__ = ["Doubts", "nearest"]

_REFERENCES = frozenset({"reference", "owner"})
_SHARED = frozenset({"Calendar", "Events"})
"""Modules whose records are told under each other's name."""
_MOST_TARGETS = 2
"""Modules to describe for their prefixes, where a field refers to more of them."""
_TRUTHS = frozenset({"true", "false", "on", "off", "yes", "no"})
"""Words for booleans that are stored as 1 and 0, and match neither (measured)."""


@define(eq=False)
class Doubts:
    """What only a module's description, or the records that come, can tell of a statement.

    Attributes:
        statement: The statement.
        source: Where the description comes from.
        worth_a_call: Whether there is anything in it that would be answered with an empty list.
        shown: The ids that fields are asked to equal, by field and number.
        is_settled: Whether records came, and no fault showed.
        fault: The fault that showed in records: it is raised whenever one goes on.
    """

    statement: Select
    source: Source
    worth_a_call: bool
    shown: dict[str, dict[int, set[str]]] = field(factory=dict[str, "dict[int, set[str]]"])
    is_settled: bool = False
    fault: InvalidArgumentError | None = None

    @classmethod
    def of(cls, statement: Select, source: Source) -> Doubts:
        """Check what the statement alone tells.

        Raises:
            InvalidArgumentError: It cannot match, whatever the module holds.
            InvalidIdError: What is compared with the id is none.
        """
        doubts = cls(statement, source, bool(set(statement.order_fields) - {"id"}))
        for condition in _conditions(statement):
            _check_words(condition, statement.module)
            if condition.field == "id":
                _check_ids(condition, statement.module)
                doubts.check_prefixes(condition, _prefix_of(statement.module, source.prefixes))
            elif names_ids(condition):
                numbers = doubts.shown.setdefault(condition.field, {})
                for text in filter(ID_FORM.fullmatch, map(str, condition.values)):
                    numbers.setdefault(_number(text), set()).add(text)
            if _is_suspicious(condition):
                doubts.worth_a_call = True
        return doubts

    def check_known(self) -> None:
        """Check against the module's description, where that is kept; it costs no call.

        Raises:
            InvalidArgumentError: The statement does not fit the module.
        """
        if self.fault is not None:
            raise self.fault
        described = self.source.cached(self.statement.module)
        if described is not None:
            self._check_against(described)

    async def check(self) -> None:
        """Check after an empty answer; it costs a `describe` unless that is kept.

        Raises:
            InvalidArgumentError: The statement does not fit the module.
        """
        if self.worth_a_call and not self.is_settled:
            await self._described()

    async def check_counted(self) -> None:
        """Check after a count that found some: it shows no ids. See `check`."""
        known = _prefix_of(self.statement.module, self.source.prefixes) is not None
        if any(_has_ids(one) and not (one.field == "id" and known) for one in self._compared()):
            await self._check_targets()

    async def look_at(self, page: list[Record]) -> None:
        """Check the records that came against the ids that the statement names.

        It costs a `describe` where a field must not equal an id, or be beyond it: what comes shows
        nothing of that.

        Raises:
            InvalidArgumentError: The server took an id for another record's.
        """
        try:
            if not self.is_settled:
                for condition in self._compared():
                    if condition.field == "id":
                        self.check_prefixes(condition, page[0].id.prefix)
                unseen = (one for one in self._compared() if one.field != "id")
                if any(_has_ids(one) and not names_ids(one) for one in unseen):
                    await self._check_targets()
                self.is_settled = True
            for name, numbers in self.shown.items():
                for record in page:
                    await self._check_shown(name, record.fields.get(name), numbers)
        except InvalidArgumentError as fault:
            self.fault = fault
            raise

    async def _check_shown(self, name: str, value: object, numbers: dict[int, set[str]]) -> None:
        """Check a field's value: the number of an id of the statement, under another prefix."""
        if not isinstance(value, str) or ID_FORM.fullmatch(value) is None:
            return
        asked = numbers.get(_number(value))
        if asked is None or value in asked:
            return
        described = await self._described()
        known = described.fields.get(name) if described else None
        if known is None or known.type.name in _REFERENCES:
            raise _fault(
                self.statement.module,
                f"{name} = {min(asked)!r}: the server looks at the number alone, and has found "
                f"{value}; write its prefix, or the id that you mean",
            )

    def _compared(self) -> list[Condition]:
        """Return the conditions with ids; not on the id where prefixes tell nothing."""
        tells = self.statement.module not in _SHARED
        named = filter(_has_ids, _conditions(self.statement))
        return [one for one in named if tells or one.field != "id"]

    async def _described(self) -> Module | None:
        """Check against the description, which is asked for; None where it is denied."""
        try:
            described = await self.source.describe(self.statement.module)
        except AccessDeniedError:
            return None  # the module could be queried, so the answer stands
        self._check_against(described)
        return described

    async def _check_targets(self) -> None:
        """Check against the description; for prefixes not known yet, ask what is referred to."""
        described = await self._described()
        if described is None:
            return
        for condition in self._compared():
            known = described.fields.get(condition.field)
            targets = _targets(known) if known and known.type.name in _REFERENCES else ()
            given = {str(value).partition("x")[0] for value in condition.values}
            for target in targets[:_MOST_TARGETS]:
                if given <= self.source.prefixes.keys():
                    break
                if _prefix_of(target, self.source.prefixes) is None:
                    with suppress(AccessDeniedError):
                        await self.source.describe(target)
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
            if name not in known and name != "id" and statement.module not in LINE_MODULES:
                raise _fault(
                    statement.module,
                    f"{place}: {statement.module} has no field {name!r} that this user sees"
                    f"{nearest(name, known)}; if it is new, describe({statement.module!r}, "
                    "refresh=True)",
                )
        for condition in _conditions(statement):
            if condition.field == "id":
                self.check_prefixes(condition, described.id_prefix)
            elif condition.field in known:
                self._check_reference(condition, known[condition.field])
                self._check_boolean(condition, known[condition.field])
                fault = unreadable(condition, known[condition.field].type.name)
                if fault is not None:
                    raise _fault(statement.module, f"{condition}: {fault}")

    def check_prefixes(self, condition: Condition, prefix: str | None) -> None:
        """Check that each id which the id is compared with is the module's.

        Args:
            condition: One on the id.
            prefix: The module's prefix; empty or None where it is not known.

        Raises:
            InvalidArgumentError: One is another module's.
        """
        module, prefixes = self.statement.module, self.source.prefixes
        if module in _SHARED:
            return
        for text in map(str, condition.values):
            given, _, number = text.partition("x")
            owner = prefixes.get(given)
            if prefix and given != prefix:
                raise _fault(
                    module,
                    f"{condition}: ids of {module} begin with {prefix}x; the server looks at the "
                    f"number alone, and would take {text} for {prefix}x{number}",
                )
            if not prefix and owner not in (None, module):
                raise _fault(
                    module,
                    f"{condition}: {text} is of {owner}; the server looks at the number alone, and "
                    f"would take it for one of {module}",
                )

    def _check_reference(self, condition: Condition, known: Field) -> None:
        if known.type.name not in _REFERENCES:
            return
        targets, prefixes = _targets(known), self.source.prefixes
        all_known = set(targets) <= set(prefixes.values())
        for text in map(str, condition.values):
            if ID_FORM.fullmatch(text) is None:
                remedy = (
                    "an empty reference is found by 0 behind the prefix of what it refers to, as "
                    "in 4x0"
                    if not text.strip()
                    else "give it with its module's prefix, as in 4x12"
                )
                raise _fault(
                    self.statement.module,
                    f"{condition}: {known.name} holds record ids, and {text!r} is none: {remedy}",
                )
            owner = prefixes.get(text.partition("x")[0])
            if targets and owner not in targets and (owner or all_known):
                raise _fault(
                    self.statement.module,
                    f"{condition}: {known.name} refers to {', '.join(targets)}, and not to "
                    f"{owner or 'what ' + text + ' is of'}; the server looks at the number alone, "
                    "and would take it for another record's",
                )

    def _check_boolean(self, condition: Condition, known: Field) -> None:
        for value in condition.values if known.type.name == "boolean" else ():
            if isinstance(value, str) and value.lower() in _TRUTHS:
                raise _fault(
                    self.statement.module,
                    f"{condition}: {known.name} holds '1' or '0', and {value!r} is neither: write "
                    f"F.{known.name} == True, or '1'",
                )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint at the known name that was probably meant; empty where none is near."""
    folded = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), folded, n=1)
    return f"; did you mean {folded[found[0]]!r}?" if found else ""


def _conditions(statement: Select) -> Iterator[Condition]:
    return (condition for alternative in statement.where_any for condition in alternative)


def _targets(known: Field) -> tuple[str, ...]:
    """Return the modules that a reference may be about; none where that is not told."""
    return ("Users", "Groups") if known.type.name == "owner" else tuple(known.type.refers_to)


def _prefix_of(module: str, prefixes: Mapping[str, str]) -> str | None:
    return next((prefix for prefix, name in prefixes.items() if name == module), None)


def _number(record_id: str) -> int:
    return int(record_id.partition("x")[2])


def _has_ids(condition: Condition) -> bool:
    return any(ID_FORM.fullmatch(str(value)) for value in condition.values)


def _is_suspicious(condition: Condition) -> bool:
    """Tell whether a description could show that a condition matches nothing."""
    texts = [str(value).strip() for value in condition.values]
    if condition.operator != "LIKE":
        return any(texts)  # whatever it is may be meant for a date or a number
    return any(
        text.lower() in _TRUTHS or text.isdecimal() or ID_FORM.fullmatch(text) for text in texts
    )


def _check_words(condition: Condition, module: str) -> None:
    """Refuse a bare word, which MySQL takes for a column, and null, which nothing equals."""
    for value in condition.values:
        if not isinstance(value, Word) or value.text.lower() in ("true", "false"):
            continue
        if value.text.lower() == "null":
            raise _fault(
                module,
                f"{condition} never matches: = ' ' finds empty text, = '4x0' an empty reference, a "
                "date that is not set cannot be asked for, and the text null stands in quotes",
            )
        if ID_FORM.fullmatch(value.text) is None:
            raise _fault(
                module,
                f"{condition}: Vtiger takes a bare word for a column, and compares with that or "
                f"answers with an empty list: write '{value.text}'",
            )


def _check_ids(condition: Condition, module: str) -> None:
    """Refuse what is no id: the server answers it with an error or an empty list."""
    for text in map(str, condition.values):
        if ID_FORM.fullmatch(text) is None:
            raise InvalidIdError(
                f"{condition}: {text!r} is not a record id: write it with its module's prefix, as "
                "in 4x12; no record is without one",
                module=module,
            )


def _fault(module: str, message: str) -> InvalidArgumentError:
    return InvalidArgumentError(message, module=module)
