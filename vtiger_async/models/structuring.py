"""From decoded JSON to models, through one cattrs converter that knows PHP's habits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, override

from vtiger_async.errors import InvalidResponseError
from vtiger_async.models.metadata import (
    AccountNode,
    EditionLimit,
    Field,
    FieldType,
    Module,
    ModuleInfo,
    PicklistDependency,
    PicklistValue,
    RelatedTypes,
    Relation,
)
from vtiger_async.types import RecordId, ServiceName, is_list, is_map, whole_number

__all__ = [
    "account_nodes",
    "converted",
    "edition_limit",
    "module_infos",
    "module_of",
    "picklist_dependency",
    "related_types",
    "tags",
]

T = TypeVar("T")
_TRUE = ("1", "true", "on", "yes")


def _mapping(value: Any) -> dict[str, Any]:
    """Return a map; PHP sends an empty one as `[]`."""
    return value if is_map(value) else {}


def _items(value: Any) -> list[Any]:
    """Return a list; PHP sends one with gaps as a map."""
    if is_map(value):
        return list(value.values())
    return value if is_list(value) else []


def _boolean(value: Any, _: object) -> bool:
    # Real booleans in describe, "1" in relatedtypes, "on" in Users (measured on Vtiger 8.4).
    return value.strip().lower() in _TRUE if isinstance(value, str) else bool(value)


def _text(value: Any, _: object) -> str:
    return "" if isinstance(value, dict | list) else str(value)


def _whole(value: Any, _: object) -> int:
    return int(str(value))


def _number_or_none(value: Any, _: object) -> int | None:
    return whole_number(value)


def _text_or_none(value: Any, _: object) -> str | None:
    return value if isinstance(value, str) else None


def _picklist_value(value: Any, _: object) -> PicklistValue:
    if is_map(value):
        return PicklistValue(str(value["value"]), str(value.get("label", "")))
    return PicklistValue(str(value), str(value))


def _label_fields(value: Any) -> list[str]:
    names = value.split(",") if isinstance(value, str) else _items(value)
    return [str(name).strip() for name in names if name]


def _reader(kind: type[T], **renames: str) -> Callable[[dict[str, Any]], T]:
    """Return a function that builds a model from what was sent; null counts as not sent."""
    overrides = {name: override(rename=wire) for name, wire in renames.items()}
    structure = make_dict_structure_fn(kind, _converter, **overrides)  # type: ignore[arg-type]  # typed for its own options too

    def read(sent: dict[str, Any]) -> T:
        present = {name: value for name, value in sent.items() if value is not None}
        return structure({"raw": sent, **present}, kind)

    return read


_converter = cattrs.Converter(detailed_validation=False)
_converter.register_structure_hook(bool, _boolean)
_converter.register_structure_hook(str, _text)
_converter.register_structure_hook(int, _whole)
_converter.register_structure_hook(int | None, _number_or_none)
_converter.register_structure_hook(str | None, _text_or_none)
_converter.register_structure_hook(RecordId, lambda value, _: RecordId(value))
_converter.register_structure_hook(PicklistValue, _picklist_value)
_read_type = _reader(
    FieldType,
    refers_to="refersTo",
    picklist_values="picklistValues",
    default="defaultValue",
)


def _field_type(value: Any, _: object) -> FieldType:
    sent = _mapping(value) or {"name": value or "string"}
    shaped = dict(sent)
    for key in ("refersTo", "picklistValues"):
        if key in sent:
            shaped[key] = _items(sent[key])
    return _read_type(shaped)


_converter.register_structure_hook(FieldType, _field_type)
_read_field = _reader(Field, unique="isunique")


def _field(value: Any, _: object) -> Field:
    sent = {key: item for key, item in value.items() if item is not None}
    return _read_field({"label": "", "type": "string", **sent, "raw": value})


_converter.register_structure_hook(Field, _field)
_read_module = _reader(
    Module,
    id_prefix="idPrefix",
    label_fields="labelFields",
    is_entity="isEntity",
    allow_duplicates="allowDuplicates",
    inactive_fields="inactivefields",
)
_read_module_info = _reader(ModuleInfo, is_entity="isEntity")
_read_relation = _reader(Relation, is_entity="isEntity", module="name")
_read_node = _reader(AccountNode)


def _read(reader: Callable[[dict[str, Any]], T], sent: dict[str, Any], what: str) -> T:
    try:
        return reader(sent)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InvalidResponseError(
            f"{what} came in a form that cannot be read: {error!r}"
        ) from error


def _expect_map(value: Any, what: str) -> dict[str, Any]:
    if not is_map(value):
        raise InvalidResponseError(
            f"{what} was expected, and the server sent {type(value).__name__}"
        )
    return value


def module_infos(result: Any) -> list[ModuleInfo]:
    """Return the modules of a listtypes result, in the server's order."""
    sent = _expect_map(result, "the list of modules")
    information = _mapping(sent.get("information"))
    names = [str(name) for name in _items(sent.get("types"))]
    return [
        _read(_read_module_info, {**_mapping(information.get(name)), "name": name}, name)
        for name in names
    ]


