"""Line items of invoices, quotes, sales orders and purchase orders.

Measured on Vtiger 8.4: `create` wants a non-empty LineItems and a top-level productid; a revise
with LineItems replaces all of them and one without keeps them; only retrieve and the echoes show
them. The echo of a create is the document as it was before it had lines, with the lines and totals
laid over it: its totals are numbers, and its details know of no line.
"""

# ruff: noqa: S608 - names in the SQL are those of the schema; values are bound
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from vtiger_async.sandbox.answers import Fault
from vtiger_async.sandbox.calls import Call, Element, bad_id, split_id
from vtiger_async.sandbox.inventory_details import Document, ShownLine, final_details, line_details
from vtiger_async.sandbox.inventory_totals import (
    INDIVIDUAL,
    TAXES,
    charges_of,
    chosen_taxes,
    number,
    shown_charges,
    totals,
)
from vtiger_async.sandbox.pricing import taxes_of
from vtiger_async.sandbox.reading import label_of
from vtiger_async.sandbox.schema import LINE_ITEM, SCHEMA, Module
from vtiger_async.sandbox.store import LIVE, Row, Store
from vtiger_async.sandbox.stored_form import as_text, stored_form

__all__ = [
    "add_lines",
    "drop_lines",
    "given_lines",
    "keep_charges",
    "lines_of",
    "own_amounts",
    "settle",
    "with_lines",
]

_LINE = SCHEMA.modules[LINE_ITEM]
_UNKNOWN = "Unknown Error while processing request"
_FACTORS = ("quantity", "listprice")
_NUMERIC = re.compile(r"\s*[+-]?\.?\d", re.ASCII)
_CHARGES = "charges"  # the name of the note that keeps them
_SETTLED = {"Invoice": "received", "PurchaseOrder": "paid"}


def given_lines(element: Element) -> list[Element]:
    """Return the line items of an element; a map of them counts as its values.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for a line without product, HTTP 500 for a line that is no map.
    """
    given = element.get("LineItems")
    if isinstance(given, dict):
        given = list(cast("Element", given).values())
    lines = cast("list[object]", given) if isinstance(given, list) else []
    checked: list[Element] = []
    for line in lines:
        if not isinstance(line, dict):
            raise Fault("INTERNAL_SERVER_ERROR", _UNKNOWN, 500)
        item = cast("Element", line)
        if split_id(as_text(item.get("productid"))) is None:
            raise bad_id()
        checked.append(item)
    return checked


def own_amounts(module: Module, element: Element) -> dict[str, str | None]:
    """Return the amounts of a document that are stored as they were sent, to all their decimals.

    A discount in money leaves none in percent, and a discount of zero none at all. The tax on
    charges is worked out from the charges alone.
    """
    sent = {name: number(as_text(element.get(name))) for name in _AMOUNTS}
    amount, percent = sent["hdnDiscountAmount"], sent["hdnDiscountPercent"]
    shipped = charges_of(element)
    values = {
        "txtAdjustment": sent["txtAdjustment"],
        "hdnDiscountAmount": amount or None,
        "hdnDiscountPercent": None if amount else percent or None,
        "hdnS_H_Amount": shipped.amount,
        "hdnS_H_Percent": shipped.rate,
    }
    return {name: _stored_number(module, name, value) for name, value in values.items()}


_AMOUNTS = ("txtAdjustment", "hdnDiscountAmount", "hdnDiscountPercent")


def _stored_number(module: Module, name: str, value: float | None) -> str | None:
    if value is None:
        return None
    digits = Decimal(1).scaleb(-module.fields[name].decimals)
    return format(Decimal(repr(value)).quantize(digits, ROUND_HALF_UP), "f")


def keep_charges(store: Store, document: int, element: Element) -> None:
    """Keep the charges of a new document beside its fields."""
    store.keep_note(document, _CHARGES, charges_of(element).text)


def add_lines(store: Store, parent: str, lines: Iterable[Element], *, sold: bool = True) -> None:
    """Store the line items of a record, and take their products out of stock.

    Args:
        store: The database.
        parent: The id of the record.
        lines: Its lines as they were sent.
        sold: Whether the products are taken out of stock.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for a product that is missing or none; HTTP 500 for a price or
            a quantity that is text. The lines before it, and the document, stay (measured).
    """
    for place, line in enumerate(lines, 1):
        row: list[str | None] = list(_LINE.empty_row)
        product = as_text(line["productid"])
        if any(_is_text(line.get(name)) for name in _FACTORS):
            raise Fault("INTERNAL_SERVER_ERROR", _UNKNOWN, 500, keeps=True)
        module, found = _product(store, product)
        if found is None or module.name not in _LINE.fields["productid"].refers_to:
            raise Fault("INVALID_ID_ATTRIBUTE", "Id specified is incorrect", keeps=True)
        if line.get("listprice") is None and module.name == "Products":
            row[_LINE.columns["listprice"]] = found[module.columns["unit_price"]]
        for name, value in line.items():
            item = _LINE.fields.get(name)
            if item is not None and item.kind != "reference" and value not in (None, ""):
                row[_LINE.columns[name]] = stored_form(item, value)
        row[_LINE.columns["parent_id"]] = parent
        row[_LINE.columns["productid"]] = product
        row[_LINE.columns["sequence_no"]] = str(place)
        row[_LINE.columns["incrementondel"]] = "1" if sold else "0"
        store.insert(_LINE, store.next_number(_LINE), tuple(row), LIVE)
        if sold:
            _move_stock(store, product, -number(row[_LINE.columns["quantity"]]))


def _is_text(value: object) -> bool:
    """Return whether PHP cannot calculate with a value: text that starts with no number."""
    return isinstance(value, str) and not _NUMERIC.match(value)


