"""How the database compares text: without case, without accents, without trailing spaces.

Measured on Vtiger 8.4 (MariaDB with a general collation): 'Qe' = 'Qé', and `= ' '` matches ''.
"""

from __future__ import annotations

import unicodedata

__all__ = ["fold", "fold_pattern", "mysql_text", "pattern_prefix"]

_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}


def _bare(text: str) -> str:
    if text.isascii():
        return text.lower()
    split = unicodedata.normalize("NFKD", text)
    return "".join(c for c in split if not unicodedata.combining(c)).casefold()


def fold(text: str | None) -> str | None:
    """Return the text as the database compares it; a function of SQL, too."""
    return None if text is None else _bare(text).rstrip(" ")


def fold_pattern(pattern: str) -> str:
    """Return a LIKE pattern as the database compares it; its trailing spaces count."""
    return _bare(pattern)


def mysql_text(raw: str, *, pattern: bool) -> str | None:
    r"""Return what MySQL reads in the literal `'raw'`, or None where the literal does not end.

    `\\` is one backslash, `\%` and `\_` stay as they are (LIKE reads them again), and a backslash
    before another character is dropped. A backslash at the end escapes the closing quote: the rest
    of the statement is then part of the literal, and the SQL is broken.

    Args:
        raw: The text between the quotes, with doubled quotes already read as one.
        pattern: Whether it is for LIKE. Outside LIKE, too, `\%` and `\_` keep their backslash.
    """
    if "\\" not in raw:
        return raw
    out: list[str] = []
    chars = iter(raw)
    for char in chars:
        if char != "\\":
            out.append(char)
            continue
        after = next(chars, None)
        if after is None:
            return None
        out.append("\\" + after if after in "%_" else _ESCAPED.get(after, after))
    text = "".join(out)
    # What LIKE cannot read as an escape stands for itself there: SQLite would refuse it.
    return _readable(text) if pattern else text


def _readable(pattern: str) -> str:
    r"""Return the pattern with each `\x` that SQLite's LIKE refuses written as what MySQL means."""
    out: list[str] = []
    chars = iter(pattern)
    for char in chars:
        if char != "\\":
            out.append(char)
            continue
        after = next(chars, "\\")
        out.append("\\" + after if after in "%_\\" else after)
    return "".join(out)


def pattern_prefix(pattern: str) -> str:
    """Return the literal start of a LIKE pattern, up to its first wildcard or escape."""
    for place, char in enumerate(pattern):
        if char in "%_\\":
            return pattern[:place]
    return pattern
