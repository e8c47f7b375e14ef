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
    r"(?P<space>[ \t\r\n]+)|(?P<quoted>'(?:[^']|'')+')|(?P<word>-?[A-Za-z0-9_]+)"
    r"|(?P<sign>!=|<=|>=|[=<>*,();])"
)
_SIGNS = {
    "=": "EQ", "!=": "NE", "<": "LT", ">": "GT", "<=": "LTE", ">=": "GTE", "*": "ASTERISK",
    ",": "COMMA", "(": "PARENOPEN", ")": "PARENCLOSE", ";": "SEMICOLON",
}  # fmt: skip
_KEYWORDS = {
    "select": "SELECT", "from": "FROM", "where": "WHERE", "and": "LOGICAL_AND",
    "or": "LOGICAL_OR", "in": "IN", "like": "LIKE", "order": "ORDERBY", "by": "BY",
    "limit": "LIMIT", "asc": "ASC", "desc": "DESC",
}  # fmt: skip
_OPERATORS = "EQ,LT,GT,LTE,GTE,NE,IN,LIKE"
_MODULE = re.compile(r"from +([^\s;]+)", re.IGNORECASE)

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
    """Return the module as the server finds it: after the first `from` that a space follows.

    The end of a field's name counts, too: `select cf_memberfrom from Contacts` asks for a module
    named `from` (read in public client code).
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


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise internal_error()
        place = found.end()
        kind = str(found.lastgroup)
        if kind != "space":
            yield kind, found[0], line
        line += found[0].count("\n")


class _Parser:
    """One pass over the tokens, which are read only as far as the statement makes sense."""

    def __init__(self, text: str) -> None:
        self._rest = _tokens(text)
        self._last = ""
        self._line = 1
        self._advance()

    def _advance(self) -> None:
        self._kind, self._text, self._line = next(self._rest, ("end", "", self._line))
        self._word = self._text.lower() if self._kind == "word" else ""

    def _at(self, *words: str) -> bool:
        """Return whether the next token is one of some keywords."""
        return self._word in words

    def _at_sign(self, *signs: str) -> bool:
        return self._kind == "sign" and self._text in signs

    def _at_end(self) -> bool:
        return self._kind == "end"

    def _take(self) -> str:
        text = self._last = self._text
        self._advance()
        return text

    def _fault(self, expected: str, name_of_word: str) -> Fault:
        """Return Vtiger's message; a word is called what the server takes it for there."""
        if self._at_end():
            token, name, text = self._last, "End of Input", "0"
        else:
            token = text = self._text
            if self._kind == "sign":
                name = _SIGNS[text]
            elif self._kind == "quoted":
                name = "VALUE"
            else:
                # After the statement, every word is a value to the server.
                name = _KEYWORDS.get(self._word, name_of_word) if expected else "VALUE"
        return Fault(
            "QUERY_SYNTAX_ERROR",
            f"Syntax Error on line {self._line}: token '{token}' Unexpected {name}({text}), "
            f"expected one of: {expected}",
        )

    def _sign(self, sign: str, expected: str, name_of_word: str) -> None:
        if not self._at_sign(sign):
            raise self._fault(expected, name_of_word)
        self._take()

    def statement(self) -> Statement:
        if not self._at("select"):
            if self._kind == "word":
                raise Fault(
                    "QUERY_SYNTAX_ERROR",
                    f"Syntax Error on line {self._line}: token '{self._text}' Unexpected "
                    f"Unknown({self._text}), expected one of: SELECT",
                )
            raise self._fault("SELECT", "Unknown")
        self._take()
        fields, is_count = self._projection()
        self._take()
        if self._kind != "word" or self._word in _KEYWORDS:
            raise self._fault("TABLENAME", "TABLENAME")
        module = self._take()
        where = self._where() if self._at("where") else ()
        order, descending = self._order() if self._at("order") else ((), False)
        limit = self._limit() if self._at("limit") else ()
        if self._at("group"):
            raise Fault("QUERY_SYNTAX_ERROR", "There is an syntax error in query")
        in_where = bool(where) and not order and not limit
        self._sign(";", "SEMICOLON", "COLUMNNAME" if in_where else "VALUE")
        if not self._at_end():
            raise self._fault("", "VALUE")
        return Statement(module, fields, is_count, where, order, descending, limit)

    def _projection(self) -> tuple[tuple[str, ...] | None, bool]:
        """Read what stands between SELECT and FROM."""
        if self._at_sign("*"):
            self._take()
            found: tuple[tuple[str, ...] | None, bool] = None, False
        else:
            names = [self._column()]
            if names[0].lower() == "count" and self._at_sign("("):
                self._take()
                self._sign("*", "ASTERISK", "COLUMNNAME")
                self._sign(")", "PARENCLOSE", "COLUMNNAME")
                found = (), True
            else:
                while self._at_sign(","):
                    self._take()
                    names.append(self._column())
                found = tuple(names), False
        if not self._at("from"):
            raise self._fault("SELECT", "COLUMNNAME")
        return found

    def _column(self, expected: str = "COLUMNNAME") -> str:
        if self._kind != "word" or self._word in _KEYWORDS:
            raise self._fault(expected, "COLUMNNAME")
        return self._take()

    def _where(self) -> tuple[tuple[Comparison, ...], ...]:
        """Read the conditions; AND binds before OR, and there are no parentheses."""
        alternatives: list[list[Comparison]] = [[]]
        while True:
            self._take()
            alternatives[-1].append(self._comparison())
            if self._at("or"):
                alternatives.append([])
            elif not self._at("and"):
                return tuple(tuple(group) for group in alternatives)

    def _comparison(self) -> Comparison:
        name = self._column()
        if self._at("in", "like"):
            operator = self._take().upper()
        elif self._at_sign("=", "!=", "<", ">", "<=", ">="):
            operator = self._take()
        else:
            raise self._fault(_OPERATORS, "VALUE")
        if operator != "IN":
            return Comparison(name, operator, (self._value(),))
        self._sign("(", "PARENOPEN", "VALUE")
        values = [self._value()]
        while self._at_sign(","):
            self._take()
            values.append(self._value())
        self._sign(")", "COMMA,PARENCLOSE", "VALUE")
        return Comparison(name, operator, tuple(values))

    def _value(self) -> Value:
        if self._kind == "quoted":
            return Value("quoted", self._take()[1:-1].replace("''", "'"))
        if self._kind == "word" and self._word not in _KEYWORDS:
            text = self._take()
            return Value("integer" if text.lstrip("-").isdigit() else "word", text)
        raise self._fault("VALUE", "VALUE")

    def _order(self) -> tuple[tuple[str, ...], bool]:
        self._take()
        if not self._at("by"):
            raise self._fault("BY", "VALUE")
        self._take()
        names = [self._column()]
        while self._at_sign(","):
            self._take()
            names.append(self._column())
        descending = self._at("desc")
        if self._at("asc", "desc"):
            self._take()
        return tuple(names), descending

    def _limit(self) -> tuple[Value, ...]:
        self._take()
        values = [self._value()]
        if self._at_sign(","):
            self._take()
            values.append(self._value())
        return tuple(values)
