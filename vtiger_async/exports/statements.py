"""What is to be read: a module, a text of VTQL, or a statement."""

from __future__ import annotations

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.vtql import Select, parse, select

__all__ = ["statement_of"]


def statement_of(what: str | Select) -> Select:
    """Return the statement that reads what is meant.

    Args:
        what: A Select, VTQL, or the name of a module for all of its records.

    Raises:
        QuerySyntaxError: The text is neither a name nor VTQL.
        InvalidArgumentError: It counts records, and reads none.
    """
    if isinstance(what, Select):
        statement = what
    else:
        # Module names are one word, and no statement is.
        statement = parse(what) if len(what.split()) > 1 else select(what.strip())
    if statement.is_count:
        raise InvalidArgumentError(
            "a count(*) has no records: `vtiger-async query` shows it, and in a program "
            "await crm.query(...).count()",
            operation="query",
            module=statement.module,
        )
    return statement
