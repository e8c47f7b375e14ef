"""The arithmetic of documents with line items: discounts, taxes, charges, totals.

As measured on Vtiger 8.4, and as its parts must follow from each other: a line's discount in money
comes before one in percent; taxes of a group are those of the first line that was sent, on the sum
after the document's own discount; individual taxes belong to each line and are part of the
subtotal. It is all done in floating point there, and so it is here: `0.1 + 0.2` shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from attrs import frozen

from vtiger_async.sandbox.stored_form import as_text, number_of

__all__ = [
    "CHARGE",
    "DISCOUNTS",
    "INDIVIDUAL",
    "TAXES",
    "Charges",
    "charges_of",
    "chosen_taxes",
    "discount_of",
    "number",
    "shown_charges",
    "totals",
]

TAXES = ("tax1", "tax2", "tax3")
"""The names of the taxes of a fresh Vtiger: VAT, sales, service."""

CHARGE = "shipping_&_handling"
"""The field of the one charge of a fresh Vtiger; its taxes are `..._shtax1` and so on."""

DISCOUNTS = {"hdnDiscountPercent": "discount_percent", "hdnDiscountAmount": "discount_amount"}
"""A document's own discounts, and the fields of its lines whose columns have the same names."""

INDIVIDUAL = "individual"
"""The tax type whose taxes belong to each line."""


def number(text: str | None) -> float:
    """Return the number at the start of a text; 0 where there is none."""
    return float(number_of(text or ""))


@frozen
class Charges:
    """The charges of a document.

    Attributes:
        text: The JSON that is kept of them.
        value: The charge, as it was sent; None where it was not.
        percent: The charge in percent of the sum, where it was sent so.
        taxes: The rate of each tax on it, by the tax's number.
        amount: The charge in money.
        rate: What the field for the tax on charges is set to.
    """

    text: str
    value: object
    percent: str | None
    taxes: Mapping[str, object]
    amount: float = 0.0
    rate: float = 0.0

    @property
    def fields(self) -> dict[str, object]:
        """The fields that a document shows of them."""
        if not self.text:
            return {}
        shown = self.value if self.percent is None else f"{self.percent}%"
        rates = {f"{CHARGE}_shtax{own}": rate for own, rate in self.taxes.items()}
        nameless = cast("dict[str, dict[str, object]]", self.all.get("", {})).get("taxes", {})
        rates |= {"": None} if nameless else {}
        return {CHARGE: shown, **rates, **{f"_shtax{own}": rate for own, rate in nameless.items()}}

    @property
    def all(self) -> dict[str, object]:
        """The charges as they are kept."""
        return json.loads(self.text) if self.text else {}

    @property
    def taxed(self) -> float:
        """The tax on the charge, in money."""
        value = number(as_text(self.value))
        return sum(value * number(as_text(rate)) / 100 for rate in self.taxes.values())


def charges_of(element: Mapping[str, object]) -> Charges:
    """Return the charges that an element asks for."""
    sent = as_text(element.get(CHARGE))
    sum_sent = number(as_text(element.get("hdnSubTotal")))
    percent = sent.replace("%", "") if "%" in sent else None
    value: object = (sent or None) if percent is None else None
    if percent is not None:
        off = number(as_text(element.get("hdnDiscountAmount")))
        if number(as_text(element.get("hdnDiscountPercent"))):
            off = sum_sent * number(as_text(element.get("hdnDiscountPercent"))) / 100
        value = (sum_sent - off) * number(percent) / 100
    amount = rate = number(as_text(value))
    on_charge = 0.0
    if amount:
        given = {str(own): element.get(f"{CHARGE}_shtax{own}") for own in range(1, 4)}
        taxes = {own: rate for own, rate in given.items() if rate is not None}
    else:
        value, percent = element.get("hdnS_H_Amount"), None
        amount = number(as_text(value))
        given = {str(own): element.get(f"shtax{own}_sh_percent") for own in range(1, 4)}
        taxes = {own: 0 if rate is None else rate for own, rate in given.items()}
        on_charge = number(as_text(element.get("hdnS_H_Percent")))
        if on_charge and amount:
            taxes = {"1": element.get("hdnS_H_Percent")}
            rate = on_charge / amount * 100
    kept: dict[str, object] = {} if percent is None else {"percent": percent}
    kept |= {"value": value} | ({"taxes": taxes} if taxes else {})
    every: dict[str, object] = {"1": kept}
    if not number(as_text(element.get(CHARGE))) and on_charge and amount:
        every[""] = {"taxes": {"1": rate}}  # a charge without a name takes the rate, too
    return Charges(json.dumps(every), value, percent, taxes, amount, rate)


def shown_charges(text: str | None) -> Charges:
    """Return the charges that were kept as text; None where there never were any."""
    if not text:
        return Charges("", None, None, {})
    kept = cast("dict[str, object]", json.loads(text)["1"])
    taxes = cast("dict[str, object]", kept.get("taxes", {}))
    return Charges(text, kept["value"], cast("str | None", kept.get("percent")), taxes)


def chosen_taxes(line: Mapping[str, object]) -> dict[str, float]:
    """Return the rates of the taxes that a line speaks of."""
    return {name: number(as_text(line[name])) for name in TAXES if line.get(name) not in (None, "")}


def discount_of(price: float, line: Mapping[str, str | None]) -> float:
    """Return the discount on a line of that price: in money, or else in percent."""
    amount = number(line.get("discount_amount"))
    return amount or number(line.get("discount_percent")) / 100 * price


def totals(
    document: Mapping[str, str | None],
    lines: Sequence[Mapping[str, str]],
    group: Mapping[str, float],
    charges: Charges,
) -> dict[str, float]:
    """Return the three totals of a document by the names of their fields.

    Args:
        document: The document's stored values.
        lines: Its lines' stored values.
        group: The taxes on the whole, where the tax type is not individual.
        charges: Its charges.
    """
    kind = document.get("hdnTaxType") or ""
    own_taxes = kind.lower() == INDIVIDUAL
    sub_total = bare = 0.0
    for line in lines:
        price = number(line["listprice"]) * number(line["quantity"])
        price -= discount_of(price, line)
        sub_total += price
        bare += price
        if own_taxes:
            for rate in chosen_taxes(line).values():
                sub_total += price * rate / 100
    amount = number(document.get("hdnDiscountAmount"))
    percent = number(document.get("hdnDiscountPercent"))
    off = amount if amount > 0 else percent / 100 * sub_total
    shipped = number(document.get("hdnS_H_Amount"))
    total = sub_total - off + shipped
    taxes = 0.0
    if not own_taxes:
        taxes = sum((sub_total - off) * rate / 100 for rate in group.values())
    return {
        "hdnSubTotal": sub_total,
        "hdnGrandTotal": total + taxes + charges.taxed + number(document.get("txtAdjustment")),
        "pre_tax_total": bare - off + shipped if kind == INDIVIDUAL else total,
    }
