"""The query language of Vtiger: statements as values, their text, and a parser. No I/O."""

from __future__ import annotations

from vtiger_async.vtql.builder import F, Field
from vtiger_async.vtql.statement import NO_LIMIT, Select, select
from vtiger_async.vtql.tree import Condition, Expression, Word

__all__ = [
    "NO_LIMIT",
    "Condition",
    "Expression",
    "F",
    "Field",
    "Select",
    "Word",
    "parse",
    "select",
]


def parse(text: str) -> Select:
    """Return the statement that `text` is.

    Args:
        text: One statement, with exactly one `;` at its end.

    Raises:
        QuerySyntaxError: It is not VTQL, or the server would misread it. The error has the line,
            the column and the text; its message says what was found, what was expected, and what
            to write instead.
    """
    from vtiger_async.vtql.parser import statement_of  # loaded by the first statement that is text

    return statement_of(text)
