"""The recorded exchanges of one Vtiger 8.4, and what is known of them beside what they hold.

All rows of two queries are equal in what orders them, and of one statement the recording has the
beginning only.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.sandbox.replay_order import in_order
from vtiger_async.sandbox import check_replay
from vtiger_async.sandbox.check_compare import Difference, Exchange

__all__ = ["PREFIXES", "Exchange", "Replay", "is_invented", "read_exchanges"]

PREFIXES = {
    1: "Campaigns", 2: "Vendors", 3: "Faq", 4: "Quotes", 5: "PurchaseOrder", 6: "SalesOrder",
    7: "Invoice", 8: "PriceBooks", 9: "Calendar", 10: "Leads", 11: "Accounts", 12: "Contacts",
    13: "Potentials", 14: "Products", 15: "Documents", 16: "Emails", 17: "HelpDesk", 18: "Events",
    19: "Users", 20: "Groups", 21: "Currency", 22: "DocumentFolders", 23: "CompanyDetails",
    24: "PBXManager", 25: "ServiceContracts", 26: "Services", 27: "ProjectMilestone",
    28: "ProjectTask", 29: "Project", 30: "ModComments", 31: "SMSNotifier", 32: "Assets",
    33: "LineItem", 34: "Tax", 35: "ProductTaxes",
}  # fmt: skip
"""The prefixes of the recorded instance."""

_INVENTED = re.compile(
    "invented|answer of the lab router|shape after the manual|messages after the manual"
    "|over Vtiger_Relation_Model",
    re.IGNORECASE,
)


def is_invented(exchange: Exchange) -> bool:
    """Return whether the note says that the front made the answer, and not the CRM."""
    return bool(_INVENTED.search(exchange.get("note", "")))


def read_exchanges(folder: Path) -> list[Exchange]:
    """Return the exchanges in the order in which they were recorded, each with its operation."""
    found: list[Exchange] = []
    for file in sorted(folder.glob("*.json")):
        exchanges: list[Exchange] = json.loads(file.read_text())
        found += [{**exchange, "operation": file.stem} for exchange in exchanges]
    return in_order(found)


class Replay(check_replay.Replay):
    """A sandbox that these exchanges are sent to again."""

    async def differences(self, exchange: Exchange) -> list[Difference]:
        """Send a request, and return where the answer differs; nothing where it agrees."""
        if exchange["name"] == "invoice_unpatched_restapi":
            # The sandbox would store it, and the other exchanges know of no such one.
            return [Difference("status", "400", "not asked")]
        return await super().differences(exchange)

    def is_ordered(self, exchange: Exchange) -> bool:
        """Return whether the order of the rows in an answer means something."""
        equal = exchange["name"] in ("order_reference", "order_modifiedtime")
        return super().is_ordered(exchange) and not equal

    def implied(self, number: int) -> dict[str, Any]:
        """Return the fields of a planted record that no answer tells of."""
        written = "2026-11-22 01:05:30" if number >= 500 else "2026-11-22 00:54:09"
        return {
            "assigned_user_id": "19x1",
            "createdtime": written,
            "modifiedtime": written,
            "modifiedby": "19x1",
            "source": "WEBSERVICE",
        }

    def params(self, exchange: Exchange) -> dict[str, Any]:
        """Return the parameters of a request; the recording has the first of many values only."""
        params = super().params(exchange)
        if exchange["name"] == "long_query_post":
            listed = ",".join(f"'Q{n:05}'" for n in range(3000))
            params["query"] = f"select id from Contacts where lastname in ({listed});"
        return params
