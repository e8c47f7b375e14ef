"""What was measured of a server, and what the client makes of it, where no other test says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from vtiger_async import (
    AccessDeniedError,
    ApiError,
    DuplicateRecordError,
    F,
    InvalidArgumentError,
    MandatoryFieldError,
    QuerySyntaxError,
    RecordId,
    RecordNotFoundError,
    ServerError,
    SilentChangeError,
    ValidationError,
    select,
)
from vtiger_async.sandbox import Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("profile", ["cloud", "oss-8.4"])]

OWNED = {"assigned_user_id": "19x1"}


def empty(profile: Any, records: int | None = 0) -> Sandbox:
    """A sandbox without limits, and without records unless some are wanted."""
    return Sandbox(profile=profile, records=records, limits=False)


async def test_one_of_eight_equal_creates_is_stored(profile: str) -> None:
    """The others are told apart from every other refusal: DuplicateRecordError."""
    with empty(profile) as sandbox:
        failed: list[Exception] = []
        async with sandbox.client() as crm:

            async def create() -> None:
                try:
                    await crm.create("Accounts", {"accountname": "Twin", **OWNED})
                except DuplicateRecordError as error:
                    failed.append(error)

            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(create)
        assert len(failed) == 7
        assert len(sandbox.ledger()["writes"]) == 1


async def test_parallel_revises_of_one_record_keep_all_fields(profile: str) -> None:
    """Changes of different fields do not undo each other: revise sends what is given alone."""
    names = ("phone", "website", "fax", "tickersymbol", "otherphone")
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            account = await crm.create("Accounts", {"accountname": "A", **OWNED})
            async with anyio.create_task_group() as group:
                for name in names:
                    group.start_soon(crm.revise, account.id, {name: name})
            found = await crm.retrieve(account.id)
        assert [found[name] for name in names] == list(names)


async def test_a_task_is_kept_from_the_events(profile: str) -> None:
    """Validation wants Task for activitytype; with it the task is found again under its id."""
    task = {
        "subject": "s", "taskstatus": "Planned", "date_start": "2027-02-01",
        "due_date": "2027-02-01", "time_start": "10:00", **OWNED,
    }  # fmt: skip
    with empty(profile) as sandbox:
        async with sandbox.client(validate=True) as crm:
            for fields in (task, {**task, "activitytype": "Call"}):
                with pytest.raises(ValidationError, match="activitytype: only with 'Task' it is"):
                    await crm.create("Calendar", fields)
            made = await crm.create("Calendar", {**task, "activitytype": "Task"})
            assert (await crm.retrieve(made.id))["activitytype"] == "Task"


def without_count(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Return a sandbox's `execute` that answers count(*) with an empty list."""

    def answered(operation: str, params: Any, *rest: Any, **options: Any) -> Any:
        if operation == "query" and "count(*)" in params["query"]:
            return []
        return execute(operation, params, *rest, **options)

    return answered


