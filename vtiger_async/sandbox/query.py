"""The operation `query`: a statement run as SQL, and its page as Vtiger sends it.

Measured on Vtiger 8.4: at most 100 rows; rows that the user may not read are dropped after LIMIT;
`select *` on an inventory module reads its line items, too, and merges the rows by id, so that
pages are short and records repeat; without ORDER BY, two statements see two orders; what MySQL
refuses is an empty page.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from vtiger_async.sandbox.access import denied
from vtiger_async.sandbox.calls import Call
from vtiger_async.sandbox.inventory_totals import DISCOUNTS
from vtiger_async.sandbox.query_sql import BrokenSqlError, Sql, condition, joined
from vtiger_async.sandbox.query_text import Statement, Value, module_named_in, parse_statement
from vtiger_async.sandbox.reading import unset_in_row, view_of
from vtiger_async.sandbox.schema import LINE_ITEM, Field, Module
from vtiger_async.sandbox.schema_oss import FAR_TABLES
from vtiger_async.sandbox.store import LIVE, column, comparable
from vtiger_async.sandbox.stored_form import MASK

__all__ = ["PAGE", "page_of", "query"]

PAGE = 100
"""The most rows that one statement gives."""

_FILTERED_LATE = ("Calendar", "Events")
"""Modules whose statements never hold the rights, wherever those of others stand (measured)."""

_NO_QUERY = "Permission to perform the operation is denied for query"


def query(call: Call) -> object:
    """Answer `query`.

    Raises:
        Fault: QUERY_SYNTAX_ERROR; ACCESS_DENIED for an unknown or hidden module or field;
            INTERNAL_SERVER_ERROR for a literal that cannot be read.
    """
    return page_of(call, call.text("query"))


def page_of(call: Call, text: str) -> list[dict[str, object]]:
    """Return the rows of a statement.

    Args:
        call: The call that asks.
        text: The statement.

    Raises:
        Fault: As query.
    """
    name = module_named_in(text)
    if name is None:
        raise denied(_NO_QUERY)
    module = call.visible(name, f" for name : {name}")
    statement = parse_statement(text)
    fields = _selected(call, module, statement)
    try:
        where = _where(call, module, statement)
        limit = _limit(statement.limit)
        if statement.is_count:
            return _count(call, module, where, limit)
        return _rows(call, module, fields, where, _order(call, module, statement), limit)
    except BrokenSqlError:
        return []


def _field(call: Call, module: Module, name: str) -> Field | None:
    if call.profile.document_discounts_hidden and module.has_lines:
        name = DISCOUNTS.get(name, name)  # both columns have one name, and the line's is read
    item = module.fields.get(name)
    return item if item is not None and call.user.sees_field(module, item) else None


def _selected(call: Call, module: Module, statement: Statement) -> list[Field]:
    if statement.fields is None:
        lines = (
            f
            for f in module.fields.values()
            if "line" in f.flags and call.user.sees_field(module, f)
        )
        shown = (_field(call, module, f.name) or f for f in view_of(call, module).fields)
        return list(dict.fromkeys((*shown, *lines)))
    fields: list[Field] = []
    for name in statement.fields:
        item = _field(call, module, name)
        if item is not None:
            fields.append(item)
        elif name != "id":
            raise denied(f"Permission to access '.{name}.' attribute denied.")
    return fields


def _where(call: Call, module: Module, statement: Statement) -> Sql:
    alternatives: list[Sql] = []
    broken = False
    for group in statement.where:
        parts: list[Sql] = []
        for what in group:
            item = _field(call, module, what.name)
            if item is None and what.name != "id":
                raise denied(f"Permission to access {what.name} attribute denied.")
            try:
                parts.append(condition(call.store, module, item, what))
            except BrokenSqlError:
                broken = True
        if parts:
            alternatives.append(joined(parts, "AND"))
    if broken:
        raise BrokenSqlError
    live: Sql = (f"{module.name}.row_state = {LIVE}", [])
    if module.name == "Users" and call.profile.plain_describe:
        live = (f"{live[0]} AND Users.status = 'Active'", [])
    return joined([live, joined(alternatives, "OR")], "AND") if alternatives else live


def _order(call: Call, module: Module, statement: Statement) -> str:
    if not statement.order:
        ways = [f"{module.name}.n", f"{module.name}.n DESC"]
        if "modifiedtime" in module.columns:
            ways += [f"{module.name}.modifiedtime", f"{module.name}.modifiedtime DESC"]
        return ways[call.number % len(ways)]
    if not _joins(module, statement):
        raise BrokenSqlError
    terms: list[str] = []
    for place, name in enumerate(statement.order):
        item = _field(call, module, name)
        if item is None and name != "id":
            raise BrokenSqlError
        table = LINE_ITEM if item is not None and "line" in item.flags else module.name
        if item is not None and place == 0 and table == module.name:
            call.store.ensure_index(module, item, comparable(item))
        terms.append(f"{module.name}.n" if item is None else comparable(item, table))
    if statement.descending:
        terms[-1] += " DESC"
    # Equal rows have no order of their own: it differs from statement to statement.
    tie = "DESC" if call.number % 2 else "ASC"
    return ", ".join(terms if "id" in statement.order else [*terms, f"{module.name}.n {tie}"])


def _joins(module: Module, statement: Statement) -> bool:
    """Return whether the tables of the fields to order by are read at all (measured).

    A table is, when the statement selects one of its fields or asks for one.
    """
    if statement.fields is None:
        return True
    read = {*statement.fields, *(what.name for group in statement.where for what in group)}
    return all(
        read & table
        for name in statement.order
        for table in FAR_TABLES.get(module.name, ())
        if name in table
    )


def _limit(limit: tuple[Value, ...]) -> tuple[int, int]:
    """Return the offset and the number of rows; what is no number counts as none given."""
    if any(value.kind == "quoted" or value.text.startswith("+") for value in limit):
        raise BrokenSqlError
    texts = [value.text for value in limit]
    texts = [text[:19] for text in texts]  # more digits change nothing
    count = int(texts[-1]) if texts and limit[-1].kind == "integer" else PAGE
    if len(texts) > 1 and limit[0].kind != "integer":
        raise BrokenSqlError
    offset = int(texts[0]) if len(texts) > 1 else 0
    if count < 0 or offset < 0:
        raise BrokenSqlError
    return min(offset, 2**62), min(count, PAGE)


def _source(module: Module, sql: str) -> str:
    """Return the tables to read: the module's, and its line items where they are spoken of."""
    if not module.has_lines or f"{LINE_ITEM}." not in sql:
        return module.name
    on = f"{LINE_ITEM}.parent_id = '{module.prefix}x' || {module.name}.n"
    return f"{module.name} LEFT JOIN {LINE_ITEM} ON {on}"


