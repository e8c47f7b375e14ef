"""What a client and all its views share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from vtiger_async.config import API_PATH
from vtiger_async.errors import ConfigurationError
from vtiger_async.models.metadata import Module, ModuleInfo, PicklistDependency
from vtiger_async.transport import Pipeline
from vtiger_async.transport.http import Http
from vtiger_async.types import ID_FORM

if TYPE_CHECKING:
    from vtiger_async.client.sessions import Sessions
    from vtiger_async.quota.snapshot import Quota

__all__ = ["Core", "Writing"]

_LOOP: anyio.lowlevel.RunVar[object] = anyio.lowlevel.RunVar("vtiger_async_loop")


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
        sees_all_is_guessed: Whether that is only taken to be so, since the server failed when it
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
    sees_all_is_guessed: bool = False
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
        from vtiger_async.quota.snapshot import Quota  # not every program asks

        admission = self.pipeline.admission
        ledger = admission.ledger
        try:
            now = admission.now()
        except Exception:  # noqa: BLE001 - outside an event loop there is no loop time; wall time does
            now = time.time()
        at = datetime.fromtimestamp(now, UTC)
        now = at.timestamp()  # in whole microseconds: what may go now is not to seem to be to come
        minute, hour, day = ledger.uses(now)
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
            admission = self.pipeline.admission
            if admission.loans is not None:
                await admission.loans.aclose(admission.now())
            await self.http.aclose()
