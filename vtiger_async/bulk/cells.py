"""Cells of every origin, and what is said of one that its field cannot take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

__all__ = ["UnreadableError", "plain"]


class UnreadableError(ValueError):
    """A cell is not what its field holds; it becomes a problem of its row.

    Args:
        reason: What is wrong with it.
        remedy: What to do about it; empty where the reason says it.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        """What is wrong with it."""
        self.remedy = remedy
        """What to do about it; empty where the reason says it."""


def plain(cell: Any) -> Any:
    """Return a value of a table as Python has it; None for the values that say "nothing"."""
    if isinstance(cell, str):  # a subclass: an enum, a RecordId
        return str.__str__(cell).strip()
    if isinstance(cell, bool | int | list | tuple | Mapping):
        return cast("Any", cell)
    try:
        if cell != cell:  # NaN and NaT are so
            return None
    except (ArithmeticError, TypeError):  # a signalling NaN; NA of pandas is neither of both
        return None
    return cell.item() if hasattr(cell, "item") else cell  # a scalar of NumPy
