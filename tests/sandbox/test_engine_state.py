"""The sandbox's engine as a whole: users, seeds, files, the ledger, and undoing."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_calls import Crm

from vtiger_async.errors import ConfigurationError
from vtiger_async.sandbox.engine import Engine
from vtiger_async.sandbox.schema import SCHEMA
from vtiger_async.wire.operations import OPERATIONS


SEED_0 = "9e991021c21a41290f3e880a963f8b71cf7162262df8df09657330f1fe518fac"


def dump(crm: Crm) -> str:
    """A digest of all records of all modules."""
    digest = hashlib.sha256()
    for name in SCHEMA.modules:
        last = "0x0"
        while rows := crm.query(f"select * from {name} where id > '{last}' order by id;"):
            digest.update(json.dumps(rows, sort_keys=True).encode())
            last = rows[-1]["id"]
    return digest.hexdigest()


def test_users_log_in_with_their_keys() -> None:
    """Names ignore case, keys do not; an inactive user and a stranger are nobody."""
    engine = Crm(access_key="the-key").engine
    assert engine.authenticate("ADMIN", "the-key") is engine.users["admin"]
    sales = engine.users["sales"]
    assert engine.authenticate("sales", sales.access_key) is sales
    assert engine.authenticate("sales", sales.access_key.upper() + "x") is None
    assert engine.authenticate("inactive", engine.users["inactive"].access_key) is None
    assert engine.authenticate("nobody", "x") is None


def test_keys_do_not_show_in_a_repr() -> None:
    """A user's repr leaves the access key out."""
    user = Crm().engine.users["admin"]
    assert user.access_key not in repr(user)


def test_every_operation_of_the_table_is_known() -> None:
    """No operation of the manuals is unknown, and others are."""
    crm = Crm()
    for name in OPERATIONS:
        try:
            crm(name)
        except Exception as error:
            assert error.args[1] != "Unknown operation requested", name
    answer = ("UNKNOWN_OPERATION", "Unknown operation requested")
    assert crm.refused("nosuchop") == answer
    assert crm("LISTTYPES") == crm("listtypes")


def test_the_last_of_a_repeated_parameter_counts() -> None:
    """As in PHP; an empty list counts as nothing."""
    engine = Crm().engine
    admin = engine.users["admin"]
    answer = engine.execute("describe", {"elementType": ["Leads", "Contacts"]}, admin)
    assert isinstance(answer, dict)
    assert answer["name"] == "Contacts"
    assert engine.execute("listtypes", {"fieldTypeList": []}, admin)
    with pytest.raises(ConfigurationError, match="unknown edition"):
        Engine(clock=Crm().clock, edition="no such")
