"""What a statement has to select beyond the fields that were asked for. Pure.

The server reads a field's table only where one of its fields is selected or stands in WHERE, and
answers an ORDER BY on another with success and no records (measured on Vtiger 8.4: `birthday` of
Contacts). So the fields to sort by are selected, too; and those that are compared with ids, since
the values that come show whether the server took the ids for what they say (see `doubts.py`).
"""

from __future__ import annotations

from attrs import evolve

from vtiger_async.models.records import Record
from vtiger_async.types import ID_FORM
from vtiger_async.vtql import Condition, Select

__all__ = ["as_asked", "as_sent", "names_ids"]


def as_sent(statement: Select) -> Select:
    """Return the statement with what it has to select; `*` and count(*) select all they need."""
    if not statement.fields:
        return statement
    needed = [
        *statement.order_fields,
        *(one.field for group in statement.where_any for one in group if names_ids(one)),
    ]
    more = [name for name in dict.fromkeys(needed) if name not in {*statement.fields, "id"}]
    return evolve(statement, fields=(*statement.fields, *more)) if more else statement


def as_asked(page: list[Record], statement: Select, sent: Select) -> None:
    """Take out of the records what was selected for the server's sake; the id stays.

    Args:
        page: The records that came.
        statement: What was asked for.
        sent: What `as_sent` made of it.
    """
    more = set(sent.fields) - {*statement.fields, "id"}
    for record in page if more else ():
        for name in more:
            record.fields.pop(name, None)


def names_ids(condition: Condition) -> bool:
    """Tell whether a field is asked to equal ids, as a reference is."""
    return (
        condition.field != "id"
        and condition.operator in ("=", "IN")
        and any(ID_FORM.fullmatch(str(value)) for value in condition.values)
    )
