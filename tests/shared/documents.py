"""Documents with line items, as the tests of several folders create them."""

from __future__ import annotations

from typing import Any


def invoice_of(account: str, product: str, lines: list[dict[str, str]]) -> dict[str, Any]:
    """Return the fields of an invoice with these lines."""
    return {
        "subject": "S",
        "account_id": account,
        "assigned_user_id": "19x1",
        "invoicestatus": "Created",
        "bill_street": "Street",
        "ship_street": "Street",
        "productid": product,
        "LineItems": lines,
    }
