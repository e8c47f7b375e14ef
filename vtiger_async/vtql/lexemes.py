r"""How names and values are written: the words a statement is made of.

Names have the forms of Vtiger's own modules and fields. The words that are taken are the keywords
of the language (manual of 2025, "Query"); `orderby` is one too, because the server's lexer takes it
for a clause.

A quoted literal is read twice: by Vtiger's lexer, for which only `'` is special, and by MariaDB,
for which `\` is special too. So `'` is written `''` and `\` is written `\\`; nothing else held for
every value tried, and a single `\` at the end of a value breaks out of the literal (measured on
Vtiger 8.4).

LIKE reads the text a third time. A pattern, as it stands in the tree, is what LIKE sees: `%` is
any text, `_` any one character, and `\%`, `\_`, `\\` are the characters themselves. In the
statement `\%` and `\_` stay as they are, and one literal backslash takes four (measured).
"""

from __future__ import annotations

import re
from typing import Final

from vtiger_async.errors import InvalidArgumentError

__all__ = [
    "KEYWORDS",
    "LiteralError",
    "check_field",
    "check_module",
    "escape_pattern",
    "is_field",
    "is_module",
    "pattern_fault",
    "quote",
    "quote_pattern",
    "unquote",
    "unquote_pattern",
]

KEYWORDS: Final = frozenset(
    {
        "and", "asc", "by", "count", "desc", "from", "in", "like", "limit", "or", "order",
        "orderby", "select", "where",
    }
)  # fmt: skip
"""The words, in lower case, that name neither a module nor a field nor a bare value."""

_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_module(text: str) -> bool:
    """Tell whether `text` can be a module's name."""
    return _MODULE.fullmatch(text) is not None and text.lower() not in KEYWORDS


def is_field(text: str) -> bool:
    """Tell whether `text` can be a field's name."""
    return _FIELD.fullmatch(text) is not None and text.lower() not in KEYWORDS


def check_module(name: object) -> str:
    """Return `name` as a plain str.

    Raises:
        InvalidArgumentError: It cannot be a module's name.
    """
    if isinstance(name, str) and is_module(name):
        return str.__str__(name)
    raise InvalidArgumentError(
        f"{_shown(name)} is not a module's name: a letter, then letters, digits and underscores, "
        "as in Contacts"
    )


def check_field(name: object, where: str) -> str:
    """Return `name` as a plain str.

    Args:
        name: The name of a field, as `describe` gives it.
        where: The place in the statement, for the error message (`"SELECT"`).

    Raises:
        InvalidArgumentError: It cannot be a field's name.
    """
    if isinstance(name, str) and is_field(name):
        return str.__str__(name)
    if name == "*":
        remedy = "leave the fields out to get all of them"
    elif isinstance(name, str) and "(" in name:
        remedy = "there are no functions; counting() makes a count(*) of a statement"
    elif isinstance(name, str) and "." in name:
        remedy = "a field of another module cannot be reached through a reference"
    elif isinstance(name, str) and name.lower() in KEYWORDS:
        remedy = "it is a word of the language"
    else:
        remedy = "a letter or underscore, then letters, digits and underscores, as in lastname"
    raise InvalidArgumentError(f"{where}: {_shown(name)} is not a field's name: {remedy}")


def _shown(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 60 else f"{text[:57]}..."


_WILD = re.compile(r"[\\%_]")
_PATTERN_ESCAPE = re.compile(r"\\[\\%_]")
_PATTERN = re.compile(r"(?:[^\\]|\\[\\%_])*")
_WRITTEN = re.compile(r"''|\\.?", re.DOTALL)


class LiteralError(ValueError):
    """The inside of a quoted literal does not say what it seems to say.

    Attributes:
        offset: Where in the inside of the literal, in characters from 0.
    """

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


def quote(text: str) -> str:
    """Return the literal that stands for `text`, for every operator but LIKE."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def quote_pattern(pattern: str) -> str:
    """Return the literal that stands for a LIKE pattern which `pattern_fault` finds sound."""
    escaped = _PATTERN_ESCAPE.sub(
        lambda match: "\\" * 4 if match[0] == "\\\\" else match[0], pattern
    )
    return "'" + escaped.replace("'", "''") + "'"


def escape_pattern(text: str) -> str:
    """Return the LIKE pattern that matches `text` and nothing else."""
    return _WILD.sub(lambda match: "\\" + match[0], text)


def pattern_fault(pattern: str) -> str | None:
    """Say what is wrong with a LIKE pattern, or return None."""
    if not pattern:
        return "an empty pattern cannot be written; ' ' (one space) matches empty values"
    if _PATTERN.fullmatch(pattern) is None:
        return (
            "a backslash in a LIKE pattern stands before %, _ or another backslash; "
            "two backslashes stand for one"
        )
    return None


def unquote(inside: str) -> str:
    r"""Return the text that the inside of a literal stands for.

    Raises:
        LiteralError: The text is empty, or a `\` is not doubled.
    """
    if not inside:
        raise LiteralError("the empty string cannot be written: = ' ' matches empty values")
    return _WRITTEN.sub(lambda match: _read_escape(match, kept=""), inside)


def unquote_pattern(inside: str) -> str:
    r"""Return the LIKE pattern that the inside of a literal stands for.

    Raises:
        LiteralError: It is empty, or a `\` stands before something that it does not escape.
    """
    pattern = _WRITTEN.sub(lambda match: _read_escape(match, kept="%_"), inside)
    fault = pattern_fault(pattern)
    if fault is None:
        return pattern
    if pattern:
        fault = r"in LIKE one backslash is written with four, and \% and \_ are % and _ themselves"
    raise LiteralError(fault)


def _read_escape(match: re.Match[str], *, kept: str) -> str:
    written = match[0]
    if written == "''":
        return "'"
    if written == "\\\\":
        return "\\"
    if written[1:] and written[1:] in kept:
        return written
    raise LiteralError(
        r"a backslash is written \\, and a quote '' (\' does not escape it)", match.start()
    )
