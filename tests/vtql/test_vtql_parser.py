"""parse(): what it reads, and how it says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vtiger_async.errors import QuerySyntaxError
from vtiger_async.vtql import Condition, Select, Word, parse

RECORDED = Path(__file__).parents[3] / "shared" / "vtiger" / "exchanges" / "query.json"


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("select * from Contacts;", Select("Contacts")),
        ("SeLeCt id FrOm Contacts ;", Select("Contacts", ("id",))),
        ("\r\n\tselect\nid\tfrom Contacts\n;\n", Select("Contacts", ("id",))),
        (
            "SELECT COUNT ( * ) FROM A limit 0,1;",
            Select("A", is_count=True, limit_to=1, offset_by=0),
        ),
        ("select datefrom from A;", Select("A", ("datefrom", "id"))),
        ("select id from A order by a , b asc;", Select("A", ("id",), order_fields=("a", "b"))),
        (
            "select id from A order by a,b DESC limit 10 , 5;",
            Select(
                "A",
                ("id",),
                order_fields=("a", "b"),
                descending=True,
                limit_to=5,
                offset_by=10,
            ),
        ),
        ("select id from A limit 0;", Select("A", ("id",), limit_to=0)),
        ("select id from A limit 99999999999999999999;", Select("A", ("id",))),
    ],
)
def test_each_clause_is_read(text: str, statement: Select) -> None:
    """Keywords ignore case, white space is free, and names are kept as they are."""
    assert parse(text) == statement


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("x='O''Neil'", Condition("x", "=", "O'Neil")),
        ("x=''''", Condition("x", "=", "'")),
        (r"x='a\\b'", Condition("x", "=", "a\\b")),
        ("x='a;\n--'", Condition("x", "=", "a;\n--")),
        ("x!=-1", Condition("x", "!=", -1)),
        ("x<=007", Condition("x", "<=", 7)),
        ("x>=12x595", Condition("x", ">=", Word("12x595"))),
        ("x>true", Condition("x", ">", Word("true"))),
        ("x in(1 , 'a',b)", Condition("x", "IN", (1, "a", Word("b")))),
        (r"x like '50\%\_%\\\\'", Condition("x", "LIKE", r"50\%\_%\\")),
        (r"x like 'a\\%'", Condition("x", "LIKE", r"a\%")),
        ("x like 5", Condition("x", "LIKE", 5)),
    ],
)
def test_each_kind_of_condition_is_read(text: str, condition: Condition) -> None:
    """Literals give their text, LIKE its pattern, bare values an int or a Word."""
    assert parse(f"select * from A where {text};").where_any == ((condition,),)


def test_and_binds_before_or() -> None:
    """`a and b or c` is an OR of two alternatives."""
    a, b, c = (Condition(name, "=", 1) for name in "abc")
    assert parse("select * from A where a=1 and b=1 or c=1;").where_any == ((a, b), (c,))


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "found the end of the statement, expected SELECT"),
        ("delete from A;", 1, 1, "found 'delete', expected SELECT (a statement begins with"),
        ("select , from A;", 1, 8, "found ',', expected COUNT(*), * or a field"),
        ("select from A;", 1, 8, "from is a word of the language"),
        ("select count(id) from A;", 1, 14, "the only function is count(*)"),
        ("select upper(x) from A;", 1, 13, "the only function is count(*)"),
        ("select distinct x from A;", 1, 17, "DISTINCT does not exist"),
        ("select x as y from A;", 1, 10, "there are no aliases"),
        ("select x;", 1, 9, "found ';', expected a comma or FROM"),
        ("select x from where;", 1, 15, "expected a module (where is a word"),
        ("select x from 'A';", 1, 15, "found the literal 'A', expected a module"),
        ("select x from A as a;", 1, 17, "there are no aliases"),
        ("select x from A, B;", 1, 16, "there are no joins"),
        ("select x from A join B;", 1, 17, "there are no joins"),
        ("select a.x from A;", 1, 8, "there are no joins"),
        ("select x from A group by x;", 1, 17, "GROUP BY, HAVING and UNION do not exist"),
        ("select x from A where (x=1);", 1, 23, "there are no parentheses in WHERE"),
        ("select x from A where not x=1;", 1, 27, "NOT does not exist"),
        ("select x from A where x not in (1);", 1, 25, "NOT IN and NOT LIKE do not exist"),
        ("select x from A where x is null;", 1, 25, "IS NULL does not exist"),
        ("select x from A where x between 1 and 2;", 1, 25, "BETWEEN does not exist"),
        ("select x from A where upper(x)=1;", 1, 28, "there are no functions"),
        ("select x from A where x<>1;", 1, 24, "write !="),
        ("select x from A where x==1;", 1, 24, "write a single ="),
        ("select x from A where x=1 && y=2;", 1, 27, "AND and OR"),
        ("select x from A where x ! 1;", 1, 25, "AND and OR"),
        ("select x from A where x=limit;", 1, 25, "the word limit stands in single quotes"),
        ("select x from A where x=(1);", 1, 25, "no subqueries"),
        ("select x from A where x=;", 1, 25, "found ';', expected a value"),
        ("select x from A where x=1.5;", 1, 25, "a decimal stands in single quotes"),
        ("select x from A where x=-.5;", 1, 25, "a decimal stands in single quotes"),
        ("select x from A where x=2026-01-31;", 1, 25, "a date stands in single quotes"),
        ("select x from A where x=a.b+c@d.org;", 1, 25, "text stands in single quotes"),
        ('select x from A where x="a";', 1, 25, "straight single quotes"),
        ("select x from A where x=\u2018a\u2019;", 1, 25, "straight single quotes"),
        ("select x from A where x='a;", 1, 25, "this quote is never closed"),
        ("select x from A where x='';", 1, 26, "the empty string cannot be written"),
        ("select x from A where x like '';", 1, 31, "an empty pattern cannot be written"),
        (r"select x from A where x='a\b';", 1, 27, r"a backslash is written \\"),
        (r"select x from A where x='a\';", 1, 27, r"\' does not escape it"),
        (r"select x from A where x='a\'b';", 1, 27, r"\' does not escape it"),
        (r"select x from A where x like 'a\\b';", 1, 31, "written with four"),
        (r"select x from A where x like 'a\b';", 1, 32, r"a backslash is written \\"),
        ("select x from A where x in 1;", 1, 28, "the values of IN stand in parentheses"),
        ("select x from A where x in ();", 1, 29, "at least one value"),
        ("select x from A where x in ('a' 'b');", 1, 33, "expected a comma or )"),
        (f"select x from A where x={'9' * 5000};", 1, 25, "at most 65 digits"),
        ("select x from A where x=1 and;", 1, 30, "expected a field"),
        ("select x from A where x=1\n order x;", 2, 8, "found 'x', expected BY"),
        ("select x from A order by x desc, y;", 1, 32, "the direction stands once"),
        ("select x from A limit abc;", 1, 23, "LIMIT takes numbers from 0"),
        ("select x from A limit '5';", 1, 23, "LIMIT takes numbers from 0"),
        ("select x from A limit -10,5;", 1, 23, "LIMIT takes numbers from 0"),
        (f"select x from A limit {'9' * 5000};", 1, 23, "at most 65 digits"),
        ("select x from A limit 5 offset 10;", 1, 25, "LIMIT offset,count"),
        ("select x from A", 1, 16, "exactly one ;"),
        ("select x from A\n\n", 1, 16, "exactly one ;"),
        ("select x from A;;", 1, 17, "exactly one ;"),
        ("select x from A; select", 1, 18, "exactly one ;"),
        ("select x -- all\nfrom A;", 1, 10, "there are no comments"),
        ("select\u00a0x from A;", 1, 7, "only blanks, tabs and line ends"),
        ("select x% from A;", 1, 9, "outside quotes there are only"),
        ("select x from A where x='\ud800';", 1, 26, "lone surrogate"),
    ],
)
def test_a_fault_is_shown_where_it_is_with_what_to_write(
    text: str, line: int, column: int, message: str
) -> None:
    """The error has the line, the column, the text, and says what was found and expected."""
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.column, error.source) == (line, column, text)
    assert message in error.message
    assert error.message.startswith(f"line {line}, column {column}: ")


def test_a_caret_stands_under_the_fault() -> None:
    """The note of the error shows the line and points into it."""
    with pytest.raises(QuerySyntaxError) as caught:
        parse("select id\nfrom Leads\twhere city <> 'Rome';")
    assert caught.value.__notes__ == ["from Leads where city <> 'Rome';\n                      ^"]


pieces = st.lists(
    st.sampled_from(
        ["select", "from", "where", "and", "or", "order", "by", "limit", "in", "like", "count",
         "id", "Leads", "'a'", "''", "'\\\\'", "'\\", "'", "5", "-1", "(", ")", "*", ",", ";", "=",
         "<", "!=", " ", "\n", ".", "desc", "not", "is", "é"]
    )
    | st.text(max_size=2),
    max_size=14,
)  # fmt: skip


@given(pieces, st.booleans())
def test_any_text_is_read_or_refused_with_a_place(parts: list[str], spaced: bool) -> None:
    """parse() raises nothing but QuerySyntaxError, and what it reads it also writes."""
    begin = "select id from Leads where " if spaced else ""
    text = begin + (" " if spaced else "").join(parts)
    try:
        statement = parse(text)
    except QuerySyntaxError as error:
        fault = error
    else:
        assert parse(str(statement)) == statement
        return
    assert fault.line is not None
    assert fault.snippet.endswith("^")


# Statements that the server took and parse() refuses, each with the reason.
MISREAD = {
    "like_backslash_2": "LIKE reads two backslashes as none: [] though the value was there",
    "backslash_raw": "MariaDB drops a single backslash: [] though the value was there",
    "limit_text": "the server ignores a limit that is no number",
    "limit_quoted": "the server answers [], as if nothing matched",
    "limit_offset_negative": "the server answers [], as if nothing matched",
}
# Statements that the server refused with another code, though they are no VTQL: bad literals,
# dotted fields, no FROM. Its other refusals (an unknown field, say) are no matter of syntax.
UNREADABLE = {
    "eq_empty_string", "in_empty_string", "email_unquoted", "decimal_unquoted", "double_quotes",
    "ref_dotted_where", "ref_dotted_select", "no_from",
}  # fmt: skip
WITHOUT_TEXT = {"missing_param", "long_query_post"}  # no statement, or not the whole of it


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded exchanges are not here")
def test_the_parser_and_a_real_server_agree() -> None:
    """What Vtiger 8.4 took is read, but for a few that it misread; what it refused is refused."""
    reads: dict[str, bool] = {}
    takes: dict[str, bool] = {}
    for exchange in json.loads(RECORDED.read_text(encoding="utf-8")):
        name, body = exchange["name"], exchange["response"]["body"]
        if name in WITHOUT_TEXT:
            continue
        code = None if body["success"] else body["error"]["code"]
        takes[name] = code != "QUERY_SYNTAX_ERROR" and name not in {*MISREAD, *UNREADABLE}
        try:
            statement = parse(exchange["request"]["params"]["query"])
        except QuerySyntaxError:
            reads[name] = False
        else:
            reads[name] = parse(str(statement)) == statement
    assert len(reads) == 139
    assert reads == takes
