"""One row of an input, as the parts that read and convert it hand it on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["Chunk", "RaggedRow", "Row"]

Row: TypeAlias = Mapping[str, object]
"""The values of a row by column: text from files of text, Python values from elsewhere."""

Chunk: TypeAlias = "list[tuple[int, Row]]"
"""Some rows that follow each other, each with its number from 1."""


class RaggedRow(dict[str, object]):
    """A row with more cells than its file has columns: it is read, and then rejected.

    Args:
        row: The cells by column.
        extra: The cells beyond the last column.
        line: The line of the file where the row begins, from 1.
    """

    def __init__(self, row: Row, extra: tuple[str, ...], line: int) -> None:
        super().__init__(row)
        self.extra = extra
        """The cells beyond the last column."""
        self.line = line
        """The line of the file where the row begins, from 1."""
