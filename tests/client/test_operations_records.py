"""The operations on single records, each over real HTTP, by its effect."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from over_http import another, exercises, is_open_source, over_sessions, plant

from vtiger_async import (
    AccessDeniedError,
    AuthenticationError,
    DuplicateRecordError,
    InvalidReferenceError,
    LeadAlreadyConvertedError,
    LookupHit,
    MandatoryFieldError,
    RecordId,
    RecordNotFoundError,
    ServerError,
    UnsupportedOperationError,
    User,
    VtigerClient,
)
from vtiger_async.sandbox import Sandbox


@exercises("me")
async def test_me(sandbox: Sandbox, crm: VtigerClient) -> None:
    """`me` tells who calls, without the secrets that the server sends along."""
    me = await crm.me()
    assert type(me) is User
    told = over_sessions(crm) or not is_open_source(sandbox)
    assert (me.id, me.user_name, me.is_admin) == ("19x1", "admin", True if told else None)
    assert sandbox.access_key not in str(dict(me))
    async with another(crm, "admin", "wrong") as stranger:
        with pytest.raises(AuthenticationError, match="Check the user name and the access key"):
            await stranger.me()


@exercises("create", "retrieve")
async def test_create(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A created record is there as Python gave it, in the form that Vtiger stores."""
    me = await crm.me()
    account = await crm.create(
        "Accounts",
        {
            "accountname": "Ünïcode & Söhne <b> 'x' \\ +%&=",
            "assigned_user_id": me.id,
            "annual_revenue": Decimal("1234.5"),
            "emailoptout": True,
            "notify_owner": False,
            **({} if is_open_source(sandbox) else {"cf_851": ["Cloud", "Café & Catering"]}),
        },
    )
    contact = await crm.create(
        "Contacts",
        {
            "lastname": "Ada",
            "account_id": account.id,
            "birthday": date(1815, 12, 10),
            "assigned_user_id": me.id,
        },
    )
    assert (account.module, contact.module) == ("Accounts", "Contacts")
    found = await crm.retrieve(account.id)
    assert found["accountname"] == "Ünïcode & Söhne <b> 'x' \\ +%&="
    assert found["annual_revenue"] == "1234.50000000"
    assert (found["emailoptout"], found["notify_owner"]) == ("1", "0")
    if not is_open_source(sandbox):
        assert found["cf_851"] == "Cloud |##| Café & Catering"
    person = await crm.retrieve(contact.id)
    assert (person["account_id"], person["birthday"]) == (account.id, "1815-12-10")


@exercises("create")
async def test_create_is_refused_with_the_reason(sandbox: Sandbox, crm: VtigerClient) -> None:
    """What the server refuses comes as the error that says why, with the call's context."""
    with pytest.raises(MandatoryFieldError, match="create Contacts: ") as missing:
        await crm.create("Contacts", {"assigned_user_id": "19x1"})
    assert missing.value.field == "lastname"
    lead = plant(sandbox, "Leads", lastname="Bob", company="x")
    plant(sandbox, "Accounts", accountname="Twin")
    with pytest.raises(DuplicateRecordError):
        await crm.create("Accounts", {"accountname": "Twin", "assigned_user_id": "19x1"})
    fields = {"lastname": "Ada", "assigned_user_id": "19x1"}
    with pytest.raises(InvalidReferenceError):
        await crm.create("Contacts", {**fields, "account_id": lead})
    with pytest.raises(ServerError, match="text in a date does this"):
        await crm.create("Contacts", {**fields, "birthday": "after tomorrow"})


