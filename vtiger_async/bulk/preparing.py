"""What is settled of a load before its first row: module, mapping, key, and owner."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Final

import attrs
from attrs import define

from vtiger_async.bulk.columns import Column
from vtiger_async.bulk.convert import Converter
from vtiger_async.bulk.crm import Crm
from vtiger_async.bulk.errors import MappingError
from vtiger_async.bulk.keys import Lookup
from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import FieldMapping, missing_mandatory
from vtiger_async.bulk.matching import LINES, line_name
from vtiger_async.bulk.pages import Pages
from vtiger_async.bulk.pending import OWNERS, Pending
from vtiger_async.bulk.references import References, name_of
from vtiger_async.bulk.sources import Rows, open_rows
from vtiger_async.bulk.steps import LoadInfo
from vtiger_async.errors import AccessDeniedError, UnsupportedOperationError
from vtiger_async.models.metadata import Module, PicklistDependency
from vtiger_async.models.validation import Known
from vtiger_async.types import ID_FORM

__all__ = ["Prepared", "prepare"]

_INCOMPARABLE: Final = frozenset({"file", "image", "multipicklist", "grid"})
_MARKED: Final = frozenset({"mediumtext", "richtext", "string", "text"})
_MOST_PICKLISTS: Final = 4
"""Picklists whose dependencies are asked for, one call for each ordered pair of them."""


@define(eq=False)
class Prepared:
    """A load that is ready to be read.

    Attributes:
        index: Its place in the job.
        load: What was asked for.
        module: The module's description.
        rows: The input, opened.
        mapping: Which column becomes which field.
        converter: Makes fields of rows.
        known: What rows are checked by, besides the description.
        lookup: Finds records by the key; None where there is no key.
        owner: Whose new records are, by field; empty where rows say it, or the CRM.
        info: What the journal keeps of it.
    """

    index: int
    load: Load
    module: Module
    rows: Rows
    mapping: FieldMapping
    converter: Converter
    known: Known
    lookup: Lookup | None
    owner: dict[str, str]
    info: LoadInfo

    @property
    def targets(self) -> set[str]:
        """The modules that its columns may refer to."""
        names: set[str] = set()
        for column in self.mapping.columns.values():
            if column is not None:
                names.update(_modules_of(self.module, column))
        return names - set(OWNERS)


async def prepare(
    crm: Crm, load: Load, index: int, references: References, pages: Pages
) -> Prepared:
    """Return a load that is ready to be read; a call for each module that is described.

    Args:
        crm: The client.
        load: What is asked for.
        index: Its place in the job.
        references: Finds records, and keeps the descriptions.
        pages: What lookups read with.

    Raises:
        MappingError: The load does not fit the module.
        SourceError: The input cannot be read.
    """
    try:
        module = await references.described(load.module)
    except AccessDeniedError as error:
        raise MappingError(
            f"the module {load.module!r} is not shown to this user, or there is none of that name: "
            "check the name, or have an administrator give the right to see it"
            + (f" ({error.cause})" if error.cause else ""),
            module=load.module,
        ) from error
    _check_rights(module, load)
    rows = open_rows(
        load.rows, format=load.format, delimiter=load.delimiter, encoding=load.encoding
    )
    try:
        columns = await rows.peek()
        mapping = _mapping(load, columns, module, is_regular=rows.is_regular)
        _check_key(module, load, mapping)
        _check_mark(module, load, mapping)
        owner = await _owner(pages, load, module, references)
        _check_mandatory(module, load, mapping, owner)
        for header, column in mapping.columns.items():
            if column is not None and column.by not in (None, "id", "label"):
                targets = _modules_of(module, column)
                await references.check(targets, column.by, f"column {header!r}")
        dependencies = await _dependencies(crm, module, mapping)
        converter = Converter(
            module, mapping, nulls=load.nulls, missing=load.missing, ambiguous=load.ambiguous
        )
        info = LoadInfo(
            module=module.name, mode=load.mode, key=load.key, columns=columns, source=rows.name,
            fingerprint=await rows.digest(), missing=load.missing, mark=load.mark,
        )  # fmt: skip
    except BaseException:
        await rows.aclose()
        raise
    wanted = sorted(name for name in mapping.fields if name in module.fields)
    lookup = Lookup(crm, module, load.key, wanted, pages=pages) if load.key else None
    known = Known(references.prefixes, dependencies)
    return Prepared(index, load, module, rows, mapping, converter, known, lookup, owner, info)


def _fault(module: Module, text: str) -> MappingError:
    return MappingError(text, module=module.name)


def _check_rights(module: Module, load: Load) -> None:
    allowed = {
        "create": module.createable,
        "upsert": module.createable or module.updateable,
        "revise": module.updateable,
        "delete": module.deleteable,
    }
    if not allowed[load.mode]:
        raise _fault(module, f"this user has no right to {load.mode} its records")


def _mapping(
    load: Load, columns: Sequence[str], module: Module, *, is_regular: bool
) -> FieldMapping:
    mapping = FieldMapping.of(load.mapping, columns, module, is_regular=is_regular)
    if load.constants:
        constants = {**mapping.constants, **load.constants}
        both = FieldMapping(mapping.columns, constants, reasons=mapping.reasons)
        mapping = FieldMapping.of(both, columns, module, is_regular=is_regular)
    if LINES in mapping.constants:
        raise _fault(module, f"{LINES} cannot be a constant: give a column of lists, or of lines")
    if load.mode != "delete":
        return mapping
    # Only the key says anything.
    kept = {
        header: column if column is not None and column.field in load.key else None
        for header, column in mapping.columns.items()
    }
    constants = {name: value for name, value in mapping.constants.items() if name in load.key}
    return FieldMapping(kept, constants, reasons=mapping.reasons)


def _check_key(module: Module, load: Load, mapping: FieldMapping) -> None:
    for name in load.key:
        field = module.fields.get(name)
        if name != "id" and field is None:
            raise _fault(module, f"the key {name!r} is no field that this user sees")
        if field is not None and field.type.name in _INCOMPARABLE:
            raise _fault(module, f"{name} cannot be a key: its type is {field.type.name}")
        if name not in mapping.fields:
            raise _fault(module, f"nothing gives the key {name!r} a value: map a column to it")
    if "id" in load.key and (len(load.key) > 1 or load.mode == "create"):
        raise _fault(module, "id is a key by itself, of records that are there")


def _check_mark(module: Module, load: Load, mapping: FieldMapping) -> None:
    if load.mark is None:
        return
    field = module.fields.get(load.mark)
    if field is None or field.type.name not in _MARKED or not field.editable:
        raise _fault(module, f"the mark {load.mark!r} is no text field that can be written")
    if load.mark in mapping.fields:
        raise _fault(module, f"the mark {load.mark!r} gets a value from the rows: leave it out")


def _check_mandatory(
    module: Module, load: Load, mapping: FieldMapping, owner: dict[str, str]
) -> None:
    if load.key == ("id",):
        return  # no record is created
    missing = [name for name in missing_mandatory(module, mapping, load.mode) if name not in owner]
    owners = [name for name in missing if name != LINES and _type(module, name) == "owner"]
    if owners:
        raise _fault(
            module,
            f"{owners[0]} is mandatory, and nothing gives it a value: give owner='me', or the name "
            "or id of a user or a group, or map a column to it",
        )
    if missing:
        raise _fault(
            module,
            f"{', '.join(missing)}: mandatory, and nothing gives a value: map a column to it, or "
            "give a constant",
        )


def _type(module: Module, name: str) -> str:
    return module.fields[name].type.name


def _modules_of(module: Module, column: Column) -> tuple[str, ...]:
    """Return the modules a column's texts may be of; none where it is no reference."""
    if column.field == LINES or line_name(column.field) == "productid":
        targets: tuple[str, ...] = ("Products", "Services")
    elif column.field not in module.fields:
        return ()
    elif _type(module, column.field) == "owner":
        targets = OWNERS
    elif _type(module, column.field) == "reference":
        targets = module.fields[column.field].type.refers_to
    else:
        return ()
    return targets if column.to is None else (column.to,)


