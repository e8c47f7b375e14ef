"""Conditions of the query language as parameterised SQL, with MySQL's comparisons.

All of it was measured on Vtiger 8.4: text compares without case and accents, numbers as numbers,
ids and references by their number, and what MySQL refuses comes back as an empty page.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from vtiger_async.sandbox.calls import bad_id
from vtiger_async.sandbox.folding import fold, fold_pattern, mysql_text, pattern_prefix
from vtiger_async.sandbox.query_text import Comparison, Value
from vtiger_async.sandbox.schema import SCHEMA, Field, Module
from vtiger_async.sandbox.schema_oss import FAR_TABLES
from vtiger_async.sandbox.store import Store, column, comparable
from vtiger_async.sandbox.stored_form import number_of

__all__ = ["BrokenSqlError", "Sql", "condition", "joined"]

Sql: TypeAlias = tuple[str, list[object]]
"""SQL and the values of its question marks."""

_NEVER: Sql = ("0", [])
_ID = re.compile(r"\s*(\d{1,9})x(\d+)", re.ASCII)
_INJECTED = re.compile(r"\s*\d+x\d+\s+or\s+(\d+)\s*=\s*\1\s*", re.ASCII | re.IGNORECASE)
_MOMENT = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{2}:\d{2}(?::\d{2})?).*)?")
_WORDS = {"true": 1, "false": 0}


class BrokenSqlError(Exception):
    """MySQL would refuse the statement, which Vtiger answers with an empty page."""


def joined(parts: list[Sql], word: str) -> Sql:
    """Return the parts joined by AND or OR, in a tree that does not grow deep."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    left, right = joined(parts[:middle], word), joined(parts[middle:], word)
    return f"({left[0]} {word} {right[0]})", [*left[1], *right[1]]


def condition(store: Store, module: Module, item: Field | None, what: Comparison) -> Sql:
    """Return one condition as SQL.

    Args:
        store: The database, which gets an index where the condition is worth one.
        module: The module that is asked.
        item: The field; None for the id.
        what: The condition.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for text where an id is due.
        BrokenSqlError: MySQL would refuse it.
    """
    if item is None:
        return _id_condition(module, what)
    table = "LineItem" if "line" in item.flags else module.name
    if item.kind == "reference":
        return _reference_condition(store, module, item, table, what)
    if what.operator == "LIKE":
        return _like(store, module, item, table, what.values[0])
    if all(value.kind == "quoted" for value in what.values):
        return _quoted_condition(store, module, item, table, what)
    other = _column_named(module, item, table, what)
    if other is not None:
        return f"{comparable(item, table)} {what.operator} {comparable(other, table)}", []
    parts = [_bare_condition(item, table, what.operator, value) for value in what.values]
    return joined(parts, "OR")


def _number_in(value: Value, item: Field | None = None) -> int:
    """Return the number of an id, whose prefix nobody looks at (measured).

    Args:
        value: The literal.
        item: The field; None for the id.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for what is no id; a bare number is none in a reference.
        BrokenSqlError: A bare number, other than 0, where an id or an owner is due.
    """
    found = _ID.match(value.text)
    if found:
        return min(int(found[2][:19]), 2**62)
    if value.text.lstrip("0").isdigit() and (item is None or item.type == "owner"):
        raise BrokenSqlError
    raise bad_id()


def _id_condition(module: Module, what: Comparison) -> Sql:
    ids = [_number_in(value) for value in what.values]
    if len(ids) == 1 and _INJECTED.fullmatch(what.values[0].text):
        return "1", []  # Vtiger quotes no ids: what follows one is SQL (measured)
    name = f"{module.name}.n"
    if what.operator in ("=", "IN", "LIKE"):
        return f"{name} IN ({', '.join('?' * len(ids))})", [*ids]
    return f"{name} {what.operator} ?", [ids[0]]


def _reference_condition(
    store: Store, module: Module, item: Field, table: str, what: Comparison
) -> Sql:
    ids = [_number_in(value, item) for value in what.values]
    name = f"{table}.{column(item.name)}"
    equal = what.operator in ("=", "IN", "LIKE")
    if equal or what.operator == "!=":
        if table == module.name:
            store.ensure_index(module, item, column(item.name))
        prefixes = _prefixes(item)
        texts: list[object] = [f"{prefix}x{n}" for n in ids if n for prefix in prefixes]
        parts: list[Sql] = []
        if texts:
            parts.append((f"{name} IN ({', '.join('?' * len(texts))})", texts))
        if 0 in ids:
            parts.append((f"{name} IS NULL", []))
        sql, values = joined(parts, "OR")
        return (sql, values) if equal else (f"coalesce(NOT {sql}, 1)", values)
    return f"coalesce({comparable(item, table)}, 0) {what.operator} ?", [ids[0]]


