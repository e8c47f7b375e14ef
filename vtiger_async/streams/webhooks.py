"""A receiver of webhooks that takes each for a hint to look, and believes nothing in it.

```python
async with crm.changes(["Contacts"], store="changes.db", every=600) as changes:
    app = webhook_app(changes, token=os.environ["WEBHOOK_TOKEN"])
```

In Vtiger, a workflow with the action "Webhook" posts to the app's URL, with the token in the header
`token`. Wants the extra `webhooks`.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from contextlib import aclosing, suppress
from hashlib import sha256
from typing import Final, Protocol

from vtiger_async.errors import InvalidArgumentError

try:
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route, Router
    from starlette.types import ASGIApp
except ImportError as error:
    message = f"webhooks need their extra: pip install 'vtiger-async[webhooks]' ({error})"
    raise ImportError(message) from error

__all__ = ["Wakeable", "webhook_app"]

_LEAST_TOKEN: Final = 16
_LARGEST: Final = 1_000_000


class Wakeable(Protocol):
    """What a webhook wakes: a `Changes`, in the same event loop."""

    @property
    def modules(self) -> Sequence[str]:
        """The modules."""
        ...

    def wake(self, *modules: str, gap: float = 5.0) -> None:
        """Look at modules soon."""
        ...


def webhook_app(
    changes: Wakeable, *, token: str, gap: float = 5.0, largest: int = _LARGEST
) -> ASGIApp:
    """Return an ASGI app that wakes a stream: `POST /Contacts` for a module, `POST /` for all.

    Mount it anywhere, and serve it in the event loop of the stream. A webhook changes when the
    stream looks, and nothing else: its content is not read, so a forged, repeated or lost one does
    no harm beyond a look that is early or late. Whatever its number, a module is looked at no more
    often than every `gap` seconds, and once after the last. What is answered: 202; 401 without the
    token; 404 for what is no module of the stream; 405 for another method than POST; 413 for too
    large a body.

    Args:
        changes: The stream.
        token: What the header `token` must hold: at least 16 characters, in ASCII. It is
            compared in a time that does not depend on it.
        gap: Seconds between the beginnings of two looks at a module that webhooks lead to.
        largest: The largest body in bytes.

    Raises:
        InvalidArgumentError: An argument cannot be used.
    """
    if len(token) < _LEAST_TOKEN or not token.isascii() or token.strip() != token:
        raise InvalidArgumentError(
            f"a webhook's token has at least {_LEAST_TOKEN} characters, in ASCII, without spaces "
            "around: secrets.token_urlsafe() makes one"
        )
    if not gap >= 0 or type(largest) is not int or largest < 0:
        raise InvalidArgumentError("gap is a number of seconds from 0, largest of bytes from 0")
    wanted = _digest(token)

    async def receive(request: Request) -> Response:
        if not hmac.compare_digest(_digest(request.headers.get("token", "")), wanted):
            return PlainTextResponse("the header token is missing or wrong\n", 401)
        if await _is_too_large(request, largest):
            return PlainTextResponse("too large\n", 413)
        module = request.path_params.get("module")
        if module is not None and module not in changes.modules:
            return PlainTextResponse("no module of this stream\n", 404)
        changes.wake(*(() if module is None else (module,)), gap=gap)
        return Response(status_code=202)

    routes = [Route(path, receive, methods=["POST"]) for path in ("/", "/{module}")]
    return Router(routes, redirect_slashes=False)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()  # of one length, which compare_digest could else tell


async def _is_too_large(request: Request, largest: int) -> bool:
    """Read a body to its end without keeping it; stop where it is longer than allowed."""
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdecimal() and (len(told) > 18 or int(told) > largest):
        return True
    length = 0
    with suppress(ClientDisconnect):  # then nobody waits for an answer; the hint stands
        async with aclosing(request.stream()) as parts:
            async for part in parts:
                length += len(part)
                if length > largest:
                    return True
    return False
