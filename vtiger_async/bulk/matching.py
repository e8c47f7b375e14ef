"""Which field of a module a name stands for, and which fields cannot be loaded."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from vtiger_async.models.metadata import Module

__all__ = ["LINES", "Names", "folded", "has_lines", "is_of_lines", "line_name", "matched"]

LINES: Final = "LineItems"
"""The field that holds the lines of a quote, an order or an invoice."""
_LINE_FIELDS: Final = (
    "productid", "quantity", "listprice", "comment", "discount_amount", "discount_percent",
    "description",
)  # fmt: skip
_LINE_MORE: Final = re.compile(r"tax\d+|cf_\w+", re.ASCII)
_DESCRIBED_AS_FIELDS: Final = re.compile(
    r"productid|quantity|listprice|comment|discount_amount|discount_percent|tax\d+", re.ASCII
)
"""Fields of the lines that `describe` lists among those of the document (measured on 8.4)."""


def folded(text: str) -> str:
    """Return a name without case, punctuation and white space, for comparing."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in plain if char.isalnum())


def has_lines(module: Module) -> bool:
    """Tell whether records of the module have line items."""
    return "hdnGrandTotal" in module.fields


def line_name(field: str) -> str | None:
    """Return the name of a line's field out of `LineItems.<name>`; None if it is another field."""
    head, dot, name = field.partition(".")
    return name if dot and head == LINES else None


def is_of_lines(field: str) -> bool:
    """Tell whether a name is that of the lines, or of something of them (`LineItems[0].tax1`)."""
    return re.split(r"[\[.]", field, maxsplit=1)[0] == LINES


class Names:
    """The names by which the fields of a module may be called.

    Args:
        module: The module.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self._lines = has_lines(module)
        self._labels: dict[str, set[str]] = {}
        self._folded: dict[str, set[str]] = {}
        for name, field in module.fields.items():
            if name == "id":  # only its exact name: a label as "Contact Id" may mean anything
                continue
            label = html.unescape(field.label).strip()
            self._labels.setdefault(label, set()).add(name)
            for text in (name, label):
                self._folded.setdefault(folded(text), set()).add(name)
        self._folded.pop("", None)

    def find(self, text: str) -> tuple[str, ...]:
        """Return the fields that a text can stand for, by name or label.

        A name or a label as it is counts before one that differs in case or punctuation. Fields of
        lines are given as `LineItems.<name>`.
        """
        if self._lines and (text == LINES or _is_line_field(line_name(text))):
            return (text,)
        exact = self._labels.get(text, set()) | ({text} & self.module.fields.keys())
        found = exact or self._folded.get(folded(text), set())
        return tuple(sorted(self._placed(name) for name in found))

    def named(self, text: str) -> tuple[str, ...]:
        """Return what `find` does, but a field's exact name stands for that field alone."""
        return (self._placed(text),) if text in self.module.fields else self.find(text)

    def _placed(self, name: str) -> str:
        if self._lines and _DESCRIBED_AS_FIELDS.fullmatch(name):
            return f"{LINES}.{name}"
        return name

    def fault(self, name: str) -> str:
        """Return why a field of this module cannot be loaded; empty if it can."""
        field = self.module.fields.get(name)
        if field is None or field.editable or name == "id":
            return ""
        return f"{name} is read-only: only the CRM writes it"

    def unknown(self, text: str) -> str:
        """Return what to say of a text that stands for no field, with the nearest one."""
        name = self.module.name
        if text in self.module.inactive_fields:
            return f"{text} is switched off on this instance"
        if line_name(text) is not None:
            if not self._lines:
                return f"records of {name} have no line items"
            names = [f"{LINES}.{field}" for field in _LINE_FIELDS]
        else:
            labels = (html.unescape(field.label) for field in self.module.fields.values())
            names = [*self.module.fields, *labels]
        near = get_close_matches(text, names, 1) or self._near_folded(text)
        hint = f": is {near[0]!r} meant?" if near else f": describe({name!r}) has the names"
        return f"{name} has no field {text!r}, or hides it from this user{hint}"

    def _near_folded(self, text: str) -> Sequence[str]:
        near = get_close_matches(folded(text), [*self._folded], 1)
        return sorted(self._folded[near[0]])[:1] if near else ()


def _is_line_field(name: str | None) -> bool:
    return name is not None and (name in _LINE_FIELDS or _LINE_MORE.fullmatch(name) is not None)


def matched(columns: Sequence[str], module: Module) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fields by column, where there is no doubt, and why others are left out.

    Args:
        columns: The columns of an input.
        module: The module they are to be loaded into.

    Returns:
        Field names by column; reasons by column.
    """
    names = Names(module)
    found: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for column in columns:
        candidates = names.find(column)
        if len(candidates) == 1 and not names.fault(candidates[0]):
            found[column] = candidates[0]
        elif len(candidates) == 1:
            reasons[column] = names.fault(candidates[0])
        elif candidates:
            reasons[column] = f"may stand for {' or '.join(candidates)}"
        else:
            reasons[column] = names.unknown(column)
    by_field: dict[str, list[str]] = {}
    for column, name in found.items():
        by_field.setdefault(name, []).append(column)
    for name, sharing in by_field.items():
        if len(sharing) > 1:
            for column in sharing:
                others = ", ".join(repr(other) for other in sharing if other != column)
                reasons[column] = f"{others} may stand for {name}, too"
                del found[column]
    return found, {column: reasons[column] for column in columns if column in reasons}
