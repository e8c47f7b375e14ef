"""Taxes and prices of products and services, which are no fields of their own table.

Measured on Vtiger 8.4: a write may name `tax1` to `tax3`; the whole record then shows them, and
beside them the price in each currency and the currency it was set in. A line item is taxed with
what its product is taxed with, where the document's tax type is individual.
"""

from __future__ import annotations

import json
from decimal import Decimal

from vtiger_async.sandbox.calls import Call, Element
from vtiger_async.sandbox.inventory_totals import TAXES, number
from vtiger_async.sandbox.schema import SCHEMA, Field, Module
from vtiger_async.sandbox.store import Store
from vtiger_async.sandbox.stored_form import as_text

__all__ = ["PRICED", "TAX_FIELDS", "keep_taxes", "priced", "taxes_of"]

PRICED = frozenset({"Products", "Services"})
"""The modules whose records have taxes and prices."""

TAX_FIELDS = tuple(
    Field(
        name=name,
        type="double",
        label=label,
        length=3,
        mandatory=False,
        flags=frozenset(),
        refers_to=(),
        default=None,
    )
    for name, label in zip(TAXES, ("VAT", "Sales", "Service"), strict=True)
)
"""The taxes as the fields that a description names: they are no columns, and no query reads them.

The Cloud describes these, which is assumed; what the open source says is in `schema_oss.py`.
"""

_TAXES = "taxes"  # the name of the note that keeps them


def keep_taxes(store: Store, module: Module, own: int, element: Element) -> None:
    """Keep the taxes that a write names for a product or a service.

    Args:
        store: The database.
        module: The record's module; others than the two have none.
        own: The record's number.
        element: What was sent.
    """
    if module.name not in PRICED:
        return
    named = {name: element[name] for name in TAXES if element.get(name) not in (None, "")}
    if named:
        rates = {name: _rate(rate) for name, rate in named.items()}
        store.keep_note(own, _TAXES, json.dumps(taxes_of(store, own) | rates))


def _rate(rate: object) -> str:
    return f"{Decimal(repr(number(as_text(rate)))):.3f}"


def taxes_of(store: Store, own: int) -> dict[str, str]:
    """Return the taxes of a product or service: the rate by the tax's name."""
    kept = store.note(own, _TAXES)
    return json.loads(kept) if kept else {}


def priced(call: Call, module: Module, own: int, record: dict[str, object]) -> dict[str, object]:
    """Return the full form of a record with its taxes and prices, where it has any.

    Args:
        call: The call that asks.
        module: The record's module.
        own: The record's number.
        record: The full form.
    """
    if module.name not in PRICED:
        return record
    # A service has no price of its own in the table that this one is read from (measured).
    price = number(as_text(record.get("unit_price"))) if module.name == "Products" else 0.0
    return (
        record
        | taxes_of(call.store, own)
        | {
            "currency1": int(price) if price.is_integer() else price,
            "currency_id": SCHEMA.modules["Currency"].record_id(1),
        }
    )
