"""Keys: how the server compares them, and which records have them, a hundred keys a call.

Facts built on (measured on Vtiger 8.4): text compares without case, accents and trailing spaces;
entities of HTML are decoded before a text is stored; null equals nothing; of an id that is compared
the server looks at the number alone.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Final

from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.packing import packed
from vtiger_async.bulk.pages import PAGE, Pages
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.types import ID_FORM, LINE_MODULES
from vtiger_async.values import NUMBER_FORM, is_sendable
from vtiger_async.vtql import F, select
from vtiger_async.vtql.lexemes import quote
from vtiger_async.vtql.normal import URL_BYTES, encoded_length
from vtiger_async.vtql.tree import AllOf, AnyOf, Expression

__all__ = ["Lookup", "folded", "folded_key"]

_SEPARATOR: Final = "\x1f"
"""Between the values of a key of several fields: the unit separator, which no cell holds."""
_SHARP_S: Final = "\u00df"
_SHARED: Final = frozenset({"Calendar", "Events"})
"""Modules whose records are told under each other's name (measured on Vtiger 8.4)."""
_AT_A_TIME: Final = 10 * PAGE
"""Keys that are packed together: ten calls' worth."""
_BOUNDS: Final = 200
"""Bytes that paging adds to a statement: `AND id > '...' ORDER BY id LIMIT 100`."""
_MOST_NAMES: Final = 1500
"""Bytes of field names in a URL above which all fields are asked for instead."""

_Asked = dict[str, tuple[str, ...]]
"""What is asked for: texts by key."""


def folded(text: str) -> str:
    """Return the text as Vtiger compares it: without case, accents and trailing spaces.

    Entities of HTML are decoded, as they are before a text is stored. A sharp s stays one: it is
    not found by a double s. Measured on Vtiger 8.4.
    """
    if "&" in text:
        text = html.unescape(text)
    if text.isascii():
        return text.lower().rstrip(" ")
    split = unicodedata.normalize("NFKD", text.replace("\u1e9e", _SHARP_S))
    bare = "".join(c for c in split if not unicodedata.combining(c))
    return _SHARP_S.join(part.casefold() for part in bare.split(_SHARP_S)).rstrip(" ")


def folded_key(values: Sequence[str]) -> str:
    """Return the texts of a key as one, folded."""
    return _SEPARATOR.join(map(folded, values))


def _number(text: str) -> str:
    if NUMBER_FORM.fullmatch(text.strip()) is None:
        return folded(text)
    number = Decimal(text.strip())
    return format(number.normalize(), "f") if number else "0"


def _boolean(text: str) -> str:
    return "1" if text in ("1", "on") else "0"


def _id(text: str) -> str:
    return "" if text.endswith("x0") else text


_CANONICAL: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys(("integer", "double", "currency", "percentage"), _number),
    **dict.fromkeys(("id", "reference", "owner"), _id),
    "boolean": _boolean,
}
"""How values of a type are compared, where it is not as text."""


