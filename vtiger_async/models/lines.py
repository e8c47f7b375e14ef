"""What a write with line items needs beside them, and what is wrong with them before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.inventory import WRITTEN_BY_CRM, LineItem
from vtiger_async.models.metadata import Module
from vtiger_async.problems import Problem, SilentChange, shortened
from vtiger_async.types import ID_FORM, FieldValue, is_list, is_map
from vtiger_async.values import NUMBER_FORM, scalar_text

__all__ = ["checked_lines", "dropped_lines", "filled", "line_changes", "line_problems"]

_NUMBER = re.compile(r"quantity|listprice|discount_percent|discount_amount|tax\d+", re.ASCII)
_TAX = re.compile(r"tax\d+", re.ASCII)
_PRODUCTS = ("Products", "Services")

Line = Mapping[str, FieldValue]
"""One line as it is given: a LineItem, or any mapping of its fields."""


def checked_lines(value: FieldValue) -> list[Line]:
    """Return the lines if they are a list of mappings that holds some.

    Raises:
        InvalidArgumentError: They are not.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            raise InvalidArgumentError(
                "an empty LineItems says nothing that Vtiger understands: leave it out to keep the "
                "lines; a document cannot be without any"
            )
        lines = [line for line in value if isinstance(line, Mapping)]
        if len(lines) == len(value):
            return lines
    raise InvalidArgumentError(
        "LineItems is a list of LineItem, or of mappings with productid, quantity and listprice"
    )


def line_problems(lines: Sequence[Line], prefixes: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with the values of lines.

    The server refuses a line without a product; text in a number it stores as 0 (measured on
    Vtiger 8.4).

    Args:
        lines: The lines.
        prefixes: Module names by the prefix of their records' ids, as far as known.
    """
    found: list[Problem] = []
    for place, line in enumerate(lines):
        where = f"LineItems[{place}]"
        product = line.get("productid")
        module = prefixes.get(str(product).partition("x")[0])
        remedy = "give the id of a product or service, as in 6x12"
        if not isinstance(product, str) or ID_FORM.fullmatch(product) is None:
            reason = f"{shortened(product)} is not a record's id"
            found.append(Problem(f"{where}.productid", product, reason, remedy))
        elif module is not None and module not in _PRODUCTS:
            reason = f"{product} is of {module}"
            found.append(Problem(f"{where}.productid", product, reason, remedy))
        for name, value in line.items():
            if _NUMBER.fullmatch(name) and value not in (None, "") and not _is_number(value, where):
                reason = f"{shortened(value)} is not a number as Vtiger reads it"
                found.append(Problem(f"{where}.{name}", value, reason, "give a Decimal or an int"))
    return found


def _is_number(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return NUMBER_FORM.fullmatch(scalar_text(value, where)) is not None
    except InvalidArgumentError:
        return False


def filled(
    fields: Mapping[str, FieldValue], lines: Sequence[Line], described: Module | None
) -> dict[str, FieldValue]:
    """Return the fields with what Vtiger wants beside the lines, as far as it is not given.

    That is the `productid` of the document (measured on Vtiger 8.4: mandatory), for which it takes
    the first line's, and how taxes count: of the whole where all lines have the same, else by line,
    at which Vtiger 8.4 fails with HTTP 500 (measured). The currency and its rate have defaults in
    the CRM.

    Args:
        fields: The fields of a create or an update.
        lines: The lines among them.
        described: The module's description, if kept: a field that it lacks is not filled in.
    """
    first, *others = (_taxes(line) for line in lines)
    taxed = any(rates != first for rates in others)
    wanted: dict[str, FieldValue] = {
        "productid": lines[0].get("productid"),
        "hdnTaxType": "individual" if taxed else "group",
    }
    return {
        **{n: v for n, v in wanted.items() if described is None or n in described.fields},
        **fields,
    }


def _taxes(line: Line) -> dict[str, Decimal]:
    """Return the rates of a line that are not zero; what is no number counts as none."""
    rates: dict[str, Decimal] = {}
    for name, value in line.items():
        text = str(value or 0).strip()
        if _TAX.fullmatch(name) and NUMBER_FORM.fullmatch(text):
            rates[name] = Decimal(text)
    return {name: rate for name, rate in rates.items() if rate}


def dropped_lines(before: Sequence[LineItem], lines: Sequence[Line]) -> list[LineItem]:
    """Return the lines whose product is not among those given, or not as often."""
    given = [str(line.get("productid")) for line in lines]
    dropped: list[LineItem] = []
    for line in before:
        if line.productid in given:
            given.remove(line.productid)
        else:
            dropped.append(line)
    return dropped


def line_changes(
    sent: Sequence[Mapping[str, Any]], stored: object, is_same: Any
) -> list[SilentChange]:
    """Return what became of the lines that were sent, where it is something else.

    Args:
        sent: The lines as they went out.
        stored: The lines that came back; nothing is said of anything but a list.
        is_same: Tells whether a sent value and a stored one mean the same.
    """
    if not is_list(stored):
        return []
    lines = sorted(stored, key=_place)
    if len(lines) != len(sent) or not all(map(is_map, lines)):
        return [SilentChange("LineItems", f"{len(sent)} lines", f"{len(lines)} lines")]
    changes: list[SilentChange] = []
    for place, (line, found) in enumerate(zip(sent, lines, strict=True)):
        for name, value in line.items():
            if name in WRITTEN_BY_CRM:
                continue
            where = f"LineItems[{place}].{name}"
            if name not in found:
                changes.append(SilentChange(where, value, None, is_ignored=True))
            elif not is_same(value, found[name]):
                changes.append(SilentChange(where, value, found[name]))
    return changes


def _place(line: Any) -> int:
    text = str(line.get("sequence_no")) if is_map(line) else ""
    return int(text) if text.isdecimal() else 0
