"""The operations on metadata, on relations and the raw call, each over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
import test_operations_records
from over_http import calls, exercises, is_open_source, over_sessions, plant

from vtiger_async import (
    AccessDeniedError,
    ApiError,
    F,
    InvalidArgumentError,
    ServiceName,
    SilentChangeError,
    UnsupportedOperationError,
    VtigerClient,
    select,
)
from vtiger_async.sandbox import Call, Fault, Sandbox
from vtiger_async.wire.operations import OPERATIONS


@exercises("listtypes")
async def test_list_types(sandbox: Sandbox, crm: VtigerClient) -> None:
    """All modules are told, or those that have a field of some types."""
    modules = {module.name: module for module in await crm.list_types()}
    assert modules["HelpDesk"].label == "Tickets"
    assert (modules["Contacts"].is_entity, modules["Currency"].is_entity) == (True, False)
    types = ["email", "reference"] if is_open_source(sandbox) else ["multipicklist", "radio"]
    having = {module.name for module in await crm.list_types(types)}
    assert "Contacts" in having < modules.keys()
    assert await crm.list_types(["grid"]) == []


@exercises("describe")
async def test_describe(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A module's prefix, rights and fields are told."""
    module = await crm.describe("Contacts")
    assert (module.id_prefix, module.createable, module.is_entity) == ("4", True, True)
    assert module.mandatory_fields == ("lastname", "assigned_user_id")
    assert module.fields["account_id"].type.refers_to == ("Accounts",)
    assert "Word of mouth" in [v.value for v in module.fields["leadsource"].type.picklist_values]
    with pytest.raises(AccessDeniedError, match=r"describe Nothing: .*no module 'Nothing'"):
        await crm.describe("Nothing")


@exercises("relatedtypes")
async def test_related_types(sandbox: Sandbox, crm: VtigerClient) -> None:
    """The labels of relations are told with their modules."""
    relations = await crm.related_types("Contacts")
    assert relations.by_label("Activities").module == "Calendar"
    assert relations.by_label("Activity History").module == "Calendar"
    assert len(await crm.related_types("ModComments")) == 0


@exercises("picklist_dependency")
async def test_picklist_dependency(sandbox: Sandbox, crm: VtigerClient) -> None:
    """The targets of each source value are told; fields that do not depend have none."""
    found = await crm.picklist_dependency("Potentials", "pipeline", "sales_stage")
    assert (found.source_field, found.target_field) == ("pipeline", "sales_stage")
    assert found.targets["Partners"] == (
        "Prospecting", "Qualification", "Closed Won", "Closed Lost",
    )  # fmt: skip
    assert (await crm.picklist_dependency("Leads", "rating", "industry")).targets == {}


async def sources(crm: VtigerClient, module: str = "Leads") -> list[str]:
    """Return the values of the picklist leadsource."""
    described = await crm.describe(module)
    return [value.value for value in described.fields["leadsource"].type.picklist_values]


@exercises("add_picklist")
async def test_add_picklist(sandbox: Sandbox, crm: VtigerClient) -> None:
    """New values appear in `describe` at once, also of other modules with that picklist."""
    before = await sources(crm), await sources(crm, "Contacts")
    numbers = await crm.add_picklist("Leads", "leadsource", ["Fair", "Größe"])
    assert len(set(numbers)) == 2
    assert all(type(number) is int for number in numbers)
    assert await sources(crm) == [*before[0], "Fair", "Größe"]
    assert await sources(crm, "Contacts") == [*before[1], "Fair", "Größe"]


