"""Drafts: rows on their way from the input to a step."""

from __future__ import annotations

from attrs import define, field

from vtiger_async.bulk.convert import Converted
from vtiger_async.bulk.pending import Pending
from vtiger_async.bulk.rows import Row
from vtiger_async.problems import Problem
from vtiger_async.types import FieldValue

__all__ = ["Draft"]


@define(eq=False)
class Draft:
    """One record to be: a row, or the rows of one document.

    Attributes:
        rows: The rows with their numbers.
        fields: Values by field.
        pending: References that have still to be found.
        problems: What is wrong.
        waits: References to records that this job makes, as in a step.
        later: References to what rows of this job may make that are still to be planned.
        key: The key, as it is compared; None where there is none.
        values: The key's values as texts; None where no record can have them yet.
        problems_of_create: What is wrong only if it becomes a new record.
        problems_of_revise: What is wrong only if it changes one.
    """

    rows: list[tuple[int, Row]]
    fields: dict[str, FieldValue]
    pending: list[Pending] = field(factory=list[Pending])
    problems: list[Problem] = field(factory=list[Problem])
    waits: dict[str, tuple[int, str]] = field(factory=dict[str, "tuple[int, str]"])
    later: dict[str, tuple[int, str]] = field(factory=dict[str, "tuple[int, str]"])
    key: str | None = None
    values: tuple[str, ...] | None = None
    problems_of_create: list[Problem] = field(factory=list[Problem])
    problems_of_revise: list[Problem] = field(factory=list[Problem])

    @classmethod
    def of(cls, number: int, row: Row, converted: Converted) -> Draft:
        """Return the draft of one row."""
        pending, problems = list(converted.pending), list(converted.problems)
        return cls([(number, row)], converted.fields, pending, problems)

    @property
    def row(self) -> int:
        """The number of its first row."""
        return self.rows[0][0]
