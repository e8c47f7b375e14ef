"""The operations on relations: relatedtypes, retrieve_related, query_related, add and delete.

Measured on Vtiger 8.4, with what that means for callers: `information` is keyed by label and types
repeat; retrieve_related stops silently at 100; query_related splices its own condition into the
text, so that an OR leaks outside the relation; add_related says "successfull" whatever happened.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

import re

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.calls import Call, fatal_error, id_parts, internal_error, unknown_entity
from vtiger_async.sandbox.dependents import touch
from vtiger_async.sandbox.query import PAGE, page_of
from vtiger_async.sandbox.schema import SCHEMA, Module
from vtiger_async.sandbox.schema_relations import RELATIONS, Relation
from vtiger_async.sandbox.store import LIVE, column

__all__ = ["add_related", "delete_related", "query_related", "related_types", "retrieve_related"]

_FROM = re.compile(r"FROM\s+([^\s]+)", re.IGNORECASE)


def related_types(call: Call) -> object:
    """Answer `relatedtypes`.

    Raises:
        Fault: ACCESS_DENIED for a module that is unknown or hidden. The open source asks for no
            right, and fails with HTTP 500 on what holds no entities (measured).
    """
    name = call.text("elementType")
    module = SCHEMA.modules.get(name)
    if module is None or not call.profile.plain_describe:
        module = call.visible(name, f" for name : {name}")
    elif not module.is_entity:
        raise fatal_error()
    shown = [
        relation
        for relation in RELATIONS.get(module.name, ())
        if call.user.sees(SCHEMA.modules[relation.module])
    ]
    if call.profile.plain_describe:
        return _plain_types(shown)
    information = {
        relation.label: {
            "name": relation.module,
            "label": relation.label,
            "translated_label": SCHEMA.modules[relation.module].label,
            "isEntity": "1",
            "relation_id": relation.number,
            "actions": "add" if relation.field else "add,select",
        }
        for relation in shown
    }
    # An empty map of PHP arrives as a list.
    return {"types": [relation.module for relation in shown], "information": information or []}


def _plain_types(shown: list[Relation]) -> dict[str, object]:
    """Return what the open source tells of relations."""
    listed = [(relation.module, relation.label) for relation in shown]
    information = {label: {"name": name, "label": label, "isEntity": "1"} for name, label in listed}
    return {"types": [name for name, _ in listed], "information": information or []}


def _source(call: Call) -> tuple[Module, int, bool]:
    """Return the record whose relations are asked for, and whether its prefix is its module's.

    An open source asks for no right to it (measured).
    """
    if not call.profile.plain_describe:
        return *call.found(call.text("id"))[:2], True
    module, number = call.module_and_number(call.text("id"))
    if not module.is_entity:
        raise fatal_error()
    if module.name == "Users":
        own = module if call.store.record(module, number) is not None else None
    else:
        own = call.store.living(number)
    if own is None:
        raise denied("Permission to perform the operation is denied for name : ")
    return own, number, own is module


def _relation(call: Call, module: Module, label: str, target: str | None = None) -> Relation:
    for relation in RELATIONS.get(module.name, ()):
        if relation.label == label and target in (None, relation.module):
            if not call.user.sees(SCHEMA.modules[relation.module]):
                break
            return relation
    raise unknown_entity()


def _related_ids(call: Call, module: Module, number: int, relation: Relation) -> list[int]:
    """Return the numbers of the related records, ascending."""
    other = SCHEMA.modules[relation.module]
    if relation.field:
        name = column(relation.field)
        call.store.ensure_index(other, other.fields[relation.field], name)
        sql = f"SELECT n FROM {other.name} WHERE {name} = ? AND row_state = {LIVE} ORDER BY n"
        return [row[0] for row in call.store.rows(sql, (module.record_id(number),))]
    pairs = "SELECT b FROM pairs WHERE a = ? UNION SELECT a FROM pairs WHERE b = ?"
    sql = f"SELECT n FROM {other.name} WHERE n IN ({pairs}) AND row_state = {LIVE} ORDER BY n"
    return [row[0] for row in call.store.rows(sql, (number, number))]


def retrieve_related(call: Call) -> object:
    """Answer `retrieve_related`: at most 100 records, and no word of those beyond.

    Raises:
        Fault: As retrieve; UNKOWN_ENTITY for a wrong label or type.
    """
    module, number, is_own = _source(call)
    relation = _relation(call, module, call.text("relatedLabel"), call.text("relatedType"))
    if not is_own:
        raise fatal_error()
    numbers = _related_ids(call, module, number, relation)[:PAGE]
    return _page(call, f"select * from {relation.module}", "", relation, numbers)


def query_related(call: Call) -> object:
    """Answer `query_related`: a statement without `;`, whose condition follows an upper-case WHERE.

    Raises:
        Fault: As retrieve and query; UNKOWN_ENTITY for a wrong label.
    """
    module, number, is_own = _source(call)
    text = call.text("query")
    asked = _FROM.search(text)
    target = (asked[1] if asked else "") if call.profile.plain_describe else None
    relation = _relation(call, module, call.text("relatedLabel"), target)
    if not is_own:
        raise fatal_error()
    head, where, rest = text.partition("WHERE")
    numbers = _related_ids(call, module, number, relation)
    return _page(call, head, f"AND {rest}" if where else "", relation, numbers)


def _page(
    call: Call, head: str, rest: str, relation: Relation, numbers: list[int]
) -> list[dict[str, object]]:
    """Return the page of a statement between whose parts the relation's condition is put."""
    related = SCHEMA.modules[relation.module]
    ids = ",".join(f"'{related.record_id(number)}'" for number in numbers or [0])
    return page_of(call, f"{head.rstrip()} WHERE id IN ({ids}) {rest};")