def module_of(result: Any) -> Module:
    """Return the module of a describe result."""
    sent = _expect_map(result, "a module's description")
    shaped = {
        **sent,
        "raw": sent,
        "fields": {_name_of(item): item for item in _items(sent.get("fields"))},
        "labelFields": _label_fields(sent.get("labelFields")),
        "inactivefields": [_name_of(item) for item in _items(sent.get("inactivefields"))],
    }
    return _read(_read_module, shaped, "a module's description")


def _name_of(item: Any) -> str:
    return str(item.get("name", "")) if is_map(item) else str(item)


def related_types(result: Any, module: str) -> RelatedTypes:
    """Return the relations of a relatedtypes result.

    The manual keys them by module; they are measured keyed by label, since a module can be related
    twice.
    """
    sent = _expect_map(result, "the list of relations")
    relations: list[Relation] = []
    for key, value in _mapping(sent.get("information")).items():
        facts = _mapping(value)
        shaped = {**facts, "label": facts.get("label") or key, "name": facts.get("name") or key}
        relations.append(_read(_read_relation, shaped, f"relation {key}"))
    return RelatedTypes(module, tuple(relations))


def picklist_dependency(result: Any) -> PicklistDependency:
    """Return the dependency of a picklist_dependency result."""
    sent = _expect_map(result, "a picklist dependency")
    targets: dict[str, tuple[str, ...]] = {}
    for item in _items(sent.get("valuemapping")):
        row = _mapping(item)
        values = _items(row.get("targetvalues"))
        targets[str(row.get("sourcevalue", ""))] = tuple(str(value) for value in values)
    return PicklistDependency(
        str(sent.get("sourcefield", "")), str(sent.get("targetfield", "")), targets
    )


def edition_limit(result: Any, service: ServiceName | str) -> EditionLimit:
    """Return the limit of an editionLimits result; other keys than the manual's are accepted."""
    sent: dict[str, Any] = result if is_map(result) else {"limit": result}
    keys = ("limit", "allowed_limit", "allowedLimit", "allowed", "value")
    found = next((sent[key] for key in keys if key in sent), None)
    if not isinstance(found, str | int | float):
        found = None
    return EditionLimit(service, found, sent)


def tags(result: Any) -> list[str]:
    """Return the tags of a tags_retrieve result."""
    found = result.get("tags") if is_map(result) else result
    if found is not None and not isinstance(found, list | dict):
        raise InvalidResponseError(
            f"a list of tags was expected, and the server sent {type(found).__name__}"
        )
    return [str(tag) for tag in _items(found)]


def converted(result: Any) -> dict[str, RecordId]:
    """Return the ids by module of a convertlead result; null and empty ids are left out."""
    made = {name: value for name, value in _mapping(result).items() if value}
    return _read(lambda ids: {name: RecordId(ids[name]) for name in ids}, made, "the ids")


def account_nodes(result: Any) -> list[AccountNode]:
    """Return the nodes of a get_account_hierarchy result, in the server's order."""
    what = "an organisation of the hierarchy"
    return [_read(_read_node, _mapping(item), what) for item in _items(result)]
