"""The order in which the exchanges were recorded, as their ids, auto numbers and times show it."""

from __future__ import annotations

from typing import Any

__all__ = ["in_order"]

_LAST = "document_multipart users_roleid_plain"
_INVOICES = (
    "invoice_no_lines invoice_no_productid invoice_line_no_product invoice_service_line "
    "salesorder purchaseorder"
)
_UNPATCHED = (
    "count_unpatched_restapi count_where_unpatched_restapi count_unpatched_webservice "
    "count_where_unpatched_webservice"
)
_PAGES = "same_second_450 distinct_seconds_page1 distinct_seconds_page2 distinct_seconds_page3"
_EARLY_SYNC = (
    "webservice_sync_php8_500 webservice_sync_php8_500_with_syncType updated_then_deleted_in_window"
)

_STEPS: tuple[tuple[str, str], ...] = (
    ("create", "invoice_unpatched_restapi"),
    ("query", _UNPATCHED),
    ("getchallenge", ""), ("login", ""), ("session", ""), ("me", ""), ("listtypes", ""),
    ("describe", ""), ("errors", ""),
    ("sync", _PAGES), ("sync", _EARLY_SYNC),
    ("create", f"-{_LAST} {_INVOICES} duplicate_webservice"),
    ("delete", "sales_denied sales_no_delete_permission"),
    ("retrieve", "-deleted retrieve_converted invoice document_with_file contact_with_image"),
    ("update", "-deleted invoice_replace_lines"),
    ("revise", "-invoice_lines"),
    ("delete", "ok missing_record bad_id"),
    ("retrieve", "deleted"), ("update", "deleted"), ("query", "deleted"),
    ("delete", ""),
    ("query", "-query_converted invoice_limit_25_5 invoice_count"),
    ("create", "duplicate_webservice"),
    ("relatedtypes", ""), ("retrieve_related", ""), ("query_related", ""), ("add_related", ""),
    ("get_account_hierarchy", ""),
    ("convertlead", ""), ("retrieve", "retrieve_converted"), ("query", "query_converted"),
    ("retrieve", "invoice"), ("create", _INVOICES),
    ("update", "invoice_replace_lines"), ("revise", "invoice_lines"), ("query", ""),
    ("create", _LAST), ("files_retrieve", ""), ("retrieve", ""),
    ("sync", ""), ("webservice_front", ""),
)  # fmt: skip
"""The steps: an operation, and names of its exchanges; none for all, a - for all but these."""


def in_order(exchanges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the exchanges in the order of the recording; those that no step names come last."""
    left = list(exchanges)
    found: list[dict[str, Any]] = []
    for operation, names in _STEPS:
        listed = names.lstrip("-").split()
        for exchange in list(left):
            if exchange["operation"] != operation:
                continue
            if not listed or (exchange["name"] in listed) != names.startswith("-"):
                found.append(exchange)
                left.remove(exchange)
    return found + left
