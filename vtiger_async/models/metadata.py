"""What an instance says of itself: modules, fields, relations, picklists, limits.

The shapes follow the manual; what was measured to differ is read too: booleans as "1", an empty map
as `[]`, `labelFields` as text or list, lengths as text, defaults as null, "" or false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from attrs import field, frozen

from vtiger_async.types import RecordId, ServiceName

__all__ = [
    "AccountNode",
    "EditionLimit",
    "Field",
    "FieldType",
    "Module",
    "ModuleInfo",
    "PicklistDependency",
    "PicklistValue",
    "RelatedTypes",
    "Relation",
]


@frozen
class ModuleInfo:
    """A module in the list of modules.

    Attributes:
        name: The name used in calls (`"HelpDesk"`).
        label: What users see (`"Tickets"`), in their language.
        singular: What users see for one record.
        is_entity: Whether its records can be queried and synced.
    """

    name: str
    label: str = ""
    singular: str = ""
    is_entity: bool = True


@frozen
class PicklistValue:
    """One value of a picklist.

    Attributes:
        value: What is stored.
        label: What users see.
    """

    value: str
    label: str = ""


@frozen
class FieldType:
    """The type of a field; the set of names is open.

    Attributes:
        name: `"string"`, `"picklist"`, `"reference"`, `"owner"`, `"currency"`, ...
        length: The most characters that it holds, where the server tells.
        refers_to: The modules that a reference may point to.
        picklist_values: The values of a picklist, in order.
        default: The picklist's default.
        format: The format of a date, in the user's setting.
    """

    name: str
    length: int | None = None
    refers_to: tuple[str, ...] = ()
    picklist_values: tuple[PicklistValue, ...] = ()
    default: str | None = None
    format: str | None = None


@frozen
class Field:
    """A field of a module.

    Attributes:
        name: The name used in calls.
        label: What users see.
        type: Its type.
        mandatory: Whether a record must have a value for it.
        editable: Whether it can be written.
        nullable: Whether it can be empty.
        unique: Whether two records may not share a value.
        default: The default as sent: text, None or False.
        raw: Everything that the server sent of it.
    """

    name: str
    label: str
    type: FieldType
    mandatory: bool = False
    editable: bool = True
    nullable: bool = True
    unique: bool = False
    default: Any = None
    raw: Mapping[str, Any] = field(factory=dict[str, Any], repr=False, eq=False)


@frozen
class Module:
    """A module's metadata, as `describe` gives it for this user.

    Attributes:
        name: The name used in calls.
        label: What users see.
        id_prefix: The part before the x of its records' ids, on this instance.
        fields: Its fields by name; fields hidden from the user are not there.
        label_fields: The fields that make up a record's label.
        createable: Whether this user may create records.
        updateable: Whether this user may change records.
        deleteable: Whether this user may delete records.
        retrieveable: Whether this user may read records.
        is_entity: Whether its records can be queried and synced.
        allow_duplicates: Whether unique fields may repeat, where the server tells.
        inactive_fields: The names of fields that are switched off.
        raw: Everything that the server sent of it.
    """

    name: str
    label: str
    id_prefix: str
    fields: Mapping[str, Field] = field(repr=False)
    label_fields: tuple[str, ...] = ()
    createable: bool = True
    updateable: bool = True
    deleteable: bool = True
    retrieveable: bool = True
    is_entity: bool = True
    allow_duplicates: bool | None = None
    inactive_fields: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(factory=dict[str, Any], repr=False, eq=False)

    @property
    def mandatory_fields(self) -> tuple[str, ...]:
        """The names of the fields that every record must have."""
        return tuple(name for name, known in self.fields.items() if known.mandatory)


@frozen
class Relation:
    """A relation of one module to another.

    Attributes:
        label: The name of the relation in calls (`"Activities"`): not always the module's.
        module: The related module (`"Calendar"`).
        translated_label: What users see.
        is_entity: Whether the related module has records that can be queried.
        relation_id: The relation's number, where the server tells.
        actions: What may be done with it (`"add,select"`), where the server tells.
    """

    label: str
    module: str
    translated_label: str = ""
    is_entity: bool = True
    relation_id: int | None = None
    actions: str = ""


@frozen
class RelatedTypes(Sequence[Relation]):
    """The relations of a module, in the server's order.

    Attributes:
        module: The module they belong to.
        relations: The relations.
    """

    module: str
    relations: tuple[Relation, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Relation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Relation, ...]: ...
    def __getitem__(self, index: int | slice) -> Relation | tuple[Relation, ...]:
        """Return the relation at a place, or a tuple of them for a slice."""
        return self.relations[index]

    def __len__(self) -> int:
        return len(self.relations)

    def __iter__(self) -> Iterator[Relation]:
        return iter(self.relations)

    def by_label(self, label: str) -> Relation:
        """Return the relation of that label.

        Raises:
            KeyError: There is none; the message lists the labels.
        """
        for relation in self.relations:
            if relation.label == label:
                return relation
        known = ", ".join(relation.label for relation in self.relations)
        raise KeyError(f"{self.module} has no relation {label!r}; it has {known}")


@frozen
class PicklistDependency:
    """Which values of one picklist go with which of another.

    Attributes:
        source_field: The field that decides.
        target_field: The field whose values depend on it.
        targets: The allowed target values by source value; a source value that is not there
            restricts nothing.
    """

    source_field: str
    target_field: str
    targets: Mapping[str, tuple[str, ...]] = field(factory=dict[str, "tuple[str, ...]"])


@frozen
class EditionLimit:
    """One limit of the instance's edition.

    Attributes:
        service: Which limit.
        limit: Its value as sent (`"50MB"`, `10`); None where the server sent none.
        raw: Everything that the server sent: other keys are seen than the manual's.
    """

    service: ServiceName | str
    limit: str | int | float | None
    raw: Mapping[str, Any] = field(factory=dict[str, Any], repr=False, eq=False)


@frozen
class AccountNode:
    """An organisation in a hierarchy of organisations.

    Attributes:
        id: Its id.
        name: Its name.
        label: Its name and its parent's, as `child | parent`.
        level: Its depth; the topmost has 0.
        current: Whether it is the one that was asked for.
    """

    id: RecordId
    name: str
    label: str = ""
    level: int = 0
    current: bool = False
