"""What was found wrong with the values of a write: before it was sent, or in what came back."""

from __future__ import annotations

from typing import Any

import attrs

__all__ = ["Problem", "SilentChange", "SilentChangeWarning", "shortened"]

_SHOWN = 60
"""Characters of a value that a message shows."""


def shortened(value: object) -> str:
    """Return a value for a message: its repr, on one line, and not all of a long one."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


@attrs.frozen
class Problem:
    """One reason why an element should not be sent.

    Attributes:
        field: The field's name.
        value: What was given for it; None where nothing was.
        reason: What is wrong with it (`"'Bogus' is none of the picklist's values"`).
        remedy: What to do about it; empty where the reason says it.
    """

    field: str
    value: Any = attrs.field(repr=False)
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.field}: {self.reason}"
        return f"{text}: {self.remedy}" if self.remedy else text


@attrs.frozen
class SilentChange:
    """A value that Vtiger stored other than it was sent, and answered with success.

    Attributes:
        field: The field's name.
        sent: What was sent, as JSON has it.
        stored: What the answer holds; None also where the answer does not have the field.
        is_ignored: Whether the answer does not have the field: it is unknown, or hidden from this
            user, and nothing was stored.
    """

    field: str
    sent: Any = attrs.field(repr=False)
    stored: Any = attrs.field(repr=False)
    is_ignored: bool = False

    def __str__(self) -> str:
        if self.is_ignored:
            return f"{self.field}: {shortened(self.sent)} was not stored: no such field is shown"
        return f"{self.field}: {shortened(self.sent)} became {shortened(self.stored)}"


class SilentChangeWarning(UserWarning):
    """Vtiger stored something else than was sent, and answered with success.

    Attributes:
        changes: Every field that it happened to.
        record: The record as it is stored now.
    """

    def __init__(
        self, message: str = "", changes: tuple[SilentChange, ...] = (), record: Any = None
    ) -> None:
        super().__init__(message, changes, record)
        self.changes = changes
        self.record = record

    def __str__(self) -> str:
        return str(self.args[0])
