"""Whatever is sent, the sandbox's engine answers, or refuses as Vtiger does."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from typing import Any

import pytest
from engine_calls import Crm
from hypothesis import given, settings
from hypothesis import strategies as st

from vtiger_async.sandbox.engine import OPERATION_NAMES, Fault

ODD = (
    "9" * 5000,
    "²x²",
    "4x" + "9" * 40,
    "\ud800",
    "[" * 100_000,
    "'",
    "\\",
    "%",
    "4x101",
    "Leads",
)
TEXTS = st.one_of(st.sampled_from(ODD), st.text(max_size=20))
TOKENS = """
select * from Leads where order by limit and or in like = < ( ) , ; 'x' '%' 1 -1 4x1 city id
lastname employees cf_873 account_id asc desc count null true
"""
PARAMETERS = """
id elementType element query modifiedTime syncType relatedLabel relatedType sourceRecordId
relatedRecordId relationIdLabel module sourcefield targetfield tags delete_all type value
searchIn serviceName fieldname fieldTypeList
"""
WORDS = st.sampled_from(TOKENS.split())
NAMES = st.sampled_from(PARAMETERS.split())
FIELDS = ("id", "lastname", "assigned_user_id", "account_id", "birthday", "annualrevenue", "cf_861")
FIELDS += ("leadId", "entities", "values", "LineItems", "fieldname", "emailoptout", "subject")
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
ELEMENTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6).map(json.dumps)


@pytest.fixture(scope="module")
def crm() -> Crm:
    return Crm(records=40)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(OPERATION_NAMES), st.dictionaries(NAMES, TEXTS | ELEMENTS), ELEMENTS)
def test_any_parameters_are_answered(
    crm: Crm, operation: str, params: dict[str, Any], element: str
) -> None:
    """No parameter raises anything but a Fault, and every answer is JSON."""
    sent = {"elementType": "Leads", "element": element} | params
    with suppress(Fault):
        json.dumps(crm.engine.execute(operation, sent, crm.engine.users["admin"]))


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, max_size=14).map(" ".join), st.lists(WORDS, max_size=6).map(" ".join))
def test_any_statement_is_answered(crm: Crm, text: str, rest: str) -> None:
    """No row of tokens raises anything but a Fault."""
    for statement in (text, f"select * from Leads {rest};", f"select id from Leads where {rest};"):
        with suppress(Fault):
            crm.query(statement)


@pytest.mark.parametrize("module", ["Leads", "Contacts", "Invoice", "HelpDesk", "Calendar"])
@settings(max_examples=40, deadline=None)
@given(element=ELEMENTS)
def test_any_element_is_stored_or_refused(crm: Crm, module: str, element: str) -> None:
    """What was stored is read back as the echo showed it."""
    admin = crm.engine.users["admin"]
    with suppress(Fault):
        echo = crm.engine.execute("create", {"elementType": module, "element": element}, admin)
        assert isinstance(echo, dict)
        read = crm("retrieve", id=echo["id"])
        assert read.keys() >= echo.keys()


def test_too_much_for_the_database_is_an_internal_error(crm: Crm) -> None:
    """More values than the database takes at once are refused, not a crash."""
    values = ",".join("'x'" for _ in range(101))
    statement = f"select id from Leads where city in ({values});"
    assert crm.query(statement) == []
    database = crm.engine._store._db
    category = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
    allowed = database.setlimit(category, 100)  # how many it takes depends on how it was built
    try:
        answer = crm.refused("query", query=statement)
    finally:
        database.setlimit(category, allowed)
    assert answer == ("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")
