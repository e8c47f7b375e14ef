"""The sandbox's modules and fields, read from compact text.

A module starts with `[Name] prefix | label | singular | label fields | number field and prefix |
flags`. Flags of a module: `plain` (holds no entities), `given` (nobody creates records in it), and
`create`. A field is `name type(length)! flags : Label`, where `!` means mandatory. Flags of a
field: `ro` (written by the CRM only), `unique`, `sensitive` (read through `decrypt`), `secret`
(never read), `must` (mandatory on an open source only), `null` (has no value until one is
written), `line` (belongs to line items), `commas` (a number's commas are left out), `exact` (what
is not wholly a number is 0), `quiet` (not described), `quick` (in quick create), `to=`
(what a reference refers to), `default=`. `@name` inserts a shared block. Prefixes are those of the
manual's table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from attrs import define, field, frozen

from vtiger_async.sandbox.schema_inventory import INVENTORY
from vtiger_async.sandbox.schema_sales import SALES
from vtiger_async.sandbox.schema_system import BLOCKS, SYSTEM
from vtiger_async.sandbox.schema_work import WORK

__all__ = ["LINE_ITEM", "SCHEMA", "Field", "Module", "Schema", "load_schema"]

LINE_ITEM = "LineItem"
"""The module of line items."""

_LENGTHS = {"string": 100, "phone": 30, "email": 100, "url": 255, "skype": 100, "time": 50}
_PICKLISTS = ("picklist", "multipicklist", "radio")
_NUMBERS = {"integer": 0, "currency": 8, "double": 3, "percentage": 3, "boolean": 0}
_FIELD = re.compile(r"(\w+) (\w+)(?:\((\d+)\))?(!?)((?: \S+)*) : (.*)")


@frozen
class Field:
    """One field of a module.

    Attributes:
        name: Its name on the wire.
        type: Its type, as describe names it.
        label: Its label.
        length: The characters it holds, or the decimals of a number; None without a bound.
        mandatory: Whether a record must have a value for it.
        flags: The flags of its line.
        refers_to: The modules that a reference may point to.
        default: What a record gets that does not say; None for nothing.
    """

    name: str
    type: str
    label: str
    length: int | None
    mandatory: bool
    flags: frozenset[str]
    refers_to: tuple[str, ...]
    default: str | None

    @property
    def kind(self) -> str:
        """How values are compared: `number`, `date`, `datetime`, `reference` or `text`."""
        if self.type in _NUMBERS:
            return "number"
        if self.type in ("date", "datetime"):
            return self.type
        return "reference" if self.type in ("reference", "owner") else "text"

    @property
    def has_values(self) -> bool:
        """Whether the field has a list of values."""
        return self.type in _PICKLISTS

    @property
    def empty(self) -> str | None:
        """What is stored where nothing was given: null for dates and references."""
        if self.kind == "number" and "null" not in self.flags:
            decimals = self.decimals
            return f"0.{'0' * decimals}" if decimals else "0"
        return "" if self.kind == "text" and "null" not in self.flags else None

    @property
    def decimals(self) -> int:
        """The digits after the point of a number: 8 for currencies, as measured."""
        if self.type in ("double", "percentage") and self.length is not None:
            return self.length
        return _NUMBERS[self.type]


@define(slots=False, eq=False)
class Module:
    """One module.

    Attributes:
        name: Its name on the wire.
        prefix: Its number, the first half of its records' ids.
        label: Its name for people.
        singular: The name of one record.
        label_fields: The fields that make a record's label.
        number_field: The field that counts records (`CON1`), or empty.
        number_prefix: What stands before that count.
        is_entity: Whether its records are entities of the CRM.
        creatable: Whether records can be created.
        fields: Its fields by name, in their order; `id` is not among them.
    """

    name: str
    prefix: int
    label: str
    singular: str
    label_fields: tuple[str, ...]
    number_field: str
    number_prefix: str
    is_entity: bool
    creatable: bool
    fields: dict[str, Field] = field(factory=dict[str, Field])

    @cached_property
    def stored(self) -> tuple[Field, ...]:
        """The fields that are columns of the module's own table: all but those of line items."""
        return tuple(f for f in self.fields.values() if "line" not in f.flags)

    @cached_property
    def columns(self) -> dict[str, int]:
        """The position of each stored field in a row."""
        return {f.name: place for place, f in enumerate(self.stored)}

    @cached_property
    def mandatory(self) -> tuple[Field, ...]:
        """The fields that a record must have, in the order in which they are missed."""
        return tuple(f for f in self.fields.values() if f.mandatory)

    @cached_property
    def required(self) -> tuple[Field, ...]:
        """The fields that a record must have on an open source (measured)."""
        return tuple(f for f in self.fields.values() if f.mandatory or "must" in f.flags)

    @cached_property
    def unique(self) -> tuple[Field, ...]:
        """The fields whose values no two records share."""
        return tuple(f for f in self.fields.values() if "unique" in f.flags)

    @cached_property
    def empty_row(self) -> tuple[str | None, ...]:
        """A row with nothing but defaults."""
        return tuple(f.empty for f in self.stored)

    @property
    def has_lines(self) -> bool:
        """Whether its records have line items."""
        return "hdnGrandTotal" in self.fields

    def record_id(self, number: int) -> str:
        """Return the id on the wire of the record of that number."""
        return f"{self.prefix}x{number}"


