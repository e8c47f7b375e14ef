"""The sandbox's query: how values compare, how pages are cut, and what is silently empty."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from engine_calls import Crm

NAMES = ("Anna", "BERT", "Émile", "emile", "O'Brien", "back\\slash", "50% off", "under_score")


@pytest.fixture(scope="module")
def crm(profile: str) -> Crm:
    """Eight contacts, whose fax is their place, and an organisation for the even ones."""
    crm = Crm(profile=profile)
    account = crm.create("Accounts", accountname="Acme", annual_revenue="12.5", employees=3)
    for place, name in enumerate(NAMES):
        crm.clock.now += 60
        owner = "19x1" if place % 2 else "19x5"
        crm.create(
            "Contacts",
            lastname=name,
            fax=str(place),
            assigned_user_id=owner,
            birthday=f"199{place}-05-01" if place < 4 else "",
            account_id="" if place % 2 else account["id"],
            donotcall=place == 1,
        )
    return crm


def places(crm: Crm, condition: str, user: str = "admin") -> str:
    """The places of the contacts that a condition finds."""
    text = f"select fax from Contacts where {condition} order by fax;"
    return "".join(crm.values(text, "fax", user))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("lastname = 'bert'", "1"),
        ("lastname = 'EMILE'", "23"),
        ("lastname = 'émile   '", "23"),
        ("lastname != 'emile'", "014567"),
        ("lastname < 'bert'", "056"),
        ("lastname in ('anna','BERT','x')", "01"),
        ("lastname like 'e%'", "23"),
        ("lastname like '%R%'", "147"),
        ("lastname like 'anna '", ""),
        ("lastname = 'O''Brien'", "4"),
        (r"lastname = 'back\\slash'", "5"),
        (r"lastname = 'back\slash'", ""),
        (r"lastname like 'back\\\\slash'", "5"),
        (r"lastname like 'back\\slash'", ""),
        (r"lastname like '50\% %'", "6"),
        (r"lastname like '%\_score'", "7"),
        (r"lastname = 'under\_score'", ""),
        ("email = ' '", "01234567"),
        ("email = ' ' and lastname = 'Anna'", "0"),
        ("lastname = 'Anna' or lastname = 'BERT' and fax = '9'", "0"),
        ("lastname = 'x' and fax = '1' or lastname = 'Anna'", "0"),
    ],
)
def test_text_compares_as_in_the_database(crm: Crm, condition: str, found: str) -> None:
    """Text compares without case, accents and trailing spaces; escapes are MySQL's."""
    assert places(crm, condition) == found


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("birthday = '1991-05-01'", "1"),
        ("birthday >= '1992-05-01 00:00:00'", "23"),
        ("birthday < '1991-05-01 10:00'", "01"),
        ("birthday = ' '", ""),
        ("birthday != '1991-05-01'", "023"),
        ("birthday = null", ""),
        ("birthday = 'null'", ""),
        ("birthday like '199%'", "0123"),
        ("birthday like null", ""),
        ("birthday > 19920101", "23"),
        ("modifiedtime > '2027-01-15T08:02:00Z'", "234567"),
        ("modifiedtime > 20270115080200", "234567"),
        ("modifiedtime > '2020-01-01'", "01234567"),
        ("modifiedtime < '2020-01-01 10:00'", ""),
        ("donotcall = true", "1"),
        ("donotcall = 'x'", ""),
        ("donotcall = 'true'", ""),
        ("donotcall in ('on','yes')", ""),
        ("donotcall = '1'", "1"),
        ("donotcall in (1, '7')", "1"),
        ("donotcall like '1'", "1"),
        ("donotcall like true", ""),
        ("fax > 5", "67"),
        ("fax in (3, 4)", "34"),
        ("fax = false", "0"),
    ],
)
def test_moments_and_numbers_compare_as_such(crm: Crm, condition: str, found: str) -> None:
    """Dates compare as dates, numbers as numbers, null never, and nonsense as the zero date."""
    assert places(crm, condition) == found