def _count(
    call: Call, module: Module, where: Sql, limit: tuple[int, int]
) -> list[dict[str, object]]:
    sql, values = where
    offset, count = limit
    if offset or not count:
        return []
    if call.user.is_restricted(module) and module.name not in _FILTERED_LATE:
        owners = call.user.owners  # activities are counted whoever has them (measured)
        sql += f" AND assigned_user_id IN ({', '.join('?' * len(owners))})"
        values = [*values, *owners]
    source = _source(module, sql)
    found = call.store.rows(
        f"SELECT count(DISTINCT {module.name}.n) FROM {source} WHERE {sql}"
        if source != module.name
        else f"SELECT count(*) FROM {source} WHERE {sql}",
        values,
    )
    return [{"count": str(found[0][0])}]


def _rows(
    call: Call,
    module: Module,
    fields: list[Field],
    where: Sql,
    order: str,
    limit: tuple[int, int],
) -> list[dict[str, object]]:
    names = [*(f.name for f in fields), "id"]
    columns = [
        f"{LINE_ITEM if 'line' in f.flags else module.name}.{column(f.name)}" for f in fields
    ]
    columns.append(f"'{module.prefix}x' || {module.name}.n")
    restricted = call.user.is_restricted(module)
    if restricted and call.profile.rights_in_sql and module.name not in _FILTERED_LATE:
        owners: list[object] = [*call.user.owners]
        marks = ", ".join("?" * len(owners))
        sql = f"{where[0]} AND {module.name}.assigned_user_id IN ({marks})"
        where = (sql, [*where[1], *owners])
    starred = call.profile.starred_by_writer and "starred" in names
    if starred:
        columns.append(f"{module.name}.modifiedby")
    if restricted:
        columns.append(f"{module.name}.assigned_user_id")
    listed = ", ".join(columns)
    source = _source(module, f"{listed} {where[0]} {order}")
    sql = f"SELECT {listed} FROM {source} WHERE {where[0]} ORDER BY {order} LIMIT ? OFFSET ?"
    page: dict[str, dict[str, object]] = {}
    for values in call.store.rows(sql, [*where[1], limit[1], limit[0]]):
        if not restricted or values[-1] in call.user.owners:
            # The owner behind the names is left out by zip.
            record: dict[str, object] = dict(zip(names, values, strict=False))
            unset_in_row(call, module, record)
            if starred and record["starred"] == "0" and values[len(names)] != call.user.id:
                record["starred"] = None
            page[values[len(fields)]] = record
    masked = [f.name for f in fields if "sensitive" in f.flags]
    for record in page.values() if masked else ():
        for name in masked:
            record[name] = MASK if record[name] else ""
    return list(page.values())