def _prefixes(item: Field) -> list[int]:
    """Return the prefixes of what a reference may point to."""
    names = ("Users", "Groups") if item.type == "owner" else item.refers_to
    return [SCHEMA.modules[name].prefix for name in names if name in SCHEMA.modules]


def _column_named(module: Module, item: Field, table: str, what: Comparison) -> Field | None:
    """Return the field that a bare word names, where two texts are compared; None for others.

    MySQL reads the word as a column, which has to be in a table that the statement reads
    (measured for `lastname = lastname`).
    """
    other = module.fields.get(what.values[0].text)
    if other is None or what.operator == "IN" or table != module.name or "line" in other.flags:
        return None
    if {item.kind, other.kind} != {"text"} or "secret" in other.flags:
        return None
    far = (names for names in FAR_TABLES.get(module.name, ()) if other.name in names)
    return other if all(item.name in names for names in far) else None


def _bare_condition(item: Field, table: str, operator: str, value: Value) -> Sql:
    """Return a comparison with a word or an integer, which MySQL makes with numbers."""
    if value.kind == "quoted":
        return _quoted_one(item, table, "=", value)
    word = value.text.lower()
    if value.kind == "word" and word == "null":
        return _NEVER
    if value.kind == "word" and word not in _WORDS:
        raise BrokenSqlError
    number = _WORDS[word] if value.kind == "word" else float(value.text)
    text = f"{table}.{column(item.name)}"
    if item.kind in ("date", "datetime"):
        for char in "-: ":
            text = f"replace({text}, '{char}', '')"
    return f"CAST({text} AS REAL) {'=' if operator == 'IN' else operator} ?", [number]


def _operand(item: Field, value: Value) -> object:
    """Return the value of a quoted literal as the field's comparison wants it."""
    text = mysql_text(value.text, pattern=False)
    if text is None:
        raise BrokenSqlError
    if item.type == "boolean":
        return text  # the column holds text (measured)
    if item.kind == "number":
        return float(number_of(text))
    if item.kind == "text":
        return fold(text)
    found = _MOMENT.fullmatch(text)
    if found is None:
        return "0000-00-00" if item.kind == "date" else "0000-00-00 00:00:00"
    year, month, date, clock = found.groups()
    day = f"{year}-{month:0>2}-{date:0>2}"
    if item.kind == "date" and clock in (None, "00:00", "00:00:00"):
        return day
    clock = clock or "00:00:00"
    return f"{day} {clock if len(clock) == 8 else clock + ':00'}"


def _compared(item: Field, table: str) -> str:
    """Return the expression that is compared with a quoted literal."""
    return f"{table}.{column(item.name)}" if item.type == "boolean" else comparable(item, table)


def _quoted_condition(
    store: Store, module: Module, item: Field, table: str, what: Comparison
) -> Sql:
    if what.operator != "IN":
        if what.operator == "=" and table == module.name:
            store.ensure_index(module, item, comparable(item))
        return _quoted_one(item, table, what.operator, what.values[0])
    if table == module.name:
        store.ensure_index(module, item, comparable(item))
    values = [_operand(item, value) for value in what.values]
    return f"{_compared(item, table)} IN ({', '.join('?' * len(values))})", values


def _quoted_one(item: Field, table: str, operator: str, value: Value) -> Sql:
    # The plus keeps SQLite from walking an index of unequal values where the page is walked by id.
    plus = "" if operator == "=" or item.kind in ("date", "datetime") else "+"
    return f"{plus}{_compared(item, table)} {operator} ?", [_operand(item, value)]


def _like(store: Store, module: Module, item: Field, table: str, value: Value) -> Sql:
    if value.kind == "word" and value.text.lower() not in _WORDS:
        if value.text.lower() == "null":
            return _NEVER
        raise BrokenSqlError
    text = mysql_text(value.text, pattern=True) if value.kind == "quoted" else value.text
    if text is None:
        raise BrokenSqlError
    pattern = fold_pattern(text)
    if item.kind != "text":
        return f"{table}.{column(item.name)} LIKE ? ESCAPE '\\'", [pattern]
    name = comparable(item, table)
    start = pattern_prefix(pattern)
    if not start.rstrip(" ") or table != module.name:
        return f"{name} LIKE ? ESCAPE '\\'", [pattern]
    store.ensure_index(module, item, comparable(item))
    start = start.rstrip(" ")
    return (
        f"({name} >= ? AND {name} < ? AND {name} LIKE ? ESCAPE '\\')",
        [start, start + "\U0010ffff", pattern],
    )
