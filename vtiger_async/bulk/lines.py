"""Line items over several rows: rows of one key that follow each other are one document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from vtiger_async.bulk.convert import Converted
from vtiger_async.bulk.drafts import Draft
from vtiger_async.bulk.mapping import FieldMapping
from vtiger_async.bulk.matching import LINES, line_name
from vtiger_async.bulk.rows import Row
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue

__all__ = ["add_row", "has_line_columns", "put", "with_lines"]

_PLACE: Final = re.compile(rf"{LINES}\[(\d+)\]\.(\w+)", re.ASCII)


def has_line_columns(mapping: FieldMapping) -> bool:
    """Tell whether columns hold the fields of one line each."""
    return any(line_name(name) is not None for name in mapping.fields)


def put(fields: dict[str, Any], name: str, value: Any) -> None:
    """Set a field, or that of a line where the name is `LineItems[<place>].<field>`."""
    found = _PLACE.fullmatch(name)
    if found is None:
        fields[name] = value
    else:
        fields[LINES][int(found[1])][found[2]] = value


def with_lines(converted: Converted, place: int) -> Converted:
    """Return what a row says, its columns of a line made one line of `LineItems`.

    Args:
        converted: What the row says.
        place: The place that the line is to have.
    """
    line: dict[str, FieldValue] = {}
    fields: dict[str, FieldValue] = {}
    for name, value in converted.fields.items():
        part = line_name(name)
        if part is None:
            fields[name] = value
        elif value is not None:
            line[part] = value
    pending = tuple(
        one
        if (part := line_name(one.field)) is None
        else attrs.evolve(one, field=f"{LINES}[{place}].{part}")
        for one in converted.pending
    )
    if line or pending != converted.pending:
        fields[LINES] = [line]
    return Converted(fields, pending, converted.problems)


def add_row(draft: Draft, number: int, row: Row, converted: Converted) -> None:
    """Add one row more to a document; what it says of the document itself has to agree.

    Args:
        draft: The document.
        number: The row's number.
        row: The row.
        converted: What it says, its line as `with_lines` made it.
    """
    draft.rows.append((number, row))
    for problem in converted.problems:
        draft.problems.append(attrs.evolve(problem, reason=f"row {number}: {problem.reason}"))
    fields = dict(converted.fields)
    lines = cast("list[Mapping[str, FieldValue]]", fields.pop(LINES, []))
    if lines:
        own = cast("list[Any]", draft.fields.setdefault(LINES, []))
        own.extend(lines)
    said = {one.field: one.text for one in draft.pending}
    for pending in converted.pending:
        if pending.field.startswith(f"{LINES}["):
            draft.pending.append(pending)
        elif said.get(pending.field) != pending.text:
            draft.problems.append(_other(pending.field, pending.text, number, draft))
    for name, value in fields.items():
        if value is not None and draft.fields.get(name) != value:
            draft.problems.append(_other(name, value, number, draft))


def _other(name: str, value: object, number: int, draft: Draft) -> Problem:
    reason = f"row {number} says otherwise than row {draft.row}, which is the same document"
    return Problem(name, value, reason, "leave it empty there, or give the rows different keys")
