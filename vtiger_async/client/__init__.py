"""VtigerClient: the front door."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, cast

from attrs import evolve

from vtiger_async.client.calls import read_as
from vtiger_async.client.core import Core, Writing
from vtiger_async.client.documents import DocumentOperations
from vtiger_async.client.query import Query
from vtiger_async.clock import Clock, SystemClock
from vtiger_async.config import SESSION_PATH, base_url, settings_from
from vtiger_async.editions import Limits, limits_of
from vtiger_async.errors import ConfigurationError
from vtiger_async.quota import Ledger, Priority, Spread
from vtiger_async.retry import RetryPolicy
from vtiger_async.transport import CallOptions, Pipeline
from vtiger_async.transport.admission import Admission
from vtiger_async.transport.http import Http
from vtiger_async.types import SyncScope
from vtiger_async.vtql import Select, parse
from vtiger_async.wire.encode import checked_module

if TYPE_CHECKING:
    from vtiger_async.bulk import Bulk
    from vtiger_async.client.sync import Sync
    from vtiger_async.recording import Recorder
    from vtiger_async.stores import QuotaStore
    from vtiger_async.streams import Changes, CursorStore, StreamOptions

__all__ = ["VtigerClient"]


class VtigerClient(DocumentOperations):
    """A client of one Vtiger instance, as one user.

    Use it as `async with VtigerClient(...) as crm:`, or call `aclose()` at the end. It belongs to
    the event loop on which it is first used, and may be used by any number of tasks there.

    Args:
        url: The instance as people have it: a host, its URL, or the full endpoint. Plain http is
            for loopback only.
        username: The user's login, mostly an e-mail address.
        access_key: The key under My Preferences; not the password.
        edition: The instance's edition (`"one-professional"`), from which the limits follow;
            without it they are learned from the response headers.
        users: Paid users of the instance: the day's quota grows with them.
        boosters: Calls a day from booster packs.
        limits: Limits that override the edition's.
        max_in_flight: The most calls that are under way at once.
        timeout: Seconds to wait for each step of a request.
        max_wait: Seconds that a call may wait in all, for quota, a slot, and between attempts;
            a call that would have to wait longer is refused at once. `math.inf` waits for ever.
        retry: The policy for failures.
        http_client: An `httpx.AsyncClient`, or a client of the same shape, to send with; it stays
            yours to close. Its pool must hold `max_in_flight` connections.
        metadata_ttl: Seconds that descriptions are kept.
        clock: The time; real time, if not given.
        validate: Whether create, update and revise check the fields against the module's
            description before they are sent, and refuse them with all their problems. `"auto"` does
            so where a description is kept already, and spends no call; True fetches it, and looks
            up each new owner once, which tells an administrator of users who do not exist; False
            never does.
        strict: Whether a value that Vtiger stores other than it was sent raises SilentChangeError;
            otherwise it is a SilentChangeWarning.
        session_api: Whether calls go over `/webservice.php`, which open-source servers have, and
            not over REST. A login costs two calls: one for the first call, and one for each further
            call that runs at the same time. Nobody is logged out at the end: that would cost calls,
            and the server forgets sessions by itself.
        spread: How bulk calls use up the day: `"fast"`, as minute and hour allow, or `"even"`.
        reserve: The share of the day's calls, from 0 to below 1, that is left to other programs.
        quota: Where the counts of calls are kept, for several processes that call one instance:
            `SQLiteQuota`, `RedisQuota` or `PostgresQuota`. Without it, in this process.
        recorder: Keeps every request and its answer, and writes them scrubbed to a file.

    Raises:
        ConfigurationError: An argument makes no sense, or the edition has no API.
    """

    def __init__(
        self,
        url: str,
        username: str,
        access_key: str,
        *,
        edition: str | None = None,
        users: int | None = None,
        boosters: int = 0,
        limits: Limits | None = None,
        max_in_flight: int = 8,
        timeout: float = 30.0,
        max_wait: float = 60.0,
        retry: RetryPolicy = RetryPolicy(),
        http_client: Any = None,
        metadata_ttl: float = 3600,
        clock: Clock | None = None,
        validate: Literal["auto"] | bool = "auto",
        strict: bool = False,
        session_api: bool = False,
        spread: Spread = "fast",
        reserve: float = 0.0,
        quota: QuotaStore | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        base = base_url(url)
        if not username.strip() or ":" in username:
            raise ConfigurationError("username must not be empty, and cannot hold a colon")
        if not access_key.strip():
            raise ConfigurationError("access_key must not be empty: it is under My Preferences")
        if type(max_in_flight) is not int or max_in_flight < 1:
            raise ConfigurationError(
                f"max_in_flight is a whole number from 1, not {max_in_flight!r}"
            )
        if not metadata_ttl >= 0:
            raise ConfigurationError(f"metadata_ttl is a number from 0, not {metadata_ttl!r}")
        granted = limits_of(edition, users=users, boosters=boosters, limits=limits)
        self._options = CallOptions(timeout, max_wait, retry)
        clock = clock or SystemClock()
        if quota is None:
            admission = Admission(Ledger(granted, spread, reserve), clock, max_in_flight)
        else:
            from vtiger_async.client.shared import shared_admission  # most programs share nothing

            admission = shared_admission(
                quota, base, granted, clock, max_in_flight, spread=spread, reserve=reserve
            )
        http = Http.with_key(username, access_key, max_in_flight, http_client)
        if recorder is not None:
            http.observer = recorder.observer(username, access_key)
        pipeline = Pipeline(http, admission)
        http.recycled = pipeline.recycled
        self._core = Core(base, http, pipeline, metadata_ttl)
        if session_api:
            # Loaded here: who calls over REST does not pay for it.
            from vtiger_async.client.login import Login
            from vtiger_async.client.sessions import Sessions

            login = Login(pipeline, base + SESSION_PATH, username, access_key)
            self._core.sessions = Sessions(pipeline, login)
        self._writing = Writing(validate, strict)
        self._username = username
        self._is_view = False

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Return a client set up from the environment.

        Reads `VTIGER_URL`, `VTIGER_USERNAME`, `VTIGER_ACCESS_KEY`, and where set `VTIGER_EDITION`,
        `VTIGER_USERS` and `VTIGER_SESSION_API` (1 or 0).

        Args:
            options: Arguments of the constructor; they override the environment.

        Raises:
            ConfigurationError: A variable is missing.
        """
        return cls(**cast("dict[str, Any]", {**settings_from(given=options), **options}))

    def with_options(
        self,
        *,
        timeout: float | None = None,
        max_wait: float | None = None,
        retry: RetryPolicy | None = None,
        validate: Literal["auto"] | bool | None = None,
        strict: bool | None = None,
        priority: Priority | None = None,
    ) -> Self:
        """Return a view of this client with other options; it shares everything else.

        Connections, quota, slots and kept descriptions are the same; closing the view does
        nothing.

        Args:
            timeout: Seconds to wait for each step of a request.
            max_wait: Seconds that a call may wait in all.
            retry: The policy for failures.
            validate: Whether fields are checked before they are sent.
            strict: Whether a value that is stored other than it was sent is an error.
            priority: `"interactive"`, the default, goes first. `"sync"` leaves room for those calls
                and for other programs. `"bulk"` goes last and is spread over what is left of the
                windows: its calls may wait long, so give it a long `max_wait`.
        """
        options = self._options
        writing = Writing(
            self._writing.validate if validate is None else validate,
            self._writing.strict if strict is None else strict,
        )
        changed = evolve(
            options,
            timeout=options.timeout if timeout is None else timeout,
            max_wait=options.max_wait if max_wait is None else max_wait,
            retry=options.retry if retry is None else retry,
            priority=options.priority if priority is None else priority,
        )
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._options = changed
        view._writing = writing
        view._is_view = True
        return view

    def __repr__(self) -> str:
        way = "" if self._core.sessions is None else SESSION_PATH
        return f"<VtigerClient {self._username} at {self._core.base}{way}>"

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; on a view it does nothing."""
        if not self._is_view:
            await self._core.aclose()

    @property
    def url(self) -> str:
        """The instance's base URL."""
        return self._core.base

    @property
    def bulk(self) -> Bulk:
        """Bulk jobs: rows of files and iterables into the CRM, planned, exact and resumable."""
        from vtiger_async.bulk import Bulk  # loaded by whoever has bulk jobs

        admission = self._core.pipeline.admission
        return Bulk(self, admission.clock, admission.max_in_flight)

    def query(self, query: str | Select, *, resume: str | None = None) -> Query:
        """Return the records of a statement, to iterate over; no call is spent yet.

        The server answers faulty statements with success and no records, or others. What can be
        known is refused: a bare word, an id without its prefix or of another module, and where the
        module's description is kept, unknown fields and values that a field cannot hold. Where
        nothing shows such a fault, the description is asked for, once while it is kept.

        Source: manual, "Query".

        Args:
            query: VTQL with its trailing `;`, or a Select.
            resume: The `resume_token` of an earlier query of the same statement.

        Raises:
            QuerySyntaxError: The text is not VTQL; it says where.
            InvalidArgumentError: The statement cannot be sent or cannot match, or the token is
                another's. What only the description or the records tell is raised with them.
            InvalidIdError: What is compared with the id is no id.
        """
        statement = parse(query) if isinstance(query, str) else query
        checked_module(statement.module)
        clock = self._core.pipeline.admission.clock
        return Query(statement, self._source(self._rows), clock, resume)

    def sync(
        self,
        module: str,
        since: str | datetime | float | None = None,
        scope: SyncScope = "application",
    ) -> Sync:
        """Return the changes of a module since a moment, to iterate over; no call is spent yet.

        Users, Currency, Groups and other modules without entities cannot be synced. Unless this
        client was given another priority, the calls have the priority `"sync"`.

        Source: manual, "Sync".

        Args:
            module: The module.
            since: None for everything; a datetime or Unix seconds for changes at that second or
                later; the `cursor` of a change to go on after it.
            scope: `"application"` for all records, which needs an administrator; `"user"` and
                `"userandgroup"` for the caller's own, where a record that is reassigned away
                vanishes silently (measured on Vtiger 8.4).

        Raises:
            InvalidArgumentError: An argument cannot be used.
        """
        from vtiger_async.client.sync import Sync  # not every program wants it

        checked_module(module)
        source = self.with_options(priority=self._options.priority or "sync")
        return Sync(source, self._core.pipeline.admission.clock, module, since, scope)

    def changes(
        self,
        modules: Iterable[str],
        store: CursorStore | str | os.PathLike[str],
        **options: Unpack[StreamOptions],
    ) -> Changes:
        """Return the changes of modules as one stream, to be acknowledged: see `Changes`.

        The calls have the priority `"sync"`, as those of `sync`.

        Args:
            modules: The modules.
            store: Where it is kept how far the stream is: the path of a file, or a store.
            options: See `StreamOptions`.

        Raises:
            InvalidArgumentError: An argument cannot be used, or a module cannot be synced.
        """
        from vtiger_async.streams import Changes  # not every program wants it

        crm = self.with_options(priority=self._options.priority or "sync")
        return Changes(crm, self._core.pipeline.admission.clock, modules, store, **options)

    async def sync_page(self, module: str, since: int, scope: SyncScope) -> dict[str, Any]:
        """Make one bare sync call and return its result; `sync` is built on it.

        Source: manual, "Sync".

        Args:
            module: The module.
            since: Unix seconds; changes strictly later are sent. 0 is dropped by the server as
                empty (measured on Vtiger 8.4), so the least is 1.
            scope: Whose records.
        """
        from vtiger_async.client.sync import page_of  # loaded by whoever reads pages

        values = {
            "modifiedTime": str(max(1, since)),
            "elementType": checked_module(module),
            "syncType": scope,
        }
        return read_as("sync", page_of, await self._run("sync", values, module=module))
