"""From a request and its answer to an exchange: plain data, without secrets, not yet scrubbed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from attrs import frozen

from vtiger_async.types import is_list, is_map
from vtiger_async.wire.decode import Answer
from vtiger_async.wire.encode import FilePart

__all__ = ["SECRET", "Exchange", "Request", "Seen", "exchange_of", "without_secrets"]

Exchange: TypeAlias = dict[str, Any]
"""A recorded exchange: `name`, `operation`, `at`, `request` and `response`."""

SECRET = "SESSION"  # noqa: S105 - it stands in the place of a secret
"""What stands in a recording where a key, a password, a token or a session's name was."""

_SECRET_WORDS = ("accesskey", "password", "hash", "crypt", "token", "secret", "sessionname")
_HEADERS = {
    "content-type": "Content-Type",
    "retry-after": "Retry-After",
    "x-floodcontrol-limit": "X-FloodControl-Limit",
    "x-floodcontrol-minutelimit": "X-FloodControl-MinuteLimit",
    "x-floodcontrol-remaining": "X-FloodControl-Remaining",
    "x-floodcontrol-reset": "X-FloodControl-Reset",
    "x-ratelimit-limit": "X-RateLimit-Limit",
    "x-ratelimit-dailylimit": "X-RateLimit-DailyLimit",
    "x-ratelimit-remaining": "X-RateLimit-Remaining",
    "x-ratelimit-reset": "X-RateLimit-Reset",
}
"""The headers that are recorded: those that tell of the form and of the quota."""


class Request(Protocol):
    """What is recorded of a request; the transport's own type has it."""

    @property
    def verb(self) -> str:
        """The HTTP method."""
        ...

    @property
    def url(self) -> str:
        """The full URL."""
        ...

    @property
    def body(self) -> bytes | None:
        """The form, or None."""
        ...

    @property
    def files(self) -> Sequence[FilePart]:
        """Files that go with it."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """The form's fields where there are files."""
        ...


@frozen(repr=False)
class Seen:
    """A request and its answer as they passed; no repr, since they may hold secrets.

    Attributes:
        request: The request.
        answer: The answer.
        user: The login of the user who asked.
        at: When the answer came, in Unix seconds.
    """

    request: Request
    answer: Answer
    user: str
    at: float


def exchange_of(seen: Seen) -> Exchange:
    """Return the exchange without secrets, the host, or a name; the rest is as it was sent."""
    request, answer = seen.request, seen.answer
    address = urlsplit(request.url)
    pairs = parse_qsl(address.query, keep_blank_values=True)
    pairs += parse_qsl((request.body or b"").decode("utf-8", "replace"), keep_blank_values=True)
    params = without_secrets(_params([*pairs, *request.fields.items()]))
    path = _path(address.path)
    asked: dict[str, Any] = {
        "method": request.verb,
        "path": path,
        "user": seen.user,
        "params": params,
    }
    if request.files:
        asked["files"] = [
            {"part": f.part, "name": f.name, "content_type": f.content_type, "size": len(f.content)}
            for f in request.files
        ]
    return {
        "name": "",
        "operation": _operation(path, params),
        "at": datetime.fromtimestamp(seen.at, UTC).isoformat(timespec="seconds"),
        "request": asked,
        "response": {
            "status": answer.status,
            "reason": answer.reason,
            "headers_of_interest": {
                _HEADERS[name]: text for name, text in answer.headers.items() if name in _HEADERS
            },
            "body": without_secrets(_body(answer.body)),
        },
    }


def _path(path: str) -> str:
    """Return the part of a path that Vtiger gives: an instance may lie in a folder."""
    for start in ("/restapi/", "/webservice.php"):
        if start in path:
            return path[path.index(start) :]
    return path


def _operation(path: str, params: Mapping[str, Any]) -> str:
    if path.startswith("/webservice.php"):
        return str(params.get("operation", ""))
    if path.startswith("/restapi/v1/vtiger/default/"):
        return path.rpartition("/")[2]
    return "vtap"


def _params(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, text in pairs:
        if name.endswith("[]"):
            params.setdefault(name, []).append(text)
        else:
            params[name] = text if name == "query" else _decoded(text)
    return params


def _decoded(text: str) -> Any:
    """Return the object or the list that a parameter holds as JSON; other text as it is."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _body(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"__raw__": text}
    return value if is_map(value) or is_list(value) else {"__raw__": text}


def without_secrets(value: Any) -> Any:
    """Return a value in which every key, password, token and session name is replaced."""
    if is_map(value):
        return {
            name: _hidden(item) if _is_secret(name) else without_secrets(item)
            for name, item in value.items()
        }
    return [without_secrets(item) for item in value] if is_list(value) else value


def _is_secret(name: str) -> bool:
    folded = name.lower().replace("_", "")
    return any(word in folded for word in _SECRET_WORDS)


def _hidden(value: Any) -> Any:
    """Return what stands for a secret; a structure under such a name keeps its form."""
    if is_map(value):
        return {name: _hidden(item) for name, item in value.items()}
    if is_list(value):
        return [_hidden(item) for item in value]
    return value if value in (None, "") or isinstance(value, bool) else SECRET
