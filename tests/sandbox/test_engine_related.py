"""The sandbox's relations, hierarchy, lookup and tags."""

from __future__ import annotations

from typing import Any

import pytest
from engine_calls import Crm, on_the_cloud

BAD_ID = ("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")
WRONG = ("UNKOWN_ENTITY", "Relation specified is incorrect")


@pytest.fixture
def crm(profile: str) -> Crm:
    """An organisation with three contacts, and one contact beside it."""
    crm = Crm(profile=profile)
    crm.create("Accounts", accountname="a")  # 3x101
    for name in ("Ann", "Bob", "Cid"):
        crm.create("Contacts", lastname=name, account_id="3x101")  # 4x102, 4x103, 4x104
    crm.create("Contacts", lastname="Dan")  # 4x105
    crm.create("Campaigns", campaignname="c", closingdate="2027-03-01")  # 17x106
    return crm


@on_the_cloud
def test_related_types_are_told_by_label(crm: Crm) -> None:
    """`information` is keyed by label; a type may stand in `types` twice."""
    answer = crm("relatedtypes", elementType="Accounts")
    assert answer["types"].count("Calendar") == 2
    order = answer["information"]["Sales Order"]
    assert (order["name"], order["label"], order["isEntity"]) == ("SalesOrder", "Sales Order", "1")
    assert isinstance(order["relation_id"], int)
    hidden = crm("relatedtypes", "sales", elementType="Accounts")
    assert "Invoice" not in hidden["types"]
    assert crm("relatedtypes", elementType="Users") == {"types": [], "information": []}
    answer = crm.refused("relatedtypes", elementType="Nope")
    assert answer[1] == "Permission to perform the operation is denied for name : Nope"


def test_retrieve_related_gives_rows(crm: Crm) -> None:
    """The related records come as a query's rows."""
    params = {"relatedLabel": "Contacts", "relatedType": "Contacts"}
    rows = crm("retrieve_related", id="3x101", **params)
    assert sorted(row["lastname"] for row in rows) == ["Ann", "Bob", "Cid"]
    assert crm("retrieve_related", "sales", id="3x101", **params) == []
    none = crm("retrieve_related", id="3x101", relatedLabel="HelpDesk", relatedType="HelpDesk")
    assert none == []


@pytest.mark.parametrize(
    ("label", "target"), [("Nope", "Contacts"), ("Contacts", "Nope"), ("", "Contacts")]
)
def test_a_wrong_label_or_type_is_an_unknown_entity(crm: Crm, label: str, target: str) -> None:
    """Both must name the relation."""
    params = {"id": "3x101", "relatedLabel": label, "relatedType": target}
    assert crm.refused("retrieve_related", **params) == WRONG


def test_a_relation_to_a_hidden_module_is_unknown(crm: Crm) -> None:
    """The user sales sees no invoices, here neither."""
    params = {"id": "3x101", "relatedLabel": "Invoice", "relatedType": "Invoice"}
    assert crm.refused("retrieve_related", "sales", **params) == WRONG


def test_retrieve_related_stops_at_100(profile: str) -> None:
    """No word says that there are more."""
    crm = Crm(records=None, profile=profile)
    account = crm.values("select id from Accounts order by id limit 1;", "id")[0]
    count = crm.query(f"select count(*) from Contacts where account_id = '{account}';")
    assert int(count[0]["count"]) > 100
    params = {"relatedLabel": "Contacts", "relatedType": "Contacts"}
    assert len(crm("retrieve_related", id=account, **params)) == 100


def test_query_related_takes_a_statement_without_its_end(crm: Crm) -> None:
    """A condition, an order and a limit follow an upper-case WHERE."""

    def names(query: str) -> list[str]:
        rows = crm("query_related", query=query, id="3x101", relatedLabel="Contacts")
        return [row["lastname"] for row in rows]

    assert sorted(names("select lastname from Contacts")) == ["Ann", "Bob", "Cid"]
    assert names("select lastname from Contacts WHERE lastname = 'Bob'") == ["Bob"]
    paged = "select lastname from Contacts WHERE id > '4x0' ORDER BY id LIMIT 1,1"
    assert names(paged) == ["Bob"]


def test_an_or_leaks_out_of_the_relation(crm: Crm) -> None:
    """The server writes its own condition before yours, and AND binds first."""
    query = "select lastname from Contacts WHERE lastname = 'Ann' OR lastname = 'Dan'"
    rows = crm("query_related", query=query, id="3x101", relatedLabel="Contacts")
    assert sorted(row["lastname"] for row in rows) == ["Ann", "Dan"]


@pytest.mark.parametrize(
    "rest", [" where lastname = 'Ann'", " order by lastname", " limit 1", " ;"]
)
def test_query_related_refuses_what_it_cannot_splice(crm: Crm, rest: str) -> None:
    """A lower-case where, an order without condition, and a semicolon are syntax errors."""
    params = {"query": f"select lastname from Contacts{rest}", "id": "3x101"}
    code, message = crm.refused("query_related", relatedLabel="Contacts", **params)
    assert code == "QUERY_SYNTAX_ERROR"
    assert "token 'WHERE' Unexpected" in message


