"""What came of an export."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

__all__ = ["ExportReport"]


@frozen
class ExportReport:
    """What came of an export, over all its runs.

    Attributes:
        path: The file.
        module: The module.
        records: The records in it.
        calls: The calls that the client made meanwhile: all of them, also those of other tasks.
        seconds: How long it took.
        runs: How often it was begun or resumed.
        unread: How many values of a field its type could not hold, by field: they stand in
            `_extra`.
    """

    path: Path
    module: str
    records: int
    calls: int
    seconds: float
    runs: int = 1
    unread: Mapping[str, int] = field(factory=dict[str, int])
