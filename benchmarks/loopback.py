"""A server that costs next to nothing: canned Vtiger answers over keep-alive HTTP on loopback.

It runs as a process of its own, so that a benchmark counts the client's work alone. It prints its
port on stdout, and ends when its stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from email.utils import formatdate

PAGE = 100
PREFIX = "12"

CONTACT: dict[str, str] = {
    "salutationtype": "Mrs.", "firstname": "Zoë", "contact_no": "CON1042",
    "phone": "+44 20 7946 0958", "lastname": "Smith-O'Neill", "mobile": "+44 7700 900123",
    "account_id": "11x218",
    "homephone": "", "leadsource": "Trade Show", "otherphone": "", "title": "Head of Purchasing",
    "fax": "", "department": "Operations", "birthday": "1981-04-23",
    "email": "zoe.smith@acme-instruments.example", "contact_id": "", "assistant": "J. Doe",
    "secondaryemail": "", "assistantphone": "", "donotcall": "0", "emailoptout": "0",
    "assigned_user_id": "19x5", "reference": "1", "notify_owner": "0",
    "createdtime": "2024-11-03 08:14:51", "modifiedtime": "2025-06-17 15:42:09",
    "modifiedby": "19x5", "portal": "0", "support_start_date": "2025-01-01",
    "support_end_date": "2025-12-31", "mailingcity": "London", "othercity": "",
    "mailingstreet": "48 Featherstone Street\nFloor 3", "otherstreet": "", "mailingzip": "EC1Y 8SY",
    "otherzip": "", "mailingcountry": "United Kingdom", "othercountry": "",
    "mailingstate": "Greater London", "otherstate": "", "mailingpobox": "", "otherpobox": "",
    "imagename": "", "isconvertedfromlead": "1", "source": "CRM", "starred": "", "tags": "",
    "description": "Met at the spring fair; wants a quote for 40 sensors, delivery by autumn.",
    "cf_851": "Gold", "cf_853": "2500.00", "cf_855": "North |##| West",
}  # fmt: skip
"""A contact as Vtiger sends it: text, the dates and numbers too."""

WRITTEN = (
    "salutationtype", "firstname", "lastname", "phone", "mobile", "leadsource", "title",
    "department", "birthday", "email", "assistant", "assigned_user_id", "mailingcity",
    "mailingstreet", "mailingzip", "mailingcountry", "mailingstate", "description", "cf_851",
    "cf_853",
)  # fmt: skip
"""The fields that a create gives."""


def contact(number: int) -> dict[str, str]:
    """Return one of the contacts, each with a number of its own; what a create gave is stored."""
    return {
        **CONTACT,
        "contact_no": f"CON{number}",
        "id": f"{PREFIX}x{number}",
        "label": f"{CONTACT['firstname']} {CONTACT['lastname']}",
    }


def envelope(result: object) -> bytes:
    """Return a result as Vtiger's PHP writes it."""
    text = json.dumps({"success": True, "result": result}, separators=(",", ":"))
    return text.replace("/", "\\/").encode()


BODIES = {
    b"create": envelope(contact(1042)),
    b"retrieve": envelope(contact(1042)),
    b"query": envelope([contact(1001 + i) for i in range(PAGE)]),
}


class Answers(asyncio.Protocol):
    """One connection: a request in, the canned answer of its operation out."""

    sent = ("", "", "")
    """The last request of any connection: method, target and body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        verb, target, _ = head.split(b" ", 2)
        operation = target.partition(b"?")[0].rpartition(b"/")[2]
        if operation == b"sent":
            self.answer(json.dumps(Answers.sent).encode())
            return
        Answers.sent = (verb.decode(), target.decode(), rest[:length].decode())
        self.answer(BODIES[operation])

    def answer(self, body: bytes) -> None:
        now = time.time()
        head = (
            f"HTTP/1.1 200 OK\r\nDate: {formatdate(now, usegmt=True)}\r\nServer: Apache\r\n"
            "X-FloodControl-MinuteLimit: 1000000000\r\nX-FloodControl-Remaining: 999999000\r\n"
            f"X-FloodControl-Reset: {int(now) + 60}\r\nX-RateLimit-DailyLimit: 1000000000\r\n"
            "X-RateLimit-Remaining: 999999000\r\nCache-Control: no-cache\r\n"
            "Content-Type: application/json; charset=UTF-8\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Keep-Alive: timeout=60\r\nConnection: Keep-Alive\r\n\r\n"
        )
        self.transport.write(head.encode() + body)


async def serve() -> None:
    """Serve until stdin closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())
