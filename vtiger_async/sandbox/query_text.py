"""The sandbox's own reading of the query language: tokens, grammar and error messages.

It shares nothing with the client's parser, so that one bug cannot hide on both sides. What it takes
and the messages it refuses with are those measured on Vtiger 8.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeAlias

from attrs import frozen

from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import internal_error

__all__ = ["Comparison", "Statement", "Value", "module_named_in", "parse_statement"]

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<token>[A-Za-z0-9_]+|'(?:[^']|'')+'|[+-]\d+|!=|<=|>=|[=<>*,();])"
)
_SIGNS = {
    "=": "EQ", "!=": "NE", "<": "LT", ">": "GT", "<=": "LTE", ">=": "GTE",
    "(": "PARENOPEN", ")": "PARENCLOSE", "and": "LOGICAL_AND", "or": "LOGICAL_OR",
}  # fmt: skip
_PROJECTED = {
    "from": "FRM", "*": "ASTERISK", "(": "PARENOPEN", ")": "PARENCLOSE", "count": "COUNT",
    ",": "COMMA",
}  # fmt: skip
_ORDERED = {",": "COMMA", "asc": "ASC", "desc": "DESC"}
_LIMITED = {"limit": "LIMIT", ",": "COMMA", "(": "PARENOPEN", ")": "PARENCLOSE"}
_OPERATORS = "EQ,LT,GT,LTE,GTE,NE,IN,LIKE"
_MODULE = re.compile(r"from\s+([^\s;]+)", re.IGNORECASE)

ValueKind: TypeAlias = Literal["word", "integer", "quoted"]


@frozen
class Value:
    """One literal: a bare word, an integer, or a quoted text.

    Attributes:
        kind: Which of them.
        text: What stands there, without the quotes, doubled quotes read as one.
    """

    kind: ValueKind
    text: str


@frozen
class Comparison:
    """One condition.

    Attributes:
        name: The field's name.
        operator: The operator; IN and LIKE in upper case.
        values: One value, or those of IN.
    """

    name: str
    operator: str
    values: tuple[Value, ...]


@frozen
class Statement:
    """One statement.

    Attributes:
        module: The module's name.
        fields: The names of the fields; None for `*`.
        is_count: Whether it asks for `count(*)`.
        where: The conditions, as alternatives of conditions that hold together.
        order: The names of the fields to order by.
        descending: The one direction, which goes with the last of them.
        limit: The one or two values of LIMIT; none without one.
    """

    module: str
    fields: tuple[str, ...] | None
    is_count: bool
    where: tuple[tuple[Comparison, ...], ...]
    order: tuple[str, ...]
    descending: bool
    limit: tuple[Value, ...]


def module_named_in(text: str) -> str | None:
    """Return the module as the server finds it: after the first `from` that white space follows.

    The end of a field's name counts, too: `select cf_memberfrom from Contacts` asks for a module
    named `from`, on one line or on two (measured).
    """
    found = _MODULE.search(text)
    return found[1] if found else None


@lru_cache(maxsize=512)
def parse_statement(text: str) -> Statement:
    """Return what a statement says.

    Raises:
        Fault: QUERY_SYNTAX_ERROR, or INTERNAL_SERVER_ERROR at a character that begins no token.
    """
    return _Parser(text).statement()


Token: TypeAlias = tuple[str, str, int]
"""What the server takes a token for, the token, and its line."""


def _texts(text: str) -> Iterator[tuple[str, int]]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise internal_error()
        place = found.end()
        if found.lastgroup != "space":
            yield found[0], line
        line += found[0].count("\n")


class _Names:
    """What the server takes each token for, which depends on those before it only (measured).

    It walks from the fields over `from` to the table; from there on it is in one of three parts,
    of which `where` is the first: any word may be a name or a value there.
    """

    def __init__(self) -> None:
        self._part = "start"
        self._counts = self._has_column = self._in_list = self._ordering = False

    def of(self, text: str) -> str | None:
        """Return the name of the next token; None for the word `order`, which is passed over."""
        word = text.lower()
        if self._part == "start":
            self._part = "fields" if word == "select" else self._part
            return "SELECT" if word == "select" else "Unknown"
        if self._part in ("fields", "from"):
            return self._projected(word)
        if self._part == "table":
            self._part = "where"
            return "Unknown" if word == "where" else "TABLENAME"
        return self._clause(word)

    def _projected(self, word: str) -> str:
        if word == "from":
            self._part = "table"
        elif self._part == "from":
            return "Unknown"
        elif word == "*" and not self._counts:
            self._part = "from"
        elif word == "count":
            self._counts = True
        return _PROJECTED.get(word, "COLUMNNAME")

    def _clause(self, word: str) -> str | None:
        if word == ";":
            return "SEMICOLON"
        if word == "order":
            self._ordering = True
            return None
        if word == "by" and self._ordering:
            self._part = "order"
            return "ORDERBY"
        if word in ("where", "limit"):
            self._part = word
        if self._part == "order":
            return _ORDERED.get(word, "COLUMNNAME")
        if self._part == "limit":
            return _LIMITED.get(word, "VALUE")
        return self._condition(word)

    def _condition(self, word: str) -> str:
        if word == "where":
            return "WHERE"
        if word == ")" and self._in_list:
            self._in_list = self._has_column = False
        if word in _SIGNS:
            return _SIGNS[word]
        if not self._has_column:
            self._has_column = True
            return "COLUMNNAME"
        if word == "in":
            self._in_list = True
        if word in ("in", "like", ","):
            return {"in": "IN", "like": "LIKE", ",": "COMMA"}[word]
        self._has_column = self._in_list
        return "VALUE"


def _tokens(text: str) -> Iterator[Token]:
    names = _Names()
    for token, line in _texts(text):
        name = names.of(token)
        if name is not None:
            yield name, token, line


def _syntax_error(message: str) -> Fault:
    return Fault("QUERY_SYNTAX_ERROR", message)


class _Parser:
    """One pass over the tokens, which are read only as far as the statement makes sense."""

    def __init__(self, text: str) -> None:
        self._rest = _tokens(text)
        self._last = ""
        self._line = 1
        self._advance()

    def _advance(self) -> None:
        self._name, self._text, self._line = next(self._rest, ("", "", self._line))

    def _take(self) -> str:
        text = self._last = self._text
        self._advance()
        return text

    def _fault(self, expected: str) -> Fault:
        """Return Vtiger's message, with what it had expected."""
        token, found = self._text, f"{self._name}({self._text})"
        if not self._name:
            token, found = self._last, "End of Input(0)"
        return _syntax_error(
            f"Syntax Error on line {self._line}: token '{token}' Unexpected {found}, "
            f"expected one of: {expected}"
        )

    def _expect(self, name: str, expected: str = "") -> str:
        if self._name != name:
            raise self._fault(expected or name)
        return self._take()

    def statement(self) -> Statement:
        self._expect("SELECT")
        fields, is_count = self._projection()
        self._take()
        module = self._expect("TABLENAME")
        if self._name not in ("WHERE", "ORDERBY", "LIMIT", "SEMICOLON", ""):
            raise _syntax_error("There is an syntax error in query")
        where = self._where() if self._name == "WHERE" else ()
        order, descending = self._order() if self._name == "ORDERBY" else ((), False)
        limit = self._limit() if self._name == "LIMIT" else ()
        self._expect("SEMICOLON")
        if self._name:
            raise self._fault("")
        return Statement(module, fields, is_count, where, order, descending, limit)

    def _projection(self) -> tuple[tuple[str, ...] | None, bool]:
        """Read what stands between SELECT and FROM."""
        if self._name == "COUNT":
            return self._count()
        if self._name == "ASTERISK":
            self._take()
            self._require_from("FRM,COMMA")
            return None, False
        names = [self._expect("COLUMNNAME")]
        while self._name == "COMMA":
            self._take()
            names.append(self._expect("COLUMNNAME", "SELECT"))
        self._require_from("SELECT")
        return tuple(names), False

    def _require_from(self, expected: str) -> None:
        if self._name != "FRM":
            raise self._fault(expected)

    def _count(self) -> tuple[tuple[str, ...], bool]:
        self._take()
        for name in ("PARENOPEN", "ASTERISK", "PARENCLOSE"):
            self._expect(name)
        while self._name == "COMMA":  # what stands beside a count is passed over
            self._take()
            self._expect("COLUMNNAME", "SELECT")
        self._require_from("SELECT")
        return (), True

    def _where(self) -> tuple[tuple[Comparison, ...], ...]:
        """Read the conditions; AND binds before OR, and there are no parentheses."""
        alternatives: list[list[Comparison]] = [[]]
        self._take()
        alternatives[-1].append(self._comparison("COLUMNNAME"))
        while self._name in ("LOGICAL_AND", "LOGICAL_OR"):
            if self._name == "LOGICAL_OR":
                alternatives.append([])
            self._take()
            again = self._name in ("LOGICAL_AND", "LOGICAL_OR")
            alternatives[-1].append(self._comparison("SEMICOLON" if again else "COLUMNNAME"))
        return tuple(tuple(group) for group in alternatives)

    def _comparison(self, expected: str) -> Comparison:
        name = self._expect("COLUMNNAME", expected)
        if self._name not in _OPERATORS.split(","):
            raise self._fault(_OPERATORS)
        operator = self._take().upper()
        return Comparison(name, operator, self._values())

    def _values(self) -> tuple[Value, ...]:
        """Read a value or a list; its parentheses may be missing, and the closing one alone."""
        is_open = self._name == "PARENOPEN"
        if is_open:
            self._take()
        values = [self._value()]
        while self._name == "COMMA":
            self._take()
            values.append(self._value())
        if is_open and not self._name:
            raise self._fault("PARENCLOSE,COMMA")
        if is_open and self._name == "PARENCLOSE":
            self._take()
        return tuple(values)

    def _value(self) -> Value:
        text = self._expect("VALUE")
        if text.startswith("'"):
            return Value("quoted", text[1:-1].replace("''", "'"))
        return Value("integer" if text.lstrip("-").isdigit() else "word", text)

    def _order(self) -> tuple[tuple[str, ...], bool]:
        self._take()
        names = [self._expect("COLUMNNAME")]
        while self._name == "COMMA":
            self._take()
            names.append(self._expect("COLUMNNAME"))
        descending = self._name == "DESC"
        if self._name in ("ASC", "DESC"):
            self._take()
        return tuple(names), descending

    def _limit(self) -> tuple[Value, ...]:
        self._take()
        values = [self._value()]
        if self._name == "COMMA":
            self._take()
            values.append(self._value())
        return tuple(values)
