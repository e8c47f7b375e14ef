"""The sandbox's CRM, without HTTP: users, and one method that runs an operation.

It behaves as the vendor's manuals say, with the semantics of paging, sync and queries measured on
Vtiger 8.4. Everything it knows is in its database, so that a file keeps it across restarts.
"""

from __future__ import annotations

import hmac
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from threading import RLock
from typing import Any

from vtiger_async.clock import Clock
from vtiger_async.editions import edition_named
from vtiger_async.sandbox import (
    conversion,
    finding,
    metadata,
    picklists,
    records,
    related,
    reopening,
    syncing,
)
from vtiger_async.sandbox.access import User, users_of
from vtiger_async.sandbox.answers import Fault, Upload
from vtiger_async.sandbox.attachments import files_retrieve
from vtiger_async.sandbox.calls import Call, fatal_error, internal_error
from vtiger_async.sandbox.profiles import ProfileName, profile_named
from vtiger_async.sandbox.query import query
from vtiger_async.sandbox.seed import plant
from vtiger_async.sandbox.store import Store
from vtiger_async.sandbox.syncing import stamp
from vtiger_async.wire.operations import OPERATIONS

__all__ = ["OPERATION_NAMES", "Engine", "Fault", "Upload", "User"]

_READS: dict[str, Callable[[Call], object]] = {
    "me": metadata.me,
    "listtypes": metadata.list_types,
    "describe": metadata.describe,
    "retrieve": records.retrieve,
    "decrypt": records.decrypt,
    "query": query,
    "sync": syncing.sync,
    "relatedtypes": related.related_types,
    "retrieve_related": related.retrieve_related,
    "query_related": related.query_related,
    "picklist_dependency": picklists.picklist_dependency,
    "tags_retrieve": finding.tags_retrieve,
    "files_retrieve": files_retrieve,
    "lookup": finding.lookup,
    "get_account_hierarchy": finding.account_hierarchy,
    "editionlimits": metadata.edition_limits,
}
_WRITES: dict[str, Callable[[Call], object]] = {
    "create": records.create,
    "update": records.update,
    "revise": records.revise,
    "delete": records.delete,
    "reopen": reopening.reopen,
    "convertlead": conversion.convert_lead,
    "add_related": related.add_related,
    "delete_related": related.delete_related,
    "tags_add": finding.tags_add,
    "tag_delete": finding.tags_delete,
    "tags_delete": finding.tags_delete,
    "add_picklist": picklists.add_picklist,
    "edit_picklist": picklists.edit_picklist,
    "delete_picklist": picklists.delete_picklist,
}

_NAMES = {name.lower(): name for name in OPERATIONS}
_SESSION = frozenset({"getchallenge", "login", "logout", "extendsession"})

OPERATION_NAMES = tuple({**_READS, **_WRITES})
"""The operations that the engine runs, in lower case."""


@lru_cache(maxsize=4)
def _image(seed: int, records: int | None) -> Store:
    """Return a seeded store in memory, to copy: a test does not pay for the seed again."""
    store = Store()
    plant(store, seed, records)
    return store


