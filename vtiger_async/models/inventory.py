"""Line items of quotes, orders and invoices, and the totals that follow from them.

The arithmetic is that of the open source's web services (read in its code; the totals measured on
Vtiger 8.4 agree): a line's discount is an amount, or else a percentage of the line; with the tax
type `individual` the taxes of a line are part of the subtotal, with `group` they are taken of the
whole, after the document's discount.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any, Final, Literal, Self, TypeAlias

from attrs import field, frozen

from vtiger_async.errors import InvalidArgumentError, InvalidIdError, InvalidResponseError
from vtiger_async.types import FieldValue, RecordId, is_list, is_map
from vtiger_async.values import NUMBER_FORM

__all__ = ["WRITTEN_BY_CRM", "LineItem", "Number", "TaxType", "Totals", "lines_of", "sent_lines"]

TaxType: TypeAlias = Literal["individual", "group"]
"""Whether each line has its own taxes, or the document has them as a whole (`hdnTaxType`)."""

Number: TypeAlias = Decimal | float | str
"""What is taken for a number: text and floats are read as Vtiger reads them."""

WRITTEN_BY_CRM: Final = frozenset(
    (
        "deleted", "entity_type", "id", "image", "incrementondel", "margin", "parent_id",
        "product_name", "purchase_cost", "sequence_no",
    )
)  # fmt: skip
"""The fields of a line that only the CRM writes."""
_NUMBERS = ("quantity", "listprice", "discount_percent", "discount_amount")
_TAX = re.compile(r"tax\d+", re.ASCII)
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
"""Whatever the caller's decimal context: numbers of Vtiger's columns stay exact."""
_PLACES = Decimal("1e-8")
"""Totals are stored with eight places (measured on Vtiger 8.4)."""
_WHOLE = Decimal(100)


def _number(value: Number) -> Decimal:
    """Return the number that an argument holds.

    Raises:
        InvalidArgumentError: It holds none.
    """
    if isinstance(value, Decimal) and value.is_finite():
        return value
    # The shortest text of a float is what was meant: 0.1, and not its 55 digits.
    text = str(value).strip()
    if isinstance(value, bool) or NUMBER_FORM.fullmatch(text) is None:
        raise InvalidArgumentError(f"{value!r} is not a number: give a Decimal or an int")
    return Decimal(text)


def _rates(value: Mapping[str, Number]) -> dict[str, Decimal]:
    return {name: _number(rate) for name, rate in value.items()}


def _product(value: str) -> RecordId:
    return RecordId(value)


def _zero() -> Decimal:
    return Decimal(0)


@frozen
class LineItem(Mapping[str, FieldValue]):
    """One line of a quote, an order or an invoice.

    It is a mapping of what is sent for it, so a list of lines is a value for `LineItems`. Numbers
    are kept as Decimal; ints, floats and text are taken.

    Attributes:
        productid: The product or service.
        quantity: How many.
        listprice: The price of one, without taxes.
        discount_percent: The line's discount in percent; counts where there is no amount.
        discount_amount: The line's discount in money.
        comment: The text below the product's name.
        taxes: Percentages by tax (`{"tax1": 7}`), where they are not zero.
        extra: Other fields, such as custom ones.
        written: What only the CRM writes, for a line that came from it: `product_name`, `id`,
            `sequence_no` and others. It is not sent back, and not compared.

    Raises:
        InvalidIdError: The product is no id.
        InvalidArgumentError: A number is none.
    """

    productid: RecordId = field(converter=_product)
    quantity: Decimal = field(converter=_number)
    listprice: Decimal = field(converter=_number)
    discount_percent: Decimal = field(kw_only=True, factory=_zero, converter=_number)
    discount_amount: Decimal = field(kw_only=True, factory=_zero, converter=_number)
    comment: str = field(kw_only=True, default="")
    taxes: Mapping[str, Decimal] = field(
        kw_only=True, factory=dict[str, Decimal], converter=_rates, hash=False
    )
    extra: Mapping[str, Any] = field(kw_only=True, factory=dict[str, Any], hash=False)
    written: Mapping[str, Any] = field(
        kw_only=True, factory=dict[str, Any], eq=False, hash=False, repr=False
    )

    @classmethod
    def of(cls, value: object) -> Self:
        """Return the line that the server sent.

        Raises:
            InvalidResponseError: The value is no line.
        """
        if isinstance(value, cls):
            return value
        if not is_map(value):
            raise InvalidResponseError(f"a line item was expected, not {type(value).__name__}")
        known = {*_NUMBERS, *WRITTEN_BY_CRM, "productid", "comment"}
        taxes = {name: rate for name, rate in value.items() if _TAX.fullmatch(name)}
        rest = {name: item for name, item in value.items() if name not in known | taxes.keys()}
        try:
            quantity, listprice, percent, amount = (
                _number(value.get(name) or "0") for name in _NUMBERS
            )
            rates = _rates({name: rate or "0" for name, rate in taxes.items()})
            return cls(
                value.get("productid") or "",
                quantity,
                listprice,
                discount_percent=percent,
                discount_amount=amount,
                comment=str(value.get("comment") or ""),
                taxes={name: rate for name, rate in rates.items() if rate},
                extra={name: item for name, item in rest.items() if item not in (None, "")},
                written={name: value[name] for name in value if name in WRITTEN_BY_CRM},
            )
        except (InvalidArgumentError, InvalidIdError) as error:
            raise InvalidResponseError(f"a line item cannot be read: {error}") from None

    @property
    def discount(self) -> Decimal:
        """The line's discount in money; not rounded."""
        if self.discount_amount:
            return self.discount_amount
        with localcontext(_EXACT):
            return self.quantity * self.listprice * self.discount_percent / _WHOLE

    @property
    def net(self) -> Decimal:
        """The line's price after its discount, without taxes; not rounded."""
        with localcontext(_EXACT):
            return self.quantity * self.listprice - self.discount

    def _sent(self) -> dict[str, FieldValue]:
        sent: dict[str, FieldValue] = {"productid": self.productid}
        sent |= {"quantity": self.quantity, "listprice": self.listprice}
        optional: dict[str, Decimal | str] = {
            "discount_percent": self.discount_percent,
            "discount_amount": self.discount_amount,
            "comment": self.comment,
        }
        sent |= {name: value for name, value in optional.items() if value}
        return {**sent, **self.taxes, **self.extra}

    def __getitem__(self, name: str) -> FieldValue:
        return self._sent()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sent())

    def __len__(self) -> int:
        return len(self._sent())


