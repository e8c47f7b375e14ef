"""The query language of Vtiger: statements as values, their text, and a parser. No I/O."""

from vtiger_async.vtql.builder import F, Field
from vtiger_async.vtql.parser import parse
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
