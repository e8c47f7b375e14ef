"""How the command line shows what a reading will cost."""

from __future__ import annotations

from math import isfinite
from typing import Any

from vtiger_async.quota.costs import Cost

__all__ = ["row_of_cost"]


def row_of_cost(cost: Cost) -> dict[str, Any]:
    """Return a cost as a row; without seconds where it takes over a year."""
    return {
        "module": cost.what,
        "calls": cost.calls,
        "records": cost.records,
        "seconds": round(cost.seconds, 1) if isfinite(cost.seconds) else None,
        "window": cost.window,
        "spent": cost.spent,
        "note": cost.note,
    }
