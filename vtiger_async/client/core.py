"""What a client and all its views share, and the one way from a method to the pipeline."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from vtiger_async.config import API_PATH
from vtiger_async.editions import Limits
from vtiger_async.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    InvalidArgumentError,
    InvalidResponseError,
    VtigerError,
)
from vtiger_async.models.metadata import Module, ModuleInfo, PicklistDependency
from vtiger_async.models.records import Record
from vtiger_async.quota import Ledger, WindowUse
from vtiger_async.transport import Call, CallOptions, Pipeline
from vtiger_async.transport.http import Http, Outgoing
from vtiger_async.types import ID_FORM, is_list, is_map
from vtiger_async.vtql import Select
from vtiger_async.wire.encode import FilePart, Pairs, encode_parameters, form_text
from vtiger_async.wire.operations import OPERATIONS, Repeat

if TYPE_CHECKING:
    from vtiger_async.client.sessions import Sessions
    from vtiger_async.quota.plan import Plan

__all__ = ["Core", "Operations", "Quota", "Writing", "check_text", "read_as", "records_of"]

T = TypeVar("T")
_TERSE = frozenset({"ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "INVALID_ID_ATTRIBUTE"})
"""Codes that say less than the client knows."""
_LOOP: anyio.lowlevel.RunVar[object] = anyio.lowlevel.RunVar("vtiger_async_loop")


@frozen
class Quota:
    """The quota at one moment, as this client knows it; asking costs no call.

    Attributes:
        minute: The minute's window.
        hour: The hour's window; no header shows it.
        day: The day's window.
        in_flight: Calls under way.
        waiting: Calls that wait for a slot or for quota.
        at: When the snapshot was taken (aware UTC).
        others_per_minute: The calls a minute of other programs on the instance, as far as the fall
            of the headers' Remaining has shown them.
    """

    minute: WindowUse
    hour: WindowUse
    day: WindowUse
    in_flight: int
    waiting: int
    at: datetime
    others_per_minute: float = 0.0
    _ledger: Ledger | None = field(default=None, repr=False, eq=False)

    def plan(self, calls: int) -> Plan:
        """Return how long so many calls take, which window binds when, and what of the day goes.

        It counts on what other programs and interactive callers have wanted so far. It costs no
        call. What leaves the windows is looked up now, so plan soon after the snapshot.

        Args:
            calls: How many calls the job makes, from 0.

        Raises:
            InvalidArgumentError: It is no such number.
        """
        from vtiger_async.quota import plan  # seldom asked for

        if type(calls) is not int or calls < 0:
            raise InvalidArgumentError(f"calls is a whole number from 0, not {calls!r}")
        ledger = Ledger(Limits()) if self._ledger is None else self._ledger
        return plan.plan(ledger.pacer, self.at.timestamp(), self.in_flight, calls)


@frozen
class Writing:
    """What a client does beside a write.

    Attributes:
        validate: Whether fields are checked against the module's description before they are sent:
            `"auto"` where one is kept already, True always, False never.
        strict: Whether a value that is stored other than it was sent is an error, or a warning.
    """

    validate: Literal["auto"] | bool = "auto"
    strict: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ConfigurationError: A value cannot be used.
        """
        if self.validate != "auto" and type(self.validate) is not bool:
            raise ConfigurationError(f"validate is 'auto', True or False, not {self.validate!r}")
        if type(self.strict) is not bool:
            raise ConfigurationError(f"strict is True or False, not {self.strict!r}")


