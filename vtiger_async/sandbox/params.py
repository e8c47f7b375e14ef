"""What a request brings: PHP's view of a URL, a form and its files, and of Basic authentication.

Parameters come from the URL for GET and POST alike, and from a urlencoded or multipart form, which
wins. The verb does not matter, and a JSON body is not read (both measured on Vtiger 8.4).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator
from contextlib import aclosing
from urllib.parse import parse_qsl

from attrs import field, frozen
from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive, Scope

from vtiger_async.sandbox.answers import Upload

__all__ = ["Call", "credentials", "read_call"]

Params = dict[str, str | list[str]]


@frozen
class Call:
    """One request as the CRM sees it.

    Attributes:
        name: The operation's name, or `vtap/` and the path of a registered route.
        verb: The HTTP method.
        params: The parameters; those written `name[]` are lists, without the brackets.
        files: The uploaded files.
        body: The body as it came, for routes that read JSON.
        headers: The request's headers.
        query: The parameters of the URL alone, which webservice.php tells from those of the form.
        form: The parameters of the form alone.
        session: The session's name on webservice.php; None on other paths.
    """

    name: str
    verb: str
    params: Params
    files: tuple[Upload, ...]
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    query: Params = field(factory=dict[str, str | list[str]], repr=False)
    form: Params = field(factory=dict[str, str | list[str]], repr=False)
    session: str | None = field(default=None, repr=False)


class _InMemoryParser(MultiPartParser):
    """Starlette's parser, with files in memory: its threads would confuse a virtual clock."""

    spool_max_size = 1 << 30


async def read_call(name: str, scope: Scope, receive: Receive) -> Call:
    """Read a request to its end."""
    body = await _read_body(receive)
    headers = Headers(scope=scope)
    query = _php_params(scope["query_string"].decode("latin-1"))
    form: Params = {}
    files: tuple[Upload, ...] = ()
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        form = _php_params(body.decode("latin-1"))
    elif kind == "multipart/form-data":
        form, files = await _read_multipart(headers, body)
    return Call(name, scope["method"], query | form, files, body, headers, query, form)


def credentials(headers: Headers) -> tuple[str, str] | None:
    """Return user name and access key of an `Authorization: Basic` header, or None."""
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        username, colon, access_key = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, access_key) if colon else None


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(chunks)


def _php_params(text: str) -> Params:
    return _as_php(parse_qsl(text, keep_blank_values=True))


def _as_php(pairs: list[tuple[str, str]]) -> Params:
    """Return pairs as PHP reads them: the last one wins, and `name[]` makes a list."""
    params: Params = {}
    for name, value in pairs:
        if not name.endswith("[]"):
            params[name] = value
            continue
        values = params.get(name[:-2])
        if isinstance(values, list):
            values.append(value)
        else:
            params[name[:-2]] = [value]
    return params


async def _read_multipart(headers: Headers, body: bytes) -> tuple[Params, tuple[Upload, ...]]:
    """Return the fields and files of a multipart form; a malformed one has none, as in PHP."""

    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    async with aclosing(whole()) as stream:
        try:
            form = await _InMemoryParser(headers, stream).parse()
        except (MultiPartException, FormParserError):
            return {}, ()
    pairs: list[tuple[str, str]] = []
    files: list[Upload] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = await value.read()
            kind = value.content_type or "application/octet-stream"
            files.append(Upload(value.filename or "", kind, content))
            await value.close()
        else:
            pairs.append((name, value))
    return _as_php(pairs), tuple(files)
