"""From the text of a statement to a Select, by recursive descent.

The grammar, as measured on Vtiger 8.4 (keywords ignore case; module and field names do not):

```
statement  = SELECT what FROM module [WHERE any] [ORDER BY fields [ASC | DESC]]
             [LIMIT count | LIMIT offset , count] ;
what       = * | COUNT ( * ) | fields
fields     = field { , field }
any        = all { OR all }
all        = condition { AND condition }
condition  = field operator value | field IN ( value { , value } )
operator   = = | != | < | <= | > | >= | LIKE
value      = word | integer | 'text'
```

It is smaller than SQL. Where the text is right SQL and no VTQL, the message says what to write.
Some texts that the server takes are refused, because it misreads them without a word: limits that
are negative or no numbers, and a single backslash in a literal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from vtiger_async.vtql.lexemes import LiteralError, is_field, is_module, unquote, unquote_pattern
from vtiger_async.vtql.lexer import Kind, Token, syntax_error, tokens
from vtiger_async.vtql.normal import Alternatives
from vtiger_async.vtql.statement import Select
from vtiger_async.vtql.tree import MAX_DIGITS, OPERATORS, Condition, Scalar, Word, is_word

__all__ = ["statement_of"]

T = TypeVar("T")


def statement_of(text: str) -> Select:
    """Return the statement that `text` is; `vtql.parse` says the rest.

    Raises:
        QuerySyntaxError: It is not VTQL, or the server would misread it.
    """
    return _Parser(text).statement()


class _Parser:
    """One pass over one text, with one token of lookahead.

    `_expected` gathers what was looked for at the present token, so that an error can name it.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = tokens(source)
        self._token = next(self._tokens)
        self._before = ""
        self._expected: list[str] = []

    def statement(self) -> Select:
        self._require("select")
        is_count = self._accept("count", "COUNT(*)")
        fields: tuple[str, ...] = ()
        if is_count:
            for sign in "(*)":
                self._require(sign)
        elif not self._accept("*"):
            fields = self._list(self._field, ",")
        self._require("from")
        module = self._name(is_module, "a module")
        where_any: Alternatives = ()
        if self._accept("where"):
            where_any = self._list(self._all, "or")
        order_fields, descending = self._order()
        offset_by, limit_to = self._limit()
        self._require(";")
        if self._token.kind is not Kind.END:
            self._fail("nothing more")
        return Select(
            module,
            fields,
            is_count=is_count,
            where_any=where_any,
            order_fields=order_fields,
            descending=descending,
            limit_to=limit_to,
            offset_by=offset_by,
        )

    def _all(self) -> tuple[Condition, ...]:
        return self._list(self._condition, "and")

    def _condition(self) -> Condition:
        field = self._field()
        operator = self._operator()
        if operator != "IN":
            return Condition(field, operator, self._scalar(is_pattern=operator == "LIKE"))
        self._require("(")
        values = self._list(self._scalar, ",")
        self._require(")")
        return Condition(field, operator, values)

    def _operator(self) -> str:
        operator = next((one for one in OPERATORS if self._accept(one.lower(), one)), None)
        if operator is None:
            self._fail()
        return operator

    def _scalar(self, *, is_pattern: bool = False) -> Scalar:
        token = self._token
        value: Scalar
        if token.kind is Kind.LITERAL:
            value = self._unquoted(token, unquote_pattern if is_pattern else unquote)
        elif token.kind is Kind.INTEGER:
            value = self._integer(token)
        elif token.kind is Kind.WORD and is_word(token.text):
            value = Word(token.text)
        else:
            self._fail("a value")
        self._advance()
        return value

    def _unquoted(self, token: Token, read: Callable[[str], str]) -> str:
        try:
            return read(token.text)
        except LiteralError as error:
            offset = token.start + 1 + error.offset
            raise syntax_error(self._source, offset, f"in {token.shown}: {error}") from None

    def _integer(self, token: Token) -> int:
        if len(token.text.lstrip("-")) > MAX_DIGITS:
            message = f"found {token.shown}: an integer has at most {MAX_DIGITS} digits"
            raise syntax_error(self._source, token.start, message)
        return int(token.text)

    def _order(self) -> tuple[tuple[str, ...], bool]:
        if not self._accept("order", "ORDER BY"):
            return (), False
        self._require("by")
        fields = self._list(self._field, ",")
        descending = not self._accept("asc") and self._accept("desc")
        return fields, descending

    def _limit(self) -> tuple[int | None, int | None]:
        if not self._accept("limit"):
            return None, None
        first = self._count()
        return (first, self._count()) if self._accept(",", "a comma") else (None, first)

    def _count(self) -> int:
        token = self._token
        if token.kind is not Kind.INTEGER or token.text.startswith("-"):
            self._fail("a whole number")
        count = self._integer(token)
        self._advance()
        return count

    def _field(self) -> str:
        return self._name(is_field, "a field")

    def _name(self, is_name: Callable[[str], bool], label: str) -> str:
        token = self._token
        if token.kind is not Kind.WORD or not is_name(token.text):
            self._fail(label)
        self._advance()
        return token.text

    def _list(self, item: Callable[[], T], separator: str) -> tuple[T, ...]:
        items = [item()]
        while self._accept(separator, "a comma" if separator == "," else None):
            items.append(item())
        return tuple(items)

    def _require(self, key: str) -> None:
        if not self._accept(key):
            self._fail()

    def _accept(self, key: str, label: str | None = None) -> bool:
        """Step over the token if it is the keyword or sign `key`, and tell whether it was."""
        if self._token.key == key:
            self._advance()
            return True
        self._expected.append(label or key.upper())
        return False

    def _advance(self) -> None:
        self._before = self._token.key
        self._expected.clear()
        self._token = next(self._tokens)

    def _fail(self, label: str | None = None) -> NoReturn:
        """Raise the error for the present token, which could not be `label` either."""
        expected = [*self._expected, label] if label else self._expected
        *others, last = expected
        message = f"found {self._token.shown}, expected "
        message += f"{', '.join(others)} or {last}" if others else last
        from vtiger_async.vtql.remedies import remedy_for  # a table that only a fault needs

        remedy = remedy_for(expected, self._token.key, self._before)
        if remedy:
            message += f" ({remedy})"
        raise syntax_error(self._source, self._token.start, message)