@define(eq=False)
class Core:
    """The shared part: pipeline, addresses, metadata, and the event loop it lives on.

    Attributes:
        base: The instance's base URL.
        http: What the pipeline sends with.
        pipeline: Makes the calls.
        metadata_ttl: Seconds that a description is kept.
        prefixes: Module names by id prefix, as far as descriptions and records told.
        sees_all: Whether the user is an administrator, who may see every record; None until that
            was asked.
        tag_delete: The name under which this server deletes tags (two are seen).
        sessions: The way over webservice.php; None for a client of the REST API.
    """

    base: str
    http: Http
    pipeline: Pipeline
    metadata_ttl: float
    prefixes: dict[str, str] = field(factory=dict[str, str])
    sees_all: bool | None = None
    tag_delete: str = "tag_delete"
    sessions: Sessions | None = None
    _modules: dict[str, tuple[float, Module]] = field(factory=dict[str, "tuple[float, Module]"])
    _dependencies: dict[tuple[str, str, str], tuple[float, PicklistDependency]] = field(
        factory=dict[tuple[str, str, str], "tuple[float, PicklistDependency]"]
    )
    _types: tuple[float, Mapping[str, ModuleInfo]] | None = None
    _owners: dict[str, float] = field(factory=dict[str, float])
    _locks: dict[str, anyio.Lock] = field(factory=dict[str, anyio.Lock])
    _loop: object = None
    _closed: bool = False

    def check_usable(self) -> None:
        """Refuse a closed client, and one that lives on another event loop."""
        if self._closed:
            raise ConfigurationError("this client is closed: make another one")
        self._check_loop()

    def _check_loop(self) -> None:
        try:
            loop = _LOOP.get()
        except LookupError:
            loop = object()
            _LOOP.set(loop)
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError(
                "this client was first used on another event loop, where its connections live: "
                "make one client per event loop (one per asyncio.run)"
            )

    def url_of(self, operation: str) -> str:
        """Return the address of an operation, or of a path below the instance."""
        if operation.startswith("/"):
            return self.base + operation
        return f"{self.base}{API_PATH}/{operation}"

    def module_of(self, record_id: str) -> str | None:
        """Return the module a record's id belongs to, where a description has told."""
        return self.prefixes.get(record_id.partition("x")[0])

    def cached(self, module: str) -> Module | None:
        """Return the description that is kept and fresh, or None."""
        entry = self._modules.get(module)
        if entry is None or self.pipeline.admission.now() >= entry[0]:
            return None
        return entry[1]

    def keep_types(self, infos: Sequence[ModuleInfo]) -> None:
        """Keep the list of modules for `metadata_ttl` seconds."""
        self._types = (self._expiry(), {info.name: info for info in infos})

    def types(self) -> Mapping[str, ModuleInfo] | None:
        """Return the modules that this user sees, by name, where that is kept and fresh."""
        if self._types is None or self.pipeline.admission.now() >= self._types[0]:
            return None
        return self._types[1]

    def lock_for(self, module: str) -> anyio.Lock:
        """Return the lock under which one caller at a time asks for a description."""
        return self._locks.setdefault(module, anyio.Lock())

    def keep(self, name: str, module: Module) -> None:
        """Keep a description for `metadata_ttl` seconds."""
        self._modules[name] = (self._expiry(), module)
        if module.id_prefix:
            self.prefixes[module.id_prefix] = module.name

    def learn_prefix(self, record_id: str, module: str) -> bool:
        """Note whose prefix an id has, unless a description told it; False if it is no id."""
        if ID_FORM.fullmatch(record_id) is None:
            return False
        self.prefixes.setdefault(record_id.partition("x")[0], module)
        return True

    def keep_dependency(self, module: str, dependency: PicklistDependency) -> None:
        """Keep how two picklists of a module depend, for `metadata_ttl` seconds."""
        key = (module, dependency.source_field, dependency.target_field)
        self._dependencies[key] = (self._expiry(), dependency)

    def dependencies(self, module: str) -> list[PicklistDependency]:
        """Return the dependencies of a module's picklists that are kept and fresh."""
        now = self.pipeline.admission.now()
        kept = self._dependencies.items()
        return [dependency for key, (end, dependency) in kept if key[0] == module and now < end]

    def keep_owner(self, record_id: str) -> None:
        """Remember for `metadata_ttl` seconds that there is a user or group of that id."""
        self._owners[record_id] = self._expiry()

    def is_owner(self, record_id: str) -> bool:
        """Tell whether it is remembered that there is a user or group of that id."""
        return self.pipeline.admission.now() < self._owners.get(record_id, 0.0)

    def _expiry(self) -> float:
        return self.pipeline.admission.now() + self.metadata_ttl

    def forget(self) -> None:
        """Drop all descriptions: a change has made some stale, and picklists are shared."""
        self._modules.clear()
        self._dependencies.clear()

    def quota(self) -> Quota:
        """Return the quota as it stands."""
        admission = self.pipeline.admission
        ledger = admission.ledger
        try:
            now = admission.now()
        except Exception:  # noqa: BLE001 - outside an event loop there is no loop time; wall time does
            now = time.time()
        minute, hour, day = ledger.uses(now)
        at = datetime.fromtimestamp(now, UTC)
        others = ledger.pacer.others.per_second(now)[0] * 60.0
        return Quota(minute, hour, day, ledger.in_flight, admission.waiting, at, others, ledger)

    async def aclose(self) -> None:
        """Close the connections; the client cannot be used afterwards.

        Raises:
            ConfigurationError: They live on another event loop.
        """
        if not self._closed:
            self._check_loop()
            self._closed = True
            await self.http.aclose()


