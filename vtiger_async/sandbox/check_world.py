"""What must have been there before a recording: the records that its answers speak of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from attrs import define, field

from vtiger_async.sandbox.check_compare import Exchange, Prefixes, mapped
from vtiger_async.sandbox.check_replay import Replay
from vtiger_async.sandbox.schema import LINE_ITEM, SCHEMA, Module
from vtiger_async.sandbox.schema_relations import RELATIONS
from vtiger_async.sandbox.store import DELETED
from vtiger_async.sandbox.syncing import stamp
from vtiger_async.types import is_list, is_map, whole_number

__all__ = ["World", "prefixes_of"]

Told: TypeAlias = dict[str, Any]

_ID = re.compile(r"(\d{1,10})x([1-9]\d{0,17})")
_FROM = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
_COUNT = re.compile(r"\s*select\s+count\(\*\)\s+from\s+(\w+)\s*;\s*", re.IGNORECASE)
_EQUAL = re.compile(r"(\w+)\s*=\s*'((?:[^'\\]|'')+)'")
_MAKES = ("create", "convertlead")
_RELATED = ("retrieve_related", "query_related")
_PADDING = 5_000_000
"""The number from which records are counted up that were only counted in the recording."""


def prefixes_of(exchanges: Iterable[Exchange]) -> dict[int, str]:
    """Return the modules by the prefixes of their ids, as descriptions and records tell them."""
    described: dict[int, str] = {}
    seen: dict[int, str] = {}
    for exchange in exchanges:
        result = _result(exchange)
        if is_map(result) and str(result.get("idPrefix", "")).isdecimal():
            described[int(result["idPrefix"])] = str(result.get("name"))
        module = _module_asked(exchange)
        if exchange["operation"] == "me":
            module = "Users"
        for record in _rows(exchange, result):
            found = _ID.fullmatch(str(record.get("id")))
            if found and module and module != "Calendar":  # which answers with Events, too
                seen.setdefault(int(found[1]), module)
    return seen | described


def _rows(exchange: Exchange, result: Any) -> Iterator[Told]:
    """Yield the records of the module that was asked for."""
    if exchange["operation"] in _RELATED:
        return
    if is_map(result) and exchange["operation"] == "sync":
        result = result.get("updated")
    for record in result if is_list(result) else [result]:
        if is_map(record):
            yield record


def _result(exchange: Exchange) -> Any:
    body = exchange["response"]["body"]
    return body.get("result") if is_map(body) else None


def _module_asked(exchange: Exchange) -> str | None:
    params = exchange["request"]["params"]
    found = _FROM.search(str(params.get("query", "")))
    return params.get("elementType") or (found[1] if found else None)


@define
class World:
    """The records that a recording needs, and what it tells of them.

    Attributes:
        known: By recorded id, the first that an answer tells of each field.
        made: Numbers of records that the recording itself makes.
        gone: Ids that a sync told as deleted, with the time of that.
    """

    known: dict[str, Told] = field(factory=dict[str, Told])
    made: set[str] = field(factory=set[str])
    gone: dict[str, str] = field(factory=dict[str, str])

    @classmethod
    def of(cls, exchanges: Iterable[Exchange]) -> World:
        """Return the world that some exchanges imply."""
        world = cls()
        removed: set[str] = set()
        for exchange in exchanges:
            if exchange["response"]["status"] != 200:
                continue
            result = _result(exchange)
            if exchange["operation"] in _MAKES:
                new = (i for i in _ids_of(result) if i not in world.known)
                world.made.update(record_id.partition("x")[2] for record_id in new)
            if exchange["operation"] == "delete":
                removed.add(str(exchange["request"]["params"].get("id")))
            world._learn(exchange, result)
            if exchange["operation"] == "sync" and is_map(result):
                world._learn_deleted(result, removed)
        return world

    def _learn_deleted(self, page: Told, removed: set[str]) -> None:
        """Note what a page of a sync tells as deleted, unless the recording itself did that."""
        told: Any = page.get("deleted")
        when = stamp(float(whole_number(page.get("lastModifiedTime")) or 0))
        for record_id in told if is_list(told) else ():
            if str(record_id) not in removed:
                self.gone.setdefault(str(record_id), when)

    def _learn(self, exchange: Exchange, result: Any) -> None:
        self._collect(result)
        params = exchange["request"]["params"]
        # What was asked for by equality and found, has that value.
        query = str(params.get("query", ""))
        if is_list(result) and " or " not in query.lower():
            for record in result:
                told = self.known.get(record.get("id", "")) if is_map(record) else None
                if told is not None:
                    for name, value in _EQUAL.findall(query):
                        told.setdefault(name, value.replace("''", "'"))
        if exchange["operation"] in (*_MAKES, "update", "revise", "retrieve", *_RELATED):
            spoken = [params.get("element"), params.get("id"), result]
            for record_id in _ids_of(spoken):
                self.known.setdefault(record_id, {})

    def _collect(self, value: Any) -> None:
        if is_list(value):
            for item in value:
                self._collect(item)
        elif is_map(value):
            if isinstance(value.get("id"), str) and _ID.fullmatch(value["id"]):
                told = self.known.setdefault(value["id"], {})
                for name, item in value.items():
                    if item not in ("", None) and not is_map(item):
                        told.setdefault(name, item)
            for item in value.values():
                self._collect(item)

    def plant(self, replay: Replay, exchanges: Iterable[Exchange]) -> None:
        """Store what was there before the first exchange, and what relates to what."""
        store = replay.sandbox.engine.store
        for record_id, told in self.known.items():
            if record_id.partition("x")[2] in self.made:
                continue
            module, number = _place(record_id, replay.prefixes)
            if module is None:
                continue
            values = {name: v for name, v in told.items() if isinstance(v, str)}
            if store.state(module, number) is not None:
                own = {name: v for name, v in values.items() if name in module.columns}
                if own:
                    store.change(module, number, mapped(own, replay.prefixes))
            elif module.is_entity and module.name != "Users":
                replay.plant(module, number, values)
                if record_id in self.gone:
                    _delete(replay, module, number, self.gone[record_id])
                _plant_lines(replay, record_id, told.get("LineItems"))
                _plant_images(replay, module.record_id(number), told)
        for record_id in self.gone.keys() - self.known.keys():
            module, number = _place(record_id, replay.prefixes)
            if module is not None and module.is_entity:
                replay.plant(module, number, {})
                _delete(replay, module, number, self.gone[record_id])
        store.reload()
        for exchange in exchanges:
            if exchange["operation"] in _RELATED:
                self._relate(replay, exchange)

    def _relate(self, replay: Replay, exchange: Exchange) -> None:
        params, result = exchange["request"]["params"], _result(exchange)
        source, number = _place(str(params.get("id")), replay.prefixes)
        if source is None or not is_list(result):
            return
        label = params.get("relatedLabel")
        relation = next((r for r in RELATIONS.get(source.name, ()) if r.label == label), None)
        for record in result if relation else ():
            module, other = _place(str(record.get("id")), replay.prefixes)
            if module is None or relation is None or module.name != relation.module:
                continue
            store = replay.sandbox.engine.store
            if relation.field:
                store.change(module, other, {relation.field: source.record_id(number)})
            else:
                store.run("INSERT OR IGNORE INTO pairs VALUES (?, ?)", (number, other))

    def before(self, replay: Replay, exchange: Exchange) -> None:
        """Store as many records as are counted in an answer, where fewer are known."""
        found = _COUNT.fullmatch(str(exchange["request"]["params"].get("query", "")))
        result = _result(exchange)
        module = SCHEMA.modules.get(found[1]) if found else None
        if module is None or not module.is_entity or not is_list(result) or len(result) != 1:
            return
        count = str(result[0].get("count", "")) if is_map(result[0]) else ""
        store = replay.sandbox.engine.store
        sql = f"SELECT count(*) FROM {module.name} WHERE row_state = 0"  # noqa: S608 - a name of the schema
        wanted = int(count) if count.isdecimal() else 0
        for number in range(min(wanted - store.rows(sql)[0][0], 200_000)):
            replay.plant(module, _PADDING * module.prefix + number, {})


def _ids_of(value: Any) -> Iterator[str]:
    """Yield every id that stands in a value, alone or in a text."""
    if is_map(value):
        for item in value.values():
            yield from _ids_of(item)
    elif is_list(value):
        for item in value:
            yield from _ids_of(item)
    elif isinstance(value, str) and len(value) < 100 and _ID.fullmatch(value):
        yield value


def _place(record_id: str, prefixes: Prefixes) -> tuple[Module | None, int]:
    """Return the sandbox's module of a recorded id, and the record's number."""
    found = _ID.fullmatch(record_id)
    if found is None:
        return None, 0
    module = SCHEMA.modules.get(prefixes.get(int(found[1]), ""))
    return module, int(found[2])


def _delete(replay: Replay, module: Module, number: int, when: str) -> None:
    store = replay.sandbox.engine.store
    store.change(module, number, {"modifiedtime": when})
    sql = f"UPDATE {module.name} SET row_state = {DELETED} WHERE n = ?"  # noqa: S608 - a name of the schema
    store.run(sql, (number,))


def _plant_lines(replay: Replay, record_id: str, lines: Any) -> None:
    module = SCHEMA.modules[LINE_ITEM]
    for line in lines if is_list(lines) else ():
        if is_map(line):
            number = replay.sandbox.engine.store.next_number(module)
            told = {name: str(item) for name, item in line.items() if item is not None}
            replay.plant(module, number, told | {"parent_id": record_id})


def _plant_images(replay: Replay, parent: str, told: Told) -> None:
    """Store the images of a record, of which answers tell the ids and no content."""
    for record_id in str(told.get("imageattachmentids", "")).split(","):
        found = _ID.fullmatch(record_id)
        if found is not None:
            values = (int(found[2]), parent, str(told.get("imagename", "")), "image/png", b"")
            replay.sandbox.engine.store.run(
                "INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?)", values
            )