@exercises("retrieve")
async def test_retrieve(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A record comes whole, with its label and line items; one that is missing is denied."""
    invoice = await crm.query("select id from Invoice limit 1;").first()
    assert invoice is not None
    whole = await crm.retrieve(invoice.id)
    assert whole.label
    assert whole["LineItems"][0]["productid"]
    missing = "there is no record 4x99999999, or it is deleted"
    with pytest.raises(AccessDeniedError, match=missing) as denied:
        await crm.retrieve("4x99999999")
    assert (denied.value.operation, denied.value.record_id) == ("retrieve", "4x99999999")


@exercises("decrypt")
async def test_decrypt(sandbox: Sandbox, crm: VtigerClient) -> None:
    """`decrypt` tells the clear value of a sensitive field, which `retrieve` masks."""
    contact = plant(sandbox, "Contacts", lastname="Ada", cf_865="P1234567")
    assert await crm.decrypt(contact, "cf_865") == "P1234567"
    assert "1234567" not in str((await crm.retrieve(contact))["cf_865"])
    with pytest.raises(AccessDeniedError):
        await crm.decrypt(contact, "no_such_field")


@exercises("update")
async def test_update(sandbox: Sandbox, crm: VtigerClient) -> None:
    """`update` restates the mandatory fields and keeps the optional ones left out."""
    rid = plant(sandbox, "Contacts", lastname="Ada", firstname="A.", title="Countess")
    changed = await crm.update(rid, {"lastname": "King", "assigned_user_id": "19x1", "title": "Ms"})
    assert changed["lastname"] == "King"
    found = await crm.retrieve(rid)
    assert (found["lastname"], found["firstname"], found["title"]) == ("King", "A.", "Ms")
    with pytest.raises(MandatoryFieldError) as missing:
        await crm.update(rid, {"firstname": "B."})
    assert missing.value.field == "lastname"


@exercises("revise")
async def test_revise(sandbox: Sandbox, crm: VtigerClient) -> None:
    """`revise` changes what is given; None and an empty text clear a field."""
    rid = plant(sandbox, "Contacts", lastname="Ada", firstname="A.", title="x", mobile="1")
    changed = await crm.revise(rid, {"firstname": "B.", "title": None, "mobile": "", "id": rid})
    assert changed.id == rid
    found = await crm.retrieve(rid)
    assert [found[name] or "" for name in ("lastname", "firstname", "title", "mobile")] == [
        "Ada", "B.", "", "",
    ]  # fmt: skip


@exercises("delete")
async def test_delete(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A deleted record is gone; deleting it twice is denied, as Vtiger does."""
    rid = plant(sandbox, "Contacts", lastname="Ada")
    await crm.delete(rid)
    for call in (crm.retrieve(rid), crm.delete(rid)):
        with pytest.raises(AccessDeniedError):
            await call
    assert [w["operation"] for w in sandbox.ledger()["writes"]] == ["create", "delete"]


@exercises("delete", "retrieve")
async def test_delete_what_may_be_gone(sandbox: Sandbox, crm: VtigerClient) -> None:
    """With missing_ok a record that is gone is no error; one that is there and denied is."""
    rid = plant(sandbox, "Contacts", lastname="Ada")
    await crm.delete(rid, missing_ok=True)
    assert "retrieve" not in sandbox.ledger()["calls"]
    await crm.delete(rid, missing_ok=True)
    assert sandbox.ledger()["calls"]["retrieve"] == 1
    account = plant(sandbox, "Accounts", accountname="Acme")
    async with another(crm, *sandbox.credentials("guest")) as guest:
        with pytest.raises(AccessDeniedError, match="delete"):
            await guest.delete(account, missing_ok=True)
    assert (await crm.retrieve(account))["accountname"] == "Acme"


@exercises("convertlead")
async def test_convert_lead(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A lead becomes what was asked for, whose ids are told; it can be converted once."""
    lead = plant(sandbox, "Leads", lastname="Lovelace", company="Engines Ltd")
    parts = {
        "Accounts": {},
        "Contacts": {"title": "Countess"},
        "Potentials": {"closingdate": date(2027, 1, 31), "sales_stage": "Prospecting"},
    }
    made = await crm.convert_lead(lead, parts)
    assert made.keys() == parts.keys()
    account, contact, deal = [await crm.retrieve(made[name]) for name in parts]
    assert (account["accountname"], contact["lastname"]) == ("Engines Ltd", "Lovelace")
    assert (contact["title"], contact["account_id"]) == ("Countess", account.id)
    assert (deal["closingdate"], deal["related_to"]) == ("2027-01-31", account.id)
    with pytest.raises(LeadAlreadyConvertedError):
        await crm.convert_lead(lead, {"Contacts": {}})
    alone = plant(sandbox, "Leads", lastname="Alone", company="Alone Ltd")
    assert (await crm.convert_lead(alone, {"Accounts": {}})).keys() == {"Accounts"}
    assert await crm.query("select id from Accounts where accountname = 'Alone Ltd';").count() == 1


@exercises("reopen")
async def test_reopen(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A closed ticket is open again; what is not closed cannot be reopened."""
    rid = plant(
        sandbox, "HelpDesk", ticket_title="a", ticketstatus="Closed", ticketpriorities="Low"
    )
    await crm.reopen(rid)
    assert (await crm.retrieve(rid))["ticketstatus"] == "Open"
    with pytest.raises(UnsupportedOperationError, match="reopen"):
        await crm.reopen(rid)


@exercises("tags_add", "tags_retrieve")
async def test_tags_add_and_retrieve(sandbox: Sandbox, crm: VtigerClient) -> None:
    """Tags that were added are retrieved, each once."""
    rid = plant(sandbox, "Contacts", lastname="Ada")
    assert await crm.tags_retrieve(rid) == []
    await crm.tags_add(rid, ["vip", "größe & 色"])
    await crm.tags_add(rid, ("vip",))
    assert sorted(await crm.tags_retrieve(rid)) == ["größe & 色", "vip"]


@exercises("tag_delete")
async def test_tags_delete(sandbox: Sandbox, crm: VtigerClient) -> None:
    """The tags named go, or all; those of other records stay."""
    rid, other = [plant(sandbox, "Contacts", lastname=name) for name in ("Ada", "Bob")]
    for record in (rid, other):
        await crm.tags_add(record, ["a", "b", "c"])
    await crm.tags_delete(rid, ["b"])
    assert await crm.tags_retrieve(rid) == ["a", "c"]
    await crm.tags_delete(rid, delete_all=True)
    assert await crm.tags_retrieve(rid) == []
    assert await crm.tags_retrieve(other) == ["a", "b", "c"]


@exercises("create", "files_retrieve")
async def test_upload_document_and_files_retrieve(sandbox: Sandbox, crm: VtigerClient) -> None:
    """An uploaded file comes back with the same bytes, name and type."""
    content = bytes(range(256)) * 300
    document = await crm.upload_document(
        content, {"assigned_user_id": "19x1"}, name="größe & 色.pdf"
    )
    found = await crm.retrieve(document.id)
    assert (found["notes_title"], found["filestatus"]) == ("größe & 色.pdf", "1")
    file = await crm.files_retrieve(found["imageattachmentids"])
    assert (file.name, file.content_type) == ("größe & 色.pdf", "application/pdf")
    assert (file.content, file.size) == (content, len(content))
    with pytest.raises(RecordNotFoundError):
        await crm.files_retrieve("7x99999999")


@exercises("lookup")
async def test_lookup(sandbox: Sandbox, crm: VtigerClient) -> None:
    """Records are found by address or number, in the fields and modules asked for."""
    ada = plant(sandbox, "Contacts", lastname="Ada", email="ada@look.up", mobile="0777 1")
    bob = plant(sandbox, "Leads", lastname="Bob", company="x", email="ada@look.up")
    everywhere = await crm.lookup("email", "ada@look.up")
    assert {hit.id for hit in everywhere} == {ada, bob}
    assert all(type(hit) is LookupHit for hit in everywhere)
    (hit,) = await crm.lookup("email", "ada@look.up", ["Contacts"])
    assert (hit.id, hit.module, hit["lastname"]) == (ada, "Contacts", "Ada")
    fields = {"Contacts": ["mobile"], "Leads": ["phone", "mobile"]}
    assert [hit.id for hit in await crm.lookup("phone", "0777 1", fields)] == [ada]
    assert await crm.lookup("phone", "0777 1", {"Contacts": ["phone"]}) == []
    await crm.describe("Leads")
    known = {hit.module for hit in await crm.lookup("email", "ada@look.up")}
    assert known == {None, "Leads"}


@exercises("query")
async def test_query(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A query gives typed records past the server's 100, each once, and counts them."""
    for number in range(150):
        plant(sandbox, "Contacts", lastname="Querycase", firstname=str(number))
    query = crm.query("SELECT firstname FROM Contacts WHERE lastname = 'Querycase';")
    records = [record async for record in query]
    assert sorted(int(record["firstname"]) for record in records) == list(range(150))
    assert all(type(record.id) is RecordId and record.module == "Contacts" for record in records)
    again = crm.query("SELECT firstname FROM Contacts WHERE lastname = 'Querycase';")
    assert await again.count() == 150


@exercises("sync")
async def test_sync(sandbox: Sandbox, crm: VtigerClient) -> None:
    """Since a moment, what was changed and what was deleted is told, with a cursor."""
    start = datetime.now(UTC)
    ada, bob = [plant(sandbox, "Contacts", lastname=name) for name in ("Ada", "Bob")]
    await crm.delete(bob)
    changes = [change async for change in crm.sync("Contacts", since=start)]
    assert {(change.kind, change.id) for change in changes} == {("upsert", ada), ("delete", bob)}
    later = [change async for change in crm.sync("Contacts", since=changes[-1].cursor)]
    assert later == []
