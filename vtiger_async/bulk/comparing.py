"""What a row would change of a record that is there."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from vtiger_async.models.echo import silent_changes
from vtiger_async.models.metadata import Module
from vtiger_async.types import FieldValue

__all__ = ["changed_fields"]

_TEXTS: Final = frozenset(
    (
        "email", "mediumtext", "phone", "picklist", "radio", "richtext", "skype", "string", "text",
        "url",
    )
)  # fmt: skip
"""Types whose values are the same only letter by letter: in a text, 1.1 and 1.10 are two things."""
_LINES: Final = "LineItems"


def changed_fields(
    module: Module,
    given: Mapping[str, FieldValue],
    sent: Mapping[str, Any],
    stored: Mapping[str, Any],
) -> list[str]:
    """Return the fields whose value would become another, in the order of the row.

    Values in another form are the same: numbers with other digits behind them, moments in UTC,
    empty and unset. Texts are compared letter by letter, but for entities of HTML, which the server
    decodes, and for white space at the ends.

    Args:
        module: The module's description.
        given: Python values by field.
        sent: The same as they would go out.
        stored: The record; with its lines, where lines are among the fields.
    """
    looser: dict[str, Any] = {}
    changed: set[str] = set()
    for name, value in sent.items():
        known = module.fields.get(name)
        if known is not None and known.type.name in _TEXTS:
            if not _is_same_text(value, stored.get(name)):
                changed.add(name)
        elif value != stored.get(name, ...):
            looser[name] = value
    if looser:
        for change in silent_changes(_without_doubt(module, given), looser, stored):
            name = change.field.partition("[")[0]
            # Of a field of lines that no answer shows nothing can be said.
            if name != _LINES or not change.is_ignored:
                changed.add(name)
    return [name for name in sent if name in changed]


def _is_same_text(sent: Any, stored: Any) -> bool:
    if sent == stored:
        return True
    before, after = (_text(value) for value in (sent, stored))
    return before == after or html.unescape(before) == html.unescape(after)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _without_doubt(module: Module, given: Mapping[str, FieldValue]) -> Mapping[str, FieldValue]:
    """Return the values with no text for a moment: what was converted is surely in UTC."""
    moments = {
        name: date.min
        for name, value in given.items()
        if isinstance(value, str)
        and (known := module.fields.get(name)) is not None
        and known.type.name == "datetime"
    }
    return {**given, **moments} if moments else given
