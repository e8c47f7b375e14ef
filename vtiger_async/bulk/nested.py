"""Line items that come as a list in one cell, as JSON and Python have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs
from attrs import define, frozen

from vtiger_async.bulk.cells import UnreadableError
from vtiger_async.bulk.matching import LINES
from vtiger_async.bulk.pending import Pending
from vtiger_async.problems import Problem, shortened
from vtiger_async.types import FieldValue

__all__ = ["NestedLines", "lines_reader"]


@frozen
class NestedLines:
    """The lines of one cell.

    Attributes:
        lines: What is written for each line.
        pending: The products that have still to be found.
        problems: What is wrong with values of lines.
    """

    lines: list[FieldValue]
    pending: list[Pending]
    problems: list[Problem]


@define
class _Line:
    """Reads one line after the other; the reader of each name is made once."""

    make: Callable[[str], Callable[[Any], Any]]
    readers: dict[str, Callable[[Any], Any]]

    def read(self, place: int, given: Mapping[str, Any], into: NestedLines) -> None:
        line: dict[str, FieldValue] = {}
        for key, value in given.items():
            cell = value.strip() if isinstance(value, str) else value
            if cell is None or cell == "":
                continue
            if key not in self.readers:
                self.readers[key] = self.make(f"{LINES}.{key}")
            where = f"{LINES}[{place}].{key}"
            try:
                found = self.readers[key](cell)
            except UnreadableError as error:
                into.problems.append(Problem(where, cell, error.reason, error.remedy))
                continue
            if isinstance(found, Pending):
                into.pending.append(attrs.evolve(found, field=where))
            else:
                line[key] = found
        into.lines.append(line)


def lines_reader(make: Callable[[str], Callable[[Any], Any]]) -> Callable[[Any], NestedLines]:
    """Return what reads a cell that holds the lines of a document.

    Args:
        make: Returns what reads the cells of `LineItems.<name>`.
    """
    reader = _Line(make, {})

    def read(cell: Any) -> NestedLines:
        given: Any = [*cast("Any", cell)] if isinstance(cell, list | tuple) else []
        if not given or not all(isinstance(line, Mapping) for line in given):
            raise UnreadableError(
                f"{shortened(cast('Any', cell))} is no list of lines",
                "give a list of mappings with productid, quantity and listprice",
            )
        into = NestedLines([], [], [])
        for place, line in enumerate(given):
            reader.read(place, line, into)
        return into

    return read
