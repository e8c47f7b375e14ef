"""The literals of a statement, found without understanding it: a wrong statement is recorded too.

That is why this is no parser: `vtql` refuses what Vtiger refuses, and a recording is to hold it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

__all__ = ["like_starts", "module_of", "with_literals"]

_MODULE = re.compile(r"\bfrom\s+(\w+)", re.IGNORECASE)
_TOKEN = re.compile(
    r"'(?:[^'\\]|''|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|[<>=!]+|\w+(?:[.:-]\w+)*|\s+|.", re.DOTALL
)
_OPERATORS = frozenset({"in", "like"})
_ENDS = frozenset({"and", "or", "order", "limit", "where"})
_START = re.compile(r"([^\W_]+)%$")


def module_of(statement: str) -> str | None:
    """Return the module that a statement reads, or None."""
    found = _MODULE.search(statement)
    return found[1] if found else None


def with_literals(statement: str, replace: Callable[[str, str], str]) -> str:
    """Return a statement with other literals.

    Args:
        statement: The statement, or the condition of one.
        replace: Given a field's name (empty if not known) and the literal without its quotes,
            returns what stands in its place.
    """
    return "".join(_replaced(statement, replace))


def _replaced(statement: str, replace: Callable[[str, str], str]) -> Iterator[str]:
    field, last, inside = "", "", False
    for found in _TOKEN.finditer(statement):
        token = found[0]
        word = token.lower()
        if token[0] in "'\"":
            closed = len(token) > 1 and token[-1] == token[0]
            content = token[1:-1] if closed else token[1:]
            yield token[0] + replace(field, content) + (token[0] if closed else "")
        elif word in _ENDS:
            inside, field = False, ""
            yield token
        elif (word in _OPERATORS or token[0] in "<>=!") and not inside:
            inside, field = True, last
            yield token
        elif inside and (token[0].isalnum() or token[0] == "_"):
            yield replace(field, token) if word not in _OPERATORS else token
        else:
            last = token if token[0].isalnum() or token[0] == "_" else last
            yield token


def like_starts(statement: str) -> Iterator[str]:
    """Yield the beginnings of words that a statement asks for with LIKE: `Sm` of `'Sm%'`."""
    for found in re.finditer(r"\blike\s+'((?:[^'\\]|''|\\.)*)'", statement, re.IGNORECASE):
        start = _START.search(found[1])
        if start is not None:
            yield start[1]
