"""What the tests of the sandbox's engine share: a clock that stands still, and short calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vtiger_async.sandbox.clock import HeldClock
from vtiger_async.sandbox.engine import Engine, Fault

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC, after every seed record

on_the_cloud = pytest.mark.parametrize("profile", ["cloud"])
"""Marks a test of what only the Cloud has, or does otherwise than the open source."""


class Crm:
    """An engine with a still clock; parameters that are no text are sent as JSON."""

    def __init__(self, **options: Any) -> None:
        self.clock = HeldClock(NOW)
        options.setdefault("records", 0)
        self.engine = Engine(clock=self.clock, **options)

    def __call__(
        self,
        operation: str,
        user: str = "admin",
        /,
        files: Any = (),
        params: Any = None,
        **more: Any,
    ) -> Any:
        sent = {
            name: value if isinstance(value, str) or name.endswith("[]") else json.dumps(value)
            for name, value in ((params or {}) | more).items()
        }
        return self.engine.execute(operation, sent, self.engine.users[user], files)

    def create(self, module: str, user: str = "admin", **fields: Any) -> dict[str, Any]:
        fields.setdefault("assigned_user_id", self.engine.users[user].id)
        return self("create", user, elementType=module, element=fields)

    def query(self, text: str, user: str = "admin") -> list[dict[str, Any]]:
        return self("query", user, query=text)

    def values(self, text: str, name: str, user: str = "admin") -> list[Any]:
        return [row[name] for row in self.query(text, user)]

    def refused(self, operation: str, user: str = "admin", **params: Any) -> tuple[Any, str]:
        with pytest.raises(Fault) as caught:
            self(operation, user, **params)
        return caught.value.code, caught.value.message
