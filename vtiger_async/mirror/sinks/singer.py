"""A mirror as Singer messages: `singer:-` for standard output, `singer:///out.jsonl` for a file.

The messages are those of the Singer specification: SCHEMA, RECORD and STATE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from vtiger_async.mirror.batches import Batch
from vtiger_async.mirror.sink import Deletes
from vtiger_async.mirror.sinks.stored import moment
from vtiger_async.mirror.sinks.stream import StreamSink, check_deletes, places_of
from vtiger_async.mirror.states import ModuleState
from vtiger_async.tables.schema import Cell, Kind, Row, Table

__all__ = ["SingerSink", "of_url"]

_TYPES: Final[Mapping[Kind, Mapping[str, Any]]] = {
    "text": {"type": ["null", "string"]},
    "id": {"type": ["null", "string"]},
    "boolean": {"type": ["null", "boolean"]},
    "integer": {"type": ["null", "integer"]},
    "decimal": {"type": ["null", "string"], "format": "singer.decimal"},
    "date": {"type": ["null", "string"], "format": "date"},
    "time": {"type": ["null", "string"], "format": "time"},
    "timestamp": {"type": ["null", "string"], "format": "date-time"},
    "texts": {"type": ["null", "array"], "items": {"type": "string"}},
    "json": {"type": ["null", "object", "array", "string", "number", "boolean"]},
}
_DELETED: Final = "_sdc_deleted_at"
"""The name that Singer targets know for the moment when a record was deleted."""


def of_url(url: str, deletes: Deletes) -> SingerSink:
    """Return the sink of a URL: `singer:-`, `singer:///out.jsonl`, either with `?state=FILE`.

    Raises:
        SinkError: The URL names no place, or `deletes` is `"delete"`.
    """
    check_deletes(deletes)
    target, state = places_of(url)
    return SingerSink(target, state=state)


class SingerSink(StreamSink):
    """Writes Singer messages, for any Singer target to read.

    A module is a stream with the key `id`. Timestamps are in RFC 3339; decimals are strings of the
    format `singer.decimal`, with the digits that were sent. Line items stand in the record, as the
    array `_lines`, since a stream cannot take back lines that it has told. A record that is gone is
    told by `_sdc_deleted_at`. After each batch comes the STATE, of all modules: what a target
    writes out of it, given as `state`, is where the next run begins.
    """

    MARK = b'{"type":"STATE",'

    def states_message(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the message STATE."""
        return {"type": "STATE", "value": value}

    def states_in(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the value of a message STATE."""
        value: Mapping[str, Any] = message["value"]
        return value

    def announcement(self, state: ModuleState) -> Iterable[Mapping[str, Any]]:
        """Return the message SCHEMA of a module."""
        properties = _properties(state.table)
        if state.lines is not None:
            line = {"type": "object", "properties": _properties(state.lines)}
            properties["_lines"] = {"type": ["null", "array"], "items": line}
        yield {
            "type": "SCHEMA",
            "stream": state.table.name,
            "schema": {"type": "object", "properties": properties},
            "key_properties": list(state.table.key),
        }

    def messages(self, batch: Batch) -> Iterable[Mapping[str, Any]]:
        """Return a message RECORD for each record that came or went."""
        table, lines = batch.state.table, batch.state.lines
        for one in batch.upserts:
            record = _record(table, one.row)
            if lines is not None and one.lines is not None:
                record["_lines"] = [_record(lines, line) for line in one.lines]
            yield {"type": "RECORD", "stream": table.name, "record": record}
        for gone in batch.gone:
            at = _rfc3339(moment(gone.at))
            record = {"id": gone.id, _DELETED: at, "_deleted_as": gone.why}
            yield {"type": "RECORD", "stream": table.name, "record": record}


def _properties(table: Table) -> dict[str, Mapping[str, Any]]:
    properties: dict[str, Mapping[str, Any]] = {}
    for column in table.columns:
        name = _DELETED if column.name == "_deleted_at" else column.name
        properties[name] = {"type": "string"} if name == "id" else _TYPES[column.kind]
    return properties


def _record(table: Table, row: Row) -> dict[str, Cell]:
    record: dict[str, Cell] = {}
    for column, cell in zip(table.columns, row, strict=True):
        name = _DELETED if column.name == "_deleted_at" else column.name
        is_moment = column.kind == "timestamp" and cell is not None
        record[name] = _rfc3339(str(cell)) if is_moment else cell
    return record


def _rfc3339(cell: str) -> str:
    return cell.replace(" ", "T") + "Z"