def _product(store: Store, product: str) -> tuple[Module, Row | None]:
    prefix, _, own = product.partition("x")
    module = SCHEMA.by_prefix.get(int(prefix), _LINE)
    return module, store.record(module, int(own))


def _move_stock(store: Store, product: str, quantity: float) -> None:
    module, row = _product(store, product)
    if row is None or "qtyinstock" not in module.columns:
        return
    left = number(row[module.columns["qtyinstock"]]) + quantity
    values = {"qtyinstock": f"{Decimal(repr(left)):.3f}"}
    store.change(module, int(product.partition("x")[2]), values)


def drop_lines(store: Store, parent: str) -> None:
    """Take the line items of a record away, and put their products back into stock."""
    for line in _stored(store, parent):
        product = str(line["productid"])
        if line["incrementondel"] == "1":
            _move_stock(store, product, number(cast("str", line["quantity"])))
    store.run(f"DELETE FROM {LINE_ITEM} WHERE parent_id = ?", (parent,))
    store.recount(_LINE)


def _stored(store: Store, parent: str) -> list[dict[str, object]]:
    sql = f"SELECT * FROM {LINE_ITEM} WHERE parent_id = ? ORDER BY n"
    return [
        dict(zip(_LINE.columns, row[2:], strict=True)) | {"n": row[0]}
        for row in store.rows(sql, (parent,))
    ]


def lines_of(call: Call, parent: str) -> list[dict[str, object]]:
    """Return the line items of a record as they are shown."""
    return [_shown(call, line) for line in _stored(call.store, parent)]


def _shown(call: Call, line: dict[str, object]) -> dict[str, object]:
    own = cast("int", line.pop("n"))
    product = str(line["productid"])
    module, found = _product(call.store, product)
    entities = call.profile.entities_in_labels
    line["id"] = _LINE.record_id(own)
    line["product_name"] = found and label_of(
        call.store, module, int(product.partition("x")[2]), found, entities=entities
    )
    line["entity_type"] = module.name
    line["deleted"] = "0" if found else "1"
    return line


def settle(
    call: Call, module: Module, own: int, document: Mapping[str, object], given: list[Element]
) -> dict[str, float]:
    """Store the totals that follow from a document and its lines, and return them as numbers.

    Args:
        call: The call that wrote the lines.
        module: The document's module.
        own: The document's number.
        document: Its stored values.
        given: The lines as they were sent, whose first fixes the taxes of the whole.
    """
    values = {name: cast("str | None", value) for name, value in document.items()}
    lines = cast("list[dict[str, str]]", _stored(call.store, module.record_id(own)))
    if call.profile.lines_cannot_change:
        lines = [_taxed(call.store, line) for line in lines]
    charges = shown_charges(call.store.note(own, _CHARGES))
    found = totals(values, lines, chosen_taxes(given[0]) if given else {}, charges)
    stored = {name: f"{Decimal(repr(total)):.8f}" for name, total in found.items()}
    if module.name in _SETTLED:
        left = found["hdnGrandTotal"] - number(values.get(_SETTLED[module.name]))
        stored["balance"] = f"{Decimal(repr(left)):.8f}"
    call.store.change(module, own, stored)
    return found


def _taxed(store: Store, line: dict[str, str]) -> dict[str, str]:
    """Return a line with those taxes only that its product has, too."""
    known = taxes_of(store, int(line["productid"].partition("x")[2]))
    return {name: rate for name, rate in line.items() if name not in TAXES or name in known}


def with_lines(call: Call, module: Module, own: int, record: dict[str, object]) -> None:
    """Add charges, line items and their details to the full form of a document, as retrieve does.

    Args:
        call: The call that asks.
        module: The record's module.
        own: The record's number.
        record: The full form, which is changed.

    Raises:
        Fault: HTTP 500 for a document without lines that is taxed line by line (see the profile).
    """
    if not module.has_lines:
        return
    store = call.store
    charges = shown_charges(store.note(own, _CHARGES))
    record |= charges.fields
    lines = lines_of(call, str(record["id"]))
    is_taxed_by_line = record.get("hdnTaxType") == INDIVIDUAL
    if not lines and is_taxed_by_line and call.profile.lines_cannot_change:
        raise Fault("INTERNAL_SERVER_ERROR", "Unknown Error while processing request", 500)
    record["LineItems"] = lines
    record["productid"] = lines[0]["productid"] if lines else ""
    document = Document(module.name, record, lines, charges, _taxes(store))
    details = {
        str(place): _line_details(call, document, place) for place in range(1, len(lines) + 1)
    }
    details.setdefault("1", {})["final_details"] = final_details(document)
    record["LineItems_FinalDetails"] = details


def _taxes(store: Store) -> dict[str, str]:
    """Return the rate of each tax by its name."""
    module = SCHEMA.modules["Tax"]
    wanted: dict[str, str] = dict.fromkeys(TAXES, "0.000")
    for row in store.rows(
        f"SELECT taxname, percentage FROM {module.name} WHERE row_state = {LIVE}"
    ):
        wanted[row[0]] = row[1]
    return wanted


def _line_details(call: Call, document: Document, place: int) -> dict[str, object]:
    line = document.lines[place - 1]
    product = str(line["productid"])
    module, row = _product(call.store, product)
    known = {} if row is None else dict(zip(module.columns, row, strict=True))
    shown = ShownLine(
        place=place,
        line=line,
        number=product.partition("x")[2],
        name=known.get(module.label_fields[0]),
        code=known.get(module.number_field),
        price=known.get("unit_price"),
        stock=known.get("qtyinstock") if module.name == "Products" else "NA",
    )
    return line_details(document, shown)