def test_references_compare_by_record(crm: Crm) -> None:
    """A reference is written as an id, of which the number counts; 0 finds those that are empty."""
    acme = crm.values("select id from Accounts;", "id")[0]
    assert places(crm, f"account_id = '{acme}'") == "0246"
    assert places(crm, f"account_id in ({acme}, '3x9')") == "0246"
    assert places(crm, f"account_id != '{acme}'") == "1357"
    assert places(crm, f"account_id > '{acme}'") == ""
    assert places(crm, "account_id = '3x0'") == "1357"
    assert places(crm, f"account_id = '7x{acme[2:]}'") == "0246"
    for blank in ("' '", "0", "'3'", "null"):
        answer = crm.refused("query", query=f"select id from Contacts where account_id = {blank};")
        assert answer[0] == "INVALID_ID_ATTRIBUTE"
    assert places(crm, "account_id in ('3x0', '3x1')") == "1357"
    assert places(crm, "account_id != '3x0'") == "0246"
    assert places(crm, "assigned_user_id = '19x5'") == "0246"


def test_ids_compare_by_number(crm: Crm) -> None:
    """Ids are numbers, whatever their prefix, and may stand unquoted."""
    first, *rest = crm.values("select id from Contacts order by id;", "id")
    assert crm.values(f"select id from Contacts where id > '{first}' order by id;", "id") == rest
    assert len(crm.query(f"select id from Contacts where id = {first};")) == 1
    assert len(crm.query(f"select id from Contacts where id like '{first}';")) == 1
    assert len(crm.query(f"select id from Contacts where id in ('{first}', '4x1');")) == 1
    assert crm.query(f"select id from Contacts where id = '3x{first[2:]}';") == [{"id": first}]
    assert crm.query("select id from Contacts where id > '4x99999999999999999999';") == []
    for bad in ("'abc'", "' '", "0", "null"):
        answer = crm.refused("query", query=f"select id from Contacts where id = {bad};")
        assert answer == ("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")


@pytest.mark.parametrize(
    "rest",
    [
        "order by nofield",
        "limit -1",
        "limit -10,5",
        "limit '5'",
        "limit abc,5",
        "limit 0",
        "limit 100000,100",
        "where lastname = Anna",
        "where lastname like Anna",
        "where id > 595",
        "where assigned_user_id = 3",
        "where lastname = 'Anna' or lastname = Anna",
        r"where lastname = 'x\'",
        r"where lastname like 'x\'",
    ],
)
def test_what_mysql_refuses_is_an_empty_page(crm: Crm, rest: str) -> None:
    """An SQL error comes back as success with nothing, so that [] does not prove "no match"."""
    assert crm.query(f"select id from Contacts {rest};") == []


def test_order_has_one_direction_for_the_last_field(crm: Crm) -> None:
    """ORDER BY takes several fields; ASC or DESC goes with the last of them only."""
    text = "select fax from Contacts order by account_id, fax desc;"
    assert "".join(crm.values(text, "fax")) == "75316420"
    assert "".join(crm.values("select fax from Contacts order by lastname;", "fax"))[:2] == "60"
    assert "".join(crm.values("select fax from Contacts order by id desc;", "fax")) == "76543210"


def test_an_order_by_a_far_field_wants_it_to_be_asked_for(crm: Crm) -> None:
    """A field's own table is read where one of its fields is selected or in WHERE; else nothing."""
    assert crm.query("select fax from Contacts order by birthday;") == []
    assert crm.query("select fax from Contacts order by fax, birthday desc;") == []
    for text in (
        "select fax, birthday from Contacts where fax < '4' order by birthday;",
        "select fax, assistant from Contacts where fax < '4' order by birthday;",
        "select fax from Contacts where birthday > '1900-01-01' order by birthday;",
        "select * from Contacts where fax < '4' order by birthday;",
    ):
        assert "".join(crm.values(text, "fax")) == "0123"
    counted = crm.query("select count(*) from Contacts order by birthday;")
    assert counted == [{"count": "8"}]


