"""What goes back on the wire: Vtiger's envelope, and the ways in which a reply is lost.

Source of the forms: exchanges measured on Vtiger 8.4; the content type is the Cloud's.
"""

from __future__ import annotations

import json
import re
from email.utils import formatdate
from functools import lru_cache

from attrs import frozen
from starlette.types import Message, Receive, Scope, Send

from vtiger_async.clock import Clock

__all__ = [
    "UNAUTHORIZED",
    "DroppedConnection",
    "HeaderList",
    "Reply",
    "failure",
    "last_words",
    "page",
    "send_reply",
    "success",
    "wait_for_disconnect",
]

HeaderList = list[tuple[bytes, bytes]]
"""Response headers as ASGI has them."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_MAX_REASON = 200
_DRIPS = 20


class DroppedConnection(Exception):  # noqa: N818 - an order to the server, not an error of it
    """The order to drop the connection without finishing the reply.

    Whoever runs the app carries it out: the in-process transport raises httpx's error for it, the
    server closes the socket.

    Attributes:
        reset: Whether the peer is to see a reset (TCP RST) and not an orderly close (FIN).
    """

    def __init__(self, *, reset: bool) -> None:
        super().__init__("reset" if reset else "closed")
        self.reset = reset


@frozen
class Reply:
    """One HTTP response.

    Attributes:
        status: The HTTP status.
        body: The whole body, also where it is not sent whole.
        content_type: The Content-Type.
        reason: The text of the status line; empty for the status's own.
        headers: Further headers.
        counted: Whether the reply carries the quota's headers; a proxy's error page does not.
        cut: Whether the connection closes after half of the body.
        drip: The seconds that the body takes to arrive.
    """

    status: int
    body: bytes
    content_type: bytes = b"text/json"
    reason: str = ""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    counted: bool = True
    cut: bool = False
    drip: float = 0.0


def success(result: object, content_type: bytes = b"text/json") -> Reply:
    """Return the reply to an operation that succeeded."""
    body = json.dumps({"success": True, "result": result}, separators=(",", ":"))
    return Reply(200, body.encode(), content_type)


def failure(
    code: str | int,
    message: str,
    status: int = 400,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Reply:
    """Return the reply to an operation that failed; the message is also the reason phrase."""
    error = {"code": code, "message": message}
    body = json.dumps({"success": False, "error": error}, separators=(",", ":"))
    return Reply(status, body.encode(), reason=message, headers=headers)


def last_words(message: str) -> Reply:
    """Return the reply of a PHP that dies with a message: HTTP 200, and no envelope."""
    return Reply(200, message.encode(), content_type=b"text/html")


def page(status: int, title: str, *, counted: bool = True) -> Reply:
    """Return an HTML page, as the web server or the proxy in front of the CRM writes them."""
    html = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    )
    return Reply(status, html.encode(), content_type=b"text/html", counted=counted)


UNAUTHORIZED = failure(
    "ACCESS_DENIED",
    "Invalid authentication information",
    401,
    ((b"www-authenticate", b'Basic realm="Vtiger restapi"'),),
)
"""The reply to missing or wrong credentials (measured on Vtiger 8.4)."""


def reason_phrase(text: str) -> bytes:
    """Return a text as one that a status line may hold: UTF-8, one line, not too long."""
    return _CONTROL.sub(" ", text).encode("utf-8", "replace")[:_MAX_REASON]


@lru_cache(maxsize=4)
def _http_date(second: int) -> bytes:
    """Return a moment as the header Date has it."""
    return formatdate(second, usegmt=True).encode("ascii")


async def send_reply(
    reply: Reply, quota_headers: HeaderList, scope: Scope, send: Send, clock: Clock
) -> None:
    """Send a reply, whole, cut or slowly, with the date by the sandbox's clock.

    ASGI has no reason phrase: it is left in `scope["state"]`, where the sandbox's own transport
    and server find it; any other server writes the status's own.

    Raises:
        DroppedConnection: The reply was to be cut, and half of it has been sent.
    """
    headers: HeaderList = [
        (b"content-type", reply.content_type),
        (b"content-length", b"%d" % len(reply.body)),
        (b"date", _http_date(int(clock.time()))),
        *reply.headers,
    ]
    if reply.counted:
        headers += quota_headers
    if reply.reason:
        scope.setdefault("state", {})["reason"] = reason_phrase(reply.reason)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = reply.body
    if reply.cut:
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
        raise DroppedConnection(reset=False)
    if reply.drip:
        body = await _drip(body, reply.drip, send, clock)
    await send({"type": "http.response.body", "body": body})


async def _drip(body: bytes, seconds: float, send: Send, clock: Clock) -> bytes:
    """Send most of a body in small pieces over `seconds`, and return what is left of it."""
    step = len(body) // _DRIPS + 1
    pieces = [body[start : start + step] for start in range(0, len(body), step)]
    for piece in pieces[:-1]:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await clock.sleep(seconds / len(pieces))
    return pieces[-1]


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client has gone."""
    message: Message = {"type": "http.request"}
    while message["type"] != "http.disconnect":
        message = await receive()
