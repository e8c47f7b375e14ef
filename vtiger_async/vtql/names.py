"""The names that a statement may use: modules, fields, and the words that are taken.

The forms are those of Vtiger's own modules and fields. The words are the keywords of the language
(manual of 2025, "Query"); `orderby` is one too, because the server's lexer takes it for a clause.
"""

from __future__ import annotations

import re
from typing import Final

from vtiger_async.errors import InvalidArgumentError

__all__ = ["KEYWORDS", "check_field", "check_module", "is_field", "is_module"]

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