def test_rows_hold_what_was_asked_and_the_id(crm: Crm) -> None:
    """A row has the selected fields and always the id, never a label; unset dates are null."""
    row = crm.query("select birthday, fax from Contacts where fax = '7';")[0]
    assert (row["birthday"], row["fax"], sorted(row)) == (None, "7", ["birthday", "fax", "id"])
    everything = crm.query("select * from Contacts limit 1;")[0]
    assert "label" not in everything
    assert everything["emailoptout"] == "0"


def test_numbers_are_compared_as_numbers(crm: Crm) -> None:
    """A quoted number compares as a number, and a text in its place as 0."""
    for condition in ("annual_revenue > '9'", "annual_revenue > -1", "employees != 'x'"):
        assert len(crm.query(f"select id from Accounts where {condition};")) == 1
    assert crm.query("select id from Accounts where employees in ('12', '4');") == []


def test_counts_are_text_in_one_row(crm: Crm) -> None:
    """count(*) is one row with a string; a limit that leaves it out gives none."""
    assert crm.query("select count(*) from Contacts;") == [{"count": "8"}]
    assert crm.query("select COUNT(*) from Contacts where fax > '5' limit 0,1;") == [{"count": "2"}]
    assert crm.query("select count(*) from Contacts limit 1,1;") == []
    assert crm.query("select count(*) from Contacts limit 0;") == []
    assert crm.query("select count(*) from Contacts where lastname = Anna;") == []


def test_what_a_user_may_not_read_is_dropped_after_the_limit(crm: Crm) -> None:
    """A restricted user's page is short, or empty and not the last; count(*) tells the truth."""
    pages = [
        crm.values(f"select fax from Contacts order by fax limit {place},1;", "fax", "sales")
        for place in range(8)
    ]
    assert pages == [["0"], [], ["2"], [], ["4"], [], ["6"], []]
    assert crm.query("select count(*) from Contacts;", "sales") == [{"count": "4"}]
    assert crm.query("select count(*) from Contacts;", "guest") == [{"count": "0"}]


def test_rights_may_stand_in_the_sql(crm: Crm) -> None:
    """Where rights are part of the SQL, as in private modules, LIMIT counts what the user sees."""
    crm.engine.profile = evolve(crm.engine.profile, rights_in_sql=True)
    text = "select fax from Contacts order by fax limit"
    assert crm.values(f"{text} 2;", "fax", "sales") == ["0", "2"]
    assert crm.values(f"{text} 3,2;", "fax", "sales") == ["6"]
    assert crm.values(f"{text} 3,2;", "fax") == ["3", "4"]


def test_hidden_things_are_denied(crm: Crm) -> None:
    """A hidden module or field is ACCESS_DENIED, in SELECT, in WHERE and silently in ORDER BY."""
    assert crm.refused("query", "sales", query="select id from Invoice;")[0] == "ACCESS_DENIED"
    assert crm.refused("query", "sales", query="select id from Users;")[0] == "ACCESS_DENIED"
    answer = crm.refused("query", "sales", query="select fax from Leads;")
    assert answer == ("ACCESS_DENIED", "Permission to access '.fax.' attribute denied.")
    answer = crm.refused("query", "sales", query="select id from Leads where fax = '1';")
    assert answer == ("ACCESS_DENIED", "Permission to access fax attribute denied.")
    crm.create("Leads", lastname="x")
    assert crm.query("select id from Leads order by fax;", "sales") == []


def test_small_modules_can_be_queried(crm: Crm) -> None:
    """Groups, currencies, taxes and folders answer queries, too."""
    assert crm.values("select groupname from Groups order by id;", "id") == ["20x2", "20x3", "20x4"]
    assert crm.values("select * from Tax order by id;", "percentage")[0] == "4.500"
    assert crm.values("select user_name from Users order by id;", "user_name")[1] == "sales"


@pytest.fixture(scope="module")
def many(profile: str) -> Crm:
    """The standard seed: 400 contacts, 90 invoices."""
    return Crm(records=None, profile=profile)


