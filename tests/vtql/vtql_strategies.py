"""Random statements, and readings of their text that share no code with the package."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hypothesis import strategies as st

from vtiger_async.vtql import Condition, Select, Word
from vtiger_async.vtql.lexemes import KEYWORDS

NASTY = "'\\%_\";\n\r\t \x00\u00a0\u2028éß汉😀-,()=<>aA0"

texts = st.text(st.sampled_from(NASTY) | st.characters(codec="utf-8"), max_size=12)
filled = texts.filter(bool)
modules = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in KEYWORDS
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in KEYWORDS
)
fields = names | st.sampled_from(["datefrom", "FROM_", "xFrom", "id", "cf_851"])
patterns = (
    st.lists(st.sampled_from([r"\%", r"\_", r"\\", "%", "_"]) | st.characters(codec="utf-8"))
    .map(lambda parts: "".join(part if part != "\\" else r"\\" for part in parts))
    .filter(bool)
)
words = (
    st.from_regex(r"[A-Za-z0-9_]{0,4}[A-Za-z_][A-Za-z0-9_]{0,4}", fullmatch=True)
    .filter(lambda text: text.lower() not in KEYWORDS)
    .map(Word)
)
scalars = filled | st.integers(-(10**20), 10**20) | words
conditions = st.one_of(
    st.builds(Condition, fields, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), scalars),
    st.builds(
        Condition, fields, st.just("IN"), st.lists(scalars, min_size=1, max_size=4).map(tuple)
    ),
    st.builds(Condition, fields, st.just("LIKE"), patterns | words | st.integers()),
)
where = st.lists(st.lists(conditions, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)


@st.composite
def selects(draw: st.DrawFn) -> Select:
    """Any valid statement."""
    is_count = draw(st.booleans())
    order = draw(st.lists(fields, max_size=3).map(tuple))
    return Select(
        draw(modules),
        () if is_count else draw(st.lists(fields, max_size=4).map(tuple)),
        is_count=is_count,
        where_any=draw(where),
        order_fields=order,
        descending=bool(order) and draw(st.booleans()),
        limit_to=draw(st.none() | st.integers(0, 10**12)),
        offset_by=draw(st.none() | st.integers(0, 10**20)),
    )


_SERVER_TOKEN = re.compile(
    r"""\s*(?:(\w+|'(?:[^']|'')+'|[()]|[+-]?\d+|,|\*|<=|>=|!=|[=<>]|;))""", re.ASCII
)


def server_tokens(text: str) -> list[str]:
    r"""Return the tokens as the server's lexer cuts them: `\` means nothing to it."""
    found: list[str] = []
    at = 0
    while at < len(text):
        match = _SERVER_TOKEN.match(text, at)
        assert match is not None, f"the server's lexer stops at {text[at : at + 20]!r}"
        found.append(match[1])
        at = match.end()
    return found


def stored_text(literal: str) -> str:
    """Return what MariaDB reads in a literal that the server handed on, quotes included."""
    inside, result, at = literal[1:-1], "", 0
    while at < len(inside):
        one = inside[at]
        if one == "\\":
            following = inside[at + 1]
            special = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
            result += f"\\{following}" if following in "%_" else special.get(following, following)
            at += 2
        elif one == "'":
            assert inside[at + 1] == "'", "a quote ends the literal early"
            result += "'"
            at += 2
        else:
            result += one
            at += 1
    return result


def like(pattern: str, text: str) -> bool:
    """Tell whether a text matches what LIKE sees after MariaDB has read the literal."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(regex, text, re.DOTALL) is not None


def holds(condition: Condition, row: Mapping[str, str]) -> bool:
    """Evaluate one condition with text values on one row."""
    value = row[condition.field]
    first = str(condition.values[0])
    return {
        "=": value == first,
        "!=": value != first,
        "<": value < first,
        "<=": value <= first,
        ">": value > first,
        ">=": value >= first,
        "IN": value in condition.values,
        "LIKE": like(first, value),
    }[condition.operator]


def matches(select: Select, row: Mapping[str, str]) -> bool:
    """Evaluate a statement's conditions on one row."""
    where_any = select.where_any
    return not where_any or any(all(holds(one, row) for one in every) for every in where_any)
