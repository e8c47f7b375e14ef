"""Line items of invoices, quotes, sales orders and purchase orders.

Measured on Vtiger 8.4: `create` wants a non-empty LineItems and a top-level productid; a revise
with LineItems replaces all of them and one without keeps them; only retrieve and the echoes show
them. The echo's totals are numbers, those of retrieve are strings.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import cast

from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call, Element, bad_id, split_id
from vtiger_async.sandbox.schema import LINE_ITEM, SCHEMA, Module
from vtiger_async.sandbox.store import LIVE, Row, Store
from vtiger_async.sandbox.stored_form import as_text, clipped, number_of, stored_form

__all__ = ["TOTALS", "add_lines", "given_lines", "replace_lines", "totals", "with_lines"]

TOTALS = ("hdnSubTotal", "hdnGrandTotal", "pre_tax_total")
"""The fields that follow from the line items."""

_LINE = SCHEMA.modules[LINE_ITEM]


def given_lines(element: Element) -> list[Element]:
    """Return the line items of an element, checked.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for a line without product, REFERENCE_INVALID for a line whose
            product is neither a product nor a service.
    """
    given = element.get("LineItems")
    lines = cast("list[object]", given) if isinstance(given, list) else []
    checked: list[Element] = []
    for line in lines:
        item = cast("Element", line) if isinstance(line, dict) else {}
        product = split_id(as_text(item.get("productid")))
        if product is None:
            raise bad_id()
        module = SCHEMA.by_prefix.get(product[0])
        if module is None or module.name not in _LINE.fields["productid"].refers_to:
            raise Fault("REFERENCE_INVALID", "Invalid reference specified for productid")
        checked.append(item)
    return checked


def totals(lines: Iterable[Element], adjustment: str | None) -> dict[str, str | None]:
    """Return the totals that follow from the line items and the document's adjustment."""
    total = Decimal(0)
    for line in lines:
        price = number_of(str(line.get("quantity") or 1)) * number_of(
            str(line.get("listprice") or 0)
        )
        percent = number_of(str(line.get("discount_percent") or 0))
        price -= price * percent / 100 + number_of(str(line.get("discount_amount") or 0))
        taxes = sum((number_of(str(line.get(f"tax{n}") or 0)) for n in (1, 2, 3)), Decimal(0))
        total += price + price * taxes / 100
    text = format(clipped(total).quantize(Decimal("1e-8")), "f")
    grand = clipped(total + number_of(adjustment or "0")).quantize(Decimal("1e-8"))
    return {"hdnSubTotal": text, "hdnGrandTotal": format(grand, "f"), "pre_tax_total": text}


def add_lines(store: Store, parent: str, lines: Iterable[Element]) -> None:
    """Store the line items of a record."""
    for place, line in enumerate(lines, 1):
        row: list[str | None] = list(_LINE.empty_row)
        row[_LINE.columns["quantity"]] = "1.000"
        for name, value in line.items():
            item = _LINE.fields.get(name)
            if item is not None and item.kind != "reference" and value not in (None, ""):
                row[_LINE.columns[name]] = stored_form(item, value)
        row[_LINE.columns["parent_id"]] = parent
        row[_LINE.columns["productid"]] = as_text(line["productid"])
        row[_LINE.columns["sequence_no"]] = str(place)
        row[_LINE.columns["incrementondel"]] = "1"
        store.insert(_LINE, store.next_number(_LINE), tuple(row), LIVE)


def replace_lines(store: Store, parent: str, lines: Iterable[Element]) -> None:
    """Store other line items in place of those that a record has."""
    store.run(f"DELETE FROM {LINE_ITEM} WHERE parent_id = ?", (parent,))
    add_lines(store, parent, lines)


def _shown(store: Store, number: int, row: Row) -> dict[str, object]:
    shown: dict[str, object] = dict(zip(_LINE.columns, row, strict=True))
    prefix, _, product = str(shown["productid"]).partition("x")
    module = SCHEMA.by_prefix[int(prefix)]
    found = store.record(module, int(product))
    shown["id"] = _LINE.record_id(number)
    shown["product_name"] = found[0] if found else None
    shown["entity_type"] = module.name
    shown["deleted"] = "0" if found else "1"
    return shown


def with_lines(call: Call, module: Module, record: dict[str, object], *, echo: bool) -> None:
    """Add the line items to a record's full form, where its module has any.

    Args:
        call: The call that asks.
        module: The record's module.
        record: The full form, which is changed.
        echo: Whether it answers a write, where totals are numbers.
    """
    if not module.has_lines:
        return
    store = call.store
    sql = f"SELECT * FROM {LINE_ITEM} WHERE parent_id = ? ORDER BY n"
    rows = store.rows(sql, (record["id"],))
    lines = [_shown(store, row[0], row[2:]) for row in rows]
    record["LineItems"] = lines
    if echo:
        for name in TOTALS:
            total = float(cast("str", record[name]))
            record[name] = int(total) if total.is_integer() else total
        return
    record["productid"] = lines[0]["productid"] if lines else None
    record["LineItems_FinalDetails"] = {
        str(place): {
            f"hdnProductId{place}": str(line["productid"]).partition("x")[2],
            f"productName{place}": line["product_name"],
            f"productDeleted{place}": line["deleted"] == "1",
            f"qty{place}": line["quantity"],
            f"listPrice{place}": line["listprice"],
            f"discount_percent{place}": 0,
            f"subprod_qty_list{place}": [],
        }
        for place, line in enumerate(lines, 1)
    }