def test_query_related_wants_a_label(crm: Crm) -> None:
    """A wrong label is an unknown entity; nothing related is an empty page."""
    params = {"query": "select id from Contacts", "id": "3x101"}
    assert crm.refused("query_related", relatedLabel="X", **params) == WRONG
    tickets = {"query": "select id from HelpDesk", "id": "3x101", "relatedLabel": "HelpDesk"}
    assert crm("query_related", **tickets) == []


def related(crm: Crm, record_id: str, module: str) -> list[str]:
    rows = crm("retrieve_related", id=record_id, relatedLabel=module, relatedType=module)
    return sorted(row["id"] for row in rows)


def test_a_pair_is_added_and_dropped(crm: Crm) -> None:
    """Many-to-many relations are stored, seen from both sides, and dropped again."""
    pair = {"sourceRecordId": "17x106", "relatedRecordId": "4x102"}
    for label in ({"relationIdLabel": "Contacts"}, {}):
        assert crm("add_related", **pair, **label) == {"message": "successfull"}
    assert related(crm, "17x106", "Contacts") == ["4x102"]
    assert related(crm, "4x102", "Campaigns") == ["17x106"]
    for _ in range(2):
        assert crm("delete_related", **pair) == {"status": "successful"}
    assert related(crm, "17x106", "Contacts") == []


@pytest.mark.parametrize(
    ("user", "source", "target", "label"),
    [
        ("admin", "17x106", "4x999", "Contacts"),
        ("admin", "17x106", "4x102", "Nope"),
        ("admin", "3x101", "4x105", "Contacts"),
        ("admin", "17x106", "19x1", ""),
        ("guest", "17x106", "4x102", "Contacts"),
        ("sales", "17x106", "4x102", "Contacts"),
    ],
)
def test_add_related_says_yes_to_anything(
    crm: Crm, user: str, source: str, target: str, label: str
) -> None:
    """A wrong label, a missing target, a 1:N relation and a read-only user get the same answer."""
    params = {"sourceRecordId": source, "relatedRecordId": target, "relationIdLabel": label}
    writes = len(crm.engine.ledger())
    assert crm("add_related", user, **params) == {"message": "successfull"}
    assert len(crm.engine.ledger()) == writes
    assert related(crm, "17x106", "Contacts") == []
    assert related(crm, "3x101", "Contacts") == ["4x102", "4x103", "4x104"]


def test_delete_related_clears_a_reference(crm: Crm) -> None:
    """In a 1:N relation, the reference between the two records is emptied."""
    crm("delete_related", sourceRecordId="3x101", relatedRecordId="4x103")
    assert related(crm, "3x101", "Contacts") == ["4x102", "4x104"]
    crm("delete_related", "guest", sourceRecordId="3x101", relatedRecordId="4x102")
    crm("delete_related", sourceRecordId="3x101", relatedRecordId="4x999")
    assert related(crm, "3x101", "Contacts") == ["4x102", "4x104"]


def test_malformed_ids_are_refused(crm: Crm) -> None:
    """The two operations refuse them with different codes."""
    pair = {"sourceRecordId": "abc", "relatedRecordId": "4x102"}
    assert crm.refused("add_related", **pair) == BAD_ID
    denied = ("ACCESS_DENIED", "Permission to perform the operation is denied for id")
    assert crm.refused("delete_related", **pair) == denied


def test_a_deleted_record_is_related_to_nothing(crm: Crm) -> None:
    """Its pairs are gone, from both sides."""
    crm("add_related", sourceRecordId="17x106", relatedRecordId="4x102")
    crm("add_related", sourceRecordId="17x106", relatedRecordId="4x103")
    crm("delete", id="4x102")
    assert related(crm, "17x106", "Contacts") == ["4x103"]


def test_the_hierarchy_is_told_from_its_root(crm: Crm) -> None:
    """Every node has its level, its parent in the label, and whether it was asked for."""
    child = crm.create("Accounts", accountname="b", account_id="3x101")["id"]
    grandchild = crm.create("Accounts", accountname="c", account_id=child)["id"]
    nodes = crm("get_account_hierarchy", id=child)
    assert nodes == [
        {"id": "3x101", "name": "a", "label": "a", "level": 0, "current": False},
        {"id": child, "name": "b", "label": "b | a", "level": 1, "current": True},
        {"id": grandchild, "name": "c", "label": "c | b", "level": 2, "current": False},
    ]
    crm("revise", element={"id": "3x101", "account_id": grandchild})
    assert len(crm("get_account_hierarchy", id=child)) == 3
    assert crm.refused("get_account_hierarchy", id="4x102") == BAD_ID


