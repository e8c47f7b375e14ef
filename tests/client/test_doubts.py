"""An empty result is believed only where the statement can match something."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from asking import WAYS, ask

from vtiger_async import F, InvalidArgumentError, InvalidIdError, Select, VtigerError, parse, select
from vtiger_async.sandbox import Fault, Sandbox
from vtiger_async.sandbox.profiles import PROFILES, ProfileName
from vtiger_async.vtql import Condition, Word

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


ALONE: list[tuple[str, type[VtigerError], str]] = [
    ("select id from Contacts where lastname = Smith;", InvalidArgumentError, "write 'Smith'"),
    ("select id from Contacts where lastname in ('a', b);", InvalidArgumentError, "write 'b'"),
    ("select id from Contacts where lastname like x;", InvalidArgumentError, "bare word"),
    ("select id from Contacts where birthday = null;", InvalidArgumentError, "never matches"),
    ("select id from Contacts where birthday != NULL;", InvalidArgumentError, "never matches"),
    ("select id from Contacts where id = '595';", InvalidIdError, "'595' is not a record id"),
    ("select id from Contacts where id > 595;", InvalidIdError, "its module's prefix"),
    ("select id from Contacts where id in ('4x1','abc');", InvalidIdError, "'abc'"),
    ("select id from Contacts where id = ' ';", InvalidIdError, "no record is without one"),
    ("select id from Contacts where id = 0;", InvalidIdError, "'0' is not a record id"),
    ("select id from Contacts where account_id = null;", InvalidArgumentError, "= '4x0' an empty"),
]


@pytest.mark.parametrize(("text", "kind", "message"), ALONE)
async def test_what_the_statement_alone_tells_costs_no_call(
    text: str, kind: type[VtigerError], message: str
) -> None:
    """A bare word, null, and an id without its prefix are refused before anything is sent."""
    sandbox = Sandbox(limits=False, records=0)
    async with sandbox.client() as crm:
        with pytest.raises(kind, match=message):
            crm.query(text)
    assert sandbox.ledger()["calls"] == {}


@pytest.mark.parametrize(
    "text",
    [
        "select id from Contacts where donotcall = true or emailoptout = false;",
        "select id from Contacts where id = 4x595;",
        "select id from Contacts where lastname = 'null';",
        "select id from Contacts where account_id = '3x0';",
        "select id from Contacts where donotcall = '1';",
        "select id from Contacts where lastname = 'true';",
        "select id from Contacts where phone = '123' order by lastname;",
    ],
)
async def test_what_the_server_understands_is_sent(text: str) -> None:
    """Booleans, ids as words, empty references and numbers as text are no fault."""
    sandbox = Sandbox(limits=False, records=0)
    async with sandbox.client() as crm:
        await crm.me()
        await crm.describe("Contacts")
        assert await crm.query(text).all() == []


def faults(described: dict[str, str]) -> list[tuple[Select, str]]:
    """Return statements whose fault only a description tells, with what is said of them."""
    contacts, accounts, other = described["Contacts"], described["Accounts"], "99"
    return [
        (select("Contacts").order_by("lastnam"), r"ORDER BY: .*'lastnam'.*did you mean 'lastname'"),
        (select("Contacts").order_by("lastname", "Email", descending=True), "mean 'email'"),
        (select("Contacts").where(F.id == f"{other}x1"), f"ids of Contacts begin with {contacts}x"),
        (select("Contacts").where(F.assigned_user_id == "5"), "holds record ids, and '5'"),
        (parse("select * from Contacts where assigned_user_id = 5;"), "assigned_user_id holds"),
        (select("Contacts").where(F.donotcall == "true"), "write F.donotcall == True"),
        (parse("select * from Contacts where emailoptout = 'Off';"), "holds '1' or '0'"),
        (parse("select * from Contacts where assigned_user_id != '1';"), "assigned_user_id holds"),
        (parse(f"select * from Contacts where id in ('{other}x1', '{other}x2');"), "begin with"),
        (select("Contacts").where(F.account_id == f"{contacts}x1"), "refers to Accounts, and not"),
        (select("Contacts").where(F.assigned_user_id == f"{accounts}x99"), "refers to Users"),
    ]  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number", range(9))
async def test_an_empty_answer_to_a_faulty_statement_is_an_error(
    profile: ProfileName, way: str, number: int
) -> None:
    """What the server answers with an empty list is told, for one describe that is then kept."""
    sandbox = Sandbox(profile=profile, limits=False, records=30)
    async with sandbox.client() as other:
        prefixes = {
            name: (await other.describe(name)).id_prefix for name in ("Contacts", "Accounts")
        }
    async with sandbox.client() as crm:
        await crm.describe("Accounts")
        statement, message = faults(prefixes)[number]
        if way == "count" and statement.order_fields:
            statement = statement.where(F.lastname == "Nobody")  # what it counts needs no order
        with pytest.raises(InvalidArgumentError, match=message):
            await ask(crm, statement, way)
        spent = sandbox.ledger()["calls"]
        assert spent["describe"] == 4
        with pytest.raises(InvalidArgumentError, match=message):
            await ask(crm, statement, way)
        assert sandbox.ledger()["calls"] == spent


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("module", "condition", "message"),
    [
        ("Contacts", "birthday = '2023-02-31'", "'2023-02-31' is none: give a date, or 'YYYY-MM-D"),
        ("Contacts", "birthday = '31.12.2025'", "birthday holds dates, and '31.12.2025' is none"),
        (
            "Contacts",
            "birthday in ('2026-01-01', '2026-02-30')",
            "birthday holds dates, and '2026-0",
        ),
        ("Contacts", "birthday > 20260231", "birthday holds dates, and '20260231'"),
        ("Contacts", "birthday = true", "birthday holds dates, and 'true'"),
        ("Contacts", "modifiedtime > '2099-01-01T00:00:00+02:00'", "zone, which F converts to UTC"),
        ("Contacts", "modifiedtime > '2099-01-01 00:00:00+02:00'", "or 'YYYY-MM-DD HH:MM:SS' or"),
        ("Contacts", "modifiedtime > '2099-01-01 24:00:00'", "'2099-01-01 24:00:00' is none"),
        ("Contacts", "modifiedtime = 4070908800", "modifiedtime holds dates with a time"),
        ("Events", "time_start = '9am'", "time_start holds times, and '9am' is none: give a time"),
        ("Events", "time_start = '09:75'", "or 'HH:MM:SS'"),
        ("Potentials", "probability = '1,234.5'", "probability holds numbers, and '1,234.5' is no"),
        ("Potentials", "amount > '9x9999999'", "amount holds numbers"),
        ("Accounts", "employees = 'many'", "employees holds numbers, and 'many' is none: give an"),
    ],
)
async def test_a_literal_that_its_field_cannot_hold_is_an_error(
    profile: ProfileName, module: str, condition: str, message: str
) -> None:
    """It is told for one describe where nothing came, and before a call once that is kept."""
    sandbox = Sandbox(profile=profile, limits=False, records=30)
    text = f"select id from {module} where {condition};"
    async with sandbox.client() as crm:
        with pytest.raises(InvalidArgumentError, match=re.escape(message)):
            await crm.query(text).all()
        spent = sandbox.ledger()["calls"]
        assert spent["describe"] == 1
        for way in WAYS:
            with pytest.raises(InvalidArgumentError, match=re.escape(message)):
                await ask(crm, text, way)
        assert sandbox.ledger()["calls"] == spent


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("module", "condition"),
    [
        ("Contacts", F.birthday == date(2026, 1, 31)),
        ("Contacts", F.birthday == "2026-1-31"),
        ("Contacts", F.birthday == "0000-00-00"),
        ("Contacts", F.birthday == datetime(2026, 1, 31, tzinfo=UTC)),
        ("Contacts", F.birthday == " "),
        ("Contacts", F.birthday.like("31.12.%")),
        ("Contacts", Condition("birthday", "=", 20260131)),
        ("Contacts", Condition("birthday", "<", 0)),
        ("Contacts", F.modifiedtime < datetime(2000, 1, 31, tzinfo=UTC)),
        ("Contacts", F.modifiedtime < date(2000, 1, 31)),
        ("Contacts", F.modifiedtime < "2000-01-31 09:30"),
        ("Contacts", F.modifiedtime < "2000-01-31T09:30:00Z"),
        ("Contacts", Condition("modifiedtime", "<", 20000131093000)),
        ("Contacts", F.leadsource == "None of the list"),
        ("Events", F.time_start == time(3, 17, 1)),
        ("Events", F.time_start == "03:17"),
        ("Events", F.time_start == " "),
        ("Potentials", F.amount == Decimal("-1.5")),
        ("Potentials", F.amount > "1e15"),
        ("Potentials", Condition("amount", "<", Word("false"))),
        ("Potentials", F.probability.like("x%")),
        ("Accounts", F.employees == -7),
    ],
)
async def test_a_literal_that_its_field_can_hold_is_sent(
    profile: ProfileName, module: str, condition: Condition
) -> None:
    """Each form that the server reads is believed, and so are values outside of a picklist."""
    sandbox = Sandbox(profile=profile, limits=False, records=30)
    async with sandbox.client() as crm:
        await crm.describe(module)
        assert await crm.query(select(module).where(condition)).all() == []


async def test_an_id_of_a_known_module_is_refused_before_a_call() -> None:
    """Where the prefix is known to be another module's, nothing is sent."""
    sandbox = Sandbox(limits=False, records=30)
    async with sandbox.client() as crm:
        accounts = await crm.describe("Accounts")
        for wrong in (
            F.id == f"{accounts.id_prefix}x1",
            F.id != f"{accounts.id_prefix}x1",
            F.id.in_([f"{accounts.id_prefix}x1", "4x1"]),
        ):
            with pytest.raises(InvalidArgumentError, match="3x1 is of Accounts; the server looks"):
                crm.query(select("Contacts").where(wrong))
        assert await crm.query(select("Calendar").where(F.id == "18x1")).all() == []