async def test_a_server_without_count_is_counted(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where count(*) gives an empty list, the ids are counted, 100 to a call."""
    with empty(profile, records=None) as sandbox:
        monkeypatch.setattr(sandbox.engine, "execute", without_count(sandbox.engine.execute))
        async with sandbox.client() as crm:
            assert await crm.query(select("Contacts")).count() == 400
            assert await crm.query(select("Contacts").limit(150)).count() == 150
            nobody = select("Contacts").where(F.lastname == "Nobody")
            assert await crm.query(nobody).count() == 0


async def test_a_limit_above_100_is_kept(profile: str) -> None:
    """The server would cut it in silence, so it is read page by page, behind an offset too."""
    with empty(profile, records=None) as sandbox:
        async with sandbox.client() as crm:
            found = await crm.query("SELECT id FROM Contacts LIMIT 250;").all()
            offset = await crm.query("SELECT id FROM Contacts LIMIT 350,500;").all()
        assert (len(found), len(offset)) == (250, 50)


@pytest.mark.parametrize(
    "text",
    [
        "select id from Contacts",
        "select id from Contacts;;",
        "select id from Contacts limit -1;",
        "select id from Contacts limit abc;",
        "select id from Contacts where lastname = '';",
        'select id from Contacts where lastname = "x";',
        "select id from Contacts where fax = 1.5;",
        r"select id from Contacts where lastname = 'a\';",
        "select id from Contacts where lastname <> 'x';",
    ],
)
async def test_a_statement_that_would_mislead_costs_no_call(profile: str, text: str) -> None:
    """What the server would refuse, or answer with nothing, is refused with a place."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(QuerySyntaxError, match=r"line 1, column \d+"):
                await crm.query(text).all()
        assert sandbox.ledger()["calls"] == {}


@pytest.mark.parametrize("value", ["O'Brien", "back\\slash", "end\\", "' or id > '0", "%_", "é;--"])
async def test_any_text_finds_its_own_record_alone(profile: str, value: str) -> None:
    """Quotes and backslashes are escaped in the way that held for every value tried."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            for name in (value, "Other"):
                await crm.create("Contacts", {"lastname": name, **OWNED})
            for condition in (F.lastname == value, F.lastname.contains(value)):
                found = await crm.query(select("Contacts", "lastname").where(condition)).all()
                assert [record["lastname"] for record in found] == [value]


async def test_empty_values_are_found(profile: str) -> None:
    """One space stands for the empty text, which cannot be written; null is refused."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            await crm.create("Contacts", {"lastname": "With", "title": "Ms", **OWNED})
            await crm.create("Contacts", {"lastname": "Without", **OWNED})
            for condition in (F.title.is_empty(), F.title == ""):
                found = await crm.query(select("Contacts", "lastname").where(condition)).all()
                assert [record["lastname"] for record in found] == ["Without"]
        with pytest.raises(InvalidArgumentError, match="is_empty"):
            select("Contacts").where(F.title == None)  # noqa: E711 - the comparison is refused


async def test_a_refusal_that_would_come_again_costs_one_call(profile: str) -> None:
    """INTERNAL_SERVER_ERROR with HTTP 400 is not repeated, not even for a read."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(ServerError) as refused:
                await crm.call("GET", "query", {"query": 'select id from Leads where city = "x";'})
        assert (refused.value.code, refused.value.status) == ("INTERNAL_SERVER_ERROR", 400)
        assert sandbox.ledger()["calls"] == {"query": 1}


async def test_mandatory_fields_are_told_at_once(profile: str) -> None:
    """The server names one at a time, in its message; validation names all."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            for missing in ({}, {"lastname": ""}, {"lastname": None}):
                with pytest.raises(MandatoryFieldError) as refused:
                    await crm.create("Leads", missing)
                assert refused.value.field == "lastname"
            with pytest.raises(MandatoryFieldError) as refused:
                await crm.create("Leads", {"lastname": "0"})
            assert refused.value.field == "assigned_user_id"
            await crm.describe("Leads")
            with pytest.raises(ValidationError) as all_of_them:
                await crm.create("Leads", {"city": "Rome"})
        names = [problem.field for problem in all_of_them.value.problems]
        assert names == ["lastname", "assigned_user_id"]


async def test_an_inactive_user_is_told_from_what_is_missing(profile: str) -> None:
    """RECORD_NOT_FOUND comes for users who are not active; what is missing is ACCESS_DENIED."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(RecordNotFoundError):
                await crm.retrieve("19x7")
            for missing in ("19x999", "4x999"):
                with pytest.raises(AccessDeniedError):
                    await crm.retrieve(missing)


async def test_an_owner_is_told_from_nobody(profile: str) -> None:
    """Inactive users, and numbers of no user or group, are refused; it costs one call or two."""
    with empty(profile) as sandbox:
        async with sandbox.client(validate=True) as crm:
            for owner in ("19x7", "19x999", "20x99"):
                with pytest.raises(ValidationError, match=f"there is no user or group {owner}"):
                    await crm.create("Leads", {"lastname": "x", "assigned_user_id": owner})
            for owner in ("19x5", "20x3"):
                await crm.create("Leads", {"lastname": "x", "assigned_user_id": owner})
        assert sandbox.ledger()["calls"] == {"describe": 1, "retrieve": 5, "query": 2, "create": 2}


async def test_a_group_may_own(profile: str) -> None:
    """A group's id passes validation, and is stored."""
    with empty(profile) as sandbox:
        async with sandbox.client(validate=True, strict=True) as crm:
            lead = await crm.create("Leads", {"lastname": "x", "assigned_user_id": "20x3"})
        assert lead["assigned_user_id"] == "20x3"


async def test_an_escaped_label_leaves_the_fields_alone(profile: str) -> None:
    """Fields are as they were typed, in strict mode without a word; the label is as sent."""
    with empty(profile) as sandbox:
        async with sandbox.client(strict=True) as crm:
            made = await crm.create("Leads", {"lastname": "a & <b> 'c'", **OWNED})
            typed = await crm.create("Leads", {"lastname": "x &amp; y", **OWNED})
            script = await crm.create("Leads", {"lastname": "<script>1</script>", **OWNED})
            read = await crm.retrieve(script.id)
    assert made["lastname"] == "a & <b> 'c'"
    assert str(made.label).startswith("a &amp; &lt;b&gt;")
    assert typed["lastname"] == "x & y"
    assert (script["lastname"], read["lastname"]) == (
        "<script>1</script>", "&lt;script&gt;1&lt;/script&gt;",
    )  # fmt: skip


async def test_a_relation_that_was_not_made_is_noticed(profile: str) -> None:
    """With verify=True a missing record, a relation that is a field, and a reader are told."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm, sandbox.client("guest") as guest:
            account = await crm.create("Accounts", {"accountname": "A", **OWNED})
            contact = await crm.create("Contacts", {"lastname": "x", **OWNED})
            product = await crm.create("Products", {"productname": "P", **OWNED})
            for reader in (crm, guest):
                for module in ("Contacts", "Products"):
                    await reader.describe(module)
            await crm.add_related(contact.id, product.id, "Products", verify=True)
            for who, source, target, label in (
                (crm, contact.id, RecordId(f"{product.id.prefix}x999999"), "Products"),
                (crm, account.id, contact.id, "Contacts"),
                (guest, account.id, product.id, "Products"),
            ):
                await who.add_related(source, target, label)
                with pytest.raises(SilentChangeError, match=f"{target} is not related under"):
                    await who.add_related(source, target, label, verify=True)
            with pytest.raises(ApiError, match="UNKOWN_ENTITY"):
                await crm.add_related(contact.id, product.id, "Wares", verify=True)


async def test_lines_are_kept_by_a_revise_without_them(profile: str) -> None:
    """Only the given fields are sent; the lines are in what is retrieved, and in no row."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            account = await crm.create("Accounts", {"accountname": "A", **OWNED})
            product = await crm.create("Products", {"productname": "P", **OWNED})
            line = {"productid": product.id, "quantity": 2, "listprice": "5"}
            invoice = {
                "subject": "I", "account_id": account.id, "bill_street": "S", "ship_street": "S",
                "productid": product.id, "LineItems": [line], **OWNED,
            }  # fmt: skip
            with pytest.raises(MandatoryFieldError):
                await crm.create("Invoice", {**invoice, "LineItems": []})
            made = await crm.create("Invoice", invoice)
            await crm.revise(made.id, {"subject": "J"})
            kept = await crm.retrieve(made.id)
            rows = await crm.query("select * from Invoice;").all()
    assert (kept["subject"], len(kept["LineItems"])) == ("J", 1)
    assert kept["LineItems"][0]["quantity"] == "2.000"
    assert ["LineItems" in row for row in rows] == [False]


async def test_prefixes_are_learned(profile: str) -> None:
    """The module of an id is known once its description was read, by idPrefix."""
    with empty(profile) as sandbox:
        async with sandbox.client() as crm:
            lead = await crm.create("Leads", {"lastname": "x", **OWNED})
        async with sandbox.client() as other:
            assert (await other.retrieve(lead.id)).module is None
            described = await other.describe("Leads")
            assert described.id_prefix == lead.id.prefix
            assert (await other.retrieve(lead.id)).module == "Leads"
