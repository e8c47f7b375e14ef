"""What `LineItems_FinalDetails` says of a document: each line worked out, and the whole.

Its keys carry the line's number, its amounts are texts of two decimals, and the whole stands in the
first line under `final_details`, all as measured on Vtiger 8.4. A document without lines has
that whole and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

from attrs import frozen

from vtiger_async.sandbox.inventory_totals import INDIVIDUAL, TAXES, Charges, discount_of, number
from vtiger_async.sandbox.reading import escaped
from vtiger_async.sandbox.stored_form import as_text

__all__ = ["Document", "ShownLine", "final_details", "line_details"]

_CENT = Decimal("0.01")
_LABELS = dict(zip(TAXES, ("VAT", "Sales", "Service"), strict=True))
_FIXED: dict[str, object] = {"type": "Fixed", "method": "Simple", "regions": [], "compoundon": []}


@frozen
class Document:
    """A document as its details are worked out from it.

    Attributes:
        module: The name of its module.
        record: Its full form.
        lines: Its lines as they are shown.
        charges: Its charges.
        rates: The rate of each tax of the CRM, by its name.
    """

    module: str
    record: Mapping[str, object]
    lines: Sequence[Mapping[str, object]]
    charges: Charges
    rates: Mapping[str, str]

    def amount(self, name: str) -> float:
        """Return a field of the document as a number."""
        return number(cast("str | None", self.record.get(name)))

    @property
    def tax_type(self) -> object:
        """The field of the tax type; None where it has no value."""
        return self.record.get("hdnTaxType") or None


@frozen
class ShownLine:
    """A line and what is known of its product.

    Attributes:
        place: Its place in the document, from 1.
        line: The line as it is shown.
        number: The number of the product's record.
        name: The product's name; None where it is gone.
        code: Its number in the product list.
        price: Its own price.
        stock: How many are in stock; `NA` for a service.
    """

    place: int
    line: Mapping[str, object]
    number: str
    name: str | None
    code: str | None
    price: str | None
    stock: str | None


def _money(value: float) -> str:
    text = format(Decimal(repr(value)).quantize(_CENT, ROUND_HALF_UP), "f")
    return text.lstrip("-") if text == "-0.00" else text


def _short(text: str | None) -> str | None:
    """Return a decimal without the zeros at its end."""
    return text.rstrip("0").rstrip(".") if text and "." in text else text


def line_details(document: Document, shown: ShownLine) -> dict[str, object]:
    """Return the details of one line.

    Args:
        document: The document.
        shown: The line.
    """
    line = cast("Mapping[str, str | None]", shown.line)
    price = number(line["listprice"])
    total = price * number(line["quantity"])
    percent, amount = number(line["discount_percent"]), number(line["discount_amount"])
    # The details look at the percentage first, where the totals look at the amount.
    off = percent * total / 100 if percent else discount_of(total, line)
    after = _money(total - off)
    details: dict[str, object] = {
        "purchaseCost": _money(number(line["purchase_cost"])),
        "margin": _money(number(line["margin"])),
        "productDeleted": line["deleted"] == "1",
        "entityType": line["entity_type"],
    }
    if shown.place > 1:
        details["delRow"] = "Del"
    details |= {
        "hdnProductId": shown.number,
        "productName": shown.name and escaped(shown.name),
        "hdnProductcode": shown.code,
        "productDescription": escaped(line["description"] or ""),
        "comment": escaped(line["comment"] or ""),
    }
    if document.module != "PurchaseOrder":
        details["qtyInStock"] = _short(shown.stock)
    details |= {
        "qty": _short(line["quantity"]),
        "listPrice": _money(price),
        "unitPrice": _money(number(shown.price)),
        "productTotal": _money(total),
        "subproduct_ids": "",
        **_parts(line),
        "discount_percent": 0,
        "discount_amount": 0,
    }
    details |= _discount(line, percent, amount)
    details |= {
        "discountTotal": _money(off),
        "totalAfterDiscount": after,
        "taxTotal": "0.00",
        "netPrice": after,
    }
    return {f"{name}{shown.place}": value for name, value in details.items()}


def _parts(line: Mapping[str, object]) -> dict[str, object]:
    """Return the parts of a product, which there are none of; a service cannot have any."""
    is_service = line["entity_type"] == "Services"
    return {} if is_service else {"subprod_qty_list": [], "subprod_names": ""}


def _discount(line: Mapping[str, str | None], percent: float, amount: float) -> dict[str, object]:
    if not percent and not amount:
        return {"checked_discount_zero": " checked"}
    kind, other = ("percent", "amount") if percent else ("amount", "percent")
    shown = _short(line["discount_percent"]) if percent else _short(_money(amount))
    return {
        "discount_type": "percentage" if percent else "amount",
        f"discount_{kind}": shown,
        f"checked_discount_{kind}": " checked",
        f"style_discount_{kind}": ' style="visibility:visible"',
        f"style_discount_{other}": ' style="visibility:hidden"',
    }


def final_details(document: Document) -> dict[str, object]:
    """Return the details of the whole document."""
    sub_total = float(_money(document.amount("hdnSubTotal")))
    discount, off = _final_discount(document, sub_total)
    taxes = _taxes(document, sub_total - off)
    shipped = document.amount("hdnS_H_Amount")
    own = document.tax_type == INDIVIDUAL
    bare = sum(float(_after(line)) for line in document.lines) if own else sub_total + shipped - off
    return {
        "taxtype": document.tax_type,
        "hdnSubTotal": _money(sub_total),
        **discount,
        "discountTotal_final": _money(off),
        "taxes": taxes,
        "tax_totalamount": _money(sum(float(as_text(tax["amount"])) for tax in taxes.values())),
        "shipping_handling_charge": _money(shipped),
        "sh_taxes": [_charge_tax(document, place, shipped) for place in range(1, len(TAXES) + 1)],
        "shtax_totalamount": _money(document.charges.taxed),
        "adjustment": _money(document.amount("txtAdjustment")),
        "grandTotal": _money(document.amount("hdnGrandTotal")),
        "preTaxTotal": _money(bare),
        "totalAfterDiscount": _money(sub_total - off),
        "chargesAndItsTaxes": document.charges.all or [],
        "deductTaxes": [],
        "deductTaxesTotalAmount": "0.00",
    }


def _after(line: Mapping[str, object]) -> str:
    known = cast("Mapping[str, str | None]", line)
    total = number(known["listprice"]) * number(known["quantity"])
    return _money(total - discount_of(total, known))


def _final_discount(document: Document, sub_total: float) -> tuple[dict[str, object], float]:
    percent, amount = document.amount("hdnDiscountPercent"), document.amount("hdnDiscountAmount")
    kind = "percentage" if percent else ("amount" if amount else "zero")
    said: dict[str, object] = {
        "discount_type_final": kind,
        "discount_percentage_final": document.record["hdnDiscountPercent"] if percent else 0,
        "discount_amount_final": _money(0.0 if percent else amount),
    }
    if kind != "zero":
        shown, hidden = ("percentage", "amount") if percent else ("amount", "percentage")
        said[f"checked_discount_{shown}_final"] = " checked"
        said[f"style_discount_{shown}_final"] = ' style="visibility:visible"'
        said[f"style_discount_{hidden}_final"] = ' style="visibility:hidden"'
    return said, float(_money(sub_total * percent / 100 if percent else amount))


def _taxes(document: Document, base: float) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for place, name in enumerate(TAXES, 1):
        rate: object = document.rates[name]
        if document.tax_type == "group":
            # Of a group the first line tells the rates; without a line there are none.
            rate = document.lines[0][name] if document.lines else 0
        exact = base * number(as_text(rate)) / 100
        found[str(place)] = {
            "taxname": name,
            "taxlabel": _LABELS[name],
            "percentage": rate,
            "amount": _tax_amount(exact),
            "taxid": str(place),
            **_FIXED,
        }
    return found


def _tax_amount(exact: float) -> object:
    """Return an amount of tax: a text, or where its third decimal is a five a rounded number."""
    text = _money(exact)
    return float(text) if repr(exact).partition(".")[2][2:3] == "5" else text


def _charge_tax(document: Document, place: int, shipped: float) -> dict[str, object]:
    rate = number(as_text(document.charges.taxes.get(str(place))))
    return {
        "taxname": f"shtax{place}",
        "taxlabel": _LABELS[TAXES[place - 1]],
        "percentage": rate,
        "amount": float(_money(shipped)) * rate / 100,
        "taxid": str(place),
        **_FIXED,
    }