@exercises("edit_picklist")
async def test_edit_picklist(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A renamed value has its new name in `describe` and in the records that have it."""
    rid = plant(sandbox, "Leads", lastname="Ada", company="x", leadsource="Partner")
    assert "Partner" in await sources(crm)
    await crm.edit_picklist("Leads", "leadsource", "Partner", "Associate")
    found = await sources(crm)
    assert "Associate" in found
    assert "Partner" not in found
    assert (await crm.retrieve(rid))["leadsource"] == "Associate"


@exercises("delete_picklist")
async def test_delete_picklist(sandbox: Sandbox, crm: VtigerClient) -> None:
    """Deleted values are gone, and records that had one have the other."""
    rid = plant(sandbox, "Leads", lastname="Ada", company="x", leadsource="Partner")
    assert "Partner" in await sources(crm)
    await crm.delete_picklist("Leads", "leadsource", ["Partner", "Employee"], "Other")
    assert not {"Partner", "Employee"} & set(await sources(crm))
    assert (await crm.retrieve(rid))["leadsource"] == "Other"


@exercises("editionLimits")
async def test_edition_limits(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A limit is told by a ServiceName or by any text; an unknown one is the server's to refuse."""
    upload = await crm.edition_limits(ServiceName.DOCUMENT_UPLOAD_FILE_LIMIT)
    assert (upload.service, upload.limit) == ("DOCUMENT_UPLOAD_FILE_LIMIT", "50MB")
    assert (await crm.edition_limits("WEBSERVICE_LIMIT")).limit == "9000"
    with pytest.raises(AccessDeniedError, match="SOME_NEW_LIMIT"):
        await crm.edition_limits("SOME_NEW_LIMIT")


@exercises("get_account_hierarchy")
async def test_get_account_hierarchy(sandbox: Sandbox, crm: VtigerClient) -> None:
    """The tree comes from its root down, and the one asked for is marked."""
    top = plant(sandbox, "Accounts", accountname="Top")
    middle = plant(sandbox, "Accounts", accountname="Middle", account_id=top)
    leaf = plant(sandbox, "Accounts", accountname="Leaf", account_id=middle)
    nodes = await crm.get_account_hierarchy(middle)
    assert [(node.id, node.name, node.level, node.current) for node in nodes] == [
        (top, "Top", 0, False), (middle, "Middle", 1, True), (leaf, "Leaf", 2, False),
    ]  # fmt: skip
    assert nodes[1].label == "Middle | Top"


def crowd(sandbox: Sandbox, count: int) -> tuple[Any, list[str]]:
    """Create an organisation with so many contacts; return their ids."""
    account = plant(sandbox, "Accounts", accountname="Crowded")
    return account, [
        plant(sandbox, "Contacts", lastname=f"No{i % 2}", title=str(i), account_id=account)
        for i in range(count)
    ]


@exercises("retrieve_related", "query_related")
async def test_retrieve_related(sandbox: Sandbox, crm: VtigerClient) -> None:
    """All related records come, past the server's silent 100, each once."""
    account, contacts = crowd(sandbox, 250)
    found = [r async for r in crm.retrieve_related(account, "Contacts", "Contacts")]
    assert sorted(record.id for record in found) == contacts
    assert {record.module for record in found} == {"Contacts"}
    with pytest.raises(ApiError, match="UNKOWN_ENTITY"):
        await crm.retrieve_related(account, "Wrong label", "Contacts").all()


@exercises("retrieve_related")
async def test_retrieve_related_of_few(sandbox: Sandbox, crm: VtigerClient) -> None:
    """Fewer than 100 related records cost an administrator one call, and so does none."""
    account, contacts = crowd(sandbox, 99)
    lonely = plant(sandbox, "Accounts", accountname="Lonely")
    assert len(await crm.retrieve_related(account, "Contacts", "Contacts").all()) == len(contacts)
    assert await crm.retrieve_related(lonely, "Contacts", "Contacts").all() == []
    spent = sandbox.ledger()["calls"]
    assert (spent["retrieve_related"], "query_related" in spent) == (2, False)


@exercises("retrieve_related", "query_related")
async def test_related_records_with_line_items_all_come(
    sandbox: Sandbox, crm: VtigerClient
) -> None:
    """A page that line items have filled holds fewer than 100 invoices, and is not the last."""
    account = plant(sandbox, "Accounts", accountname="Buyer")
    product = plant(sandbox, "Products", productname="Bolt")
    lines = [{"productid": product, "quantity": "1", "listprice": "1"} for _ in range(3)]
    invoices = [
        plant(
            sandbox, "Invoice", subject=str(i), account_id=account, invoicestatus="Created",
            bill_street="1", ship_street="1", productid=product, LineItems=lines,
        )
        for i in range(60)
    ]  # fmt: skip
    found = await crm.retrieve_related(account, "Invoice", "Invoice").all()
    assert sorted(record.id for record in found) == invoices


@exercises("query_related")
async def test_query_related(sandbox: Sandbox, crm: VtigerClient) -> None:
    """What matches among the related records comes, in the order of the ids, and nothing else."""
    account, contacts = crowd(sandbox, 250)
    plant(sandbox, "Contacts", lastname="No1", title="stranger")
    even = "select id, title from Contacts where lastname = 'No0'"
    found = await crm.query_related(even, account, "Contacts").all()
    assert [record.id for record in found] == contacts[::2]
    assert found[0]["title"] == "0"
    either = select("Contacts", "title").where((F.title == "7") | (F.lastname == "No1"))
    records = await crm.query_related(either, account, "Contacts").all()
    assert sorted(record.id for record in records) == contacts[1::2]
    everyone = await crm.query_related("select id from Contacts;", account, "Contacts").all()
    assert [record.id for record in everyone] == contacts


@exercises("query_related")
async def test_query_related_with_a_long_list(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A list that is too long for one URL is asked for in parts; each record comes once."""
    account, contacts = crowd(sandbox, 30)
    wanted = [f"title {number:05d}" for number in range(1000)] + ["3", "7", "29"]
    statement = select("Contacts").where(F.title.in_(wanted) | (F.title == "7"))
    found = await crm.query_related(statement, account, "Contacts").all()
    assert sorted(record.id for record in found) == [contacts[3], contacts[7], contacts[29]]


@exercises("add_related", "delete_related")
async def test_add_and_delete_related(sandbox: Sandbox, crm: VtigerClient) -> None:
    """A relation that was added is read back; one that was deleted is gone."""
    ada = plant(sandbox, "Contacts", lastname="Ada")
    products = [plant(sandbox, "Products", productname=name) for name in ("Engine", "Loom")]
    await crm.add_related(ada, products[0])
    await crm.add_related(ada, products[1], "Products")
    related = await crm.retrieve_related(ada, "Products", "Products").all()
    assert sorted(record.id for record in related) == products
    await crm.delete_related(ada, products[0])
    await crm.delete_related(ada, products[0])
    related = await crm.retrieve_related(ada, "Products", "Products").all()
    assert [record.id for record in related] == products[1:]


@exercises("add_related", "query_related", "describe")
async def test_add_related_can_verify(sandbox: Sandbox, crm: VtigerClient) -> None:
    """The server reports success whatever happens; verify=True reads the relation back."""
    ada = plant(sandbox, "Contacts", lastname="Ada")
    engine = plant(sandbox, "Products", productname="Engine")
    with pytest.raises(InvalidArgumentError, match="describe or query the module first"):
        await crm.add_related(ada, engine, "Products", verify=True)
    await crm.describe("Products")
    with pytest.raises(InvalidArgumentError, match="give the label"):
        await crm.add_related(ada, engine, verify=True)
    assert "add_related" not in sandbox.ledger()["calls"]
    await crm.add_related(ada, engine, "Products", verify=True)
    missing = f"{engine.prefix}x99999999"
    await crm.add_related(ada, missing, "Products")
    with pytest.raises(SilentChangeError, match=f"{missing} is not related under 'Products'$") as e:
        await crm.add_related(ada, missing, "Products", verify=True)
    assert (e.value.operation, e.value.record_id, e.value.record) == ("add_related", ada, None)
    with pytest.raises(ApiError, match="UNKOWN_ENTITY"):
        await crm.add_related(ada, engine, "Wares", verify=True)


@exercises("vtap/orders/open", "tags_retrieve")
async def test_call(sandbox: Sandbox, crm: VtigerClient) -> None:
    """Anything else goes through the same pipeline: API Designer, and any operation by name."""

    def orders(call: Call) -> object:
        if call.params.get("fail"):
            raise Fault("NO_ORDERS", "There are none")
        return {"verb": call.verb, **call.params}

    sandbox.route("orders/open", orders)
    path = "/restapi/vtap/api/orders/open"
    params = {"text": "ü&", "count": 2, "many": ["a"], "yes": True, "none": None}
    sent = {"text": "ü&", "count": "2", "many": '["a"]', "yes": "true"}
    assert await crm.call("post", path, params) == {"verb": "POST", **sent}
    assert await crm.call("GET", path, params) == {"verb": "GET", **sent}
    assert await crm.call("GET", path) == {"verb": "GET"}
    with pytest.raises(ApiError, match="NO_ORDERS: There are none") as failed:
        await crm.call("POST", path, {"fail": 1})
    assert failed.value.operation == path
    rid = plant(sandbox, "Contacts", lastname="Ada")
    # REST does not mind the verb; webservice.php has the parameters of a read from the URL alone.
    verb = "GET" if over_sessions(crm) else "POST"
    assert await crm.call(verb, "tags_retrieve", {"id": rid}) == {"tags": []}
    assert (await crm.call("GET", "me"))["user_name"] == "admin"
    with pytest.raises(UnsupportedOperationError):
        await crm.call("POST", "no_such_operation", {"x": 1})


@pytest.mark.parametrize(
    ("method", "operation", "params", "reason"),
    [
        ("DELETE", "me", None, "GET and POST, not 'DELETE'"),
        ("GET", "", None, "neither an operation's name nor a path"),
        ("GET", "me?x=1", None, "neither an operation's name nor a path"),
        ("GET", "../me", None, "neither an operation's name nor a path"),
        ("GET", "/restapi/../x", None, "neither an operation's name nor a path"),
        ("GET", "/index.php", None, "neither an operation's name nor a path"),
        ("GET", "https://evil.example/", None, "neither an operation's name nor a path"),
        ("POST", "x", {"a": object()}, "cannot be sent as JSON"),
        ("POST", "x", {"a": float("nan")}, "cannot be sent as JSON"),
        ("GET", "x", {"a": "\ud800"}, "lone surrogate"),
    ],
)
@pytest.mark.anyio
async def test_call_refuses_what_cannot_be_sent(
    method: str, operation: str, params: dict[str, Any] | None, reason: str
) -> None:
    """A verb, a name or a value that cannot be sent is refused before a call is spent."""
    with Sandbox(limits=False) as sandbox:
        async with sandbox.client() as crm:
            with pytest.raises(InvalidArgumentError, match=reason):
                await crm.call(method, operation, params)
        assert calls(sandbox) == 0


def test_every_operation_is_exercised() -> None:
    """Each operation of the manuals is called over HTTP by a test of this file or its sibling."""
    tests = {**globals(), **vars(test_operations_records)}
    exercised = {
        operation
        for name, test in tests.items()
        if name.startswith("test_")
        for operation in getattr(test, "operations", ())
    }
    assert exercised >= OPERATIONS.keys()
    assert all(callable(getattr(VtigerClient, row.method)) for row in OPERATIONS.values())
