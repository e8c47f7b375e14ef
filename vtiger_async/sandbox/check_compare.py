"""How the sandbox's answer to a recorded request differs from the recorded answer.

What a recording cannot fix is not compared: auto numbers beyond their letters, names of sessions
and challenges, the order of fields, the order of rows without ORDER BY, and which rows a page
without ORDER BY holds where it is full (not stable, measured on Vtiger 8.4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from attrs import frozen

from vtiger_async.sandbox.schema import SCHEMA
from vtiger_async.types import is_list, is_map

__all__ = [
    "SECRET",
    "Difference",
    "Exchange",
    "Prefixes",
    "differences",
    "is_ordered",
    "mapped",
    "shown",
]

Exchange: TypeAlias = dict[str, Any]
"""A recorded exchange: `name`, `operation`, `request` and `response`."""

Prefixes: TypeAlias = Mapping[int, str]
"""The modules of the recorded instance by the prefixes of their ids."""

_ID = re.compile(r"(?<![\w/+])(\d{1,5})x(?=\d|-|$)")
_NUMBER = re.compile(r"([A-Z]{2,4})\d+")
SECRET = "SESSION"  # noqa: S105 - it stands in the place of a secret
"""What stands in a recording where a key, a token or a session's name was."""
_VOLATILE = ("sessionName", "token", "serverTime", "expireTime")
_LONG = 100_000
"""Characters above which a text is a file's content, in which no id is looked for."""


@frozen
class Difference:
    """One place where two answers differ.

    Attributes:
        path: Where: `status`, `error.code`, `result.fields[3].type.name`.
        recorded: What the recording holds there, as JSON cut to a line.
        sandbox: What the sandbox answers there.
    """

    path: str
    recorded: str
    sandbox: str

    def __str__(self) -> str:
        return f"{self.path}: recorded {self.recorded}, sandbox {self.sandbox}"


def mapped(value: Any, prefixes: Prefixes) -> Any:
    """Return a value with the recorded instance's prefixes replaced by the sandbox's."""
    if is_map(value):
        return {
            name: _own_prefix(item, prefixes) if name == "idPrefix" else mapped(item, prefixes)
            for name, item in value.items()
        }
    if is_list(value):
        return [mapped(item, prefixes) for item in value]
    if not isinstance(value, str) or len(value) >= _LONG:
        return value
    return _ID.sub(lambda found: f"{_own_prefix(found[1], prefixes)}x", value)


def _own_prefix(prefix: Any, prefixes: Prefixes) -> str:
    name = prefixes.get(int(prefix)) if str(prefix).isdecimal() else None
    module = SCHEMA.modules.get(name or "")
    return str(module.prefix) if module else str(prefix)


def is_ordered(exchange: Exchange) -> bool:
    """Return whether the order of the rows in an answer means something."""
    query = str(exchange["request"]["params"].get("query", "")).lower()
    return not query or "order by" in query


def differences(ours: Any, recorded: Any, exchange: Exchange, *, ordered: bool) -> list[Difference]:
    """Return where two bodies differ.

    Args:
        ours: The sandbox's body, decoded.
        recorded: The recorded body, its prefixes mapped.
        exchange: The recorded exchange.
        ordered: Whether the order of its rows means something.
    """
    ours, recorded = _comparable(ours), _comparable(recorded)
    mine, theirs = _result(ours), _result(recorded)
    query = str(exchange["request"]["params"].get("query", "")).lower()
    if query and not ordered and is_list(mine) and is_list(theirs) and _is_full(query, len(theirs)):
        ours["result"], recorded["result"] = _forms(mine), _forms(theirs)
    if "body_trimmed" in exchange["response"] and is_map(mine) and is_map(theirs):
        # The recording holds the first records of the page only.
        mine["updated"] = mine.get("updated", [])[: len(theirs.get("updated", []))]
    if is_map(mine) and "fields" in mine and exchange["operation"] == "describe":
        ordered = False
    return list(_unequal(_normal(ours, ordered=ordered), _normal(recorded, ordered=ordered), ""))