async def test_a_described_module_is_checked_before_a_call() -> None:
    """With the description at hand, unknown fields in any place cost no call."""
    sandbox = Sandbox(limits=False, records=0)
    async with sandbox.client() as crm:
        await crm.describe("Contacts")
        for statement, place in [
            (select("Contacts", "nofield"), "SELECT"),
            (select("Contacts").where(F.nofield == "x"), "WHERE"),
            (select("Contacts").order_by("nofield"), "ORDER BY"),
        ]:
            with pytest.raises(InvalidArgumentError, match=f"{place}: .*refresh=True"):
                await crm.query(statement).all()
    assert sandbox.ledger()["calls"] == {"describe": 1}


async def test_fields_of_line_items_are_no_fault() -> None:
    """An inventory module is asked for its line items' fields, which describe does not tell."""
    sandbox = Sandbox(limits=False)
    async with sandbox.client() as crm:
        await crm.describe("Invoice")
        assert await crm.query(select("Invoice", "subject", "quantity")).all()


async def test_doubts_spend_one_describe_while_it_is_kept() -> None:
    """Empty results of sound statements cost one describe, and then none."""
    sandbox = Sandbox(limits=False, records=0)
    async with sandbox.client() as crm:
        await crm.me()
        for _ in range(3):
            assert await crm.query(select("Contacts").order_by("lastname")).all() == []
            assert await crm.query(select("Contacts").where(F.lastname == "x")).all() == []
    assert sandbox.ledger()["calls"] == {"me": 1, "query": 6, "describe": 1}


async def test_a_module_that_cannot_be_described_keeps_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where describe is refused, the empty answer stands."""
    sandbox = Sandbox(limits=False, records=0)
    execute: Any = sandbox.engine.execute

    def refusing(operation: str, *rest: Any, **options: Any) -> Any:
        if operation == "describe":
            raise Fault("ACCESS_DENIED", "Permission to perform the operation is denied")
        return execute(operation, *rest, **options)

    monkeypatch.setattr(sandbox.engine, "execute", refusing)
    async with sandbox.client() as crm:
        assert await crm.query(select("Contacts").order_by("lastname")).all() == []


async def test_records_that_came_need_no_second_look() -> None:
    """A faulty order cannot give records, so a page of them ends every doubt."""
    sandbox = Sandbox(limits=False, records=30)
    async with sandbox.client() as crm:
        assert await crm.query(select("Contacts").order_by("lastname")).all()
    assert "describe" not in sandbox.ledger()["calls"]