class Engine:
    """A Vtiger CRM in memory, or in a file.

    Args:
        clock: What tells the time of writes, in whole seconds.
        seed: What the seed data and the access keys are derived from.
        records: How many records to start with; None for the standard ones, 0 for none.
        store: The file to keep everything in. One that exists is opened as it is, with the seed
            that it was made with. None keeps everything in memory.
        edition: The edition, which `editionLimits` tells of.
        access_key: The access key of `admin`, in place of the derived one.
        populate: Whether to start with records at all; False is `records=0`.
        users: How many users are paid for, which `editionLimits` tells of.
        profile: What kind of Vtiger it is: `"cloud"` or `"oss-8.4"` (see `profiles.py`).

    Attributes:
        profile: The traits of that kind.

    Raises:
        ConfigurationError: The edition or the profile is unknown.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        seed: int = 0,
        records: int | None = None,
        store: str | os.PathLike[str] | None = None,
        edition: str = "one-professional",
        access_key: str | None = None,
        populate: bool = True,
        users: int = 5,
        profile: ProfileName = "cloud",
    ) -> None:
        self.profile = profile_named(profile)
        self._clock = clock
        self._seed = seed
        self._records = records if populate else 0
        self._daily_limit = edition_named(edition).limits(users).day or 0
        self._served = 0
        self._lock = RLock()
        if store is None:
            self._store = Store(image=_image(seed, self._records))
        else:
            self._store = Store(store)
            self._plant_or_read_seed()
        self._users = users_of(self._seed, access_key, self.profile)

    def _plant_or_read_seed(self) -> None:
        found = self._store.rows("SELECT value FROM meta WHERE name = 'seed'")
        if found:
            self._seed = int(found[0][0])
        else:
            plant(self._store, self._seed, self._records)

    @property
    def users(self) -> Mapping[str, User]:
        """The users by name: admin, sales, guest and inactive."""
        return self._users

    def authenticate(self, username: str, access_key: str) -> User | None:
        """Return the user, or None for an unknown name, a wrong key, or an inactive user.

        Names ignore case, keys do not (measured).
        """
        user = self._users.get(username.lower())
        if user is None or not user.active:
            return None
        right = hmac.compare_digest(user.access_key.encode(), access_key.encode())
        return user if right else None

    @property
    def store(self) -> Store:
        """The database, for what puts records there that no call has made (`check_world.py`)."""
        return self._store

    def execute(
        self,
        operation: str,
        params: Mapping[str, str | list[str]],
        user: User,
        files: Sequence[Upload] = (),
        *,
        crowded: bool = False,
    ) -> object:
        """Run an operation and return its `result`, ready for JSON.

        A write is committed when this returns, and undone where it raises.

        Args:
            operation: Its name on the wire; case does not matter (measured).
            params: What was sent, by name.
            user: Who asks.
            files: The files that were sent with it.
            crowded: Whether other calls are under way, which lets auto numbers repeat (measured).

        Raises:
            Fault: The error answer of Vtiger.
        """
        name = operation.lower()
        with self._lock:
            now = self._clock.time()
            self._served += 1
            call = Call(
                operation=name,
                store=self._store,
                user=user,
                params=params,
                files=files,
                now=stamp(now),
                time=now,
                number=self._served + self._seed,
                daily_limit=self._daily_limit,
                profile=self.profile,
                crowded=crowded,
            )
            try:
                return self._run(name, call)
            except (sqlite3.OperationalError, UnicodeError, RecursionError) as error:
                # More than the database takes: too many values, half a character, endless nesting.
                raise internal_error() from error

    def _run(self, name: str, call: Call) -> object:
        if name in self.profile.unsupported:
            said = f"Operation {_NAMES.get(name, name)} has no counterpart in the open-source core"
            raise Fault("OPERATION_NOT_SUPPORTED", said, 404)
        if name in self.profile.fatal_operations:
            raise fatal_error()
        if name in _READS:
            return _READS[name](call)
        if name not in _WRITES:
            status = 404 if name in _SESSION and self.profile.session_calls_are_404 else 400
            raise Fault("UNKNOWN_OPERATION", "Unknown operation requested", status)
        with self._store.writing():
            try:
                return _WRITES[name](call)
            except Fault as fault:
                if not fault.keeps:
                    raise
                kept = fault
        raise kept

    def reset(self) -> None:
        """Go back to the freshly seeded state; the ledger is empty then."""
        with self._lock:
            self._store.create()
            plant(self._store, self._seed, self._records)

    def ledger(self) -> list[dict[str, Any]]:
        """Return every write that was committed, oldest first: operation, module, id and time."""
        with self._lock:
            found = self._store.rows("SELECT operation, module, id, time FROM ledger")
        names = ("operation", "module", "id", "time")
        return [dict(zip(names, row, strict=True)) for row in found]

    def close(self) -> None:
        """Close the database; a file keeps what was committed."""
        with self._lock:
            self._store.close()