def _result(body: Any) -> Any:
    return body.get("result") if is_map(body) else None


def _comparable(body: Any) -> Any:
    """Return the body without what is another at each call; the result can be changed."""
    result = _result(body)
    if is_map(result):
        fixed: dict[str, Any] = {
            name: type(result[name]).__name__ for name in _VOLATILE if name in result
        }
        if is_list(result.get("fields")):
            fixed["fields"] = [_without_terms(item) for item in result["fields"]]
        return {**body, "result": {**result, **fixed}}
    return {**body} if is_map(body) else body


def _without_terms(item: Any) -> Any:
    """Return a described field without the terms that a company writes itself."""
    return {**item, "default": ""} if item.get("name") == "terms_conditions" else item


def _is_full(query: str, rows: int) -> bool:
    """Return whether a page holds as many rows as it may, so that there may be others."""
    limit = re.search(r"limit (?:\d+\s*,\s*)?(\d+)", query)
    return "count(*)" not in query and rows >= min(int(limit[1]) if limit else 100, 100)


def _forms(rows: list[Any]) -> list[Any]:
    return [dict.fromkeys(row, "a value") if is_map(row) else row for row in rows]


def _normal(value: Any, *, ordered: bool) -> Any:
    """Return a value without what a recording cannot fix: auto numbers and order of no meaning."""
    if is_map(value):
        return {name: _normal(item, ordered=ordered) for name, item in value.items()}
    if is_list(value):
        values = [_normal(item, ordered=ordered) for item in value]
        return values if ordered else sorted(values, key=_rank)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return f"{value.rstrip('0123456789')}#"
    return value


def _rank(item: Any) -> str:
    """Return what a list without order is sorted by: the name or the value of its items."""
    if is_map(item):
        for name in ("name", "value"):
            if name in item:
                return str(item[name])
    return json.dumps(item, sort_keys=True)


def _unequal(ours: Any, recorded: Any, path: str) -> Iterator[Difference]:
    if is_map(ours) and is_map(recorded):
        for name in {**recorded, **ours}:
            inner = f"{path}.{name}" if path else name
            if name not in ours:
                yield Difference(inner, shown(recorded[name]), "nothing")
            elif name not in recorded:
                yield Difference(inner, "nothing", shown(ours[name]))
            else:
                yield from _unequal(ours[name], recorded[name], inner)
    elif is_list(ours) and is_list(recorded):
        yield from _unequal_lists(ours, recorded, path)
    elif recorded == SECRET and isinstance(ours, str):
        return
    elif ours != recorded or isinstance(ours, bool) != isinstance(recorded, bool):
        yield Difference(path, shown(recorded), shown(ours))


def _unequal_lists(ours: list[Any], recorded: list[Any], path: str) -> Iterator[Difference]:
    """Compare lists item by item; those of named things, as fields, by their names."""
    mine, theirs = _by_name(ours), _by_name(recorded)
    if mine is not None and theirs is not None and list(mine) != list(theirs):
        places = {name: place for place, name in enumerate(theirs)}
        for name in {**theirs, **mine}:
            where = f"{path}[{places.get(name, name)}]"
            if name not in mine:
                yield Difference(where, shown(theirs[name]), "nothing")
            elif name not in theirs:
                yield Difference(where, "nothing", shown(mine[name]))
            else:
                yield from _unequal(mine[name], theirs[name], where)
        return
    for place, (a, b) in enumerate(zip(ours, recorded, strict=False)):
        yield from _unequal(a, b, f"{path}[{place}]")
    if len(ours) != len(recorded):
        yield Difference(path, f"{len(recorded)} items", f"{len(ours)} items")


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Return the items by what they are called, or None where they are not all called something."""
    for key in ("name", "id"):
        names = [item.get(key) if is_map(item) else None for item in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return dict(zip(cast("list[str]", names), items, strict=True))
    return None


def shown(value: Any) -> str:
    """Return a value as JSON, cut so that it stays on a line."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
