"""How records look on the wire: in a query's rows, and in the fuller form of retrieve and echoes.

Measured on Vtiger 8.4: values are strings or null; an unset date is null in a query and "" in
retrieve; only retrieve and the echoes have `label`, which is HTML-escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import lru_cache
from html.entities import codepoint2name

from attrs import frozen

from vtiger_async.sandbox.calls import Call, Element
from vtiger_async.sandbox.schema import Field, Module
from vtiger_async.sandbox.store import Row, Store
from vtiger_async.sandbox.stored_form import MASK, as_text, plain_text

__all__ = [
    "View", "escaped", "full_form", "is_star_known", "keep_label", "label_of", "row_form",
    "unset_in_row", "view_of",
]  # fmt: skip

_LABEL = "label"  # the name of the note that keeps one
_LABEL_LENGTH = 255

_SCRIPT = "<script"  # lower case alone (measured)
_SPACES = " \t\n\r\0\x0b"  # what PHP trims


@frozen
class View:
    """What a user sees of a module.

    Attributes:
        fields: The stored fields, in order.
        names: Their names.
        places: Their places in a stored row.
        sensitive: The names of those that are masked.
        moments: The names of those that are null in a query and empty in a whole record.
    """

    fields: tuple[Field, ...]
    names: tuple[str, ...]
    places: tuple[int, ...]
    sensitive: tuple[str, ...]
    moments: tuple[str, ...]


@lru_cache(maxsize=256)
def _view(module: Module, hidden: frozenset[tuple[str, str]]) -> View:
    fields = tuple(
        f for f in module.stored if "secret" not in f.flags and (module.name, f.name) not in hidden
    )
    return View(
        fields=fields,
        names=tuple(f.name for f in fields),
        places=tuple(module.columns[f.name] for f in fields),
        sensitive=tuple(f.name for f in fields if "sensitive" in f.flags),
        moments=tuple(
            f.name for f in fields if f.kind in ("date", "datetime") or "null" in f.flags
        ),
    )


def view_of(call: Call, module: Module) -> View:
    """Return what the caller sees of the module."""
    return _view(module, call.user.hidden_fields)


def keep_label(call: Call, module: Module, number: int, element: Element, row: Row) -> None:
    """Keep the label that a write makes, where the stored fields do not make the same.

    Vtiger stores a record's label beside its fields, made of the text as it was sent: a field that
    is cut leaves it whole (measured). The next write makes it anew.

    Args:
        call: The call.
        module: The module.
        number: The record's number.
        element: What was sent.
        row: What is stored.
    """
    if not module.is_entity or not module.label_fields:
        return
    sent = [
        as_text(element[name]) if name in element else row[module.columns[name]] or ""
        for name in module.label_fields
    ]
    label = plain_text(" ".join(sent).strip(_SPACES), _LABEL_LENGTH)
    stored = " ".join(row[module.columns[name]] or "" for name in module.label_fields)
    stored = stored.strip(_SPACES)
    call.store.keep_note(number, _LABEL, None if label == stored else label)


def label_of(store: Store, module: Module, number: int, row: Row, *, entities: bool = False) -> str:
    """Return the record's label, HTML-escaped as Vtiger sends it.

    Args:
        store: The database, which keeps the labels that its fields do not make.
        module: The module.
        number: The record's number.
        row: Its stored values.
        entities: Whether each character that HTML 4 names becomes its entity.
    """
    names = " ".join(row[module.columns[name]] or "" for name in module.label_fields)
    text = store.note(number, _LABEL) or names.strip(_SPACES)
    if text in ("", "0"):
        text = names  # PHP takes "0" for empty, and joins the names again, a space before it
    return escaped(text) if entities else html.escape(text, quote=True)


def escaped(text: str) -> str:
    """Return a text with an entity for each character that HTML 4 names, as PHP writes it."""
    return "".join(_entity(char) for char in text)


def _entity(char: str) -> str:
    name = "" if char == "'" else codepoint2name.get(ord(char), "")
    return f"&{name};" if name else ("&#039;" if char == "'" else char)


def row_form(
    module: Module, number: int, names: Sequence[str], values: Sequence[str | None]
) -> dict[str, object]:
    """Return one row of a query.

    Args:
        module: The module.
        number: The record's number.
        names: The fields' names.
        values: Their values, in the same order.
    """
    record: dict[str, object] = dict(zip(names, values, strict=True))
    record["id"] = module.record_id(number)
    return record


def is_star_known(call: Call, record: dict[str, object]) -> bool:
    """Return whether `starred` says something to the caller (see the profile)."""
    return not call.profile.starred_by_writer or record.get("modifiedby") == call.user.id


def unset_in_row(call: Call, module: Module, record: dict[str, object]) -> None:
    """Write null into a row for the fields that nobody has written (see the profile)."""
    for where, name, _ in call.profile.unset:
        if where == module.name and record.get(name, "x") in ("", "0", "0.00"):
            record[name] = None


def _blank(call: Call, module: Module, record: dict[str, object]) -> None:
    """Write into a record what its unset fields read as (see the profile)."""
    for where, name, value in call.profile.unset:
        if where == module.name and record.get(name, "x") in (None, "", "0", "0.00"):
            record[name] = value
    for where, name in call.profile.unread:
        if where == module.name:
            record.pop(name, None)
    if record.get("starred") == "0" and not is_star_known(call, record):
        record["starred"] = ""


def full_form(
    call: Call, module: Module, number: int, row: Row, *, escaped: bool
) -> dict[str, object]:
    """Return the record as retrieve and the echo of a write show it.

    Args:
        call: The call that asks.
        module: The module.
        number: The record's number.
        row: Its stored values.
        escaped: Whether texts with a script are escaped, as retrieve does.
    """
    view = view_of(call, module)
    record = row_form(module, number, view.names, [row[place] for place in view.places])
    for name in view.moments:
        if record[name] is None:
            record[name] = ""
    for name in view.sensitive:
        if record[name]:
            record[name] = MASK
    if escaped:
        for name, value in record.items():
            if isinstance(value, str) and _SCRIPT in value:
                record[name] = value.replace("<", "&lt;").replace(">", "&gt;")
    _blank(call, module, record)
    files = call.store.rows("SELECT n FROM files WHERE parent = ?", (record["id"],))
    if files:
        record["imageattachmentids"] = ",".join(module.record_id(row[0]) for row in files)
    plain = dict(call.profile.plain_ids)
    if plain.get(module.name):
        record[plain[module.name]] = str(number)
    elif module.label_fields and module.name not in plain:
        entities = call.profile.entities_in_labels
        label = label_of(call.store, module, number, row, entities=entities)
        if label not in ("", "0"):
            record["label"] = label
    return record
