"""Recorded exchanges of a real Vtiger, sent to a sandbox again, and compared with its answers.

A record keeps the number that it had; the prefix of its id becomes the sandbox's. Before a write
the clock and the counter are put where the recording was, so that times and numbers agree by
themselves. What a recording cannot fix is not compared: auto numbers beyond their letters, names of
sessions, the order of fields and of rows without ORDER BY, which rows a page without ORDER BY
holds where it is full, and what a company wrote into its terms. Of sync the recording holds two
records a page.
"""

from __future__ import annotations

import hashlib
import json
import re
from calendar import timegm
from pathlib import Path
from time import strptime
from typing import Any, TypeAlias, cast

import httpx
from attrs import define, field

from tests.sandbox.engine_calls import StillClock
from tests.sandbox.replay_order import in_order
from vtiger_async.sandbox import Sandbox
from vtiger_async.sandbox.schema import SCHEMA, Module

__all__ = ["PREFIXES", "Exchange", "Replay", "is_invented", "read_exchanges"]

Exchange: TypeAlias = dict[str, Any]

PREFIXES = {
    1: "Campaigns", 2: "Vendors", 3: "Faq", 4: "Quotes", 5: "PurchaseOrder", 6: "SalesOrder",
    7: "Invoice", 8: "PriceBooks", 9: "Calendar", 10: "Leads", 11: "Accounts", 12: "Contacts",
    13: "Potentials", 14: "Products", 15: "Documents", 16: "Emails", 17: "HelpDesk", 18: "Events",
    19: "Users", 20: "Groups", 21: "Currency", 22: "DocumentFolders", 23: "CompanyDetails",
    24: "PBXManager", 25: "ServiceContracts",
    26: "Services", 27: "ProjectMilestone", 28: "ProjectTask", 29: "Project", 30: "ModComments", 31: "SMSNotifier", 32: "Assets",
    33: "LineItem", 34: "Tax", 35: "ProductTaxes",
}  # fmt: skip
"""The prefixes of the recorded instance."""

_ID = re.compile(r"(?<![\w/+])(\d{1,2})x(?=\d|-|$)")
_NUMBER = re.compile(r"([A-Z]{2,4})\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_INVENTED = re.compile(
    "invented|answer of the lab router|shape after the manual|messages after the manual"
    "|over Vtiger_Relation_Model",
    re.IGNORECASE,
)


def is_invented(exchange: Exchange) -> bool:
    """Return whether the note says that the front made the answer, and not the CRM."""
    return bool(_INVENTED.search(exchange.get("note", "")))


def read_exchanges(folder: Path) -> list[Exchange]:
    """Return the exchanges in the order in which they were recorded, each with its operation."""
    found: list[Exchange] = []
    for file in sorted(folder.glob("*.json")):
        exchanges: list[Exchange] = json.loads(file.read_text())
        found += [{**exchange, "operation": file.stem} for exchange in exchanges]
    return in_order(found)


def mapped(value: Any) -> Any:
    """Return a value with the recorded instance's prefixes replaced by the sandbox's."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {
            name: _own_prefix(item) if name == "idPrefix" else mapped(item) for name, item in items
        }
    if isinstance(value, list):
        return [mapped(item) for item in cast("list[Any]", value)]
    return _ID.sub(_prefix, value) if isinstance(value, str) and len(value) < 100_000 else value


def _own_prefix(prefix: str) -> str:
    name = PREFIXES.get(int(prefix))
    return str(SCHEMA.modules[name].prefix) if name else prefix


def _prefix(found: re.Match[str]) -> str:
    name = PREFIXES.get(int(found[1]))
    return f"{SCHEMA.modules[name].prefix}x" if name else found[0]


def _normal(value: Any, *, ordered: bool) -> Any:
    """Return a value without what a recording cannot fix: auto numbers and order of no meaning."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {name: _normal(item, ordered=ordered) for name, item in items}
    if isinstance(value, list):
        values = [_normal(item, ordered=ordered) for item in cast("list[Any]", value)]
        return values if ordered else sorted(values, key=_rank)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return f"{value.rstrip('0123456789')}#"
    return value