@pytest.mark.parametrize("limit", ["", "limit 101", "limit 5000", "limit abc", f"limit {'9' * 30}"])
def test_a_page_has_at_most_100_rows(many: Crm, limit: str) -> None:
    """LIMIT is silently cut to 100, which is also what comes without one."""
    assert len(many.query(f"select id from Contacts {limit};")) == 100


def test_an_offset_page_is_cut_to_100_rows(many: Crm) -> None:
    """In `LIMIT m,n` the count is cut, and the offset is not."""
    assert len(many.query("select id from Contacts order by id limit 250,5000;")) == 100
    assert len(many.query("select id from Contacts order by id limit 350 , 100;")) == 50


def test_two_statements_see_two_orders(many: Crm) -> None:
    """Without ORDER BY, the same statement gives another first page the next time."""
    pages = [tuple(many.values("select id from Contacts;", "id")) for _ in range(4)]
    assert len(set(pages)) == 4
    taxes = [tuple(many.values("select id from Tax;", "id")) for _ in range(2)]
    assert taxes[0] == taxes[1][::-1]


def test_equal_rows_have_no_order_of_their_own(many: Crm) -> None:
    """ORDER BY a field with few values leaves the rest to chance; with id it is stable."""
    ties = {tuple(many.values("select id from Leads order by rating;", "id")) for _ in range(2)}
    assert len(ties) == 2
    fixed = {tuple(many.values("select id from Leads order by rating,id;", "id")) for _ in range(2)}
    assert len(fixed) == 1


def test_paging_by_id_meets_every_record_once(many: Crm) -> None:
    """`id > last ORDER BY id` gives all records in ascending order, without a repeat."""
    seen: list[str] = []
    while page := many.values(
        f"select id from Contacts where id > '{seen[-1] if seen else '4x0'}' order by id;", "id"
    ):
        seen += page
    assert len(seen) == len(set(seen)) == 400
    assert seen == sorted(seen, key=lambda text: int(text.partition("x")[2]))


def test_invoices_with_all_fields_come_in_short_pages(many: Crm) -> None:
    """`select *` reads line items: pages are short, records repeat, and only [] is the end."""
    pages: list[list[str]] = []
    while page := many.values(f"select * from Invoice order by id limit {5 * len(pages)},5;", "id"):
        pages.append(page)
    rows = [record_id for page in pages for record_id in page]
    assert min(len(page) for page in pages) < 5
    assert len(rows) > len(set(rows)) == 90
    assert many.query("select count(*) from Invoice;") == [{"count": "90"}]
    some = many.query("select count(*) from Invoice where quantity > '0' and description = ' ';")
    assert some == [{"count": "90"}]
    top = many.query("select quantity from Invoice order by quantity desc limit 1;")[0]["quantity"]
    assert top == "9.000"


def test_large_tables_answer_by_index(many: Crm) -> None:
    """With hundreds of records the same conditions go through indexes and find the same."""

    def found(condition: str) -> set[Any]:
        return set(many.values(f"select email from Contacts where {condition};", "email"))

    assert found("email = 'RENEE@example.com'") == {"renee@example.com"}
    assert found("email in ('renee@example.com','nobody@example.com')") == {"renee@example.com"}
    assert found("email like 'ren%@example.com'") >= {"renee@example.com"}
    assert len(many.query("select id from Contacts where lastname = 'muller' limit 5;")) == 5
    same = many.values("select lastname from Contacts order by lastname limit 3;", "lastname")
    assert same == sorted(same, key=str.casefold)
    account = many.values("select id from Accounts order by id limit 1;", "id")[0]
    assert len(many.query(f"select id from Contacts where account_id = '{account}';")) == 100


def test_a_long_list_is_no_matter(many: Crm) -> None:
    """An IN list of thousands, and a long row of ORs, are answered."""
    values = ",".join(f"'v{n}'" for n in range(3000))
    assert many.query(f"select id from Contacts where lastname in ({values});") == []
    ors = " or ".join(f"lastname = 'v{n}'" for n in range(1500))
    assert many.query(f"select id from Contacts where {ors};") == []
