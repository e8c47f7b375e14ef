"""Why Vtiger said no: the likely cause of ACCESS_DENIED and INTERNAL_SERVER_ERROR.

It is loaded by the first such error. Vtiger gives these codes for a misspelt or hidden field or
module, a record that is missing, deleted or unreadable, a wrong encoding, a literal that its lexer
refuses, text in a date, and for want of a right (measured on Vtiger 8.4). What the client knows
tells most of them apart: the call itself, and the descriptions that it keeps. No call is spent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Protocol, TypeAlias, cast

from attrs import frozen

from vtiger_async.client.doubts import nearest
from vtiger_async.errors import ApiError, InvalidIdError, ServerError, VtigerError
from vtiger_async.models.metadata import Module, ModuleInfo
from vtiger_async.models.validation import Known, problems_of
from vtiger_async.types import ID_FORM, UNSYNCED_MODULES, is_map
from vtiger_async.vtql import Select, parse
from vtiger_async.wire.encode import STANDARD_MODULES
from vtiger_async.wire.operations import OPERATIONS

__all__ = ["Kept", "explain"]

_Write: TypeAlias = Literal["create", "update", "revise"]
_FIELD = re.compile(r"Permission to access '?\.?(\w+)\.?'? attribute denied", re.IGNORECASE)
_MODULE = re.compile(r"denied for name : (\w*)")
_MOMENTS = frozenset({"date", "datetime", "time"})
_LIKE_A_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}.*|[\d:]*")
_RIGHTS = {
    "create": ("create", "createable"),
    "update": ("change", "updateable"),
    "revise": ("change", "updateable"),
    "delete": ("delete", "deleteable"),
    "retrieve": ("read", "retrieveable"),
}


class Kept(Protocol):
    """What a client knows without a call."""

    @property
    def sees_all(self) -> bool | None:
        """Whether the user is an administrator; None where that is not known."""
        ...

    @property
    def prefixes(self) -> Mapping[str, str]:
        """Module names by id prefix, as far as known."""
        ...

    def cached(self, module: str) -> Module | None:
        """Return a module's description, where it is kept."""
        ...

    def types(self) -> Mapping[str, ModuleInfo] | None:
        """Return the modules that the user sees, where they are kept."""
        ...

    def module_of(self, record_id: str) -> str | None:
        """Return the module a record's id belongs to, where known."""
        ...


def explain(error: ApiError, core: Kept, operation: str, values: Mapping[str, Any]) -> None:
    """Write the likely cause into an error; one that nothing explains stays as it is.

    Args:
        error: What came back.
        core: What the client knows.
        operation: The operation that was called.
        values: Its parameters: values, or for a raw call their text.
    """
    cause = next(_Call(error, core, operation, values).causes(), "")
    if not cause:
        return
    error.cause = cause
    error.message = f"{error.message.rstrip('.')}: {cause}" if error.message else cause
    error.args = (error.message,)


