"""The one file that knows the HTTP library: a request goes in, an answer or an error comes out.

The library is httpx; an injected client of the same shape (httpx2) works too, so its exceptions are
told apart by the names of their classes. Facts built on (measured on httpx 0.28): the pool loses
slots when tasks are cancelled, so a PoolTimeout with fewer calls in flight than connections proves
a lost slot, and nothing had left; a request built by hand costs less than `client.post()`; the
`trace` extension tells whether sending began. Other transports report a request that was read and
then dropped as ConnectTimeout: where nothing was traced, every failure may have been sent.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import httpx
from attrs import define, field, frozen

from vtiger_async.errors import (
    ConfigurationError,
    ConnectError,
    InvalidResponseError,
    RequestTimeoutError,
    TransportError,
)
from vtiger_async.transport.admission import Ticket
from vtiger_async.wire.decode import Answer
from vtiger_async.wire.encode import FilePart, Pairs, form_text

__all__ = ["Http", "Outgoing"]

_POOL_WAIT = 5.0
"""Seconds to wait for a connection of the pool: with fewer calls than connections, a lost slot."""
_KEEPALIVE = 4.0
"""Seconds an idle connection is kept: shorter than servers do (5 and more), so that no write rides
on one that the server has just closed."""
_SENDING = (".send_request_headers.started", ".send_request_body.started")
_AFTER_SENDING = ("ReadError", "ReadTimeout", "RemoteProtocolError", "DecodingError")
"""What cannot happen before a request has left, even where a mocked transport traces nothing."""
_FORM = "application/x-www-form-urlencoded"
_HEADERS = (
    (b"Accept", b"application/json, text/json"),
    (b"Accept-Encoding", b"gzip"),
    (b"Connection", b"keep-alive"),
    (b"User-Agent", b"vtiger-async"),
)
_address = lru_cache(maxsize=64)(httpx.URL)
"""The parsed address of an operation; where a query follows, it would seldom be asked for again."""


@frozen
class Outgoing:
    """One request, without any type of the HTTP library.

    Attributes:
        verb: The HTTP method.
        url: The full URL, its query included.
        body: The form, or None.
        files: Files that make the form multipart.
        fields: The form's fields where there are files.
        anonymous: Whether it goes without the user's key, and without cookies: webservice.php wants
            neither.
    """

    verb: str
    url: str = field(repr=lambda url: repr(url.partition("?")[0]))
    body: bytes | None = field(default=None, repr=False)
    files: tuple[FilePart, ...] = ()
    fields: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    anonymous: bool = False

    @classmethod
    def of(
        cls,
        url: str,
        verb: str,
        pairs: Pairs,
        files: Sequence[FilePart] = (),
        *,
        anonymous: bool = False,
    ) -> Outgoing:
        """Return a request with its parameters: those of a GET in its URL, of a POST in its form.

        Args:
            url: The address.
            verb: The HTTP method.
            pairs: The parameters.
            files: Files that make the form multipart.
            anonymous: Whether it goes without the user's key.
        """
        if files:
            fields = dict(pairs)
            return cls("POST", url, files=tuple(files), fields=fields, anonymous=anonymous)
        text = form_text(pairs)
        if verb == "POST":
            return cls("POST", url, text.encode("ascii"), anonymous=anonymous)
        return cls("GET", f"{url}?{text}" if text else url, anonymous=anonymous)


class _HideQueries(logging.Filter):
    """httpx logs full URLs at INFO, and Vtiger's hold e-mail addresses: the query is cut off."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) > 1:
            url = str(record.args[1])
            if "?" in url and ("/restapi/" in url or "/webservice.php" in url):
                shown = url.partition("?")[0] + "?..."
                record.args = (record.args[0], shown, *record.args[2:])
        return True


for _name in ("httpx", "httpx2"):
    logging.getLogger(_name).addFilter(_HideQueries())


@define(eq=False)
class _Connections:
    """Own connections to one host: httpx's transport, without what a client lays around it.

    Cookies, redirects, hooks and the search for credentials are of no use here, and cost a tenth
    of a call. Cookies would do harm: PHP makes the calls of one session wait for each other.
    """

    size: int
    _transport: httpx.AsyncHTTPTransport | None = field(default=None, init=False)

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the answer with its body read."""
        if self._transport is None:
            limits = httpx.Limits(
                max_connections=self.size,
                max_keepalive_connections=self.size,
                keepalive_expiry=_KEEPALIVE,
            )
            self._transport = httpx.AsyncHTTPTransport(limits=limits, proxy=_proxy(request.url))
        response = await self._transport.handle_async_request(request)
        try:
            await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            await self._transport.aclose()


def _proxy(url: httpx.URL) -> str | None:
    """Return the environment's proxy for a URL (HTTPS_PROXY, ALL_PROXY, NO_PROXY), if any."""
    if proxy_bypass(url.host):
        return None
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


