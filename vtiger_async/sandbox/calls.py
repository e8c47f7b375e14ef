"""One call as the operations see it: who asks, with what, when, and the checks that they share.

The messages, and which check comes first, are those measured on Vtiger 8.4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias, cast

from attrs import frozen

from vtiger_async.sandbox.access import User, denied
from vtiger_async.sandbox.answers import Fault, Upload
from vtiger_async.sandbox.profiles import Profile
from vtiger_async.sandbox.schema import SCHEMA, Module
from vtiger_async.sandbox.store import DELETED, Row, Store

__all__ = [
    "Call",
    "Element",
    "bad_id",
    "fatal_error",
    "id_parts",
    "internal_error",
    "split_id",
    "unknown_entity",
]

Element: TypeAlias = "dict[str, object]"
"""The fields of a record as they came in."""

_LEADING = re.compile(r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,2})?)", re.ASCII)
_NUMERIC = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)
_SOMEWHERE = re.compile(r"[0-9]+x[0-9]+")
_ID = re.compile(r"(\d{1,9})x(\d{1,18})", re.ASCII)


def bad_id() -> Fault:
    """Return the answer to an id that is not one, or not one of that module."""
    return Fault("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")


def internal_error() -> Fault:
    """Return the answer that hides what went wrong; with HTTP 400 it is the caller's fault."""
    return Fault("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")


def fatal_error() -> Fault:
    """Return the answer to what PHP itself gives up on: HTTP 500 (measured)."""
    return Fault("INTERNAL_SERVER_ERROR", "Unknown Error while processing request", 500)


def unknown_entity(what: str = "Relation specified is incorrect") -> Fault:
    """Return the answer to an unknown relation; its code is spelt as Vtiger spells it."""
    return Fault("UNKOWN_ENTITY", what)


def _leading_number(text: str) -> int:
    """Return the number that MySQL reads at the start of a text; -1 for none, and for a part."""
    found = _LEADING.match(text)
    value = Decimal(found[1]) if found else Decimal(-1)
    return int(value) if value == value.to_integral_value() and 0 <= value < 2**63 else -1


def id_parts(text: str) -> tuple[int, int]:
    """Return the prefix and the number of an id as leniently as Vtiger reads it (measured).

    It only asks that an `NxM` stands somewhere in it; a bare number is a prefix without record.

    Args:
        text: The id. -1 stands for a part that no record has.

    Raises:
        Fault: INVALID_ID_ATTRIBUTE for anything else.
    """
    if text not in ("", "0") and _NUMERIC.fullmatch(text):
        return _leading_number(text), -1
    if not _SOMEWHERE.search(text):
        raise bad_id()
    prefix, number, *_ = text.split("x")
    return _leading_number(prefix), _leading_number(number)


def split_id(text: str) -> tuple[int, int] | None:
    """Return the prefix and the number of an id of the right form; None for anything else."""
    found = _ID.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


