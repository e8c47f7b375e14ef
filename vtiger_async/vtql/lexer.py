"""From the text of a statement to its tokens.

The tokens are those of the server's lexer (measured on Vtiger 8.4): words, integers, single-quoted
literals, and `( ) , * ; = != < <= > >=`, with blanks, tabs and line ends between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final

from attrs import frozen

from vtiger_async.errors import QuerySyntaxError

__all__ = ["END", "Kind", "Token", "syntax_error", "tokens"]

END: Final = "<end>"
"""What stands for the end of the text, where a word or sign is wanted."""


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    INTEGER = auto()
    LITERAL = auto()
    SIGN = auto()
    END = auto()


@frozen
class Token:
    """One token of a statement.

    Attributes:
        kind: What it is.
        text: The token as it is written; of a LITERAL only the inside of the quotes.
        start: Where it begins, in characters from 0.
    """

    kind: Kind
    text: str
    start: int

    @property
    def key(self) -> str:
        """What grammar and remedies know it by: a word or sign in lower case, `END`, or nothing."""
        if self.kind is Kind.END:
            return END
        return self.text.lower() if self.kind in {Kind.WORD, Kind.SIGN} else ""

    @property
    def shown(self) -> str:
        """The token as an error message shows it."""
        if self.kind is Kind.END:
            return "the end of the statement"
        text = self.text if len(self.text) <= 40 else f"{self.text[:37]}..."
        return f"the literal '{text}'" if self.kind is Kind.LITERAL else f"'{text}'"


# What other languages have and this one has not. None of it can begin a token of a statement that
# is right, so it is looked for first, and named as what it was meant to be.
_FOREIGN: Final = tuple(
    (re.compile(pattern), remedy)
    for pattern, remedy in (
        (r"[\w.+-]+@[\w.-]+", "text stands in single quotes, as in 'name@example.com'"),
        (r"-?[0-9]*\.[0-9]+", "a decimal stands in single quotes, as in '1.5'"),
        (r"[0-9]+(?:-[0-9]+){2}", "a date stands in single quotes, as in '2026-01-31'"),
        (r"\w+\s*\.\s*[\w*]+", "there are no joins: a field of another module is out of reach"),
        (r"<>", "write != for not equal"),
        (r"==", "write a single ="),
        (r"--|/\*|\#", "there are no comments"),
        (r"&&|\|\||!(?!=)", "join conditions with AND and OR; NOT does not exist"),
        ('["`\u00b4\u2018\u2019\u201c\u201d]', "text stands in straight single quotes: 'Smith'"),
        (r"'(?:[^']|'')*\Z", "this quote is never closed; a quote inside a literal is written ''"),
        (r"[\x00-\x1f\x7f\s]", "only blanks, tabs and line ends stand between words"),
    )
)
_BLANK = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(
    r"""(?P<WORD>[A-Za-z0-9_]*[A-Za-z_][A-Za-z0-9_]*)
      | (?P<INTEGER>-?[0-9]+)
      | '(?P<LITERAL>(?:[^']|'')*)'
      | (?P<SIGN>[<>!]=|[()*,;=<>])""",
    re.VERBOSE,
)


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of a statement, the last one of kind END.

    Raises:
        QuerySyntaxError: Something is no token; the message says what to write instead.
    """
    try:
        source.encode()
    except UnicodeEncodeError as error:
        message = "found a lone surrogate, which UTF-8 cannot carry"
        raise syntax_error(source, error.start, message) from None
    stop = 0
    while (start := _skip_blanks(source, stop)) < len(source):
        _refuse_foreign(source, start)
        found = _TOKEN.match(source, start)
        if found is None:
            message = (
                "outside quotes there are only words, whole numbers and ( ) , * ; = != < > <= >="
            )
            raise syntax_error(source, start, f"found {source[start]!r} ({message})")
        name = found.lastgroup or ""
        yield Token(Kind[name], found[name], start)
        stop = found.end()
    yield Token(Kind.END, "", stop)


def _skip_blanks(source: str, position: int) -> int:
    found = _BLANK.match(source, position)
    return found.end() if found else position


def _refuse_foreign(source: str, start: int) -> None:
    for pattern, remedy in _FOREIGN:
        if found := pattern.match(source, start):
            raise syntax_error(source, start, f"found {found[0][:40]!r} ({remedy})")


def syntax_error(source: str, offset: int, message: str) -> QuerySyntaxError:
    """Return the error for a fault at `offset` (in characters from 0) of `source`."""
    lines = f"{source[:offset]}.".splitlines()
    line, column = len(lines), len(lines[-1])
    return QuerySyntaxError(
        f"line {line}, column {column}: {message}", line=line, column=column, source=source
    )
