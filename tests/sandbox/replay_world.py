"""What was there before the exchanges: records that they speak of and do not make."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from calendar import timegm
from typing import Any, cast

from tests.sandbox.replay import PREFIXES, Exchange, Replay
from vtiger_async.sandbox.schema import SCHEMA
from vtiger_async.sandbox.store import DELETED
from vtiger_async.sandbox.syncing import stamp

Known = dict[str, dict[str, Any]]
"""What the answers tell of each record, by recorded id."""

_OLD = {"assigned_user_id": "19x1", "account_id": "11x2"}

_CONTACTS: Known = {
    f"12x{590 + n}": {
        "lastname": f"Q{n:02}",
        "firstname": f"F{n % 3}",
        "email": f"q{n}@example.com",
        "account_id": "11x589" if n % 2 else None,
        "birthday": f"1990-01-{n + 1:02}",
    }
    for n in range(12)
} | {
    "12x605": {"lastname": "Q%pct"},
    "12x562": {"lastname": "D", "birthday": "0000-00-00"},
    **{f"12x{n}": _OLD | {"firstname": "F0", "lastname": f"L{n - 3:02}"} for n in range(3, 15)},
    "12x548": {"lastname": "Old"},
}
_LEADS: Known = {
    f"10x{n}": {"lastname": f"Cv{n}", "company": "" if n == 630 else f"Co{n}"}
    for n in (621, 625, 627, 629, 630, 633, 634)
}
_OTHERS: Known = {
    "11x589": {"accountname": "QAcc"},
    "7x44": {"subject": "INV 1b"},
    "22x1": {"description": "This is a Default Folder"},
}
_STOCK = {
    "14x639": {"product_no": "PRO2", "unit_price": "10.00000000", "qtyinstock": "98.000"},
    "14x640": {"product_no": "PRO3", "unit_price": "20.50000000", "qtyinstock": "-1.500"},
}
_DELETED = {"2x545": "2026-11-22 01:00:53", "10x39": "2026-04-01 00:00:00"}

__all__ = ["Known", "known_records", "prepare"]

_ID = re.compile(r"(?<![\w/+])(\d{1,2})x(\d{1,5})(?!\d)")


def known_records(exchanges: list[Exchange]) -> Known:
    """Return what is known of each record: the first that an answer tells of each field."""
    known = {name: dict(told) for name, told in (_CONTACTS | _LEADS | _OTHERS | _STOCK).items()}
    for exchange in exchanges:
        _collect(exchange["response"]["body"].get("result"), known)
    return known


def _collect(value: Any, known: Known) -> None:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            _collect(item, known)
    elif isinstance(value, dict):
        record = cast("dict[str, Any]", value)
        if isinstance(record.get("id"), str) and _ID.fullmatch(record["id"]):
            told = known.setdefault(record["id"], {})
            for name, item in record.items():
                if isinstance(item, str) and item != "":
                    told.setdefault(name, item)
            if "product_name" in record:  # the label of another record, which no answer shows
                field = "productname" if record["entity_type"] == "Products" else "servicename"
                told = known.setdefault(record["productid"], {})
                told.setdefault(field, record["product_name"])
        for item in record.values():
            _collect(item, known)


def prepare(replay: Replay, exchange: Exchange, known: Known) -> None:
    """Store what a request or its answer speaks of and what this request does not itself make."""
    operation, body = exchange["operation"], exchange["response"]["body"]
    result = body.get("result")
    if operation == "getchallenge" and exchange["name"] == "ok":
        _found(replay, known)
    if exchange["name"] == "ok_image" and operation == "files_retrieve":
        _image(replay, exchange, known)
    if exchange["name"] == "same_second_450":
        _leads(replay, known, apart=False)
    if exchange["name"] == "distinct_seconds_page1":
        _leads(replay, known, apart=True)
    if exchange["name"] == "newline_whitespace":
        for record_id in _CONTACTS:
            _plant(replay, record_id, known)
        _pad(replay, "Contacts", 40, 500)
    if exchange["name"] == "invoice_count":
        _pad(replay, "Invoice", 11, 660)
    asked = json.dumps(exchange["request"]["params"], ensure_ascii=False)
    told = json.dumps(result, ensure_ascii=False)
    makes = operation in ("create", "convertlead", "webservice_front", "files_retrieve")
    if isinstance(result, dict):
        _lines(replay, cast("dict[str, Any]", result), makes=makes)
    spoken = asked if makes else asked + told
    for found in _ID.finditer(spoken):
        _plant(replay, found[0], known)


def _plant(replay: Replay, record_id: str, known: Known) -> None:
    prefix, _, number = record_id.partition("x")
    module = SCHEMA.modules.get(PREFIXES.get(int(prefix), ""))
    if module is None or not int(number) or not module.is_entity or module.name == "Users":
        return
    store = replay.sandbox.engine._store
    if store.module_of(int(number)) is not None:
        return
    if record_id in _DELETED:
        replay.plant(module, int(number), {"modifiedtime": _DELETED[record_id]})
        store.run(f"UPDATE {module.name} SET row_state = {DELETED} WHERE n = {number}")
    elif record_id not in ("15x676", "12x678", "10x1", "12x1"):
        replay.plant(module, int(number), known.get(record_id, {}))


def _lines(replay: Replay, record: dict[str, Any], *, makes: bool) -> None:
    """Let the lines of a document be those that an answer shows, by their numbers."""
    module, store = SCHEMA.modules["LineItem"], replay.sandbox.engine._store
    for line in cast("list[dict[str, Any]]", record.get("LineItems", [])):
        number = int(line["id"].partition("x")[2])
        store._plain["LineItem"] = max(number - 1, 0)
        if not makes:
            replay.plant(module, number, line)
    if "LineItems" in record and not makes:
        charges = {"1": {"value": None, "taxes": {"1": 0, "2": 0, "3": 0}}}
        store.keep_note(int(record["id"].partition("x")[2]), "charges", json.dumps(charges))


def _found(replay: Replay, known: Known) -> None:
    """Store what the instance had at first: a folder, a company, a value of a picklist, a line."""
    store = replay.sandbox.engine._store
    store.change(
        SCHEMA.modules["DocumentFolders"], 1, {"description": known["22x1"]["description"]}
    )
    store.run("DELETE FROM DocumentFolders WHERE n = 2")
    company = SCHEMA.modules["CompanyDetails"]
    told = {name: known["23x1"].get(name, "") for name in company.columns}
    store.change(company, 1, told)
    store.run("INSERT INTO picklists (name, value, place) VALUES ('leadsource', 'LabC', 99)")
    line = {"parent_id": "7x44", "productid": "14x43"} | known["33x1"]
    replay.plant(SCHEMA.modules["LineItem"], 1, line)
    store._plain["LineItem"] = 1


def _image(replay: Replay, exchange: Exchange, known: Known) -> None:
    """Store the contact whose image is read next."""
    _plant(replay, "12x677", known)
    file = exchange["response"]["body"]["result"][0]
    content = b64decode(file["filecontents"])
    parent = SCHEMA.modules["Contacts"].record_id(677)
    values = (678, parent, file["filename"], file["filetype"], content)
    replay.sandbox.engine._store.run("INSERT INTO files VALUES (?, ?, ?, ?, ?)", values)


def _leads(replay: Replay, known: Known, *, apart: bool) -> None:
    """Let the leads be changed in one second, or each in a second of its own."""
    store = replay.sandbox.engine._store
    numbers = [*range(15, 43), *range(45, 117), *range(121, 121 + (150 if apart else 350))]
    for place, number in enumerate(numbers, 1):
        _plant(replay, f"10x{number}", known)
        second = timegm((2026, 4, 1, 0, 0, place if apart else 0))
        sql = "UPDATE Leads SET modifiedtime = ? WHERE n = ?"
        store.run(sql, (stamp(second), number))
    if apart:
        store.run(
            "UPDATE Leads SET modifiedtime = '2026-03-01 00:00:00' WHERE n > ?", (numbers[-1],)
        )


def _pad(replay: Replay, name: str, count: int, first: int) -> None:
    """Store records that no exchange shows, until the module has as many as were counted."""
    module, store = SCHEMA.modules[name], replay.sandbox.engine._store
    number = first
    while store.rows(f"SELECT count(*) FROM {name} WHERE row_state = 0")[0][0] < count:
        if store.module_of(number) is None:
            replay.plant(module, number, {"lastname": "Other", "account_id": "11x2"})
        number += 1
