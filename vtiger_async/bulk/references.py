"""References and owners: which records the texts of a file mean, a hundred texts a call."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.keys import Lookup, folded
from vtiger_async.bulk.pages import Pages
from vtiger_async.bulk.pending import Pending
from vtiger_async.errors import AccessDeniedError
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record

__all__ = ["Candidates", "Name", "References", "name_of"]

_KEPT: Final = 100_000
"""Texts whose records are remembered."""
_SHOWN: Final = 3
"""Ids that a message shows."""
_TWO: Final = 2
_USERS: Final = "Users"

Name: TypeAlias = tuple[tuple[str, ...], str | None, str]
"""What a text is looked up by: the modules, the field or None for the label, the folded text."""


@frozen
class Candidates:
    """The records that a text may mean.

    Attributes:
        count: How many there are.
        shown: The ids of the first ones, in order.
        newest: The id of the one that was created last.
    """

    count: int = 0
    shown: tuple[str, ...] = ()
    newest: str = ""

    @classmethod
    def of(cls, records: Iterable[Record]) -> Candidates:
        """Return what is kept of some records."""
        ids = sorted({record.id for record in records}, key=lambda one: one.number)
        return cls(len(ids), tuple(map(str, ids[:_SHOWN])), str(ids[-1])) if ids else cls()

    def __str__(self) -> str:
        return ", ".join(self.shown) + (", ..." if self.count > len(self.shown) else "")


def name_of(pending: Pending) -> Name:
    """Return what a reference is looked up by."""
    by = None if pending.by == "label" else pending.by
    return pending.modules, by, folded(pending.text)


class References:
    """Finds records by their names, and remembers the last hundred thousand.

    Users are found by the name they log in with, else by first and last name; groups by their name.
    An inactive user is not found. A user who may not look users up finds only himself. Of several
    modules that a reference may be of, those are looked into that the user sees.

    Args:
        crm: The client.
        pages: What reads.
    """

    def __init__(self, crm: Crm, pages: Pages) -> None:
        self.modules: dict[str, Module] = {}
        """The descriptions that were asked for."""
        self.prefixes: dict[str, str] = {}
        """Module names by the prefix of their records' ids, as far as described."""
        self._crm = crm
        self._pages = pages
        self._kept: OrderedDict[Name, Candidates] = OrderedDict()
        self._hidden: dict[str, AccessDeniedError] = {}

    async def described(self, module: str) -> Module:
        """Return a module's description; it is asked for once."""
        if module not in self.modules:
            described = self.modules[module] = await self._crm.describe(module)
            self.prefixes[described.id_prefix] = module
        return self.modules[module]

    async def check(self, modules: Sequence[str], by: str, where: str) -> None:
        """Refuse a field to find records by that no module has.

        Args:
            modules: The modules they may be of.
            by: The field that holds the texts.
            where: What it is for, for the message.

        Raises:
            MappingError: None has it, none is shown to this user, or it is not known which modules
                they are.
        """
        if not modules:
            raise MappingError(
                f"{where}: the description does not tell what it refers to: name the module in the "
                "column's `to`, or give ids"
            )
        known = await self._shown(modules, where)
        if not any(module is None or by in module.fields for module in known.values()):
            raise MappingError(f"{where}: {' and '.join(modules)} has no field {by!r} to find by")

    async def find(self, wanted: Iterable[Pending]) -> dict[Name, Candidates]:
        """Return what each reference may mean, in one call a hundred that are new.

        Raises:
            MappingError: No module that a text may be found in is shown to this user.
        """
        found: dict[Name, Candidates] = {}
        new: defaultdict[tuple[tuple[str, ...], str | None], dict[str, str]]
        new = defaultdict(dict[str, str])
        origins: dict[tuple[tuple[str, ...], str | None], str] = {}
        for pending in wanted:
            name = name_of(pending)
            if name in self._kept:
                self._kept.move_to_end(name)
                found[name] = self._kept[name]
            elif name not in found:
                found[name] = Candidates()
                new[name[:2]][name[2]] = pending.text
                origins.setdefault(name[:2], _origin(pending))
        for (modules, by), texts in new.items():
            records: defaultdict[str, list[Record]] = defaultdict(list[Record])
            for one, module in (await self._shown(modules, origins[modules, by])).items():
                for key, some in (await self._records(one, module, by, texts)).items():
                    records[key] += some
            for key in texts:
                candidates = Candidates.of(records.get(key, ()))
                found[modules, by, key] = self._kept[modules, by, key] = candidates
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    async def _shown(self, modules: Sequence[str], where: str) -> dict[str, Module | None]:
        """Return the descriptions of those modules that this user sees; None for users, if not.

        What is in a module that is not shown could not be given as a reference either.
        """
        shown: dict[str, Module | None] = {}
        for name in modules:
            if name not in self._hidden:
                try:
                    shown[name] = await self.described(name)
                except AccessDeniedError as error:
                    self._hidden[name] = error
            if name in self._hidden and name == _USERS:
                shown[name] = None
        if modules and not shown:
            raise MappingError(
                f"{where}: {' and '.join(modules)}, where its texts are to be found, is not shown "
                "to this user: give ids, leave the column out, or have an administrator give the "
                "right to see the module"
            ) from self._hidden[modules[0]]
        return shown

    async def _records(
        self, name: str, module: Module | None, by: str | None, texts: Mapping[str, str]
    ) -> Mapping[str, list[Record]]:
        """Return the records of one module by folded text."""
        if module is None:
            return await self._self(texts)
        if by is not None:
            return await self._by_field(module, by, texts) if by in module.fields else {}
        if name != _USERS:
            return await self._by_label(module, texts)
        found = dict(await self._by_field(module, "user_name", texts))
        others = {key: text for key, text in texts.items() if key not in found}
        return {**(await self._by_label(module, others)), **found} if others else found

    async def _self(self, texts: Mapping[str, str]) -> dict[str, list[Record]]:
        me = await self._pages.me()
        names = {folded(me.user_name), folded(f"{me.first_name} {me.last_name}".strip())}
        return {key: [me] for key in texts if key in names}

    async def _by_field(
        self, module: Module, field: str, texts: Mapping[str, str]
    ) -> Mapping[str, list[Record]]:
        lookup = self._lookup(module, (field,))
        found = await lookup.find([(text,) for text in texts.values()])
        by_text: dict[str, list[Record]] = {}
        for key, text in texts.items():
            some = [one for one in found.get(lookup.key_of((text,)), ()) if _is_active(one)]
            if some:
                by_text[key] = some
        return by_text

    async def _by_label(
        self, module: Module, texts: Mapping[str, str]
    ) -> Mapping[str, list[Record]]:
        fields = module.label_fields
        if len(fields) == 1:
            return await self._by_field(module, fields[0], texts)
        if len(fields) != _TWO:
            raise MappingError(
                f"{module.name}: its label has {len(fields)} parts, so a text cannot be looked for "
                "by it: name one field in the column's `by`"
            )
        # Where the first name ends and the last name begins, the text does not say.
        words = {key: text.split() for key, text in texts.items()}
        pairs = [
            (" ".join(parts[:end]), " ".join(parts[end:]))
            for parts in words.values()
            for end in range(1, len(parts))
        ]
        records = await self._found(module, fields, pairs)
        for name, other in (fields, fields[::-1]):
            if not _is_wanted(module, other):
                wholes = [(" ".join(parts),) for parts in words.values()]
                records += await self._found(module, (name,), wholes, fields)
        found: defaultdict[str, list[Record]] = defaultdict(list[Record])
        by_words = {folded(" ".join(parts)): key for key, parts in words.items()}
        for record in filter(_is_active, records):
            parts = [str(record.fields.get(name) or "").split() for name in fields]
            key = by_words.get(folded(" ".join(word for part in parts for word in part)))
            if key is not None:
                found[key].append(record)
        return found

    async def _found(
        self,
        module: Module,
        key: tuple[str, ...],
        values: Sequence[tuple[str, ...]],
        fields: Sequence[str] = (),
    ) -> list[Record]:
        found = await self._lookup(module, key, fields).find(values)
        return [record for records in found.values() for record in records]

    def _lookup(self, module: Module, key: tuple[str, ...], fields: Sequence[str] = ()) -> Lookup:
        wanted = (
            (*fields, "status") if module.name == _USERS and "status" in module.fields else fields
        )
        return Lookup(self._crm, module, key, wanted, pages=self._pages)


def _origin(pending: Pending) -> str:
    """Return where a text comes from, for a message."""
    return f"column {pending.column!r}" if pending.column else f"the constant for {pending.field}"


def _is_active(record: Record) -> bool:
    return record.module != _USERS or record.fields.get("status") != "Inactive"


def _is_wanted(module: Module, name: str) -> bool:
    known: Any = module.fields.get(name)
    return known is not None and known.mandatory
