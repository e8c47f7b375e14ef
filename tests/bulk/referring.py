"""Loads of contacts and of organisations that refer to each other, for the tests of references."""

from __future__ import annotations

from typing import Any

from planned import ADMIN

from vtiger_async.bulk.load import Load
from vtiger_async.bulk.mapping import Column


def contacts(rows: Any, parent: Column | None = None, **options: Any) -> Load:
    """Return a load of contacts, each with an organisation."""
    mapping = {"Name": "lastname", "Of": parent or Column("account_id")}
    options = {"module": "Contacts", "owner": ADMIN, "mapping": mapping, **options}
    return Load(rows=rows, **options)


def accounts(rows: Any, **options: Any) -> Load:
    """Return a load of organisations, each with the one above it."""
    mapping = {"Name": "accountname", "Above": Column("account_id"), "Phone": "phone"}
    given = {"module": "Accounts", "owner": ADMIN, "key": "accountname", "mapping": mapping}
    return Load(rows=[{"Phone": "", "Above": "", **row} for row in rows], **{**given, **options})