def _rank(item: Any) -> str:
    """Return what a list without order is sorted by: the name or the value of its items."""
    if isinstance(item, dict):
        record = cast("dict[str, Any]", item)
        for name in ("name", "value"):
            if name in record:
                return str(record[name])
    return json.dumps(item, sort_keys=True)


@define
class Replay:
    """A sandbox that exchanges are sent to again."""

    sandbox: Sandbox
    clock: StillClock
    http: httpx.AsyncClient
    sessions: dict[str, str] = field(factory=dict[str, str])

    async def differences(self, exchange: Exchange) -> str:
        """Send a request, and say in one line how the answer differs; empty where it agrees."""
        if exchange["name"] == "invoice_unpatched_restapi":
            return (
                "not sent: the sandbox would store it, and the other exchanges know of no such one"
            )
        self._prepare(exchange)
        answer = await self._send(exchange)
        recorded = exchange["response"]
        if answer.status_code != recorded["status"]:
            return (
                f"status {answer.status_code}, recorded {recorded['status']}: {answer.text[:150]}"
            )
        body = mapped(recorded["body"])
        if "__raw__" in body:
            return "" if answer.text == body["__raw__"] else f"body {answer.text[:100]}"
        return _compared(answer.json(), body, exchange)

    def _prepare(self, exchange: Exchange) -> None:
        """Put the clock and the counter of records where they were."""
        result = exchange["response"]["body"].get("result")
        text = json.dumps(result)
        times = _TIME.findall(text)
        if exchange["operation"] in ("create", "update", "revise", "webservice_front") and times:
            self.clock.now = max(
                self.clock.now, *(timegm(strptime(t, "%Y-%m-%d %H:%M:%S")) for t in times)
            )
        first = ""
        if isinstance(result, dict):
            record = cast("dict[str, Any]", result)
            first = str(record.get("id") or record.get("Accounts") or record.get("Contacts") or "")
        if exchange["operation"] in ("create", "convertlead", "webservice_front") and "x" in first:
            self.count_from(int(first.partition("x")[2]))

    def count_from(self, number: int) -> None:
        """Let the next record have that number."""
        store = self.sandbox.engine._store
        store._entity = number - 1

    def plant(self, module: Module, number: int, values: dict[str, Any]) -> None:
        """Store a record as the recording implies it, unless there is one of that number."""
        store = self.sandbox.engine._store
        if store.state(module, number) is not None:
            return
        row = list(module.empty_row)
        written = "2026-11-22 01:05:30" if number >= 500 else "2026-11-22 00:54:09"
        given = {
            "assigned_user_id": "19x1",
            "createdtime": written,
            "modifiedtime": written,
            "modifiedby": "19x1",
            "source": "WEBSERVICE",
        }
        for name, value in (given | values).items():
            if name in module.columns:
                row[module.columns[name]] = mapped(value)
        store.insert(module, number, tuple(row))

    async def _send(self, exchange: Exchange) -> httpx.Response:
        request = exchange["request"]
        params = {name: _text(name, mapped(value)) for name, value in request["params"].items()}
        if exchange["name"] == "long_query_post":  # the recording has the first few values only
            listed = ",".join(f"'Q{n:05}'" for n in range(3000))
            params["query"] = f"select id from Contacts where lastname in ({listed});"
        user = request["user"]
        path = mapped(request["path"])
        if path.startswith("/webservice.php"):
            await self._fill_session(params, user or "admin", exchange)
            auth: Any = None
        else:
            auth = (user, self._key(user, exchange)) if user else None
        if "raw_body" in request:
            headers = {"content-type": request["content_type"]}
            content = mapped(request["raw_body"]).replace("\r\n", "\n").replace("\n", "\r\n")
            return await self.http.post(path, content=content, headers=headers, auth=auth)
        if request["method"] == "GET":
            return await self.http.get(path, params=params or None, auth=auth)
        return await self.http.post(path, data=params, auth=auth)

    def _key(self, user: str, exchange: Exchange) -> str:
        known = self.sandbox.engine.users.get(user.lower())
        return "wrong" if known is None or exchange["name"] == "bad_key" else known.access_key

    async def _fill_session(self, params: dict[str, Any], user: str, exchange: Exchange) -> None:
        if params.get("accessKey") not in (None, "deadbeef"):
            params["accessKey"] = await self._answer_to_challenge(params["username"])
        if exchange["name"] == "bad_key":
            await self._answer_to_challenge(params["username"])
        if params.get("sessionName") == "SESSION":
            if exchange["name"] != "logout" or user not in self.sessions:
                right = await self._answer_to_challenge(user)
                form = {"operation": "login", "username": user, "accessKey": right}
                reply = await self.http.post("/webservice.php", data=form)
                self.sessions[user] = reply.json()["result"]["sessionName"]
            params["sessionName"] = self.sessions[user]

    async def _answer_to_challenge(self, user: str) -> str:
        asked = {"operation": "getchallenge", "username": user}
        token = (await self.http.get("/webservice.php", params=asked)).json()["result"]["token"]
        key = self.sandbox.credentials(user)[1]
        return hashlib.md5((token + key).encode()).hexdigest()


