r"""Quoted text and LIKE patterns, in both directions.

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

__all__ = [
    "LiteralError",
    "escape_pattern",
    "pattern_fault",
    "quote",
    "quote_pattern",
    "unquote",
    "unquote_pattern",
]

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
