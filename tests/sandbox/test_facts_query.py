"""What was measured of the query language and of sync, where no other test says so."""

from __future__ import annotations

import pytest
from engine_calls import NOW, Crm


@pytest.fixture
def crm(profile: str) -> Crm:
    """Two contacts."""
    crm = Crm(profile=profile)
    crm.create("Contacts", lastname="Ann", birthday="1991-05-01")
    crm.create("Contacts", lastname="Bob")
    return crm


@pytest.mark.parametrize(
    ("operator", "found"),
    [
        ("= 'Ann'", ["Ann"]),
        ("!= 'Ann'", ["Bob"]),
        ("< 'Bob'", ["Ann"]),
        ("> 'Ann'", ["Bob"]),
        ("<= 'Ann'", ["Ann"]),
        (">= 'Bob'", ["Bob"]),
        ("IN ('Ann','Bob')", ["Ann", "Bob"]),
        ("LIKE '%o%'", ["Bob"]),
    ],
)
def test_every_operator_of_the_language(crm: Crm, operator: str, found: list[str]) -> None:
    """There are eight operators."""
    text = f"select lastname from Contacts where lastname {operator} order by lastname;"
    assert crm.values(text, "lastname") == found


@pytest.mark.parametrize(
    "text",
    [
        "select id from Contacts where lastname <> 'x';",
        "select id from Contacts where lastname not in ('x');",
        "select id from Contacts where lastname not like 'x';",
        "select id from Contacts where lastname is null;",
        "select id from Contacts where lastname between 'a' and 'b';",
        "select distinct lastname from Contacts;",
        "select id from Contacts where (lastname = 'x');",
        "select upper(lastname) from Contacts;",
        "select id from Contacts where upper(lastname) = 'X';",
        "select lastname as name from Contacts;",
        "select id from Contacts as c;",
        "select id from Contacts join Accounts;",
        "select id from Contacts limit 2 offset 1;",
    ],
)
def test_what_the_language_has_not(crm: Crm, text: str) -> None:
    """Each is a syntax error."""
    assert crm.refused("query", query=text)[0] == "QUERY_SYNTAX_ERROR"


@pytest.mark.parametrize("text", ["where account_id.accountname = 'x'", "order by account_id.x"])
def test_a_dotted_field_is_an_internal_error(crm: Crm, text: str) -> None:
    """No field is reached through a reference: the lexer does not know the dot."""
    code, _ = crm.refused("query", query=f"select id from Contacts {text};")
    assert code == "INTERNAL_SERVER_ERROR"


def test_literals_are_words_integers_and_quoted_text(crm: Crm) -> None:
    """A word and an integer stand bare; a date has to be quoted."""
    assert len(crm.query("select id from Contacts where donotcall = false;")) == 2
    assert len(crm.query("select id from Contacts where birthday > 19910101;")) == 1
    assert len(crm.query("select id from Contacts where birthday = '1991-05-01';")) == 1
    unquoted = "select id from Contacts where birthday = 1991-05-01;"
    assert crm.refused("query", query=unquoted)[0] == "QUERY_SYNTAX_ERROR"


def test_a_backslash_at_the_end_leaves_the_literal(crm: Crm) -> None:
    """What follows is read as a condition by the lexer, and as text by the database: no rows."""
    broken = r"select id from Contacts where lastname = 'Ann\' or lastname = 'Bob';"
    assert crm.query(broken.replace("\\", "")) != []
    assert crm.query(broken) == []


def test_unset_dates_are_null_in_rows_and_empty_in_records(crm: Crm) -> None:
    """A query gives null where retrieve gives an empty text."""
    row = crm.query("select birthday from Contacts where lastname = 'Bob';")[0]
    assert row["birthday"] is None
    assert crm("retrieve", id=row["id"])["birthday"] == ""


def test_moments_are_utc_whatever_the_users_zone(crm: Crm) -> None:
    """A user in New York reads the same moments as one in UTC."""
    assert crm("retrieve", id="19x5")["time_zone"] == "America/New_York"
    made = crm.create("Contacts", "sales", lastname="Cid")
    assert made["createdtime"] == "2027-01-15 08:00:00"
    text = f"select createdtime from Contacts where id = '{made['id']}';"
    for user in ("admin", "sales"):
        assert crm.values(text, "createdtime", user) == ["2027-01-15 08:00:00"]


def test_the_names_of_modules_and_fields_have_their_case(crm: Crm) -> None:
    """Keywords may be written in any case, names in theirs alone."""
    assert len(crm.query("SeLeCt lastname FrOm Contacts;")) == 2
    for text in ("select lastname from contacts;", "select Lastname from Contacts;"):
        assert crm.refused("query", query=text)[0] == "ACCESS_DENIED"


def test_a_sync_from_the_head_echoes_the_time(crm: Crm) -> None:
    """Where nothing is new, lastModifiedTime is what was sent."""
    later = str(int(NOW) + 500)
    params = {"elementType": "Contacts", "modifiedTime": later, "syncType": "application"}
    answer = crm("sync", params=params)
    assert answer["lastModifiedTime"] == int(later)
    assert (answer["updated"], answer["deleted"], answer["more"]) == ([], [], False)


def test_a_sync_without_scope_is_that_of_the_user(crm: Crm) -> None:
    """The default tells of the caller's own records alone."""
    crm.create("Contacts", lastname="Eve", assigned_user_id="19x5")
    for user, names in (("sales", ["Eve"]), ("admin", ["Ann", "Bob"])):
        page = crm("sync", user, elementType="Contacts", params={"modifiedTime": "1"})
        assert [record["lastname"] for record in page["updated"]] == names


def test_what_follows_an_id_is_sql(crm: Crm) -> None:
    """Ids are not quoted in the database's statement, so that an alternative finds everything."""
    found = crm.query("select lastname from Contacts where id = '4x999 or 1=1' order by lastname;")
    assert [row["lastname"] for row in found] == ["Ann", "Bob"]
    assert crm.query("select lastname from Contacts where id = '4x999 or 1=2';") == []


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("lastname = lastname", ["Ann", "Bob", "Eve"]),
        ("lastname != lastname", []),
        ("lastname = firstname", ["Eve"]),
        ("lastname = mailingcity", []),
        ("lastname = Ann", []),
    ],
)
def test_a_bare_word_is_a_column(crm: Crm, condition: str, found: list[str]) -> None:
    """A word without quotes is no text: it names a column of a table that is read, or fails."""
    crm.create("Contacts", lastname="Eve", firstname="eve", mailingcity="Eve")
    text = f"select lastname from Contacts where {condition} order by lastname;"
    assert crm.values(text, "lastname") == found


@pytest.mark.parametrize("clause", ["limit +3", "limit +0,3", "where lastname = +5"])
def test_a_plus_breaks_the_statement(crm: Crm, clause: str) -> None:
    """A number with a plus is a token of the language, and nothing that the database takes."""
    assert crm.query(f"select id from Contacts {clause};") == []
