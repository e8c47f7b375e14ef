"""The mapping of an input's columns to a module's fields: checked before any row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, TypeAlias, cast

import attrs
from attrs import frozen

from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.matching import LINES, Names, has_lines, line_name, matched
from vtiger_async.bulk.options import Mode
from vtiger_async.bulk.toml import mapping_text, read_mapping
from vtiger_async.models.metadata import Module
from vtiger_async.types import FieldValue

__all__ = ["Column", "FieldMapping", "MappingLike", "missing_mandatory"]


def _columns(columns: Mapping[str, Column | None]) -> dict[str, Column | None]:
    return dict(columns)


def _reasons(reasons: Mapping[str, str]) -> dict[str, str]:
    return dict(reasons)


def _emptied(constants: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {name: "" if value is None else value for name, value in constants.items()}


@frozen
class FieldMapping:
    """Which column becomes which field, and how.

    Attributes:
        columns: How each column is read, by header; None for one that is not loaded.
        constants: The same value for every row, by field; "" (as None) clears a field.
        reasons: Why columns are not loaded, where it was not chosen so.
    """

    columns: Mapping[str, Column | None] = attrs.field(converter=_columns)
    constants: Mapping[str, FieldValue] = attrs.field(
        factory=dict[str, FieldValue], converter=_emptied
    )
    reasons: Mapping[str, str] = attrs.field(
        factory=dict[str, str], converter=_reasons, eq=False, kw_only=True
    )

    @property
    def unmapped(self) -> tuple[str, ...]:
        """The columns that are not loaded although nobody chose so; `reasons` tells why."""
        return tuple(self.reasons)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that get a value from a column or a constant."""
        columns = (column.field for column in self.columns.values() if column is not None)
        return frozenset((*columns, *self.constants))

    def save(self, path: str | Path) -> None:
        """Write the mapping to a TOML file; what is there is replaced.

        Raises:
            MappingError: A constant cannot be written as TOML.
            OSError: The file cannot be written.
        """
        text = mapping_text(self.columns, self.constants, self.reasons)
        Path(path).write_text(text, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the mapping of a TOML file.

        Raises:
            MappingError: The file cannot be read, or a key is unknown or of the wrong type; its
                path in the file is named.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise MappingError(f"{path.name} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise MappingError(f"{path.name} is not TOML: {error}") from None
        columns, constants = read_mapping(text, path.name)
        return cls(columns, constants)

    @classmethod
    def of(
        cls,
        value: MappingLike,
        columns: Sequence[str] | None,
        module: Module,
        *,
        constants: Mapping[str, FieldValue] | None = None,
        is_regular: bool = True,
    ) -> Self:
        """Return a mapping that fits an input and a module, with names of fields for labels.

        Args:
            value: A mapping; fields or Columns by header; the path of a TOML file; or None to take
                each column whose header is the name or label of one field. Columns that a mapping
                does not name are not loaded.
            columns: The columns of the input, as `peek` tells; None where they are not known.
            module: The description of the module.
            constants: More constants; they count before those of the mapping, and before columns
                that nobody has mapped by hand.
            is_regular: Whether every row has these columns, as `Rows.is_regular` says; where not,
                a column of the mapping may be absent.

        Raises:
            MappingError: A field does not exist or is read-only, gets a value twice, or a column
                is not there; every fault is named, with what may be meant.
        """
        names = Names(module)
        more = constants or {}
        given = _automatic(columns, names, more) if value is None else _given(value)
        given = attrs.evolve(given, constants={**given.constants, **more})
        faults: list[str] = []
        resolved = _resolved(given, names, faults)
        if columns is not None and value is not None:
            if is_regular:
                faults += _absent(given.columns, columns)
            others = [name for name in columns if name not in given.columns]
            reasons = dict(given.reasons) | dict.fromkeys(others, "the mapping does not name it")
            resolved = attrs.evolve(
                resolved, columns={**resolved.columns, **dict.fromkeys(others)}, reasons=reasons
            )
        if faults:
            raise MappingError("; ".join(faults), module=module.name)
        return cls(resolved.columns, resolved.constants, reasons=resolved.reasons)


MappingLike: TypeAlias = "FieldMapping | Mapping[str, str | Column | None] | str | Path | None"
"""What is taken for a mapping."""


def _automatic(
    columns: Sequence[str] | None, names: Names, constants: Mapping[str, FieldValue]
) -> FieldMapping:
    if columns is None:
        raise MappingError("the columns are not known: give a mapping", module=names.module.name)
    found, reasons = matched(columns, names.module)
    given = {name for text in constants for name in names.named(text)}
    reasons |= {
        column: f"a constant is given for {name}" for column, name in found.items() if name in given
    }
    read = {name: None if name in reasons else Column(found[name]) for name in columns}
    in_order = {name: reasons[name] for name in columns if name in reasons}
    return FieldMapping(read, reasons=in_order)


def _given(value: FieldMapping | Mapping[str, str | Column | None] | str | Path) -> FieldMapping:
    if isinstance(value, FieldMapping):
        return value
    if isinstance(value, str | Path):
        return FieldMapping.load(value)
    columns: dict[str, Column | None] = {}
    given = cast("Any", value)  # whatever the annotation says
    if not isinstance(given, Mapping):
        raise MappingError(f"a mapping of columns to fields is wanted, not {given!r}")
    for header, column in cast("Mapping[str, Any]", given).items():
        if not isinstance(column, str | Column | None):
            raise MappingError(f"column {header!r}: a field, a Column or None, not {column!r}")
        columns[header] = Column(column) if isinstance(column, str) else column
    return FieldMapping(columns)


def _resolved(given: FieldMapping, names: Names, faults: list[str]) -> FieldMapping:
    """Return the mapping with names of fields only; what is wrong is added to the faults."""
    columns: dict[str, Column | None] = {}
    sources: dict[str, list[str]] = {}
    lines_are_nested = any(column and column.field == LINES for column in given.columns.values())

    def named(text: str, source: str) -> str | None:
        found = names.named(text)
        if len(found) != 1:
            both = f"{text!r} may stand for {' or '.join(found)}: give the name"
            faults.append(f"{source}: {both if found else names.unknown(text)}")
            return None
        name = found[0]
        if lines_are_nested and text in names.module.fields:
            name = text  # the document's own: its lines come as a whole
        fault = names.fault(name)
        if fault:
            faults.append(f"{source}: {fault}")
            return None
        sources.setdefault(name, []).append(source)
        return name

    for header, column in given.columns.items():
        if column is None:
            columns[header] = None
            continue
        name = named(column.field, f"column {header!r}")
        if name is not None:
            columns[header] = attrs.evolve(column, field=name)
            faults.extend(_wrong_target(header, name, column, names.module))
    constants: dict[str, FieldValue] = {}
    for text, value in given.constants.items():
        name = named(text, f"constant {text!r}")
        if name is not None:
            constants[name] = value
    for name, several in sources.items():
        if len(several) > 1:
            faults.append(f"{name} gets its value from {' and from '.join(several)}: leave one out")
    return FieldMapping(columns, constants, reasons=given.reasons)


def _wrong_target(header: str, name: str, column: Column, module: Module) -> list[str]:
    if column.to is None:
        return []
    if line_name(name) == "productid":
        modules: tuple[str, ...] = ("Products", "Services")
    elif name in module.fields and module.fields[name].type.name == "owner":
        modules = ("Users", "Groups")
    elif name in module.fields and module.fields[name].type.name == "reference":
        modules = module.fields[name].type.refers_to
        if not modules:
            return []
    else:
        return [f"column {header!r}: {name} is no reference, and `to` is for those"]
    if column.to in modules:
        return []
    return [f"column {header!r}: {name} refers to {' or '.join(modules)}, not to {column.to}"]


def _absent(mapped: Mapping[str, object], columns: Sequence[str]) -> list[str]:
    faults: list[str] = []
    for header in mapped:
        if header not in columns:
            near = get_close_matches(header, columns, 1)
            shown = ", ".join(map(repr, columns[:8])) + (", ..." if len(columns) > 8 else "")
            hint = f"is {near[0]!r} meant?" if near else f"it has {shown}"
            faults.append(f"the input has no column {header!r}: {hint}")
    return faults


def missing_mandatory(module: Module, mapping: FieldMapping, mode: Mode) -> tuple[str, ...]:
    """Return the mandatory fields that nothing gives a value, so that no record can be created.

    Args:
        module: The description of the module.
        mapping: The mapping, its fields by name.
        mode: What is done with rows; revise and delete want no field.
    """
    if mode not in ("create", "upsert"):
        return ()
    given = mapping.fields
    lines = has_lines(module)
    wanted = [
        name
        for name in module.mandatory_fields
        if module.fields[name].editable
        and name not in given
        # The client takes a document's product from its first line.
        and not (lines and name == "productid")
    ]
    if lines and not given & {LINES, f"{LINES}.productid"}:
        wanted.append(LINES)
    return tuple(wanted)
