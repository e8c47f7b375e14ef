"""The words in which loads, mappings and columns say what is to be done."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Ambiguous", "Missing", "Mode", "Nulls", "Repeats"]

Mode: TypeAlias = Literal["create", "upsert", "revise", "delete"]
"""What becomes of a row: always a new record; a new one or a change of the one with its key; only a
change; or the record with its key is deleted."""
Repeats: TypeAlias = Literal["first", "last", "reject"]
"""Which of several rows with one key counts: the others are skipped, or the later ones rejected."""
Nulls: TypeAlias = Literal["leave", "clear"]
"""What an empty cell does to a record that is there: nothing, or it empties the field."""
Missing: TypeAlias = Literal["reject", "empty", "create"]
"""What is done where no record has the value of a reference: the row is rejected, the field is left
out, or a record is created of which nothing is known but that value."""
Ambiguous: TypeAlias = Literal["reject", "first", "newest"]
"""What is done where several records have a value that is looked for: the row is rejected, or the
record with the lowest id counts, or the one that was created last."""
