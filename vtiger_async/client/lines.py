"""Writes with line items: what goes with them, what they would drop, and what became of them.

Loaded by the first such write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Literal, Protocol

from vtiger_async.client.core import Core
from vtiger_async.errors import (
    InvalidArgumentError,
    LineItemsError,
    OutcomeUnknownError,
    ServerError,
    ValidationError,
    VtigerError,
)
from vtiger_async.models.echo import silent_changes
from vtiger_async.models.inventory import LineItem, lines_of
from vtiger_async.models.lines import checked_lines, dropped_lines, filled, line_problems
from vtiger_async.models.records import Record
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue, RecordId
from vtiger_async.wire.encode import encode_element

__all__ = ["change_lines", "prepared"]

_NAMED = 3
"""Dropped lines that a message names."""


class Reader(Protocol):
    """What reads a record, to see its lines."""

    async def retrieve(self, record_id: str) -> Record:
        """Return a record, whole."""
        ...


def prepared(
    core: Core,
    module: str | None,
    fields: Mapping[str, FieldValue],
    write: Literal["create", "update", "revise"],
    *,
    validate: Literal["auto"] | bool,
) -> Mapping[str, FieldValue]:
    """Return the fields with what goes with their line items; no call is spent.

    Args:
        core: What the client knows.
        module: The module, where it is known.
        fields: Python values by field name.
        write: The operation.
        validate: The client's setting; False checks the form of the list alone.

    Raises:
        InvalidArgumentError: The lines have not the form of a list of mappings, or are none.
        ValidationError: A create lacks them, or a line has a value that cannot be.
    """
    if "LineItems" not in fields or (write == "create" and not fields["LineItems"]):
        if validate is False:
            return fields
        remedy = "give a list of LineItem, or of mappings with productid, quantity and listprice"
        problem = Problem("LineItems", None, "a record of this module has lines", remedy)
        raise ValidationError(problems=(problem,), operation=write, module=module)
    try:
        lines = checked_lines(fields["LineItems"])
    except InvalidArgumentError as error:
        error.operation, error.module = write, module
        raise
    problems = line_problems(lines, core.prefixes) if validate is not False else []
    if problems:
        raise ValidationError(problems=tuple(problems), operation=write, module=module)
    if write == "revise":
        return fields
    return filled(fields, lines, core.cached(module) if module else None)


async def change_lines(
    reader: Reader,
    write: Callable[[], Awaitable[Record]],
    rid: RecordId,
    fields: Mapping[str, FieldValue],
    operation: Literal["update", "revise"],
    *,
    replace: bool,
) -> Record:
    """Replace a record's line items, unless that would drop one that nobody spoke of.

    Args:
        reader: Reads the record before (unless `replace`), and after a failure.
        write: Makes the call.
        rid: The record.
        fields: What is written, line items among it.
        operation: The operation.
        replace: Whether lines may be dropped.

    Raises:
        InvalidArgumentError: A line of the record is not among those given; nothing was sent.
        LineItemsError: The write failed after it was sent, and did not do what was asked.
    """
    lines = checked_lines(fields["LineItems"])
    before: tuple[LineItem, ...] | None = None
    if not replace:
        before = lines_of((await reader.retrieve(rid)).fields)
        dropped = dropped_lines(before, lines)
        if dropped:
            raise InvalidArgumentError(
                f"LineItems replaces every line, and {len(dropped)} of {len(before)} are not among "
                f"those given ({_names(dropped)}): give all, as [*record.line_items, ...], or "
                "replace_lines=True to drop them",
                operation=operation,
                record_id=rid,
            )
    try:
        return await write()
    except (OutcomeUnknownError, ServerError) as error:
        if isinstance(error, ServerError) and (error.status or 0) < 500:
            raise
        return await _settled(reader, rid, fields, before, error)


async def _settled(
    reader: Reader,
    rid: RecordId,
    fields: Mapping[str, FieldValue],
    before: tuple[LineItem, ...] | None,
    error: VtigerError,
) -> Record:
    """Return the record if it is now as it was to be.

    Raises:
        LineItemsError: It is not, or cannot be read.
    """
    now: tuple[LineItem, ...] | None = None
    try:
        record = await reader.retrieve(rid)
        now = lines_of(record.fields)
    except VtigerError:
        found = "what it has now could not be read"
    else:
        sent = encode_element(str(rid), fields)
        totalled = _is_totalled(now, record)
        if now and totalled and not silent_changes(fields, sent, record.fields):
            return record
        found = f"it has {len(now)} lines now" + ("" if totalled else ", and its totals are 0")
    had = "" if before is None else f", and had {len(before)}"
    raise LineItemsError(
        f"{error.message}: the line items were to be replaced; {found}{had}",
        lines_before=before,
        lines_now=now,
        operation=error.operation,
        module=error.module,
        record_id=rid,
        status=error.status,
        code=error.code,
        call_id=error.call_id,
        attempts=error.attempts,
    ) from error


def _is_totalled(lines: tuple[LineItem, ...], record: Record) -> bool:
    """Tell whether the totals are there: the open source fails before it has worked them out."""
    subtotal = record.fields.get("hdnSubTotal")
    return subtotal is None or bool(Decimal(str(subtotal or 0))) or not any(li.net for li in lines)


def _names(lines: list[LineItem]) -> str:
    shown = [f"{line.productid}{_title(line)}" for line in lines[:_NAMED]]
    return ", ".join(shown) + (", ..." if len(lines) > _NAMED else "")


def _title(line: LineItem) -> str:
    name = line.written.get("product_name")
    return f" {name!r}" if name else ""