@define(eq=False)
class Http:
    """Sends requests with one user's key, over its own connections or an injected client.

    Attributes:
        connections: The size of the pool; never below the calls in flight.
        observer: What is called with each request and its answer, if anything; it must not raise.
        recycled: Called when the pool had lost a slot and is replaced.
    """

    connections: int
    _authorization: str = field(repr=False)
    _injected: Any = field(default=None, repr=False)
    _own: _Connections | None = field(default=None, init=False, repr=False)
    _busy: dict[object, int] = field(factory=dict[object, int], init=False, repr=False)
    _closed: bool = field(default=False, init=False)
    observer: Callable[[Outgoing, Answer], None] | None = field(default=None, init=False)
    recycled: Callable[[], object] | None = field(default=None, init=False, repr=False)

    @classmethod
    def with_key(cls, username: str, access_key: str, connections: int, injected: Any) -> Http:
        """Return a sender that authenticates as this user (HTTP Basic, as the manual says)."""
        token = base64.b64encode(f"{username}:{access_key}".encode()).decode("ascii")
        return cls(connections, f"Basic {token}", injected)

    async def send(self, request: Outgoing, seconds: float, ticket: Ticket) -> Answer:
        """Send a request and return the answer, whatever its status.

        Args:
            request: The request.
            seconds: How long to wait for each step: connecting, sending, and each read.
            ticket: Its `sent` is set when sending begins.

        Raises:
            TransportError: No answer came; `sent` tells whether the server may have seen it.
        """
        client = self._client()
        # Only an own client, or a transport that traces, proves that nothing has left.
        evidence = client is self._own

        async def trace(event: str, _: object) -> None:
            nonlocal evidence
            evidence = True
            if event.endswith(_SENDING):
                ticket.sent = True
                # There is no more to learn, and each event costs a coroutine.
                built.extensions.pop("trace", None)

        self._busy[client] = self._busy.get(client, 0) + 1
        try:
            built = self._build(request, seconds, trace)
            if request.anonymous and client is not self._own:
                # What the injected client knows of its own accord stays out as well.
                built.headers.pop("Cookie", None)
                response = await cast("httpx.AsyncClient", client).send(built, auth=None)
            else:
                response = await client.send(built)
        except BaseException as error:
            lost_slot = _is_a(error, "PoolTimeout")
            unproven = not (evidence or lost_slot) or _is_a(error, *_AFTER_SENDING)
            ticket.sent = ticket.sent or unproven
            if lost_slot:
                self._recycle(client)
            mapped = _mapped(error, sent=ticket.sent)
            if mapped is None:
                raise
            raise mapped from error
        finally:
            await self._done_with(client)
        ticket.sent = True
        # One pass over the raw headers: half the price of httpx.Headers.
        headers = {
            k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers.raw
        }
        answer = Answer(response.status_code, response.reason_phrase, headers, response.content)
        if self.observer is not None:
            self.observer(request, answer)
        return answer

    def _client(self) -> httpx.AsyncClient | _Connections:
        if self._closed:
            # A call that waited meanwhile, or that is repeated: new connections would stay open.
            raise ConfigurationError("this client was closed before the call could be sent")
        if self._injected is not None:
            return cast("httpx.AsyncClient", self._injected)
        if self._own is None:
            self._own = _Connections(self.connections)
        return self._own

    def _build(self, request: Outgoing, seconds: float, trace: object) -> httpx.Request:
        limits = {"connect": seconds, "read": seconds, "write": seconds, "pool": _POOL_WAIT}
        extensions = {"trace": trace, "timeout": limits}
        if self._injected is None:
            return self._lean(request, extensions)
        # The client's own headers and hooks count: it builds the request.
        client = cast("httpx.AsyncClient", self._injected)
        headers = {} if request.anonymous else {"Authorization": self._authorization}
        if request.body is not None:
            headers["Content-Type"] = _FORM
        return client.build_request(
            request.verb,
            request.url,
            content=request.body,
            **_multipart(request),
            headers=headers,
            extensions=extensions,
        )

    def _lean(self, request: Outgoing, extensions: dict[str, Any]) -> httpx.Request:
        """Return the request with all its headers given, at a third of the price of `content=`."""
        url = _address(request.url) if request.verb == "POST" else httpx.URL(request.url)
        headers = [(b"Host", url.netloc), *_HEADERS]
        if not request.anonymous:
            headers.append((b"Authorization", self._authorization.encode("ascii")))
        if request.files:
            return httpx.Request(
                request.verb, url, headers=headers, **_multipart(request), extensions=extensions
            )
        body = request.body or b""
        if request.verb == "POST":
            headers.append((b"Content-Type", _FORM.encode("ascii")))
            headers.append((b"Content-Length", b"%d" % len(body)))
        stream = httpx.ByteStream(body)
        return httpx.Request(
            request.verb, url, headers=headers, stream=stream, extensions=extensions
        )

    def _recycle(self, client: object) -> None:
        # The pool has lost a slot for good; calls under way end on the old client, new ones go to
        # a new one.
        if client is self._own:
            self._own = None
            if self.recycled is not None:
                self.recycled()

    async def _done_with(self, client: httpx.AsyncClient | _Connections) -> None:
        self._busy[client] -= 1
        if self._busy[client] == 0 and client is not self._injected:
            del self._busy[client]
            if client is not self._own:
                await client.aclose()

    async def aclose(self) -> None:
        """Close the own connections; an injected client stays its owner's."""
        self._closed = True
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()


def _multipart(request: Outgoing) -> dict[str, Any]:
    if not request.files:
        return {}
    files = [(f.part, (f.name, f.content, f.content_type)) for f in request.files]
    return {"data": dict(request.fields), "files": files}


def _is_a(error: BaseException, *names: str) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _mapped(error: BaseException, *, sent: bool) -> TransportError | ConfigurationError | None:
    """Return the typed error for an exception of the HTTP library; None if it is not one."""
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if _is_a(error, "UnsupportedProtocol", "InvalidURL", "LocalProtocolError"):
        return ConfigurationError(f"the request cannot be sent: {text}")
    if not _is_a(error, "HTTPError", "StreamError"):
        return None
    if not sent:
        return ConnectError(text)
    if _is_a(error, "TimeoutException"):
        return RequestTimeoutError(f"no answer in time ({text})")
    if _is_a(error, "DecodingError"):
        return InvalidResponseError(f"the body's encoding is broken ({text})")
    return TransportError(f"the connection broke ({text})")
