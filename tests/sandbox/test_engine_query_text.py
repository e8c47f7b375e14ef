"""The sandbox's query language: what it takes, and the words it refuses with."""

from __future__ import annotations

import pytest
from engine_calls import Crm

SYNTAX = "QUERY_SYNTAX_ERROR"
OPERATORS = "EQ,LT,GT,LTE,GTE,NE,IN,LIKE"


@pytest.fixture(scope="module")
def crm() -> Crm:
    crm = Crm()
    crm.create("Leads", lastname="One", city="Lyon")
    return crm


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("select id from Leads", "token 'Leads' Unexpected End of Input(0), expected one of: SEMICOLON"),
        ("select id from Leads limit 1;;", "token ';' Unexpected SEMICOLON(;), expected one of: "),
        ("select id from Leads; select", "token 'select' Unexpected VALUE(select), expected one of: "),
        ("from Leads;", "token 'from' Unexpected Unknown(from), expected one of: SELECT"),
        ("; from Leads", "token ';' Unexpected SEMICOLON(;), expected one of: SELECT"),
        ("select count(id) from Leads;", "token 'id' Unexpected COLUMNNAME(id), expected one of: ASTERISK"),
        ("select count(* from Leads;", "token 'from' Unexpected FROM(from), expected one of: PARENCLOSE"),
        ("select distinct id from Leads;", "token 'id' Unexpected COLUMNNAME(id), expected one of: SELECT"),
        ("select upper(id) from Leads;", "token '(' Unexpected PARENOPEN((), expected one of: SELECT"),
        ("select id, from Leads;", "token 'from' Unexpected FROM(from), expected one of: COLUMNNAME"),
        ("select id from\t'x' from Leads;", "token ''x'' Unexpected VALUE('x'), expected one of: TABLENAME"),
        ("select id from Leads where city<>'x';", "token '>' Unexpected GT(>), expected one of: VALUE"),
        ("select id from Leads where city not in ('x');", f"token 'not' Unexpected VALUE(not), expected one of: {OPERATORS}"),
        ("select id from Leads where city in ();", "token ')' Unexpected PARENCLOSE()), expected one of: VALUE"),
        ("select id from Leads where city in 'x';", "token ''x'' Unexpected VALUE('x'), expected one of: PARENOPEN"),
        ("select id from Leads where city in ('x';", "token ';' Unexpected SEMICOLON(;), expected one of: COMMA,PARENCLOSE"),
        ("select id from Leads where (city='x');", "token '(' Unexpected PARENOPEN((), expected one of: COLUMNNAME"),
        ("select id from Leads where city = limit 1;", "token 'limit' Unexpected LIMIT(limit), expected one of: VALUE"),
        (r"select id from Leads where city = 'x\'y';", "token 'y' Unexpected COLUMNNAME(y), expected one of: SEMICOLON"),
        ("select id from Leads order city;", "token 'city' Unexpected VALUE(city), expected one of: BY"),
        ("select id from Leads limit 5 offset 1;", "token 'offset' Unexpected VALUE(offset), expected one of: SEMICOLON"),
    ],
)  # fmt: skip
def test_a_fault_names_the_token_and_what_was_due(crm: Crm, text: str, token: str) -> None:
    """What the grammar does not know is refused with the token and what was expected."""
    assert crm.refused("query", query=text) == (SYNTAX, f"Syntax Error on line 1: {token}")


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
    ["city = ''", "city in ('','x')", 'city = "x"', "annualrevenue > 1.5", "email = a@b.example"]
    + ["city.name = 'x'"],
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


def test_the_module_is_found_by_the_first_from_before_a_space(crm: Crm) -> None:
    """A selected field that ends in `from` hides the module, unless a line break follows it."""
    trapped = crm.refused("query", query="select cf_memberfrom from Contacts;")
    assert trapped[1].endswith("for name : from")
    assert crm.query("select cf_memberfrom\nfrom Contacts;") == []


def test_keywords_ignore_case_and_space(crm: Crm) -> None:
    """Keywords may be written in any case, and white space may be a tab or a line break."""
    text = "SELECT city\nFROM Leads\tWHERE city LIKE 'ly%' ORDER BY city DESC LIMIT 1 ;"
    assert crm.values(text, "city") == ["Lyon"]
