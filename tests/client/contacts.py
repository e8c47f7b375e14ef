"""What the tests of queries share: a sandbox with contacts, and who writes to it meanwhile."""

from __future__ import annotations

import json
from typing import Any

from vtiger_async import VtigerClient
from vtiger_async.sandbox import Sandbox


class Crm:
    """A sandbox with a number of contacts, and the writes of somebody else on it."""

    def __init__(self, contacts: int = 0) -> None:
        self.sandbox = Sandbox(limits=False, records=0)
        self.engine = self.sandbox.engine
        self.admin = self.engine.users["admin"]
        self.ids = [self.create(f"Name {number % 7}", number) for number in range(contacts)]

    def create(self, lastname: str, number: int = 0, owner: str = "19x1") -> str:
        element = {
            "lastname": lastname,
            "firstname": f"{number:05}",
            "assigned_user_id": owner,
            "email": f"c{number}@example.com",
        }
        made: Any = self.engine.execute(
            "create", {"elementType": "Contacts", "element": json.dumps(element)}, self.admin
        )
        return str(made["id"])

    def revise(self, record_id: str, **fields: str) -> None:
        element = json.dumps({"id": record_id, **fields})
        self.engine.execute("revise", {"element": element}, self.admin)

    def delete(self, record_id: str) -> None:
        self.engine.execute("delete", {"id": record_id}, self.admin)

    @property
    def calls(self) -> int:
        return int(self.sandbox.ledger()["calls"].get("query", 0))

    def client(self, **options: Any) -> VtigerClient:
        return self.sandbox.client(**options)
