"""Recorded exchanges of a real Vtiger, sent to a sandbox again.

A record keeps the number that it had; the prefix of its id becomes the sandbox's. Before a write
the clock and the counter are put where the recording was, so that times and numbers agree by
themselves.
"""

from __future__ import annotations

import hashlib
import json
import re
from calendar import timegm
from time import strptime
from typing import Any, cast

import httpx
from attrs import define, field

from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.check_compare import (
    SECRET,
    Difference,
    Exchange,
    Prefixes,
    differences,
    is_ordered,
    mapped,
    shown,
)
from vtiger_async.sandbox.clock import HeldClock
from vtiger_async.sandbox.schema import SCHEMA, Module
from vtiger_async.sandbox.webservice import WEBSERVICE_PATH
from vtiger_async.types import is_map

__all__ = ["Replay"]

_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_WRITES = ("create", "update", "revise", "webservice_front")
_MAKES = ("create", "convertlead", "webservice_front")


_OF_A_PERSON = (
    "username", "first_name", "last_name", "email", "time_zone", "hour_format", "date_format",
    "call_duration", "other_event_duration",
)  # fmt: skip
"""What the answer to a login tells of the user's own."""


@define
class Replay:
    """A sandbox that exchanges are sent to again.

    Attributes:
        sandbox: The sandbox.
        clock: The sandbox's clock.
        http: A bare HTTP client to it, without credentials.
        prefixes: The modules of the recorded instance by prefix.
        users: The sandbox's users by the names that the recording has for them.
    """

    sandbox: Sandbox
    clock: HeldClock
    http: httpx.AsyncClient
    prefixes: Prefixes
    users: dict[str, str] = field(factory=dict[str, str])
    _sessions: dict[str, str] = field(factory=dict[str, str], init=False)

    async def differences(self, exchange: Exchange) -> list[Difference]:
        """Send a request, and return where the answer differs; nothing where it agrees."""
        self._set_time(exchange)
        answer = await self._send(exchange)
        recorded = exchange["response"]
        if answer.status_code != recorded["status"]:
            return [Difference("status", str(recorded["status"]), _told(answer))]
        body = mapped(recorded["body"], self.prefixes)
        if is_map(body) and "__raw__" in body:
            same = answer.text == body["__raw__"]
            return [] if same else [Difference("body", shown(body["__raw__"]), shown(answer.text))]
        ours = answer.json()
        name = exchange["request"]["params"].get("username", "")
        if exchange["operation"] == "login" and self.own(name) != name:
            ours, body = _of_anybody(ours), _of_anybody(body)
        return differences(ours, body, exchange, ordered=self.is_ordered(exchange))

    def is_ordered(self, exchange: Exchange) -> bool:
        """Return whether the order of the rows in an answer means something."""
        return is_ordered(exchange)

    def _set_time(self, exchange: Exchange) -> None:
        """Put the clock and the counter of records where they were."""
        body = exchange["response"]["body"]
        result = body.get("result") if is_map(body) else None
        times = _TIME.findall(json.dumps(result))
        if exchange["operation"] in _WRITES and times:
            self.clock.now = max(
                self.clock.now, *(timegm(strptime(t, "%Y-%m-%d %H:%M:%S")) for t in times)
            )
        first = ""
        if is_map(result):
            first = str(result.get("id") or result.get("Accounts") or result.get("Contacts") or "")
        prefix, _, number = str(mapped(first, self.prefixes)).partition("x")
        if exchange["operation"] in _MAKES and prefix.isdecimal() and number.isdecimal():
            module = SCHEMA.by_prefix.get(int(prefix))
            store = self.sandbox.engine.store
            if module is not None and store.module_of(int(number)) is None:
                store.count_from(module, int(number))

    def plant(self, module: Module, number: int, values: dict[str, Any]) -> None:
        """Store a record as the recording implies it, unless there is one of that number.

        Args:
            module: Its module in the sandbox.
            number: Its number.
            values: Its fields as recorded; others are as in a new record of the first user.
        """
        store = self.sandbox.engine.store
        if store.state(module, number) is not None:
            return
        row = list(module.empty_row)
        for name, value in (self.implied(number) | values).items():
            if name in module.columns:
                row[module.columns[name]] = mapped(value, self.prefixes)
        store.insert(module, number, tuple(row))

    def implied(self, number: int) -> dict[str, Any]:
        """Return the fields of a planted record that no answer tells of."""
        owner = self.sandbox.engine.users["admin"].id
        return {"assigned_user_id": owner, "modifiedby": owner, "source": "WEBSERVICE"}

    async def _send(self, exchange: Exchange) -> httpx.Response:
        request = exchange["request"]
        params = {name: _text(name, value) for name, value in self.params(exchange).items()}
        user = request["user"]
        path = mapped(request["path"], self.prefixes)
        auth: Any = None
        if path.startswith(WEBSERVICE_PATH):
            await self._fill_session(params, self.own(user or "admin"), exchange)
        elif user:
            auth = (self.own(user), self._key(user, exchange))
        if "raw_body" in request:
            headers = {"content-type": request["content_type"]}
            content = mapped(request["raw_body"], self.prefixes)
            content = content.replace("\r\n", "\n").replace("\n", "\r\n")
            return await self.http.post(path, content=content, headers=headers, auth=auth)
        if request["method"] == "GET":
            return await self.http.get(path, params=params or None, auth=auth)
        files = [
            (part["part"], (part["name"], b"." * part["size"], part["content_type"]))
            for part in request.get("files", [])
        ]
        return await self.http.post(path, data=params, files=files or None, auth=auth)

    def params(self, exchange: Exchange) -> dict[str, Any]:
        """Return the parameters of a request, their prefixes mapped."""
        return cast("dict[str, Any]", mapped(exchange["request"]["params"], self.prefixes))

    def own(self, user: str) -> str:
        """Return the sandbox's user for a recorded one."""
        return self.users.get(user, user)

    def _key(self, user: str, exchange: Exchange) -> str:
        known = self.sandbox.engine.users.get(self.own(user).lower())
        refused = exchange["response"]["status"] == 401
        return "wrong" if known is None or refused else known.access_key

    async def _fill_session(self, params: dict[str, Any], user: str, exchange: Exchange) -> None:
        """Put secrets of the sandbox in the places where those of the recording were."""
        if "username" in params:
            params["username"] = self.own(params["username"])
        body = exchange["response"]["body"]
        error = body.get("error") if is_map(body) else None
        if "accessKey" in params and not error:
            params["accessKey"] = await self._answer_to_challenge(params["username"])
        elif is_map(error) and error.get("code") == "INVALID_USER_CREDENTIALS":
            await self._answer_to_challenge(params["username"])
        if params.get("sessionName") == SECRET:
            if params.get("operation") != "logout" or user not in self._sessions:
                right = await self._answer_to_challenge(user)
                form = {"operation": "login", "username": user, "accessKey": right}
                reply = await self.http.post(WEBSERVICE_PATH, data=form)
                self._sessions[user] = reply.json()["result"]["sessionName"]
            params["sessionName"] = self._sessions[user]

    async def _answer_to_challenge(self, user: str) -> str:
        asked = {"operation": "getchallenge", "username": user}
        reply = (await self.http.get(WEBSERVICE_PATH, params=asked)).json()
        key = self.sandbox.engine.users[user.lower()].access_key
        text = reply["result"]["token"] + key
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _of_anybody(body: Any) -> Any:
    """Return the answer to a login without what it tells of the person: here it is another."""
    result = body.get("result") if is_map(body) else None
    if not is_map(result):
        return body
    own = {name: type(result[name]).__name__ for name in _OF_A_PERSON if name in result}
    return {**body, "result": {**result, **own}}


def _text(name: str, value: Any) -> Any:
    if isinstance(value, str) or name.endswith("[]"):
        return value
    return json.dumps(value)


def _told(answer: httpx.Response) -> str:
    """Return the status of an answer, and what its body says of it."""
    return f"{answer.status_code} {answer.text[:150]}".rstrip()
