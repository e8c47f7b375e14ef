"""The mapping that needs nobody to say anything."""

from __future__ import annotations

from collections.abc import Sequence

from vtiger_async.bulk.mapping import FieldMapping
from vtiger_async.models.metadata import Module

__all__ = ["automatic"]


def automatic(columns: Sequence[str], module: Module) -> FieldMapping:
    """Return the mapping of each column whose header is the name or label of one field.

    Exact names and labels count before those that differ in case, punctuation or white space. A
    header that may stand for several fields, two headers for one field, and fields that are
    read-only are left out: `unmapped` of the mapping lists the columns, `reasons` says why. A
    column `id` is the record's id.

    Args:
        columns: The columns of an input.
        module: The description of the module.
    """
    return FieldMapping.of(None, columns, module)
