"""Scrubs exchanges: what of a request, an answer and a message may stand in a file."""

from __future__ import annotations

import re
from typing import Any

from attrs import define

from vtiger_async.recording.exchanges import Exchange
from vtiger_async.recording.knowledge import Knowledge, learned, module_asked
from vtiger_async.recording.pseudonyms import Pseudonyms
from vtiger_async.recording.statements import with_literals
from vtiger_async.recording.values import Values
from vtiger_async.recording.words import CODES, METADATA, SAID, TEXT_TYPES
from vtiger_async.types import is_list, is_map

__all__ = ["scrubbed"]

_WORD = re.compile(r"[A-Za-z0-9_.-]{0,20}")


def scrubbed(exchanges: list[Exchange], secrets: frozenset[str]) -> tuple[list[Exchange], Any]:
    """Return the exchanges without personal values and secrets, and who asked.

    Args:
        exchanges: The exchanges, in their order.
        secrets: Texts that must not appear anywhere.

    Returns:
        The exchanges, and the users: by pseudonym their `id` and `admin` (None if not known).
    """
    known = learned(exchanges)
    scrub = _Scrub(known, Values(known, Pseudonyms(frozenset(known.starts))))
    done = [scrub.exchange(exchange) for exchange in exchanges]
    for exchange in done:  # now that every word is known which was replaced
        scrub.messages(exchange["response"])
    users = {scrub.words.text(name): told for name, told in known.users.items()}
    return [_without(exchange, secrets) for exchange in done], users


def _without(value: Any, secrets: frozenset[str]) -> Any:
    """Return a value in which no text holds a secret, wherever the server has put it."""
    if is_map(value):
        return {name: _without(item, secrets) for name, item in value.items()}
    if is_list(value):
        return [_without(item, secrets) for item in value]
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, "SESSION")
    return value


@define
class _Scrub:
    known: Knowledge
    values: Values

    @property
    def words(self) -> Pseudonyms:
        return self.values.pseudonyms

    def exchange(self, exchange: Exchange) -> Exchange:
        """Return an exchange scrubbed, but for the messages of errors."""
        request, response = exchange["request"], exchange["response"]
        asked = {
            **request,
            "path": self._path(request["path"]),
            "user": self.words.text(request["user"]),
            "params": {
                name: self._param(name, value, exchange)
                for name, value in request["params"].items()
            },
        }
        if "files" in request:
            asked["files"] = [
                {**part, "name": self.words.text(part["name"])} for part in request["files"]
            ]
        answered = {**response, "body": self._body(response["body"], exchange)}
        return {**exchange, "request": asked, "response": answered}

    def _path(self, path: str) -> str:
        """Return the path; what follows the name of an own endpoint may be anybody's."""
        start = "/restapi/vtap/"
        if not path.startswith(start):
            return path
        kind, slash, rest = path[len(start) :].partition("/")
        name, more, values = rest.partition("/")
        return start + kind + slash + name + more + self.words.text(values)

    def _param(self, name: str, value: Any, exchange: Exchange) -> Any:
        operation = exchange["operation"]
        if operation == "vtap":
            return self.values.value("", value, None)
        if name == "query" and isinstance(value, str):
            module = module_asked(exchange)
            return with_literals(value, lambda field, text: self.values.text(field, text, module))
        if name in CODES or operation in METADATA:
            return value
        if name == "element" and is_map(value) and operation != "convertlead":
            return self.values.record(value, module_asked(exchange))
        return self.values.value("", value, None)

    def _body(self, body: Any, exchange: Exchange) -> Any:
        if not is_map(body) or "success" not in body:
            return self.values.value("", body, None) if "__raw__" not in body else self._raw(body)
        rest = {name: item for name, item in body.items() if name in ("success", "error")}
        more = {
            name: self.values.value(name, item, None)
            for name, item in body.items()
            if name not in ("success", "error", "result")
        }
        if "result" not in body:
            return rest | more
        return rest | {"result": self._result(body["result"], exchange)} | more

    def _raw(self, body: dict[str, str]) -> dict[str, str]:
        return {"__raw__": self.words.text(body["__raw__"])}

    def _result(self, result: Any, exchange: Exchange) -> Any:
        operation = exchange["operation"]
        if operation == "describe" and is_map(result):
            return self._described(result)
        if operation in METADATA:
            return result
        if is_map(result) and result.keys() <= {"message", "status", "success"}:
            return {
                name: self.words.known(said, SAID) if isinstance(said, str) else said
                for name, said in result.items()
            }
        if operation == "sync" and is_map(result):
            module = module_asked(exchange)
            updated = self.values.value("updated", result.get("updated"), module)
            return {**self.values.record(result, None), "updated": updated}
        module = "Users" if operation in ("me", "login") else module_asked(exchange)
        return self.values.value("", result, module)

    def _described(self, described: dict[str, Any]) -> dict[str, Any]:
        """Return a description: names, labels and types are kept, the company's texts are not."""
        items = described.get("fields")
        if not is_list(items):
            return described
        return described | {"fields": [self._field(i) if is_map(i) else i for i in items]}

    def _field(self, item: dict[str, Any]) -> dict[str, Any]:
        kind = item.get("type")
        details = kind if is_map(kind) else {"name": kind}
        changed = dict(item)
        default = item.get("default")
        # One word is a setting, as Active or en_us; more than one is what somebody wrote.
        written = isinstance(default, str) and _WORD.fullmatch(default) is None
        if details.get("name") in TEXT_TYPES and isinstance(default, str) and written:
            changed["default"] = self.words.text(default)
        listed = details.get("picklistValues")
        if listed:
            of_people = details.get("name") == "owner"
            changed["type"] = details | {"picklistValues": self._listed(listed, all_=of_people)}
        return changed

    def _listed(self, listed: Any, *, all_: bool) -> Any:
        """Return the values of a list, users in it scrubbed; all of them where it is of owners."""
        if is_map(listed):
            return {name: self._listed(item, all_=all_) for name, item in listed.items()}
        if is_list(listed):
            return [self._listed(item, all_=all_) for item in listed]
        if not isinstance(listed, str):
            return listed
        personal = all_ or listed.casefold() in self.known.people
        return self.words.text(listed) if personal else listed

    def messages(self, response: dict[str, Any]) -> None:
        """Replace what the error of a scrubbed response repeats of the values."""
        fields = self.known.fields.values()
        names = frozenset(name.casefold() for found in fields for name in found)
        keep = SAID | names | {name.casefold() for name in self.known.names}
        response["reason"] = self.words.known(response["reason"], keep)
        error = response["body"].get("error") if is_map(response["body"]) else None
        if is_map(error) and isinstance(error.get("message"), str):
            response["body"] = {
                **response["body"],
                "error": error | {"message": self.words.known(error["message"], keep)},
            }
