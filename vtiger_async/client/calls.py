"""How a method becomes a call: the base of the client, and its way past the typed methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from vtiger_async.client.core import Core, Writing
from vtiger_async.errors import (
    ApiError,
    AuthenticationError,
    InvalidArgumentError,
    InvalidResponseError,
    VtigerError,
)
from vtiger_async.models.records import Record
from vtiger_async.transport import Call, CallOptions, waiting_until
from vtiger_async.transport.http import Outgoing
from vtiger_async.types import is_list, is_map
from vtiger_async.vtql import Select
from vtiger_async.wire.encode import FilePart, Pairs, encode_parameters, json_text
from vtiger_async.wire.operations import OPERATIONS, Repeat

if TYPE_CHECKING:
    from vtiger_async.quota.events import QuotaEvent
    from vtiger_async.quota.snapshot import Quota

__all__ = ["Operations", "check_text", "read_as", "records_of"]

T = TypeVar("T")
_OPERATION = re.compile(r"[A-Za-z][A-Za-z0-9_]*|/restapi/[A-Za-z0-9_\-./%~]+", re.ASCII)
_TERSE = frozenset({"ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "INVALID_ID_ATTRIBUTE"})
"""Codes that say less than the client knows."""


class Operations:
    """The base of the client: how a method becomes a call."""

    _core: Core
    _options: CallOptions
    _writing: Writing

    @property
    def quota(self) -> Quota:
        """The quota as this client knows it now; it costs no call."""
        return self._core.quota()

    @property
    def server_time(self) -> datetime | None:
        """The moment of the last answer by the server's clock (aware UTC), from its header Date.

        It is in whole seconds; None before the first answer, and where the server sends no Date.
        """
        try:
            moment = parsedate_to_datetime(self._core.pipeline.date or "")
        except (TypeError, ValueError):
            return None
        # "-0000" stands for UTC of which the zone is not told; HTTP knows no other.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def deadline(self, seconds: float) -> AbstractContextManager[None]:
        """Return a `with` block in which no call waits longer than until so many seconds from now.

        A call that could not go in time is refused at once and not sent, with the wait it would
        have needed (`QuotaExhaustedError.resets_at`, `.wait`). A request under way is not cut off:
        `timeout` rules that. It holds for this client, its views, and tasks started in the block.

        Args:
            seconds: From 0; it never makes a wait longer than `max_wait` or an outer block does.

        Raises:
            InvalidArgumentError: It is no such number.
        """
        if not seconds >= 0:
            raise InvalidArgumentError(f"a deadline is a number of seconds from 0, not {seconds!r}")
        admission = self._core.pipeline.admission
        return waiting_until(admission, admission.now() + seconds)

    def subscribe(self, listener: Callable[[QuotaEvent], object]) -> Callable[[], None]:
        """Have a function called with each event of the quota: see `vtiger_async.quota.events`.

        It is called in the midst of calls of this client and all its views, so it should be quick.
        What it raises is logged. While nobody has subscribed, events cost nothing.

        Args:
            listener: The function.

        Returns:
            A function that ends the subscription.
        """
        admission = self._core.pipeline.admission
        admission.listeners = (*admission.listeners, listener)

        def stop() -> None:
            left = list(admission.listeners)
            if listener in left:
                left.remove(listener)
            admission.listeners = tuple(left)

        return stop

    async def call(
        self, method: str, operation: str, params: Mapping[str, Any] | None = None
    ) -> Any:
        """Make any call through the same pipeline, and return its result as decoded JSON.

        For what has no method here: operations of extensions, and endpoints of API Designer. A POST
        of an operation that is not in the manuals is never sent twice.

        Args:
            method: `"GET"` or `"POST"`.
            operation: The operation's name; or a path below the instance, as
                `"/restapi/vtap/api/orders"`, whose answer need not have Vtiger's envelope, and
                which goes over REST with `session_api`, too.
            params: Text is sent as it is, anything else as JSON; None is left out.

        Raises:
            InvalidArgumentError: Another method, or a name that cannot be one.
        """
        verb = method.upper()
        if verb not in ("GET", "POST"):
            raise InvalidArgumentError(f"Vtiger knows GET and POST, not {method!r}")
        if _OPERATION.fullmatch(operation) is None or ".." in operation:
            raise InvalidArgumentError(
                f"{operation!r} is neither an operation's name nor a path below /restapi/"
            )
        pairs: Pairs = [
            (name, value if isinstance(value, str) else json_text(value))
            for name, value in (params or {}).items()
            if value is not None
        ]
        return await self._raw(verb, operation, pairs)

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
                request = Outgoing.of(
                    self._core.url_of(alias or name), operation.verb, pairs, files
                )
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
            request = Outgoing.of(core.url_of(operation), verb, pairs)
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
