"""What a recording tells of its instance: fields, prefixes, and who its users are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field, frozen

from vtiger_async.recording.exchanges import Exchange
from vtiger_async.recording.statements import like_starts, module_of
from vtiger_async.types import is_list, is_map

__all__ = ["Knowledge", "KnownField", "learned", "module_asked"]


@frozen
class KnownField:
    """What `describe` says of a field.

    Attributes:
        type: The name of its type.
        values: The values of its picklist.
        editable: Whether users write it.
    """

    type: str
    values: frozenset[str]
    editable: bool


@define
class Knowledge:
    """What is known of the recorded instance.

    Attributes:
        fields: The fields of each described module.
        modules: Modules by the prefix of their ids.
        names: Every module's name.
        users: Logins that asked, each with its user's id and whether it is an administrator.
        people: The names of users, which a picklist of owners may hold.
        starts: Beginnings of words that statements ask for.
    """

    fields: dict[str, dict[str, KnownField]] = field(factory=dict[str, dict[str, KnownField]])
    modules: dict[str, str] = field(factory=dict[str, str])
    names: set[str] = field(factory=set[str])
    users: dict[str, dict[str, Any]] = field(factory=dict[str, dict[str, Any]])
    people: set[str] = field(factory=set[str])
    starts: set[str] = field(factory=set[str])

    def field_of(self, module: str | None, name: str) -> KnownField | None:
        """Return what is known of a field, or None."""
        return self.fields.get(module or "", {}).get(name)

    def module_by_id(self, record_id: Any) -> str | None:
        """Return the module that an id belongs to, where a description has told."""
        return self.modules.get(str(record_id).partition("x")[0])


def learned(exchanges: list[Exchange]) -> Knowledge:
    """Return what the exchanges tell."""
    known = Knowledge()
    for exchange in exchanges:
        body = exchange["response"]["body"]
        result = body.get("result") if is_map(body) else None
        user = exchange["request"]["user"]
        known.users.setdefault(user, {"id": None, "admin": None})
        known.people.add(user.casefold())
        query = str(exchange["request"]["params"].get("query", ""))
        known.starts.update(like_starts(query))
        if exchange["operation"] == "describe" and is_map(result):
            _learn_module(known, result)
        if exchange["operation"] == "listtypes" and is_map(result) and is_list(result.get("types")):
            known.names.update(name for name in result["types"] if isinstance(name, str))
        if exchange["operation"] == "me" and is_map(result):
            admin = result.get("is_admin")
            known.users[user] = {
                "id": result.get("id"),
                "admin": None if admin is None else admin in ("on", "1", True),
            }
        for person in _people(result):
            known.people.update(person)
    return known


def _learn_module(known: Knowledge, described: dict[str, Any]) -> None:
    name = str(described.get("name"))
    known.names.add(name)
    prefix = described.get("idPrefix")
    if prefix:
        known.modules[str(prefix)] = name
    found: dict[str, KnownField] = {}
    items = described.get("fields")
    for item in items if is_list(items) else ():
        if is_map(item):
            kind = item.get("type")
            details = kind if is_map(kind) else {"name": kind}
            listed = details.get("picklistValues")
            values = (v.get("value") for v in (listed if is_list(listed) else ()) if is_map(v))
            found[str(item.get("name"))] = KnownField(
                str(details.get("name")),
                frozenset(value for value in values if isinstance(value, str)),
                bool(item.get("editable", True)),
            )
    known.fields[name] = found


def _people(result: Any) -> Iterator[set[str]]:
    """Yield the names that each user's record in a result gives."""
    for record in result if is_list(result) else [result]:
        if is_map(record) and "user_name" in record:
            first, last = (str(record.get(name) or "") for name in ("first_name", "last_name"))
            names = {str(record["user_name"]), f"{first} {last}".strip(), first, last}
            yield {name.casefold() for name in names if name}


def module_asked(exchange: Exchange) -> str | None:
    """Return the module that a request names, or None."""
    params = exchange["request"]["params"]
    named = params.get("elementType")
    if isinstance(named, str) and named:
        return named
    return module_of(str(params.get("query", "")))
