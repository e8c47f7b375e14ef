"""Operations that find: lookup by phone or e-mail, an organisation's hierarchy; and tags."""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from typing import cast

from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call, bad_id, internal_error
from vtiger_async.sandbox.query import page_of
from vtiger_async.sandbox.reading import view_of
from vtiger_async.sandbox.schema import SCHEMA, Module
from vtiger_async.sandbox.store import LIVE, column

__all__ = ["account_hierarchy", "lookup", "tags_add", "tags_delete", "tags_retrieve"]


def lookup(call: Call) -> object:
    """Answer `lookup`: the records that have a phone number or an e-mail address.

    Raises:
        Fault: MANDATORY_FIELDS_MISSING without type or value; ACCESS_DENIED for an unknown module.
    """
    kind, value = call.text("type"), call.text("value")
    for name, text in (("type", kind), ("value", value)):
        if not text:
            raise Fault("MANDATORY_FIELDS_MISSING", f"Missing parameter {name}")
    literal = value.replace("\\", "\\\\").replace("'", "''")
    found: list[dict[str, object]] = []
    for module, names in _search_in(call):
        fields = [f for f in view_of(call, module).fields if not names or f.name in names]
        where = " OR ".join(f"{f.name} = '{literal}'" for f in fields if f.type == kind)
        if where:
            found += page_of(call, f"select * from {module.name} where {where} order by id;")
    return found


def _search_in(call: Call) -> list[tuple[Module, list[str]]]:
    """Return the modules to search, and in which fields; all where nothing is said."""
    asked = call.json("searchIn")
    if asked is None:
        return [(m, []) for m in SCHEMA.modules.values() if m.is_entity and call.user.sees(m)]
    if isinstance(asked, list):
        return [(call.visible(str(name)), []) for name in cast("list[object]", asked)]
    if not isinstance(asked, dict):
        raise internal_error()
    modules: list[tuple[Module, list[str]]] = []
    for name, fields in cast("dict[str, object]", asked).items():
        names = cast("list[object]", fields) if isinstance(fields, list) else []
        modules.append((call.visible(name), [str(item) for item in names]))
    return modules


def account_hierarchy(call: Call) -> object:
    """Answer `get_account_hierarchy`: the organisation's whole tree, from its root down.

    Raises:
        Fault: As retrieve; INVALID_ID_ATTRIBUTE where the record is no organisation.
    """
    if call.module_and_number(call.text("id"))[0].name != "Accounts":
        raise bad_id()
    module, number, _ = call.found(call.text("id"))
    current = root = module.record_id(number)
    seen = {root}
    while (parent := _node(call, module, root)[1]) and parent not in seen:
        seen.add(parent)
        root = parent
    nodes: list[dict[str, object]] = []
    _walk(call, module, root, "", nodes, current)
    return nodes


def _node(call: Call, module: Module, record_id: str) -> tuple[str, str | None]:
    """Return an organisation's name and its parent."""
    number = int(record_id.partition("x")[2])
    row = call.store.record(module, number) or module.empty_row
    return row[module.columns["accountname"]] or "", row[module.columns["account_id"]]


def _walk(
    call: Call,
    module: Module,
    record_id: str,
    parent: str,
    nodes: list[dict[str, object]],
    current: str,
    level: int = 0,
) -> None:
    if any(node["id"] == record_id for node in nodes):
        return  # a circle of parents ends here
    name = _node(call, module, record_id)[0]
    nodes.append(
        {
            "id": record_id,
            "name": name,
            "label": f"{name} | {parent}" if parent else name,
            "level": level,
            "current": record_id == current,
        }
    )
    parent_field = column("account_id")
    call.store.ensure_index(module, module.fields["account_id"], parent_field)
    sql = f"SELECT n FROM Accounts WHERE {parent_field} = ? AND row_state = {LIVE} ORDER BY n"
    for (number,) in call.store.rows(sql, (record_id,)):
        _walk(call, module, module.record_id(number), name, nodes, current, level + 1)


def _tag_list(call: Call) -> list[str]:
    value = call.json("tags")
    if value is None:
        return []
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return [str(tag) for tag in values if tag]


def _show_tags(call: Call, module: Module, number: int) -> None:
    """Write a record's tags into its field `tags`, which queries show; no time is changed."""
    if "tags" not in module.columns:
        return
    sql = "SELECT DISTINCT tag FROM tags WHERE n = ? ORDER BY tag"
    tags = [row[0] for row in call.store.rows(sql, (number,))]
    call.store.change(module, number, {"tags": ",".join(tags)})


def tags_add(call: Call) -> object:
    """Answer `tags_add`; a tag that is there already stays once.

    Raises:
        Fault: As retrieve.
    """
    module, number, _ = call.found(call.text("id"))
    for tag in _tag_list(call):
        sql = "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)"
        call.store.run(sql, (number, call.user.name, tag))
    _show_tags(call, module, number)
    call.log(module, number)
    return {"message": "tags added"}


def tags_retrieve(call: Call) -> object:
    """Answer `tags_retrieve`: the caller's own tags on a record.

    Raises:
        Fault: As retrieve.
    """
    _, number, _ = call.found(call.text("id"))
    sql = "SELECT tag FROM tags WHERE n = ? AND user = ? ORDER BY tag"
    return {"tags": [row[0] for row in call.store.rows(sql, (number, call.user.name))]}


def tags_delete(call: Call) -> object:
    """Answer `tag_delete`: some of the caller's tags on a record, or all of them.

    With `delete_all` and tags, the tags go from all records, as the manual of 2021 says; with
    `delete_all` alone, all tags go from this record (measured).

    Raises:
        Fault: As retrieve.
    """
    module, number, _ = call.found(call.text("id"))
    tags = _tag_list(call)
    everywhere = call.text("delete_all") in ("1", "true")
    touched = {number}
    if everywhere and not tags:
        call.store.run("DELETE FROM tags WHERE n = ? AND user = ?", (number, call.user.name))
    for tag in tags:
        sql = "SELECT n FROM tags WHERE user = ? AND tag = ?"
        holders = {row[0] for row in call.store.rows(sql, (call.user.name, tag))}
        touched |= holders if everywhere else set()
        for holder in holders if everywhere else {number}:
            values = (holder, call.user.name, tag)
            call.store.run("DELETE FROM tags WHERE n = ? AND user = ? AND tag = ?", values)
    for holder in touched:
        owner = module if holder == number else call.store.module_of(holder)
        if owner is not None:
            _show_tags(call, owner, holder)
    call.log(module, number)
    return {"message": "tags deleted"}