@frozen
class Call:
    """One call.

    Attributes:
        operation: Its name on the wire.
        store: The database.
        user: Who asks.
        params: What was sent, by name.
        files: The files that were sent with it.
        now: The time, as Vtiger stores it (`2026-01-31 09:00:00`, UTC).
        time: The same in Unix seconds.
        number: How many calls the engine has served, which makes unordered rows unstable.
        daily_limit: What `editionLimits` tells of the calls a day.
        profile: What kind of Vtiger this is.
        crowded: Whether other calls are under way.
    """

    operation: str
    store: Store
    user: User
    params: Mapping[str, str | list[str]]
    files: Sequence[Upload]
    now: str
    time: float
    number: int
    daily_limit: int
    profile: Profile
    crowded: bool

    def text(self, name: str) -> str:
        """Return a parameter, the last where it was sent often; empty where it is missing."""
        value = self.params.get(name, "")
        return value if isinstance(value, str) else (value[-1] if value else "")

    def json(self, name: str) -> object:
        """Return a parameter that is JSON; None where it is missing.

        Raises:
            Fault: INTERNAL_SERVER_ERROR where it is not JSON.
        """
        text = self.text(name)
        if not text:
            return None
        try:
            if self.profile.plain_describe:  # what stands behind it is passed over (measured)
                return json.JSONDecoder().raw_decode(text.lstrip())[0]
            return json.loads(text)
        except ValueError:
            raise internal_error() from None

    def names(self, name: str) -> list[str]:
        """Return a parameter that is a list: JSON, or `name[]` sent often; [] for null or none."""
        value = self.params.get(f"{name}[]", self.params.get(name, ""))
        if isinstance(value, list):
            return value
        if not value.startswith("["):
            return [value] if value not in ("", "null") else []
        return [str(item) for item in cast("list[object]", self.json(name))]

    def element(self) -> Element:
        """Return the parameter `element`; what is not a map counts as an empty one.

        Raises:
            Fault: INTERNAL_SERVER_ERROR where it is not JSON; with HTTP 500 on an open source where
                it is JSON of a kind that PHP trips over (measured).
        """
        value = self.json("element")
        if self.profile.plain_describe and not isinstance(value, (dict, list)):
            trips = self.operation == "create" or isinstance(value, str)
            if trips or (self.operation == "convertlead" and value not in (None, False)):
                raise fatal_error()
        return cast("Element", value) if isinstance(value, dict) else {}

    def visible(self, name: str, unknown: str = "") -> Module:
        """Return the module of that name.

        Args:
            name: The name, whose case matters.
            unknown: What the message says besides where no module has that name.

        Raises:
            Fault: ACCESS_DENIED where it is unknown, or hidden from the user.
        """
        module = SCHEMA.modules.get(name)
        if module is None:
            raise denied(f"Permission to perform the operation is denied{unknown}")
        if not self.user.sees(module):
            raise denied()
        return module

    @staticmethod
    def require_whole(text: str) -> None:
        """Refuse an id with text behind its number, which Vtiger notices last (measured).

        Raises:
            Fault: INVALID_ID_ATTRIBUTE.
        """
        parts = text.split("x")
        if len(parts) > 1 and not _NUMERIC.fullmatch(parts[1]):
            raise bad_id()

    def module_and_number(self, text: str) -> tuple[Module, int]:
        """Return what an id says, read as leniently as Vtiger does.

        Raises:
            Fault: ACCESS_DENIED for an unknown prefix or module, INVALID_ID_ATTRIBUTE for a number
                that is none.
        """
        module = SCHEMA.by_prefix.get(_leading_number(text.partition("x")[0]))
        if module is None:
            raise denied("Permission to perform the operation is denied for id")
        if not self.user.sees(module):
            raise denied()
        return module, id_parts(text)[1]

    def found(self, text: str) -> tuple[Module, int, Row]:
        """Return the record of that id: module, number and row.

        Raises:
            Fault: As module_and_number; ACCESS_DENIED where it is missing, deleted or unreadable,
                INVALID_ID_ATTRIBUTE where it is of another module, RECORD_NOT_FOUND for a user who
                is not active.
        """
        module, number = self.module_and_number(text)
        row = self.store.record(module, number) if number >= 0 else None
        if row is not None and module.name == "Users" and row[module.columns["status"]] != "Active":
            raise Fault("RECORD_NOT_FOUND", "Record you are trying to access is not found")
        if row is None:
            self._explain(module, number)
            raise denied()
        if not self.user.reads(module, self.owner(module, row)):
            raise denied("Permission to read given object is denied")
        return module, number, row

    def _explain(self, module: Module, number: int) -> None:
        """Raise what Vtiger says of a record that is not there, where it is no ACCESS_DENIED."""
        if not module.is_entity or module.name == "Users":
            return
        other = self.store.module_of(number)
        if other is not None and other is not module and self.store.state(other, number) != DELETED:
            raise bad_id()

    @staticmethod
    def owner(module: Module, row: Row) -> str | None:
        """Return the owner of a record, where its module has owners."""
        place = module.columns.get("assigned_user_id")
        return None if place is None else row[place]

    def log(self, module: Module, number: int) -> None:
        """Note a write in the ledger, which is committed or undone with it."""
        self.store.run(
            "INSERT INTO ledger VALUES (?, ?, ?, ?)",
            (self.operation, module.name, module.record_id(number), self.time),
        )