@frozen
class _Call:
    """A call that was refused."""

    error: ApiError
    core: Kept
    operation: str
    values: Mapping[str, Any]

    def causes(self) -> Iterator[str]:
        """Yield what explains the error, the most certain cause first."""
        yield from self._of_the_form()
        if isinstance(self.error, InvalidIdError):
            yield from self._of_the_conditions()
            yield from self._of_the_id()
        elif isinstance(self.error, ServerError):
            yield from self._of_the_values()
            yield from self._of_the_pair()
        else:
            yield from self._of_the_statement()
            yield from self._of_the_module()
            yield from self._of_the_sync()
            yield from self._of_the_id()
            yield from self._of_the_right()

    def _of_the_form(self) -> Iterator[str]:
        """A call that the server could not read; only a raw one can be."""
        known = OPERATIONS.get(self.operation)
        if known is None:
            return
        for parameter in known.parameters:
            value = self.values.get(parameter.name)
            if not parameter.required or parameter.encoding == "list":
                continue
            if value in (None, ""):
                yield f"{self.operation} lacks the parameter {parameter.name}"
            elif parameter.name == "element" and not is_map(_decoded(value)):
                yield "element is not the JSON text of an object"

    def _of_the_statement(self) -> Iterator[str]:
        _, fault = self._statement()
        named = _FIELD.search(self.error.message)
        module = self._described()
        if named is not None:
            where = module.name if module else self._module_name() or "the module"
            hint = (
                nearest(named[1], module.fields)
                if module
                else "; describe() lists the fields, and names distinguish case"
            )
            yield f"{where} has no field {named[1]!r}, or it is hidden from this user{hint}"
        if fault:
            yield fault

    def _of_the_conditions(self) -> Iterator[str]:
        """Conditions that compare a reference, an owner or the id with what is no id."""
        statement, _ = self._statement()
        module = self._described()
        named = [
            condition
            for group in (statement.where_any if statement else ())
            for condition in group
            if (module is None or condition.field == "id" or _refers(module, condition.field))
            and not all(ID_FORM.fullmatch(str(value)) for value in condition.values)
        ]
        if named:
            yield (
                f"{' or '.join(map(str, named[:3])):.200} compares with what is no record id: a "
                "reference and an owner take ids such as 4x12, and 4x0 finds a reference that is "
                "empty"
            )

    def _of_the_module(self) -> Iterator[str]:
        named = _MODULE.search(self.error.message)
        name = named[1] if named else self._module_name()
        if not name:
            return
        types = self.core.types()
        known = STANDARD_MODULES if types is None else tuple(types)
        if types is not None and name not in types:
            yield f"this user sees no module {name!r}{nearest(name, known)}"
        if named is not None:
            yield (
                f"there is no module {name!r}, and names distinguish case"
                f"{nearest(name, known)}; list_types() tells the modules that this user sees"
            )

    def _of_the_sync(self) -> Iterator[str]:
        if self.operation != "sync":
            return
        name = self._module_name()
        described = self._described()
        kept = (self.core.types() or {}).get(name)
        if name in UNSYNCED_MODULES or not getattr(described or kept, "is_entity", True):
            yield f"{name} has no entities, and cannot be synced; query it instead"
        if self.values.get("syncType") == "application" and self.core.sees_all is not True:
            certain = "" if self.core.sees_all is False else ", and this user may be none"
            yield (
                f"the scope 'application' needs an administrator{certain}; 'userandgroup' tells "
                "of the user's own records"
            )

    def _of_the_pair(self) -> Iterator[str]:
        """A relation of a record that is missing, which is no failure of the server."""
        source = self.values.get("sourceRecordId")
        if source and self.operation == "add_related" and (self.error.status or 500) < 500:
            yield f"there may be no record {source}, or it is deleted"

    def _of_the_id(self) -> Iterator[str]:
        """A record that is not there, or not for this user: Vtiger hardly tells them apart."""
        rid = self._record_id()
        if rid is None:
            return
        if ID_FORM.fullmatch(rid) is None:
            yield f"{rid[:60]!r} is not a record id: the form is NxM, as in 4x12"
        prefix, _, number = rid.partition("x")
        module = self.core.module_of(rid)
        if isinstance(self.error, InvalidIdError):
            if self.operation in ("update", "revise"):
                yield f"{rid} is an id of another module, or one of the fields refers to no id"
            yield (
                f"the record {number} is not of {module or 'the module'} whose ids begin with "
                f"{prefix}x; a prefix belongs to one module of one instance"
            )
        if self.error.message.endswith("for id"):
            yield (
                f"no module of this instance has ids that begin with {prefix}x; describe() tells "
                "the prefix of a module"
            )
        described = self._described()
        what, flag = _RIGHTS.get(self.operation, ("use", ""))
        if flag and described is not None and not getattr(described, flag):
            yield f"this user may not {what} records of {described.name}"
        if "read given object" in self.error.message:
            yield f"there is a record {rid}, and this user may not {what} it"
        of = f" of {module}" if module else ""
        yield (
            f"there is no record {rid}{of}, or it is deleted, or this user may not {what} it: "
            "Vtiger tells them not apart"
        )

    def _of_the_right(self) -> Iterator[str]:
        described = self._described()
        what, flag = _RIGHTS.get(self.operation, ("use", ""))
        if described is not None and flag and not getattr(described, flag):
            yield f"this user may not {what} records of {described.name}"
        name = self._module_name()
        if name and self.operation in ("create", "describe", "query", "relatedtypes", "sync"):
            yield f"there is no module {name!r}, or this user may not {what} its records"

    def _of_the_values(self) -> Iterator[str]:
        """A literal or a value that ended the request: below HTTP 500 it is the caller's."""
        _, fault = self._statement()
        if fault:
            yield fault
        element = _decoded(self.values.get("element"))
        failed = (self.error.status or 500) >= 500  # webservice.php says no with HTTP 200
        if failed or self.operation not in _RIGHTS or not is_map(element):
            return
        fields = {name: value for name, value in element.items() if name != "id"}
        described = self._described()
        if described is not None:
            known = Known(self.core.prefixes, ())
            for problem in problems_of(described, fields, cast("_Write", self.operation), known):
                field = described.fields.get(problem.field)
                if field is not None and field.type.name in _MOMENTS and problem.value:
                    yield str(problem)
            return
        named = [
            f"{name}={value!r:.40}"
            for name, value in fields.items()
            if re.search(r"date|day|time", name, re.IGNORECASE)
            and _LIKE_A_DATE.fullmatch(str(value or "")) is None
        ]
        if named:
            yield (
                f"text in a date does this, and these look so: {', '.join(named)}; a date is "
                "written YYYY-MM-DD"
            )

    def _statement(self) -> tuple[Select | None, str]:
        """Return the statement that was sent, and what is wrong with its text."""
        text = self.values.get("query")
        if not isinstance(text, str):
            return None, ""
        if self.operation == "query_related":
            text = f"{text};"
        try:
            return parse(text), ""
        except VtigerError as error:
            line, column = getattr(error, "line", None), getattr(error, "column", None)
            where = f" (line {line}, column {column})" if line else ""
            return None, f"the statement is not VTQL: {error.message}{where}"

    def _module_name(self) -> str:
        statement, _ = self._statement()
        name = self.values.get("elementType") or self.error.module
        return str(name or (statement.module if statement else "") or "")

    def _described(self) -> Module | None:
        name = self._module_name() or self.core.module_of(self._record_id() or "")
        return self.core.cached(name) if name else None

    def _record_id(self) -> str | None:
        element = _decoded(self.values.get("element"))
        given = self.values.get("id") or (element.get("id") if is_map(element) else None)
        rid = given or self.error.record_id
        return None if rid is None else str(rid)


def _refers(module: Module, name: str) -> bool:
    field = module.fields.get(name)
    return field is not None and field.type.name in ("reference", "owner")


def _decoded(value: object) -> object:
    """Return a value, or what its JSON text says; None where that is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None