async def _owner(
    pages: Pages, load: Load, module: Module, references: References
) -> dict[str, str]:
    """Return the owner of new records by its field."""
    if load.owner is None or load.mode not in ("create", "upsert") or load.key == ("id",):
        return {}
    names = [name for name, field in module.fields.items() if field.type.name == "owner"]
    writable = [name for name in names if module.fields[name].editable]
    if not writable:
        raise _fault(module, "its records have no owner that can be given")
    name = "assigned_user_id" if "assigned_user_id" in writable else writable[0]
    if load.owner == "me":
        return {name: str((await pages.me()).id)}
    if ID_FORM.fullmatch(load.owner) is not None:
        return {name: load.owner}
    pending = Pending(name, load.owner, OWNERS, None, "reject", "reject", "")
    candidates = (await references.find([pending]))[name_of(pending)]
    if candidates.count != 1:
        what = f"stands for {candidates}" if candidates.count else "is no user or group"
        raise _fault(module, f"the owner {load.owner!r} {what}: give an id, or owner='me'")
    return {name: candidates.newest}


async def _dependencies(
    crm: Crm, module: Module, mapping: FieldMapping
) -> tuple[PicklistDependency, ...]:
    """Return how the picklists among the fields depend: a call for each pair that may.

    Which pairs there are no operation tells, so where there are many picklists none is asked for:
    the CRM's own forms are the only ones to check them.
    """
    names = [n for n in mapping.fields if n in module.fields and _type(module, n) == "picklist"]
    found: list[PicklistDependency] = []
    if len(names) > _MOST_PICKLISTS:
        return ()
    for source, target in permutations(sorted(names), 2):
        if any((one.target_field, one.source_field) == (source, target) for one in found):
            continue
        try:
            one = await crm.picklist_dependency(module.name, source, target)
        except (AccessDeniedError, UnsupportedOperationError):
            return tuple(found)  # a server without the operation, or a user without the right
        if one.targets:
            found.append(attrs.evolve(one, source_field=source, target_field=target))
    return tuple(found)
