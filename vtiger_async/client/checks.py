"""The checks around a write: what is known against it before, and what came of it after.

They are loaded by the first write that needs them.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import frozen

from vtiger_async.client.core import Core
from vtiger_async.errors import (
    AccessDeniedError,
    InvalidArgumentError,
    RecordNotFoundError,
    SilentChangeError,
    ValidationError,
)
from vtiger_async.models.echo import silent_changes
from vtiger_async.models.metadata import Module
from vtiger_async.models.records import Record
from vtiger_async.models.validation import Known, Write, problems_of
from vtiger_async.problems import Problem, SilentChangeWarning
from vtiger_async.types import ID_FORM, FieldValue
from vtiger_async.vtql import F, Select, select

__all__ = ["Source", "check_before", "compare_after"]

_PACKAGE = "vtiger_async.client"


@frozen
class Source:
    """What may be asked of the server before a write.

    Attributes:
        describe: Gives a module's description; one that is kept costs no call.
        retrieve: Gives a record.
        rows: Gives the rows of one statement.
    """

    describe: Callable[[str], Awaitable[Module]]
    retrieve: Callable[[str], Awaitable[Record]]
    rows: Callable[[Select], Awaitable[list[Record]]]


async def check_before(
    core: Core,
    source: Source | None,
    module: str | None,
    fields: Mapping[str, FieldValue],
    write: Write,
    record_id: str | None,
) -> None:
    """Refuse fields that do not fit the module's description.

    Args:
        core: What the client knows.
        source: Tells what the client does not know; None where no call may be spent.
        module: The module, where it is known.
        fields: Python values by field name.
        write: The operation.
        record_id: The record that is changed.

    Raises:
        ValidationError: They do not; it lists every problem.
        InvalidArgumentError: They are to be checked, and the module is not known.
    """
    described = core.cached(module) if module else None
    if described is None:
        if source is None:
            return
        if module is None:
            raise InvalidArgumentError(
                f"with validate=True the module of {record_id} must be known: describe it or query "
                "it first, or send with validate='auto'",
                operation=write,
                record_id=record_id,
            )
        described = await source.describe(module)
    known = Known(core.prefixes, core.dependencies(described.name))
    problems = problems_of(described, fields, write, known)
    if source is not None:
        faulty = {problem.field for problem in problems}
        for name, value in fields.items():
            field = described.fields.get(name)
            if field is None or field.type.name != "owner" or name in faulty or not value:
                continue
            if not await _is_owner(core, source, str(value)):
                remedy = "give the id of a user, as (await crm.me()).id, or of a group"
                problems.append(Problem(name, value, f"there is no user or group {value}", remedy))
    if problems:
        raise ValidationError(
            problems=tuple(problems), operation=write, module=described.name, record_id=record_id
        )


async def _is_owner(core: Core, source: Source, owner: str) -> bool:
    """Tell whether there is such a user or group; nobody but the client asks (measured).

    A user who never was is denied like one whom the caller may not read: only who may query the
    users can tell the two apart (measured on Vtiger 8.4). Anyone else is refused by the server.
    """
    if ID_FORM.fullmatch(owner) is None or core.is_owner(owner):
        return True
    try:
        await source.retrieve(owner)
    except RecordNotFoundError:
        return False
    except AccessDeniedError:
        with contextlib.suppress(AccessDeniedError):
            if not await source.rows(select("Users", "id").where(F.id == owner)):
                return False
    core.keep_owner(owner)
    return True


def compare_after(
    given: Mapping[str, FieldValue],
    sent: Mapping[str, Any],
    record: Record,
    write: Write,
    *,
    strict: bool,
) -> None:
    """Report the values that were stored other than they were sent.

    Args:
        given: The Python values by field name.
        sent: The element as it went out.
        record: The record that came back.
        write: The operation.
        strict: Whether to raise.

    Raises:
        SilentChangeError: There are some, and `strict` is set; else SilentChangeWarning is warned.
    """
    changes = silent_changes(given, sent, record.fields)
    if not changes:
        return
    rid = str(record.fields.get("id"))
    error = SilentChangeError(
        changes=changes, record=record, operation=write, module=record.module, record_id=rid
    )
    if strict:
        raise error
    warning = SilentChangeWarning(str(error), changes, record)
    warnings.warn(warning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """Return how many frames lie between a warning and the line that awaits the client."""
    level, frame = 0, inspect.currentframe()
    while frame is not None and frame.f_globals["__name__"].startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