class Operations:
    """The base of the client: how a method becomes a call."""

    _core: Core
    _options: CallOptions
    _writing: Writing

    async def _run(
        self,
        name: str,
        values: Mapping[str, Any],
        *,
        module: str | None = None,
        record_id: str | None = None,
        files: Sequence[FilePart] = (),
        alias: str | None = None,
    ) -> Any:
        """Make one operation of the table and return its `result`.

        Args:
            name: The operation's name in the table.
            values: Its parameters by their names on the wire.
            module: The module, for errors.
            record_id: The record, for errors.
            files: Files that go with it.
            alias: The name that this server has for it, if another.
        """
        self._core.check_usable()
        operation = OPERATIONS[name]
        sessions, options = self._core.sessions, self._options
        try:
            if sessions is None:
                pairs = encode_parameters(operation, values)
                request = _request(self._core.url_of(alias or name), operation.verb, pairs, files)
                call = Call(request, name, operation.repeat, module, record_id)
                return await self._core.pipeline.run(call, options)
            result = await sessions.operate(
                operation, values, options, alias, module, record_id, files
            )
        except ApiError as error:
            self._explain(error, name, values)
            raise
        if self._core.sees_all is None:
            self._core.sees_all = sessions.sees_all
        return result

    async def _raw(self, verb: str, operation: str, pairs: list[tuple[str, str]]) -> Any:
        """Make a call that is not in the table."""
        self._core.check_usable()
        known = OPERATIONS.get(operation)
        repeat = known.repeat if known else (Repeat.SAFE if verb == "GET" else Repeat.NEVER)
        core, options = self._core, self._options
        try:
            if core.sessions is not None and not operation.startswith("/"):
                return await core.sessions.run(verb, operation, pairs, options, repeat=repeat)
            request = _request(core.url_of(operation), verb, pairs)
            call = Call(request, operation, repeat, lenient=operation.startswith("/"))
            return await core.pipeline.run(call, options)
        except ApiError as error:
            self._explain(error, operation, dict(pairs))
            raise

    def _explain(self, error: ApiError, operation: str, values: Mapping[str, Any]) -> None:
        """Write its likely cause into an error whose code says little; it costs no call."""
        if error.code in _TERSE and not isinstance(error, AuthenticationError):
            from vtiger_async.client.explaining import explain

            explain(error, self._core, operation, values)

    async def _rows(self, statement: Select) -> list[Record]:
        """Make one query and return the records of its page."""
        result = await self._run("query", {"query": str(statement)}, module=statement.module)
        rows = read_as("query", records_of, result, statement.module)
        if rows and statement.module != "Calendar":  # whose rows may be those of Events
            self._core.learn_prefix(str(rows[0].fields.get("id")), statement.module)
        return rows


def _request(url: str, verb: str, pairs: Pairs, files: Sequence[FilePart] = ()) -> Outgoing:
    """Return a request: a GET in its URL, a POST in its form."""
    if files:
        return Outgoing("POST", url, files=tuple(files), fields=dict(pairs))
    if verb == "POST":
        return Outgoing("POST", url, form_text(pairs).encode("ascii"))
    return Outgoing("GET", f"{url}?{form_text(pairs)}" if pairs else url)


def read_as(operation: str, read: Callable[..., T], *args: Any) -> T:
    """Return what `read` makes of a result; an error that it raises gets the operation's name."""
    try:
        return read(*args)
    except VtigerError as error:
        error.operation = operation
        raise


def records_of(result: Any, module: str | None) -> list[Record]:
    """Return the records of a list result; PHP sends a list with gaps as a map.

    Raises:
        InvalidResponseError: It is no list of records.
    """
    items = list(result.values()) if is_map(result) else result or []
    if not is_list(items):
        raise InvalidResponseError(
            f"a list of records was expected, and the server sent {type(result).__name__}",
            module=module,
        )
    if module is None or module == "Users" or not all(map(is_map, items)):
        return [Record.of(item, module) for item in items]
    # Only users have secrets to hide; a page of others is not looked through for them.
    return [Record(item, module) for item in items]


def check_text(value: str, name: str, operation: str) -> str:
    """Return the text if it is not empty.

    Raises:
        InvalidArgumentError: It is empty; it is named.
    """
    if not value.strip():
        raise InvalidArgumentError(f"{name} must not be empty", operation=operation)
    return value