class Lookup:
    """Finds the records of a module by a key, a hundred keys a call.

    Where one page is proven to be all, a hundred keys cost one call: where the key is the id, or a
    field that the module keeps unique, or the user is an administrator and less than a hundred
    records have the keys. Elsewhere each statement is read to its proven end.

    Args:
        crm: The client.
        module: The module's description.
        key: The names of the key's fields; `("id",)` is the record's id.
        fields: What is read besides the id and the key.
        pages: What reads, where several lookups share the count and what is known of the user.
    """

    def __init__(
        self,
        crm: Crm,
        module: Module,
        key: tuple[str, ...],
        fields: Sequence[str] = (),
        *,
        pages: Pages | None = None,
    ) -> None:
        self.module = module
        self.key = key
        self._pages = pages or Pages(crm)
        self._kinds = tuple(_kind(module, name) for name in key)
        self._as_compared = tuple(_CANONICAL.get(kind, folded) for kind in self._kinds)
        self._is_plain = all(one is folded for one in self._as_compared)
        names = tuple(dict.fromkeys(("id", *key, *fields)))
        is_wide = encoded_length(", ".join(names)) > _MOST_NAMES
        # All fields of a document come joined with its lines.
        self._select = select(
            module.name, *(() if is_wide and module.name not in LINE_MODULES else names)
        )
        known = module.fields.get(key[0])
        is_kept = known is not None and known.unique and module.allow_duplicates is False
        is_one = len(key) == 1 and module.name not in LINE_MODULES
        self._is_unique = is_one and (key[0] == "id" or is_kept)

    @property
    def calls(self) -> int:
        """Calls that were made; see `Pages.calls`."""
        return self._pages.calls

    def key_of(self, values: Sequence[str]) -> str:
        """Return a key as it is compared: `folded_key`, but numbers and ids by what they mean."""
        if self._is_plain:
            return folded_key(values)
        pairs = zip(self._as_compared, values, strict=True)
        return _SEPARATOR.join(as_compared(value) for as_compared, value in pairs)

    def key_of_record(self, record: Record) -> str:
        """Return the key of a record, as `key_of` does."""
        texts = (record.fields.get(name) for name in self.key)
        return self.key_of(["" if text is None else str(text) for text in texts])

    async def find(self, values: Sequence[tuple[str, ...]]) -> dict[str, list[Record]]:
        """Return the records that have the keys.

        A record whose text the server takes for a key, though it is not folded to it here, is
        looked for with single keys until the one is found that it has.

        Args:
            values: The keys as texts, any number of them; for each field of the key one.

        Returns:
            Records by `key_of` (by `folded_key` too, where that differs), sorted by id. A key that
            no record has is absent, as is what cannot be a key: nothing but empty texts, or what
            is no id of the module where an id is wanted.
        """
        asked: _Asked = {}
        for one in values:
            if self._can_be(one):
                asked.setdefault(self.key_of(one), tuple(map(html.unescape, one)))
        keys = list(asked)
        found: dict[str, list[Record]] = {}
        for begin in range(0, len(keys), _AT_A_TIME):
            for batch in self._packed(keys[begin : begin + _AT_A_TIME], asked):
                found |= await self._found({key: asked[key] for key in batch})
        if not self._is_plain:
            for one in values:
                key = self.key_of(one)
                if key in found:
                    found.setdefault(folded_key(one), found[key])
        return found

    def _can_be(self, values: tuple[str, ...]) -> bool:
        if not any(value.strip(" ") for value in values) or not all(map(is_sendable, values)):
            return False
        prefix = "" if self.module.name in _SHARED else f"{self.module.id_prefix}x"
        for kind, value in zip(self._kinds, values, strict=True):
            if kind == "id" and not value.startswith(prefix):
                return False
            if kind in ("id", "reference", "owner") and value and not ID_FORM.fullmatch(value):
                return False
        return True

    def _packed(self, keys: list[str], asked: _Asked) -> list[list[str]]:
        def cost(key: str) -> int:
            return sum(encoded_length(f"{quote(text)}, ") for text in asked[key])

        with_one = self._select.where(self._condition([asked[keys[0]]])).order_by("id").limit(PAGE)
        room = URL_BYTES - _BOUNDS - encoded_length(str(with_one)) + cost(keys[0])
        return packed(keys, cost, PAGE, max(room, PAGE))

    def _condition(self, batch: Sequence[tuple[str, ...]]) -> Expression:
        """Return one IN for each field: it holds also for what mixes the fields of two keys."""
        parts = [
            F[name].in_(column)
            for name, column in zip(self.key, zip(*batch, strict=True), strict=True)
        ]
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _exact_condition(self, batch: Sequence[tuple[str, ...]]) -> Expression:
        """Return an OR of ANDs. Null equals nothing: what is empty is compared here alone."""
        alternatives: list[Expression] = []
        for values in batch:
            pairs = zip(self.key, values, strict=True)
            parts = tuple(F[name] == value for name, value in pairs if value.strip(" "))
            alternatives.append(parts[0] if len(parts) == 1 else AllOf(parts))
        return alternatives[0] if len(alternatives) == 1 else AnyOf(tuple(alternatives))

    async def _read(self, batch: Sequence[tuple[str, ...]]) -> list[Record]:
        """Return the records with the keys, and maybe some that mix two of them."""
        if len(self.key) > 1:
            if all(all(value.strip(" ") for value in values) for values in batch):
                page = await self._pages.one_if_all(self._select.where(self._condition(batch)))
                if page is not None:
                    return page
            return await self._pages.all(self._select.where(self._exact_condition(batch)))
        statement = self._select.where(self._condition(batch))
        if self._is_unique:
            page = await self._pages.one(statement)
            # A full page proves a key that is not unique after all, unless each key is there.
            if len(page) < PAGE or len({self.key_of_record(one) for one in page}) == len(page):
                return page
        return await self._pages.all(statement)

    async def _found(self, asked: _Asked) -> dict[str, list[Record]]:
        found: dict[str, dict[str, Record]] = {}
        strays: list[Record] = []
        columns = [
            set(column) for column in zip(*(key.split(_SEPARATOR) for key in asked), strict=True)
        ]
        for record in await self._read(list(asked.values())):
            key = self.key_of_record(record)
            if key in asked:
                found.setdefault(key, {})[str(record.id)] = record
            elif any(a not in b for a, b in zip(key.split(_SEPARATOR), columns, strict=True)):
                strays.append(record)
        for stray in strays:
            owner = await self._key_of_stray(stray, asked, columns)
            if owner is not None:
                found.setdefault(owner, {})[str(stray.id)] = stray
        return {key: _sorted(records.values()) for key, records in found.items()}

    async def _key_of_stray(
        self, stray: Record, asked: _Asked, columns: Sequence[set[str]]
    ) -> str | None:
        """Return the key that the server takes a record to have; the most similar is asked first.

        None where it differs in an id or a number: there the server looks at a part alone.
        """
        own = self.key_of_record(stray)
        parts = own.split(_SEPARATOR)
        may_differ = [
            kind == "text" and part not in column
            for kind, part, column in zip(self._kinds, parts, columns, strict=True)
        ]
        near: list[tuple[float, str]] = []
        for key in asked:
            pairs = zip(parts, key.split(_SEPARATOR), may_differ, strict=True)
            if all(a == b or differs for a, b, differs in pairs):
                near.append((SequenceMatcher(None, own, key).ratio(), key))
        for _, key in sorted(near, reverse=True):
            if any(record.id == stray.id for record in await self._read([asked[key]])):
                return key
        return None


def _kind(module: Module, name: str) -> str:
    """Return the type of a key's field if it is not compared as text, else `"text"`."""
    if name == "id":
        return "id"
    known = module.fields.get(name)
    return known.type.name if known is not None and known.type.name in _CANONICAL else "text"


def _sorted(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.id.number)
