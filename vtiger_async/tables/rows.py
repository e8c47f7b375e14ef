"""From a record to the row of its table; made once for a table, since records are many."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from vtiger_async.errors import InvalidResponseError, VtigerError
from vtiger_async.models.inventory import sent_lines
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record, is_secret
from vtiger_async.models.typed import scalar_as_text
from vtiger_async.tables.cells import Reader, reader_of
from vtiger_async.tables.describing import OF_RETRIEVE, OWN, is_of_a_line
from vtiger_async.tables.schema import Cell, Row, Table
from vtiger_async.types import LINE_MODULES, RecordId, is_list, is_map
from vtiger_async.values import is_sendable

__all__ = ["RowMaker", "as_listed"]

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
_EMPTY: Final = (None, "", "0000-00-00", "0000-00-00 00:00:00")
_WITH_LINES: Final = frozenset(
    ("LineItems", "LineItems_FinalDetails", "image", "margin", "purchase_cost")
)
"""What comes with line items: their own table has it, or (the final details) it is worked out."""
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def as_listed(whole: Record, listed: Record) -> Record:
    """Return a retrieved record with the values that a query or a sync has for it.

    Retrieve escapes some text that they do not (measured on Vtiger 8.4). Where the record was
    changed between the two, it is left as it is: the changes that follow tell of it.

    Args:
        whole: What `retrieve` returned.
        listed: The same record by a query or a sync.
    """
    if whole.get("modifiedtime") != listed.get("modifiedtime"):
        return whole
    fields = {name: listed.fields.get(name, value) for name, value in whole.fields.items()}
    return Record(fields, whole.module)


class RowMaker:
    """Makes rows of records.

    Args:
        table: The table of the module: as `table_of` gives it now or gave it earlier, or a
            selection of fields.
        module: What `describe` says now; fields that the table has not stand in `_extra`.
        lines: The table of the module's line items, for `lines_of`.
    """

    def __init__(self, table: Table, module: Module, lines: Table | None = None) -> None:
        self._cells = _Cells(table)
        self._number, self._hash = _place(table, "_number"), _place(table, "_hash")
        self._described = frozenset(module.fields) - self._cells.known
        self._placed = self._cells.known.union(_left_out(module))
        self._is_document = module.name in LINE_MODULES
        self._of_users = module.name == "Users"
        self._lines = None if lines is None else _Cells(lines)

    def row_of(self, record: Record | Mapping[str, Any]) -> tuple[Row, tuple[str, ...]]:
        """Return the row of a record, and the names of the fields whose value could not be read.

        `_hash` is the same for the same values, in whatever order and by whichever operation they
        come: of the described fields, without those that only retrieve tells, and with null, "" and
        a date of zeros taken for the same. In a text that stores cannot hold, with NUL or a lone
        surrogate, U+FFFD stands for these, and in `_extra` is the text as JSON writes it.

        Raises:
            InvalidIdError: The record has no id.
        """
        fields: Mapping[str, Any] = record.fields if isinstance(record, Record) else record
        cells, said, unread = self._cells.of(fields)
        extra: dict[str, Any] = {}
        if not fields.keys() <= self._placed:
            extra = self._rest(fields, fields.keys() - self._placed, said)
        self._cells.finish(cells, said, unread, fields, extra)
        if self._number >= 0:
            cells[self._number] = RecordId(fields.get("id")).number
        if self._hash >= 0:
            cells[self._hash] = self._hash_of(said)
        return tuple(cells), tuple(unread)

    def lines_of(self, record: Record | Mapping[str, Any]) -> tuple[Row, ...]:
        """Return the rows of a record's line items, in their order.

        Raises:
            InvalidArgumentError: The record came without them: only retrieve has them.
            InvalidResponseError: They cannot be read.
        """
        fields: Mapping[str, Any] = record.fields if isinstance(record, Record) else record
        if self._lines is None:
            return ()
        rows: list[Row] = []
        for position, line in enumerate(sent_lines(fields), 1):
            if not is_map(line):
                raise InvalidResponseError(
                    f"a line item was expected, and the server sent {type(line).__name__}"
                )
            placed = {**line, "parent_id": fields.get("id"), "position": position}
            cells, said, unread = self._lines.of(placed)
            rest = placed.keys() - self._lines.known
            extra = {name: placed[name] for name in sorted(rest) if placed[name] not in _EMPTY}
            self._lines.finish(cells, said, unread, placed, extra)
            rows.append(tuple(cells))
        return tuple(rows)

    def _rest(
        self, fields: Mapping[str, Any], names: Iterable[str], said: list[str]
    ) -> dict[str, Any]:
        """Return what has no column; what of it is described counts for the hash."""
        extra: dict[str, Any] = {}
        for name in sorted(names):
            value = fields[name]
            if value in _EMPTY or (self._of_users and is_secret(name)):
                continue
            extra[name] = value
            if name in self._described:
                said += (name, value if type(value) is str else _said(value))
        return extra

    def _hash_of(self, said: list[str]) -> str:
        if self._is_document:
            pairs = zip(said[::2], said[1::2], strict=True)
            said = [text for pair in pairs if not pair[0].startswith(OF_RETRIEVE) for text in pair]
        text = ",".join(map(encode_basestring_ascii, said))
        if self._is_document:
            # Retrieve escapes a text with <script>, and nothing else does (measured on 8.4).
            text = text.replace("&lt;", "<").replace("&gt;", ">")
        return blake2b(text.encode(), digest_size=16).hexdigest()


class _Cells:
    """Makes the cells of a table's fields.

    Attributes:
        known: The names of the fields that have a column.
    """

    def __init__(self, table: Table) -> None:
        own = {column.name for column in OWN}
        self._blank: list[Cell] = [None] * len(table.columns)
        self._extra = _place(table, "_extra")
        fields: list[tuple[str, int, Reader | None]] = []
        for place, column in enumerate(table.columns):
            if column.name not in own:
                reader = None if column.kind == "text" else reader_of(column.kind)
                fields.append((column.name, place, reader))
        # One order, whatever that of the description: the hash goes by it.
        self._fields = sorted(fields, key=lambda known: known[0])
        self.known = frozenset(name for name, _, _ in fields)

    def of(self, fields: Mapping[str, Any]) -> tuple[list[Cell], list[str], list[str]]:
        """Return a record's cells, what was said (name and text in turn), and what is unread."""
        cells = self._blank.copy()
        said: list[str] = []
        unread: list[str] = []
        get, say = fields.get, said.append
        for name, place, read in self._fields:
            value = get(name)
            if value is None or value == "":
                continue
            if read is None and type(value) is str:
                cells[place] = value
            else:
                try:
                    cell = scalar_as_text(value) if read is None else read(value)
                except (TypeError, ValueError, VtigerError):
                    unread.append(name)
                else:
                    if cell is None:
                        continue  # another form of empty
                    cells[place] = cell
            say(name)
            say(value if type(value) is str else _said(value))
        return cells, said, unread

    def finish(
        self,
        cells: list[Cell],
        said: list[str],
        unread: list[str],
        fields: Mapping[str, Any],
        extra: dict[str, Any],
    ) -> None:
        """Put aside what no store can hold, and fill the cell of what has no other place."""
        # One look at all the texts together: each on its own would cost as much as all the rest.
        together = "".join(said)
        if "\x00" in together or not is_sendable(together):
            for name, place, _ in self._fields:
                cell = cells[place]
                cells[place] = _storable(cell, _replaced)
                if cell != cells[place]:
                    unread.append(name)
        for name in unread:
            extra[name] = fields[name]
        if extra and self._extra >= 0:
            cells[self._extra] = _storable(extra, _canonical)


def _place(table: Table, name: str) -> int:
    places = [place for place, column in enumerate(table.columns) if column.name == name]
    return places[0] if places else -1


def _left_out(module: Module) -> Iterable[str]:
    """Yield the names of what a record may hold and no row does."""
    for name, field in module.fields.items():
        if field.type.name == "password" or is_of_a_line(name, module.name):
            yield name
    if module.name in LINE_MODULES:
        yield from _WITH_LINES


def _said(value: Any) -> str:
    try:
        return scalar_as_text(value)
    except TypeError:
        return _canonical(value)


def _storable(value: Any, mend: Callable[[str], str]) -> Any:
    """Return a value in which each text that stores cannot hold is mended."""
    if isinstance(value, str):
        return value if "\x00" not in value and is_sendable(value) else mend(value)
    if is_list(value):
        return [_storable(item, mend) for item in value]
    if is_map(value):
        return {_storable(name, mend): _storable(item, mend) for name, item in value.items()}
    return value


def _replaced(text: str) -> str:
    """Return a text without NUL and lone surrogates: with U+FFFD in their place."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