def add_related(call: Call) -> object:
    """Answer `add_related`: the same words whether a pair was stored or not.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for what is no id.
    """
    source, target = _pair(call, "sourceRecordId", "relatedRecordId")
    number = id_parts(call.text("sourceRecordId"))[1]
    if call.profile.plain_describe and call.store.living(number) is None:
        raise internal_error()
    label = call.text("relationIdLabel")
    if source is not None and target is not None and call.user.may_write(source[0]):
        for relation in RELATIONS.get(source[0].name, ()):
            if relation.field or relation.module != target[0].name:
                continue
            if label in ("", relation.label):
                sql = "INSERT OR IGNORE INTO pairs VALUES (?, ?)"
                call.store.run(sql, (source[1], target[1]))
                touch(call, source[1])
                call.log(*source)
    return {"message": "successfull"}


def delete_related(call: Call) -> object:
    """Answer `delete_related`: drop the pair, or clear the references between the two records.

    Raises:
        Fault: ACCESS_DENIED or INVALID_ID_ATTRIBUTE for what is no id.
    """
    for name in ("sourceRecordId", "relatedRecordId"):
        call.module_and_number(call.text(name))
    source, target = _pair(call, "sourceRecordId", "relatedRecordId")
    if source is not None and target is not None and call.user.may_write(source[0]):
        for a, b in ((source, target), (target, source)):
            call.store.run("DELETE FROM pairs WHERE a = ? AND b = ?", (a[1], b[1]))
            for item in a[0].stored:
                if b[0].name in item.refers_to and item.type == "reference":
                    name = column(item.name)
                    sql = f"UPDATE {a[0].name} SET {name} = NULL WHERE n = ? AND {name} = ?"
                    call.store.run(sql, (a[1], b[0].record_id(b[1])))
        call.log(*source)
    return {"status": "successful"}


def _pair(call: Call, *names: str) -> tuple[tuple[Module, int] | None, tuple[Module, int] | None]:
    """Return the two records that a call names; None for one that is missing or unreadable."""
    found: list[tuple[Module, int] | None] = []
    for name in names:
        asked = id_parts(call.text(name))
        module = SCHEMA.by_prefix.get(asked[0])
        row = call.store.record(module, asked[1]) if module and asked[1] >= 0 else None
        readable = module and row and call.user.reads(module, call.owner(module, row))
        found.append((module, asked[1]) if module and readable else None)
    return found[0], found[1]
