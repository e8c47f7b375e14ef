"""The sandbox's query language: what it takes, and the words it refuses with."""

from __future__ import annotations

import pytest
from engine_calls import Crm, on_the_cloud

SYNTAX = "QUERY_SYNTAX_ERROR"
OPERATORS = "EQ,LT,GT,LTE,GTE,NE,IN,LIKE"


@pytest.fixture
def crm(profile: str) -> Crm:
    crm = Crm(profile=profile)
    crm.create("Leads", lastname="One", city="Lyon")
    return crm


@pytest.mark.parametrize(
    ("text", "token", "due"),
    [
        ("select id from Leads", "Leads: End of Input(0)", "SEMICOLON"),
        ("select id from Leads limit 1;;", ";: SEMICOLON(;)", ""),
        ("select id from Leads; select", "select: COLUMNNAME(select)", ""),
        ("from Leads;", "from: Unknown(from)", "SELECT"),
        ("; from Leads", ";: Unknown(;)", "SELECT"),
        ("select count(id) from Leads;", "id: COLUMNNAME(id)", "ASTERISK"),
        ("select count(* from Leads;", "from: FRM(from)", "PARENCLOSE"),
        ("select distinct id from Leads;", "id: COLUMNNAME(id)", "SELECT"),
        ("select upper(id) from Leads;", "(: PARENOPEN(()", "SELECT"),
        ("select id, from Leads;", "from: FRM(from)", "SELECT"),
        ("select id from Leads where city<>'x';", ">: GT(>)", "VALUE"),
        ("select id from Leads where city not in ('x');", "not: VALUE(not)", OPERATORS),
        ("select id from Leads where city in ();", "): PARENCLOSE())", "VALUE"),
        ("select *, id from Leads;", ",: Unknown(,)", "FRM,COMMA"),
        ("select id from Leads where city in 'x');", "): PARENCLOSE())", "SEMICOLON"),
        ("select id from Leads where city in ('x'", "'x': End of Input(0)", "PARENCLOSE,COMMA"),
        ("select id from Leads where city = 'x' and and;", "and: LOGICAL_AND(and)", "SEMICOLON"),
        ("select id from Leads order by city x;", "x: COLUMNNAME(x)", "SEMICOLON"),
        ("select id from Leads where (city='x');", "(: PARENOPEN(()", "COLUMNNAME"),
        ("select id from Leads where city = limit 1;", "limit: LIMIT(limit)", "VALUE"),
        (r"select id from Leads where city = 'x\'y';", "y: COLUMNNAME(y)", "SEMICOLON"),
        ("select id from Leads limit 5 offset 1;", "offset: VALUE(offset)", "SEMICOLON"),
    ],
)
def test_a_fault_names_the_token_and_what_was_due(
    crm: Crm, text: str, token: str, due: str
) -> None:
    """What the grammar does not know is refused with the token and what was expected."""
    word, _, taken_for = token.partition(": ")
    message = f"token '{word}' Unexpected {taken_for}, expected one of: {due}"
    assert crm.refused("query", query=text) == (SYNTAX, f"Syntax Error on line 1: {message}")


def test_a_fault_tells_its_line(crm: Crm) -> None:
    """The message counts lines."""
    _, message = crm.refused("query", query="select id\nfrom Leads\nwhere city;")
    assert message.startswith("Syntax Error on line 3: token ';'")


def test_grouping_has_a_message_of_its_own(crm: Crm) -> None:
    """GROUP BY is refused with another sentence."""
    answer = crm.refused("query", query="select city from Leads group by city;")
    assert answer == (SYNTAX, "There is an syntax error in query")


@pytest.mark.parametrize(
    "condition",
    [
        "city = ''",
        "city in ('','x')",
        'city = "x"',
        "annualrevenue > 1.5",
        "email = a@b.example",
        "city.name = 'x'",
    ],
)
def test_what_begins_no_token_is_an_internal_error(crm: Crm, condition: str) -> None:
    """Empty literals, double quotes, unquoted decimals and dots are answered with a bare error."""
    answer = crm.refused("query", query=f"select id from Leads where {condition};")
    assert answer == ("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Permission to perform the operation is denied for query"),
        ("select id;", "Permission to perform the operation is denied for query"),
        ("select id from leads;", "Permission to perform the operation is denied for name : leads"),
        ("select nofield from Leads;", "Permission to access '.nofield.' attribute denied."),
        ("select ID from Leads;", "Permission to access '.ID.' attribute denied."),
        ("select id from Leads where no='x';", "Permission to access no attribute denied."),
    ],
)
def test_an_unknown_name_is_denied(crm: Crm, text: str, message: str) -> None:
    """Unknown modules and fields, in any letter case but their own, are ACCESS_DENIED."""
    assert crm.refused("query", query=text) == ("ACCESS_DENIED", message)


@on_the_cloud
def test_the_module_is_found_by_the_first_from_before_a_space(crm: Crm) -> None:
    """A selected field that ends in `from` hides the module, where white space follows it."""
    for text in ("select cf_memberfrom from Contacts;", "select cf_memberfrom\nfrom Contacts;"):
        assert crm.refused("query", query=text)[1].endswith("for name : from")
    assert crm.query("select cf_memberfrom,id from Contacts;") == []


@pytest.mark.parametrize("text", ["Leads l", "Leads join Contacts", "Leads order city"])
def test_a_word_behind_the_module_is_refused(crm: Crm, text: str) -> None:
    """Behind the module only WHERE, ORDER BY and LIMIT may stand; others have a message alone."""
    answer = crm.refused("query", query=f"select id from {text};")
    assert answer == (SYNTAX, "There is an syntax error in query")


@pytest.mark.parametrize("text", ["in 'Lyon'", "in ('Lyon'", "= ('Lyon')", "like ('ly%')"])
def test_parentheses_may_be_missing(crm: Crm, text: str) -> None:
    """A value may stand in parentheses, a list without them, or without the closing one."""
    assert crm.values(f"select city from Leads where city {text};", "city") == ["Lyon"]


def test_keywords_ignore_case_and_space(crm: Crm) -> None:
    """Keywords may be written in any case, and white space may be a tab or a line break."""
    text = "SELECT city\nFROM Leads\tWHERE city LIKE 'ly%' ORDER BY city DESC LIMIT 1 ;"
    assert crm.values(text, "city") == ["Lyon"]
