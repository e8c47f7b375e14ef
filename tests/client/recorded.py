"""What the tests of recordings share: a person, a module, and a file of their exchanges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vtiger_async.recording import Recorder, read_recording
from vtiger_async.transport.http import Outgoing
from vtiger_async.wire.decode import Answer
from vtiger_async.wire.encode import form_text

BASE = "https://acme-instance.example/crm/restapi/v1/vtiger/default/"
KEY = "s3cr3tKEYofAda"
PERSON = {
    "firstname": "Wilhelmina",
    "lastname": "Gräfenstein",
    "email": "wilhelmina@grafenstein.example",
    "phone": "+49 6221 778899",
    "mailingstreet": "Hauptstrasse 4711",
    "description": "Met her in Heidelberg; likes <b>Riesling</b> &amp; Brezeln",
    "birthday": "1971-03-14",
    "leadsource": "Cold Call",
}
WORDS = ("wilhelmina", "gräfenstein", "grafenstein", "6221", "778899", "hauptstrasse", "4711")
WORDS += ("heidelberg", "riesling", "brezeln", "1971-03-14")


def sent(operation: str, **params: Any) -> Outgoing:
    """A request with a form, or without one where there is nothing to send."""
    pairs = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in params.items()]
    return Outgoing("POST", BASE + operation, form_text(pairs).encode())


def got(result: Any = None, *, error: Any = None, status: int = 200) -> Answer:
    """An answer in Vtiger's envelope."""
    envelope = {"success": error is None, "result": result}
    if error is not None:
        envelope = {"success": False, "error": error}
    reason = "OK" if error is None else error["message"]
    return Answer(status, reason, {"content-type": "text/json"}, json.dumps(envelope).encode())


def field(name: str, kind: str, *values: str, **more: Any) -> dict[str, Any]:
    """A field as `describe` has it."""
    listed = [{"label": value, "value": value} for value in values]
    details: dict[str, Any] = {"name": kind} | ({"picklistValues": listed} if listed else {})
    return {"name": name, "label": name, "type": details, "editable": True} | more


CONTACTS = {
    "name": "Contacts",
    "idPrefix": "4",
    "fields": [
        *(field(name, "string") for name in ("firstname", "lastname", "mailingstreet")),
        field("email", "email"),
        field("phone", "phone"),
        field("description", "text", default="Ask Wilhelmina first"),
        field("birthday", "date"),
        field("createdtime", "datetime"),
        field("leadsource", "picklist", "Cold Call", "Other"),
        field("account_id", "reference"),
        field("assigned_user_id", "owner", "Wilhelmina Gräfenstein"),
        field("salesrep", "picklist", "Ada Private", "Nobody"),
        field("contact_no", "string", editable=False),
        field("portal", "boolean"),
        field("annual", "currency"),
    ],
}


def recorded(path: Path, *exchanges: tuple[Outgoing, Answer]) -> dict[str, Any]:
    """Record some exchanges, and return what the file holds."""
    with Recorder(path) as recorder:
        observe = recorder.observer("ada.private@example.com", KEY)
        for exchange in exchanges:
            observe(*exchange)
    return read_recording(path)


def results(recording: dict[str, Any]) -> list[Any]:
    """The results of a recording, in their order."""
    return [exchange["response"]["body"].get("result") for exchange in recording["exchanges"]]
