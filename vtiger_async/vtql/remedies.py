"""What to write instead, where a text is right SQL, or nearly, but no VTQL.

Each rule stands for something that the language of Vtiger 8.4 was found not to have, or to misread.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from attrs import frozen

from vtiger_async.vtql.lexemes import KEYWORDS
from vtiger_async.vtql.lexer import END

__all__ = ["remedy_for"]


@frozen
class _Rule:
    """A remedy, and the fault it is for; an empty set of words stands for any."""

    expected: str
    remedy: str
    found: frozenset[str] = frozenset()
    before: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAMES = frozenset({"a field", "a module"})
_NO_JOIN = "there are no joins: one statement reads one module; see query_related"
_NO_NAME = "there are no aliases"
_ONE_END = "a statement ends with exactly one ;"

_RULES: Final = (
    _Rule(
        "SELECT",
        "a statement begins with SELECT; records are changed by create, update, revise and delete",
    ),
    _Rule(
        "FROM",
        "DISTINCT does not exist: drop what repeats in your program",
        before=_words("distinct"),
    ),
    _Rule("FROM", "the only function is count(*)", found=_words("(")),
    _Rule("FROM", _NO_NAME, found=_words("as")),
    _Rule(
        "*",
        "the only function is count(*); it counts the records that match",
        before=_words("("),
    ),
    _Rule("WHERE", _NO_JOIN, found=_words(", join inner left right cross natural on")),
    _Rule("WHERE", _NO_NAME, found=_words("as")),
    _Rule(
        ";",
        "GROUP BY, HAVING and UNION do not exist: read the records, and put them together in "
        "your program",
        found=_words("group having union"),
    ),
    _Rule(
        ";",
        "OFFSET does not exist: write LIMIT offset,count, as in LIMIT 10,5",
        found=_words("offset"),
    ),
    _Rule(
        "LIMIT",
        "the direction stands once, after the last field, and holds for that field only",
        found=_words(","),
        before=_words("asc desc"),
    ),
    _Rule(
        "a field",
        "there are no parentheses in WHERE: write (a or b) and c as a and c or b and c, or use IN "
        "for several values of one field",
        found=_words("("),
    ),
    _Rule(
        "LIKE",
        "NOT does not exist: use the opposite operator, such as != or >=",
        before=_words("not"),
    ),
    _Rule(
        "LIKE",
        "NOT IN and NOT LIKE do not exist: write a != 'x' and a != 'y', or leave the others out "
        "in your program",
        found=_words("not"),
    ),
    _Rule(
        "LIKE",
        "IS NULL does not exist: a = ' ' matches empty text; dates that are not set cannot be "
        "asked for",
        found=_words("is isnull"),
    ),
    _Rule(
        "LIKE",
        "BETWEEN does not exist: write a >= 'x' and a <= 'y'",
        found=_words("between"),
    ),
    _Rule("LIKE", "there are no functions", found=_words("(")),
    _Rule("a value", "an IN list holds at least one value", found=_words(")")),
    _Rule("a value", "there are no parentheses and no subqueries", found=_words("(")),
    _Rule("(", "the values of IN stand in parentheses, as in a in ('x','y')", before=_words("in")),
    _Rule(
        "a whole number",
        "LIMIT takes numbers from 0 without quotes; Vtiger answers others with an empty list, or "
        "leaves them out",
    ),
    _Rule("nothing more", _ONE_END),
    _Rule(";", _ONE_END, found=_words(END)),
)


def remedy_for(expected: Collection[str], found: str, before: str) -> str:
    """Return what to write instead, or an empty string.

    Args:
        expected: What could have stood at the fault.
        found: The word or sign that stands there, in lower case; `END` for the end of the text,
            and empty for anything else.
        before: The word or sign before it, likewise.
    """
    for rule in _RULES:
        if (
            rule.expected in expected
            and (not rule.found or found in rule.found)
            and (not rule.before or before in rule.before)
        ):
            return rule.remedy
    if found not in KEYWORDS:
        return ""
    if "a value" in expected:
        return f"as a value the word {found} stands in single quotes"
    return (
        f"{found} is a word of the language, and cannot be a name" if _NAMES & set(expected) else ""
    )