@frozen
class Schema:
    """All modules.

    Attributes:
        modules: The modules by name.
        by_prefix: The modules by prefix.
    """

    modules: dict[str, Module]
    by_prefix: dict[int, Module]

    def referring(self, name: str) -> Iterator[tuple[Module, Field]]:
        """Yield each stored reference field that may point to the module of that name."""
        for module in self.modules.values():
            for item in module.stored:
                if name in item.refers_to:
                    yield module, item


def _field_of(line: str) -> Field:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise ValueError(f"not a field: {line!r}")
    name, kind, length, mandatory, rest, label = found.groups()
    flags: set[str] = set()
    values: dict[str, str] = {}
    for word in rest.split():
        key, sign, value = word.partition("=")
        values |= {key: value} if sign else {}
        flags |= set() if sign else {key}
    return Field(
        name=name,
        type=kind,
        label=label,
        length=int(length) if length else _LENGTHS.get(kind, 200 if kind in _PICKLISTS else None),
        mandatory=bool(mandatory),
        flags=frozenset(flags),
        refers_to=tuple(values["to"].split(",")) if "to" in values else (),
        default=values.get("default"),
    )


def _module_of(line: str) -> Module:
    head, label, singular, label_fields, number, *more = (part.strip() for part in line.split("|"))
    name, _, prefix = head.partition("] ")
    number_field, _, number_prefix = number.partition(" ")
    flags = more[0].split() if more else []
    return Module(
        name=name.lstrip("["),
        prefix=int(prefix),
        label=label,
        singular=singular,
        label_fields=tuple(part for part in label_fields.split(",") if part),
        number_field=number_field,
        number_prefix=number_prefix,
        is_entity="plain" not in flags,
        creatable="create" in flags or not flags,
    )


def _lines(text: str) -> Iterator[str]:
    for line in text.strip().splitlines():
        if line.startswith("@"):
            yield from _lines(BLOCKS[line[1:]])
        elif line:
            yield line


def load_schema(*texts: str) -> Schema:
    """Return the modules that some texts describe.

    Raises:
        ValueError: A line is not a field.
    """
    modules: dict[str, Module] = {}
    fields: dict[str, Field] = {}
    for text in texts:
        for line in _lines(text):
            if line.startswith("["):
                module = _module_of(line)
                modules[module.name] = module
                fields = module.fields
            else:
                item = _field_of(line)
                fields[item.name] = item
    return Schema(modules, {module.prefix: module for module in modules.values()})


SCHEMA = load_schema(SALES, INVENTORY, WORK, SYSTEM)
"""The modules of the sandbox."""