def test_lookup_finds_an_exact_value(crm: Crm) -> None:
    """In the fields of the asked type: of some, of a module, or of all modules."""
    crm.create("Contacts", lastname="Eve", email="o'e@x.example", mobile="123")
    crm.create("Leads", lastname="Eve", secondaryemail="o'e@x.example")

    def found(**params: Any) -> list[str]:
        rows = crm("lookup", **({"type": "email", "value": "O'E@x.example"} | params))
        return [row["id"] for row in rows]

    both = found()
    assert sorted(both) == ["2x108", "4x107"]
    assert found(searchIn={"Contacts": ["email"]}) == ["4x107"]
    assert found(searchIn={"Contacts": ["secondaryemail"]}) == []
    assert found(searchIn={"Contacts": None}) == found(searchIn=["Contacts"]) == ["4x107"]
    assert found(type="phone", value="123", searchIn={"Contacts": ["mobile"]}) == ["4x107"]
    assert found(value="E@x.example") == []
    assert found(type="shoe") == []


def test_lookup_says_what_is_missing(crm: Crm) -> None:
    """Type and value are wanted, and modules must be known."""
    answer = crm.refused("lookup", type="email")
    assert answer == ("MANDATORY_FIELDS_MISSING", "Missing parameter value")
    assert crm.refused("lookup", value="x")[1] == "Missing parameter type"
    bad = {"type": "email", "value": "x"}
    assert crm.refused("lookup", **bad, searchIn={"Nope": []})[0] == "ACCESS_DENIED"
    assert crm.refused("lookup", **bad, searchIn=5)[0] == "INTERNAL_SERVER_ERROR"


def tags(crm: Crm, record_id: str, user: str = "admin") -> list[str]:
    return crm("tags_retrieve", user, id=record_id)["tags"]


def test_tags_are_each_users_own(crm: Crm) -> None:
    """A tag is there once, for who set it; the record's field shows it, and no time changes."""
    for _ in range(2):
        added = crm("tags_add", id="3x101", tags=["vip", "été", "O'x", ""])
        assert added == {"message": "tags added"}
    assert tags(crm, "3x101") == ["O'x", "vip", "été"]
    assert tags(crm, "3x101", "sales") == []
    crm("tags_add", "sales", id="3x101", tags='"vip"')
    assert crm("retrieve", id="3x101")["tags"] == "O'x,vip,été"


def test_tags_are_deleted_by_name_or_all(crm: Crm) -> None:
    """Some from a record, all from a record, or some from all records."""
    for record_id in ("3x101", "4x102", "20x2"):
        crm("tags_add", id=record_id, tags=["a", "b", "c"])
    assert crm("tag_delete", id="3x101", tags=["a"]) == {"message": "tags deleted"}
    assert (tags(crm, "3x101"), tags(crm, "4x102")) == (["b", "c"], ["a", "b", "c"])
    crm("tags_delete", id="3x101", tags=["b"], delete_all="1")
    assert (tags(crm, "3x101"), tags(crm, "4x102"), tags(crm, "20x2")) == (
        ["c"],
        ["a", "c"],
        ["a", "c"],
    )
    assert crm("retrieve", id="4x102")["tags"] == "a,c"
    crm("tag_delete", id="4x102", delete_all="true")
    assert (tags(crm, "3x101"), tags(crm, "4x102")) == (["c"], [])


def test_tags_want_a_record(crm: Crm) -> None:
    """A missing record is ACCESS_DENIED for each of the three."""
    for operation in ("tags_add", "tags_retrieve", "tag_delete"):
        assert crm.refused(operation, id="4x999", tags=["x"])[0] == "ACCESS_DENIED"


def test_an_open_source_asks_for_the_source_of_a_relation_only() -> None:
    """A source that is missing is an error; a relation is found by its label and its module."""
    oss = Crm(profile="oss-8.4")
    account = oss.create("Accounts", accountname="a")["id"]
    params = {"relatedRecordId": account, "relationIdLabel": "Contacts"}
    answer = oss.refused("add_related", sourceRecordId="3x999", **params)
    assert answer == ("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")
    asked = {"id": account, "relatedLabel": "Contacts"}
    answer = oss.refused("query_related", query="select id from Leads", **asked)
    assert answer[0] == "UNKOWN_ENTITY"
    missing = oss.refused("retrieve_related", relatedType="Contacts", **(asked | {"id": "3x999"}))
    assert missing == ("ACCESS_DENIED", "Permission to perform the operation is denied for name : ")


def test_relations_of_what_holds_no_entities() -> None:
    """An open source gives up on them with HTTP 500; it asks for no right to any other module."""
    oss = Crm(profile="oss-8.4")
    assert oss.refused("relatedtypes", elementType="Groups")[0] == "INTERNAL_SERVER_ERROR"
    assert "Documents" in oss("relatedtypes", "sales", elementType="Invoice")["types"]
