"""From the input to drafts: rows are read, converted, resolved, checked, and get their key."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any, Final

from attrs import define, field

from vtiger_async.bulk.convert import Converted
from vtiger_async.bulk.drafts import Draft
from vtiger_async.bulk.keys import folded
from vtiger_async.bulk.lines import add_row, has_line_columns, with_lines
from vtiger_async.bulk.matching import LINES
from vtiger_async.bulk.preparing import Prepared
from vtiger_async.bulk.resolving import Resolver
from vtiger_async.bulk.rows import Row
from vtiger_async.errors import InvalidArgumentError
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue
from vtiger_async.values import is_sendable
from vtiger_async.wire.encode import encode_element

__all__ = ["Drafts", "created_fields"]

_AT_A_TIME: Final = 1000
"""Drafts whose references are looked up together."""


@define(eq=False)
class Drafts:
    """Gives the drafts of one load, in the order of the input.

    Attributes:
        prepared: The load.
        resolver: Resolves references.
        job: The job's name, for marks.
        turn: The turn for records that are created since they are missing.
        read: Rows that were read so far.
    """

    prepared: Prepared
    resolver: Resolver
    job: str
    turn: int
    read: int = field(default=0, init=False)
    _ready: deque[Draft] = field(factory=deque[Draft], init=False)
    _rows: AsyncIterator[tuple[int, Row]] | None = field(default=None, init=False)
    _open: tuple[object, Draft] | None = field(default=None, init=False)
    _is_over: bool = field(default=False, init=False)

    async def take(self, most: int) -> list[Draft]:
        """Return the next drafts, at most so many; none at the end of the input."""
        if not self._ready and not self._is_over:
            drafts = await self._converted()
            await self.resolver.resolve(self.prepared, drafts, self.turn)
            for draft in drafts:
                self._finish(draft)
            self._ready.extend(drafts)
        return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    async def _converted(self) -> list[Draft]:
        if self._rows is None:
            self._rows = aiter(self.prepared.rows)
        drafts: list[Draft] = []
        are_lines = has_line_columns(self.prepared.mapping)
        while len(drafts) < _AT_A_TIME:
            item = await anext(self._rows, None)
            if item is None:
                self._is_over = True
                break
            self.read += 1
            number, row = item
            converted = _sendable(self.prepared.converter.convert(row))
            if are_lines:
                self._add_line(number, row, converted, drafts)
            else:
                drafts.append(Draft.of(number, row, converted))
        if self._is_over and self._open is not None:
            drafts.append(self._open[1])
            self._open = None
        return drafts

    def _add_line(self, number: int, row: Row, converted: Converted, drafts: list[Draft]) -> None:
        """Add a row to the document that is open, or open another one."""
        same = _identity(self.prepared.load.key, converted)
        if self._open is not None and same is not None and self._open[0] == same:
            draft = self._open[1]
            lines: Any = draft.fields.get(LINES) or ()
            add_row(draft, number, row, with_lines(converted, len(lines)))
            return
        if self._open is not None:
            drafts.append(self._open[1])
        self._open = same, Draft.of(number, row, with_lines(converted, 0))

    def _finish(self, draft: Draft) -> None:
        """Check a draft, and give it its key."""
        prepared = self.prepared
        load = prepared.load
        if load.mark is not None:
            draft.fields[load.mark] = f"{self.job}:{prepared.index}:{draft.row}"
            draft.key = folded(str(draft.fields[load.mark]))
        if load.mode != "delete":
            self._check(draft)
        if prepared.lookup is None or draft.problems:
            return
        try:
            texts = _key_texts(prepared.module.name, load.key, draft)
        except InvalidArgumentError as error:
            draft.problems.append(Problem(load.key[0], None, error.message))
            return
        if not any(text.strip() for text in texts):
            name = load.key[0]
            draft.problems.append(Problem(name, None, "the key is empty", "give it a value"))
        else:
            draft.key = prepared.lookup.key_of(texts)
            draft.values = None if draft.waits.keys() & set(load.key) else texts

    def _check(self, draft: Draft) -> None:
        """Find what is wrong with a draft as a new record, and as a change of one."""
        prepared = self.prepared
        load, converter = prepared.load, prepared.converter
        waiting = [one for one in draft.pending if one.field in (draft.waits | draft.later)]
        converted = Converted(draft.fields, tuple(waiting), tuple(draft.problems))
        too_late = list(_too_late(draft, load.key))
        of_create: list[Problem] | None = None
        if load.mode in ("create", "upsert") and load.key != ("id",):
            fields = created_fields(prepared, draft)
            of_create = converter.check(fields, "create", prepared.known, converted)
            if draft.later:
                of_create += too_late or _too_late(draft, prepared.module.mandatory_fields)
            clears = any(value is None for value in draft.fields.values())
            if load.mode == "create" or (not of_create and not clears):
                draft.problems = of_create
                return
        of_revise = converter.check(draft.fields, "revise", prepared.known, converted) + too_late
        if of_create is None or (of_create and of_revise):
            draft.problems = of_create or of_revise
        else:
            draft.problems = []
            draft.problems_of_create, draft.problems_of_revise = of_create, of_revise


def created_fields(prepared: Prepared, draft: Draft) -> dict[str, FieldValue]:
    """Return the fields of a draft that becomes a new record: nothing is cleared there."""
    given = {name: value for name, value in draft.fields.items() if value is not None}
    given.pop("id", None)
    return {**prepared.owner, **given}


def _sendable(converted: Converted) -> Converted:
    """Turn references that cannot even be asked for into problems."""
    unsendable = [one for one in converted.pending if not is_sendable(one.text)]
    if not unsendable:
        return converted
    reason = "the text holds a lone surrogate, which UTF-8 cannot carry"
    problems = [Problem(one.field, one.text, reason) for one in unsendable]
    pending = tuple(one for one in converted.pending if one not in unsendable)
    return Converted(converted.fields, pending, (*converted.problems, *problems))


def _too_late(draft: Draft, names: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with references that cannot be given in a second pass."""
    for name in draft.later:
        if name in names or name.startswith(f"{LINES}["):
            reason = "the record is made by this job, but not before this row"
            yield Problem(name, None, reason, "put that row into a load before")


def _identity(key: tuple[str, ...], converted: Converted) -> tuple[object, ...] | None:
    """Return what tells documents apart before their references are known; None if nothing."""
    texts = {one.field: one.text for one in converted.pending}
    values = tuple(texts.get(name, converted.fields.get(name)) for name in key)
    return values if any(value is not None for value in values) else None


def _key_texts(module: str, key: tuple[str, ...], draft: Draft) -> tuple[str, ...]:
    """Return the key's values as they are sent; a stand-in for a record that is not there yet."""
    element = encode_element(module, {name: draft.fields.get(name) for name in key})
    waits = {name: f"@{load}:{parent}" for name, (load, parent) in draft.waits.items()}
    return tuple(
        str(waits.get(name, value if value is not None else "")) for name, value in element.items()
    )