def lines_of(fields: Mapping[str, Any]) -> tuple[LineItem, ...]:
    """Return the line items of a record.

    Raises:
        InvalidArgumentError: The record came without: queries and syncs leave them out.
        InvalidResponseError: They cannot be read.
    """
    return tuple(map(LineItem.of, sent_lines(fields)))


def sent_lines(fields: Mapping[str, Any]) -> list[Any]:
    """Return the line items of a record as they were sent.

    Raises:
        InvalidArgumentError: The record came without: queries and syncs leave them out.
        InvalidResponseError: They are no list.
    """
    if "LineItems" not in fields:
        raise InvalidArgumentError(
            "this record came without LineItems, which says nothing of whether it has any: only "
            "retrieve and the answers to create, update and revise have them"
        )
    sent = fields["LineItems"]
    # PHP sends a list with gaps as a map.
    items = list(sent.values()) if is_map(sent) else sent or []
    if not is_list(items):
        raise InvalidResponseError("a list of line items was expected")
    return items


@frozen
class Totals:
    """What a document comes to, in its currency, with eight places as Vtiger stores it.

    Attributes:
        subtotal: The lines after their discounts, with their own taxes if these are `individual`
            (`hdnSubTotal`).
        discount: The document's discount in money.
        shipping: Shipping and handling, without its taxes (`hdnS_H_Amount`).
        pre_tax_total: All of it without any tax (`pre_tax_total`).
        tax: The taxes of the lines, or of the whole.
        shipping_tax: The taxes of shipping and handling.
        adjustment: What is added at the end, or taken off (`txtAdjustment`).
        grand_total: What is to be paid (`hdnGrandTotal`).
    """

    subtotal: Decimal
    discount: Decimal
    shipping: Decimal
    pre_tax_total: Decimal
    tax: Decimal
    shipping_tax: Decimal
    adjustment: Decimal
    grand_total: Decimal

    @classmethod
    def of(
        cls,
        lines: Sequence[LineItem],
        tax_type: TaxType = "individual",
        *,
        taxes: Mapping[str, Number] | None = None,
        discount_percent: Number = 0,
        discount_amount: Number = 0,
        shipping: Number = 0,
        shipping_tax: Number = 0,
        adjustment: Number = 0,
    ) -> Self:
        """Return what a document with these lines comes to, as the server will compute it.

        Taxes that build on other taxes ("compound") are not known to it.

        Args:
            lines: The lines.
            tax_type: How taxes count: by line, or of the whole.
            taxes: Percentages by tax of the whole, for `group`; those of the first line, if not
                given: the server takes those.
            discount_percent: The document's discount in percent of the subtotal.
            discount_amount: The document's discount in money; counts before a percentage.
            shipping: Shipping and handling, in money.
            shipping_tax: The percentage of all its taxes.
            adjustment: What is added at the end; negative to take off.

        Raises:
            InvalidArgumentError: A number is none, or the tax type is unknown.
        """
        if tax_type not in ("individual", "group"):
            raise InvalidArgumentError(f"the tax type is 'individual' or 'group', not {tax_type!r}")
        fixed, percent = _number(discount_amount), _number(discount_percent)
        handling, added = _number(shipping), _number(adjustment)
        rates = _rates(taxes) if taxes is not None else (lines[0].taxes if lines else {})
        with localcontext(_EXACT):
            net = sum((line.net for line in lines), Decimal(0))
            of_lines = sum(
                (line.net * sum(line.taxes.values()) / _WHOLE for line in lines), Decimal(0)
            )
            tax = of_lines if tax_type == "individual" else Decimal(0)
            subtotal = net + tax
            # A negative amount is no discount to the server.
            discount = fixed if fixed > 0 else subtotal * percent / _WHOLE
            if tax_type == "group":
                tax = (subtotal - discount) * sum(rates.values()) / _WHOLE
            of_handling = handling * _number(shipping_tax) / _WHOLE
            pre_tax = net - discount + handling
            grand = pre_tax + tax + of_handling + added
            found = (subtotal, discount, handling, pre_tax, tax, of_handling, added, grand)
            return cls(*(number.quantize(_PLACES) for number in found))
