"""What `describe` says against an element, before it is sent.

Vtiger 8.4 stores most wrong values silently changed, and answers with success (measured): text in a
number as 0, "true" in a boolean as 0, a picklist value outside of the list as it is, long text cut.
The rules below are those of its storage. A type that is not among them is not checked: the set of
types is open.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import Final, Literal, TypeAlias

from attrs import frozen

from vtiger_async.errors import InvalidArgumentError
from vtiger_async.models.metadata import Field, Module, PicklistDependency
from vtiger_async.problems import Problem, shortened
from vtiger_async.types import ID_FORM, FieldValue
from vtiger_async.values import NUMBER_FORM, multi_picklist_values, scalar_text

__all__ = ["Known", "Write", "problems_of"]

Write: TypeAlias = Literal["create", "update", "revise"]
"""The operations that write fields."""
_Fault: TypeAlias = "tuple[str, str] | None"
"""What is wrong with a value, and what to do about it."""

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
_WHOLE = re.compile(r"[+-]?\d{1,400}(\.0*)?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)
_WIDE = re.compile(r"[\U00010000-\U0010ffff]")
_OWNERS = ("Users", "Groups")
_TASK = "Task"
"""What `activitytype` says of a task (measured on Vtiger 8.4)."""


@frozen
class Known:
    """What the client knows beside the module's description; it may be little.

    Attributes:
        prefixes: Module names by the prefix of their records' ids.
        dependencies: How picklists of the module depend on each other.
    """

    prefixes: Mapping[str, str]
    dependencies: Sequence[PicklistDependency] = ()


def problems_of(
    module: Module, fields: Mapping[str, FieldValue], write: Write, known: Known
) -> list[Problem]:
    """Return everything that is wrong with the fields of a write; an empty list if nothing is.

    Args:
        module: The description of the record's module.
        fields: Python values by field name.
        write: The operation: create and update want the mandatory fields, revise does not.
        known: What else is known.
    """
    found: list[Problem] = []
    for name, value in fields.items():
        if (name == "id" and write != "create") or (name == "LineItems" and _has_lines(module)):
            continue
        if module.name == "Calendar" and name == "activitytype":
            continue  # no picklist lists what a task has
        fault = _fault(module, name, value, known)
        if fault is not None:
            found.append(Problem(name, value, *fault))
    if write != "revise":
        found.extend(_missing(module, fields))
    if write == "create" and _has_lines(module) and not fields.get("LineItems"):
        remedy = "give a list of mappings with productid, quantity and listprice"
        found.append(Problem("LineItems", None, "a record of this module has lines", remedy))
    if module.name == "Calendar" and (write == "create" or "activitytype" in fields):
        found.extend(_no_task(fields.get("activitytype")))
    for dependency in known.dependencies:
        found.extend(_dependent(dependency, fields))
    return found


def _has_lines(module: Module) -> bool:
    return "hdnGrandTotal" in module.fields


def _fault(module: Module, name: str, value: FieldValue, known: Known) -> _Fault:
    field = module.fields.get(name)
    if field is None:
        return _unknown(module, name)
    if not field.editable:
        return "it is read-only", "leave it out, only the CRM writes it"
    if _is_empty(value):
        return ("it is mandatory, and cannot be empty", "") if field.mandatory else None
    rule = _RULES.get(field.type.name)
    if rule is None:
        return None
    if field.type.name == "multipicklist":
        return _multi_picklist(field, value)
    if not isinstance(value, str) and isinstance(value, Mapping | Sequence):
        return f"a {type(value).__name__} does not fit a {field.type.name}", "give one value"
    try:
        text = scalar_text(value, name)
    except InvalidArgumentError as error:
        return error.message.removeprefix(f"{name}: "), ""
    return _characters(text) or rule(field, text, known)


def _is_empty(value: FieldValue) -> bool:
    if isinstance(value, str):  # most are, and the abstract class costs more to ask
        return not value
    return value is None or (isinstance(value, Sequence) and len(value) == 0)


def _unknown(module: Module, name: str) -> _Fault:
    if name in module.inactive_fields:
        return "it is switched off on this instance", "leave it out"
    by_folded = {known.casefold(): known for known in module.fields}
    by_label = {known.label.casefold(): known.name for known in module.fields.values()}
    near = by_folded.get(name.casefold()) or by_label.get(name.casefold())
    if near is None:
        near = next(iter(get_close_matches(name, [*module.fields], 1)), None)
    remedy = f"is {near} meant?" if near else f"describe({module.name!r}) has the names"
    return f"{module.name} has no such field, or hides it from this user", remedy


def _missing(module: Module, fields: Mapping[str, FieldValue]) -> Iterable[Problem]:
    for name in module.mandatory_fields:
        field = module.fields[name]
        if name in fields or not field.editable:
            continue
        remedy = "give it a value"
        if field.type.name == "owner":
            remedy = "give the id of a user, as (await crm.me()).id, or of a group"
        yield Problem(name, None, "it is mandatory, and is missing", remedy)


def _no_task(value: FieldValue) -> Iterable[Problem]:
    if value != _TASK:
        reason = f"only with {_TASK!r} it is a task: else it is an event, and has another id"
        yield Problem("activitytype", value, reason, f"give {_TASK!r}, or write to Events")


def _dependent(
    dependency: PicklistDependency, fields: Mapping[str, FieldValue]
) -> Iterable[Problem]:
    source, target = fields.get(dependency.source_field), fields.get(dependency.target_field)
    allowed = dependency.targets.get(source) if isinstance(source, str) else None
    if allowed is not None and isinstance(target, str) and target and target not in allowed:
        reason = f"{target!r} does not go with {dependency.source_field} {source!r}"
        yield Problem(dependency.target_field, target, reason, _one_of(target, allowed))


def _characters(text: str) -> _Fault:
    wide = _WIDE.search(text)
    if wide is None:
        return None
    # The column is of MySQL's three-byte utf8 (measured on Vtiger 8.4).
    reason = f"{wide[0]!r} takes four bytes in UTF-8, and would be stored as ????"
    return (
        reason,
        "leave it out, or send with validate=False where the instance is known to keep it",
    )


def _text(field: Field, text: str, _: Known) -> _Fault:
    # Entities are decoded before they are stored.
    size, most = len(html.unescape(text)), field.type.length
    if most and size > most:
        return f"{size} characters, of which {most} would be stored", "shorten it"
    return None


def _email(field: Field, text: str, known: Known) -> _Fault:
    if _EMAIL.fullmatch(text) is None:
        return f"{shortened(text)} is not an e-mail address", "give one address"
    return _text(field, text, known)


def _boolean(_: Field, text: str, __: Known) -> _Fault:
    if text in ("0", "1", "on", "off"):
        return None
    return f"{shortened(text)} would be stored as false", "give True or False"


def _whole(_: Field, text: str, __: Known) -> _Fault:
    if _WHOLE.fullmatch(text) is not None:
        return None
    return f"{shortened(text)} is not a whole number", "give an int"


def _number(_: Field, text: str, __: Known) -> _Fault:
    if NUMBER_FORM.fullmatch(text) is not None:
        return None
    reason = f"{shortened(text)} is not a number as Vtiger reads it"
    return reason, "give a Decimal or an int: a point, no grouping, no exponent"


def _date(_: Field, text: str, __: Known) -> _Fault:
    return _moment(text, _DATE, date.fromisoformat, "a date", "give a date, or YYYY-MM-DD")


def _datetime(_: Field, text: str, __: Known) -> _Fault:
    remedy = "give a datetime with a zone, or YYYY-MM-DD HH:MM:SS in UTC"
    return _moment(text, _DATETIME, datetime.fromisoformat, "a date and time", remedy)


def _time(_: Field, text: str, __: Known) -> _Fault:
    return _moment(text, _TIME, time.fromisoformat, "a time", "give a time, or HH:MM:SS")


def _moment(
    text: str, form: re.Pattern[str], read: Callable[[str], object], what: str, remedy: str
) -> _Fault:
    try:
        if form.fullmatch(text) is not None:
            read(text)
            return None
    except ValueError:
        return f"{shortened(text)} does not exist", remedy
    return f"{shortened(text)} is not {what}", remedy


def _picklist(field: Field, text: str, _: Known) -> _Fault:
    # Some servers escape what they list.
    allowed = {html.unescape(known.value): known.value for known in field.type.picklist_values}
    if not allowed or text in allowed or text in allowed.values():
        return None
    by_label = {known.label: known.value for known in field.type.picklist_values}
    remedy = f"is {by_label[text]!r} meant?" if text in by_label else _one_of(text, [*allowed])
    return f"{shortened(text)} is none of the picklist's values", remedy


def _multi_picklist(field: Field, value: FieldValue) -> _Fault:
    items = [value]
    if isinstance(value, str):
        items = [*multi_picklist_values(value)]
    elif isinstance(value, Sequence):
        items = [*value]
    for item in items:
        if not isinstance(item, str):
            return f"a {type(item).__name__} is no value of a picklist", "give a list of texts"
        fault = _characters(item) or _picklist(field, item, Known({}))
        if fault is not None:
            return fault
    return None


def _one_of(text: str, allowed: Sequence[str]) -> str:
    near = get_close_matches(text, allowed, 1)
    if near:
        return f"is {near[0]!r} meant?"
    shown = ", ".join(map(repr, allowed[:8]))
    return f"give one of {shown}{', ...' if len(allowed) > 8 else ''}"


def _reference(field: Field, text: str, known: Known) -> _Fault:
    return _id(text, field.type.refers_to, known)


def _owner(_: Field, text: str, known: Known) -> _Fault:
    return _id(text, _OWNERS, known)


def _id(text: str, modules: Sequence[str], known: Known) -> _Fault:
    wanted = " or ".join(modules) or "a record"
    if ID_FORM.fullmatch(text) is None:
        return f"{shortened(text)} is not a record's id", f"give the id of {wanted}, as in 4x12"
    module = known.prefixes.get(text.partition("x")[0])
    if module is None and modules and set(modules) <= set(known.prefixes.values()):
        return f"{text} is of another module", f"give the id of {wanted}"
    if module is None or not modules or module in modules:
        return None
    return f"{text} is of {module}", f"give the id of {wanted}"


_RULES: Final[dict[str, Callable[[Field, str, Known], _Fault]]] = {
    "boolean": _boolean,
    "currency": _number,
    "date": _date,
    "datetime": _datetime,
    "double": _number,
    "email": _email,
    "integer": _whole,
    "mediumtext": _text,
    "multipicklist": _text,
    "owner": _owner,
    "percentage": _number,
    "phone": _text,
    "picklist": _picklist,
    "radio": _picklist,
    "reference": _reference,
    "richtext": _text,
    "skype": _text,
    "string": _text,
    "text": _text,
    "time": _time,
    "url": _text,
}
"""The rule of each type that is checked."""