def _text(name: str, value: Any) -> Any:
    if isinstance(value, str) or name.endswith("[]"):
        return value
    return json.dumps(value)


def _compared(ours: Any, recorded: Any, exchange: Exchange) -> str:
    ours, recorded = _without_secrets(ours, exchange), _without_secrets(recorded, exchange)
    query = str(exchange["request"]["params"].get("query", "")).lower()
    ordered = "order by" in query or not query
    # All rows of these two are equal in what orders them.
    ordered = ordered and exchange["name"] not in ("order_reference", "order_modifiedtime")
    mine, theirs = ours.get("result"), recorded.get("result")
    paged = isinstance(theirs, list) and _is_full(query, len(cast("list[Any]", theirs)))
    if query and not ordered and isinstance(mine, list) and paged:
        # Which rows a page without ORDER BY holds is not stable (measured): their form is.
        ours["result"], recorded["result"] = _forms(mine), _forms(theirs)
    if exchange["operation"] == "sync" and exchange["name"].startswith(("same_", "distinct_")):
        # The recording holds the first two records of the page only.
        ours["result"]["updated"] = ours["result"]["updated"][:2]
    if exchange["operation"] == "describe" and isinstance(mine, dict):
        ordered = False
    left, right = _normal(ours, ordered=ordered), _normal(recorded, ordered=ordered)
    return "" if left == right else "; ".join(_paths(left, right, ""))[:1500]


def _is_full(query: str, rows: int) -> bool:
    """Return whether a page holds as many rows as it may, so that there may be others."""
    limit = re.search(r"limit (?:\d+\s*,\s*)?(\d+)", query)
    return "count(*)" not in query and rows >= min(int(limit[1]) if limit else 100, 100)


def _forms(rows: list[Any]) -> list[Any]:
    return [sorted(row) for row in rows]


def _without_secrets(body: Any, exchange: Exchange) -> Any:
    result = body.get("result")
    if isinstance(result, dict):
        record = cast("dict[str, Any]", result)
        for name in ("sessionName", "token", "serverTime", "expireTime"):
            if name in record:
                record[name] = type(record[name]).__name__
        for item in cast("list[Any]", record.get("fields", [])):
            if item["name"] == "terms_conditions":
                item["default"] = ""  # what a company writes there is its own
    return body


def _paths(left: Any, right: Any, path: str) -> list[str]:
    """Return where two values differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        a, b = cast("dict[str, Any]", left), cast("dict[str, Any]", right)
        found = [f"{path}/{name} only ours" for name in a if name not in b]
        found += [f"{path}/{name} only recorded" for name in b if name not in a]
        for name in a:
            if name in b:
                found += _paths(a[name], b[name], f"{path}/{name}")
        return found
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        return [line for i, (a, b) in pairs for line in _paths(a, b, f"{path}/{i}")]
    return [] if left == right else [f"{path}: {str(left)[:80]!r} recorded {str(right)[:80]!r}"]
